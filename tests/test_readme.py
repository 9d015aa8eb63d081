"""What README.md says works, is short, and is what .ci/run executes."""

import re
import warnings
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
COMMANDS = ["pip install . && fastmlp demo", 'pip install ".[test]" && pytest']

pytestmark = pytest.mark.skipif(not README.exists(), reason="not in a source tree")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def test_example_runs(capsys):
    (example,) = blocks("python")
    assert len([line for line in example.splitlines() if line.strip()]) <= 15
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(example, "README.md", "exec"), names)
    accuracy = float(capsys.readouterr().out.split()[0])
    assert accuracy > 0.9
    assert names["hess"].shape == (names["net"].n_params,) * 2


def test_two_commands():
    assert [block.strip() for block in blocks("bash")] == COMMANDS


def test_length():
    assert len(README.read_text().splitlines()) <= 120


def test_survives_on_an_index():
    """A package index has the page alone: relative links and images would lead nowhere there."""
    links = re.findall(r"\]\(([^)]*)\)|(?:src|href)=\"([^\"]*)", README.read_text())
    assert not [link for pair in links for link in pair if link and "://" not in link]


def test_files_named_exist():
    paths = re.findall(r"`([\w./]+/|[\w./]+\.(?:md|png)|LICENSE)`", README.read_text())
    assert {"docs/differences.md", "docs/img/training.png", "examples/"} <= set(paths)
    assert not [path for path in paths if not (README.parent / path).exists()]
