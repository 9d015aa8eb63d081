"""What the members of several candidates say together."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp._sparse import sound
from fastmlp.tabular import _gradients, _members, _selection
from fastmlp.tabular._temperature import tempered, tempered_slopes


def classifies(race):
    return is_classifier(race._checked()[0].estimator)


class Ensemble(BaseEstimator):
    """Weighted means over candidates of the mean of their members, one for each fold.

    Attributes
    ----------
    members_ : dict of str to list of estimator
    weights_ : dict of str to float
    temperatures_ : dict of str to float
    """

    members_: dict[str, list]
    weights_: dict[str, float]
    temperatures_: dict[str, float]

    def out_of_fold(self):
        """The rows of each fold, and what the ensemble of those that have not seen them says."""
        rows = [judged for _, judged in self._folds.splits]
        ends = np.cumsum([len(judged) for judged in rows])[:-1]
        return rows, np.split(self._judged_predictions, ends)

    def fold_answers(self, X):
        """The ensemble of each fold's members, (n_folds, n, n_outputs)."""
        check_is_fitted(self)
        n_folds = len(next(iter(self.members_.values())))
        return self._by_folds(range(n_folds), X)

    def fold_answer(self, fold, X):
        """The ensemble of members that have not seen a fold, (n, n_outputs)."""
        return self._by_folds([fold], X)[0]

    def _by_folds(self, folds, X):
        members = [self.members_[name][0] for name in self.weights_]
        parts = [self._of_rows(folds, _members.Rows(X[at])) for at in _members.blocks(X, members)]
        return np.concatenate(parts, axis=1)

    def _of_rows(self, folds, rows):
        said = {name: [] for name in self.weights_}
        for fold in folds:
            for name, answers in said.items():
                answers.append(self._answer(self.members_[name][fold], rows))
            rows.forget()
        total = 0.0
        for name, share in self.weights_.items():
            answers = np.stack(said[name])
            if self._range is None:
                answers = tempered(answers, self.temperatures_[name])
            total = total + share * answers
        return total

    def answer_and_jacobian(self, X):
        """The answer, (n, n_outputs), and d answer / d x, (n, n_outputs, n_features)."""
        answer = self.fold_answers(X).mean(axis=0)
        jacobian = np.zeros((*answer.shape, X.shape[1]))
        for name, share in self.weights_.items():
            members = self.members_[name]
            for member in members:
                slopes = _gradients.of_member(member, X)
                if self._range is None:
                    at = np.searchsorted(self.classes_, member.classes_)
                    proba = self._answer(member, X)
                    of_all = np.zeros((*proba.shape, X.shape[1]))
                    of_all[:, at] = slopes
                    slopes = tempered_slopes(proba, of_all, self.temperatures_[name])
                    jacobian += share / len(members) * slopes
                    continue
                if self.clip:  # what is held at an end does not move
                    plain = np.asarray(member.predict(X)).reshape(answer.shape)
                    low, high = self._range
                    slopes = slopes * ((plain >= low) & (plain <= high))[..., np.newaxis]
                jacobian += share / len(members) * slopes
        return answer, jacobian

    def _checked_X(self, X):
        check_is_fitted(self)
        return validate_data(self, sound(X), accept_sparse="csr", reset=False)

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets or labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.linear_model import LinearRegression
        >>> from fastmlp.tabular import Race
        >>> X = np.arange(20.0).reshape(-1, 1)
        >>> Race([("linear", LinearRegression())]).fit(X, X.ravel()).predict([[99.0]])
        array([19.])
        """
        answer = self.fold_answers(self._checked_X(X)).mean(axis=0)
        if self._range is None:
            return self.classes_[answer.argmax(axis=1)]
        return answer[:, 0] if self._flat else answer

    @available_if(classifies)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)

        Raises
        ------
        NotFittedError
            Before ``fit``.
        AttributeError
            The candidates are regressors.
        ValueError
            X is not as in ``fit``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from fastmlp.tabular import Race
        >>> X, y = load_iris(return_X_y=True)
        >>> Race([("linear", LogisticRegression())]).fit(X, y).predict_proba(X[:1]).round(1)
        array([[1., 0., 0.]])
        """
        return self.fold_answers(self._checked_X(X)).mean(axis=0)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R2, or the accuracy.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, or labels.
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
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from fastmlp.tabular import Race
        >>> X, y = load_iris(return_X_y=True)
        >>> race = Race([("linear", LogisticRegression(max_iter=1000))], random_state=0)
        >>> round(race.fit(X, y).score(X, y), 2)
        0.97
        """
        metric = accuracy_score if classifies(self) else r2_score
        return float(metric(y, self.predict(X), sample_weight=sample_weight))

    def _loss(self, predictions, targets):
        """Losses of rows, (n,): targets are divided by their deviations, or codes."""
        if self._range is None:
            return _selection.log_loss(predictions, targets)
        return _selection.squared(predictions / self._scale, targets)

    def _answer(self, member, X):
        """What a member says of rows, (n, n_outputs): targets, or a probability for each class."""
        if not isinstance(X, _members.Rows):
            blocks = _members.blocks(X, [member])
            return np.concatenate([self._answer(member, _members.Rows(X[at])) for at in blocks])
        said = _members.said(member, X)
        if self._range is None:
            known = np.searchsorted(self.classes_, member.classes_)
            answer = np.zeros((len(said), len(self.classes_)))
            answer[:, known] = said
            return answer
        return np.clip(said, *self._range) if self.clip else said
