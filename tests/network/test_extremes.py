"""Saturated outputs, kinks, and sizes at the ends of their range."""

import numpy as np
import pytest
import reference
from cases import draw_targets

from fastmlp import Network

CANONICAL = [
    ("squared_error", "identity", 2),
    ("log_loss", "logistic", 2),
    ("log_loss", "softmax", 3),
    ("poisson", "exp", 2),
    ("gamma", "exp", 2),
    ("absolute_error", "identity", 2),
    ("huber", "identity", 2),
    ("quantile", "identity", 2),
    ("perceptron", "identity", 2),
]


def raw_directly(loss, output, n_raw, dtype):
    """A network whose raw output is its input, and the theta that makes it so."""
    net = Network([n_raw, n_raw], output_activation=output, loss=loss, dtype=dtype)
    return net, net.pack([np.eye(n_raw)], [np.zeros(n_raw)])


@pytest.mark.parametrize(("loss", "output", "n_raw"), CANONICAL)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_saturated_raw_outputs(loss, output, n_raw, dtype, rng):
    """raw comes from the biases, so that their gradient is that of the loss in raw."""
    net = Network([1, n_raw], output_activation=output, loss=loss, dtype=dtype)
    rows = [np.full(n_raw, size) for size in (1000.0, -1000.0, 100.0, -100.0)]
    rows += [np.r_[sign * 1000.0, np.full(n_raw - 1, -sign * 1000.0)] for sign in (1, -1)]
    X = np.zeros((1, 1))
    for raw in rows:
        theta = net.pack([np.zeros((1, n_raw))], [raw])
        y = draw_targets(rng, loss, output, 1, n_raw)
        for target in (y, 50 * y) if loss in ("poisson", "gamma") else (y,):
            value, grad = net.value_grad(theta, X, target)
            assert np.isfinite(value)
            assert np.isfinite(grad).all()
        assert np.isfinite(net.predict(theta, X)).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_saturated_log_loss_is_exact(dtype):
    """A thousand nats for being certain and wrong; nothing for being certain and right."""
    for output, n_raw, wrong, right in [("logistic", 1, 0, 1), ("softmax", 2, 1, 0)]:
        net, theta = raw_directly("log_loss", output, n_raw, dtype)
        X = np.array([[1000.0, 0.0][:n_raw]])
        assert net.value(theta, X, np.array([wrong])) == 1000.0
        assert net.value(theta, X, np.array([right])) == 0.0
        grad = net.value_grad(theta, X, np.array([wrong]))[1]
        assert grad[-n_raw] == 1.0  # of the bias: p - y


@pytest.mark.parametrize(("loss", "output", "n_raw"), CANONICAL)
def test_saturated_raw_agrees_with_the_oracle(loss, output, n_raw, rng):
    """In between, where tails matter and nothing overflows, digits must not be lost."""
    net, theta = raw_directly(loss, output, n_raw, np.float64)
    twin = reference.Reference([n_raw, n_raw], output_activation=output, loss=loss)
    X = rng.choice([-30.0, -12.0, 12.0, 30.0], size=(40, n_raw))
    y = draw_targets(rng, loss, output, 40, n_raw)
    for row in range(len(X)):
        one = X[row : row + 1], y[row : row + 1]
        value, grad = net.value_grad(theta, *one)
        expected_value, expected_grad = twin.value_grad(theta, *one)
        # p - y and log sum exp(raw) - raw round to the unit in the last place of 1 and of raw
        np.testing.assert_allclose(value, expected_value, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(grad, expected_grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n_classes", [2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_softmax_over_any_number_of_classes(n_classes, dtype, rng):
    """Wherever its highest raw output stands, and far above where exp overflows; rows that fill
    the kernel's groups of rows, and rows that do not."""
    net, theta = raw_directly("log_loss", "softmax", n_classes, dtype)
    twin = reference.Reference([n_classes, n_classes], loss="log_loss", output_activation="softmax")
    eps = np.finfo(dtype).eps
    for n_samples in (1, 2, 3, 4, 5, 67):
        X = rng.uniform(-3, 3, size=(n_samples, n_classes))
        tops = rng.integers(n_classes, size=n_samples)
        X[np.arange(n_samples), tops] += rng.choice([5, 2000], size=n_samples)
        X = (X + rng.choice([-900, 0, 900], size=(n_samples, 1))).astype(dtype)
        y = rng.integers(n_classes, size=n_samples)
        p = net.predict(theta, X)
        np.testing.assert_allclose(p, twin.predict(theta, X), rtol=16 * eps)
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=4 * eps)
        value, grad = net.value_grad(theta, X, y)
        expected_value, expected_grad = twin.value_grad(theta, X.astype(np.float64), y)
        np.testing.assert_allclose(value, expected_value, atol=2000 * eps)  # of raw's size
        np.testing.assert_allclose(
            grad, expected_grad, rtol=64 * eps, atol=32 * eps * np.abs(X).max()
        )


def scalar_grad(loss, raw, y, params=None):
    net, theta = raw_directly((loss, params or {}), None, 1, np.float64)
    return net.value_grad(theta, np.array([[raw]]), np.array([y]))[1][1]


def test_values_at_the_kinks_of_losses():
    assert scalar_grad("absolute_error", 2.0, 2.0) == 0.0
    assert scalar_grad("quantile", 2.0, 2.0, {"quantile": 0.3}) == 0.0
    assert scalar_grad("perceptron", 0.0, 1.0) == -1.0
    assert scalar_grad("perceptron", 0.0, -1.0) == 1.0
    assert scalar_grad("huber", 1.35, 0.0) == 1.35
    assert scalar_grad("huber", -1.35, 0.0) == -1.35


@pytest.mark.parametrize(("name", "slope"), [("relu", 0.0), ("leaky_relu", 0.01)])
def test_slopes_at_the_kinks_of_activations(name, slope):
    net = Network([1, 1, 1], name)
    theta = net.pack([np.ones((1, 1)), np.ones((1, 1))], [np.zeros(1), np.zeros(1)])
    assert net.input_jacobian(theta, np.zeros((1, 1)))[0, 0, 0] == slope
    # residual -1: the gradient of the first bias is minus the slope
    assert net.value_grad(theta, np.zeros((1, 1)), np.ones(1))[1][1] == -slope


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_huge_and_tiny_inputs(dtype):
    net = Network([3, 4, 2], "tanh", loss="log_loss", dtype=dtype)
    theta = net.init(random_state=0)
    for size in (1e30, 1e-30, np.finfo(dtype).tiny / 4):
        value, grad = net.value_grad(theta, np.full((5, 3), size, dtype), np.zeros(5, int))
        assert np.isfinite(value)
        assert np.isfinite(grad).all()


def test_an_overflowing_network_says_so():
    """Not finite, or an error: but never a number that looks fine."""
    net = Network([1, 1, 1], "identity")
    theta = np.full(net.n_params, 1e200)
    value, grad = net.value_grad(theta, np.ones((1, 1)), np.zeros(1))
    assert not np.isfinite(value)
    assert not np.isfinite(grad).all()


@pytest.mark.parametrize("layers", [[1, 1], [1, 1, 1], [1, 300, 1], [300, 1, 2], [5000, 2, 1]])
def test_extreme_shapes(layers, rng):
    net, twin = Network(layers, "tanh"), reference.Reference(layers, "tanh")
    theta = net.init(random_state=0)
    X, y = rng.normal(size=(3, layers[0])), rng.normal(size=(3, layers[-1]))
    value, grad = net.value_grad(theta, X, y)
    expected_value, expected_grad = twin.value_grad(theta, X, y)
    np.testing.assert_allclose(value, expected_value, rtol=1e-12)
    np.testing.assert_allclose(grad, expected_grad, rtol=1e-10, atol=1e-12)


def test_random_networks_with_dead_units(rng):
    """All-negative relu inputs: the gradient of the first layer is exactly zero."""
    net = Network([2, 3, 1], "relu")
    theta = net.pack([-np.ones((2, 3)), np.ones((3, 1))], [-np.ones(3), np.zeros(1)])
    grad = net.value_grad(theta, rng.uniform(size=(4, 2)), np.ones(4))[1]
    assert not grad[:9].any()
    assert grad[-1] == -1.0
