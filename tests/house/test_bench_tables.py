"""`python -m bench.tables`: what it prints, ranks and names as missing."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / "bench").exists(), reason="not in a source tree")


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("bench.tables")


def test_a_run_prints_tables_and_names_what_is_missing(tables, capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(tables.OTHERS, "RealMLP", ("no_such_module", "A", "B", {}))
    file = tmp_path / "fits.json"
    options = ["--sets", "iris", "diabetes", "--splits", "1", "--json", str(file)]
    options += ["--methods", "scikit-learn MLP", "random forest", "RealMLP"]
    assert tables.main(options) == 0
    printed = capsys.readouterr().out
    assert "mean rank" in printed and printed.rstrip().endswith("left out, not installed: RealMLP")
    records = json.loads(file.read_text())
    assert len(records) == 4 and all(np.isfinite(r["error"]) for r in records)
    assert {"log_loss", "ece"} < set(next(r for r in records if r["set"] == "iris"))
    assert tables.main(options) == 0  # nothing is fitted anew
    assert json.loads(file.read_text()) == records


def test_ranks_and_normalised_errors(tables):
    errors = {"fastmlp": (1.0, 3.0), "random forest": (2.0, 3.0), "scikit-learn MLP": (3.0, 4.0)}
    records = [
        {"set": name, "method": method, "error": each[k]}
        for method, each in errors.items()
        for k, name in enumerate(("iris", "digits"))
    ]
    lines = tables.verdict(records).splitlines()[-3:]
    assert [line.split()[-2:] for line in lines] == [
        ["1.25", "0.000"], ["1.75", "0.250"], ["3.00", "1.000"]
    ]  # fmt: skip


@pytest.mark.slow
def test_what_each_candidate_is_worth(tables, capsys):
    assert tables.main(["--leave-out", "--sets", "iris", "--splits", "1"]) == 0
    printed = capsys.readouterr().out
    assert "without logistic" in printed and "logistic alone" in printed


def test_sets_that_are_not_there_are_asked_for(tables, capsys, monkeypatch):
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    with pytest.raises(SystemExit):
        tables.main(["--sets", "yacht"])
    assert "--data" in capsys.readouterr().err
