"""Means and quantiles of columns, by weights."""

from __future__ import annotations

from typing import Any

import numpy as np


def average(columns: Any, weights: np.ndarray | None = None) -> np.ndarray:
    """The mean of each column, float64."""
    return np.average(np.asarray(columns, np.float64), axis=0, weights=weights)


def quantile(columns: Any, level: float, weights: np.ndarray | None = None) -> np.ndarray:
    """The smallest entry of each column that has the share ``level`` of the weights up to it."""
    if weights is None:
        return np.quantile(columns, level, axis=0, method="inverted_cdf").astype(np.float64)
    order = np.argsort(columns, axis=0)
    reached = np.cumsum(np.asarray(weights, dtype=np.float64)[order], axis=0)
    at = (reached < level * reached[-1]).sum(axis=0)
    return np.array([column[k[i]] for column, k, i in zip(columns.T, order.T, at, strict=True)])
