"""MLPClassifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
import scipy.sparse as sp
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from fastmlp import _types
from fastmlp.estimators import _data, _params
from fastmlp.estimators._base import BaseMLP, is_mini_batch
from fastmlp.estimators._class_weights import class_weights
from fastmlp.estimators._scoring import accuracy
from fastmlp.losses import targets_of
from fastmlp.solvers import Record
from fastmlp.solvers._base import Solver

LOSSES = get_args(_types.ClassifierLoss)


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


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multilayer perceptron classifier.

    scikit-learn's ``MLPClassifier``, trained by a compiled core: same parameters, same fitted
    attributes and, with the same ``random_state``, the same loss curve up to rounding.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Neurons of each hidden layer. ``()`` is a single layer of neurons: a linear model.
    activation : str, tuple (name, parameters) or list, default="relu"
        Activation of the hidden layers: "identity", "logistic", "tanh", "relu", "softplus",
        "leaky_relu", "elu", "selu", "gelu", "silu" or "mish"; with parameters, as in
        ``("leaky_relu", {"eps": 0.1})``; or a list with one of these per hidden layer.
    solver : str or solver object, default="adam"
        "adam", "sgd", "lbfgs", "gd", "newton", "lm" or "newton-cg". "adam" and "sgd" work on
        mini-batches, the others on all of the data: "lbfgs" is SciPy's, "gd" takes steps of
        ``learning_rate_init`` times the gradient, "newton" uses the exact Hessian, "lm" is
        Levenberg-Marquardt on the Gauss-Newton matrix, "newton-cg" needs products with that matrix
        alone. An object of :mod:`fastmlp.solvers` brings its own hyper-parameters; the flat ones
        below that belong to the solver (batch_size, learning_rate, learning_rate_init, power_t,
        shuffle, momentum, nesterovs_momentum, beta_1, beta_2, epsilon) are then ignored, with a
        warning where they are not at their defaults. ``fit`` never changes it.
    alpha : float, default=0.0001
        Strength of the L2 penalty on the weights; it is divided by the sum of the sample weights
        (of the batch, with mini-batches).
    batch_size : int or "auto", default="auto"
        Samples per step; "auto" is ``min(200, n_samples)``.
    learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
        Schedule of "sgd": "invscaling" divides the rate by ``(samples seen + 1) ** power_t``;
        "adaptive" divides it by 5 whenever ``n_iter_no_change`` epochs brought no improvement.
    learning_rate_init : float, default=0.001
        The initial learning rate of "sgd", "adam" and "gd".
    power_t : float, default=0.5
        Exponent of "invscaling".
    max_iter : int, default=200
        Epochs (mini-batches) or iterations (full batch).
    shuffle : bool, default=True
        Whether mini-batches are drawn anew in each epoch.
    random_state : int, RandomState, Generator or None, default=None
        Draws the initial weights, the validation split and the mini-batches, in this order. Where
        ``partial_fit`` or a warm start goes on, the generator of a seed does, too.
    tol : float, default=1e-4
        Mini-batches: the improvement of the loss (or of the validation score) that counts as one.
        Full batch: the largest entry of the gradient at convergence.
    verbose : bool, int or "bar", default=False
        Whether to print a table with a line per iteration, and last the reason for stopping; "bar"
        shows a progress bar (tqdm's, where it is installed).
    warm_start : bool, default=False
        Whether ``fit`` goes on from the fitted weights. The optimiser's moments start anew;
        ``loss_curve_``, ``history_`` and ``t_`` go on, as in scikit-learn, and so do the scales of
        ``standardize``. ``best_loss_``, ``best_validation_score_`` and the count of epochs without
        improvement go on where the data, the loss and the rule of stopping are still the same, and
        start anew where they are not. The rows that ``early_stopping`` set aside stay aside.
    momentum : float in [0, 1], default=0.9
        Momentum of "sgd".
    nesterovs_momentum : bool, default=True
        Whether "sgd" uses Nesterov's form of it.
    early_stopping : bool, default=False
        Whether to set a part of the data aside, to stop when the score on it no longer improves,
        and to return the weights of the best score. "lbfgs" ignores it, as scikit-learn's does;
        pass ``X_val`` to ``fit`` to have it there too.
    validation_fraction : float in [0, 1), default=0.1
        The part that is set aside.
    beta_1, beta_2 : float in [0, 1), default=0.9, 0.999
        Decay of the moments of "adam".
    epsilon : float, default=1e-8
        Added to the root of the second moment of "adam".
    n_iter_no_change : int or np.inf, default=10
        Epochs without improvement that are borne.
    max_fun : int, default=15000
        Evaluations of the loss by "lbfgs".
    loss : {"log_loss", "squared_error", "perceptron"} or object, default="log_loss"
        "log_loss" is the cross-entropy. "squared_error" is half the squared error of the
        probabilities (their output activation stays logistic or softmax). "perceptron" is
        Rosenblatt's ``max(0, -y * raw)``, y = +1 or -1; it has ``decision_function`` instead of
        ``predict_proba``. Or your own, for the full-batch solvers: a function
        ``value_grad(raw, y)``, or an object with it, that returns a value per sample and its
        gradient by ``raw``, the outputs before logistic or softmax, (n_samples, n_outputs); y is 0
        or 1, (n_samples,), or with several classes or labels one column for each. See
        :func:`fastmlp.losses.check_grad`.
    init : str or tuple (coefs, intercepts), default="glorot"
        Initial weights: "glorot" is scikit-learn's; "he", "lecun", "zeros"; "nguyen-widrow" spreads
        the slopes of tanh or logistic units over inputs from -1 to 1, which "lm" gains from. A pair
        is in the units of X and y, as ``coefs_`` and ``intercepts_`` are.
    class_weight : dict, list of dict or "balanced", default=None
        Weights of the classes, multiplied into ``sample_weight``; 1 for a class that the dict does
        not name. For an indicator matrix, a list of one dict for 0 and 1 per column. "balanced"
        makes them inversely proportional to the frequencies of the classes. The rows that early
        stopping sets aside are weighted alike, ``X_val`` is not. A name that y does not have is
        a warning, since a fold may lack a class; an error if it looks like a slip of the pen, or
        where all classes are known (``partial_fit``, ``warm_start``).
    label_smoothing : float in [0, 1), default=0.0
        The share of each label that is spread evenly over all classes: of K classes the network is
        trained towards ``1 - label_smoothing * (K - 1) / K`` for the label, ``label_smoothing / K``
        for the others (Szegedy et al. 2016). Fewer errors, at times, for probabilities that are
        too timid: 0 where they matter. Validation data keep their labels. Needs labels that the
        loss takes as probabilities: not "perceptron".
    standardize : bool, default=False
        Whether each feature (and, in a regressor whose loss can be shifted, each target) is brought
        to mean 0 and standard deviation 1 inside; sparse features are only divided, not shifted.
        The scales are learned, in float64, from the training rows of the first fit, and applied to
        rows as they are read, without a copy of X. ``partial_fit`` lets them follow the stream: the
        first and the last layer are rewritten with them, so that the model remains the same
        function, until a scale has doubled or halved; beyond that the weights stay of the size at
        which training works, and the function moves with the data. ``predict`` takes and
        returns the original units, and ``coefs_`` and ``intercepts_`` are in them, too; ``loss_``
        and the loss curves belong to the scaled data.
    scoring : str, callable or None, default=None
        What early stopping maximises: None for accuracy or R2, "loss" for minus the validation
        loss, a scorer of scikit-learn or its name, or a function ``scorer(estimator, X, y)`` that
        returns a number. Your function gets the rows set aside, or ``X_val`` and ``y_val``, as you
        passed them (frames and series stay such), after each epoch, and the estimator with the
        weights of this epoch, and besides ``sample_weight`` if it has a parameter of this name and
        there are weights; what it raises ends the fit. scikit-learn's scorers know ``classes_``,
        and are tried before training starts: where the validation data lack a class that they
        cannot do without, a warning says so, and the loss decides. With a scorer, the split keeps
        the shares of the classes.
    callback : callable, default=None
        ``callback(epoch, record)`` after each epoch, counted from 1. ``record`` is a dict of this
        epoch's entries of ``history_``, with the attributes ``theta``, the parameters at present
        (read-only, and only until the callback returns: keep ``record.theta.copy()``), and
        ``network``, the :class:`fastmlp.Network` that they belong to (on the scaled data, under
        ``standardize``). The fit stops if the callback raises StopIteration or returns
        ``fastmlp.STOP``; any other answer is ignored.
    max_time : float, default=None
        Seconds after which the fit, with all its starts, ends with the epochs at hand.
    n_threads : int, default=None
        Threads, at most; None: as many as this process may use, and one where an epoch takes less
        than some ten milliseconds. Small batches are done by one thread whatever the number, and
        several that gain nothing, as on a busy machine, leave the rest of the fit to one:
        ``timings_`` tells. That changes no result; the number given here may, by rounding.
    n_starts : int, default=1
        Fits from so many initial weights, in parallel threads (one after the other with a scorer in
        ``scoring``; the callback is called from all of them). The one with the highest validation
        score is kept; without validation data, with the highest evidence if the solver estimates
        it, else with the lowest loss. What ends one of them ends them all, and weights are drawn
        when their turn comes: with ``max_time``, any number means as many as there is time for. A
        fit that goes on from an earlier one has a single start.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer, in the units of X and y. They may
        be edited: ``predict`` uses them as they are. With ``standardize=True`` the scales are
        folded into the first and the last layer, in float64; these arrays are read-only: change
        copies, and assign the whole list.
    network_ : Network
        The network, in the units of X and y: ``network_.predict(theta_, X)`` gives the predictions.
    theta_ : ndarray of shape (n_params,)
        ``coefs_`` and ``intercepts_`` as one vector; a copy.
    loss_ : float
        The loss at the end: over the last epoch's mini-batches, or of the last iteration.
    loss_curve_ : list of float
        The loss after each epoch or iteration.
    best_loss_ : float or None
        The smallest of them; None under early stopping.
    validation_scores_, validation_loss_curve_ : list of float or None
        Score and loss (without the penalty) on the validation data, under early stopping.
    best_validation_score_ : float or None
        The highest score, under early stopping.
    history_ : dict of str to list
        Per epoch: ``loss``, ``validation_score``, ``validation_loss``, ``learning_rate``, and what
        the solver adds. A fit that goes on appends to it.
    timings_ : dict of str to list, or None
        Per epoch, what two equal fits differ in: ``seconds`` since the start of the fit, and the
        number of ``threads`` that worked. Not in a pickle or copy, where it is None.
    starts_ : list of dict or None
        What became of every start that was made, where ``n_starts`` is more than 1: ``theta``,
        ``loss``, ``n_iter``, ``status``, ``history`` and, as a dict, ``evidence``.
    evidence_ : EvidenceState or None
        Noise level, weight decay and effective number of parameters, where the solver is
        ``LevenbergMarquardt(evidence=True)``; on the scale of the standardized data. With
        ``evidence="ard"`` its ``relevance`` says which features matter.
    status_ : str
        A sentence that says why the fit ended.
    n_iter_ : int
        Epochs or iterations of the last call.
    t_ : int
        Samples seen by a mini-batch solver.
    activations_ : list
        Activation of each hidden layer.
    out_activation_ : str
        Activation of the output layer.
    x_mean_, x_scale_ : ndarray of shape (n_features,) or None
        What ``standardize`` took off the features, and divided them by.
    n_layers_ : int
        Layers, the input included.
    n_outputs_ : int
        Neurons of the output layer.
    n_features_in_ : int
        Features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had names that are all strings.

    See Also
    --------
    MLPRegressor : The same for regression.
    fastmlp.Network : The network itself, with its derivatives.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastmlp import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = MLPClassifier((10,), solver="newton", alpha=0.1, random_state=0).fit(X, y)
    >>> clf.predict(X[:2])
    array([0, 0])
    """

    classes_: np.ndarray

    _numeric_targets = False
    _score_name = "accuracy"
    _extra_rules = {
        "loss": _params.either(_params.one_of(*LOSSES), _params.CUSTOM_LOSS),
        "class_weight": _params.either(
            _params.NONE,
            _params.one_of("balanced"),
            _params.Rule(lambda value: isinstance(value, dict | list), "a dict or a list of dicts"),
        ),
        "label_smoothing": _params.real(0, 1),
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: _types.Activations = "relu",
        *,
        solver: _types.Solver | Solver = "adam",
        alpha: float = 0.0001,
        batch_size: _types.BatchSize = "auto",
        learning_rate: _types.Schedule = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        tol: float = 1e-4,
        verbose: _types.Verbose = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: _types.ClassifierLoss | _types.CustomLoss = "log_loss",
        init: _types.Start = "glorot",
        class_weight: dict | list[dict] | Literal["balanced"] | None = None,
        label_smoothing: float = 0.0,
        standardize: bool = False,
        scoring: str | Callable | None = None,
        callback: Callable[[int, Record], Any] | None = None,
        max_time: float | None = None,
        n_threads: int | None = None,
        n_starts: int = 1,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.loss = loss
        self.init = init
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.standardize = standardize
        self.scoring = scoring
        self.callback = callback
        self.max_time = max_time
        self.n_threads = n_threads
        self.n_starts = n_starts

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
