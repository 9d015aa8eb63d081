"""Intervals and single quantiles: how often they hold, how wide they are, what both cost."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.distributions._parameters import LEVEL, check, first, numbers
from fastmlp.metrics._checks import finite, row_mean, weights
from fastmlp.metrics._scores import pinball


def _interval(lower: Any, upper: Any, shape: tuple[int, ...] | None = None) -> tuple:
    lower = finite("lower", lower, shape)
    upper = finite("upper", upper, lower.shape)
    if (lower > upper).any():
        raise ValueError(f"lower must not exceed upper: in lower, {first(lower, lower > upper)}.")
    return lower, upper


def interval_coverage(y_true: Any, lower: Any, upper: Any, *, sample_weight: Any = None) -> float:
    """The share of targets within their intervals, ends included.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, n_targets)
        What was observed.
    lower, upper : array-like of that shape
        Ends of intervals, as ``dist.interval(coverage)`` gives them.
    sample_weight : array-like of shape (n,), optional
        Weights of rows.

    Returns
    -------
    float
        From 0 to 1; the coverage asked for, if the predictions are calibrated.

    Raises
    ------
    ValueError
        Shapes differ, a number is not finite, or a lower end exceeds the upper one.
    TypeError
        An array holds no real numbers.

    Examples
    --------
    >>> from fastmlp.metrics import interval_coverage
    >>> interval_coverage([0.0, 2.0], lower=[-1.0, -1.0], upper=[1.0, 1.0])
    0.5
    """
    y = finite("y_true", y_true)
    lower, upper = _interval(lower, upper, y.shape)
    return row_mean(((lower <= y) & (y <= upper)).astype(np.float64), sample_weight)


def interval_width(lower: Any, upper: Any, *, sample_weight: Any = None) -> float:
    """The mean width of intervals: the sharper of two that cover equally is the better.

    Parameters
    ----------
    lower, upper : array-like of shape (n,) or (n, n_targets)
        Ends of intervals.
    sample_weight : array-like of shape (n,), optional
        Weights of rows.

    Returns
    -------
    float
        In the unit of the target.

    Raises
    ------
    ValueError
        Shapes differ, a number is not finite, or a lower end exceeds the upper one.
    TypeError
        An array holds no real numbers.

    Examples
    --------
    >>> from fastmlp.metrics import interval_width
    >>> interval_width(lower=[-1.0, 0.0], upper=[1.0, 4.0])
    3.0
    """
    lower, upper = _interval(lower, upper)
    return row_mean(upper - lower, sample_weight)


def interval_score(
    y_true: Any, lower: Any, upper: Any, coverage: float, *, sample_weight: Any = None
) -> float:
    """The mean score of central intervals [1]_: their width, and a fine for each miss.

    (upper - lower) + 2 / (1 - coverage) times the distance of y from the interval; the lower the
    better, and on average the least for the true quantiles.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, n_targets)
        What was observed.
    lower, upper : array-like of that shape
        Ends of intervals.
    coverage : float
        The probability that they were meant to hold, strictly between 0 and 1.
    sample_weight : array-like of shape (n,), optional
        Weights of rows.

    Returns
    -------
    float
        In the unit of the target.

    Raises
    ------
    ValueError
        Shapes differ, a number is not finite, a lower end exceeds the upper one, or the coverage is
        out of range.
    TypeError
        An array holds no real numbers.

    References
    ----------
    .. [1] Winkler, R. L. (1972), A decision-theoretic approach to interval estimation. JASA 67.

    Examples
    --------
    >>> from fastmlp.metrics import interval_score
    >>> round(interval_score([0.0, 2.0], [-1.0, -1.0], [1.0, 1.0], coverage=0.9), 6)
    12.0
    """
    y = finite("y_true", y_true)
    lower, upper = _interval(lower, upper, y.shape)
    coverage = numbers("coverage", coverage)
    check("coverage", coverage, LEVEL)
    if coverage.ndim:
        raise ValueError(f"coverage must be one number, got shape {coverage.shape}.")
    outside = np.maximum(lower - y, 0) + np.maximum(y - upper, 0)
    return row_mean(upper - lower + 2 / (1 - float(coverage)) * outside, sample_weight)


def pinball_loss(y_true: Any, values: Any, levels: Any, *, sample_weight: Any = None) -> np.ndarray:
    """The mean pinball (quantile) loss of each of several levels.

    max(q (y - v), (q - 1) (y - v)); for one level, scikit-learn has ``mean_pinball_loss``.

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
    ndarray of shape (k,)
        One for each level; at least 0.

    Raises
    ------
    ValueError
        Shapes differ, a number is not finite, or levels are out of range or order.
    TypeError
        An array holds no real numbers.

    Examples
    --------
    >>> from fastmlp.metrics import pinball_loss
    >>> pinball_loss([1.0, 3.0], [[0.0, 2.0], [1.0, 5.0]], levels=[0.25, 0.75])
    array([0.375, 0.375])
    """
    loss, _ = pinball(y_true, values, levels)
    weight = weights(sample_weight, len(loss))
    return loss.mean(axis=0) if weight is None else weight @ loss
