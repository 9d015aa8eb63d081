"""``predict(X, return_std=True)`` is the one key that MAPIE and skpro turn."""

import warnings

import numpy as np
import pytest

from fastmlp import MLPDistributionRegressor

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 1, (1200, 1))
SIGMA = 0.1 + X[:, 0]
Y = 20 + 5 * X[:, 0] + SIGMA * RNG.standard_normal(1200)
OLD, NEW = slice(0, 400), slice(400, None)


def model():
    return MLPDistributionRegressor(
        "normal", (4,), "tanh", solver="lm", max_iter=50, alpha=0.1, random_state=0
    )


@pytest.mark.filterwarnings("ignore")
def test_mapie():
    """Conformal intervals, as wide as the noise is where they are."""
    regression = pytest.importorskip("mapie.regression")
    conformal = regression.CrossConformalRegressor(
        estimator=model(), conformity_score="std_normalized", confidence_level=0.9, cv=4
    )
    conformal.fit_conformalize(X[OLD], Y[OLD])
    _, interval = conformal.predict_interval(X[NEW])
    lower, upper = interval[:, :, 0].T
    assert 0.85 < np.mean((lower <= Y[NEW]) & (Y[NEW] <= upper)) < 0.95
    np.testing.assert_allclose(upper - lower, 2 * 1.645 * SIGMA[NEW], rtol=0.5)


@pytest.mark.filterwarnings("ignore")
def test_skpro():
    """Its distributions are ours."""
    pd = pytest.importorskip("pandas")
    adapters = pytest.importorskip("skpro.regression.adapters.sklearn")
    features, target = pd.DataFrame(X, columns=["x"]), pd.DataFrame({"y": Y})
    theirs = adapters.SklearnProbaReg(model()).fit(features[OLD], target[OLD])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dist = model().fit(features[OLD], Y[OLD]).predict_dist(features[NEW])
    proba = theirs.predict_proba(features[NEW])
    np.testing.assert_allclose(proba.mean().to_numpy()[:, 0], dist.mean())
    np.testing.assert_allclose(proba.var().to_numpy()[:, 0], dist.var())
    interval = theirs.predict_interval(features[NEW], coverage=0.9).to_numpy()
    np.testing.assert_allclose(interval.T, dist.interval(0.9), rtol=1e-6)
