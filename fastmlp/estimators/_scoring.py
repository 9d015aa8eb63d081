"""Scores for early stopping: scikit-learn's two defaults, its scorers, or the loss."""

from __future__ import annotations

import copy

import numpy as np
from sklearn.metrics import get_scorer


def accuracy(codes, predicted, weights=None) -> float:
    """Fraction of rows that are right, in every output."""
    right = codes == predicted
    if right.ndim == 2:
        right = right.all(axis=1)
    return float(np.average(right, weights=weights))


def r2(y, predicted, weights=None) -> float:
    """R2, averaged over outputs; NaN where a prediction is not finite, as in scikit-learn."""
    if not np.isfinite(predicted).all():
        return np.nan
    y, predicted = y.reshape(len(y), -1), predicted.reshape(len(y), -1)
    w = np.ones(len(y)) if weights is None else weights
    with np.errstate(over="ignore"):
        residual = w @ (y - predicted) ** 2
    total = w @ (y - np.average(y, axis=0, weights=w)) ** 2
    constant = total == 0
    scores = 1.0 - residual / np.where(constant, 1.0, total)
    scores[constant] = np.where(residual[constant] == 0, 1.0, 0.0)
    return float(scores.mean())


def scorer_score(estimator, network, scoring, X, y, weights):
    """``score(theta, objective)`` by a scikit-learn scorer, on data as the user would pass it."""
    scorer = scoring if callable(scoring) else get_scorer(scoring)
    shadow = copy.copy(estimator)
    # X has been checked already and has no column names to be compared.
    vars(shadow).pop("feature_names_in_", None)
    keywords = {} if weights is None else {"sample_weight": weights}

    def score(theta, objective):
        shadow._coefs, shadow._intercepts = network.unpack(theta)
        return scorer(shadow, X, y, **keywords)

    return score
