"""The constant answer that a loss likes best: what any fit has to beat."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.losses import Loss
from fastmlp.network import Network

# Shares of a class are kept away from 0, where the logarithm ends.
_LEAST_SHARE = 1e-12


def best_constant(
    loss: Loss, targets: np.ndarray, n_raw: int, sample_weight: np.ndarray | None = None
) -> tuple[np.ndarray, float] | None:
    """The best constant of a loss, before its canonical output activation, and its loss.

    Half the variance of the targets for squared error, the entropy of the classes for log-loss; for
    the others the loss itself is asked.

    Parameters
    ----------
    loss : Loss
        A loss; for "huber" the better of mean and median stands for the best.
    targets : ndarray of shape (n_samples,) or (n_samples, n_raw)
        Targets as a network takes them.
    n_raw : int
        Outputs of the network.
    sample_weight : ndarray of shape (n_samples,), optional
        Weights of the samples.

    Returns
    -------
    raw : ndarray of shape (n_raw,)
    value : float
        The mean loss. Instead of the pair None, where nothing is known of the loss (the user's
        own) or zero is always best (perceptron).
    """
    if loss.is_custom or loss.name == "perceptron":
        return None
    if loss.name == "log_loss":
        share = np.clip(_shares(targets, n_raw, sample_weight), _LEAST_SHARE, 1 - _LEAST_SHARE)
        if n_raw > 1:
            raw = np.log(share)
            return raw, float(-(share @ raw))
        raw = np.log(share / (1 - share))
        return raw, float(-(share @ np.log(share) + (1 - share) @ np.log1p(-share)))
    columns = targets.reshape(len(targets), -1)
    mean = np.average(columns, axis=0, weights=sample_weight).astype(np.float64)
    if loss.name == "squared_error":
        squares = np.average((columns - mean) ** 2, axis=0, weights=sample_weight)
        return mean, float(0.5 * squares.sum())
    if loss.name in ("poisson", "gamma"):
        candidates = [np.log(np.maximum(mean, np.finfo(float).tiny))]
    else:
        middle = _quantile(columns, loss.params.get("quantile", 0.5), sample_weight)
        candidates = [middle, mean] if loss.name == "huber" else [middle]
    network = Network([1, n_raw], loss=loss)
    objective = network.objective(np.zeros((len(targets), 1)), targets, sample_weight=sample_weight)
    values = [objective.value(network.pack([np.zeros((1, n_raw))], [raw])) for raw in candidates]
    k = int(np.argmin(values))
    return candidates[k], float(values[k])


def _shares(targets, n_raw, weights):
    """Of each class: targets are class codes, or columns of probabilities."""
    if targets.ndim == 1 and n_raw > 1:
        counts = np.bincount(targets.astype(np.intp), weights=weights, minlength=n_raw)
        return counts / counts.sum()
    columns = targets.reshape(len(targets), -1)
    return np.average(columns, axis=0, weights=weights).astype(np.float64)


def _quantile(columns: Any, level: float, weights) -> np.ndarray:
    """The smallest entry of each column that has the share ``level`` of the weights up to it."""
    if weights is None:
        return np.quantile(columns, level, axis=0, method="inverted_cdf").astype(np.float64)
    order = np.argsort(columns, axis=0)
    reached = np.cumsum(np.asarray(weights, dtype=np.float64)[order], axis=0)
    at = (reached < level * reached[-1]).sum(axis=0)
    return np.array([column[k[i]] for column, k, i in zip(columns.T, order.T, at, strict=True)])
