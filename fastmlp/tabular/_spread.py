"""How far targets scatter around predictions, row by row: a second stage, on rows not seen.

Squared errors of predictions for rows that were not seen have the mean sigma(x)^2, and the gamma
deviance with weight 1/2 is the Normal likelihood of sigma. Networks of that loss on (x, prediction)
compete, on rows that they have not seen either, with a constant. What is left of the errors says
the degrees of freedom of a Student-t, and a factor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize

from fastmlp.distributions import StudentT
from fastmlp.tabular import _portfolio
from fastmlp.tabular._folds import fit_folds
from fastmlp.tabular._scaler import unit_of

MOST_ROWS = 4000  # that networks are trained on
LEAST_SQUARE = 1e-8  # of a squared error, in units of their mean
LEAST_DF, MOST_LOG_DF = 2.05, 7.0  # the variance stays finite
LEAST_LOG_FACTOR = -10.0  # errors may be zero


class Spread(NamedTuple):
    """The scales of Student-t distributions around the predictions of one target.

    Attributes
    ----------
    df : float
        Degrees of freedom.
    factor : float
        Of the scales that members say; without members, the scale.
    bounds : tuple of float
        Of a member's answer: what was seen where it was judged.
    members : sequence of estimator
        One per fold, or none: a constant.
    """

    df: float
    factor: float
    bounds: tuple[float, float] = (0.0, 0.0)
    members: tuple = ()

    def scales(self, Z, answers):
        """Scales by each fold's member, (n_folds, n).

        Parameters
        ----------
        Z : {ndarray, CSR matrix} of shape (n, n_features)
        answers : ndarray of shape (n_folds, n)
            What the members of each fold's mean say.
        """
        logs = np.zeros(answers.shape)
        for at, member in enumerate(self.members):
            logs[at] = np.clip(_log_scale(member, _joined(Z, answers[at])), *self.bounds)
        return self.factor * np.exp(logs)


def fit_spread(Z, y, mean, folds, sample_weight, until, n_threads):
    """The spread of one target around predictions for rows not seen.

    Parameters
    ----------
    Z : {ndarray, CSR matrix} of shape (n, n_features)
    y, mean : ndarray of shape (n,)
        Targets, and what members that have not seen them say.
    folds : list of ndarray of int
        The rows, 0 to n - 1, of each fold.
    sample_weight : ndarray of shape (n,) or None
    until : float
        When to end, by ``time.perf_counter``; a constant is found in any case.
    n_threads : int or None

    Returns
    -------
    Spread
    """
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    unit = unit_of(y)
    errors = y / unit - mean / unit  # whose squares are numbers, whatever the unit of y
    level = max(np.sqrt(np.average(errors**2, weights=weights)), np.finfo(float).eps)
    squares = np.maximum((errors / level) ** 2, LEAST_SQUARE)
    score, df, factor = _shape(errors, np.full(len(y), np.log(level)), weights)
    best = Spread(df, factor * level * unit)
    last, joined = np.inf, _joined(Z, mean)
    splits = _splits(folds, len(y))
    n_trained = min(len(trained) for trained, _ in splits)
    for network in _portfolio.spreads(n_trained, joined.shape[1]):
        try:
            found = fit_folds(
                network, joined, squares, splits, _log_scale, range(len(splits)), 0.5 * weights,
                until, n_threads,
            )  # fmt: skip
        except (KeyboardInterrupt, FloatingPointError, np.linalg.LinAlgError):
            break
        if found is None:
            break
        members, answers = found
        logs = np.empty(len(y))
        for rows, each in zip(folds, answers, strict=True):
            logs[rows] = each
        worth, df, factor = _shape(errors, logs + np.log(level), weights)
        if worth >= last:
            break  # wider ones learn the noise
        last = worth
        if worth < score:
            score = worth
            best = Spread(df, factor * level * unit, (logs.min(), logs.max()), members)
    return best


def _splits(folds, n):
    """Rows trained on, evenly thinned out to ``MOST_ROWS``, and judged by."""
    splits = []
    for rows in folds:
        rest = np.setdiff1d(np.arange(n), rows)
        splits.append((rest[:: -(-len(rest) // MOST_ROWS)], rows))
    return splits


def _joined(Z, mean):
    """(Z, mean), the features of the second stage."""
    if sp.issparse(Z):
        return sp.hstack([Z, mean[:, np.newaxis]], format="csr")
    return np.column_stack([Z, mean])


def _log_scale(member, joined):
    return 0.5 * np.log(np.maximum(member.predict(joined), LEAST_SQUARE))


def _shape(errors, log_scales, weights):
    """The least mean of -log p over df and a factor of the scales: (that, df, factor)."""
    scaled = errors / np.exp(log_scales)
    offset = np.average(log_scales, weights=weights)

    def parameters(p):
        return LEAST_DF + np.exp(min(p[0], MOST_LOG_DF)), np.exp(max(p[1], LEAST_LOG_FACTOR))

    def score(p):
        df, factor = parameters(p)
        return offset - np.average(StudentT(df, 0.0, factor).logpdf(scaled), weights=weights)

    found = minimize(score, [1.5, -0.2], method="Nelder-Mead")
    return found.fun, *parameters(found.x)
