"""The problems of the second-order table: data, network, target, time limit."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Problem:
    """A regression without noise, to be fitted to a mean squared error.

    ``init`` is where every peer starts from: Glorot's draw, or where MATLAB starts.
    """

    name: str
    layers: tuple[int, ...]
    X: np.ndarray
    y: np.ndarray
    target: float
    limit: float
    init: str = "glorot"

    @property
    def n_params(self):
        """Weights and biases."""
        return sum((m + 1) * k for m, k in zip(self.layers, self.layers[1:], strict=False))


def function_of_five(n=10_000, limit=15.0):
    """The function of the project's issue on second-order training."""
    X = np.random.RandomState(0).uniform(-1, 1, size=(n, 5))
    y = np.sin(3 * X[:, 0]) * X[:, 1] + np.exp(-(X[:, 2] ** 2)) * X[:, 3] + 0.3 * X[:, 4] ** 3
    return Problem("function", (5, 10, 10, 1), X, y, 1e-6, limit)


def sinc(n=20_000, limit=15.0):
    """The example of tf-levenberg-marquardt's README: sinc(10 x), 61 parameters."""
    X = np.linspace(-1, 1, n)[:, None]
    y = np.sinc(10 * X[:, 0])
    return Problem("sinc", (1, 20, 1), X, y, 1e-8, limit, init="nguyen-widrow")


def sine(limit=2.0):
    """SIN of MATLAB's comparison of training functions: one period, 1-5-1, mse 0.002."""
    X = np.linspace(-1, 1, 41)[:, None]
    return Problem("SIN", (1, 5, 1), X, np.sin(np.pi * X[:, 0]), 2e-3, limit)


def parity(limit=2.0):
    """PARITY of the same comparison: three bits, 3-10-10-1, mse 0.001."""
    X = np.array([[i & 4, i & 2, i & 1] for i in range(8)], dtype=bool) * 2.0 - 1
    return Problem("PARITY", (3, 10, 10, 1), X, np.prod(X, axis=1), 1e-3, limit)


def teacher(n, layers, seed=0):
    """Targets from a random network of the same inputs, standardised."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, layers[0]))
    hidden = np.tanh(X @ rng.normal(size=(layers[0], 20)) / np.sqrt(layers[0]) * 1.5)
    y = np.tanh(hidden @ rng.normal(size=(20, 10)) / 3) @ rng.normal(size=10)
    return X, (y - y.mean()) / y.std()


def galaxies(path):
    """Standardised magnitudes and redshifts of SDSS galaxies: (X, z) of train, validation, test."""
    table = np.load(path)
    table = table[table["spec_class"] == b"GALAXY"]
    X = np.column_stack([table[band] for band in "ugriz"])
    z = table["redshift"]
    order = np.random.RandomState(0).permutation(len(z))
    cuts = len(z) // 2, 3 * len(z) // 4
    parts = np.split(order, cuts)
    X = (X - X[parts[0]].mean(axis=0)) / X[parts[0]].std(axis=0)
    return [(X[rows], z[rows]) for rows in parts]
