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
    assert "WEvidential" in out and "better than every column on 1 of 1 sets; but 0, 1 of 1" in out
    pytest.importorskip("matplotlib")
    uci.main([*arguments, *methods, "--splits", "2", "--plots", str(folder)])
    assert (folder / "uci.png").stat().st_size > 10_000


def test_but_0_leaves_out_what_the_committee_was_settled_by():
    from bench import uci

    def fit(split, nll):
        scores = [1.0, nll, 1.0]
        return {"set": "wine", "method": "committee", "split": split, "cpu": 1.0,
                "all": scores, "fresh": scores}  # fmt: skip

    records = [fit(0, 0.5), fit(1, 0.9), fit(2, 1.0)]
    line = next(line for line in uci.summary(records, "wine").splitlines() if "committee" in line)
    assert line.split()[4:8] == ["0.800", "0.153", "0.950", "0.050"]
    assert "on 1 of 1 sets; but 0, 0 of 1" in uci.verdict(records)


SLOWER = [pytest.param(m, marks=pytest.mark.slow) for m in ("Laplace", "variational")]


@pytest.mark.parametrize("method", ["mixture of 5", "histogram, CRPS", *SLOWER])
def test_methods_of_uci_learn(folder, method):
    from bench import uci, uci_methods

    X, y, [(train, test), _] = uci.load(folder, "yacht")
    assert (method in uci_methods.OTHER_SHAPES) == ("of 5" in method or "CRPS" in method)
    rmse, nll, crps = uci.run(method, X, y, train, test)["all"]
    assert rmse < 0.3 * y.std() and crps < 0.3 * y.std() and np.isfinite(nll)


def test_what_takes_too_long_is_left_out_and_named(folder, capsys, monkeypatch):
    from bench import uci

    monkeypatch.setitem(uci.MOST_ROWS, "ridge, Student-t", 279)
    arguments = ["--data", str(folder), "--sets", "yacht", "--methods", "ridge, Student-t"]
    assert uci.main(arguments) == 0
    out = capsys.readouterr().out
    assert "split  0" not in out and "left out beyond 279 rows: ridge, Student-t" in out


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


@pytest.mark.parametrize(
    "method",
    ["fastmlp mixture, five", pytest.param("fastmlp Laplace", marks=pytest.mark.slow)],
)
def test_methods_of_photoz_learn(method):
    from bench import photoz

    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2))
    z = 0.3 + 0.1 * X[:, 0] + 0.02 * rng.normal(size=500)
    found = photoz.run(method, X[:400], z[:400], X[400:], z[400:])
    assert found["sigma_mad"] < 0.04 and found["cde_loss"] < -4


def test_boosted_quantiles_that_meet_are_no_spikes(monkeypatch):
    from sklearn import ensemble

    from bench.photoz_methods import boosting

    class Steps:
        """Of 19 quantiles, from 0 to 1.8, the middle ones are equal."""

        def __init__(self, loss, quantile, random_state):
            self.value = 1.8 if quantile > 0.9 else 0.9 if quantile > 0.05 else 0.0

        def fit(self, X, z):
            return self

        def predict(self, rows):
            return np.full(len(rows), self.value)

    monkeypatch.setattr(ensemble, "HistGradientBoostingRegressor", Steps)
    dist = boosting(None, None)(np.zeros((2, 1)))
    assert dist.pdf([0.91, 0.91]).max() < 1.001  # 0.05 over half the mean gap
    assert dist.median()[0] > 0.9


def test_dc2_is_mixed_and_has_flags_of_what_is_missing(tmp_path):
    from bench import photoz

    h5py = pytest.importorskip("h5py")
    (tmp_path / "rail_dc2").mkdir()
    redshift = np.linspace(0.1, 2, 50)
    for name in ("training", "validation"):
        with h5py.File(tmp_path / "rail_dc2" / f"test_dc2_{name}_9816.hdf5", "w") as file:
            for k, band in enumerate("ugrizy"):
                file[f"photometry/mag_{band}_lsst"] = np.r_[np.full(48, 20.0 + k), np.nan, 99.0]
            file["photometry/redshift"] = redshift
    X, z, X_test, z_test = photoz.dc2(tmp_path)
    assert 0.5 < z[:20].mean() < 1.5  # whoever holds out the first rows holds out any
    np.testing.assert_array_equal(X[z.argmin()], [23, *[-1] * 5, *[0] * 6])
    np.testing.assert_array_equal(X_test[z_test > 1.95], [[28, *[0] * 5, *[1] * 6]] * 2)
    np.testing.assert_array_equal(np.sort(z), redshift)


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
    monkeypatch.setattr(photoz, "run", None)  # what was kept is not done again
    assert photoz.main([*arguments, "--sizes", "500", "--json", str(kept)]) == 0
    assert json.loads(kept.read_text()) == records
    pytest.importorskip("matplotlib")
    photoz.draw(tmp_path / "picture.png", records)
    assert (tmp_path / "picture.png").stat().st_size > 10_000
