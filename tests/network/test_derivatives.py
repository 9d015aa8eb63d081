"""Network against the oracle: values, gradients, Jacobians and curvature over drawn networks.

Tolerances. In float64 every quantity has to agree with the oracle to 1e-10 relative to its largest
entry: sums here have at most some hundred terms, so that rounding alone gives 1e-13 or so, and a
wrong term gives 1e-2. In float32 the yardstick is the problem's own conditioning: what the oracle's
answer moves by when every parameter and input moves by one unit in the last place.
"""

from typing import get_args

import numpy as np
import pytest
import reference
from cases import HIDDEN, draw_case, drawn, relative_error

from fastmlp import Network
from fastmlp._types import DistributionLoss


def product(case, dtype=np.float64):
    return Network(**case.arguments, dtype=dtype)


def agree(actual, expected, tolerance=1e-10):
    assert np.shape(actual) == np.shape(expected)
    assert relative_error(actual, expected) < tolerance


def check_all(case):
    """Every quantity that Network offers, against the oracle's."""
    net, twin, theta, X = product(case), case.twin, case.theta, case.X
    agree(net.raw(theta, X), twin.raw(theta, X))
    if case.twin.loss[0] not in get_args(DistributionLoss):
        agree(net.predict(theta, X), twin.predict(theta, X))
    for extras in ({}, case.extras):
        value, grad = net.value_grad(theta, *case.data, **extras)
        expected_value, expected_grad = twin.value_grad(theta, *case.data, **extras)
        agree(value, expected_value)
        agree(grad, expected_grad)
        agree(net.value(theta, *case.data, **extras), expected_value)
    agree(net.jacobian(theta, X), twin.jacobian(theta, X))
    agree(net.input_jacobian(theta, X), twin.input_jacobian(theta, X))
    for extras in ({}, case.extras):
        hess = net.hessian(theta, *case.data, **extras)
        agree(hess, twin.hessian(theta, *case.data, **extras))
        np.testing.assert_array_equal(hess, hess.T)
        product_v = net.hess_mul(theta, *case.data, case.v, **extras)
        agree_product(product_v, hess, case.v)
    if twin.loss[0] in reference.FLAT_LOSSES:
        return
    for extras in ({}, case.extras):
        ggn = net.ggn(theta, *case.data, **extras)
        agree(ggn, twin.ggn(theta, *case.data, **extras))
        np.testing.assert_array_equal(ggn, ggn.T)
        assert np.linalg.eigvalsh(ggn).min() >= -1e-12 * np.abs(ggn).max() * len(ggn)
        agree_product(net.ggn_mul(theta, *case.data, case.v, **extras), ggn, case.v)


def agree_product(actual, matrix, v):
    """A product may cancel: what it is compared to is the size of its terms."""
    scale = (np.abs(matrix) @ np.abs(v)).max()
    assert np.abs(actual - matrix @ v).max() <= max(1e-10 * scale, 1e-15)


@drawn(range(60))
def test_drawn_networks(case):
    check_all(case)


@pytest.mark.parametrize("pair", reference.PAIRS, ids="-".join)
def test_every_loss_with_every_output_activation(pair):
    case = draw_case(1000, pair=pair, n_samples=7, widest=5, deepest=2)
    assert np.abs(case.twin.value_grad(case.theta, *case.data)[1]).max() > 1e-3
    check_all(case)


@pytest.mark.parametrize("name", HIDDEN)
def test_every_hidden_activation(name):
    for seed in (2000, 2001):
        case = draw_case(seed, pair=("squared_error", "identity"), hidden=name, n_samples=9)
        check_all(case)


def test_exp_as_a_hidden_activation():
    rng = np.random.default_rng(8)
    net, twin = (cls([3, 4, 2], "exp") for cls in (Network, reference.Reference))
    theta, X, y = rng.normal(size=net.n_params), rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    agree(net.value_grad(theta, X, y)[1], twin.value_grad(theta, X, y)[1])
    agree(net.hessian(theta, X, y), twin.hessian(theta, X, y))


@pytest.mark.parametrize("width", [1, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_widths_around_the_vector_length(width, dtype):
    """Tails of rows and columns: every remainder modulo the tile must be right."""
    rng = np.random.default_rng(width)
    layers = [width, width, max(1, width - 1), 3]
    twin = reference.Reference(layers, "tanh", "softmax", "log_loss")
    net = Network(layers, "tanh", "softmax", "log_loss", dtype=dtype)
    theta = (rng.normal(size=twin.n_params) / np.sqrt(width)).astype(dtype)
    for n_samples in (1, 5, 13, 70):
        X = rng.normal(size=(n_samples, width)).astype(dtype)
        y = rng.integers(3, size=n_samples)
        value, grad = net.value_grad(theta, X, y)
        expected_value, expected_grad = twin.value_grad(theta, X, y)
        tolerance = 1e-12 if dtype == np.float64 else 64 * np.finfo(np.float32).eps
        agree(value, expected_value, tolerance)
        agree(grad, expected_grad, tolerance)


def wide_case(n_samples=700):
    rng = np.random.default_rng(3)
    layers = [30, 70, 40, 4]
    twin = reference.Reference(layers, ["mish", "gelu"], "softmax", "log_loss")
    net = Network(layers, ["mish", "gelu"], "softmax", "log_loss")
    theta = rng.normal(size=twin.n_params) / 6
    X, y = rng.normal(size=(n_samples, 30)), rng.integers(4, size=n_samples)
    return net, twin, theta, X, y, rng


def test_many_rows():
    """More rows than one tile holds, wide enough for BLAS."""
    net, twin, theta, X, y, rng = wide_case()
    weight = rng.uniform(size=len(X))
    value, grad = net.value_grad(theta, X, y, weight, l2=0.1)
    expected_value, expected_grad = twin.value_grad(theta, X, y, weight, l2=0.1)
    agree(value, expected_value)
    agree(grad, expected_grad)


@pytest.mark.parametrize("name", ["hess_mul", "ggn_mul"])
def test_products_are_directional_derivatives(name):
    """Independent of the oracle: many rows, four-point central differences of the gradient."""
    net, twin, theta, X, y, rng = wide_case(300)
    v = rng.normal(size=len(theta))
    v /= np.linalg.norm(v)
    actual = getattr(net, name)(theta, X, y, v, l2=0.2)
    h = 1e-4
    if name == "hess_mul":
        f = lambda t: net.value_grad(theta + t * v, X, y, l2=0.2)[1]  # noqa: E731
        expected = (f(-2 * h) - 8 * f(-h) + 8 * f(h) - f(2 * h)) / (12 * h)
        agree(actual, expected, 1e-8)
    else:
        jac = net.jacobian(theta, X)
        p = net.predict(theta, X)
        curv = p[:, :, None] * (np.eye(4) - p[:, None, :])
        tangent = np.einsum("nkm,nm->nk", curv, jac @ v)
        expected = np.einsum("nkp,nk->p", jac, tangent) / len(X) + 0.2 * twin.is_weight() * v
        agree(actual, expected)


@drawn(range(3000, 3040))
def test_float32(case):
    theta, X = case.theta.astype(np.float32), case.X.astype(np.float32)
    net, twin = product(case, np.float32), case.twin
    y = case.y.astype(np.float32) if case.y.dtype == float else case.y
    raw = net.raw(theta, X)
    assert raw.dtype == np.float32
    value, grad = net.value_grad(theta, X, y, **case.extras)
    assert grad.dtype == np.float32

    for name, actual in [
        ("value", value),
        ("grad", grad),
        ("jacobian", net.jacobian(theta, X)),
        ("input_jacobian", net.input_jacobian(theta, X)),
        ("raw", raw),
        ("hessian", net.hessian(theta, X, y, **case.extras)),
    ]:
        expected = quantity(twin, name, theta, X, y, case.extras)
        moved = one_ulp_response(twin, name, theta, X, y, case.extras, expected)
        bound = 8 * moved + 32 * np.finfo(np.float32).eps * np.abs(expected).max(initial=0)
        assert np.abs(actual - expected).max() <= bound, name


def quantity(twin, name, theta, X, y, extras):
    if name in ("value", "grad"):
        return twin.value_grad(theta, X, y, **extras)[name == "grad"]
    if name == "hessian":
        return twin.hessian(theta, X, y, **extras)
    return getattr(twin, name)(theta, X)


def one_ulp_response(twin, name, theta, X, y, extras, expected):
    """How far the oracle moves when theta and X move by one float32 ulp at random."""
    rng = np.random.default_rng(0)
    eps = np.finfo(np.float32).eps
    moved = 0.0
    for _ in range(4):
        nudged = [x * (1 + eps * rng.choice([-1.0, 1.0], size=x.shape)) for x in (theta, X)]
        change = np.abs(quantity(twin, name, *nudged, y, extras) - expected).max(initial=0)
        # a nudge may carry one z over a kink, which rounding does not have to do as well
        moved = max(moved, change)
    return moved


def test_no_hidden_layer_is_a_linear_model():
    rng = np.random.default_rng(4)
    net = Network([3, 2])
    theta = rng.normal(size=net.n_params)
    X = rng.normal(size=(5, 3))
    np.testing.assert_allclose(net.raw(theta, X), X @ theta[:6].reshape(3, 2) + theta[6:])


def test_canonical_output_activations():
    for loss, n_raw, name in [
        ("squared_error", 2, "identity"),
        ("absolute_error", 1, "identity"),
        ("huber", 1, "identity"),
        ("quantile", 1, "identity"),
        ("perceptron", 1, "identity"),
        ("log_loss", 1, "logistic"),
        ("log_loss", 3, "softmax"),
        ("poisson", 2, "exp"),
        ("gamma", 1, "exp"),
    ]:
        implied, explicit = (
            Network([2, n_raw], loss=loss),
            Network([2, n_raw], loss=loss, output_activation=name),
        )
        assert implied.output_activation == explicit.output_activation


def test_pairs_that_make_sense():
    """A pair is admitted if the range of the output activation lies in the loss's domain."""
    names = [*reference.ACTIVATIONS, "softmax"]
    for loss in [*reference.LOSSES, "log_loss"]:
        for name in names:
            arguments = {"layers": [2, 3], "output_activation": name, "loss": loss}
            if (loss, name) in reference.PAIRS:
                Network(**arguments)
            else:
                with pytest.raises(ValueError, match=loss):
                    Network(**arguments)
