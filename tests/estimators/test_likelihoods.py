"""Estimators with losses of two raw outputs per target."""

import pickle

import numpy as np
import pytest

from fastmlp import MLPRegressor

RNG = np.random.default_rng(0)
X = RNG.uniform(-2, 2, size=(1000, 2))
SIGMA = 10 * np.exp(-1 + 0.5 * X[:, 0])
Y = 100 + 10 * np.sin(X[:, 0]) + SIGMA * RNG.normal(size=1000)
OPTIONS = {"hidden_layer_sizes": (5,), "activation": "tanh", "alpha": 0.1, "random_state": 0}


@pytest.mark.parametrize("loss", ["normal", ("student_t", {"df": 10.0})], ids=str)
@pytest.mark.parametrize("standardize", [False, True])
def test_the_mean_and_the_scale_in_the_units_of_y(loss, standardize):
    model = MLPRegressor(loss, solver="lm", max_iter=100, standardize=standardize, **OPTIONS)
    model.fit(X, Y)
    raw = model.network_.raw(model.theta_, X)
    assert raw.shape == (1000, 2) and model.n_outputs_ == 1
    np.testing.assert_allclose(model.predict(X), raw[:, 0], rtol=1e-9)
    np.testing.assert_allclose(model.compile().predict(X), model.predict(X), rtol=1e-9)
    assert np.sqrt(np.mean((raw[:, 1] - np.log(SIGMA)) ** 2)) < 0.35
    truth = 100 + 10 * np.sin(X[:, 0])
    assert np.sqrt(np.mean((model.predict(X) - truth) ** 2)) < 0.3 * np.std(truth)
    assert model.score(X, Y) > 0.5
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X[:7]), model.predict(X[:7]))
    h = 1e-5
    slope = (model.predict(X[:5] + [h, 0]) - model.predict(X[:5] - [h, 0])) / (2 * h)
    jacobian = model.input_jacobian(X[:5])
    assert jacobian.shape == (5, 1, 2)
    np.testing.assert_allclose(jacobian[:, 0, 0], slope, rtol=1e-5)


@pytest.mark.parametrize("scoring", [None, "loss"])
def test_early_stopping_warm_start_and_streams(scoring):
    y = np.c_[Y, -Y] / 10
    model = MLPRegressor("normal", max_iter=60, standardize=True, early_stopping=True, **OPTIONS)
    model.set_params(learning_rate_init=0.01, scoring=scoring, warm_start=True, tol=1e-3)
    model.fit(X.astype(np.float32), y)
    assert model.predict(X).shape == (1000, 2)
    assert model.score(X, y) > 0.4
    n = len(model.loss_curve_)
    model.fit(X.astype(np.float32), y)
    assert len(model.loss_curve_) > n
    stream = MLPRegressor("normal", standardize=True, **OPTIONS)
    for start in range(0, 1000, 250):
        stream.partial_fit(X[start : start + 250], Y[start : start + 250])
    assert np.isfinite(stream.predict(X)).all()


def test_no_starts_worse_than_the_marginal():
    """Without scales: the biases of the outputs start where the targets are."""
    model = MLPRegressor("normal", solver="lbfgs", max_iter=300, n_starts=2, **OPTIONS).fit(X, Y)
    marginal = 0.5 * np.log(2 * np.pi) + np.log(Y.std()) + 0.5
    assert all(start["loss"] < marginal for start in model.starts_)


def test_sklearn_has_no_such_loss():
    model = MLPRegressor("normal", solver="lm", max_iter=50, **OPTIONS).fit(X, Y)
    with pytest.raises(ValueError, match="no loss 'normal'"):
        model.to_sklearn()
    weights = [W.shape for W in model.coefs_]
    assert weights == [(2, 5), (5, 2)]
