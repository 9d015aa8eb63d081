"""What a regressor that has a distribution for each row answers."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from fastmlp._names import check_choice
from fastmlp.distributions import Distribution
from fastmlp.metrics import log_score

OUTPUT_TYPES = (None, "mean", "median", "mode", "quantiles", "main", "full")
DECILES = tuple(k / 10 for k in range(1, 10))


class PredictiveMixin:
    """``predict`` and what goes beyond it, by ``_dist``."""

    @abstractmethod
    def _dist(self, X: Any) -> Distribution:
        """The predictive distributions of the rows of X, in the units of y, X as the user gave it.

        Of shape (n,) where y was one-dimensional, else (n, n_targets).
        """

    def predict(
        self,
        X: Any,
        return_std: bool = False,
        output_type: str | None = None,
        quantiles: Any = None,
    ) -> Any:
        """Predict targets: the mean of each row's distribution, and more where asked.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        return_std : bool, default=False
            Whether to return the standard deviations, too, as scikit-learn's Gaussian processes do.
            Those of MLPDistributionRegressor are noise alone, and say nothing of how little is
            known far from the data: BayesianMLPRegressor's have both.
        output_type : str, default=None
            In TabPFN's words: "mean" (as None), "median", "mode", "quantiles", "main": a dict of
            these four; "full": a dict that has the distributions, too, under "dist".
        quantiles : array-like of float, default=None
            Levels between 0 and 1, for "quantiles", "main" and "full"; None: 0.1, 0.2, ..., 0.9.

        Returns
        -------
        ndarray, tuple of two ndarray, list of ndarray or dict
            The means, of shape (n_samples,) or (n_samples, n_outputs), in the units of y; with
            ``return_std`` the pair (mean, std). Quantiles are a list with such an array for each
            level; see :meth:`predict_quantiles` for one array.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``: shape, names, NaN, infinity, text; an unknown ``output_type``;
            arguments that exclude each other.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import MLPDistributionRegressor
        >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
        >>> y = np.random.default_rng(0).normal(X.ravel(), 0.1)
        >>> model = MLPDistributionRegressor("normal", (), solver="lm", random_state=0).fit(X, y)
        >>> mean, std = model.predict([[0.5]], return_std=True)
        >>> mean.round(1), std.round(1)
        (array([0.5]), array([0.1]))
        """
        check_choice("output_type", output_type, OUTPUT_TYPES)
        levels = DECILES if quantiles is None else quantiles
        if quantiles is not None and output_type not in ("quantiles", "main", "full"):
            raise ValueError(
                "quantiles go with output_type='quantiles', 'main' or 'full'; got "
                f"output_type={output_type!r}. For one array: predict_quantiles(X, q)."
            )
        if return_std and output_type not in (None, "mean"):
            raise ValueError(f"return_std=True goes with the mean; got {output_type=}.")
        dist = self._dist(X)
        if return_std:
            return dist.mean(), dist.std()
        if output_type in ("main", "full"):
            found = {name: getattr(dist, name)() for name in ("mean", "median", "mode")}
            found["quantiles"] = _apart(dist, levels)
            return found if output_type == "main" else found | {"dist": dist}
        if output_type == "quantiles":
            return _apart(dist, levels)
        return getattr(dist, output_type or "mean")()

    def predict_dist(self, X: Any) -> Distribution:
        """Predict the distributions of targets: densities, quantiles, samples, scores.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        Distribution
            Of shape (n_samples,) or (n_samples, n_outputs), in the units of y: see
            :mod:`fastmlp.distributions`.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``: shape, names, NaN, infinity, text.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import MLPDistributionRegressor
        >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
        >>> y = np.random.default_rng(0).normal(X.ravel(), 0.1)
        >>> model = MLPDistributionRegressor("normal", (), solver="lm", random_state=0).fit(X, y)
        >>> dist = model.predict_dist([[0.0], [0.5]])
        >>> dist.cdf([0.0, 1.0]).round(1)
        array([0.5, 1. ])
        """
        return self._dist(X)

    def predict_quantiles(self, X: Any, q: Any) -> np.ndarray:
        """Predict quantiles.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        q : array-like of shape (m,)
            Levels from 0 to 1.

        Returns
        -------
        ndarray of shape (n_samples, m) or (n_samples, n_outputs, m)
            In the units of y, a column for each level.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``; a level out of range.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import MLPDistributionRegressor
        >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
        >>> y = np.random.default_rng(0).normal(X.ravel(), 0.1)
        >>> model = MLPDistributionRegressor("normal", (), solver="lm", random_state=0).fit(X, y)
        >>> model.predict_quantiles([[0.2], [0.5]], [0.1, 0.5, 0.9]).round(1)
        array([[0.1, 0.2, 0.3],
               [0.4, 0.5, 0.6]])
        """
        return self._dist(X).quantiles(q)

    def predict_interval(self, X: Any, coverage: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Predict central intervals that hold the target with a given probability.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        coverage : float, default=0.9
            Strictly between 0 and 1.

        Returns
        -------
        lower, upper : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the units of y.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``; a coverage out of range.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import MLPDistributionRegressor
        >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
        >>> y = np.random.default_rng(0).normal(X.ravel(), 0.1)
        >>> model = MLPDistributionRegressor("normal", (), solver="lm", random_state=0).fit(X, y)
        >>> lower, upper = model.predict_interval(X, coverage=0.9)
        >>> bool(0.85 < np.mean((lower <= y) & (y <= upper)) < 0.95)
        True
        """
        return self._dist(X).interval(coverage)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The mean log-likelihood of targets, in their own units: higher is better.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative.

        Returns
        -------
        float
            The mean over rows (and outputs) of ``predict_dist(X).logpdf(y)``; -inf if a target has
            no density. In nats; for another unit of y, c times as large, it is less by ln c.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X or y are not as in ``fit``.
        TypeError
            y holds no numbers.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import MLPDistributionRegressor
        >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
        >>> y = np.random.default_rng(0).normal(X.ravel(), 0.1)
        >>> model = MLPDistributionRegressor("normal", (), solver="lm", random_state=0).fit(X, y)
        >>> bool(np.isclose(model.score(X, y), model.predict_dist(X).logpdf(y).mean()))
        True
        """
        return -log_score(y, self._dist(X), sample_weight=sample_weight)


def _apart(dist, levels):
    """Quantiles as a list with an array for each level."""
    return list(np.moveaxis(dist.quantiles(levels), -1, 0))
