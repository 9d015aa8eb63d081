"""What the Bayesian estimators share: one fit, from checked data to a posterior."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp._sparse import sound
from fastmlp.estimators import _data, _params, _report
from fastmlp.estimators._explain import check_entries, explained
from fastmlp.estimators._fitted import checked_rows
from fastmlp.network import Network
from fastmlp.posteriors import POSTERIORS, Posterior
from fastmlp.posteriors.laplace import Laplace
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
        check_entries(y, self._numeric_targets)
        with explained(self, X):
            return validate_data(
                self,
                sound(X),
                sound(y),
                accept_sparse="csr",
                multi_output=True,
                y_numeric=self._numeric_targets,
                dtype=np.float64,
                order="C",  # sums over rows, and so scales, depend on it
            )

    def _inputs(self, X):
        """X as the network of the posterior takes it."""
        X = checked_rows(self, X, np.float64)
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
