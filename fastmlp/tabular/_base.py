"""What TabularMLPRegressor and TabularMLPClassifier share: columns, the race, limits."""

from __future__ import annotations

import time
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from fastmlp._names import shown
from fastmlp.estimators import _params
from fastmlp.estimators._data import check_weights
from fastmlp.estimators._params import InvalidParameterError, either, integer
from fastmlp.estimators._warn import warn
from fastmlp.tabular import _read
from fastmlp.tabular._columns import Columns
from fastmlp.tabular._folds import N_FOLDS, ONE_SPLIT_FROM, check_groups
from fastmlp.tabular._gradients import contributions
from fastmlp.tabular._importance import HeldOut, permutation_importances
from fastmlp.tabular._race import Race
from fastmlp.threads import available_cpus, threads_in_force

FEWEST_ROWS = 5
SHARE = 0.97  # of the time limit; the rest is for what needs no fit

RULES = {
    "time_limit": either(_params.real(0, closed="neither"), _params.NONE),
    "cv": either(integer(1), _params.NONE),
    "candidates": _params.Rule(
        lambda value: value is None or (np.iterable(value) and not isinstance(value, str | bytes)),
        "a list of (name, estimator), or None",
    ),
    "n_threads": either(integer(1), _params.NONE),
    "random_state": _params.RANDOM_STATE,
    "warm_start": _params.BOOLEAN,
    "verbose": either(_params.BOOLEAN, _params.one_of("bar")),
}


class TabularMLP(BaseEstimator):
    """A race over the columns of a table."""

    preprocessor_: Columns
    race_: Race
    n_features_in_: int
    _race_share = 1.0  # of the time for fits; the rest is for a second stage

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit, without parameters to choose.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_columns)
            pandas', polars' or an array: numbers, dates, text, categories, with holes; see
            :class:`Columns`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, or labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of rows, in training and in all that is judged; scales and levels of columns are
            those of all rows.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group (a patient, a night) are all trained on, or all judged by, so that
            scores and intervals are those of new groups.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Fewer than 5 rows or 2 groups, holes in y, infinite numbers, a parameter that makes no
            sense.
        TypeError
            A column holds what is neither number, date, text nor category.
        MemoryError
            The columns as numbers are more than there is memory for; said before it is taken.
        KeyboardInterrupt
            Ctrl-C before there is a first model. Later it ends the race, and the best is kept.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from sklearn.linear_model import RidgeCV
        >>> from fastmlp import TabularMLPRegressor
        >>> X = pd.DataFrame({"x": np.linspace(0, 1, 60), "kind": ["a", "b", "c"] * 20})
        >>> model = TabularMLPRegressor(candidates=[("ridge", RidgeCV())]).fit(X, 3 * X["x"])
        >>> model.predict(X[:1]).round(1)
        array([0.])
        """
        start = time.perf_counter()
        self._check_parameters()
        goes_on = self.warm_start and hasattr(self, "race_")
        preprocessor = self.preprocessor_ if goes_on else Columns(self.categorical_features).fit(X)
        Z = preprocessor.transform(X)
        y = self._checked_y(y, Z.shape[0])
        if Z.shape[0] < FEWEST_ROWS:
            raise ValueError(
                f"{type(self).__name__} needs {FEWEST_ROWS} rows at least, to judge by those that "
                f"a model has not seen; X has n_samples={Z.shape[0]}."
            )
        targets, weights, learned = self._targets(y)
        sample_weight = check_weights(sample_weight, Z.shape[0])
        if sample_weight is not None:
            weights = sample_weight if weights is None else weights * sample_weight
        groups = check_groups(groups, Z.shape[0])
        race = self.race_ if goes_on else Race(())
        n_threads = self.n_threads or threads_in_force(available_cpus())
        n_folds = self.cv or (N_FOLDS if Z.shape[0] < ONE_SPLIT_FROM else 1)
        n_folds = min(n_folds, Z.shape[0] if groups is None else max(2, len(np.unique(groups))))
        candidates = self.candidates
        if candidates is None:
            candidates = self._portfolio(Z, targets, n_folds, n_threads)
        left, until = None, np.inf
        if self.time_limit is not None:
            until = start + SHARE * self.time_limit
            left = max(self._race_share * (until - time.perf_counter()), 1e-3)
        race.set_params(
            candidates=candidates,
            cv=n_folds,
            time_limit=left,
            n_threads=self.n_threads,
            random_state=self.random_state,
            warm_start=self.warm_start,
            verbose=self.verbose,
            clip=getattr(self, "clip", True),
        )
        race.fit(Z, targets, weights, groups)
        self.race_, self.preprocessor_ = race, preprocessor
        self.n_features_in_ = preprocessor.n_features_in_
        vars(self).pop("feature_names_in_", None)
        if hasattr(preprocessor, "feature_names_in_"):
            self.feature_names_in_ = preprocessor.feature_names_in_
        vars(self).update(learned)
        if self.time_limit is not None and len(race.leaderboard_) == 1 < len(candidates):
            warn(
                f"time_limit={self.time_limit:g} s sufficed for {race.leaderboard_[0]['candidate']}"
                " alone, the first candidate."
            )
        self._conclude(Z, targets, weights, until)
        self._baseline = np.asarray(Z.mean(axis=0)).ravel()
        judged = targets if self.race_._range is None else targets.reshape(len(y), -1) / race._scale
        self._held_out = HeldOut.of(Z, race.out_of_fold()[0], judged)
        self._importances = None
        if not self.warm_start:
            race.forget()
        return self

    def _check_parameters(self):
        for name, rule in {**RULES, **self._extra_rules}.items():
            value = getattr(self, name)
            if not rule.accepts(value):
                raise InvalidParameterError(
                    f"The {name!r} parameter of {type(self).__name__} must be {rule.wanted}, got "
                    f"{shown(value)}."
                )

    @property
    def feature_importances_(self) -> np.ndarray:
        """How much each column matters, (n_columns,): what it costs to permute its values.

        The fall of R2, or the rise of the log-loss, on up to 1,000 rows that the members asked have
        not seen, when the column's values change places at random (mean of three times). Not
        normalised; below zero by chance where a column says nothing. Computed when first asked for.
        """
        race = self._race()
        if self._importances is None:
            self._importances = permutation_importances(
                self._held_out,
                self.preprocessor_.origin_,
                self.n_features_in_,
                race.fold_answer,
                race._loss,
            )
        return self._importances.copy()

    def explain(self, X: Any) -> np.ndarray:
        """What each column adds to the prediction of a row, compared with the average row.

        Integrated gradients (Sundararajan, Taly and Yan 2017), by exact derivatives, along the
        straight line from the mean of the training rows to each row, in the numbers that
        ``preprocessor_`` makes; those of one column are added up.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_columns)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_columns) or (n_samples, n_outputs, n_columns)
            Their sums over columns are the prediction minus ``base_value_``: of a regressor's
            targets (one axis less for one of them), of a classifier's probabilities.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``.
        TypeError
            The ensemble has members of your own whose derivatives are not known.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.linear_model import RidgeCV
        >>> from fastmlp import TabularMLPRegressor
        >>> X = np.random.default_rng(0).normal(size=(60, 2))
        >>> model = TabularMLPRegressor(candidates=[("ridge", RidgeCV())]).fit(X, 3 * X[:, 0])
        >>> parts = model.explain(X[:4])
        >>> np.allclose(parts.sum(axis=1), model.predict(X[:4]) - model.base_value_)
        True
        """
        check_is_fitted(self)
        Z = self.preprocessor_.transform(X)
        scale = 1.0 if self.race_._range is None else self.race_._scale
        parts = contributions(self._answer_and_jacobian, Z, self._baseline, scale)
        origin = self.preprocessor_.origin_
        return self._shaped(parts @ (origin[:, np.newaxis] == np.arange(self.n_features_in_)))

    @property
    def base_value_(self) -> Any:
        """What :meth:`explain` starts from: the prediction for the mean of the training rows."""
        self._race()
        return self._shaped(self._answer_and_jacobian(self._baseline[np.newaxis])[0])[0]

    @property
    def leaderboard_(self):
        """The race as a table: candidate, score, its standard error, weight, seconds."""
        return self._race().leaderboard_

    @property
    def status_(self) -> str:
        """Why the race ended."""
        return self._race().status_

    def _race(self):
        if "race_" not in vars(self):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet: it ran no race.")
        return self.race_

    def _answers(self, X):
        """What the members of each fold say, (n_folds, n, n_outputs)."""
        check_is_fitted(self)
        return self.race_.fold_answers(self.preprocessor_.transform(X))

    def __sklearn_is_fitted__(self):
        return "race_" in vars(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


def refuse_holes(missing, name="y"):
    """Raise ValueError where targets are missing, by their rows."""
    rows = np.flatnonzero(missing)
    if rows.size:
        raise ValueError(
            f"Input {name} contains NaN: targets are missing in {rows.size} row(s), "
            f"{_read.listed(rows)}. Leave these rows out of X and y."
        )
