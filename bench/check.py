"""Whether the peers have the same answer: plain float64 NumPy, no one's fast code."""

import numpy as np
from scipy import special

# Relative, of the loss after training. Adam amplifies rounding: where a gradient is small, its sign
# decides on a full step. Measured over some hundred steps: 1e-15 in float64, 5e-3 in float32.
LOSS_TOLERANCE = {"float64": 1e-6, "float32": 2e-2}
# Of an output, relative to the largest: rounding of sums over at most some hundred terms.
OUTPUT_TOLERANCE = {"float64": 1e-11, "float32": 1e-4}
ROWS = 2_000  # that the loss is taken over, so that checking stays short

SELU_SCALE, SELU_ALPHA = 1.0507009873554804935, 1.6732632423543772848


def softplus(z):
    return np.logaddexp(0, z)


ACTIVATIONS = {
    "identity": lambda z: z,
    "logistic": special.expit,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "softplus": softplus,
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "selu": lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0))),
    "gelu": lambda z: z * special.ndtr(z),
    "silu": lambda z: z * special.expit(z),
    "mish": lambda z: z * np.tanh(softplus(z)),
}


def outputs(case, coefs, intercepts, X):
    """Raw outputs (n, n_raw) in float64."""
    a = X.astype(float)
    for W, b in zip(coefs[:-1], intercepts[:-1], strict=True):
        a = ACTIVATIONS[case.activation](a @ W.astype(float) + b)
    return a @ coefs[-1].astype(float) + intercepts[-1]


def loss(case, coefs, intercepts, X, y):
    """The mean loss without its L2 term over the first rows."""
    X, y = X[:ROWS], y[:ROWS]
    raw = outputs(case, coefs, intercepts, X)
    if case.n_classes:
        return float((special.logsumexp(raw, axis=1) - raw[np.arange(len(y)), y]).mean())
    return float(np.square(raw - y.reshape(raw.shape)).sum() / (2 * len(y)))


def wrong_losses(losses, dtype, begun):
    """The peers whose loss is not the common one, and by how much, as a list of strings.

    The common one is the median: no peer is trusted more than others. A loss that has not moved
    from ``begun``, that of the initial weights, is wrong as well.
    """
    expected = float(np.median(list(losses.values())))
    limit = LOSS_TOLERANCE[dtype]
    wrong = [
        f"{name} ends at loss {each:.8g}, the others at {expected:.8g}"
        for name, each in losses.items()
        if not abs(each - expected) <= limit * max(abs(expected), 1e-3 * begun)
    ]
    idle = [name for name, each in losses.items() if each == begun]
    return wrong + [f"{name} has not trained at all" for name in idle]


def wrong_outputs(results, expected, dtype):
    """The peers whose outputs differ from ``expected`` (n, n_raw), as a list of strings."""
    limit = OUTPUT_TOLERANCE[dtype] * max(1.0, float(np.abs(expected).max()))
    wrong = []
    for name, each in results.items():
        distance = np.abs(np.asarray(each, float).reshape(expected.shape) - expected).max()
        if not distance <= limit:
            wrong.append(f"{name} predicts wrongly, by {distance:.3g}")
    return wrong
