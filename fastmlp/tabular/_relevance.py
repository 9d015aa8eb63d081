"""Columns scaled by what a network with a strength for each of them makes of them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp._names import shown


class ColumnScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Columns times numbers that are given.

    Weight decay, and the first steps of any descent, favour columns of large values. A network that
    learns with ``evidence="ard"`` says how much each column matters; columns that are multiplied by
    the roots of that make other networks heed it, too.

    Parameters
    ----------
    scale : array-like of shape (n_features,) or None, default=None
        Finite numbers, at least 0. None: columns stay as they are.

    Attributes
    ----------
    scale_ : ndarray of shape (n_features,)
        What columns are multiplied by.
    n_features_in_ : int
        Columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had names that are all strings.

    See Also
    --------
    PiecewiseLinearEncoder : Takes a scale, too.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import MLPRegressor
    >>> from fastmlp.solvers import LevenbergMarquardt
    >>> from fastmlp.tabular import ColumnScaler
    >>> rng = np.random.RandomState(0)
    >>> X = rng.normal(size=(200, 3))
    >>> y = np.sin(X[:, 0])
    >>> solver = LevenbergMarquardt(evidence="ard")
    >>> model = MLPRegressor(hidden_layer_sizes=(4,), solver=solver, random_state=0).fit(X, y)
    >>> ColumnScaler(np.sqrt(model.evidence_.relevance)).fit_transform(X).std(axis=0).argmax()
    np.int64(0)
    """

    scale_: np.ndarray
    n_features_in_: int
    feature_names_in_: np.ndarray

    def __init__(self, scale: Any = None) -> None:
        self.scale = scale

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the scale.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Numbers.
        y : None, default=None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            ``scale`` has another length than X has columns, or numbers below 0 or not finite.

        Examples
        --------
        >>> from fastmlp.tabular import ColumnScaler
        >>> ColumnScaler([2.0, 0.0]).fit([[1.0, 1.0]]).scale_
        array([2., 0.])
        """
        X = validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32))
        self.scale_ = checked_scale(self.scale, X.shape[1])
        return self

    def transform(self, X: Any) -> Any:
        """Multiply.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Numbers.

        Returns
        -------
        {ndarray, CSR matrix} of shape (n_samples, n_features)

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``.

        Examples
        --------
        >>> from fastmlp.tabular import ColumnScaler
        >>> ColumnScaler([2.0, 0.0]).fit_transform([[1.0, 1.0]])
        array([[2., 0.]])
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=(np.float64, np.float32), reset=False)
        return self.scaled(X)

    def scaled(self, X):
        """:meth:`transform` of rows that are checked."""
        if self.scale is None:
            return X
        scale = self.scale_.astype(X.dtype, copy=False)
        return (X @ sp.diags(scale)).tocsr() if sp.issparse(X) else X * scale

    def pull_back(self, slopes: np.ndarray, X: np.ndarray) -> np.ndarray:
        """d answer / d x, (n, n_outputs, n_features), from that by the scaled columns."""
        return slopes * self.scale_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def checked_scale(scale, n_features):
    """A number of at least 0 for each column, (n_features,)."""
    if scale is None:
        return np.ones(n_features)
    try:
        found = np.asarray(scale, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.shape != (n_features,) or not np.isfinite(found).all() or (found < 0).any():
        raise ValueError(
            f"scale must be {n_features} finite numbers, at least 0, one for each column of X, or "
            f"None; got {shown(scale)}."
        )
    return found


def scale_by(member):
    """Roots of the relevances that a fitted network found, of mean square 1; None: it found none.

    Networks decay weights in any case: what matters little is to be small, not to vanish.
    """
    network = getattr(member, "regressor_", member)
    relevance = getattr(getattr(network, "evidence_", None), "relevance", None)
    if relevance is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        scale = np.sqrt(relevance / np.mean(relevance))
    return scale if np.isfinite(scale).all() else None
