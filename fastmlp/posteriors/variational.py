"""Mean-field variational inference: a Normal density of each parameter, by noisy gradients."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any, Self

import numpy as np
from scipy.linalg import norm

from fastmlp._core import noisy
from fastmlp._numbers import check_integer, check_positive, check_random_state
from fastmlp.distributions._special import softplus
from fastmlp.posteriors._base import Posterior, Train
from fastmlp.posteriors._bound import Bound, check_strengths
from fastmlp.posteriors._parallel import generators
from fastmlp.solvers import EvidenceState
from fastmlp.threads import blas_threads, worth_of_blas

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
# Longer gradients than so many times the median are cut to that. A row whose scale is next to zero
# has one that is ten orders of magnitude longer now and then, and Adam would stand still until it
# has forgotten that. The median is followed by steps of a share of it.
LONGEST, FOLLOWS = 2.0, 0.05
# Sweeps over the data by which the bound is estimated at the end.
LOOKS = 8
# The bound is recorded so often.
RECORDS = 100


class Variational(Posterior):
    """Independent Normal densities of all parameters, as near the posterior as they get.

    Bayes by backprop [1]_: the evidence lower bound ``E_q[log p(y | theta)] - KL(q || prior)`` is
    maximised over the means and deviations of q, by Adam. Noise is drawn where it enters, in the
    pre-activations of each row (the local reparametrisation [2]_), two products per layer, of means
    and of variances; every second draw is the one before with the other sign [3]_. The KL
    divergence is in closed form, and counts 1 / N per row.

    Parameters depend on each other, and independent densities cannot say so. Between clouds of data
    they widen less than the posterior does. With few rows for the parameters they leave to the
    noise what they cannot say: 90 % intervals then hold 95 % and more, and cost likelihood.

    Parameters
    ----------
    n_steps : int, default=3000
        Gradient steps; the rate falls to zero along a half cosine.
    batch_size : int, default=256
        Rows of a step, at most all.
    learning_rate : float, default=0.01
        Of Adam, > 0.
    strengths : {"fixed", "single", "layer", "ard"}, default="layer"
        The precisions of the prior: those of the objective's penalty, or the ones of the largest
        bound, in groups as :func:`fastmlp.penalties.prior` makes them.
    fixed_noise : float or None, default=None
        Standard deviation of the noise where the loss leaves it open; None: that of the largest
        bound.
    max_time : float or None, default=None
        Seconds.

    Attributes
    ----------
    theta, scales : ndarray of shape (n_params,)
        Means and standard deviations.
    noise : float
    strengths_found : ndarray of shape (n_groups,)
        The precisions of the prior; none where they are fixed.
    curve : list of float
        The lower bound over the steps, about a hundred times, each the mean of the batches between.
    log_marginal_likelihood : float
        The lower bound of it.

    References
    ----------
    .. [1] Blundell, C. et al. (2015), Weight uncertainty in neural networks, ICML.
    .. [2] Kingma, D. P. et al. (2015), Variational dropout and the local reparameterization trick,
       NeurIPS 28.
    .. [3] Wu, M., Goodman, N. and Ermon, S. (2019), Differentiable antithetic sampling for variance
       reduction in stochastic variational inference, AISTATS.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.posteriors import Variational
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 1))
    >>> y = 2 * X[:, 0] + rng.normal(scale=0.5, size=100)
    >>> net = Network([1, 1])
    >>> posterior = Variational(500).fit(
    ...     net.objective(X, y), net.init(random_state=0), random_state=0
    ... )
    >>> abs(posterior.theta[0] - 2) < 0.2, 0.03 < posterior.scales[0] < 0.08
    (True, True)
    """

    scales: np.ndarray

    def __init__(
        self,
        n_steps: int = 3000,
        batch_size: int = 256,
        learning_rate: float = 0.01,
        strengths: str = "layer",
        fixed_noise: float | None = None,
        max_time: float | None = None,
    ):
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.strengths = strengths
        self.fixed_noise = fixed_noise
        self.max_time = max_time

    def fit(
        self,
        objective: Any,
        theta: np.ndarray,
        *,
        train: Train | None = None,
        random_state: Any = None,
        n_threads: int | None = None,
    ) -> Self:
        """Maximise the bound.

        Parameters
        ----------
        objective, theta, train, random_state, n_threads
            As of :meth:`Posterior.fit`. Means start at ``theta``, or where ``train`` leads from
            there; deviations where the curvature there puts them.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            A parameter of the wrong kind or out of range; a penalty that leaves hidden biases
            free, where it is the prior; parameters that are no longer finite.
        KeyboardInterrupt
            Ctrl-C before the first step; later what there is is kept.

        Warns
        -----
        RuntimeWarning
            Ctrl-C or the time ended it early; the bound is not finite.
        """
        self._check(objective)
        (rng,) = generators(random_state, 1)
        state = None
        if train is not None:
            result = train(objective.twin(), theta, rng)
            theta, state = result.theta, result.state
        n = objective.n_samples
        batch = min(self.batch_size, n)
        work = 12.0 * batch * objective.n_params
        with blas_threads(n_threads or worth_of_blas(work)), np.errstate(all="ignore"):
            bound = Bound(objective, self.fixed_noise, self.strengths)
            q = bound.start(theta, state.noise if isinstance(state, EvidenceState) else None)
            made = self._climb(bound, q, rng, n, batch)
            if not np.isfinite(q).all():
                raise ValueError(
                    "The bound is not finite: the likelihood grows without limit, as where targets "
                    "have no noise and each row a scale of its own, or the steps are too long. Use "
                    "distribution=('normal', {'scale': 'constant'}), posterior='laplace', or a "
                    f"learning_rate below {self.learning_rate}."
                )
            if made < self.n_steps:
                warnings.warn(
                    f"Ended early: {made} of {self.n_steps} steps were made.",
                    RuntimeWarning,
                    stacklevel=2,
                )
            looks = [bound.value_grad(q, np.arange(n), rng)[0] for _ in range(LOOKS)]
            mean, rho, log_noise = bound.parts(q)
            self.theta, self.scales = mean.copy(), softplus(rho)
        self.network = objective.network
        self.noise = float(np.exp(log_noise))
        self.strengths_found = bound.strengths
        self.log_marginal_likelihood = -bound.weight * float(np.mean(looks))
        if not np.isfinite(self.log_marginal_likelihood):
            warnings.warn(
                f"The bound is {self.log_marginal_likelihood}: the steps were too long. Lower "
                f"learning_rate, {self.learning_rate} here.",
                RuntimeWarning,
                stacklevel=2,
            )
        return self

    def grouping(self, objective: Any) -> str:
        """As :meth:`Posterior.grouping`: what ``strengths`` says, lest training finds no noise."""
        return "single" if self.strengths == "fixed" else self.strengths

    def _check(self, objective):
        check_integer("n_steps", self.n_steps)
        check_integer("batch_size", self.batch_size)
        check_positive("learning_rate", self.learning_rate)
        if self.max_time is not None:
            check_positive("max_time", self.max_time)
        check_strengths(objective, self.strengths, self.fixed_noise)

    def _climb(self, bound, q, rng, n, batch):
        """Adam's steps on q, in place; how many were made."""
        first, second, draws = np.zeros_like(q), np.zeros_like(q), _Mirrored(rng)
        end = np.inf if self.max_time is None else time.perf_counter() + self.max_time
        per_record, values, made, median = max(self.n_steps // RECORDS, 1), [], 0, 0.0
        order, at = rng.permutation(n), 0
        unit = min(bound.weight, 1.0)  # steps do not know it, but squares may overflow
        self.curve = []
        try:
            for t in range(1, self.n_steps + 1):
                if at + batch > n:  # what is left of a pass is too few rows
                    order, at = rng.permutation(n), 0
                value, grad = bound.value_grad(q, order[at : at + batch], draws)
                at += batch
                rate = 0.5 * self.learning_rate * (1 + math.cos(math.pi * (t - 1) / self.n_steps))
                rate *= math.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
                grad *= unit
                size = float(norm(grad, check_finite=False))
                median = median or size
                if size > LONGEST * median:
                    grad *= LONGEST * median / size
                median *= 1 + FOLLOWS if size > median else 1 / (1 + FOLLOWS)
                noisy.take_step(q, first, second, grad, rate, BETA_1, BETA_2, EPSILON)
                bound.renew(q)
                made = t
                values.append(value)
                if len(values) == per_record:
                    self.curve.append(-bound.weight * float(np.mean(values)))
                    values.clear()
                if time.perf_counter() > end:
                    break
        except KeyboardInterrupt:
            if not made:
                raise
        return made

    def draw(self, n: int, random_state: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Draws of theta, (n, n_params), and the noise, (n,)."""
        rng = check_random_state(random_state)
        normal = rng.standard_normal((n, self.theta.size))
        return self.theta + self.scales * normal, np.full(n, self.noise)


class _Mirrored:
    """Standard normal draws, every second time those of before with the other sign [3]_."""

    def __init__(self, rng):
        self._rng, self._last = rng, np.empty(0)

    def standard_normal(self, size, dtype):
        if self._last.size == size:
            last, self._last = self._last, np.empty(0)
            return np.negative(last, out=last)
        self._last = self._rng.standard_normal(size, dtype)
        return self._last
