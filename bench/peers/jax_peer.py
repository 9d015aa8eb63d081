"""JAX with the whole step compiled: gather, forward, backward, adam."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from bench.peers import start

NAME = "jax"
FUNCTIONS = {
    "identity": lambda z: z,
    "logistic": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "softplus": jax.nn.softplus,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "selu": jax.nn.selu,
    "gelu": functools.partial(jax.nn.gelu, approximate=False),
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
}
ACTIVATIONS = tuple(FUNCTIONS)
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)  # or float64 would silently be float32


def forward(case, params, x):
    for W, b in params[:-1]:
        x = FUNCTIONS[case.activation](x @ W + b)
    W, b = params[-1]
    return x @ W + b


def loss_of(params, x, y, case):
    raw = forward(case, params, x)
    if case.n_classes:
        chosen = jnp.take_along_axis(raw, y[:, None], axis=1)[:, 0]
        loss = (jax.nn.logsumexp(raw, axis=1) - chosen).mean()
    else:
        loss = jnp.square(raw[:, 0] - y).mean() / 2
    return loss + case.alpha / (2 * len(y)) * sum(jnp.vdot(W, W) for W, _ in params)


@functools.partial(jax.jit, static_argnames="case", donate_argnums=(0, 1, 2))
def step(params, first, second, X, y, rows, rate, case):
    grad = jax.grad(loss_of)(params, X[rows], y[rows], case)
    first = jax.tree.map(lambda m, g: 0.9 * m + (1 - 0.9) * g, first, grad)
    second = jax.tree.map(lambda v, g: 0.999 * v + (1 - 0.999) * g * g, second, grad)
    params = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), params, first, second
    )
    return params, first, second


def prepare(case, X, y, seed, threads):
    coefs, intercepts, rng = start.initial(case, X.dtype, seed)
    params = [(jnp.array(W), jnp.array(b)) for W, b in zip(coefs, intercepts, strict=True)]
    dtype = X.dtype.type
    X, y, size = jnp.asarray(X), jnp.asarray(y), case.batch_size

    def zeros():
        return jax.tree.map(jnp.zeros_like, params)

    for n in {min(size, len(X)), len(X) % size} - {0}:  # the compiler runs here
        rows = np.zeros(n, np.int32)
        jax.block_until_ready(step(zeros(), zeros(), zeros(), X, y, rows, dtype(0), case))

    def train():
        state, t = (params, zeros(), zeros()), 0
        for order in start.orders(case, rng, len(X)):
            order = order.astype(np.int32)
            for begin in range(0, len(X), size):
                t += 1
                rate = dtype(case.rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t))
                state = step(*state, X, y, order[begin : begin + size], rate, case)
        trained = jax.block_until_ready(state[0])
        return [np.asarray(W) for W, _ in trained], [np.asarray(b) for _, b in trained]

    return train


def predictor(case, coefs, intercepts, threads):
    params = [(jnp.array(W), jnp.array(b)) for W, b in zip(coefs, intercepts, strict=True)]
    compiled = jax.jit(functools.partial(forward, case))
    return lambda x: np.asarray(compiled(params, x))
