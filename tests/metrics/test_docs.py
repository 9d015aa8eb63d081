"""The page on probabilities runs and prints what it shows."""

import re
from pathlib import Path

import pytest

import fastmlp.distributions

PAGE = Path(__file__).parents[2] / "docs" / "probabilities.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="not in a source tree")


BLOCKS = (
    re.findall(r"^```\w*\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    if PAGE.exists()
    else []
)


@pytest.mark.parametrize("k", range(0, len(BLOCKS), 2))
def test_page_prints_what_it_shows(k, capsys):
    exec(compile(BLOCKS[k], PAGE.name, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == BLOCKS[k + 1]


def test_the_pages_own_family_is_the_tested_one():
    source = (Path(__file__).parents[1] / "distributions" / "gumbel.py").read_text()
    assert source.partition("import numpy")[2] in PAGE.read_text()


def test_page_names_every_family():
    named = set(re.findall(r"`([A-Z]\w+)`", PAGE.read_text()))
    classes = {name for name in fastmlp.distributions.__all__ if name[0].isupper()}
    assert named >= classes - {"Distribution"}
