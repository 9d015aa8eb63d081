"""JAX's derivatives of the same network, where it is installed.

In a process of its own: importing JAX leaves threads and a hook on fork behind, which would make of
every test that follows another one.
"""

import importlib.util
import os
import subprocess
import sys

import pytest

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
"""


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs jax")
def test_jax_agrees():
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["gradient", "hessian", "jacobian", "ggn"]
