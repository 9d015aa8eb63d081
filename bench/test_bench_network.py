"""pytest bench --benchmark-only: calls of Network beside the NumPy oracle's."""

import numpy as np
import pytest
import reference

pytest.importorskip("pytest_benchmark")
from fastmlp import Network

LAYERS = {
    "small": [5, 10, 10, 1],
    "medium": [20, 64, 64, 3],
}
# the oracle's second derivatives are made to be slow: only its sweeps are worth a comparison
SWEEPS = ("raw", "value_grad", "input_jacobian")
CURVATURE = ("jacobian", "hess_mul", "ggn_mul", "hessian", "ggn")


def prepare(size, n_samples=200):
    rng = np.random.default_rng(0)
    layers = LAYERS[size]
    net = Network(layers, "tanh")
    twin = reference.Reference(layers, "tanh")
    X, y = rng.normal(size=(n_samples, layers[0])), rng.normal(size=(n_samples, layers[-1]))
    return net, twin, net.init(random_state=0), X, y, rng.normal(size=net.n_params)


def arguments(name, theta, X, y, v):
    if name in ("raw", "jacobian", "input_jacobian"):
        return theta, X
    return (theta, X, y, v) if name.endswith("mul") else (theta, X, y)


@pytest.mark.parametrize("name", SWEEPS)
@pytest.mark.parametrize("size", LAYERS)
@pytest.mark.parametrize("who", ["fastmlp", "numpy"])
def test_sweep(benchmark, who, size, name):
    benchmark.group = f"{name} {size}"
    net, twin, *rest = prepare(size)
    call = getattr(net if who == "fastmlp" else twin, name)
    benchmark(call, *arguments(name, *rest))


@pytest.mark.parametrize("name", CURVATURE)
def test_curvature(benchmark, name):
    benchmark.group = "curvature small"
    net, _, *rest = prepare("small")
    benchmark(getattr(net, name), *arguments(name, *rest))


@pytest.mark.parametrize("size", LAYERS)
def test_one_row(benchmark, size):
    benchmark.group = "one row"
    net, _, theta, X, *_ = prepare(size)
    benchmark(net.predict, theta, X[:1])
