"""Initial weights that scikit-learn does not have."""

import numpy as np
import pytest

from fastmlp import MLPRegressor, Network
from fastmlp.solvers import minimize


@pytest.mark.parametrize(("activation", "reach"), [("tanh", 1.0), ("logistic", 2.0)])
def test_nguyen_widrow_spreads_the_units(activation, reach):
    net = Network([2, 9, 4, 1], activation=activation)
    coefs, intercepts = net.unpack(net.init(random_state=0, init="nguyen-widrow"))
    for W, b in zip(coefs[:-1], intercepts[:-1], strict=True):
        fan_in, fan_out = W.shape
        length = reach * 0.7 * fan_out ** (1 / fan_in)
        assert np.allclose(np.linalg.norm(W, axis=0), length)
        assert np.allclose(
            np.sort(np.abs(b)), np.sort(length * np.abs(np.linspace(-1, 1, fan_out)))
        )
    assert np.abs(coefs[-1]).max() <= np.sqrt((2 if activation == "logistic" else 6) / 5)
    assert len(np.unique(coefs[0])) == 18


def test_one_unit_and_seeds():
    net = Network([3, 1, 1], activation="tanh")
    draws = [net.init(random_state=seed, init="nguyen-widrow") for seed in (0, 0, 1)]
    assert np.isfinite(draws[0]).all()
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_many_oscillations_in_few_steps():
    # sinc(10 x): Glorot's nearly linear units need hundreds of iterations
    X = np.linspace(-1, 1, 400)[:, None]
    net = Network([1, 20, 1], activation="tanh")
    result = minimize(
        net.objective(X, np.sinc(10 * X[:, 0])),
        net.init(random_state=0, init="nguyen-widrow"),
        solver="lm",
        max_iter=40,
        tol=0,
    )
    assert 2 * result.loss < 1e-8


def test_estimators_take_it():
    X = np.linspace(-1, 1, 50)[:, None]
    reg = MLPRegressor(hidden_layer_sizes=(8,), activation="tanh", solver="lm", max_iter=500)
    reg.set_params(init="nguyen-widrow", random_state=0, alpha=1e-6, tol=1e-3)
    assert reg.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.9999
