"""Regression problems drawn at random, whose truth and noise are known."""

from dataclasses import dataclass

import numpy as np
from fastmlp._core.kernels import LOSSES
from scipy import special

CURVED = [name for name, row in LOSSES.items() if row["curvature"] != "FLAT"]


@dataclass
class Problem:
    """Rows with noise, and the noiseless function on further rows."""

    X: np.ndarray
    y: np.ndarray
    X_check: np.ndarray
    truth: np.ndarray
    noise: float

    def rms(self, prediction):
        """The error against the noiseless function."""
        return float(np.sqrt(np.mean((np.ravel(prediction) - self.truth) ** 2)))


def bent(seed):
    """A sine, a bump or a step of one direction, or in each input by itself.

    30 to 300 rows, 1 to 5 inputs, noise .05 to .5; the function's own deviation is about 0.7.
    """
    rng = np.random.default_rng(seed)
    kind = ("sine", "bump", "step")[rng.integers(3)]
    rate, phase = rng.uniform(2, 5), rng.uniform(0, 2 * np.pi)
    width, steepness = rng.uniform(0.25, 0.6), rng.uniform(4, 20)

    def curve(t, centre):
        if kind == "sine":
            return np.sin(rate * t + phase)
        if kind == "bump":
            return 2 * np.exp(-0.5 * ((t - centre) / width) ** 2)
        return np.tanh(steepness * (t - centre))

    n_features = int(rng.integers(1, 6))
    direction = rng.normal(size=n_features)
    centres = rng.uniform(-0.4, 0.4, n_features)
    if rng.integers(2):
        direction /= np.linalg.norm(direction)
        return _drawn(rng, n_features, lambda X: curve(X @ direction, centres[0]))
    direction /= np.abs(direction).max()
    return _drawn(rng, n_features, lambda X: curve(X, centres) @ direction)


def straight(seed):
    """A linear function of 1 to 5 inputs."""
    rng = np.random.default_rng(seed)
    n_features = int(rng.integers(1, 6))
    slopes = rng.normal(size=n_features)
    return _drawn(rng, n_features, lambda X: X @ slopes + 0.3)


def _drawn(rng, n_features, function):
    n = int(np.exp(rng.uniform(np.log(30), np.log(300))))
    noise = float(np.exp(rng.uniform(np.log(0.05), np.log(0.5))))
    X, X_check = rng.uniform(-1, 1, (n, n_features)), rng.uniform(-1, 1, (1000, n_features))
    y = function(X) + noise * rng.normal(size=n)
    return Problem(X, y, X_check, function(X_check), noise)


def of_a_kind(kind, z, rng):
    """Noisy targets of z, (n,), as a loss takes them: what its row says of targets."""
    n = z.size
    noisy = z + 0.3 * rng.normal(size=n)
    return {
        "UNIT": lambda: (rng.logistic(size=n) < 2 * z).astype(float),
        "COUNT": lambda: rng.poisson(np.exp(z)).astype(float),
        "WHOLE": lambda: rng.negative_binomial(3, 3 / (3 + np.exp(z))).astype(float),
        "POSITIVE": lambda: np.exp(z) * rng.gamma(2.0, 0.5, n),
        "OPEN": lambda: special.expit(noisy),
        "BINS": lambda: np.clip(10 + 4 * noisy, 0, 20),
    }.get(kind, lambda: noisy)()
