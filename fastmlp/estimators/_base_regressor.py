"""What regressors share: ``fit``, ``partial_fit``, targets as numbers and their scales."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from fastmlp._scales import exchange_y_scales
from fastmlp.estimators import _data
from fastmlp.estimators._base import BaseMLP, is_mini_batch


class BaseRegressor(RegressorMixin, BaseMLP):
    """Base of the regressors; a subclass knows its losses and what it makes of the outputs."""

    y_mean_: np.ndarray | None
    y_scale_: np.ndarray | None

    _numeric_targets = True

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; float32 is kept, other types become float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative.
        X_val, y_val : array-like, default=None
            Validation data. It turns early stopping on, for every solver and whatever
            ``early_stopping`` says, and is used instead of a part of X.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights of the validation data.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or the data make no sense, or if the fit diverged; the estimator is
            then as it was before.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import MLPRegressor
        >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
        >>> y = np.sin(3 * X).ravel()
        >>> model = MLPRegressor(hidden_layer_sizes=5, activation="tanh", solver="lm")
        >>> model = model.set_params(random_state=0)
        >>> model.fit(X, y).score(X, y) > 0.99
        True
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    @available_if(is_mini_batch)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make one pass over the given data, from where the last one ended.

        The optimiser's state is kept between calls, also through a pickle.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative. A batch without any weight is checked and skipped.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A batch is not as those before; a parameter or the data make no sense.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import MLPRegressor
        >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
        >>> y = np.sin(3 * X).ravel()
        >>> model = MLPRegressor(hidden_layer_sizes=(5,), random_state=0)
        >>> model.partial_fit(X[:25], y[:25]).partial_fit(X[25:], y[25:]).t_
        50
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def _encode(self, y, sample_weight, fresh, incremental, classes):
        targets = self._numbers(y, "y")
        return targets, (1 if targets.ndim == 1 else targets.shape[1]), {}

    def _encode_validation(self, y):
        return self._numbers(y, "y_val")

    def _numbers(self, y, name):
        """Targets in float64, (n,) or (n, n_targets)."""
        if sp.issparse(y):
            raise ValueError(f"Sparse {name} is not supported; pass {name}.toarray().")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return y.astype(np.float64, copy=False)

    def _follow_target_scales(self, targets, sample_weight, network, theta):
        if self.y_mean_ is not None:
            columns = targets.reshape(len(targets), -1)
            exchange_y_scales(
                network, theta, *_data.follow_scales(self, "y", columns, sample_weight)
            )

    def _scale_targets(self, targets):
        if self.y_mean_ is None:
            return targets
        scaled = targets - self.y_mean_
        scaled /= self.y_scale_
        return scaled

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
