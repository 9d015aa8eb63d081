"""MLPDistributionRegressor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastmlp import _types
from fastmlp.distributions import Distribution, resolve_family
from fastmlp.distributions._family import collapsed
from fastmlp.estimators import _data, _params, _prediction
from fastmlp.estimators._base_regressor import BaseRegressor
from fastmlp.estimators._predictive import PredictiveMixin
from fastmlp.estimators._warn import warn
from fastmlp.losses import resolve_loss, resolve_output
from fastmlp.predictor import DistributionPredictor
from fastmlp.solvers import EvidenceState, Record, Status
from fastmlp.solvers._base import Solver

# Up to so many rows "auto" takes all of them for a step: adam makes too few steps of their batches.
MOST_AT_ONCE = 2000
# So many rows tell "auto" when to stop, up to this part of all.
LEAST_ASIDE, MOST_ASIDE = 24, 0.2
DISTRIBUTIONS = get_args(_types.Distribution)


def _is_distribution(value):
    if isinstance(value, str) or _params.is_named(value):
        name = value if isinstance(value, str) else value[0]
        return name in DISTRIBUTIONS
    return _params.is_custom_loss(value) and callable(getattr(value, "from_raw", None))


class MLPDistributionRegressor(PredictiveMixin, BaseRegressor):
    """Multilayer perceptron that predicts a distribution for each row.

    The network's raw outputs are the parameters of a distribution of the target, and it is trained
    by the likelihood. Targets of families that can be shifted (those on the real line) are
    standardised inside, whatever ``standardize`` says, and the distributions are in the units of y
    all the same. The output biases start at the distribution of all targets together.

    The spread is that of noise in the targets: it does not widen where there are no data, because
    one set of weights does not know what it does not know. :class:`BayesianMLPRegressor` does.

    Parameters
    ----------
    distribution : str, tuple (name, parameters) or object, default="normal"
        - "normal": the mean and the logarithm of sigma are outputs; with a parameter ``scale`` of
          "constant" (one sigma, learned), or a number (in the units of y: targets are then divided
          by it, and with 1 the loss is squared error), as ``("normal", {"scale": "constant"})``;
          with ``"parametrization": "natural"`` the outputs are mean / sigma^2 and r, where
          1 / sigma^2 = softplus(r): the likelihood is then concave in them;
        - "student_t": ``df`` = 4 degrees of freedom, or as in ``("student_t", {"df": 10.0})``;
        - "laplace": the location and the logarithm of the scale are outputs;
        - "lognormal": targets above 0, whose logarithms are normal;
        - "gamma": targets above 0; the logarithms of mean and shape are outputs;
        - "beta": targets between 0 and 1; the logit of the mean and the logarithm of the
          concentration a + b;
        - "negative_binomial": whole numbers from 0 on, of variance mean + mean^2 / n; the
          logarithms of the mean and of n;
        - "poisson": whole numbers from 0 on; their standard deviation is the root of the mean;
        - "bernoulli": 0 or 1, with several columns of y for several labels;
        - "categorical": any numbers of which there are few, such as grades; their probabilities.
          For labels without an order there is MLPClassifier;
        - "mixture": of normals, ``components`` = 3, none narrower than ``floor`` deviations
          of y (by default 0.001, or half the smallest gap between targets that repeat);
        - "histogram": over ``bins`` = 40 of equal mass over the training targets, or of equal width
          (``edges="width"``), or of given ``edges``, with exponential tails beyond; trained by the
          log-density or, as in ``("histogram", {"bins": 400, "loss": "crps"})``, by the CRPS;
        - "quantiles": of ``levels`` (0.025, 0.05, 0.1, ..., 0.95, 0.975 by default), which never
          cross, and the distribution through them; "lm" and "newton-cg" refuse it by name;
        - your own, for the full-batch solvers: see :func:`fastmlp.distributions.check_family`.

        Several targets are independent, given the features.
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Neurons of each hidden layer. ``()`` is a single layer of neurons: a linear model.
    activation : str, tuple (name, parameters) or list, default="relu"
        Activation of the hidden layers: "identity", "logistic", "tanh", "relu", "softplus",
        "leaky_relu", "elu", "selu", "gelu", "silu" or "mish"; with parameters, as in
        ``("leaky_relu", {"eps": 0.1})``; or a list with one of these per hidden layer.
    solver : str or solver object, default="auto"
        "auto", "adam", "sgd", "lbfgs", "gd", "newton", "lm" or "newton-cg". "auto" is "newton-cg",
        steps divided by the Fisher information, up to 2000 rows, of which too few batches could be
        made for "adam", and for a distribution of your own ("lbfgs" if that or "quantiles" has no
        curvature); "adam" beyond, and in ``partial_fit``. "adam" and "sgd" work on
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
    early_stopping : bool or "auto", default="auto"
        Whether to set a part of the data aside, to stop when the score on it no longer improves,
        and to return the weights of the best score; "auto": where ``solver="auto"`` goes through
        all rows at once, if two can be set aside. "lbfgs" by name ignores it, as scikit-learn's
        does; pass ``X_val`` to ``fit`` to have it there too.
    validation_fraction : float in [0, 1), default=0.1
        The part that is set aside; more under ``early_stopping="auto"`` where it is less than 24
        rows, up to a fifth.
    beta_1, beta_2 : float in [0, 1), default=0.9, 0.999
        Decay of the moments of "adam".
    epsilon : float, default=1e-8
        Added to the root of the second moment of "adam".
    n_iter_no_change : int or np.inf, default=10
        Epochs without improvement that are borne.
    max_fun : int, default=15000
        Evaluations of the loss by "lbfgs".
    init : str or tuple (coefs, intercepts), default="glorot"
        Initial weights: "glorot" is scikit-learn's; "he", "lecun", "zeros"; "nguyen-widrow" spreads
        the slopes of tanh or logistic units over inputs from -1 to 1, which "lm" gains from. A pair
        is in the units of X and y, as ``coefs_`` and ``intercepts_`` are.
    standardize : bool, default=False
        Whether each feature is brought to mean 0 and standard deviation 1 inside; sparse features
        are only divided, not shifted. The scales are learned, in float64, from the training rows of
        the first fit, and applied to rows as they are read, without a copy of X; ``partial_fit``
        lets them follow the stream. (Targets are standardised in any case, where the distribution
        can be shifted; where a scale is given they are divided by it, and shifted under
        ``standardize=True`` alone.)
    scoring : str, callable or None, default=None
        What early stopping maximises: None or "loss" for the likelihood of the validation data; a
        scorer of scikit-learn or its name, which judges the means; or a function
        ``scorer(estimator, X, y)`` that returns a number, and is called after each epoch with the
        rows set aside, or ``X_val`` and ``y_val``, as you passed them, and the estimator with the
        weights of this epoch (and besides ``sample_weight`` if it has a parameter of this name and
        there are weights); what it raises ends the fit.
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
    y_mean_, y_scale_ : ndarray of shape (n_outputs,) or None
        What was taken off the targets, and what they were divided by.
    scale_ : ndarray of shape (n_outputs,) or None
        The learned sigma of ``("normal", {"scale": "constant"})``, in the units of y.
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer, in the units of X; the outputs are
        the parameters of ``(y - y_mean_) / y_scale_``. They may be edited: ``predict`` uses them as
        they are. With ``standardize=True`` the scales of X are folded into the first layer, in
        float64; these arrays are read-only: change copies, and assign the whole list.
    network_ : Network
        The network, in the units of X: ``network_.raw(theta_, X)`` gives the parameters of the
        distribution of ``(y - y_mean_) / y_scale_``.
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
        Targets; for "categorical" the values of y.
    n_features_in_ : int
        Features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had names that are all strings.

    See Also
    --------
    BayesianMLPRegressor : Error bars that widen outside the data.
    MLPRegressor : The same for regression.
    fastmlp.distributions : What ``predict_dist`` returns.

    Notes
    -----
    ``("normal", {"scale": "constant"})`` is trained by squared error, whose minimum is that of the
    likelihood for any sigma; ``alpha`` is a strength beside the squared error of standardised
    targets, as in MLPRegressor. Sigma is then the root mean square residual of the validation data
    where there are some, as residuals of training rows are too small by what was fitted to them;
    of the training rows else, the likelihood's maximum; and the solver's own estimate, which allows
    for the parameters that were fitted, where that is ``LevenbergMarquardt(evidence=True)``.

    ``coefs_``, ``intercepts_`` and ``network_`` are in the units of X; the raw outputs are the
    parameters of ``(y - y_mean_) / y_scale_``.

    Batches of "adam" and "sgd" weigh rows by their scale (beta-NLL, see
    :class:`fastmlp.Network`); the factor is held while the gradient is taken, so that there is no
    function whose gradient this is, and nothing to watch but the likelihood. Losses, validation
    scores and early stopping are of the likelihood itself, each row once: what is to be good on
    new rows. Both have the same minimum where the family can have the truth in it.

    Up to 2000 rows 200 epochs are too few steps for "adam" (of 300 rows, 400): the scale then stays
    near that of the targets. Unpenalised full-batch steps follow the noise into scales near zero
    instead, hence early stopping by default.

    Scales are held above 1e-6 of the targets' standard deviation: a likelihood without a bound
    grows for ever where a network passes through its targets. A warning says so.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import MLPDistributionRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(0, 1, (500, 1))
    >>> y = rng.normal(np.sin(6 * X.ravel()), 0.1 + 0.4 * X.ravel())
    >>> model = MLPDistributionRegressor("normal", (8,), "tanh", solver="lm", random_state=0)
    >>> mean, std = model.fit(X, y).predict([[0.0], [1.0]], return_std=True)
    >>> bool(std[0] < 0.2 < 0.4 < std[1])
    True
    """

    scale_: np.ndarray | None

    _score_name = "-loss"
    _trained_by = "distribution"
    _folds_y = False
    _extra_rules = {
        "distribution": _params.Rule(
            _is_distribution,
            f"one of {', '.join(map(repr, DISTRIBUTIONS))}, a tuple (name, parameters) or an "
            "object with value_grad(raw, y) and from_raw(raw, n_targets)",
            DISTRIBUTIONS,
        ),
        "solver": _params.either(_params.one_of("auto"), _params.SOLVER),
        "early_stopping": _params.either(_params.BOOLEAN, _params.one_of("auto")),
    }

    def __init__(
        self,
        distribution: (
            _types.Distribution | tuple[_types.Distribution, dict[str, Any]] | _types.CustomFamily
        ) = "normal",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: _types.Activations = "relu",
        *,
        solver: Literal[_types.Solver, "auto"] | Solver = "auto",
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
        early_stopping: bool | Literal["auto"] = "auto",
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        init: _types.Start = "glorot",
        standardize: bool = False,
        scoring: str | Callable | None = None,
        callback: Callable[[int, Record], Any] | None = None,
        max_time: float | None = None,
        n_threads: int | None = None,
        n_starts: int = 1,
    ) -> None:
        self.distribution = distribution
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
        self.init = init
        self.standardize = standardize
        self.scoring = scoring
        self.callback = callback
        self.max_time = max_time
        self.n_threads = n_threads
        self.n_starts = n_starts

    def _make_solver(self, network, X, incremental):
        if self.solver != "auto":
            return super()._make_solver(network, X, incremental)
        loss = network._loss
        if not loss.is_custom and (incremental or X.shape[0] > MOST_AT_ONCE):
            return _params.make_solver(self, "adam")
        return _params.make_solver(self, "newton-cg" if loss.curved else "lbfgs")

    def _sets_aside(self, solver, n_counted):
        if self.solver != "auto" or solver.mini_batch:
            return self.early_stopping != "auto" and super()._sets_aside(solver, n_counted)
        enough = self.validation_fraction * n_counted > 1  # rounded up, two
        return enough if self.early_stopping == "auto" else self.early_stopping

    def _part_set_aside(self, n_counted):
        few = min(MOST_ASIDE, LEAST_ASIDE / n_counted) if self.early_stopping == "auto" else 0.0
        return max(self.validation_fraction, few)

    def _encode(self, y, sample_weight, fresh, incremental, classes):
        targets = self._numbers(y, "y")
        if fresh:
            self._n_targets = 1 if targets.ndim == 1 else targets.shape[1]
            family = resolve_family(self.distribution)
            family.check(targets)
            self._family = family.learn(targets, sample_weight)
            self._fitted_distribution = self.distribution
            self.scale_ = None
        else:
            if repr(self.distribution) != repr(self._fitted_distribution):
                raise ValueError(
                    f"The fit that would go on was of distribution {self._fitted_distribution!r}, "
                    f"and this one is {self.distribution!r}: set warm_start=False, or clone the "
                    "estimator."
                )
            self._same_columns(targets, "y")
            self._family.check(targets)
        if incremental and self._family.needs_residuals:
            raise ValueError(
                "partial_fit has no place to learn the scale from: scale='constant' is the "
                "residuals' of all rows. Take scale='row' or a number."
            )
        return self._family.encode(targets), self._family.n_outputs(self._n_targets), {}

    def _encode_validation(self, y):
        targets = self._numbers(y, "y_val")
        self._same_columns(targets, "y_val")
        self._family.check(targets, "y_val")
        return self._family.encode(targets)

    def _same_columns(self, targets, name):
        n_columns = 1 if targets.ndim == 1 else targets.shape[1]
        if n_columns != self._n_targets:
            raise ValueError(
                f"{name} has {n_columns} columns, the y of the fit has {self._n_targets}."
            )

    def _network_loss(self):
        family = self._family
        if family.output_activation is not None:
            return family.loss, family.output_activation
        return family.loss, resolve_output(None, resolve_loss(family.loss), 1).name

    def _prediction_head(self):
        return 1, "identity"

    def _learn_target_scales(self, targets, sample_weight, rows):
        _data.no_scales(self, "y")
        family = self._family
        if not family.located:
            return
        _data.learn_scales(self, "y", targets.reshape(len(targets), -1), sample_weight, rows)
        if family.unit is not None:
            self.y_scale_ = np.full(self._n_targets, family.unit)
            if not self.standardize:
                self.y_mean_ = np.zeros(self._n_targets)

    def _follow_target_scales(self, targets, sample_weight, network, theta):
        """Only locations and logarithms of scales can be rewritten: others move with the data."""
        if self.y_mean_ is None or self._family.unit is not None:
            return
        if self._family.log_scales:
            super()._follow_target_scales(targets, sample_weight, network, theta)
        else:
            _data.follow_scales(self, "y", targets.reshape(len(targets), -1), sample_weight)

    def _marginal(self, targets, sample_weight):
        return self._family.start(targets, sample_weight)

    def _starts_at_constant(self, network):
        """Squared error starts where scikit-learn's does."""
        return network._loss.row["noise"] != "FREE"

    def _default_score(self, targets, sample_weight):
        return None

    def _complete(self, network, result, X, targets, data, validation):
        if result.status is Status.ONE_EPOCH:
            return
        weights, rows = data["sample_weight"], data["rows"]
        if self._family.needs_residuals and validation is not None:
            X, targets, weights, rows = validation
        if not (self._family.needs_residuals or self._family.raws_per_target > 1):
            return
        objective = network.objective(
            X, targets, sample_weight=weights, rows=rows, scales=data["scales"]
        )
        raw = objective.term.raw(result.theta.astype(network.dtype))
        noise = result.state.noise if isinstance(result.state, EvidenceState) else None
        targets, weights = objective.term.data.selected
        self._family = self._family.complete(raw, targets, weights, noise)
        if self._family.needs_residuals:
            self.scale_ = self._family.from_raw(raw[:1], self._n_targets).std().reshape(-1)
            self.scale_ = self.scale_ * self.y_scale_
        scales = self._family.scales(raw, self._n_targets)
        n_collapsed = 0 if scales is None else int(np.count_nonzero(collapsed(scales)))
        if n_collapsed:
            warn(
                f"The scale has collapsed in {n_collapsed} of {len(raw)} rows: the network passes "
                "through these targets, or they do not vary. (It is held above 1e-6 of their "
                "standard deviation.) Use early_stopping, a larger alpha, fewer neurons, or a "
                "scale that is constant or given."
            )

    def _dist(self, X) -> Distribution:
        return self._of_raw(self._output(X))

    def _of_raw(self, raw):
        return self._family.distribution(raw, self._n_targets, self._y_scales())

    def _y_scales(self):
        return None if self.y_mean_ is None else (self.y_mean_, self.y_scale_)

    def _jacobian(self, X):
        """Of the mean, by the network's derivative of raw outputs and differences of the mean."""
        raw = self._output(X).astype(np.float64)
        network, theta = self.network_, self.theta_
        by_x = network.input_jacobian(theta, X)
        by_raw = np.empty((len(raw), self._n_targets, raw.shape[1]))
        for k in range(raw.shape[1]):
            h = np.cbrt(np.finfo(np.float64).eps) * np.maximum(1.0, np.abs(raw[:, k]))
            ahead, behind = raw.copy(), raw.copy()
            ahead[:, k] += h
            behind[:, k] -= h
            change = self._of_raw(ahead).mean() - self._of_raw(behind).mean()
            width = ahead[:, k] - behind[:, k]
            by_raw[:, :, k] = change.reshape(len(raw), -1) / width[:, None]
        return by_raw @ by_x

    def compile(self) -> DistributionPredictor:
        """Pack the fitted network for prediction at the lowest latency.

        Returns
        -------
        DistributionPredictor
            Immutable, picklable, without scikit-learn; its ``predict``, also with
            ``return_std=True``, and its ``predict_dist`` answer as this estimator's do now. Later
            changes of the estimator do not reach it.

        Raises
        ------
        NotFittedError
            Before ``fit``.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import MLPDistributionRegressor
        >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
        >>> y = np.random.default_rng(0).normal(X.ravel(), 0.1)
        >>> model = MLPDistributionRegressor("normal", (), solver="lm", random_state=0).fit(X, y)
        >>> mean, std = model.compile().predict(X[150], return_std=True)
        >>> round(float(mean), 1), round(float(std), 1)
        (0.5, 0.1)
        """
        check_is_fitted(self)
        network, theta = _prediction.packed_network(self)
        return DistributionPredictor(
            network,
            theta,
            self._family,
            self._n_targets,
            names=getattr(self, "feature_names_in_", None),
            x_scales=_prediction.x_scales(self),
            y_scales=self._y_scales(),
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # by scikit-learn's threshold, which is one of R2
        return tags
