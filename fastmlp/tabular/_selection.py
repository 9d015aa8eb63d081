"""Which candidates an ensemble takes, and in what shares, by their out-of-fold predictions."""

from __future__ import annotations

import numpy as np

ROUNDS = 50
TINY = 1e-12  # what a probability is at least, in a logarithm


def squared(predictions, targets):
    """Squared errors of rows, (n,), in units of ``targets``; of several targets the mean."""
    return ((predictions - targets) ** 2).mean(axis=1)


def log_loss(predictions, targets):
    """Minus the logarithms of probabilities, (n,); ``targets`` are codes of classes, (n,)."""
    chosen = predictions[np.arange(len(targets)), targets]
    return -np.log(np.clip(chosen, TINY, 1.0))


def greedy_weights(predictions, targets, loss, sample_weight=None):
    """Shares of candidates in an ensemble: greedy forward selection with replacement.

    Each round adds the candidate that lowers the mean loss of the average the most; the best round
    counts, the earliest of equals.

    Parameters
    ----------
    predictions : list of ndarray of shape (n, n_outputs)
        Of each candidate, for rows that it was not trained on.
    targets : ndarray
        As ``loss`` takes them.
    loss : callable
        ``loss(predictions, targets) -> (n,)``.
    sample_weight : ndarray of shape (n,), optional
        Weights of the rows.

    Returns
    -------
    ndarray of shape (n_candidates,)
        At least 0, of sum 1.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew and Ksikes, Ensemble selection from libraries of models, ICML
    2004.
    """
    counts = np.zeros(len(predictions))
    total, best, weights = 0.0, np.inf, counts
    for size in range(1, ROUNDS + 1):
        means = [
            np.average(loss((total + each) / size, targets), weights=sample_weight)
            for each in predictions
        ]
        chosen = int(np.argmin(means))
        counts[chosen] += 1
        total = total + predictions[chosen]
        if means[chosen] < best:
            best, weights = means[chosen], counts / size
    return weights
