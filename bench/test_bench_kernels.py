"""pytest bench --benchmark-only: vector functions beside NumPy's."""

import numpy as np
import pytest
from scipy import special

pytest.importorskip("pytest_benchmark")
from fastmlp._core import kernels

N = 4096
NUMPY = {
    name: getattr(special if name.startswith("erf") else np, name) for name in kernels.FUNCTIONS
}


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def x(request):
    return np.random.default_rng(0).uniform(0.1, 4.0, size=N).astype(request.param)


@pytest.mark.parametrize("name", kernels.FUNCTIONS)
@pytest.mark.parametrize("who", ["fastmlp", "numpy"])
def test_function(benchmark, who, name, x):
    benchmark.group = f"{name} {x.dtype}"
    out = np.empty_like(x)
    if who == "fastmlp":
        benchmark(kernels.map_function, name, out, x)
    else:
        benchmark(NUMPY[name], x, out=out)
    np.testing.assert_allclose(out, NUMPY[name](x), rtol=20 * np.finfo(x.dtype).eps)


@pytest.mark.parametrize("name", [name for name in kernels.ACTIVATIONS if name != "softmax"])
def test_activation(benchmark, name, x):
    """Value, slope and curvature together."""
    benchmark.group = f"activations {x.dtype}"
    benchmark(kernels.activation_values, name, np.array([0.5, 0.0]), x - 2)
