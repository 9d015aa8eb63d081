"""Scores of whole distributions; the lower, the better."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.distributions import Distribution
from fastmlp.distributions._exchange import check_edges
from fastmlp.metrics._checks import finite, judged, level_array, row_mean

ROWS = 4096  # rows of a density on a grid at a time


def crps(y_true: Any, dist: Distribution, *, sample_weight: Any = None) -> float:
    """The mean continuous ranked probability score of predicted distributions.

    The integral of (F(x) - 1{y <= x})^2 over x [1]_, exact for each family, in the unit of y. A
    point prediction's is the mean absolute error.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, n_targets)
        What was observed.
    dist : Distribution
        Predictions, of that shape.
    sample_weight : array-like of shape (n,), optional
        Weights of rows.

    Returns
    -------
    float
        At least 0. The mean over targets, too; of one target: ``crps(y[:, j], dist[:, j])``.

    Raises
    ------
    ValueError
        Shapes differ, a target is not finite, or weights are negative or all zero.
    TypeError
        ``dist`` is no distribution, or an array holds no real numbers.

    References
    ----------
    .. [1] Gneiting, T. and Raftery, A. E. (2007), Strictly proper scoring rules, prediction, and
       estimation. JASA 102.

    Examples
    --------
    >>> from fastmlp.distributions import Laplace
    >>> from fastmlp.metrics import crps
    >>> crps([0.0, 1.0], Laplace([0.0, 1.0], scale=2.0))
    0.5
    """
    y = judged(y_true, dist)
    return row_mean(dist.crps(y), sample_weight)


def log_score(y_true: Any, dist: Distribution, *, sample_weight: Any = None) -> float:
    """The mean negative log-density (or log-probability, for discrete families) of what came.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, n_targets)
        What was observed.
    dist : Distribution
        Predictions, of that shape.
    sample_weight : array-like of shape (n,), optional
        Weights of rows.

    Returns
    -------
    float
        In nats; infinite if something came that had no density.

    Raises
    ------
    ValueError
        Shapes differ, a target is not finite, or weights are negative or all zero.
    TypeError
        ``dist`` is no distribution, or an array holds no real numbers.

    Examples
    --------
    >>> from fastmlp.distributions import Normal
    >>> from fastmlp.metrics import log_score
    >>> round(log_score([0.0, 1.0], Normal([0.0, 1.0], scale=1.0)), 4)
    0.9189
    """
    y = judged(y_true, dist)
    return row_mean(-dist.logpdf(y), sample_weight)


def crps_samples(
    y_true: Any, samples: Any, *, fair: bool = False, sample_weight: Any = None
) -> float:
    """The mean continuous ranked probability score of draws: an ensemble, a posterior, MCMC.

    E|X - y| - E|X - X'| / 2 under the empirical distribution of a row's m draws.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, n_targets)
        What was observed.
    samples : array-like of shape (m, n) or (m, n, n_targets)
        Draws, as ``Distribution.sample`` returns them.
    fair : bool, default=False
        Divide the second term by m (m - 1) in place of m^2: an unbiased estimate of the score of
        the distribution that was drawn from, so that few and many draws compare [1]_.
    sample_weight : array-like of shape (n,), optional
        Weights of rows.

    Returns
    -------
    float
        The mean over rows and targets; at least 0 unless ``fair``.

    Raises
    ------
    ValueError
        Shapes differ, a number is not finite, or one draw only where ``fair``.
    TypeError
        An array holds no real numbers.

    References
    ----------
    .. [1] Ferro, C. A. T. (2014), Fair scores for ensemble forecasts. QJRMS 140.

    Examples
    --------
    >>> from fastmlp.metrics import crps_samples
    >>> crps_samples([0.0], [[-1.0], [1.0]])
    0.5
    """
    y = finite("y_true", y_true)
    draws = finite("samples", samples)
    if draws.ndim != y.ndim + 1 or draws.shape[1:] != y.shape:
        raise ValueError(
            f"samples must have shape (m, ...) with y_true's {y.shape} at its end, got "
            f"{draws.shape}."
        )
    m = len(draws)
    if fair and m < 2:
        raise ValueError("A fair score needs at least 2 draws of each row, got 1.")
    # sum_ij |x_i - x_j| / 2 = sum_i (2 i - m - 1) x_(i), i = 1 ... m, on sorted draws
    order = np.sort(draws - y, axis=0)
    rank = 2 * np.arange(m) - m + 1
    spread = np.tensordot(rank, order, axes=1) / (m * (m - 1 if fair else m))
    return row_mean(np.abs(order).mean(axis=0) - spread, sample_weight)


def crps_quantiles(y_true: Any, values: Any, levels: Any, *, sample_weight: Any = None) -> float:
    """The mean continuous ranked probability score, estimated from some quantiles.

    Twice the integral of the pinball loss over the levels [1]_: each level stands for those that
    are nearer to it than to its neighbours. ``Quantiles(values, levels).crps`` is exact for the
    distribution that is drawn through the quantiles.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        What was observed.
    values : array-like of shape (n, k)
        Predicted quantiles.
    levels : array-like of shape (k,)
        Their levels, increasing, strictly between 0 and 1.
    sample_weight : array-like of shape (n,), optional
        Weights of rows.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ValueError
        Shapes differ, a number is not finite, or levels are out of range or order.
    TypeError
        An array holds no real numbers.

    References
    ----------
    .. [1] Laio, F. and Tamea, S. (2007), Verification tools for probabilistic forecasts of
       continuous hydrological variables. HESS 11.

    Examples
    --------
    >>> from fastmlp.metrics import crps_quantiles
    >>> crps_quantiles([1.0], [[0.0, 2.0]], levels=[0.25, 0.75])
    0.5
    """
    loss, levels = pinball(y_true, values, levels)
    cells = np.diff(np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [1.0]]))
    return row_mean(2 * loss @ cells, sample_weight)


def pinball(y_true: Any, values: Any, levels: Any) -> tuple[np.ndarray, np.ndarray]:
    """The losses (n, k) of predicted quantiles, and their levels."""
    y = finite("y_true", y_true)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    values = finite("values", values)
    if y.ndim != 1 or values.ndim != 2 or len(values) != len(y):
        raise ValueError(
            "y_true must have shape (n,) and values (n, k), one column for each level; got "
            f"{y.shape} and {values.shape}."
        )
    levels = level_array("levels", levels, values.shape[1])
    gap = y[:, None] - values
    return np.maximum(levels * gap, (levels - 1) * gap), levels


def cde_loss(
    y_true: Any, dist: Distribution, *, grid: Any = None, sample_weight: Any = None
) -> float:
    """The loss of conditional density estimates: the mean of integral f^2 dy - 2 f(y_true) [1]_.

    The integrated squared error of the densities, up to a number that is that of the truth.
    Negative for any good estimate.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, n_targets)
        What was observed.
    dist : Distribution
        Predictions, of that shape.
    grid : array-like of shape (m,), optional
        Increasing values of y on which the densities are looked at, as LSST's qp does: the
        trapezoidal rule for the integral, and f at the grid point nearest to y_true. ``QP_GRID``
        is qp's own. By default both terms are exact.
    sample_weight : array-like of shape (n,), optional
        Weights of rows.

    Returns
    -------
    float
        In the inverse unit of y.

    Raises
    ------
    ValueError
        Shapes differ, a number is not finite, or the grid does not increase.
    TypeError
        ``dist`` is no distribution, or an array holds no real numbers.

    References
    ----------
    .. [1] Izbicki, R. and Lee, A. B. (2017), Converting high-dimensional regression to
       high-dimensional conditional density estimation. EJS 11. arXiv:1704.08095.

    Examples
    --------
    >>> from fastmlp.distributions import Normal
    >>> from fastmlp.metrics import QP_GRID, cde_loss
    >>> z, dist = [0.501, 1.004], Normal([0.5, 1.0], scale=0.1)
    >>> round(cde_loss(z, dist), 3), round(cde_loss(z, dist, grid=QP_GRID), 3)
    (-5.155, -5.158)
    """
    y = judged(y_true, dist)
    if grid is None:
        return row_mean(dist.square_integral() - 2 * dist.pdf(y), sample_weight)
    grid = check_edges("grid", grid)
    if grid.ndim != 1:
        raise ValueError(f"grid must have one dimension, got shape {grid.shape}.")
    middles = (grid[1:] + grid[:-1]) / 2
    cells = np.diff(np.concatenate([grid[:1], middles, grid[-1:]]))  # the trapezoidal rule's
    losses = np.empty(y.shape)
    for start in range(0, len(y), ROWS):
        part = slice(start, start + ROWS)
        density = dist[part][..., None].pdf(grid)
        near = np.searchsorted(middles, y[part])[..., None]
        losses[part] = density**2 @ cells - 2 * np.take_along_axis(density, near, -1)[..., 0]
    return row_mean(losses, sample_weight)
