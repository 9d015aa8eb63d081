"""What README.md says works, is short, and is what .ci/run executes."""

import re
import warnings
from pathlib import Path

import pytest
import sklearn

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.activations import OUTPUT_NAMES
from fastmlp.losses import NAMES
from fastmlp.solvers import SOLVERS

README = Path(__file__).parents[2] / "README.md"
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


def rows():
    """The rows of "What there is": the first cell -> the second one."""
    table = README.read_text(encoding="utf-8").partition("## What there is")[2]
    return dict(re.findall(r"^\| ([\w ,]+) \| (.+) \|$", table, re.MULTILINE))


def test_names_of_activations_losses_and_solvers_are_all_there():
    table = rows()
    for row, known in (("activations", OUTPUT_NAMES), ("losses", NAMES), ("solvers", SOLVERS)):
        words = set(re.findall(r"[\w-]+", table[row]))
        assert set(known) <= words, row


def test_what_the_table_names_exists():
    fitted = MLPRegressor(max_iter=5, hidden_layer_sizes=(2,)).fit([[0.0], [1.0]], [0, 1])
    places = [fastmlp, fastmlp.solvers, fastmlp.tabular, fastmlp.posteriors]
    places += [fastmlp.Network([2, 1])]
    places += [fitted, MLPClassifier(), fastmlp.MLPDistributionRegressor()]
    places += [fastmlp.BayesianMLPRegressor()]
    known = {
        *SOLVERS,
        "True",
        "fastmlp",
        "solvers",
        "losses",
        "curve_fit",
        "bar",
        "theta",
        "check_grad",
    }
    table = rows()
    assert len(table) >= 7
    found = []
    for text in table.values():
        for code in re.findall(r"`([^`]+)`", text):
            found += [code] if code in SOLVERS else re.findall(r"[A-Za-z]\w+", code.split("(")[0])
    assert len(found) > 30
    if sklearn_is_older_than(1, 9):
        known.add("set_callbacks")
    assert not [n for n in found if n not in known and not any(hasattr(p, n) for p in places)]


def sklearn_is_older_than(*version):
    return tuple(map(int, sklearn.__version__.split(".")[:2])) < version
