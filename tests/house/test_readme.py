"""What README.md and docs/overview.md say works, is short, and is what .ci/run executes."""

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


@pytest.mark.parametrize("number", range(3))
def test_snippets_run(number, capsys):
    """Each by itself, as a reader pastes it, without a warning."""
    snippet = blocks("python")[number]
    assert len([line for line in snippet.splitlines() if line.strip()]) <= 15
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(snippet, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    if number == 0:
        assert float(printed) > 0.95
    elif number == 1:
        inside = (names["low"] <= names["y"][400:]) & (names["y"][400:] <= names["high"])
        assert "ridge" in printed and inside.mean() > 0.75
    else:
        gd, lbfgs, lm = (float(line.split()[1]) for line in printed.splitlines())
        assert lm < lbfgs / 10 < gd / 50
        assert names["hess"].shape == (names["net"].n_params,) * 2


def test_no_block_is_left_out():
    """What is not run here or by .ci/run does not stand in a block."""
    assert len(blocks("python")) == 3
    assert README.read_text(encoding="utf-8").count("```") == 2 * (3 + len(COMMANDS))


def test_two_commands():
    assert [block.strip() for block in blocks("bash")] == COMMANDS


def test_length():
    assert len(README.read_text().splitlines()) <= 120


def test_survives_on_an_index():
    """An index has the page alone: relative links would lead nowhere; the picture has words."""
    text = README.read_text(encoding="utf-8")
    ((words, picture),) = re.findall(r"!\[([^]]*)\]\(([^)]*)\)", text)
    assert len(words) > 20 and (README.parent / picture).stat().st_size < 200_000
    links = re.findall(r"(?<!!)\[[^]]*\]\(([^)]*)\)|(?:src|href)=\"([^\"]*)", text)
    assert not [link for pair in links for link in pair if link and "://" not in link]


def test_files_named_exist():
    paths = re.findall(r"`([\w./]+/|[\w./]+\.(?:md|png)|LICENSE)`", README.read_text())
    assert {"docs/differences.md", "docs/overview.md", "examples/"} <= set(paths)
    assert not [path for path in paths if not (README.parent / path).exists()]


def rows():
    """The rows of docs/overview.md: the first cell -> the second one."""
    table = (README.parent / "docs/overview.md").read_text(encoding="utf-8").partition("|---|")[2]
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
