"""A Normal density of theta around a mode, and what it says of outputs that are linear in theta."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg.blas import dtrsm

_BLOCK_BYTES = 1 << 24  # of Jacobians at a time


class Factor:
    """``P = L L'``, a precision, in blocks on the diagonal.

    Parameters
    ----------
    parts : list of slice
        Stretches of theta, one after another.
    blocks : list of ndarray
        Their L, (size, size), lower and in Fortran's order.
    scale : float
        What L L' is to be multiplied by.
    """

    def __init__(self, parts, blocks, scale):
        self._parts, self._blocks, self._root = parts, blocks, np.sqrt(scale)

    def divide(self, rows: np.ndarray, transposed: bool = False) -> np.ndarray:
        """``rows L'^-1``, or ``rows L^-1``, of rows (m, n_params).

        The first makes rows of Jacobians into those whose products are covariances; the second
        white noise into draws.
        """
        out = np.empty_like(rows)
        for part, L in zip(self._parts, self._blocks, strict=True):
            out[:, part] = dtrsm(
                1 / self._root, L, rows[:, part], side=1, lower=1, trans_a=not transposed
            )
        return out


class DiagonalFactor:
    """The same of a diagonal precision.

    Parameters
    ----------
    precision : ndarray of shape (n_params,)
    """

    def __init__(self, precision):
        self._root = np.sqrt(precision)

    def divide(self, rows: np.ndarray, transposed: bool = False) -> np.ndarray:
        """As :meth:`Factor.divide`."""
        return rows / self._root


class Gaussian:
    """``N(mode, P^-1)`` over the parameters of a network, behind one whose parameters are fixed.

    Outputs are taken as linear in theta around the mode, whose curvature P is: what the network
    itself says of draws of theta is worse (Immer, Korzepa and Bauer, AISTATS 2021).

    Parameters
    ----------
    network : Network
        Of these parameters.
    mode : ndarray of shape (n_params,)
    factor : Factor or DiagonalFactor
        Of P.
    noise : float
        Standard deviation of the noise, or 1.
    front : tuple (Network, ndarray) or None
        What makes the inputs of ``network``, and its parameters.
    embed : callable or None
        Makes parameters of another network of these, where ``network`` is a linear function.
    """

    def __init__(self, network, mode, factor, noise, front=None, embed=None):
        self.network, self.mode, self.noise = network, mode, noise
        self._factor, self._front, self._embed = factor, front, embed

    def inputs(self, X: Any) -> Any:
        """What ``network`` sees of X."""
        if self._front is None:
            return X
        network, theta = self._front
        return network.predict(theta, X)

    def whole(self, thetas: np.ndarray) -> np.ndarray:
        """Of parameters (m, n_params) those of the network that was trained."""
        if self._embed is not None:
            thetas = np.stack([self._embed(theta) for theta in thetas])
        if self._front is not None:
            fixed = self._front[1].astype(np.float64)
            thetas = np.hstack([np.broadcast_to(fixed, (len(thetas), fixed.size)), thetas])
        return thetas

    def moves(self, n: int, rng: Any) -> np.ndarray:
        """Draws of theta - mode, (n, n_params)."""
        white = rng.standard_normal((n, self.mode.size))
        return self._factor.divide(white, transposed=True)

    def moments(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of the raw outputs, (n, n_raw) and (n, n_raw, n_raw)."""
        X = self.inputs(X)
        mean = self.network.raw(self.mode, X).astype(np.float64)
        n, n_raw = mean.shape
        cov = np.empty((n, n_raw, n_raw))
        for rows, jacobian in self._jacobians(X, n):
            half = self._factor.divide(jacobian).reshape(-1, n_raw, self.mode.size)
            np.matmul(half, half.transpose(0, 2, 1), out=cov[rows])
        return mean, cov

    def functions(self, X: Any, n: int, rng: Any) -> np.ndarray:
        """Raw outputs of n draws, linear in theta, (n, n_samples, n_raw)."""
        X = self.inputs(X)
        mean = self.network.raw(self.mode, X).astype(np.float64)
        out = np.broadcast_to(mean, (n, *mean.shape)).copy()
        moves = self.moves(n, rng)
        for rows, jacobian in self._jacobians(X, len(mean)):
            out[:, rows] += (moves @ jacobian.T).reshape(n, -1, mean.shape[1])
        return out

    def _jacobians(self, X, n):
        """d raw / d theta, a few rows at a time: these, and (rows * n_raw, n_params)."""
        n_params = self.mode.size
        step = max(1, _BLOCK_BYTES // (8 * self.network.n_raw * n_params))
        for at in range(0, n, step):
            rows = slice(at, at + step)
            yield rows, self.network.jacobian(self.mode, X[rows]).reshape(-1, n_params)
