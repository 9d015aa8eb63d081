"""An L2 term adds what its diagonal says, in the type of theta."""

import tracemalloc

import numpy as np
import pytest

from fastmlp import Network
from fastmlp.penalties import L2, by_feature, by_segment, weights
from fastmlp.solvers._checks import value_and_grad


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("groups", [weights, by_segment, by_feature])
@pytest.mark.parametrize("relative", [False, True])
def test_value_and_gradient(rng, dtype, groups, relative):
    net = Network([7, 40, 40, 3])
    grouped = groups(net.segments)
    strengths = np.arange(len(grouped.names)) % 4 * 0.3
    factors = rng.uniform(0, 2, net.n_params) if relative else None
    penalty = L2(grouped, strengths if groups is not weights else [0.7], factors)
    theta, grad = (rng.normal(size=net.n_params).astype(dtype) for _ in range(2))
    expected = grad + penalty.diagonal * theta.astype(float)
    value = 0.5 * float(penalty.diagonal @ theta.astype(float) ** 2)
    assert value > 0  # a sum of two thousand: rounding grows with its root
    eps = float(np.finfo(dtype).eps)
    assert penalty.value(theta) == pytest.approx(value, rel=64 * eps)
    assert penalty.add_to(grad, theta) == pytest.approx(value, rel=64 * eps)
    np.testing.assert_allclose(grad, expected, rtol=4 * eps, atol=4 * eps)
    assert grad.dtype == dtype


def test_a_vector_of_another_type_or_layout(rng):
    """As a product with a Hessian may get it."""
    net = Network([3, 4, 1])
    penalty = L2(weights(net.segments), 0.5)
    v = rng.normal(size=(net.n_params, 2)).astype(np.float32)[:, 0]
    product = np.zeros(net.n_params)
    penalty.add_to(product, v)
    np.testing.assert_allclose(product, penalty.diagonal * v)


def test_a_float32_gradient_is_widened_once():
    n = 1 << 20
    grad = np.ones(n, np.float32)
    tracemalloc.start()
    try:
        _, wide = value_and_grad((0.0, grad), grad)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert wide.dtype == np.float64 and wide.nbytes <= peak < 1.2 * wide.nbytes
    _, same = value_and_grad((0.0, wide), wide)
    assert not np.shares_memory(same, wide)
