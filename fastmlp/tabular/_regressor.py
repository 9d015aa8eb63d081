"""TabularMLPRegressor."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_is_fitted

from fastmlp._numbers import check_unmasked
from fastmlp.distributions import StudentT
from fastmlp.estimators import _params
from fastmlp.estimators._predictive import PredictiveMixin
from fastmlp.tabular import _portfolio
from fastmlp.tabular._base import TabularMLP, refuse_holes
from fastmlp.tabular._conformal import Conformal
from fastmlp.tabular._folds import N_FOLDS
from fastmlp.tabular._spread import fit_spread


class TabularMLPRegressor(PredictiveMixin, RegressorMixin, TabularMLP):
    """Regression on a table without tuning.

    Columns of any kind become numbers (:class:`fastmlp.tabular.Columns`); a handful of candidates,
    from a ridge regression to networks of several sizes trained by Levenberg-Marquardt with
    evidence and by adam, are judged on rows that they were not trained on, and the best are
    averaged (:class:`fastmlp.tabular.Race`). Their errors on these rows train a second stage, which
    says how far targets scatter in each row: distributions are Student-t, and intervals have its
    widths.

    Parameters
    ----------
    time_limit : float or None, default=None
        Seconds for ``fit``, which ends with the best so far. None: candidates are laid out for some
        ten seconds on two cores; the same seed then gives the same model on any machine.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Which columns are categories, besides text: those of a categorical dtype; none; those of
        these names or indices, or where a mask is True.
    clip : bool, default=True
        Whether predictions are held within the range of the training targets.
    cv : int or None, default=None
        Folds; 1 is a single split that holds out a tenth. None: 5 below 20,000 rows, then 1.
    candidates : list of (name, estimator) or None, default=None
        Who takes part, cheapest first; None: a portfolio by the size of the data.
    n_threads : int or None, default=None
        Threads, at most; None: as many as this process may use. Memory: X as float64, and for each
        thread a copy of the rows that it trains on.
    random_state : int, RandomState, Generator or None, default=None
        Draws folds and initial weights.
    warm_start : bool, default=False
        Whether ``fit`` on the same data adds time: candidates that had none, then further members
        of those in the ensemble. The model keeps what this needs.
    verbose : bool or "bar", default=False
        Whether to print a line for each candidate; "bar": a progress bar that says who races
        (tqdm's, where it is installed).

    Attributes
    ----------
    leaderboard_ : Leaderboard
        A list of dicts, best first, that prints as a table: ``candidate``, ``score`` (R2 on rows
        not seen), ``std_err`` of it, ``weight`` in the ensemble, ``seconds``, ``status``.
    preprocessor_ : Columns
        What makes numbers of the columns.
    race_ : Race
        The ensemble, over these numbers.
    status_ : str
        Why the race ended.
    feature_importances_ : ndarray of shape (n_columns,)
        The fall of R2, on rows not seen, when a column's values change places.
    base_value_ : float or ndarray of shape (n_outputs,)
        What ``explain`` starts from.
    n_outputs_ : int
        Targets.
    n_features_in_ : int
        Columns.
    feature_names_in_ : ndarray of shape (n_columns,)
        Their names, if X had names that are all strings.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import RidgeCV
    >>> from fastmlp import TabularMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> TabularMLPRegressor().fit(X, y).leaderboard_  # doctest: +SKIP
    >>> model = TabularMLPRegressor(candidates=[("ridge", RidgeCV())]).fit(X, y)
    >>> bool(model.score(X, y) > 0.4)
    True
    >>> lower, upper = model.predict_interval(X[:3], coverage=0.8)
    """

    _extra_rules = {"clip": _params.BOOLEAN}
    _race_share = 0.9

    def __init__(
        self,
        *,
        time_limit: float | None = None,
        categorical_features: Any = "from_dtype",
        clip: bool = True,
        cv: int | None = None,
        candidates: Any = None,
        n_threads: int | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: bool | str = False,
    ) -> None:
        self.time_limit = time_limit
        self.categorical_features = categorical_features
        self.clip = clip
        self.cv = cv
        self.candidates = candidates
        self.n_threads = n_threads
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def _checked_y(self, y, n_samples):
        """Targets as float64, (n,) or (n, n_outputs)."""
        if y is None:
            raise ValueError(
                f"requires y to be passed, but the target y is None: {type(self).__name__} learns "
                "targets."
            )
        check_unmasked("y", y)
        y = check_array(
            y, ensure_2d=False, allow_nd=False, dtype=None, ensure_all_finite=False, input_name="y"
        )
        if y.dtype.kind in "mM":
            raise TypeError("y has dates or durations; pass numbers, such as days since a date.")
        try:
            y = y.astype(np.float64)
        except (ValueError, TypeError) as error:
            raise type(error)(
                f"{error}: y must be numbers; TabularMLPClassifier learns labels."
            ) from None
        refuse_holes(np.isnan(y).reshape(len(y), -1).any(axis=1))
        if not np.isfinite(y).all():
            raise ValueError("Input y contains infinity, or a value too large for its type.")
        with np.errstate(over="ignore"):
            width = np.ptp(y, axis=0).max(initial=0.0)
            if not np.isfinite(len(y) * np.square(width)):
                raise ValueError(
                    f"y has values that lie {width:.3g} apart; squares of their errors are no "
                    "floats. Multiply y by a constant."
                )
        if len(y) != n_samples:
            raise ValueError(
                f"X has {n_samples} rows, y has {len(y)}: inconsistent numbers of samples."
            )
        return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _targets(self, y):
        return y, None, {"n_outputs_": 1 if y.ndim == 1 else y.shape[1]}

    def _portfolio(self, Z, y, n_folds, n_threads):
        return _portfolio.regressors(Z, y, n_folds, self.time_limit, n_threads)

    def _conclude(self, Z, y, weights, until):
        folds, predictions = self.race_.out_of_fold()
        if weights is not None:  # what does not count says nothing of errors
            kept = [weights[fold] > 0 for fold in folds]
            folds, predictions = (
                [each[mask] for each, mask in zip(parts, kept, strict=True)]
                for parts in (folds, predictions)
            )
        rows, means = np.concatenate(folds), np.concatenate(predictions)
        parts = np.split(np.arange(len(rows)), np.cumsum([len(fold) for fold in folds])[:-1])
        if len(folds) == 1:  # the second stage has its own folds of the rows held out
            parts = np.array_split(parts[0], min(N_FOLDS, len(rows)))
        Z, y = Z[rows], y.reshape(len(y), -1)[rows]
        weights = None if weights is None else weights[rows]
        self._spreads = []
        for k in range(y.shape[1]):
            now = time.perf_counter()
            mine = now + (until - now) / (y.shape[1] - k)
            self._spreads.append(
                fit_spread(Z, y[:, k], means[:, k], parts, weights, mine, self.n_threads)
            )
        errors = [y[part] - means[part] for part in parts]
        scales = [
            self._scales(Z[part], np.broadcast_to(means[part], (len(parts), *means[part].shape)))[k]
            for k, part in enumerate(parts)
        ]
        self._conformal = Conformal.of(errors, scales)

    def _scales(self, Z, answers):
        """Scales of the spread by each fold's members, (n_folds, n, n_outputs)."""
        scales = [each.scales(Z, answers[..., k]) for k, each in enumerate(self._spreads)]
        return np.stack(scales, axis=-1)

    def _answer_and_jacobian(self, Z):
        return self.race_.answer_and_jacobian(Z)

    def _shaped(self, answers):
        """(n, n_outputs, ...) as the user's y is."""
        return answers[:, 0] if self.race_._flat else answers

    def _answers_and_scales(self, X):
        """What each fold's members say of targets and their spread, (n_folds, n, n_outputs).

        Of a single split there are one answer and several scales.
        """
        check_is_fitted(self)
        Z = self.preprocessor_.transform(X)
        answers = self.race_.fold_answers(Z)
        of_folds = np.broadcast_to(answers, (len(self._conformal.sizes), *answers.shape[1:]))
        return answers, self._scales(Z, of_folds)

    def _dist(self, X):
        answers, scales = self._answers_and_scales(X)
        df = np.array([each.df for each in self._spreads])
        scale = np.exp(np.log(scales).mean(axis=0))
        if self.race_._flat:
            df = df[0]
        return StudentT(df, self._shaped(answers.mean(axis=0)), self._shaped(scale))

    def predict(
        self,
        X: Any,
        return_std: bool = False,
        output_type: str | None = None,
        quantiles: Any = None,
    ) -> Any:
        """Predict targets, and more where asked.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_columns)
            A frame's columns are found by their names, in any order.
        return_std : bool, default=False
            Whether to return the standard deviations of ``predict_dist``, too.
        output_type, quantiles
            As :class:`fastmlp.MLPDistributionRegressor` has them: of ``predict_dist``. None: the
            mean over the ensemble.

        Returns
        -------
        ndarray, tuple of two ndarray, list of ndarray or dict
            Of shape (n_samples,) or (n_samples, n_outputs).

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X lacks columns, or has something else in them than in ``fit``.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.linear_model import RidgeCV
        >>> from fastmlp import TabularMLPRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = TabularMLPRegressor(candidates=[("ridge", RidgeCV())]).fit(X, y)
        >>> mean, std = model.predict(X[:5], return_std=True)
        >>> mean.shape, bool((std > 0).all())
        ((5,), True)
        """
        if output_type is not None or quantiles is not None:
            return super().predict(X, return_std, output_type, quantiles)
        if return_std:
            dist = self._dist(X)
            return dist.mean(), dist.std()
        return self._shaped(self._answers(X).mean(axis=0))

    def predict_interval(self, X: Any, coverage: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Intervals that hold new targets with a given probability, whatever these are like.

        CV+ of Barber, Candès, Ramdas and Tibshirani (Annals of Statistics 49, 486, 2021): from the
        errors on rows that were not seen, around the predictions of the members that made them, in
        units of the scale that ``predict_dist`` has in each row (Lei et al., JASA 113, 1094, 2018).
        Their theorem says at least 2 coverage - 1 for data whose order means nothing, if members
        know nothing of the rows they are judged by. Here these rows also choose the weights of the
        ensemble and, by the other members' errors, the scale; ``coverage`` is what is seen.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_columns)
            Samples.
        coverage : float, default=0.9
            Strictly between 0 and 1.

        Returns
        -------
        lower, upper : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Infinite where there are too few rows to say so much.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``; a coverage out of range.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.linear_model import RidgeCV
        >>> from fastmlp import TabularMLPRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = TabularMLPRegressor(candidates=[("ridge", RidgeCV())]).fit(X, y)
        >>> lower, upper = model.predict_interval(X[:5], coverage=0.8)
        >>> bool((lower < upper).all())
        True
        """
        answers, scales = self._answers_and_scales(X)
        answers = np.broadcast_to(answers, scales.shape)
        lower, upper = self._conformal.interval(answers, scales, coverage)
        return self._shaped(lower), self._shaped(upper)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R2 of ``predict``.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_columns)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights.

        Returns
        -------
        float
            1 at best.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn.linear_model import RidgeCV
        >>> from fastmlp import TabularMLPRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = TabularMLPRegressor(candidates=[("ridge", RidgeCV())])
        >>> bool(model.fit(X, y).score(X, y) < 1)
        True
        """
        return RegressorMixin.score(self, X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
