"""Scores for early stopping: scikit-learn's two defaults, its scorers, or the loss."""

from __future__ import annotations

import copy
import inspect
import warnings

import numpy as np
from sklearn.metrics import get_scorer

from fastmlp.estimators._warn import warn


def accuracy(codes, predicted, weights=None) -> float:
    """Fraction of rows that are right, in every output."""
    right = codes == predicted
    if right.ndim == 2:
        right = right.all(axis=1)
    return float(np.average(right, weights=weights))


def r2(y, predicted, weights=None) -> float:
    """R2, averaged over outputs; NaN where a prediction is not finite, as in scikit-learn."""
    if not np.isfinite(predicted).all():
        return np.nan
    y, predicted = y.reshape(len(y), -1), predicted.reshape(len(y), -1)
    w = np.ones(len(y)) if weights is None else weights
    with np.errstate(over="ignore"):
        residual = w @ (y - predicted) ** 2
    total = w @ (y - np.average(y, axis=0, weights=w)) ** 2
    constant = total == 0
    scores = 1.0 - residual / np.where(constant, 1.0, total)
    scores[constant] = np.where(residual[constant] == 0, 1.0, 0.0)
    return float(scores.mean())


def scorer_score(estimator, network, checked, given, weights, theta0):
    """``score(theta, objective)`` by the estimator's scorer; None where the loss has to do.

    Parameters
    ----------
    checked, given : tuple (X, y)
        The validation data as arrays, for scikit-learn's own scorers, which look at predictions
        alone; and as the user passed them, for a function of the user's.
    weights : ndarray of shape (n_samples,) or None
        Passed on to a scorer that takes ``sample_weight``.
    theta0 : ndarray of shape (n_params,)
        What one of scikit-learn's scorers is tried on before training starts.

    Raises
    ------
    ValueError
        The scorer does not go with these targets.
    """
    scoring = estimator.scoring
    scorer = scoring if callable(scoring) else get_scorer(scoring)
    if not hasattr(scorer, "_score_func"):
        return _Score(estimator, network, scorer, *given, weights)
    X, y = checked
    score = _Score(estimator, network, _knowing_classes(scorer, estimator, y), X, y, weights)
    lacking = _lacks_classes(estimator, y)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first = score.of(theta0)
    except ValueError as error:
        if not lacking and not _takes(scorer, y):
            raise ValueError(
                f"scoring={scoring!r} cannot be computed on the validation data: {error}"
            ) from error
        if not lacking:
            return score  # these predictions were not for it, later ones may be
        reason = str(error)
    else:
        if np.isfinite(first):
            return score
        reason = f"it is {first}"
    lacks = f" The validation data lack {lacking}." if lacking else ""
    warn(
        f"scoring={scoring!r} cannot be computed on the validation data ({reason}).{lacks} {_LOSS}"
    )
    return None


_LOSS = "Early stopping goes by the validation loss instead, as scoring='loss' does."


class _Score:
    """The score of theta, by a scorer that is called as scikit-learn calls it."""

    def __init__(self, estimator, network, scorer, X, y, weights):
        self._shadow = copy.copy(estimator)
        if not hasattr(X, "columns"):
            vars(self._shadow).pop("feature_names_in_", None)  # it has none to be compared
        self._network, self._scorer, self._data = network, scorer, (X, y)
        function = getattr(scorer, "_score_func", None)
        self._owned = function is None
        weighted = weights is not None and _has_parameter(function or scorer, "sample_weight")
        self._keywords = {"sample_weight": weights} if weighted else {}
        self._n_calls = 0
        self._by_loss = False

    def of(self, theta):
        """The scorer's answer."""
        self._shadow._coefs, self._shadow._intercepts = self._network.unpack(theta)
        value = self._scorer(self._shadow, *self._data, **self._keywords)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise TypeError(f"scoring must return a number, got {value!r}.") from None

    def __call__(self, theta, objective):
        """The score; NaN where one of scikit-learn's scorers fails, as in cross-validation."""
        if self._by_loss:
            return -float(objective.value(theta))
        self._n_calls += 1
        if self._owned:
            value = self.of(theta)
            if np.isnan(value) and self._n_calls == 1:
                warn(f"scoring returned {value} at first. {_LOSS}")
                self._by_loss = True
                return -float(objective.value(theta))
            return value
        try:
            return self.of(theta)
        except ValueError as error:
            warn(f"The score is nan where the scorer fails: {error}")
            return np.nan


def _has_parameter(function, name):
    """Whether a function can be given an argument of this name."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    kinds = [parameter.kind for parameter in parameters.values()]
    return name in parameters or inspect.Parameter.VAR_KEYWORD in kinds


def _knowing_classes(scorer, estimator, y):
    """The scorer, told all classes where its metric asks for them and these rows may lack some."""
    if (
        not hasattr(estimator, "classes_")
        or y.ndim != 1
        or getattr(scorer, "_response_method", "predict") == "predict"
        or "labels" in scorer._kwargs
        or "labels" not in inspect.signature(scorer._score_func).parameters
    ):
        return scorer
    scorer = copy.copy(scorer)
    scorer._kwargs = {**scorer._kwargs, "labels": estimator.classes_}
    return scorer


def _lacks_classes(estimator, y):
    """The words for the classes that a score misses in these labels; none for a regressor."""
    if not hasattr(estimator, "classes_") or y.ndim != 1:
        return ""
    if len(estimator.classes_) < 2:
        return "a second class"
    missing = [repr(label) for label in estimator.classes_.tolist() if label not in y]
    return ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")


def _takes(scorer, y):
    """Whether a regressor's scorer could do with these targets, were the predictions better."""
    if getattr(scorer, "_response_method", "predict") != "predict":
        return False
    try:
        scorer._score_func(y, y, **scorer._kwargs)
    except ValueError:
        return False
    return True
