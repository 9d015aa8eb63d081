"""JAX with the whole epoch compiled: one scan over its batches, on buffers that it may reuse."""

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
        loss = jnp.square(raw - y.reshape(raw.shape)).sum() / (2 * len(y))
    return loss + case.alpha / (2 * len(y)) * sum(jnp.vdot(W, W) for W, _ in params)


def step(case, X, y, state, batch):
    """One batch of adam; batch: rows (n,), and the rate with scikit-learn's corrections."""
    params, first, second = state
    rows, rate = batch
    grad = jax.grad(loss_of)(params, X[rows], y[rows], case)
    first = jax.tree.map(lambda m, g: 0.9 * m + (1 - 0.9) * g, first, grad)
    second = jax.tree.map(lambda v, g: 0.999 * v + (1 - 0.999) * g * g, second, grad)
    params = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), params, first, second
    )
    return (params, first, second), None


@functools.partial(jax.jit, static_argnames="case", donate_argnums=0)
def epoch(state, X, y, order, rates, case):
    """The batches of one order of the rows, the last of which may be short."""
    size = case.batch_size
    full = len(order) // size
    one = functools.partial(step, case, X, y)
    batches = order[: full * size].reshape(full, -1), rates[:full]
    state, _ = jax.lax.scan(one, state, batches)
    if len(order) > full * size:
        state, _ = one(state, (order[full * size :], rates[full]))
    return state


def rates_of(case, done, n, dtype):
    """The rates of the next n batches, (n,), after ``done`` of them."""
    t = np.arange(done + 1, done + n + 1)
    return (case.rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)).astype(dtype)


def prepare(case, X, y, seed, threads):
    coefs, intercepts, rng = start.initial(case, X.dtype, seed)
    n, n_batches, dtype = len(X), -(-len(X) // case.batch_size), X.dtype
    X, y = jnp.asarray(X), jnp.asarray(y)

    def initial():
        params = [(jnp.array(W), jnp.array(b)) for W, b in zip(coefs, intercepts, strict=True)]
        return params, jax.tree.map(jnp.zeros_like, params), jax.tree.map(jnp.zeros_like, params)

    def after(state, done, order):
        rates = rates_of(case, done, n_batches, dtype)
        return epoch(state, X, y, order.astype(np.int32), rates, case)

    jax.block_until_ready(after(initial(), 0, np.arange(n)))  # the compiler runs here
    state = initial()

    def train():
        trained, done = state, 0
        for order in start.orders(case, rng, n):
            trained = after(trained, done, order)
            done += n_batches
        params = jax.block_until_ready(trained)[0]
        return [np.asarray(W) for W, _ in params], [np.asarray(b) for _, b in params]

    return train


def predictor(case, coefs, intercepts, threads):
    params = [(jnp.array(W), jnp.array(b)) for W, b in zip(coefs, intercepts, strict=True)]
    compiled = jax.jit(functools.partial(forward, case))
    return lambda x: np.asarray(compiled(params, x))
