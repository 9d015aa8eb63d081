"""What a classifier does beside holding its parameters: labels as targets, outputs as labels."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from fastmlp.estimators import _data
from fastmlp.estimators._base import BaseMLP, is_mini_batch
from fastmlp.estimators._class_weights import class_weights
from fastmlp.estimators._scoring import accuracy
from fastmlp.losses import targets_of


def _has_probabilities(estimator):
    if targets_of(estimator.loss) == "SIGN":
        raise AttributeError(
            f"loss={estimator.loss!r} has no probabilities; predict_proba needs another."
        )
    return True


def _has_raw_scores(estimator):
    # The others have probabilities alone, as scikit-learn's: tools that find both take this one,
    # and would answer otherwise for them.
    if targets_of(estimator.loss) != "SIGN":
        raise AttributeError("decision_function needs loss='perceptron'; use predict_proba.")
    return True


class BaseClassifier(ClassifierMixin, BaseMLP):
    """Base of the classifier, which knows its losses."""

    classes_: np.ndarray

    _numeric_targets = False
    _score_name = "accuracy"

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
            Class labels, or an indicator matrix of several labels per sample.
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
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier((10,), solver="lm", alpha=0.1, random_state=0)
        >>> model.fit(X, y).score(X, y) > 0.95
        True
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    @available_if(is_mini_batch)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Make one pass over the given data, from where the last one ended.

        The optimiser's state is kept between calls, also through a pickle.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative. A batch without any weight is checked and skipped.
        classes : array-like of shape (n_classes,), default=None
            All classes of all calls; needed in the first one.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            The first call has no ``classes``, or a later one others; a batch is not as those
            before; a parameter or the data make no sense.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier((10,), random_state=0)
        >>> for rows in (slice(0, None, 2), slice(1, None, 2)):
        ...     model = model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
        >>> model.t_
        150
        """
        known = getattr(self, "classes_", None)
        if known is None and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if classes is None:
            classes = known
        else:
            classes = unique_labels(classes)
            if known is not None and not np.array_equal(known, classes):
                raise ValueError(
                    f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                    f"{known!r}"
                )
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)

    def _encode(self, y, sample_weight, fresh, incremental, classes):
        if y.ndim == 2 and y.shape[1] == 1 and not sp.issparse(y):
            y = column_or_1d(y, warn=True)
        kind = type_of_target(y)
        if kind not in ("binary", "multiclass"):
            check_classification_targets(y)
        if kind == "multiclass-multioutput":
            raise ValueError(
                "Several classes in several outputs (multiclass-multioutput) are not supported; y "
                "may be labels of shape (n_samples,) or an indicator matrix."
            )
        multilabel = kind == "multilabel-indicator"
        numeric = not multilabel and y.dtype.kind in "biuf"
        labels = np.unique(y) if numeric else unique_labels(y)  # the latter checks y once more
        if fresh:
            self.classes_ = labels if classes is None else classes
            if multilabel:
                self._kind = "multilabel"
            else:
                self._kind = "binary" if len(self.classes_) <= 2 else "multiclass"
            self._sparse_labels = sp.issparse(y)
        elif not incremental and set(labels) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {self.classes_}, `y` has {labels}"
            )
        targets = self._targets(y, labels)
        n_targets = 1 if self._kind == "binary" else len(self.classes_)
        if n_targets == 1:
            return targets, n_targets, {"stratify": targets}
        if multilabel or self.scoring in (None, "loss"):  # as in scikit-learn
            return targets, n_targets, {}
        return targets, n_targets, {"balance": np.searchsorted(self.classes_, y)}

    def _encode_validation(self, y):
        if y.ndim == 2 and y.shape[1] == 1 and not sp.issparse(y):
            y = column_or_1d(y, warn=True)
        return self._targets(y, unique_labels(y), "y_val")

    def _targets(self, y, labels, name="y"):
        """Codes, an indicator matrix, or +1 and -1, as the loss wants them."""
        multilabel = y.ndim == 2
        if multilabel != (self._kind == "multilabel"):
            raise ValueError(
                f"`{name}` of shape {y.shape} does not go with the {self._kind} targets that the "
                "classifier was fitted on."
            )
        unknown = set(labels).difference(self.classes_)
        if unknown or (multilabel and y.shape[1] != len(self.classes_)):
            raise ValueError(
                f"`{name}` has classes not in `self.classes_`. `self.classes_` has "
                f"{self.classes_}. '{name}' has {labels}."
            )
        if multilabel:
            targets = (y.toarray() if sp.issparse(y) else y) > 0
        else:
            targets = np.searchsorted(self.classes_, y)
            if self._kind == "multiclass":
                if targets_of(self.loss) == "UNIT":
                    return targets
                targets = targets[:, np.newaxis] == np.arange(len(self.classes_))
        targets = targets.astype(np.float64)
        return 2.0 * targets - 1.0 if targets_of(self.loss) == "SIGN" else targets

    def _smoothed(self, targets):
        if not self.label_smoothing:
            return targets
        if targets_of(self.loss) == "SIGN":
            raise ValueError(
                f"label_smoothing={self.label_smoothing:g} makes probabilities of labels, and "
                f"loss={self.loss!r} has none: set label_smoothing=0."
            )
        if self._kind == "multiclass" and targets.ndim == 1:
            targets = targets[:, np.newaxis] == np.arange(len(self.classes_))
        share = self.label_smoothing
        return (1 - share) * targets + share / (
            targets.shape[1] if self._kind == "multiclass" else 2
        )

    def _network_loss(self):
        if targets_of(self.loss) == "SIGN":
            return self.loss, "identity"
        return self.loss, "softmax" if self._kind == "multiclass" else "logistic"

    def _weights(self, y, sample_weight, fresh, incremental, classes):
        if self.class_weight is None:
            return sample_weight
        if incremental and isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' is not supported by partial_fit, which does not see all "
                "of the data; compute the weights and pass them as a dict."
            )
        y = y.toarray() if sp.issparse(y) else y
        y = y.ravel() if self._kind != "multilabel" else y
        fixed = not fresh or classes is not None
        weights = class_weights(self.class_weight, self.classes_, y, fixed)
        if sample_weight is not None:
            weights = weights * sample_weight
        name = "class_weight * sample_weight"
        return _data.check_weights(weights, len(weights), name, may_vanish=incremental)

    def _default_score(self, targets, sample_weight):
        if targets.ndim == 2:
            codes = self._decode(targets)
        else:
            codes = targets > 0 if self._kind == "binary" else targets
        return lambda output: accuracy(codes, self._decode(output), sample_weight)

    def __setstate__(self, state):
        super().__setstate__({"label_smoothing": 0.0, **state})

    def _decision(self):
        if self._kind == "multilabel":
            return "multilabel", None, self._threshold()
        # With one class both answers are it.
        classes = self.classes_ if len(self.classes_) > 1 else np.repeat(self.classes_, 2)
        return self._kind, classes, self._threshold()

    def _answers_jacobian(self, jacobian):
        if len(self.classes_) == 1:
            return np.zeros((len(jacobian), 1, jacobian.shape[2]))  # its probability is 1
        if self._kind == "binary" and self.out_activation_ != "identity":
            return np.concatenate([-jacobian, jacobian], axis=1)
        return jacobian

    @property
    def _label_binarizer(self):
        """As scikit-learn's MLPClassifier has it, for those that read it."""
        seen = self.classes_
        if self._kind == "multilabel":
            seen = np.eye(len(self.classes_), dtype=np.intp)
            seen = sp.csr_matrix(seen) if self._sparse_labels else seen
        return LabelBinarizer().fit(seen)

    def _threshold(self):
        """The output above which the answer is yes."""
        return 0.0 if self.out_activation_ == "identity" else 0.5

    def _decode(self, output):
        """Class codes, or an indicator matrix, from outputs of the network."""
        if self._kind == "multiclass":
            return output.argmax(axis=1)
        positive = output > self._threshold()
        return positive[:, 0] if self._kind == "binary" else positive

    def predict(self, X: Any) -> np.ndarray:
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Labels, or an indicator matrix if the classifier was fitted on one.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``: shape, names, NaN, infinity, text.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> MLPClassifier((10,), solver="lbfgs", random_state=0).fit(X, y).predict(X[[0, 149]])
        array([0, 2])
        """
        codes = self._decode(self._output(X))
        if self._kind == "multilabel":
            codes = codes.astype(np.intp)
            return sp.csr_matrix(codes) if self._sparse_labels else codes
        if len(self.classes_) == 1:
            return np.repeat(self.classes_, len(codes))
        return self.classes_[codes.astype(np.intp)]

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; for several labels per sample, each one's probability.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        AttributeError
            With ``loss="perceptron"``, which has no probabilities.
        ValueError
            X is not as in ``fit``: shape, names, NaN, infinity, text.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier((10,), solver="lbfgs", random_state=0).fit(X, y)
        >>> model.predict_proba(X[:1]).round()
        array([[1., 0., 0.]])
        """
        output = self._output(X)
        if self._kind != "binary":
            return output
        return np.hstack([1.0 - output, output]) if len(self.classes_) > 1 else np.ones_like(output)

    @available_if(_has_raw_scores)
    def decision_function(self, X: Any) -> np.ndarray:
        """The raw outputs, whose sign decides (``loss="perceptron"`` alone).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes, the output for the second one; else one output per class, in the
            order of ``classes_``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        AttributeError
            With another loss; see ``predict_proba``.
        ValueError
            X is not as in ``fit``: shape, names, NaN, infinity, text.

        Examples
        --------
        >>> from fastmlp import MLPClassifier
        >>> X = [[-1.0], [1.0]]
        >>> model = MLPClassifier((), loss="perceptron", solver="gd", learning_rate_init=0.5)
        >>> model = model.set_params(random_state=0).fit(X, [0, 1])
        >>> model.decision_function(X) > 0
        array([False,  True])
        """
        output = self._output(X)
        return output.ravel() if self._kind == "binary" else output

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            As ``predict_proba``; minus infinity where that is zero.

        Raises
        ------
        NotFittedError, AttributeError, ValueError
            As ``predict_proba``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier((10,), solver="lbfgs", random_state=0).fit(X, y)
        >>> model.predict_log_proba(X[:1]).shape
        (1, 3)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
