"""The Gauss-Newton matrix by the rows of its square root, where these are fewer than parameters."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from fastmlp.segments import BIASES


class Factors:
    """The rows of J as they come from a sweep; of different data, they add up to all of them.

    Row (i, k) of J holds for layer l the outer product of a~_(l-1) and delta_l.

    Parameters
    ----------
    pairs : list of (a, delta)
        For each layer, (n_samples, fan_in) and (n_samples * n_raw, fan_out); the first a may be a
        csr_array.
    """

    def __init__(self, pairs):
        self.pairs = pairs
        self.scale = 1.0  # of J' J

    def __itruediv__(self, weight: float) -> Factors:
        self.scale /= weight
        return self

    def __add__(self, other: Factors) -> Factors:
        return Factors(
            [
                (_stacked(a, b), np.concatenate([delta, more]))
                for (a, delta), (b, more) in zip(self.pairs, other.pairs, strict=True)
            ]
        )


def _stacked(a, b):
    if sparse.issparse(a) or sparse.issparse(b):
        return sparse.vstack([sparse.csr_array(a), sparse.csr_array(b)])
    return np.concatenate([a, b])


class Gram:
    """A Gauss-Newton matrix ``G = J' J + D`` by factors of J, which is never formed.

    Products of two rows need the products of their a and delta alone. D is diagonal: the strengths
    of a penalty.

    Parameters
    ----------
    factors : Factors
        Of J.
    segments : tuple of Segment
        The map of theta.
    strengths : ndarray of shape (n_params,)
        The diagonal of D, >= 0.
    metric : ndarray of shape (n_params,), optional
        The diagonal of S, > 0, in units of which damping is; the identity by default.

    Attributes
    ----------
    n_residuals : int
        Rows of J.
    """

    def __init__(self, factors, segments, strengths, metric=None):
        self._factors, self._segments = factors, segments
        self._scale, self._strengths = factors.scale, strengths
        self._metric = np.ones(strengths.size) if metric is None else metric
        self.n_residuals = factors.pairs[0][1].shape[0]
        self._depth = self.n_residuals // factors.pairs[0][0].shape[0]
        # For each segment its a (None, for a bias: one) and delta.
        self._parts = [
            (segment, None if segment.group == BIASES else a, delta)
            for segment in segments
            for a, delta in [factors.pairs[segment.layer - 1]]
        ]

    def under(self, strengths: np.ndarray, metric: np.ndarray) -> Gram:
        """The same rows of J with another D and S."""
        return Gram(self._factors, self._segments, strengths, metric)

    def _blocks(self):
        """Columns of segments whose strengths and metric are alike, these by the rows of theta.

        Yields
        ------
        segment, a, delta, columns, strengths, metric
            delta of these columns alone.
        """
        for segment, a, delta in self._parts:
            shape = segment.rows, segment.cols
            strengths = self._strengths[segment.at : segment.end].reshape(shape)
            metric = self._metric[segment.at : segment.end].reshape(shape)
            if (strengths == strengths[:, :1]).all() and (metric == metric[:, :1]).all():
                yield segment, a, delta, slice(None), strengths[:, 0], metric[:, 0]
                continue
            both, which = np.unique(np.vstack([strengths, metric]), axis=1, return_inverse=True)
            for k, column in enumerate(both.T):
                columns = np.flatnonzero(which.ravel() == k)
                yield segment, a, delta[:, columns], columns, *np.split(column, 2)

    @cached_property
    def _sums(self):
        """J J' of all blocks of one strength and metric, by these; and the other blocks."""
        products: dict[tuple[float, float], np.ndarray] = {}
        uneven, known, by_delta = [], None, None
        for _, a, delta, _, strengths, metric in self._blocks():
            if (strengths == strengths[0]).all() and (metric == metric[0]).all():
                by_delta = by_delta if delta is known else delta @ delta.T
                known = delta
                key = float(strengths[0]), float(metric[0])
                products[key] = products.get(key, 0.0) + self._scale * by_delta * self._by_a(a)
            else:
                uneven.append((a, delta, strengths, metric))
        return products, uneven

    def _by_a(self, a, weights=1.0):
        """Products of rows by their a, (n_residuals, n_residuals)."""
        if a is None:
            return weights
        by_a = (a * weights) @ a.T
        if sparse.issparse(by_a):
            by_a = by_a.toarray()
        return by_a if self._depth == 1 else np.kron(by_a, np.ones((self._depth, self._depth)))

    def _repeated(self, rows):
        """Something per sample as something per residual."""
        if self._depth == 1:
            return rows
        return rows[np.repeat(np.arange(rows.shape[0]), self._depth)]

    @property
    def diagonal(self) -> np.ndarray:
        """Of G, (n_params,)."""
        out = self._strengths.copy()
        for segment, a, delta in self._parts:
            squares = self._scale * delta**2
            by_a = squares.sum(axis=0) if a is None else self._repeated(a**2).T @ squares
            out[segment.at : segment.end] += by_a.ravel()
        return out

    def kernel(self, damping: float) -> np.ndarray:
        """``J (D + damping S)^-1 J'``, (n_residuals, n_residuals).

        Without damping over the parameters that have a strength.
        """
        kernel = np.zeros((self.n_residuals, self.n_residuals))
        products, uneven = self._sums
        for (strength, metric), product in products.items():
            divisor = strength + damping * metric
            if divisor > 0:
                kernel += product / divisor
        for a, delta, strengths, metric in uneven:
            kernel += (delta @ delta.T) * self._by_a(
                a, self._scale / (strengths + damping * metric)
            )
        return kernel

    def determined(self, R: np.ndarray) -> np.ndarray:
        """The diagonal of ``J' R J D^-1``, (n_params,), as means over rows of each segment.

        More exactly over what has one strength in a row. 0 where there is none.

        Parameters
        ----------
        R : ndarray of shape (n_residuals, n_residuals)
            Symmetric.
        """
        out = np.zeros_like(self._strengths)
        for segment, a, delta, columns, strengths, _ in self._blocks():
            if not strengths.all():
                continue
            weighted = self._scale * (delta @ delta.T) * R
            if a is None:
                of_rows = weighted.sum()
            else:
                n = a.shape[0]
                weighted = weighted.reshape(n, self._depth, n, self._depth).sum(axis=(1, 3))
                of_rows = np.einsum("ij,ij->j", a, weighted @ a)
            view = out[segment.at : segment.end].reshape(segment.rows, segment.cols)
            view[:, columns] = (of_rows / strengths)[:, np.newaxis] / delta.shape[1]
        return out

    def divide(self, v: np.ndarray, damping: float) -> np.ndarray:
        """``(D + damping S)^-1 v``, (n_params,)."""
        return v / (self._strengths + damping * self._metric)

    def mul(self, v: np.ndarray) -> np.ndarray:
        """``J v``, (n_residuals,)."""
        out = np.zeros(self.n_residuals)
        for segment, a, delta in self._parts:
            part = segment.of(v)
            rz = part[np.newaxis] if a is None else self._repeated(a @ part)
            out += np.einsum("ij,ij->i", np.broadcast_to(rz, delta.shape), delta)
        return np.sqrt(self._scale) * out

    def transpose_mul(self, u: np.ndarray) -> np.ndarray:
        """``J' u``, (n_params,)."""
        out = np.empty_like(self._strengths)
        for segment, a, delta in self._parts:
            weighted = u[:, None] * delta
            by_a = weighted.sum(axis=0) if a is None else self._repeated(a).T @ weighted
            out[segment.at : segment.end] = by_a.ravel()
        return np.sqrt(self._scale) * out
