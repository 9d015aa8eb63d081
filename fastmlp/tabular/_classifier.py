"""TabularMLPClassifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from fastmlp._numbers import check_unmasked
from fastmlp.estimators import _params
from fastmlp.estimators._class_weights import class_weights
from fastmlp.tabular import _portfolio
from fastmlp.tabular._base import TabularMLP, refuse_holes
from fastmlp.tabular._read import is_missing
from fastmlp.tabular._temperature import temperature, tempered, tempered_slopes

MOST_CLASSES = 100


class TabularMLPClassifier(ClassifierMixin, TabularMLP):
    """Classification on a table without tuning.

    Columns of any kind become numbers (:class:`fastmlp.tabular.Columns`); a handful of candidates,
    from logistic regression to networks of several sizes, are judged by their log-loss on rows that
    they were not trained on, and the best are averaged (:class:`fastmlp.tabular.Race`). On the same
    rows a temperature is found that calibrates the probabilities (Guo et al., ICML 2017).

    Parameters
    ----------
    time_limit : float or None, default=None
        Seconds for ``fit``, which ends with the best so far. None: candidates are laid out for some
        ten seconds on two cores; the same seed then gives the same model on any machine.
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Which columns are categories, besides text: those of a categorical dtype; none; those of
        these names or indices, or where a mask is True.
    class_weight : dict, "balanced" or None, default=None
        Weights of classes, in training and in all that is judged; probabilities are then those of
        the weighted data.
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
        A list of dicts, best first, that prints as a table: ``candidate``, ``score`` (minus the
        log-loss on rows not seen), ``std_err`` of it, ``weight`` in the ensemble, ``seconds``,
        ``status``.
    classes_ : ndarray of shape (n_classes,)
        Labels.
    temperature_ : float
        Logarithms of the ensemble's probabilities are divided by it.
    preprocessor_ : Columns
        What makes numbers of the columns.
    race_ : Race
        The ensemble, over these numbers.
    status_ : str
        Why the race ended.
    feature_importances_ : ndarray of shape (n_columns,)
        The rise of the log-loss, on rows not seen, when a column's values change places.
    base_value_ : ndarray of shape (n_classes,)
        What ``explain`` starts from.
    n_features_in_ : int
        Columns.
    feature_names_in_ : ndarray of shape (n_columns,)
        Their names, if X had names that are all strings.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from fastmlp import TabularMLPClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> TabularMLPClassifier().fit(X, y).leaderboard_  # doctest: +SKIP
    >>> model = TabularMLPClassifier(candidates=[("logistic", LogisticRegression())]).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    _extra_rules = {
        "class_weight": _params.either(
            _params.one_of("balanced"),
            _params.Rule(lambda value: isinstance(value, dict), "a dict"),
            _params.NONE,
        )
    }

    def __init__(
        self,
        *,
        time_limit: float | None = None,
        categorical_features: Any = "from_dtype",
        class_weight: dict | str | None = None,
        cv: int | None = None,
        candidates: Any = None,
        n_threads: int | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: bool | str = False,
    ) -> None:
        self.time_limit = time_limit
        self.categorical_features = categorical_features
        self.class_weight = class_weight
        self.cv = cv
        self.candidates = candidates
        self.n_threads = n_threads
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def _checked_y(self, y, n_samples):
        """Labels, (n,)."""
        if y is None:
            raise ValueError(
                f"requires y to be passed, but the target y is None: {type(self).__name__} learns "
                "labels."
            )
        check_unmasked("y", y)
        y = check_array(y, ensure_2d=False, dtype=None, ensure_all_finite=False, input_name="y")
        y = column_or_1d(y, warn=True)
        if y.dtype.kind in "Of":
            refuse_holes([is_missing(label) for label in y])
        if y.dtype.kind == "f" and np.isinf(y).any():
            raise ValueError("Input y contains infinity: labels are finite.")
        if y.dtype.kind == "O" and all(isinstance(label, bool | np.bool_) for label in y):
            y = y.astype(bool)  # pandas' nullable ones
        elif y.dtype.kind == "O" and all(isinstance(label, int) for label in y):
            y = y.astype(np.int64)
        check_classification_targets(y)
        if len(y) != n_samples:
            raise ValueError(
                f"X has {n_samples} rows, y has {len(y)}: inconsistent numbers of samples."
            )
        return y

    def _targets(self, y):
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) > MOST_CLASSES:
            raise ValueError(
                f"y has {len(classes)} classes; {MOST_CLASSES} are taken at most. Numbers "
                "are for TabularMLPRegressor."
            )
        weights = None
        if self.class_weight is not None:
            weights = class_weights(self.class_weight, classes, y, False)
        return codes, weights, {"classes_": classes}

    def _portfolio(self, Z, codes, n_folds, n_threads):
        return _portfolio.classifiers(Z, codes, n_folds, self.time_limit, n_threads)

    def _conclude(self, Z, codes, weights, until):
        folds, predictions = self.race_.out_of_fold()
        rows = np.concatenate(folds)
        weights = None if weights is None else weights[rows]
        self.temperature_ = temperature(np.concatenate(predictions), codes[rows], weights)

    def _calibrated(self, answer):
        return tempered(answer, self.temperature_)

    def _answer_and_jacobian(self, Z):
        answer, jacobian = self.race_.answer_and_jacobian(Z)
        return self._calibrated(answer), tempered_slopes(answer, jacobian, self.temperature_)

    def _shaped(self, answers):
        return answers

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_columns)
            A frame's columns are found by their names, in any order.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X lacks columns, or has something else in them than in ``fit``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from fastmlp import TabularMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = TabularMLPClassifier(candidates=[("logistic", LogisticRegression())]).fit(X, y)
        >>> model.predict_proba(X[:1]).round()
        array([[1., 0., 0.]])
        """
        return self._calibrated(self._answers(X).mean(axis=0))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of :meth:`predict_proba`.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_columns)
            As for :meth:`predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            -inf for a probability that is zero.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X lacks columns, or has something else in them than in ``fit``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from fastmlp import TabularMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = TabularMLPClassifier(candidates=[("logistic", LogisticRegression())]).fit(X, y)
        >>> int(model.predict_log_proba(X[:1]).argmax())
        0
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels: the most probable ones.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_columns)
            A frame's columns are found by their names, in any order.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X lacks columns, or has something else in them than in ``fit``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from fastmlp import TabularMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = TabularMLPClassifier(candidates=[("logistic", LogisticRegression())])
        >>> model.fit(X, y).predict(X[[0, 149]])
        array([0, 2])
        """
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]
