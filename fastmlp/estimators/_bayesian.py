"""BayesianMLPRegressor and BayesianMLPClassifier: a distribution over weights, not one set."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from scipy import special
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp import _types
from fastmlp._names import shown
from fastmlp._sparse import sound
from fastmlp.distributions import Distribution, resolve_family
from fastmlp.distributions._family import collapsed
from fastmlp.estimators import _data, _history, _params, _report
from fastmlp.estimators._explain import explained
from fastmlp.estimators._predictive import PredictiveMixin
from fastmlp.network import Network
from fastmlp.posteriors import POSTERIORS, Posterior
from fastmlp.posteriors._marginal import expected, marginal
from fastmlp.posteriors.laplace import LEAST_NOISE, Laplace
from fastmlp.solvers import Adam, LevenbergMarquardt, Status, minimize
from fastmlp.solvers._base import Solver
from fastmlp.threads import blas_threads, worth_of_blas

# Standardised features beyond it count as it: their products still fit a float64.
_MOST_INPUT = 1e100
# Up to so many parameters "auto" trains by Levenberg-Marquardt with evidence.
MOST_LM = 2000


class Parts(NamedTuple):
    """A prediction, and what its spread is made of.

    Attributes
    ----------
    mean : ndarray
        The mean of each row's distribution.
    epistemic : ndarray
        The spread that more data would take away: the standard deviation, over the posterior, of
        the expected target.
    aleatoric : ndarray
        The spread that they would not: the standard deviation of targets around it. The squares of
        the two add up to the variance of the distribution.
    """

    mean: np.ndarray
    epistemic: np.ndarray
    aleatoric: np.ndarray


class BaseBayesian(BaseEstimator):
    """What the two share: one fit, from checked data to a posterior."""

    n_features_in_: int
    feature_names_in_: np.ndarray
    posterior_: Posterior
    network_: Network
    x_mean_: np.ndarray
    x_scale_: np.ndarray
    n_iter_: int
    loss_: float
    status_: str

    _doc_link_module = "fastmlp"
    _doc_link_template = ""

    _numeric_targets: bool
    _rules = {
        "posterior": _params.either(
            _params.one_of(*POSTERIORS),
            _params.Rule(
                lambda value: isinstance(value, Posterior), "a posterior of fastmlp.posteriors"
            ),
        ),
        "solver": _params.either(_params.one_of("auto"), _params.SOLVER),
        "alpha": _params.RULES["alpha"],
        "max_iter": _params.RULES["max_iter"],
        "tol": _params.RULES["tol"],
        "n_samples": _params.integer(1),
        "random_state": _params.RULES["random_state"],
        "n_threads": _params.RULES["n_threads"],
    }

    def _learn(self, X, y, sample_weight, family):
        """Fit the posterior of the parameters of a network to targets that were checked."""
        rng = _params.random_state(self.random_state)
        posterior = self._own_posterior()
        with np.errstate(all="ignore"):
            _data.learn_scales(self, "x", X, sample_weight)
            targets = self._scaled_targets(family, y, sample_weight)
        n_targets = 1 if targets.ndim == 1 else targets.shape[1]
        network = Network(
            [
                X.shape[1],
                *_params.hidden_sizes(self.hidden_layer_sizes),
                family.n_outputs(n_targets),
            ],
            activation=self.activation,
            output_activation=family.output_activation,
            loss=family.loss,
        )
        theta = network.init(rng)
        theta[-network.n_raw :] = family.start(targets, sample_weight)
        objective = network.objective(
            X,
            targets,
            sample_weight=sample_weight,
            alpha=self.alpha,
            scales=(self.x_mean_, self.x_scale_),
        )
        objective.n_threads = self.n_threads
        solver, runs = self._solver(objective, posterior), []
        n_blas = self.n_threads or worth_of_blas(6.0 * objective.n_samples * network.n_params)

        def train(objective, theta, random_state):
            with blas_threads(n_blas):
                result = minimize(
                    objective,
                    theta,
                    solver=solver,
                    max_iter=self.max_iter,
                    tol=self.tol,
                    random_state=random_state,
                )
            if result.status is Status.INTERRUPTED:
                raise KeyboardInterrupt
            if result.status is Status.DIVERGED:
                raise _report.divergence(self, solver, _report.describe_divergence(network, result))
            runs.append(result)
            return result

        posterior.fit(objective, theta, train=train, random_state=rng, n_threads=self.n_threads)
        self.posterior_, self.network_ = posterior, network
        self._family, self._n_targets = family, n_targets
        self.n_iter_ = max((run.n_iter for run in runs), default=1)
        best = min(runs, key=lambda run: run.loss, default=None)
        self.loss_ = np.nan if best is None else best.loss
        self.status_ = "" if best is None else best.message
        return self

    def _own_posterior(self):
        """A posterior to be fitted, with the parameters of the one that was given."""
        if isinstance(self.posterior, str):
            return POSTERIORS[self.posterior]()
        return type(self.posterior)(**self.posterior.get_params())

    def _scaled_targets(self, family, y, sample_weight):
        """Targets as the network takes them."""
        return family.encode(y)

    def _solver(self, objective, posterior):
        if isinstance(self.solver, Solver):
            return self.solver
        grouping = posterior.grouping(objective)
        evidence = True if grouping == "single" else grouping
        small = objective.n_params <= MOST_LM and objective.network._loss.curved
        if self.solver == "auto":
            return LevenbergMarquardt(evidence=evidence) if small else Adam()
        return _params.SOLVERS[self.solver]()

    @property
    def log_marginal_likelihood_(self) -> float | None:
        """Of the data, weights integrated out, in nats, where the posterior has an estimate of it.

        Up to constants of the data: it compares models of the same data and distribution.
        """
        check_is_fitted(self)
        return self.posterior_.log_marginal_likelihood

    def _validated(self, X, y):
        with explained(self, X):
            return validate_data(
                self,
                sound(X),
                sound(y),
                accept_sparse="csr",
                multi_output=True,
                y_numeric=self._numeric_targets,
                dtype=np.float64,
            )

    def _inputs(self, X):
        """X as the network of the posterior takes it."""
        check_is_fitted(self)
        with explained(self, X):
            X = validate_data(self, sound(X), accept_sparse="csr", dtype=np.float64, reset=False)
        if sp.issparse(X):
            if not self.x_mean_.any():
                return sp.csr_array(X.multiply(1 / self.x_scale_))
            X = X.toarray()
        with np.errstate(over="ignore"):
            X = (X - self.x_mean_) / self.x_scale_
        return np.clip(X, -_MOST_INPUT, _MOST_INPUT)

    def _raws(self, X):
        """What the posterior says of raw outputs; the same for the same row every time."""
        n, p = X.shape[0], self.network_.n_params
        with blas_threads(self.n_threads or worth_of_blas(2.0 * min(n, 100) * p * p)):
            return self.posterior_.raws(X, self.n_samples, np.random.RandomState(0))

    def _drawn(self, X, n, random_state):
        """Raw outputs by n sets of weights, one after another, and what each was drawn around."""
        X = self._inputs(X)
        raws = self.posterior_.functions(X, n, _params.random_state(random_state))
        linear = isinstance(self.posterior_, Laplace) and getattr(self._family, "natural", False)
        around = self._raws(X).mean if linear else raws
        return [(raw, around[i % len(around)]) for i, raw in enumerate(raws)]

    def __sklearn_is_fitted__(self):
        return hasattr(self, "posterior_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class BayesianMLPRegressor(PredictiveMixin, RegressorMixin, BaseBayesian):
    """Multilayer perceptron whose weights have a distribution: predictions with error bars.

    Predictions are averaged over a posterior of the weights, so that they say besides the noise
    how little the data tell at a place. Features, and targets whose distribution can be shifted,
    are brought to mean 0 and standard deviation 1 inside; the strengths of the prior are in these
    units.

    Parameters
    ----------
    distribution : str, tuple or object, default=("normal", {"scale": "constant"})
        Of a target, given weights: a family as :class:`MLPDistributionRegressor` takes it. The
        default is a Normal of one noise level for all rows (and, standardised, for all targets),
        found by the marginal likelihood; ``("normal", {"scale": "row"})`` is one of a noise that
        the network predicts.
    hidden_layer_sizes : int or array-like of int, default=(20,)
        Neurons of each hidden layer. ``()`` is Bayesian linear regression.
    activation : str, tuple (name, parameters) or list, default="tanh"
        Activation of the hidden layers.
    posterior : str or object of :mod:`fastmlp.posteriors`, default="laplace"
        How the posterior is found: "laplace", Normal around trained weights; "ensemble", networks
        trained from several starts; "variational", independent Normals; "mcmc", draws by
        Hamiltonian Monte Carlo, for small networks; or an object with parameters of its own, as
        ``Laplace(structure="layer")``. ``fit`` never changes it.
    solver : str or solver object, default="auto"
        How weights are trained. "auto" is Levenberg-Marquardt whose prior strengths and noise
        follow the marginal likelihood (evidence) up to 2000 parameters, "adam" beyond.
    alpha : float, default=0.0001
        L2 penalty in training, divided by the sum of the sample weights, where the solver does not
        find it itself.
    max_iter : int, default=200
        Epochs or iterations of a training run.
    tol : float, default=1e-4
        When a run has converged; see :func:`fastmlp.solvers.minimize`.
    n_samples : int, default=100
        Draws of weights that a prediction is averaged over, where the posterior is known by draws.
    random_state : int, RandomState, Generator or None, default=None
        Of initial weights and of all that is drawn in ``fit``.
    n_threads : int, default=None
        Threads, at most; None: as many as this process may use, where there is enough to do.

    Attributes
    ----------
    posterior_ : Posterior
        The posterior, over the weights of ``network_``.
    network_ : Network
        The network, in the units of standardised features and targets.
    log_marginal_likelihood_ : float or None
        Of the data, weights integrated out, up to constants of the data: compares models of one
        data set and one distribution.
    n_iter_ : int
        Iterations of the longest training run.
    loss_ : float
        The lowest loss at the end of a training run.
    status_ : str
        A sentence that says why that run ended.
    x_mean_, x_scale_ : ndarray of shape (n_features,)
        What was taken off the features, and what they were divided by.
    y_mean_, y_scale_ : ndarray of shape (n_outputs,) or None
        The same of the targets; None for a distribution that cannot be shifted.
    n_features_in_ : int
        Features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had names that are all strings.

    See Also
    --------
    MLPDistributionRegressor : Distributions of targets by one set of weights.
    BayesianMLPClassifier : The same for classes.

    References
    ----------
    MacKay, Neural Computation 4, 448 (1992). Immer, Korzepa and Bauer, Improving predictions of
    Bayesian neural nets via local linearization, AISTATS (2021).

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import BayesianMLPRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.uniform(-3, -1, 40), rng.uniform(1, 3, 40)][:, None]
    >>> y = np.sin(X.ravel()) + rng.normal(0, 0.1, 80)
    >>> model = BayesianMLPRegressor(random_state=0).fit(X, y)
    >>> mean, std = model.predict([[2.0], [0.0]], return_std=True)
    >>> parts = model.predict_parts([[2.0], [0.0]])
    >>> bool(std[1] > std[0]), bool(parts.epistemic[1] > parts.epistemic[0])
    (True, True)
    """

    y_mean_: np.ndarray | None
    y_scale_: np.ndarray | None

    _numeric_targets = True

    def __init__(
        self,
        distribution: Any = ("normal", {"scale": "constant"}),
        hidden_layer_sizes: int | Sequence[int] = (20,),
        activation: _types.Activations = "tanh",
        *,
        posterior: str | Posterior = "laplace",
        solver: str | Solver = "auto",
        alpha: float = 0.0001,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_samples: int = 100,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.distribution = distribution
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.posterior = posterior
        self.solver = solver
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.n_samples = n_samples
        self.random_state = random_state
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the posterior.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative: a row of weight 2 counts as two rows.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter or the data make no sense, targets outside the support of the distribution
            (the row is named), a loss without curvature.
        MemoryError
            The precision of the weights does not fit; the text names what takes less.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import BayesianMLPRegressor
        >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
        >>> y = np.random.default_rng(0).normal(X.ravel(), 0.1)
        >>> model = BayesianMLPRegressor(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> bool(0.08 < model.posterior_.noise * model.y_scale_[0] < 0.12)
        True
        """
        _params.check_rules(self, self._rules)
        family = resolve_family(self.distribution)
        if family.unit is not None:
            raise ValueError(
                "The noise of BayesianMLPRegressor is found from the data: distribution "
                f"{shown(self.distribution)} gives it as a number. Take scale='constant' or 'row'."
            )
        with _history.unchanged_on_error(self):
            X, y = self._validated(X, y)
            sample_weight = _data.check_weights(sample_weight, X.shape[0])
            if sp.issparse(y):
                raise ValueError("Sparse y is not supported; pass y.toarray().")
            if y.ndim == 2 and y.shape[1] == 1:
                y = column_or_1d(y, warn=True)
            y = y.astype(np.float64, copy=False)
            family.check(y)
            n_counted = len(y) if sample_weight is None else np.count_nonzero(sample_weight)
            if n_counted < 2:
                raise ValueError(
                    f"{type(self).__name__} needs at least 2 rows with a weight to tell noise from "
                    f"signal; n_samples = {n_counted}."
                )
            self._learn(X, y, sample_weight, family.learn(y, sample_weight))
        if self.posterior_.noise <= LEAST_NOISE:
            warnings.warn(
                f"{type(self).__name__}: the noise has collapsed to zero (targets are constant, or "
                f"the network passes through all of them); it is held at {LEAST_NOISE:g} of their "
                "spread, and intervals say little. Fewer units may help, or more rows.",
                UserWarning,
                stacklevel=2,
            )
        elif n_collapsed := self._n_collapsed(X, y):
            warnings.warn(
                f"{type(self).__name__}: the scale has collapsed in {n_collapsed} of {X.shape[0]} "
                "rows (targets do not vary, or the network passes through these); their intervals "
                "say little. Fewer units may help, more rows, or a scale that is constant.",
                UserWarning,
                stacklevel=2,
            )
        return self

    def _n_collapsed(self, X, y):
        """Rows whose scale, an output of the network, is next to zero."""
        if self._family.raws_per_target == 1:
            return 0
        if not np.ptp(y, axis=0).all():
            return len(y)
        raw = self.network_.raw(self.posterior_.theta, self._inputs(X))
        scales = self._family.scales(raw, self._n_targets)
        return 0 if scales is None else int(np.count_nonzero(collapsed(scales)))

    def _scaled_targets(self, family, y, sample_weight):
        _data.no_scales(self, "y")
        if family.located:
            _data.learn_scales(self, "y", y.reshape(len(y), -1), sample_weight)
            y = ((y.reshape(len(y), -1) - self.y_mean_) / self.y_scale_).reshape(y.shape)
        return family.encode(y)

    def _marginal(self, X):
        raws = self._raws(self._inputs(X))
        return marginal(self._family, raws, self._n_targets)

    def _y_units(self):
        """Shift and scale from standardised targets to targets."""
        if self.y_mean_ is None:
            return 0.0, 1.0
        if self._n_targets == 1:
            return self.y_mean_[0], self.y_scale_[0]
        return self.y_mean_, self.y_scale_

    def _dist(self, X):
        dist = self._marginal(X).dist
        return dist if self.y_mean_ is None else dist.affine(*self._y_units())

    def predict_parts(self, X: Any) -> Parts:
        """Predict means, and the spread that comes from weights and from noise, apart.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        Parts
            ``mean``, ``epistemic`` and ``aleatoric``, of shape (n_samples,) or (n_samples,
            n_outputs), in the units of y: ``epistemic**2 + aleatoric**2`` is the variance.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``: shape, names, NaN, infinity, text.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import BayesianMLPRegressor
        >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
        >>> y = np.random.default_rng(0).normal(X.ravel(), 0.1)
        >>> model = BayesianMLPRegressor(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> parts = model.predict_parts([[0.0], [10.0]])
        >>> bool(np.isclose(*parts.aleatoric)), bool(np.diff(parts.epistemic)[0] > 0.1)
        (True, True)
        """
        _, mean, epistemic, aleatoric = self._marginal(X)
        shift, scale = self._y_units()
        return Parts(shift + scale * mean, scale * epistemic, scale * aleatoric)

    def sample_predict(self, X: Any, n: int = 10, random_state: Any = None) -> np.ndarray:
        """Draw functions from the posterior: what the target's mean may be, without noise.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        n : int, default=10
            Functions.
        random_state : None, int, RandomState or Generator, default=None
            Of the draws.

        Returns
        -------
        ndarray of shape (n, n_samples) or (n, n_samples, n_outputs)
            In the units of y. Each entry is one function at all rows.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``; n is less than 1.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import BayesianMLPRegressor
        >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
        >>> y = np.random.default_rng(0).normal(X.ravel(), 0.1)
        >>> model = BayesianMLPRegressor(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> model.sample_predict(X, 3, random_state=0).shape
        (3, 50)
        """
        drawn = [
            expected(self._family, raw, around, self._n_targets)
            for raw, around in self._drawn(X, n, random_state)
        ]
        shift, scale = self._y_units()
        return shift + scale * np.stack(drawn)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.regressor_tags.poor_score = True  # the score is a log-likelihood
        return tags


class BayesianMLPClassifier(ClassifierMixin, BaseBayesian):
    """Multilayer perceptron classifier whose weights have a distribution.

    Probabilities are averaged over a posterior of the weights, so that they go back to the middle
    where the data say little. Features are brought to mean 0 and standard deviation 1 inside; the
    strengths of the prior are in these units.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(20,)
        Neurons of each hidden layer. ``()`` is Bayesian logistic regression.
    activation : str, tuple (name, parameters) or list, default="tanh"
        Activation of the hidden layers.
    posterior : str or object of :mod:`fastmlp.posteriors`, default="laplace"
        How the posterior is found: "laplace", Normal around trained weights; "ensemble", networks
        trained from several starts; "variational", independent Normals; "mcmc", draws by
        Hamiltonian Monte Carlo, for small networks; or an object with parameters of its own, as
        ``Laplace(structure="layer")``. ``fit`` never changes it.
    solver : str or solver object, default="auto"
        How weights are trained. "auto" is Levenberg-Marquardt whose prior strengths follow the
        marginal likelihood (evidence) up to 2000 parameters, "adam" beyond.
    alpha : float, default=0.0001
        L2 penalty in training, divided by the sum of the sample weights, where the solver does not
        find it itself.
    max_iter : int, default=200
        Epochs or iterations of a training run.
    tol : float, default=1e-4
        When a run has converged; see :func:`fastmlp.solvers.minimize`.
    n_samples : int, default=100
        Draws of weights that a prediction is averaged over, where the posterior is known by draws.
    random_state : int, RandomState, Generator or None, default=None
        Of initial weights and of all that is drawn in ``fit``.
    n_threads : int, default=None
        Threads, at most; None: as many as this process may use, where there is enough to do.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    posterior_ : Posterior
        The posterior, over the weights of ``network_``.
    network_ : Network
        The network, in the units of standardised features.
    log_marginal_likelihood_ : float or None
        Of the data, weights integrated out, up to constants of the data: compares models of one
        data set.
    n_iter_ : int
        Iterations of the longest training run.
    loss_ : float
        The lowest loss at the end of a training run.
    status_ : str
        A sentence that says why that run ended.
    x_mean_, x_scale_ : ndarray of shape (n_features,)
        What was taken off the features, and what they were divided by.
    n_features_in_ : int
        Features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had names that are all strings.

    See Also
    --------
    MLPClassifier : One set of weights.
    BayesianMLPRegressor : The same for numbers.

    Notes
    -----
    Under Laplace's approximation raw outputs are Normal. The logistic function of one is averaged
    by Gauss's rule, softmax of several over 256 points of Sobol's, the same for every row.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastmlp import BayesianMLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = BayesianMLPClassifier(random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    classes_: np.ndarray

    _numeric_targets = False

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (20,),
        activation: _types.Activations = "tanh",
        *,
        posterior: str | Posterior = "laplace",
        solver: str | Solver = "auto",
        alpha: float = 0.0001,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_samples: int = 100,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.posterior = posterior
        self.solver = solver
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.n_samples = n_samples
        self.random_state = random_state
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the posterior.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Class labels, at least two.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative: a row of weight 2 counts as two rows.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter or the data make no sense; a single class.
        MemoryError
            The precision of the weights does not fit; the text names what takes less.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import BayesianMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BayesianMLPClassifier(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> model.predict(X[:2])
        array([0, 0])
        """
        _params.check_rules(self, self._rules)
        with _history.unchanged_on_error(self):
            X, y = self._validated(X, y)
            sample_weight = _data.check_weights(sample_weight, X.shape[0])
            check_classification_targets(y)
            y = column_or_1d(y, warn=True)
            counted = y if sample_weight is None else y[sample_weight > 0]
            classes, codes = np.unique(y, return_inverse=True)
            n_counted = len(np.unique(counted))
            if n_counted < 2:
                raise ValueError(
                    f"{type(self).__name__} needs at least 2 classes, got {n_counted} class."
                )
            name = "bernoulli" if len(classes) == 2 else "categorical"
            family = resolve_family(name).learn(codes, sample_weight)
            self._learn(X, codes, sample_weight, family)
        self.classes_ = classes
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities, averaged over weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; rows sum to 1.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``: shape, names, NaN, infinity, text.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import BayesianMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BayesianMLPClassifier(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> model.predict_proba(X[:2]).shape
        (2, 3)
        """
        raws = self._raws(self._inputs(X))
        return _shares(marginal(self._family, raws, self._n_targets).dist)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of :meth:`predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            -inf for a probability that is zero.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``: shape, names, NaN, infinity, text.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import BayesianMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BayesianMLPClassifier(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> bool((model.predict_log_proba(X) < 0).all())
        True
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``: shape, names, NaN, infinity, text.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import BayesianMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BayesianMLPClassifier(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> model.predict(X[-2:])
        array([2, 2])
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_parts(self, X: Any, n: int = 200) -> Parts:
        """Predict probabilities, and their doubt that comes from weights and from noise, apart.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        n : int, default=200
            Draws of weights that they are estimated from.

        Returns
        -------
        Parts
            ``mean``: probabilities, (n_samples, n_classes); ``aleatoric``: the expected entropy of
            the class under weights that are drawn; ``epistemic``: what the entropy of the mean has
            beyond that, the mutual information of class and weights. In nats, (n_samples,).

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``; n is less than 1.

        References
        ----------
        Depeweg et al., Decomposition of uncertainty in Bayesian deep learning, ICML (2018).

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import BayesianMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BayesianMLPClassifier(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> bool((model.predict_parts(X).epistemic >= 0).all())
        True
        """
        drawn = self.sample_predict(X, n, np.random.RandomState(0))
        mean = drawn.mean(axis=0)
        aleatoric = _entropy(drawn).mean(axis=0)
        return Parts(mean, np.maximum(_entropy(mean) - aleatoric, 0), aleatoric)

    def sample_predict(self, X: Any, n: int = 10, random_state: Any = None) -> np.ndarray:
        """Draw functions from the posterior: what the probabilities may be.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        n : int, default=10
            Functions.
        random_state : None, int, RandomState or Generator, default=None
            Of the draws.

        Returns
        -------
        ndarray of shape (n, n_samples, n_classes)
            Each entry is one function at all rows.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``; n is less than 1.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import BayesianMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BayesianMLPClassifier(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> model.sample_predict(X[:4], 3, random_state=0).shape
        (3, 4, 3)
        """
        dists = (self._family.from_raw(raw, 1) for raw, _ in self._drawn(X, n, random_state))
        return np.stack([_shares(dist) for dist in dists])


def _shares(dist: Distribution) -> np.ndarray:
    """Probabilities of the classes, (n, n_classes)."""
    return np.stack([1 - dist.p, dist.p], axis=-1) if dist.p.ndim == 1 else dist.p


def _entropy(p: np.ndarray) -> np.ndarray:
    return special.entr(p).sum(axis=-1)
