"""Intervals from errors on rows that were not seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastmlp._numbers import Interval

# Errors of a fold that are kept: more are thinned out to as many of their quantiles.
KEPT = 1000
# Levels of a row's distribution, at most.
LEVELS = 49
ENTRIES = 1 << 20  # of a temporary
COVERAGES = Interval(0, 1, "neither")


class Conformal(NamedTuple):
    """Errors on rows not seen, by the fold whose members made them.

    Attributes
    ----------
    errors : list of ndarray of shape (n_kept, n_outputs)
        Target minus prediction, sorted.
    sizes : list of ndarray of shape (n_kept, n_outputs)
        Absolute errors, sorted.
    n : int
        How many there were in all.
    flat : bool
        Whether targets have one dimension.
    """

    errors: list
    sizes: list
    n: int
    flat: bool

    @classmethod
    def of(cls, folds, y, predictions) -> Conformal:
        """Sort the errors.

        Parameters
        ----------
        folds : list of ndarray of int
            Rows of each fold.
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        predictions : list of ndarray of shape (n_rows, n_outputs)
            For the rows of each fold.
        """
        flat = y.ndim == 1
        y = y.reshape(len(y), -1)
        errors = [y[rows] - each for rows, each in zip(folds, predictions, strict=True)]
        n = sum(map(len, errors))
        return cls(
            [_thinned(each, KEPT) for each in errors],
            [_thinned(np.abs(each), KEPT) for each in errors],
            n,
            flat,
        )

    def interval(self, answers, coverage):
        """CV+: lower and upper ends, shaped as a fold's answers.

        Parameters
        ----------
        answers : ndarray of shape (n_folds, n, ...)
            What each fold's members say of new rows.
        coverage : float
        """
        if coverage not in COVERAGES:
            raise ValueError(f"coverage must be a number in {COVERAGES}, got {coverage!r}.")
        shape = answers.shape[1:]
        answers = answers.reshape(len(answers), len(answers[0]), -1)
        total = sum(map(len, self.sizes))
        # Of n errors the ceil((n + 1) coverage)-th; of those kept, the one that stands for it.
        rank = np.ceil((self.n + 1) * coverage)
        if rank > self.n:
            return np.full(shape, -np.inf), np.full(shape, np.inf)
        rank = min(total, int(np.ceil(rank / self.n * total)))
        lower, upper = np.empty(answers.shape[1:]), np.empty(answers.shape[1:])
        block = max(1, ENTRIES // total)
        for k in range(answers.shape[2]):
            for start in range(0, answers.shape[1], block):
                rows = slice(start, start + block)
                ends = [
                    (each[rows, k, None] - sizes[:, k], each[rows, k, None] + sizes[:, k])
                    for each, sizes in zip(answers, self.sizes, strict=True)
                ]
                low, high = (np.concatenate(part, axis=1) for part in zip(*ends, strict=True))
                lower[rows, k] = np.partition(low, total - rank, axis=1)[:, total - rank]
                upper[rows, k] = np.partition(high, rank - 1, axis=1)[:, rank - 1]
        return lower.reshape(shape), upper.reshape(shape)

    def quantiles(self, point):
        """Values, (..., n_levels), and levels of the distributions around point predictions."""
        errors = np.concatenate(self.errors)
        n_levels = max(2, min(LEVELS, len(errors)))
        levels = (np.arange(n_levels) + 0.5) / n_levels
        shifts = np.quantile(errors, levels, axis=0, method="hazen").T  # (n_outputs, n_levels)
        return point[..., None] + (shifts[0] if self.flat else shifts), levels


def _thinned(values, most):
    """Columns sorted; if they are longer than ``most``, so many of their quantiles, the larger."""
    values = np.sort(values, axis=0)
    if len(values) <= most:
        return values
    at = np.ceil(np.arange(1, most + 1) * len(values) / most).astype(int) - 1
    return values[at]
