"""Whether chains have mixed: rank-normalised split R-hat and effective sample sizes.

Vehtari, Gelman, Simpson, Carpenter and Bürkner, Bayesian Analysis 16, 667 (2021).
"""

from __future__ import annotations

import numpy as np
from scipy import special, stats


def r_hat(draws: np.ndarray) -> float:
    """Rank-normalised split R-hat, the larger of those of location and of spread.

    Parameters
    ----------
    draws : ndarray of shape (n_chains, n_draws)
        At least 4 draws of each chain.

    Returns
    -------
    float
        1 where chains cannot be told apart; NaN where a draw is not finite.
    """
    halves = _split(draws)
    if not np.isfinite(halves).all():
        return np.nan
    return max(_ratio(_scores(x)) for x in (halves, np.abs(halves - np.median(halves))))


def ess_bulk(draws: np.ndarray) -> float:
    """Effective number of independent draws, for the middle of the distribution.

    Parameters
    ----------
    draws : ndarray of shape (n_chains, n_draws)
        At least 4 draws of each chain.
    """
    return _ess(_scores(_split(draws)))


def ess_tail(draws: np.ndarray) -> float:
    """The same for the 5 % and the 95 % quantile, the smaller of both."""
    halves = _split(draws)
    return min(_ess((halves <= q).astype(float)) for q in np.quantile(draws, [0.05, 0.95]))


def _split(draws):
    """Each chain as two: one that drifts differs from itself."""
    draws = np.asarray(draws, dtype=np.float64)
    half = draws.shape[1] // 2
    if half < 2:
        raise ValueError(f"At least 4 draws of each chain are needed, got {draws.shape[1]}.")
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _scores(x):
    """Normal scores of the ranks."""
    ranks = stats.rankdata(x, method="average").reshape(x.shape)
    return special.ndtri((ranks - 0.375) / (x.size + 0.25))


def _ratio(x):
    n = x.shape[1]
    within, between = x.var(1, ddof=1).mean(), x.mean(1).var(ddof=1)
    if within == 0:
        return 1.0 if between == 0 else np.inf
    return float(np.sqrt((between + (n - 1) / n * within) / within))


def _ess(x):
    """n_chains n / (1 + 2 sum of autocorrelations), cut off by Geyer's monotone sequence."""
    m, n = x.shape
    if not np.isfinite(x).all():
        return np.nan
    if np.ptp(x) < np.finfo(float).resolution:
        return float(m * n)
    centred = x - x.mean(1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * n)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, 2 * n)[:, :n].mean(0) / n
    within = covariance[0] * n / (n - 1)
    total = covariance[0] + (x.mean(1).var(ddof=1) if m > 1 else 0.0)
    rho = 1 - (within - covariance) / total
    rho[0] = 1.0
    n_pairs = (n - 1) // 2  # the lags 0 and 1, 2 and 3, ... that are looked at
    pairs = rho[: 2 * n_pairs].reshape(-1, 2).sum(1)
    negative = np.flatnonzero(pairs < 0)
    k, least = (negative[0], 0.0) if negative.size else (n_pairs - 1, -np.inf)
    tau = -1 + 2 * np.minimum.accumulate(pairs[:k]).sum()
    tau += max(rho[2 * k], least)  # half of what is left out: the estimate varies less
    return float(m * n / max(tau, 1 / np.log10(m * n)))
