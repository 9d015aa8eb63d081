"""Intervals from errors on rows that were not seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastmlp._numbers import Interval

# Errors of a fold that are kept: more are thinned out to as many of their quantiles.
KEPT = 1000
ENTRIES = 1 << 20  # of a temporary
COVERAGES = Interval(0, 1, "neither")


class Conformal(NamedTuple):
    """Absolute errors on rows not seen in units of their scales, by fold.

    Attributes
    ----------
    sizes : list of ndarray of shape (n_kept, n_outputs)
        Sorted.
    n : int
        How many there were in all.
    """

    sizes: list
    n: int

    @classmethod
    def of(cls, errors, scales) -> Conformal:
        """Sort the errors.

        Parameters
        ----------
        errors, scales : list of ndarray of shape (n_rows, n_outputs)
            Of the rows of each fold, by members that have not seen them.
        """
        sizes = [np.abs(each) / scale for each, scale in zip(errors, scales, strict=True)]
        return cls([_thinned(each, KEPT) for each in sizes], sum(map(len, sizes)))

    def interval(self, answers, scales, coverage):
        """CV+: lower and upper ends, (n, n_outputs).

        Parameters
        ----------
        answers, scales : ndarray of shape (n_folds, n, n_outputs)
            What each fold's members say of new rows.
        coverage : float
        """
        if coverage not in COVERAGES:
            raise ValueError(f"coverage must be a number in {COVERAGES}, got {coverage!r}.")
        total = sum(map(len, self.sizes))
        # Of n errors the ceil((n + 1) coverage)-th; of those kept, the one that stands for it.
        rank = np.ceil((self.n + 1) * coverage)
        if rank > self.n:
            return np.full(answers.shape[1:], -np.inf), np.full(answers.shape[1:], np.inf)
        rank = min(total, int(np.ceil(rank / self.n * total)))
        lower, upper = np.empty(answers.shape[1:]), np.empty(answers.shape[1:])
        block = max(1, ENTRIES // total)
        for k in range(answers.shape[2]):
            for start in range(0, answers.shape[1], block):
                rows = slice(start, start + block)
                ends = []
                for each, scale, sizes in zip(answers, scales, self.sizes, strict=True):
                    reach = scale[rows, k, None] * sizes[:, k]
                    ends.append((each[rows, k, None] - reach, each[rows, k, None] + reach))
                low, high = (np.concatenate(part, axis=1) for part in zip(*ends, strict=True))
                lower[rows, k] = np.partition(low, total - rank, axis=1)[:, total - rank]
                upper[rows, k] = np.partition(high, rank - 1, axis=1)[:, rank - 1]
        return lower, upper


def _thinned(values, most):
    """Columns sorted; if they are longer than ``most``, so many of their quantiles, the larger."""
    values = np.sort(values, axis=0)
    if len(values) <= most:
        return values
    at = np.ceil(np.arange(1, most + 1) * len(values) / most).astype(int) - 1
    return values[at]
