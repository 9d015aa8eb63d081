"""The page on probabilities runs and prints what it shows."""

import re
from pathlib import Path

import pytest

import fastmlp.distributions

PAGE = Path(__file__).parents[2] / "docs" / "probabilities.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="not in a source tree")


def test_page_prints_what_it_shows(capsys):
    (code, shown) = re.findall(r"^```\w*\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    exec(compile(code, PAGE.name, "exec"), {})
    assert capsys.readouterr().out == shown


def test_page_names_every_family():
    named = set(re.findall(r"`([A-Z]\w+)`", PAGE.read_text()))
    assert named >= set(fastmlp.distributions.__all__) - {"Distribution"}
