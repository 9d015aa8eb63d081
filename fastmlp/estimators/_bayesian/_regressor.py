"""BayesianMLPRegressor."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d

from fastmlp import _types
from fastmlp._names import shown
from fastmlp.distributions import resolve_family
from fastmlp.distributions._family import collapsed
from fastmlp.estimators import _data, _history, _params
from fastmlp.estimators._bayesian._base import BaseBayesian, Parts
from fastmlp.estimators._predictive import PredictiveMixin
from fastmlp.posteriors import Posterior
from fastmlp.posteriors._marginal import expected, marginal
from fastmlp.posteriors._restricted import LEAST_NOISE
from fastmlp.solvers._base import Solver


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
