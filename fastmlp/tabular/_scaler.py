"""Robust scaling of numbers, with a smooth clip."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

REACH = 3.0  # where outliers end up
# So many columns share a unit, at least, where all lie in one range, and such a share fills it.
FEWEST_ALIKE, FILL = 8, 0.5
# A distance, and one that has a square.
MOST, MOST_SQUARED = 1e300, 1e150


class SmoothClipScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale columns by their quartiles, and bend what lies far out to between -3 and 3.

    With the median m and the quartiles q of a column,

        z = s (x - m),    s = 1 / (q_75 - q_25),    out = z / sqrt(1 + (z / 3)^2);

    where the quartiles coincide s = 2 / (max - min), and s = 0 where all values do.

    Columns that share a unit, such as the pixels of a picture, share s, so that those that hardly
    vary do not grow to the size of others: it is that of all their x - m together. They are told by
    their range: eight columns or more, all within [min, max], which half of them fill.

    Attributes
    ----------
    center_, scale_ : ndarray of shape (n_features,)
        m and s.

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart, Better by default: strong pre-tuned MLPs and boosted trees
    on tabular data, NeurIPS 2024, arXiv:2407.04491.

    Examples
    --------
    >>> from fastmlp.tabular import SmoothClipScaler
    >>> SmoothClipScaler().fit_transform([[0.0], [1.0], [2.0], [1e9]]).round(2).ravel()
    array([-0. , -0. ,  0. ,  2.4])
    """

    center_: np.ndarray
    scale_: np.ndarray

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the medians and scales.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers, all finite.
        y : None, default=None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            X has NaN or infinity, or text.

        Examples
        --------
        >>> from fastmlp.tabular import SmoothClipScaler
        >>> SmoothClipScaler().fit([[0.0], [1.0], [2.0]]).scale_
        array([1.])
        """
        X = validate_data(self, X, dtype=np.float64)
        low, self.center_, high = np.percentile(X, [25, 50, 75], axis=0)
        with np.errstate(over="ignore"):
            spread, width = high - low, np.ptp(X, axis=0)
        varies = width > 0
        if _share_a_unit(X[:, varies]):
            low, high = np.percentile((X - self.center_)[:, varies], [25, 75])
            spread[:], width[varies] = high - low, width.max()
        with np.errstate(divide="ignore", over="ignore"):
            scale = np.where(spread > 0, 1 / spread, 2 / width)
        self.scale_ = np.where(varies & np.isfinite(scale), scale, 0.0)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Scale and clip.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers, all finite.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Between -3 and 3.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``, or not finite.

        Examples
        --------
        >>> from fastmlp.tabular import SmoothClipScaler
        >>> SmoothClipScaler().fit([[0.0], [1.0], [2.0]]).transform([[1.0]])
        array([[0.]])
        """
        check_is_fitted(self)
        return self.scaled(validate_data(self, X, dtype=np.float64, reset=False))

    def scaled(self, X: np.ndarray) -> np.ndarray:
        """:meth:`transform` of a float64 array that is checked."""
        with np.errstate(over="ignore"):
            z = self.scale_ * np.clip(X - self.center_, -MOST, MOST)
        z = np.clip(z, -MOST_SQUARED, MOST_SQUARED)
        return z / np.sqrt(1.0 + (z / REACH) ** 2)


def _share_a_unit(X):
    """Whether at least ``FILL`` of the columns have the range of all of them together."""
    if X.shape[1] < FEWEST_ALIKE:
        return False
    fills = (X.min(axis=0) == X.min()) & (X.max(axis=0) == X.max())
    return fills.mean() >= FILL


def unit_of(y):
    """A power of two of the size of each column's largest number; dividing by it rounds nothing."""
    largest = np.abs(y).max(axis=0)
    return np.ldexp(1.0, np.where(largest > 0, np.frexp(largest)[1] - 1, 0))
