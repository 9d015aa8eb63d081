"""The benchmark's own code: tables, comparisons, and that a wrong answer never passes.

No timing is judged here, and no peer is needed but NumPy and scikit-learn.
"""

import dataclasses
import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
MODULES = """
    cases check compare machine published_cases run settings table timing
    parts.latency parts.published parts.random parts.sparse parts.sweep parts.training
    peers peers.fastmlp_peer peers.compiled_peer peers.numpy_peer peers.sklearn_peer peers.start
""".split()

pytestmark = pytest.mark.skipif(not (ROOT / "bench").exists(), reason="not in a source tree")


@pytest.fixture(scope="module")
def bench():
    """The modules of the bench by name; last on the path, so that fastmlp stays the installed."""
    sys.path.append(str(ROOT))
    yield SimpleNamespace(
        **{name.split(".")[-1]: importlib.import_module(f"bench.{name}") for name in MODULES}
    )
    sys.path.remove(str(ROOT))


@pytest.fixture
def settings(bench):
    """Of a run with the peers that are always there."""
    return bench.settings.Settings(
        quick=True,
        peers=[bench.fastmlp_peer, bench.numpy_peer, bench.sklearn_peer],
        gemm={"float32": 1.0, "float64": 1.0},
    )


def toy(bench, **changes):
    values = {"n_samples": 70, "n_features": 3, "hidden": (5, 4), "n_classes": 0}
    values |= {"batch_size": 16, "epochs": 2} | changes
    return bench.cases.Case("toy", **values)


def liar(bench, name="liar"):
    """A peer that is very fast and does nothing."""

    def prepare(case, X, y, seed, threads):
        start = bench.start.initial(case, X.dtype, seed)[:2]
        return lambda: start

    def predictor(case, coefs, intercepts, threads):
        return lambda x: np.zeros((len(x), case.layers[-1]), x.dtype)

    return SimpleNamespace(NAME=name, prepare=prepare, predictor=predictor)


def test_columns_are_aligned(bench):
    table = bench.table.Table([("case", ""), ("time", ".2f"), ("/peer", "x")], {"case": 10})
    head, dashes = table.head().splitlines()
    lines = [table.line(["tiny", 1.5, 12.345]), table.line(["wide", 22.0, None])]
    assert [len(dashes)] * 3 == [len(line) for line in (head, *lines)]
    assert lines == [
        "tiny            1.50     12.3x",
        "wide           22.00         -",
    ]
    assert table.line(["tiny", 1.0, 123.4], ["WRONG"]).endswith("  123x  WRONG")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_classes", [0, 3])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_peers_agree(bench, settings, dtype, n_classes, activation):
    case = toy(bench, n_classes=n_classes, activation=activation)
    row = bench.training.measure("training", case, dtype, settings)
    assert row.wrong == []
    assert set(row.values) == {"fastmlp", "numpy", "sklearn"}
    losses = row.facts["losses"]
    assert losses["fastmlp"] == pytest.approx(
        losses["sklearn"], rel=1e-9 if "64" in dtype else 1e-4
    )


def test_wrong_training_fails(bench, settings, capsys):
    settings.peers.append(liar(bench))
    row = bench.training.measure("training", toy(bench), "float64", settings)
    assert any("liar ends at loss" in reason for reason in row.wrong)
    assert any("liar has not trained" in reason for reason in row.wrong)
    assert bench.run.verdict([row], 0.0, settings) == 1
    assert "WRONG: training toy float64 1: liar" in capsys.readouterr().out


def test_nan_is_wrong(bench):
    losses = {"a": 1.0, "b": 1.0, "c": float("nan")}
    assert bench.check.wrong_losses(losses, "float32", begun=2.0)
    outputs = {"a": np.array([[1.0], [np.nan]])}
    assert bench.check.wrong_outputs(outputs, np.ones((2, 1)), "float32")


def test_predictions_agree_and_wrong_ones_fail(bench, settings):
    able = [bench.fastmlp_peer, bench.compiled_peer, bench.numpy_peer, bench.sklearn_peer]
    measure = bench.latency.measure
    row = measure("latency", toy(bench), "float32", able, settings, n_rows=3)
    assert row.wrong == [] and len(row.values) == 4
    row = measure("latency", toy(bench), "float32", [*able, liar(bench)], settings, n_rows=3)
    assert len(row.wrong) == 1 and row.wrong[0].startswith("liar predicts wrongly")


@pytest.mark.parametrize("n_classes", [0, 3])
@pytest.mark.parametrize("activation", ["gelu", "mish", "selu", "elu", "softplus", "silu"])
def test_check_computes_what_network_does(bench, activation, n_classes):
    from fastmlp import Network

    case = toy(bench, n_classes=n_classes, activation=activation)
    X, y = case.data("float64")
    coefs, intercepts, _ = bench.start.initial(case, "float64", seed=1)
    loss = "log_loss" if n_classes else "squared_error"
    net = Network(case.layers, activation, loss=loss)
    expected = net.value(net.pack(coefs, intercepts), X, y)
    assert bench.check.loss(case, coefs, intercepts, X, y) == pytest.approx(expected, rel=1e-12)


def test_random_shapes_come_from_the_seed(bench):
    cases = bench.cases.random_cases(seed=3)
    assert cases == bench.cases.random_cases(seed=3) != bench.cases.random_cases(seed=4)
    assert len(cases) == 20
    assert {case.activation for case in cases} == set(bench.cases.ACTIVATIONS)
    for case in cases:
        assert 1 <= len(case.hidden) <= 4 and 16 <= case.batch_size <= 512
        assert all(4 <= width <= 512 for width in case.hidden)


def test_every_class_is_there(bench):
    X, y = toy(bench, n_features=1, n_classes=10).data("float32")
    assert set(y) == set(range(10)) and len(X) == len(y) and X.dtype == np.float32


def test_promises_of_the_cases_and_between(bench):
    first, *_, last = bench.cases.CASES
    assert bench.cases.promise(first, "sklearn", "float32") == pytest.approx(120)
    assert bench.cases.promise(last, "torch", "float64") == pytest.approx(1.35)
    assert bench.cases.promise(last, "numpy", "float64") is None
    between = toy(bench, n_features=64, hidden=(64,), batch_size=32)
    assert 35 < bench.cases.promise(between, "sklearn", "float32") < 120


def test_sweep_sees_a_cliff(bench):
    def row(width, seconds):
        facts = {"width": width, "flops": width**2}
        return bench.timing.Row(
            "sweep", str(width), "float32", 1, values={"x": seconds}, facts=facts
        )

    assert bench.sweep.jump(row(45, 1.0), row(46, 9.0), "x") == pytest.approx(9)
    assert bench.sweep.jump(row(45, 9.0), row(46, 1.0), "x") == pytest.approx(9)
    assert bench.sweep.jump(row(100, 1.0), row(200, 4.0), "x") == pytest.approx(1)


def results(bench, path, seconds):
    row = bench.timing.Row("training", "tiny", "float32", 1, values={"fastmlp": seconds})
    path.write_text(json.dumps({"machine": {}, "rows": [row.as_dict()]}))
    return str(path)


def test_compare_sees_what_became_slower(bench, tmp_path, capsys):
    old = results(bench, tmp_path / "old.json", 1.0)
    slow = results(bench, tmp_path / "slow.json", 1.2)
    assert bench.compare.main([old, old]) == 0
    assert bench.compare.main([slow, old]) == 0
    capsys.readouterr()
    assert bench.compare.main([old, slow]) == 1
    assert "WORSE by 20 %" in capsys.readouterr().out


def test_medians_take_turns(bench):
    order = []

    def preparing(name):
        def prepare():
            order.append(name)
            return lambda: name

        return prepare

    runs, answers = bench.timing.interleaved({name: preparing(name) for name in "ab"}, 3)
    assert order == list("ababab") and answers == {"a": "a", "b": "b"}
    assert all(len(times) == 3 for times in runs.values())


def test_published_figures_are_set_beside_ours(bench, settings, capsys):
    settings.dtypes, settings.cases = ("float32",), ("Candle", "SimpleChains")
    rows = bench.published.run(settings)
    assert [row.case for row in rows] == ["SimpleChains", "Candle"]
    assert [row.wrong for row in rows] == [[], []]
    words = capsys.readouterr().out
    for said in ("Apple M4", "i9-10980XE", "simple-chains", "us/step", "ns x core/sample"):
        assert said in words


def test_units_of_published_figures(bench):
    """1,000 rows, 10 batches, in 2 ms on 2 threads."""
    case = toy(bench, n_samples=1_000, batch_size=100)
    ours = {unit: f(2e-3, case, 2) for unit, f in bench.published_cases.UNITS.items()}
    assert ours == pytest.approx({"samples/s": 5e5, "ns x core/sample": 4e3, "us/step": 200})
    assert bench.published_cases.gain(5e5, 1e5, "samples/s") == pytest.approx(5)
    assert bench.published_cases.gain(200, 1_000, "us/step") == pytest.approx(5)


def test_shapes_of_published_cases(bench):
    cases = {each.case.name: each.case for each in bench.published_cases.PUBLISHED}
    assert cases["OpenNN"].layers == (28, 300, 300, 300, 300, 300, 1)
    assert cases["SimpleChains"].layers == (4, 32, 16, 4)
    assert cases["Candle"].layers == (4, 64, 64, 2)
    assert cases["shinrin-50k-classes"].layers == (100, 100, 3)
    assert (
        cases["SimpleChains"].flops_per_row == 3_968
    )  # of 704 multiply-adds forward, and no delta of X
    assert cases["OpenNN"].flops_per_row == 2 * (3 * 368_700 - 8_400)


@pytest.mark.parametrize("changes", [{"n_targets": 2}, {"n_classes": 3}, {"batch_size": 70}])
def test_jax_trains_the_same(bench, settings, changes):
    """Also where the last batch of an epoch is short (70 rows, 16 a batch)."""
    pytest.importorskip("jax")
    settings.peers.append(importlib.import_module("bench.peers.jax_peer"))
    row = bench.training.measure("training", toy(bench, **changes), "float64", settings)
    assert row.wrong == [] and "jax" in row.values
    assert row.facts["losses"]["jax"] == pytest.approx(row.facts["losses"]["fastmlp"], rel=1e-9)


def test_sparse_rows_by_both_solvers(bench, settings, monkeypatch):
    """NumPy's peer is left out: it takes dense rows."""
    small = {"n_samples": 300, "n_features": 200, "hidden": (5,)}
    cases = [dataclasses.replace(case, **small) for case in bench.cases.SPARSE]
    monkeypatch.setattr(bench.sparse, "SPARSE", cases)
    rows = bench.sparse.run(settings)
    assert [row.wrong for row in rows] == 4 * [[]]
    assert {row.case for row in rows} == {"sparse adam", "sparse lbfgs"}
    assert all(set(row.values) == {"fastmlp", "sklearn"} for row in rows)
