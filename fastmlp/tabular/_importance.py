"""How much a column matters: what its permutation costs on rows that were not seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

MOST_ROWS = 1000
REPEATS = 3


class HeldOut(NamedTuple):
    """Some rows of each fold, and the targets that they were judged by."""

    rows: list  # (n, n_features) of each fold
    targets: list

    @classmethod
    def of(cls, Z, folds, targets) -> HeldOut:
        """Keep ``MOST_ROWS`` in all, at most, evenly over each fold."""
        most = max(1, MOST_ROWS // len(folds))
        kept = [fold[:: -(-len(fold) // most)] for fold in folds]
        return cls([Z[rows] for rows in kept], [targets[rows] for rows in kept])


def permutation_importances(held_out, origin, n_columns, answer, loss):
    """The rise of the loss where a column's values change places, (n_columns,).

    Parameters
    ----------
    held_out : HeldOut
    origin : ndarray of shape (n_features,)
        Which column a feature comes from; they move together.
    n_columns : int
    answer : callable
        ``answer(fold, Z) -> (n, n_outputs)``, by members that have not seen the fold.
    loss : callable
        ``loss(answers, targets) -> (n,)``.
    """
    rng = np.random.RandomState(0)
    rises = np.zeros(n_columns)
    n = sum(map(len, held_out.targets))
    for fold, (Z, targets) in enumerate(zip(*held_out, strict=True)):
        before = loss(answer(fold, Z), targets).sum()
        for _ in range(REPEATS):
            turned = Z[rng.permutation(Z.shape[0])]
            for column in np.unique(origin):
                mixed = _with(Z, turned, origin == column)
                rises[column] += loss(answer(fold, mixed), targets).sum() - before
    return rises / (REPEATS * n)


def _with(Z, other, mask):
    """The features under the mask from the other rows."""
    if not sp.issparse(Z):
        return np.where(mask, other, Z)
    return (Z @ sp.diags(1.0 - mask) + other @ sp.diags(1.0 * mask)).tocsr()
