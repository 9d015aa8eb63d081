"""Where many raw outputs start: what they say of the targets of all rows alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp._weighted import average, quantile

# Part of the targets' spread that is the least gap of quantiles, and by which means that are the
# same move apart: components that are the same stay so.
_LEAST_GAP = 1e-3


def spread_normals(
    y: np.ndarray, components: int, floor: float, weights: np.ndarray | None = None
) -> np.ndarray:
    """Logits, means and log(scale - floor) of normals of equal weight, (3 * components,).

    Their means are spread over the quantiles of y (n,), and their scale leaves the mixture the
    variance of y. Where y does not vary, there is no spread to be learned: the scale is 1.
    """
    levels = (np.arange(components) + 0.5) / components
    means = np.array([quantile(y[:, None], level, weights)[0] for level in levels])
    variance = average((y - average(y, weights)) ** 2, weights)
    deviation = float(np.sqrt(variance)) or 1.0
    within = max(variance - means.var(), 0.0)
    scale = max(np.sqrt(within), deviation / (2 * components))
    means += _LEAST_GAP * deviation * (levels - 0.5)
    log_scale = np.log(max(scale - floor, 0.1 * floor))
    return np.r_[np.zeros(components), means, np.full(components, log_scale)]


def log_shares(y: np.ndarray, bins: int, weights: np.ndarray | None = None) -> np.ndarray:
    """The logarithm of each bin's share of the coordinates y (n,), half a row added to each."""
    at = np.minimum(y.astype(np.intp), bins - 1)
    counts = np.bincount(at, weights=weights, minlength=bins)
    counts = counts + 0.5 * (1.0 if weights is None else average(weights[weights > 0]))
    return np.log(counts / counts.sum())


def stacked_quantiles(
    y: np.ndarray, levels: Sequence[float], weights: np.ndarray | None = None
) -> np.ndarray:
    """The lowest quantile of y (n,), then the inverse softplus of each one's gap to the next."""
    values = np.array([quantile(y[:, None], level, weights)[0] for level in levels])
    spread = float(np.sqrt(average((y - average(y, weights)) ** 2, weights))) or 1.0
    gaps = np.maximum(np.diff(values), _LEAST_GAP * spread)
    return np.r_[values[0], gaps + np.log(-np.expm1(-gaps))]
