"""Ridge regression by a kernel of steps, with width and strength chosen by errors left out."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state

from fastmlp.tabular._members import dense

# By so many rows width and strength are chosen: their kernels are decomposed in .1 s.
CHOOSING = 500
WIDTHS = (0.3, 1.0, 3.0, 10.0)  # in units of the median distance
STRENGTHS = np.logspace(-4, 1, 11)
TINY = 1e-12


class LaplaceRidge(RegressorMixin, BaseEstimator):
    """Ridge regression in the space of the kernel exp(-(sum_j |x_j - x'_j| / width)^power).

    With a power of 1 its functions are sums of products of steps in single columns: they bend where
    rows are, as trees do. With less they are rougher, and remember single rows. Width and strength
    are those of the least squared error of a sample of rows, each left out (Rasmussen and Williams,
    Gaussian Processes for Machine Learning, 2006, section 5.4.2).

    Parameters
    ----------
    power : float, default=1.0
        Above 0, at most 1: then the kernel is positive definite.
    random_state : int, RandomState or None, default=None
        Draws the sample.

    Attributes
    ----------
    width_, strength_ : float
        The choice.
    rows_ : {ndarray, CSR matrix} of shape (n_samples, n_features)
        Those fitted to.
    dual_coef_ : ndarray of shape (n_samples, n_outputs)
        What each of them adds.
    """

    def __init__(self, power: float = 1.0, random_state: Any = None) -> None:
        self.power = power
        self.random_state = random_state

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Choose, then fit to all rows: ``y`` of mean 0, (n_samples,) or (n_samples, n_outputs)."""
        self._flat = y.ndim == 1
        weights = np.ones(X.shape[0]) if sample_weight is None else sample_weight
        counted = weights > 0
        self.rows_, y, root = X[counted], y[counted], np.sqrt(weights[counted])[:, np.newaxis]
        X, n = dense(self.rows_), len(y)
        targets = root * y.reshape(n, -1)
        chosen = check_random_state(self.random_state).permutation(n)[:CHOOSING]
        distances = squareform(pdist(X, "cityblock"))
        self._choose(distances[np.ix_(chosen, chosen)], targets[chosen], root[chosen])
        kernel = root * self._kernel(distances) * root.T
        kernel[np.diag_indices(n)] += self.strength_
        factor = cho_factor(kernel, lower=True, overwrite_a=True)
        self.dual_coef_ = root * cho_solve(factor, targets)
        return self

    def _distances(self, X):
        return cdist(dense(X), dense(self.rows_), "cityblock")

    def _choose(self, distances, targets, root):
        apart = distances[distances > 0]
        unit = np.median(apart) if apart.size else 1.0
        best = np.inf
        for width in WIDTHS:
            kernel = root * np.exp(-((distances / (width * unit)) ** self.power)) * root.T
            values, vectors = eigh(kernel, overwrite_a=True, driver="evd")
            values, squares, inner = np.maximum(values, 0.0), vectors**2, vectors.T @ targets
            for strength in STRENGTHS:
                shrunk = 1 / (values + strength)
                # The error of a row left out: its dual coefficient by the inverse's diagonal.
                errors = vectors @ (shrunk[:, np.newaxis] * inner)
                loss = np.mean((errors / (squares @ shrunk)[:, np.newaxis]) ** 2)
                if loss < best:
                    best, self.width_, self.strength_ = loss, width * unit, strength

    def _kernel(self, distances):
        """exp(-(distances / width)^power), in place."""
        distances /= self.width_
        if self.power != 1:
            distances **= self.power
        return np.exp(np.negative(distances, out=distances), out=distances)

    def predict(self, X: Any) -> np.ndarray:
        """Targets, as ``fit`` was given them."""
        answer = self._kernel(self._distances(X)) @ self.dual_coef_
        return answer[:, 0] if self._flat else answer

    def input_jacobian(self, X: np.ndarray) -> np.ndarray:
        """d answer / d x, (n, n_outputs, n_features); where x is one of the rows, 0 of this one."""
        rows = dense(self.rows_)
        distances = np.maximum(self._distances(X) / self.width_, TINY)
        steepness = self.power / self.width_ * distances ** (self.power - 1)
        steepness *= np.exp(-(distances**self.power))
        slopes = [
            (steepness * np.sign(rows[:, j] - X[:, j, np.newaxis])) @ self.dual_coef_
            for j in range(X.shape[1])
        ]
        return np.stack(slopes, axis=-1)
