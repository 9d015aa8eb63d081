"""The statistics of photometric redshifts, as LSST's qp and RAIL define them.

All are about e_z = (z_pred - z_true) / (1 + z_true).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.distributions import Distribution
from fastmlp.distributions._exchange import check_edges
from fastmlp.distributions._parameters import POSITIVE, check, numbers
from fastmlp.metrics._calibration import pit
from fastmlp.metrics._checks import finite
from fastmlp.metrics._scores import cde_loss, crps

QP_GRID = np.linspace(0, 2.5, 301)  # on which qp looks at densities
IQR_OF_NORMAL = 1.349
MAD_TO_SIGMA = 1.4826
OUTLIER_FLOOR = 0.06
PIT_EDGE = 1e-4


def _errors(z_true: Any, z_pred: Any) -> np.ndarray:
    z_true = finite("z_true", z_true)
    check("z_true", z_true, ("greater than -1", lambda v: v > -1))
    return ((finite("z_pred", z_pred, z_true.shape) - z_true) / (1 + z_true)).ravel()


def outlier_limit(sigma: float) -> float:
    """The ``|e_z|`` from which on a row is an outlier, sigma being ``sigma_iqr`` of all."""
    return max(OUTLIER_FLOOR, 3 * sigma)


def point_bias(z_true: Any, z_pred: Any) -> float:
    """The median of e_z = (z_pred - z_true) / (1 + z_true).

    Parameters
    ----------
    z_true : array-like of shape (n,)
        Spectroscopic redshifts, > -1.
    z_pred : array-like of shape (n,)
        Point estimates.

    Returns
    -------
    float
        Positive, if estimates are too high.

    Raises
    ------
    ValueError
        Shapes differ, no row, or a number that is not finite.
    TypeError
        No real numbers.

    Examples
    --------
    >>> from fastmlp.metrics import point_bias
    >>> round(point_bias([0.0, 1.0, 1.0], [0.1, 1.0, 1.4]), 3)
    0.1
    """
    return float(np.median(_errors(z_true, z_pred)))


def sigma_iqr(z_true: Any, z_pred: Any) -> float:
    """The spread of e_z by its quartiles: (q75 - q25) / 1.349.

    Parameters
    ----------
    z_true : array-like of shape (n,)
        Spectroscopic redshifts, > -1.
    z_pred : array-like of shape (n,)
        Point estimates.

    Returns
    -------
    float
        The standard deviation, if e_z is normal.

    Raises
    ------
    ValueError
        Shapes differ, no row, or a number that is not finite.
    TypeError
        No real numbers.

    Examples
    --------
    >>> from fastmlp.metrics import sigma_iqr
    >>> round(sigma_iqr([0.0, 0.0, 0.0], [-0.1, 0.0, 0.1]), 4)
    0.0741
    """
    low, high = np.quantile(_errors(z_true, z_pred), [0.25, 0.75])
    return float((high - low) / IQR_OF_NORMAL)


def sigma_mad(z_true: Any, z_pred: Any) -> float:
    """The spread of e_z by its median absolute deviation: ``1.4826 median |e_z - median e_z|``.

    Known as sigma_NMAD.

    Parameters
    ----------
    z_true : array-like of shape (n,)
        Spectroscopic redshifts, > -1.
    z_pred : array-like of shape (n,)
        Point estimates.

    Returns
    -------
    float
        The standard deviation, if e_z is normal.

    Raises
    ------
    ValueError
        Shapes differ, no row, or a number that is not finite.
    TypeError
        No real numbers.

    Examples
    --------
    >>> from fastmlp.metrics import sigma_mad
    >>> round(sigma_mad([0.0, 0.0, 0.0], [-0.1, 0.0, 0.1]), 4)
    0.1483
    """
    error = _errors(z_true, z_pred)
    return float(MAD_TO_SIGMA * np.median(np.abs(error - np.median(error))))


def outlier_rate(z_true: Any, z_pred: Any, *, threshold: float | None = None) -> float:
    """The share of catastrophic outliers: ``|e_z| > max(0.06, 3 sigma_iqr)``.

    Parameters
    ----------
    z_true : array-like of shape (n,)
        Spectroscopic redshifts, > -1.
    z_pred : array-like of shape (n,)
        Point estimates.
    threshold : float, optional
        A fixed limit on ``|e_z|`` in place of that one; 0.15 is common.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        Shapes differ, no row, a number that is not finite, or a threshold that is not positive.
    TypeError
        No real numbers.

    Examples
    --------
    >>> from fastmlp.metrics import outlier_rate
    >>> outlier_rate([0.0, 1.0, 1.0, 1.0], [0.01, 1.0, 1.0, 2.0])
    0.25
    """
    error = _errors(z_true, z_pred)
    if threshold is None:
        threshold = outlier_limit(sigma_iqr(np.zeros(len(error)), error))
    threshold = numbers("threshold", threshold)
    check("threshold", threshold, POSITIVE)
    return float((np.abs(error) > threshold).mean())


def pit_outlier_rate(z_true: Any, dist: Distribution, *, random_state: Any = None) -> float:
    """The share of rows whose F(z_true) is below 0.0001 or above 0.9999.

    0.0002 for calibrated predictions. qp itself reads it off 100 quantiles of the transforms.

    Parameters
    ----------
    z_true : array-like of shape (n,)
        Spectroscopic redshifts.
    dist : Distribution
        Predictions, of that shape.
    random_state : None, int, Generator or RandomState, default=None
        Where randomness comes from, for discrete families.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        Shapes differ or a number is not finite.
    TypeError
        ``dist`` is no distribution, or an array holds no real numbers.

    Examples
    --------
    >>> from fastmlp.distributions import Normal
    >>> from fastmlp.metrics import pit_outlier_rate
    >>> pit_outlier_rate([0.5, 2.0], Normal([0.5, 1.0], scale=0.1))
    0.5
    """
    level = pit(z_true, dist, random_state=random_state)
    return float(((level < PIT_EDGE) | (level > 1 - PIT_EDGE)).mean())


def photoz_report(
    z_true: Any, estimate: Any, *, by: Any = None, edges: Any = None
) -> dict[str, Any]:
    """All statistics of photometric redshifts, over all rows or in bins of magnitude or redshift.

    Parameters
    ----------
    z_true : array-like of shape (n,)
        Spectroscopic redshifts, > -1.
    estimate : array-like of shape (n,) or Distribution
        Point estimates; or distributions, whose medians are taken for them, and which are judged
        themselves, too.
    by : array-like of shape (n,), optional
        What rows are told apart by: a magnitude, a redshift.
    edges : array-like of shape (n_bins + 1,), optional
        Increasing edges of bins of ``by``; the last bin holds its upper edge. Needed with ``by``.

    Returns
    -------
    dict
        "n", "bias", "sigma_mad", "sigma_iqr", "outlier_rate"; of distributions also "crps",
        "cde_loss" (exact) and "pit_outlier_rate". Numbers, or arrays of shape (n_bins,), NaN where
        a bin is empty.

    Raises
    ------
    ValueError
        Shapes differ, a number is not finite, or ``by`` without ``edges``.
    TypeError
        No real numbers.

    Examples
    --------
    >>> from fastmlp.metrics import photoz_report
    >>> z, estimate = [0.1, 0.5, 1.0, 1.2], [0.1, 1.6, 1.0, 1.2]
    >>> photoz_report(z, estimate)["outlier_rate"]
    0.25
    >>> photoz_report(z, estimate, by=[20, 21, 22, 23], edges=[19, 21.5, 24])["n"]
    array([2, 2])
    """
    z = finite("z_true", z_true)
    z = z.ravel() if z.ndim == 2 and z.shape[1] == 1 else z
    if not isinstance(estimate, Distribution):
        estimate = finite("estimate", estimate, z.shape)
    elif estimate.shape != z.shape:
        raise ValueError(f"estimate must have the shape of z_true {z.shape}, got {estimate.shape}.")
    if (by is None) != (edges is None):
        raise ValueError("by and edges go together: give both or neither.")
    if by is None:
        return _report(z, estimate)
    by, edges = finite("by", by, z.shape), check_edges("edges", edges)
    if edges.ndim != 1:
        raise ValueError(f"edges must have one dimension, got shape {edges.shape}.")
    at = np.searchsorted(edges, by, side="right") - 1
    at[by == edges[-1]] = len(edges) - 2
    bins = [
        _report(z[rows], estimate[rows]) if (rows := at == i).any() else {"n": 0}
        for i in range(len(edges) - 1)
    ]
    names = list(_report(z[:1], estimate[:1]))
    return {name: np.array([found.get(name, np.nan) for found in bins]) for name in names}


def _report(z: np.ndarray, estimate: Any) -> dict[str, Any]:
    point = estimate.median() if isinstance(estimate, Distribution) else estimate
    report = {
        "n": len(z),
        "bias": point_bias(z, point),
        "sigma_mad": sigma_mad(z, point),
        "sigma_iqr": sigma_iqr(z, point),
        "outlier_rate": outlier_rate(z, point),
    }
    if isinstance(estimate, Distribution):
        report["crps"] = crps(z, estimate)
        report["cde_loss"] = cde_loss(z, estimate)
        report["pit_outlier_rate"] = pit_outlier_rate(z, estimate, random_state=0)
    return report
