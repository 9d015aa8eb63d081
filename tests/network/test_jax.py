"""JAX's derivatives of the same network, where it is installed.

In a process of its own: importing JAX leaves threads and a hook on fork behind, which would make of
every test that follows another one.
"""

import importlib.util
import os
import subprocess
import sys

import pytest

from fastmlp._core import kernels

CHILD = """
import jax
import numpy as np

from fastmlp import Network

jax.config.update("jax_enable_x64", True)
jnp = jax.numpy
rng = np.random.default_rng(0)
net = Network([3, 5, 4, 2], activation="tanh", loss="log_loss", output_activation="softmax")
theta = net.init(random_state=1)
X, y, w = rng.normal(size=(9, 3)), np.eye(2)[rng.integers(2, size=9)], rng.uniform(size=9)
shapes = list(zip(net.layers, net.layers[1:], strict=False))

def raw(theta):
    a, at = X, 0
    for layer, (fan_in, fan_out) in enumerate(shapes):
        W = theta[at : at + fan_in * fan_out].reshape(fan_in, fan_out)
        at += fan_in * fan_out + fan_out
        z = a @ W + theta[at - fan_out : at]
        a = jnp.tanh(z) if layer + 1 < len(shapes) else z
    return a

def loss(theta):
    return -jnp.sum(w[:, None] * y * jax.nn.log_softmax(raw(theta))) / w.sum()

def compare(name, actual, expected):
    scale = np.abs(expected).max()
    assert scale > 0, name
    error = np.abs(actual - np.asarray(expected)).max() / scale
    assert error < 1e-9, (name, error)
    print(name)

compare("gradient", net.value_grad(theta, X, y, w)[1], jax.grad(loss)(theta))
compare("hessian", net.hessian(theta, X, y, w), jax.hessian(loss)(theta))
J, p = np.asarray(jax.jacobian(raw)(theta)), np.asarray(jax.nn.softmax(raw(theta)))
compare("jacobian", net.jacobian(theta, X), J)
Q = w[:, None, None] * (p[:, :, None] * np.eye(2) - p[:, :, None] * p[:, None, :]) / w.sum()
compare("ggn", net.ggn(theta, X, y, w), np.einsum("ikp,ikl,ilq->pq", J, Q, J))

def mixture(raw, y):
    logits, m, s = jnp.split(raw, 3)
    sigma = 0.1 + jnp.exp(s)
    parts = jax.nn.log_softmax(logits) - jnp.log(sigma) - ((y - m) / sigma) ** 2 / 2
    return -jax.nn.logsumexp(parts) + jnp.log(2 * jnp.pi) / 2

def histogram(raw, y):
    return -jax.nn.log_softmax(raw)[jnp.floor(y).astype(int)]

widths = np.array([0.5, 2.0, 1.0, 0.25, 1.5])

def histogram_crps(raw, y):
    p, at = jax.nn.softmax(raw), jnp.arange(5)
    t, b = jnp.clip(y - at, 0, 1), jnp.cumsum(p)
    a = b - p
    m = a + t * p
    low = t * (a * a + a * m + m * m)
    high = (1 - t) * ((1 - m) ** 2 + (1 - m) * (1 - b) + (1 - b) ** 2)
    return jnp.sum(widths * (low + high)) / 3

def quantiles(raw, y):
    error = y - jnp.cumsum(jnp.concatenate([raw[:1], jax.nn.softplus(raw[1:])]))
    return jnp.sum(jnp.maximum(levels * error, (levels - 1) * error))

levels = np.array([0.2, 0.5, 0.9])
for spec, of_row, y in (
    (("mixture", {"components": 3, "floor": 0.1}), mixture, rng.normal(size=9)),
    (("histogram", {"bins": 5}), histogram, rng.uniform(0, 5, size=9)),
    (("histogram_crps", {"widths": widths}), histogram_crps, rng.uniform(0, 5, size=9)),
    (("quantiles", {"levels": levels}), quantiles, rng.normal(size=9)),
):
    net = Network([3, 5, 1], activation="tanh", loss=spec)
    theta, shapes = net.init(random_state=1), [(3, 5), (5, net.n_raw)]
    of = lambda theta: jnp.sum(w * jax.vmap(of_row)(raw(theta), y)) / w.sum()
    assert abs(net.value(theta, X, y, w) - of(theta)) < 1e-12
    compare(spec[0] + ".gradient", net.value_grad(theta, X, y, w)[1], jax.jit(jax.grad(of))(theta))
    compare(spec[0] + ".hessian", net.hessian(theta, X, y, w), jax.jit(jax.hessian(of))(theta))

lgamma, stats = jax.scipy.special.gammaln, jax.scipy.stats
sigmoid, softplus, exp = jax.nn.sigmoid, jax.nn.softplus, jnp.exp

def negative_binomial(m, s, y):
    n = exp(s)
    return lgamma(n + y) - lgamma(n) - lgamma(y + 1) - n * softplus(m - s) - y * softplus(s - m)

densities = {
    "normal": lambda m, s, y: stats.norm.logpdf(y, m, exp(s)),
    "student_t": lambda m, s, y: stats.t.logpdf(y, 4.0, m, exp(s)),
    "laplace": lambda m, s, y: stats.laplace.logpdf(y, m, exp(s)),
    "lognormal": lambda m, s, y: stats.norm.logpdf(jnp.log(y), m, exp(s)) - jnp.log(y),
    "normal_natural": lambda m, s, y: stats.norm.logpdf(y, m / softplus(s), softplus(s) ** -0.5),
    "gamma_shape": lambda m, s, y: stats.gamma.logpdf(y, exp(s), scale=exp(m - s)),
    "negative_binomial": negative_binomial,
    "beta": lambda m, s, y: stats.beta.logpdf(y, exp(s) * sigmoid(m), exp(s) * sigmoid(-m)),
}
y = {"negative_binomial": rng.poisson(3.0, size=(9, 2)).astype(float)}
for name, density in densities.items():
    net = Network([3, 5, 2], activation="tanh", loss=name)
    shapes, theta = [(3, 5), (5, 4)], net.init(random_state=2)
    targets = y.get(name, rng.uniform(0.1, 0.9, size=(9, 2)))

    def loss(theta):
        out = raw(theta)
        return -jnp.sum(w[:, None] * density(out[:, :2], out[:, 2:], targets)) / w.sum()

    value, gradient = net.value_grad(theta, X, targets, w)
    compare(name, value, float(loss(theta)))
    compare(name + "-gradient", gradient, jax.jit(jax.grad(loss))(theta))
    compare(name + "-hessian", net.hessian(theta, X, targets, w), jax.jit(jax.hessian(loss))(theta))
"""
MANY = ["mixture", "histogram", "histogram_crps", "quantiles"]


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs jax")
def test_jax_agrees():
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    by_loss = [f"{loss}.{name}" for loss in MANY for name in ("gradient", "hessian")]
    found = done.stdout.split()
    assert found[: 4 + len(by_loss)] == ["gradient", "hessian", "jacobian", "ggn", *by_loss]
    pairs = {name for name, row in kernels.LOSSES.items() if row["raws"] == 2}
    assert {name for name in found if name.endswith("-hessian")} == {f"{p}-hessian" for p in pairs}
