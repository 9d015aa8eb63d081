"""What `verbose` prints."""

import re
import sys

import numpy as np
import pytest

from fastmlp import MLPClassifier, MLPRegressor, Network
from fastmlp.solvers import minimize

X = np.random.default_rng(0).normal(size=(100, 3))
Y = X[:, 0] * X[:, 1]


def table(text):
    """Headings, rows (without the mark), marks, and the last line."""
    head, *rows, last = text.splitlines()
    return head, [row.rstrip(" *").split() for row in rows], [row[-1] == "*" for row in rows], last


@pytest.mark.parametrize("verbose", [True, 1, 2])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "newton", "lm", "newton-cg", "gd"])
def test_one_table_for_every_solver(solver, verbose, capsys):
    model = MLPRegressor(hidden_layer_sizes=(3,), solver=solver, max_iter=4, random_state=0)
    model.set_params(verbose=verbose).fit(X, Y)
    text = capsys.readouterr().out
    head, rows, marks, last = table(text)
    assert head.split()[:2] == ["epoch" if solver in ("adam", "sgd") else "iteration", "loss"]
    assert head.split()[-2:] == ["seconds", "best"]
    assert ("rate" in head.split()) == (solver in ("adam", "sgd"))
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    np.testing.assert_allclose([float(row[1]) for row in rows], model.loss_curve_, rtol=1e-5)
    lowest = np.minimum.accumulate(model.loss_curve_)
    assert marks == [k == 0 or lowest[k] < lowest[k - 1] for k in range(4)]
    assert last == model.status_
    assert all(len(line) <= 80 for line in text.splitlines()[:-1])


@pytest.mark.parametrize(
    ("kind", "scoring", "name"),
    [
        (MLPClassifier, None, "accuracy"),
        (MLPRegressor, None, "R2"),
        (MLPClassifier, "neg_log_loss", "neg_log_loss"),
        (MLPRegressor, "loss", "-loss"),
    ],
)
@pytest.mark.parametrize("solver", ["adam", "lm"])
def test_the_score_has_its_name(kind, scoring, name, solver, capsys):
    y = Y > 0 if kind is MLPClassifier else Y
    model = kind(hidden_layer_sizes=(3,), scoring=scoring, solver=solver, random_state=0)
    model.set_params(early_stopping=True, max_iter=5, verbose=True).fit(X, y)
    head, rows, marks, last = table(capsys.readouterr().out)
    column = head.split().index(name)
    shown = [float(row[column]) for row in rows]
    np.testing.assert_allclose(shown, model.validation_scores_, rtol=1e-5)
    best = np.maximum.accumulate(model.validation_scores_)
    assert marks == [k == 0 or best[k] > best[k - 1] for k in range(len(best))]
    assert last == model.status_


def test_columns_stand_below_their_headings(capsys):
    MLPRegressor(hidden_layer_sizes=(3,), solver="lm", max_iter=4, verbose=True).fit(X, Y)
    head, *rows, _ = capsys.readouterr().out.splitlines()
    ends = [match.end() for match in re.finditer(r"\S+", head)][:-1]  # best is left-aligned
    for row in rows:
        assert [match.end() for match in re.finditer(r"[^\s*]+", row)] == ends


@pytest.mark.parametrize("n_threads", [1, 2])
def test_starts_are_numbered_below_one_heading(n_threads, capsys):
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, n_starts=3, n_threads=n_threads)
    model.set_params(verbose=True, random_state=0).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["start", "epoch", "loss"]
    rows = sorted(tuple(map(int, line.split()[:2])) for line in lines[1:] if line[0] == " ")
    assert rows == [(s, e) for s in (1, 2, 3) for e in (1, 2)]
    assert sorted(line[:8] for line in lines[1:] if line[0] == "S") == [
        "Start 1:",
        "Start 2:",
        "Start 3:",
    ]


def test_partial_fit_prints_a_line(capsys):
    model = MLPRegressor(hidden_layer_sizes=(3,), verbose=True)
    for _ in range(2):
        model.partial_fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all(line.startswith("loss = ") for line in lines)


def test_minimize_prints_the_same_table(capsys):
    network = Network([3, 2, 1])
    objective = network.objective(X, Y)
    result = minimize(objective, network.init(0), solver="lm", max_iter=3, verbose=True)
    head, rows, _, last = table(capsys.readouterr().out)
    assert head.split()[0] == "iteration" and len(rows) == 3 and last == result.message
    minimize(objective, network.init(0), solver="lm", max_iter=3)
    assert capsys.readouterr() == ("", "")
    with pytest.raises(ValueError, match="'bar'"):
        minimize(objective, network.init(0), verbose="loud")


@pytest.mark.parametrize("installed", [False, True])
def test_a_bar(installed, capsys, monkeypatch):
    if installed:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=7, early_stopping=True, verbose="bar")
    model.fit(X, Y)
    out, err = capsys.readouterr()
    assert out.strip() == model.status_
    assert ("7/7" if installed else "epoch 7 of 7") in err and "R2" in err


def test_silence_is_the_default(capsys):
    MLPRegressor(hidden_layer_sizes=(3,), max_iter=3).fit(X, Y)
    assert capsys.readouterr() == ("", "")
