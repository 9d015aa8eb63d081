"""Rows of data as the sweeps read them: X, y, weights, which rows count; checked once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastmlp._arrays import (
    as_given,
    check_rows,
    check_rows_index,
    check_scales,
    check_weights,
    n_rows,
)
from fastmlp.losses import check_targets


@dataclass(frozen=True)
class Data:
    """Checked rows; :func:`check_data` makes it.

    Attributes
    ----------
    X : ndarray or parts of a CSR matrix
        As ``check_rows`` returns it.
    y : ndarray
        Targets (n_samples, n_targets); for a loss of the user's what they gave, by rows.
    w : ndarray of shape (n_samples,) or None
        Weights.
    index : ndarray of intp or None
        The rows that count; None: all.
    scales : tuple (mean, scale) or None
        The network sees (X - mean) / scale.
    """

    X: Any
    y: np.ndarray
    w: np.ndarray | None
    index: np.ndarray | None
    scales: tuple[np.ndarray, np.ndarray] | None

    @property
    def n_samples(self) -> int:
        """Rows that count."""
        return n_rows(self.X) if self.index is None else self.index.size

    @property
    def weight(self) -> float:
        """The sum of their weights."""
        _, w = self.selected
        return float(self.n_samples) if w is None else float(w.sum(dtype=np.float64))

    @property
    def selected(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Targets and weights of the rows that count."""
        if self.index is None:
            return self.y, self.w
        return self.y[self.index], None if self.w is None else self.w[self.index]

    def take(self, positions: np.ndarray) -> Data:
        """Some of the rows that count; nothing is copied."""
        index = positions if self.index is None else self.index[positions]
        return _counting(replace(self, index=index))

    def wide(self) -> Data:
        """The rows that count, in float64."""
        rows = slice(None) if self.index is None else self.index
        X = as_given(self.X)[rows]
        y, w = self.selected
        return Data(
            check_rows(X, X.shape[1], np.dtype(np.float64)),
            y.astype(np.float64) if y.dtype.kind == "f" else y,
            None if w is None else w.astype(np.float64),
            None,
            self.scales,
        )


def check_data(network, X, y, sample_weight=None, rows=None, scales=None) -> Data:
    """What :meth:`fastmlp.Network.objective` is given, as the sweeps read it.

    Raises
    ------
    ValueError
        Wrong shape or type, NaN or infinity; weights that sum to zero over the rows.
    """
    dtype = network.dtype
    X = check_rows(X, network.n_features, dtype)
    n = n_rows(X)
    return _counting(
        Data(
            X,
            check_targets(y, network._loss, network._output, n, network.n_targets, dtype),
            check_weights(sample_weight, n, dtype),
            check_rows_index(rows, n),
            check_scales(scales, network.n_features),
        )
    )


def _counting(data: Data) -> Data:
    if data.weight <= 0:
        raise ValueError("sample_weight sums to zero over the rows: none would count.")
    return data
