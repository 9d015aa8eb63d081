"""Several models as one: their predictive distributions, averaged by stacking or by evidence."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize as scipy_minimize
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, check_array, get_tags, indexable
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from fastmlp._names import check_choice, shown
from fastmlp._sparse import sound
from fastmlp._weighted import average as weighted_mean
from fastmlp.distributions import Distribution, Normal
from fastmlp.distributions import average as average_of
from fastmlp.estimators._data import check_weights
from fastmlp.estimators._predictive import PredictiveMixin

WEIGHTS = ("stacking", "evidence")
# Weights below this are zero: such a model is not asked.
LEAST_WEIGHT = 1e-4
# Probabilities of classes that a fold did not have, and densities of targets out of reach.
LEAST_PROBABILITY = 1e-12
LOG_LEAST = -700.0


def average(
    models: Sequence[Any],
    X: Any,
    y: Any,
    weights: str = "stacking",
    *,
    cv: Any = 5,
    sample_weight: Any = None,
) -> AverageRegressor | AverageClassifier:
    """Fit several models and average what they predict.

    Parameters
    ----------
    models : sequence of estimators, or of pairs (name, estimator)
        All classifiers, or all regressors. They are cloned.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Samples.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    weights : {"stacking", "evidence"}, default="stacking"
        See :class:`AverageRegressor`.
    cv : int, splitter or iterable, default=5
        The folds of stacking, as scikit-learn takes them.
    sample_weight : array-like of shape (n_samples,), optional
        Weights, for the fits and for the scores.

    Returns
    -------
    AverageRegressor or AverageClassifier
        Fitted.

    Raises
    ------
    TypeError, ValueError
        No models, or ones that do not go together; models that lack what is asked of them.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastmlp import MLPClassifier, average
    >>> X, y = load_iris(return_X_y=True)
    >>> models = [MLPClassifier(h, solver="lbfgs", alpha=1.0, random_state=0) for h in [(), (10,)]]
    >>> model = average(models, X, y)
    >>> model.score(X, y) > 0.95, round(float(model.weights_.sum()), 6)
    (True, 1.0)
    """
    named = _named(models)
    kind = AverageClassifier if is_classifier(named[0][1]) else AverageRegressor
    return kind(models, weights=weights, cv=cv).fit(X, y, sample_weight=sample_weight)


class _Average(BaseEstimator):
    """What both share: folds, weights, the leaderboard."""

    def __init__(self, models: Sequence[Any], weights: str = "stacking", cv: Any = 5):
        self.models = models
        self.weights = weights
        self.cv = cv

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit all models, and find their weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights, for the fits and for the scores.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            No models, or ones that do not go together; models that lack what is asked of them.
        """
        check_choice("weights", self.weights, WEIGHTS)
        named = _named(self.models)
        self._check_kind(named)
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} requires y to be passed, but the target y is None."
            )
        X, y = indexable(sound(X), y)
        y = self._learn_targets(y)
        w = None if sample_weight is None else np.asarray(sample_weight)
        w = check_weights(w, len(y))
        self.names_ = [name for name, _ in named]
        if self.weights == "stacking":
            data = X, y, w
            if w is not None and not np.iterable(self.cv):  # folds are of rows that count
                data = [_safe_indexing(part, np.flatnonzero(w)) for part in data]
            scores, self._spreads = self._out_of_fold([m for _, m in named], *data)
            self.log_scores_ = np.array([weighted_mean(column, data[2]) for column in scores.T])
            found = stacking_weights(scores, data[2])
        self.models_ = [_fitted(model, X, y, w) for _, model in named]
        if self.weights == "evidence":
            self.log_scores_ = np.array([_evidence(m, name) for name, m in self._fitted_pairs()])
            _check_units(self.models_)
            self._spreads = [_spread_of_evidence(m, X, y, w) for m in self.models_]
            found = softmax(self.log_scores_)
        found = np.where(found < LEAST_WEIGHT, 0.0, found)
        self.weights_ = found / found.sum()
        first = self.models_[0]
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(first, name):
                setattr(self, name, getattr(first, name))
        return self

    def _fitted_pairs(self):
        return zip(self.names_, self.models_, strict=True)

    @property
    def leaderboard_(self) -> list[dict[str, Any]]:
        """Name, score and weight of each model, the best first.

        The score is the mean log-density (or log-probability) of rows out of fold, or the log of
        the marginal likelihood of all.
        """
        check_is_fitted(self, "weights_")
        rows = [
            {"name": name, "score": float(score), "weight": float(weight)}
            for name, score, weight in zip(
                self.names_, self.log_scores_, self.weights_, strict=True
            )
        ]
        return sorted(rows, key=lambda row: -row["score"])

    def _used(self):
        """Models of some weight, with it and the spread of their points."""
        check_is_fitted(self, "weights_")
        found = zip(self.models_, self.weights_, self._spreads, strict=True)
        return [(model, weight, spread) for model, weight, spread in found if weight > 0]

    def _out_of_fold(self, models, X, y, w):
        """Log-scores of each row by models that did not see it, (n, k), and spreads of points."""
        splits = list(check_cv(self.cv, y, classifier=is_classifier(self)).split(X, y))
        seen = np.zeros(len(y), int)
        for _, test in splits:
            seen[test] += 1
        if (seen != 1).any():
            raise ValueError("cv must hold each row out once: a partition of the rows.")
        scores, spreads = np.empty((len(y), len(models))), []
        for k, model in enumerate(models):
            parts = []
            for train, test in splits:
                X_train, y_train = _safe_split(model, X, y, train)
                fitted = _fitted(model, X_train, y_train, None if w is None else w[train])
                parts.append((test, self._answer(fitted, _safe_split(model, X, y, test)[0])))
            column, spread = self._judge(parts, y, w)
            scores[:, k] = column
            spreads.append(spread)
        return scores, spreads

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = all(get_tags(m).input_tags.sparse for _, m in _named(self.models))
        return tags


class AverageRegressor(PredictiveMixin, RegressorMixin, _Average):
    """Regressors whose predictive distributions are averaged.

    Parameters
    ----------
    models : sequence of estimators, or of pairs (name, estimator)
        With ``predict_dist``, or with ``predict(X, return_std=True)``, or with ``predict`` alone:
        points then get a Normal density whose variance is that of residuals out of fold.
    weights : {"stacking", "evidence"}, default="stacking"
        "stacking": those of the largest mean log-density of rows that a model did not see [1]_.
        "evidence": proportional to the marginal likelihoods, ``log_marginal_likelihood_`` or
        ``evidence_.log_evidence``, as if one of the models were true: one usually takes all, and
        between sizes it may be the wrong one.
    cv : int, splitter or iterable, default=5
        The folds of stacking: a partition of the rows.

    Attributes
    ----------
    models_ : list of estimators
        Fitted on all rows.
    names_ : list of str
    weights_ : ndarray of shape (n_models,)
        They sum to 1; those below 1e-4 are zero.
    log_scores_ : ndarray of shape (n_models,)
        See ``leaderboard_``.
    leaderboard_ : list of dict
        Name, score and weight of each model, the best first.

    References
    ----------
    .. [1] Yao, Y. et al. (2018), Using stacking to average Bayesian predictive distributions,
       Bayesian Analysis 13.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import MLPRegressor
    >>> from fastmlp.estimators import AverageRegressor
    >>> X = np.linspace(-1, 1, 100).reshape(-1, 1)
    >>> y = np.sin(3 * X[:, 0]) + 0.1 * np.random.default_rng(0).normal(size=100)
    >>> models = [MLPRegressor(hidden_layer_sizes=h, solver="lbfgs") for h in [(), (5,)]]
    >>> model = AverageRegressor(models, cv=3).fit(X, y)
    >>> model.leaderboard_[0]["name"], model.predict_dist(X).shape
    ('MLPRegressor-2', (100,))
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # a log-likelihood has no scale
        return tags

    def _check_kind(self, named):
        _all_alike(named, False)

    def _learn_targets(self, y):
        y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y")
        return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _answer(self, model, X):
        return _dist_or_points(model, X)

    def _judge(self, parts, y, w):
        column, spread = np.empty(len(y)), None
        if not isinstance(parts[0][1], Distribution):
            residuals = np.concatenate([(y[test] - points) for test, points in parts])
            at = np.concatenate([test for test, _ in parts])
            variance = weighted_mean(residuals**2, None if w is None else w[at])
            spread = np.sqrt(np.maximum(variance, np.finfo(float).tiny))
        for test, answer in parts:
            log_p = _as_dist(answer, spread).logpdf(y[test])
            column[test] = log_p if log_p.ndim == 1 else log_p.sum(1)
        return np.maximum(column, LOG_LEAST), spread

    def _dist(self, X):
        used = self._used()
        members = [_as_dist(_dist_or_points(model, X), spread) for model, _, spread in used]
        return average_of(members, [weight for _, weight, _ in used])


class AverageClassifier(ClassifierMixin, _Average):
    """Classifiers whose probabilities are averaged.

    Parameters
    ----------
    models : sequence of estimators, or of pairs (name, estimator)
        With ``predict_proba``.
    weights : {"stacking", "evidence"}, default="stacking"
        As of :class:`AverageRegressor`.
    cv : int, splitter or iterable, default=5
        The folds of stacking: a partition of the rows, stratified if it is a number.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    models_, names_, weights_, log_scores_, leaderboard_
        As of :class:`AverageRegressor`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastmlp import MLPClassifier
    >>> from fastmlp.estimators import AverageClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> models = [MLPClassifier(h, solver="lbfgs", alpha=1.0, random_state=0) for h in [(), (10,)]]
    >>> AverageClassifier(models, cv=3).fit(X, y).predict_proba(X[:2]).shape
    (2, 3)
    """

    def _check_kind(self, named):
        _all_alike(named, True)

    def _learn_targets(self, y):
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        return y

    def _answer(self, model, X):
        found = model.predict_proba(X)
        probability = np.full((len(found), self.classes_.size), LEAST_PROBABILITY)
        at = np.searchsorted(self.classes_, model.classes_)
        probability[:, at] = np.maximum(found, LEAST_PROBABILITY)
        return probability / probability.sum(1, keepdims=True)

    def _judge(self, parts, y, w):
        column, codes = np.empty(len(y)), np.searchsorted(self.classes_, y)
        for test, probability in parts:
            column[test] = np.log(probability[np.arange(len(test)), codes[test]])
        return column, None

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, averaged over the models.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return sum(weight * self._answer(model, X) for model, weight, _ in self._used())

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        chosen = self.predict_proba(X).argmax(1)
        return self.classes_[chosen]


def stacking_weights(scores: np.ndarray, sample_weight: np.ndarray | None = None) -> np.ndarray:
    """Weights of the largest mean of ``ln sum_k w_k exp(scores_ik)`` over the simplex.

    The problem is convex. SciPy's SLSQP starts at equal weights; where a single model does better
    than what it returns, that one is returned.

    Parameters
    ----------
    scores : ndarray of shape (n, k)
        Log-densities of rows by models.
    sample_weight : ndarray of shape (n,), optional

    Returns
    -------
    ndarray of shape (k,)
    """
    k = scores.shape[1]
    p = np.exp(scores - scores.max(1, keepdims=True))
    share = np.ones(len(p)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    share = share / share.sum()

    def loss(w):
        mixed = np.maximum(p @ w, np.finfo(float).tiny)
        return -float(share @ np.log(mixed)), -(p.T @ (share / mixed))

    found = scipy_minimize(
        loss,
        np.full(k, 1 / k),
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * k,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"maxiter": 300, "ftol": 1e-10},
    ).x
    found = np.clip(found, 0, 1)
    candidates = [*np.eye(k), found / found.sum()]
    return min(candidates, key=lambda w: loss(w)[0])


def _named(models):
    """Pairs of a name and an estimator; names are made where none is given."""
    try:
        models = list(models)
    except TypeError:
        raise TypeError(f"models must be a sequence of estimators, got {shown(models)}.") from None
    if not models:
        raise ValueError("models must hold at least one estimator, got none.")
    pairs = []
    for k, model in enumerate(models, start=1):
        name, model = model if isinstance(model, tuple) else (None, model)
        if not (hasattr(model, "fit") and hasattr(model, "get_params")):
            raise TypeError(f"models must be estimators; entry {k - 1} is {shown(model)}.")
        pairs.append((f"{type(model).__name__}-{k}" if name is None else str(name), model))
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"Names of models must differ, got {', '.join(names)}.")
    return pairs


def _all_alike(named, classifiers):
    for name, model in named:
        if is_classifier(model) != classifiers:
            wanted = "classifiers" if classifiers else "regressors"
            raise TypeError(f"All models must be {wanted}; {name} is {shown(model)}.")
        if classifiers and not hasattr(model, "predict_proba"):
            raise TypeError(f"Classifiers are averaged by predict_proba; {name} has none.")


def _fitted(model, X, y, w):
    model = clone(model)
    return model.fit(X, y) if w is None else model.fit(X, y, sample_weight=w)


def _dist_or_points(model, X):
    """The model's distributions, or its points where it has none."""
    if hasattr(model, "predict_dist"):
        return model.predict_dist(X)
    if "return_std" in inspect.signature(model.predict).parameters:
        mean, std = model.predict(X, return_std=True)
        return Normal(mean, np.maximum(std, np.finfo(float).tiny))
    return np.asarray(model.predict(X), dtype=np.float64)


def _as_dist(answer, spread):
    return answer if isinstance(answer, Distribution) else Normal(answer, spread)


def _evidence(model, name):
    """The log of a fitted model's marginal likelihood."""
    found = getattr(model, "log_marginal_likelihood_", None)
    if found is None:
        state = getattr(model, "evidence_", None)
        found = None if state is None else state.log_evidence
    if found is None:
        raise TypeError(
            "weights='evidence' needs models with log_marginal_likelihood_ or evidence_, as "
            f"solver=LevenbergMarquardt(evidence=True) leaves it; {name} has none."
        )
    return float(found)


def _check_units(models):
    """Densities of targets in other units are no densities of the same data."""
    scales = {tuple(np.ravel(getattr(model, "y_scale_", None))) for model in models}
    if len(scales) > 1:
        raise ValueError(
            "The models' marginal likelihoods are of targets in different units: give all the same "
            "standardize."
        )


def _spread_of_evidence(model, X, y, w):
    """The noise of a model of points: its residuals', for the parameters that data determined."""
    if hasattr(model, "predict_dist") or is_classifier(model):
        return None
    if "return_std" in inspect.signature(model.predict).parameters:
        return None
    n = len(y) if w is None else w.sum()
    squares = weighted_mean((y - model.predict(X)) ** 2, w)
    free = max(n - model.evidence_.effective_params, 1.0)
    return np.sqrt(np.maximum(squares * n / free, np.finfo(float).tiny))
