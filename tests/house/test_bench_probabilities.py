"""`bench.uci` and `bench.photoz` on data of their own: what they print, keep and learn."""

import json
from pathlib import Path

import numpy as np
import pytest

from fastmlp import metrics

pytestmark = pytest.mark.skipif(
    not (Path(__file__).parents[2] / "bench").is_dir(), reason="not in a source tree"
)


@pytest.fixture(autouse=True)
def in_tree(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = X[:, 0] - X[:, 1] + 0.1 * rng.normal(size=300)
    X[299], y[299] = X[0], y[0]  # of the test part, stands in the training part, too
    order = np.arange(300)
    splits = {"train": [order[:280], order[20:]], "test": [order[280:], order[:20]]}
    np.savez(tmp_path / "yacht.npz", X=X, y=y, **splits)
    return tmp_path


def test_prints_and_keeps_every_fit(folder, capsys):
    from bench import uci

    kept = folder / "kept.json"
    arguments = ["--data", str(folder), "--sets", "yacht", "--json", str(kept), "--methods"]
    methods = ["ridge, Student-t", "lm, evidence, one sigma"]
    assert uci.main([*arguments, methods[0], "--splits", "1"]) == 0
    assert uci.main([*arguments, *methods, "--splits", "2"]) == 0
    records = json.loads(kept.read_text())
    assert sorted((r["method"], r["split"]) for r in records) == [
        (method, k) for method in sorted(methods) for k in range(2)
    ]
    first = records[0]
    assert first["repeated"] == 1 and records[-1]["repeated"] == 1
    assert first["all"] != first["fresh"]
    assert first["all"][0] < 0.2
    out = capsys.readouterr().out
    assert out.count("split  0  ridge") == 1  # what was kept is not done again
    assert "WEvidential" in out and "better than every column on" in out


def test_weights_are_convex_and_least():
    from bench.committee import convex_weights

    rng = np.random.default_rng(0)
    y = rng.normal(size=500)
    P = y[:, None] + rng.normal(size=(500, 3)) * [0.1, 0.1, 1.0]
    weights = convex_weights(P, y, np.ones(500))
    assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
    np.testing.assert_allclose(weights, [0.5, 0.5, 0], atol=0.06)


@pytest.mark.slow
def test_committee_finds_the_spread(monkeypatch):
    from bench import committee
    from bench.committee import Committee

    monkeypatch.setattr(committee, "CANDIDATES", [((5,), True), ((10,), True)])

    rng = np.random.default_rng(0)

    def draw(n):
        X = rng.uniform(-1, 1, (n, 2))
        scale = np.exp(1.5 * X[:, 1] - 1.5)
        return X, np.sin(3 * X[:, 0]) + scale * rng.standard_t(6, n), scale

    X, y, _ = draw(300)
    X_new, y_new, scale = draw(4000)
    dist = Committee().fit(X, y).predict_dist(X_new)
    assert np.corrcoef(np.log(dist.scale), np.log(scale))[0, 1] > 0.95
    assert metrics.interval_coverage(y_new, *dist.interval(0.9)) == pytest.approx(0.9, abs=0.04)


def test_photoz_prints_statistics_and_draws(tmp_path, capsys, monkeypatch):
    from bench import photoz

    rng = np.random.default_rng(0)
    fields = [(band, "f4") for band in ("u", "g", "r", "i", "z", "redshift")]
    table = np.zeros(900, dtype=[*fields, ("spec_class", "S6")])
    table["spec_class"] = np.where(np.arange(900) < 700, b"GALAXY", b"QSO")
    table["redshift"] = z = rng.uniform(0, 0.4, 900)
    for k, band in enumerate("ugriz"):
        table[band] = 18 + 3 * z / (k + 1) + 0.02 * rng.normal(size=900)
    (tmp_path / "sdss_photoz").mkdir()
    np.save(tmp_path / "sdss_photoz" / "sdss_galaxy_colors.npy", table)
    monkeypatch.setattr(photoz, "TEST_ROWS", 200)
    kept = tmp_path / "kept.json"
    arguments = ["--data", str(tmp_path), "--methods", "fastmlp normal", "fastmlp student_t"]
    assert photoz.main([*arguments, "--sizes", "100", "500", "--json", str(kept)]) == 0
    records = json.loads(kept.read_text())
    assert [(r["method"], r["rows"]) for r in records] == [
        (method, rows) for rows in (100, 500) for method in ("fastmlp normal", "fastmlp student_t")
    ]
    assert records[-1]["sigma_mad"] < 0.04 and records[-1]["pit_ks"] < 0.3
    assert "500 rows to train on, 200 to judge by" in capsys.readouterr().out
    pytest.importorskip("matplotlib")
    photoz.draw(tmp_path / "picture.png", records)
    assert (tmp_path / "picture.png").stat().st_size > 10_000
