"""MLPClassifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np

from fastmlp import _types
from fastmlp.estimators import _params
from fastmlp.estimators._base_classifier import BaseClassifier
from fastmlp.solvers import Record
from fastmlp.solvers._base import Solver

LOSSES = get_args(_types.ClassifierLoss)


class MLPClassifier(BaseClassifier):
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
