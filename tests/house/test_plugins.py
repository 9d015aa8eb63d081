"""The plug-ins among the examples do what their hosts ask for; RAIL's needs pz-rail-base."""

import importlib.util
import sys
import types
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from fastmlp.distributions import Normal

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are not installed")


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Bins(NamedTuple):
    """ScoringBench's container, by its fields."""

    probas: np.ndarray
    bin_edges: np.ndarray
    bin_midpoints: np.ndarray
    mean: np.ndarray
    train_range: tuple


class Wrapper:
    """ScoringBench's base, by what it does for a wrapper."""

    def _set_train_range(self, y):
        self._y_train_range = (float(np.min(y)), float(np.max(y)))


class Model:
    def fit(self, X, y):
        self.seen = X.shape

    def predict(self, X):
        return X[:, 0]

    def predict_dist(self, X):
        return Normal(X[:, 0], 0.5)


def test_scoringbench(monkeypatch):
    base = types.ModuleType("base")
    base.DistributionPrediction, base.ProbabilisticWrapper = Bins, Wrapper
    names = ("scoringbench", "scoringbench.univariate", "scoringbench.univariate.wrappers")
    for name in names:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "scoringbench.univariate.wrappers.base", base)
    wrapper = load(EXAMPLES / "scoringbench_wrapper.py").FastMLPWrapper(Model())
    X = np.linspace(-1, 1, 20)[:, None]
    assert wrapper.fit(X, X[:, 0]) is wrapper
    found = wrapper.predict_distribution(X)
    assert found.train_range == (-1, 1) and found.probas.shape == found.bin_midpoints.shape
    np.testing.assert_allclose(found.probas.sum(axis=1), 1)
    np.testing.assert_allclose(
        np.sum(found.probas * found.bin_midpoints, axis=1), X[:, 0], atol=1e-3
    )
    np.testing.assert_array_equal(found.mean, wrapper.predict(X))


def test_rail(tmp_path, monkeypatch):
    pytest.importorskip("rail.estimation.estimator", reason="needs pz-rail-base")
    monkeypatch.chdir(tmp_path)
    module = load(EXAMPLES / "rail/src/rail/estimation/algos/fastmlp.py")
    rng = np.random.default_rng(0)
    z = rng.uniform(0.1, 2, 600)
    bands = [f"mag_{band}_lsst" for band in "ugrizy"]
    table = {
        band: 22 + k * 0.3 - 2 * z * (k < 3) + rng.normal(0, 0.1, 600)
        for k, band in enumerate(bands)
    }
    table[bands[0]][:50] = np.nan  # not detected
    table["redshift"] = z
    settings = {"hdf5_groupname": "", "nondetect_val": np.nan}
    inform = module.FastMLPInformer.make_stage(
        name="inform", model=str(tmp_path / "model.pkl"), max_iter=50, **settings
    )
    inform.inform(table)
    estimate = module.FastMLPEstimator.make_stage(
        name="estimate", model=inform.get_handle("model"), chunk_size=250, **settings
    )
    found = estimate.estimate(table)()
    assert found.npdf == 600
    mode = np.ravel(found.ancil["zmode"])
    assert np.median(np.abs(mode - z) / (1 + z)) < 0.05
    np.testing.assert_allclose(found.cdf(3.0), 1)
    assert np.mean((found.ppf(0.05) < z[:, None]) & (z[:, None] < found.ppf(0.95))) > 0.8
