"""The Gauss-Newton matrix by the rows of its square root, where these are fewer than parameters."""

from __future__ import annotations

import numpy as np

from fastmlp.segments import BIASES


class Factors:
    """The rows of J as they come from a sweep; of different data, they add up to all of them.

    Row (i, k) of J holds for layer l the outer product of a~_(l-1) and delta_l.

    Parameters
    ----------
    pairs : list of (a, delta)
        For each layer, (n_samples, fan_in) and (n_samples * n_raw, fan_out).
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
                (np.concatenate([a, b]), np.concatenate([delta, more]))
                for (a, delta), (b, more) in zip(self.pairs, other.pairs, strict=True)
            ]
        )


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

    Attributes
    ----------
    n_residuals : int
        Rows of J.
    """

    def __init__(self, factors, segments, strengths):
        self._scale, self._strengths = factors.scale, strengths
        self.n_residuals = factors.pairs[0][1].shape[0]
        self._depth = self.n_residuals // factors.pairs[0][0].shape[0]
        # For each segment its a (None, for a bias: one) and delta.
        self._parts = [
            (segment, None if segment.group == BIASES else factors.pairs[k // 2][0], delta)
            for k, segment in enumerate(segments)
            for delta in factors.pairs[k // 2][1:]
        ]
        self._products: dict[float, np.ndarray] = {}  # J J' of the segments of one strength
        self._uneven: list[tuple] = []  # (a, delta, strengths of rows), by columns alike
        known, by_delta = None, None
        for segment, a, delta in self._parts:
            of_rows = strengths[segment.at : segment.end].reshape(segment.rows, segment.cols)
            if (of_rows == of_rows[0, 0]).all():
                by_delta = by_delta if delta is known else delta @ delta.T
                known = delta
                self._add(float(of_rows[0, 0]), by_delta * self._by_a(a))
                continue
            columns, which = np.unique(of_rows, axis=1, return_inverse=True)
            for k, column in enumerate(columns.T):
                self._uneven.append((a, delta[:, which.ravel() == k], column))

    def _add(self, strength, products):
        self._products[strength] = self._products.get(strength, 0.0) + self._scale * products

    def _by_a(self, a, weights=1.0):
        """Products of rows by their a, (n_residuals, n_residuals)."""
        if a is None:
            return weights
        by_a = (a * weights) @ a.T
        return by_a if self._depth == 1 else np.kron(by_a, np.ones((self._depth, self._depth)))

    def _repeated(self, rows):
        """Something per sample as something per residual."""
        return rows if self._depth == 1 else np.repeat(rows, self._depth, axis=0)

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
        """``J (D + damping I)^-1 J'``, (n_residuals, n_residuals)."""
        kernel = np.zeros((self.n_residuals, self.n_residuals))
        for strength, products in self._products.items():
            kernel += products / (strength + damping)
        for a, delta, column in self._uneven:
            weights = self._scale / (column + damping)
            kernel += (delta @ delta.T) * self._by_a(a, weights)
        return kernel

    def divide(self, v: np.ndarray, damping: float) -> np.ndarray:
        """``(D + damping I)^-1 v``, (n_params,)."""
        return v / (self._strengths + damping)

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
