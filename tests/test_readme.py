"""What README.md says works, is short, and is what .ci/run executes."""

import re
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
    exec(compile(example, "README.md", "exec"), names)
    accuracy = float(capsys.readouterr().out.split()[0])
    assert accuracy > 0.9
    assert names["hess"].shape == (names["net"].n_params,) * 2


def test_two_commands():
    assert [block.strip() for block in blocks("bash")] == COMMANDS


def test_length():
    assert len(README.read_text().splitlines()) <= 120


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text())
    missing = [link for link in links if "://" not in link and not (README.parent / link).exists()]
    assert links and not missing
