"""`python -m bench.tables`: what it prints, ranks and names as missing."""

import importlib.util
import json
import types
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / "bench").exists(), reason="not in a source tree")


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("bench.tables")


METHODS = ["--methods", "scikit-learn MLP", "random forest", "RealMLP"]


def test_a_run_prints_tables_and_names_what_is_missing(tables, capsys, tmp_path, monkeypatch):
    from bench.tables_peers import PEERS

    monkeypatch.setitem(PEERS, "RealMLP", PEERS["RealMLP"]._replace(module="no_such_module"))
    file = tmp_path / "fits.json"
    options = ["--sets", "iris", "diabetes", "yacht", "--splits", "1", "--json", str(file)]
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    assert tables.main(options + METHODS) == 0
    printed = capsys.readouterr().out
    assert "mean rank" in printed and "left out, not here: yacht (say where it is" in printed
    assert printed.rstrip().endswith("left out, not installed: RealMLP")
    records = json.loads(file.read_text())
    assert len(records) == 4 and all(np.isfinite(r["error"]) for r in records)
    assert {"log_loss", "ece"} < set(next(r for r in records if r["set"] == "iris"))
    assert tables.main(options + METHODS) == 0  # nothing is fitted anew
    assert json.loads(file.read_text()) == records
    again = ["--again", "random forest"]
    assert tables.main(options + METHODS + again) == 0
    new = {(r["set"], r["method"]): r for r in json.loads(file.read_text())}
    assert len(new) == 4
    assert all((new[r["set"], r["method"]] == r) == (r["method"] != again[1]) for r in records)


def test_our_regressions_have_distributions(tables, monkeypatch):
    from sklearn.linear_model import RidgeCV

    from bench.tables_peers import PEERS
    from bench.tables_sets import Set

    alone = {"candidates": [("ridge", RidgeCV())]}
    monkeypatch.setitem(PEERS, "fastmlp", PEERS["fastmlp"]._replace(parameters=alone))

    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 1))
    y = X[:, 0] + rng.normal(0, 0.1, 80)
    data = Set(X, y, [], False)
    ridge = tables.Fitted("fastmlp", False, X, y, 0)
    assert 0 < tables.judge(ridge, X, y, False, y.std())["crps"] < 0.1
    found = tables.run("random forest", data, np.arange(60), np.arange(60, 80), 0)
    assert found["error"] == pytest.approx(found["rmse"] / y.std())


def test_frames_are_mended_where_a_method_asks_for_it(tables):
    import pandas as pd

    from bench.tables_peers import filled, worded

    frame = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": ["x", None, "y"]}).astype({"b": "category"})
    assert list(worded(frame, frame)["b"]) == ["x", "missing", "y"]
    assert list(filled(frame[1:], frame)["a"]) == [2.0, 3.0]


def _records(errors, sets, **more):
    return [
        {"set": name, "method": method, "split": 0, "error": each[k], "classifies": True,
         "cpu": 1.0, "seconds": 1.0, "predict_cpu": 0.1, "rows": 100, "revision": "x", **more}
        for method, each in errors.items()
        for k, name in enumerate(sets)
        if each[k] is not None
    ]  # fmt: skip


def test_ranks_and_normalised_errors(tables):
    from bench import tables_print

    errors = {"fastmlp": (1.0, 3.0), "random forest": (2.0, 3.0), "scikit-learn MLP": (3.0, 4.0)}
    errors["LightPFN"] = (0.5, 5.0)  # pre-trained: ranked by itself among the others
    lines = tables_print.standings(_records(errors, ("iris", "digits")), "all").splitlines()[-4:]
    found = {line[:16].strip(): line.split()[-7:-4] for line in lines}
    assert [found[m][:2] for m in ("fastmlp", "random forest", "scikit-learn MLP")] == [
        ["1.25", "0.000"], ["1.75", "0.250"], ["3.00", "1.000"]
    ]  # fmt: skip
    assert found["LightPFN (pre-tr"][:2] == ["2.50", "0.500"]


def test_what_fails_counts_as_the_worst_and_few_sets_hide_none(tables):
    from bench import tables_print

    errors = {
        "fastmlp": (1.0, 2.0, 2.0), "random forest": (2.0, 1.0, 1.0), "TabM": (0.1, None, None)
    }  # fmt: skip
    records = _records(errors, ("iris", "digits", "oj"))
    failed = [r for r in records if (r["set"], r["method"]) == ("oj", "random forest")][0]
    del failed["error"]
    failed["failed"] = "ValueError: no"
    sets, methods, others, table = tables_print.errors_of(records)
    assert (len(sets), methods, others) == (3, ["fastmlp", "random forest"], ["TabM"])
    assert table[sets.index("oj"), :2].tolist() == [2.0, 2.0]
    assert tables_print.lost(records).split() == (
        "digits random forest 1.0000, fastmlp 2.0000 (100 % more)".split()
    )


def test_aims_are_shares_or_numbers(tables):
    from bench import tables_print

    records = _records({"fastmlp": (1.0, 0.5), "RealMLP": (1.0, 1.0)}, ("yacht", "wine"))
    lines = tables_print.aims([{**r, "rmse": r["error"]} for r in records]).splitlines()
    assert "missed by 25 %" in lines[-2] and " met " in lines[-1]


@pytest.mark.slow
def test_what_each_candidate_is_worth(tables, capsys):
    assert tables.main(["--leave-out", "ensemble", "--sets", "iris", "--splits", "1"]) == 0
    printed = capsys.readouterr().out
    assert "without logistic" in printed and "the best one alone" in printed


def test_the_recipe_without_its_parts(tables, monkeypatch):
    from bench import tables_leave_out
    from bench.tables_sets import load
    from fastmlp import MLPRegressor
    from fastmlp.solvers import AdamW
    from fastmlp.tabular._race import Candidate

    solver = AdamW(learning_rate="cosine", beta_2=0.95, rate_factors={"W1": 0.5}, batch_size=50)
    network = MLPRegressor(
        hidden_layer_sizes=(5,), solver=solver, activation="mish", init="lecun", max_iter=3, tol=0
    )
    offered = [Candidate("adam", network), Candidate("no mini-batches", MLPRegressor())]
    portfolio = types.SimpleNamespace(_portfolio=lambda *given: offered)
    monkeypatch.setattr(tables_leave_out, "make", lambda *given: portfolio)
    data = load("diabetes")
    data = data._replace(y=(data.y - data.y.mean()) / data.y.std())
    found = tables_leave_out.of_recipe(data, *data.splits[0], 0)
    assert set(found) == {*tables_leave_out.RECIPE, "all", tables_leave_out.SCALING} - {"nothing"}
    errors = {name: error for name, error in found.items() if name != "no label smoothing"}
    assert len(set(errors.values())) > 4  # the changes reach the networks
    lines = tables_leave_out._summary("x", {"iris": {"all": 0.1, "a": 0.21}}).splitlines()
    assert lines[-2].split()[-3:] == ["100.0", "1", "0"]
