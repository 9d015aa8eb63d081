"""Piecewise-linear encoding of numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp._names import shown
from fastmlp._numbers import check_integer
from fastmlp.tabular._piecewise import encode
from fastmlp.tabular._relevance import checked_scale


class PiecewiseLinearEncoder(TransformerMixin, BaseEstimator):
    """Each number as how far it has come through bins of equal mass.

    With the edges b of a column, its quantiles, the t-th of its new columns is

        min(max((x - b_t) / (b_{t+1} - b_t), 0), 1):

    ones below the bin of x, a fraction in it, zeros above. A linear function of them is piecewise
    linear in x: networks learn steps and bends that they are slow to find in x itself.
    Other than in the paper, the ends are held at 0 and 1.

    Equal quantiles share an edge: a column of two values becomes one of zeros and ones, a constant
    one none. A missing value is 0 in all bins, and a column that had missing ones in ``fit`` has a
    further one that is 1 for them.

    Parameters
    ----------
    n_bins : int, default=16
        Bins of a column, at most.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Type of the result; the place of a number in its bin is found in float64 in any case.
    keep : bool, default=False
        Whether columns of more than one bin come, too, as they are, after the new ones; a missing
        value is 0.
    scale : array-like of shape (n_features,) or None, default=None
        What the new columns of each column are multiplied by, at least 0, as
        :class:`ColumnScaler` has it; None: 1.

    Attributes
    ----------
    edges_ : list of ndarray
        Of each column, increasing.
    holes_ : ndarray of shape (n_features,)
        Which columns had missing values.
    scale_ : ndarray of shape (n_features,)
        What the new columns of each column are multiplied by.
    origin_ : ndarray of shape (n_features_out,)
        Which column each new one comes from.
    n_features_in_ : int
        Columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had names that are all strings.

    References
    ----------
    Gorishniy, Rubachev and Babenko, On embeddings for numerical features in tabular deep learning,
    NeurIPS 2022, arXiv:2203.05556.

    Examples
    --------
    >>> from fastmlp.tabular import PiecewiseLinearEncoder
    >>> encoder = PiecewiseLinearEncoder(n_bins=2).fit([[0.0], [1.0], [3.0]])
    >>> encoder.transform([[0.5], [2.0]])
    array([[0.5, 0. ],
           [1. , 0.5]])
    """

    edges_: list[np.ndarray]
    holes_: np.ndarray
    origin_: np.ndarray
    scale_: np.ndarray
    n_features_in_: int
    feature_names_in_: np.ndarray

    def __init__(
        self,
        n_bins: int = 16,
        dtype: Any = np.float64,
        keep: bool = False,
        scale: Any = None,
    ) -> None:
        self.n_bins = n_bins
        self.dtype = dtype
        self.keep = keep
        self.scale = scale

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the edges.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers; NaN where one is missing.
        y : None, default=None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            X has infinity or text, ``n_bins`` is no integer of at least 1, ``dtype`` is neither
            type, or ``scale`` has not a number of at least 0 for each column.

        Examples
        --------
        >>> from fastmlp.tabular import PiecewiseLinearEncoder
        >>> PiecewiseLinearEncoder(n_bins=2).fit([[0.0], [1.0], [3.0]]).edges_
        [array([0., 1., 3.])]
        """
        n_bins = check_integer("n_bins", self.n_bins)
        if self.dtype not in (np.float64, np.float32):
            raise ValueError(f"dtype must be float64 or float32, got {shown(self.dtype)}.")
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        self.scale_ = checked_scale(self.scale, X.shape[1])
        n_bins = min(n_bins, len(X))  # more levels than rows are no further quantiles
        levels = np.arange(n_bins + 1) / n_bins
        missing = np.isnan(X)
        self.holes_ = missing.any(axis=0)
        known = [column[~holes] for column, holes in zip(X.T, missing.T, strict=True)]
        self.edges_ = [
            np.unique(np.quantile(x, levels, method="inverted_cdf")) if x.size else x for x in known
        ]
        widths = [
            max(len(edges) - 1, 0) + holes
            for edges, holes in zip(self.edges_, self.holes_, strict=True)
        ]
        self.origin_ = np.append(np.repeat(np.arange(X.shape[1]), widths), self._kept())
        return self

    def _kept(self):
        """Columns that come as they are, too."""
        kept = [j for j, edges in enumerate(self.edges_) if self.keep and len(edges) > 2]
        return np.array(kept, dtype=np.intp)

    def transform(self, X: Any) -> np.ndarray:
        """Encode.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Numbers; NaN where one is missing.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            Between 0 and 1, but for columns kept as they are; times the scale.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``, or has infinity.

        Examples
        --------
        >>> from fastmlp.tabular import PiecewiseLinearEncoder
        >>> PiecewiseLinearEncoder().fit([[1.0], [2.0], [float("nan")]]).transform([[2.0]])[0, -2:]
        array([1., 0.])
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False, ensure_all_finite="allow-nan")
        return self.encoded(X)

    def encoded(self, X: np.ndarray) -> np.ndarray:
        """:meth:`transform` of a float64 array that is checked."""
        kept = self._kept()
        out = np.empty((len(X), len(self.origin_) - len(kept)), dtype=self.dtype)
        starts = np.cumsum([0, *map(len, self.edges_)], dtype=np.intp)
        encode(X, np.concatenate(self.edges_), starts, self.holes_.view(np.uint8), out)
        if self.keep:
            plain = X[:, kept]
            out = np.hstack([out, np.where(np.isnan(plain), 0, plain).astype(self.dtype)])
        if self.scale is not None:
            out *= self.scale_[self.origin_].astype(self.dtype)
        return out

    def is_like(self, other: PiecewiseLinearEncoder) -> bool:
        """Whether another one encodes as this one does."""
        return (
            self.dtype == other.dtype
            and self.keep == other.keep
            and len(self.edges_) == len(other.edges_)
            and np.array_equal(self.holes_, other.holes_)
            and np.array_equal(self.scale_, other.scale_)
            and all(map(np.array_equal, self.edges_, other.edges_))
        )

    def pull_back(self, slopes: np.ndarray, X: np.ndarray) -> np.ndarray:
        """d answer / d x, (n, n_outputs, n_features), from that by new columns; no NaN in X."""
        rows = np.arange(len(X))
        slopes = slopes * self.scale_[self.origin_]
        found = np.zeros((*slopes.shape[:2], X.shape[1]))
        start = 0
        for j, (x, edges, holes) in enumerate(zip(X.T, self.edges_, self.holes_, strict=True)):
            n_bins = max(len(edges) - 1, 0)
            if n_bins:
                at = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, n_bins - 1)
                steepness = ((x >= edges[0]) & (x <= edges[-1])) / np.diff(edges)[at]
                found[:, :, j] = slopes[rows, :, start + at] * steepness[:, np.newaxis]
            start += n_bins + holes
        found[:, :, self._kept()] += slopes[:, :, start:]
        return found

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the new columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns; None: those of ``fit``, or x0, x1, ...

        Returns
        -------
        ndarray of str

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            ``input_features`` are not those of ``fit``.

        Examples
        --------
        >>> from fastmlp.tabular import PiecewiseLinearEncoder
        >>> PiecewiseLinearEncoder(2).fit([[0.0], [1.0], [3.0]]).get_feature_names_out()
        array(['x0 bin 1', 'x0 bin 2'], dtype=object)
        """
        check_is_fitted(self)
        given = OneToOneFeatureMixin.get_feature_names_out(self, input_features)
        names: list[str] = []
        for name, edges, holes in zip(given, self.edges_, self.holes_, strict=True):
            names += [f"{name} bin {t}" for t in range(1, len(edges))]
            names += [f"{name} missing"] * bool(holes)
        names += [given[j] for j in self._kept()]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
