"""Probabilities that are too sure, or not sure enough: one temperature for all rows."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from fastmlp.tabular._selection import TINY

# Bounds of the logarithm of a temperature, and the rows that its prior, of unit variance, is worth.
BOUNDS = (-2.0, 2.0)
PRIOR_ROWS = 10.0


def temperature(proba, codes, weights=None):
    """What logarithms of probabilities are divided by for the least log-loss (Guo et al. 2017).

    With a Normal prior of its logarithm, so that a few rows do not say much.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)
        For rows that were not seen.
    codes : ndarray of shape (n,)
        Classes, counted from 0.
    weights : ndarray of shape (n,), optional

    Returns
    -------
    float
    """
    if proba.shape[1] == 1:
        return 1.0
    logs, rows = _logs(proba), np.arange(len(codes))
    worth = len(codes) if weights is None else weights.sum()  # a weight is so many rows

    def loss(log_temperature):
        found = log_softmax(logs / np.exp(log_temperature), axis=1)[rows, codes]
        prior = 0.5 * PRIOR_ROWS / worth * log_temperature**2
        return prior - np.average(found, weights=weights)

    return float(np.exp(minimize_scalar(loss, bounds=BOUNDS, method="bounded").x))


def tempered(proba, temperature):
    """Probabilities at a temperature, (..., n_classes)."""
    return softmax(_logs(proba) / temperature, axis=-1)


def tempered_slopes(proba, slopes, temperature):
    """d tempered / d x from d proba / d x, (n, n_classes, n_features)."""
    # Logarithms by probabilities; 0 where these are clipped.
    of_logs = np.where(proba > TINY, 1 / (temperature * np.maximum(proba, TINY)), 0.0)
    of_logs = of_logs[..., np.newaxis] * slopes
    found = tempered(proba, temperature)
    mean = np.einsum("nk,nkj->nj", found, of_logs)
    return found[..., np.newaxis] * (of_logs - mean[:, np.newaxis])


def _logs(proba):
    return np.log(np.clip(proba, TINY, 1.0))
