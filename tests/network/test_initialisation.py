"""Initial weights that scikit-learn does not have."""

import numpy as np
import pytest

from fastmlp import MLPRegressor, Network
from fastmlp.initialisation import widened
from fastmlp.solvers import LevenbergMarquardt, minimize


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


class TestWidened:
    @pytest.mark.parametrize(
        ("small", "large"),
        [([3, 4, 2], [3, 9, 2]), ([3, 4, 2, 1], [3, 4, 5, 1]), ([3, 4, 2, 5, 2], [3, 7, 9, 6, 2])],
    )
    @pytest.mark.parametrize("activation", ["tanh", "logistic", ["softplus"]])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_the_same_function(self, small, large, activation, dtype, rng):
        if isinstance(activation, list):
            activation = activation * (len(small) - 2)
        net, wider = (Network(layers, activation, dtype=dtype) for layers in (small, large))
        theta = 3 * net.init(random_state=0)
        grown = widened(theta, net, wider, random_state=1)
        X = rng.normal(size=(50, 3))
        expected = net.raw(theta, X)
        assert expected.std() > 0.05 and grown.dtype == dtype
        error = 1e-12 if dtype == np.float64 else 1e-5
        assert np.abs(wider.raw(grown, X) - expected).max() < error
        assert np.array_equal(grown, widened(theta, net, wider, random_state=1))
        assert not np.array_equal(grown, widened(theta, net, wider, random_state=2))

    def test_new_units_learn(self, rng):
        """What they add begins at zero and does not stay there: the fit is that of their number."""
        gains = []
        for seed in range(6):
            X = rng.uniform(-1, 1, (200, 2))
            y = np.sin(4 * X @ rng.normal(size=2)) * X[:, 0]
            net, wider = Network([2, 3, 1], "tanh"), Network([2, 8, 1], "tanh")
            run = {"solver": LevenbergMarquardt(), "max_iter": 40, "tol": 1e-8}
            first = minimize(net.objective(X, y), net.init(seed), **run)
            grown = widened(first.theta, net, wider, random_state=seed)
            objective = wider.objective(X, y)
            assert objective.value(grown) == pytest.approx(first.loss, rel=1e-9)
            second = minimize(objective, grown, **run)
            gains.append(second.loss / first.loss)
        assert max(gains) < 1 and np.median(gains) < 0.1

    @pytest.mark.parametrize(
        ("large", "activation", "words"),
        [
            ([3, 3, 1], "tanh", "no layer that is narrower: got .3, 3, 1. for .3, 4, 1."),
            ([3, 5, 5, 1], "tanh", "as many layers"),
            ([2, 5, 1], "tanh", "the same features"),
            ([3, 5, 2], "tanh", "and outputs"),
            ([3, 5, 1], "relu", "same activations: got 'relu' for 'tanh'"),
        ],
    )
    def test_networks_that_do_not_fit(self, large, activation, words):
        net = Network([3, 4, 1], "tanh")
        with pytest.raises(ValueError, match=words):
            widened(net.init(0), net, Network(large, activation))


def test_what_is_no_network_cannot_be_widened():
    net = Network([2, 3, 1])
    with pytest.raises(TypeError, match="wider must be a Network, got None"):
        widened(net.init(random_state=0), net, None)
