"""The posterior density that chains walk through: of theta, the noise and the strengths."""

from __future__ import annotations

import numpy as np

from fastmlp._names import shown
from fastmlp._numbers import check_real
from fastmlp.posteriors._nuts import FURTHEST, STOPPED, grow
from fastmlp.segments import BIASES, by_layer

# Hyperpriors. Of noise: 1 / s^2 ~ Gamma of this shape, one degree of freedom, as in Neal, Bayesian
# Learning for Neural Networks (1996), whose width of .05 is in units of the targets' deviation.
SHAPE = 0.5
WIDTH = 0.05
# Of strengths: ln alpha is Normal around that of the typical precision, 1 where none is, with this
# deviation. Under Gamma densities that are as wide, theta would have the tails of Cauchy's law.
LOG_SPREAD = 2.0
# Of biases of outputs, where strengths are drawn and raw outputs have a scale of their own: vague,
# but a softmax does not tell where all of them are.
FLAT = 0.01
TINY = np.finfo(np.float64).tiny
# Of a window's draws, those at which the curvature is looked at.
LOOKED_AT = 20
# As many draws a guess of the variances counts for.
GUESS = 5.0
# Of a slice: its first width in ln of a strength, and how often it is widened or narrowed.
SLICE_WIDTH, MOST_SLICES = 2.0, 50


class Density:
    """A network's posterior, as a :class:`fastmlp.posteriors._nuts.Target`.

    With S the sum of the losses, N the data in its units, s the noise (1 where the loss leaves none
    open), q_g the squares of the n_g parameters of group g, the energy is

    - ``W F / s^2 + (N + n) ln s``, F the objective, n the parameters that its penalty holds; or,
      where strengths are drawn,
    - ``S / s^2 + N ln s + sum_g alpha_g q_g / 2 - n_g / 2 ln alpha_g``, and what the hyperpriors
      add: ln alpha_g is Normal around that of :func:`fastmlp.penalties.prior`.

    Given theta, the noise is drawn from its Gamma density and each strength by a slice [1]_; then
    each strength once more along the line on which theta_g sqrt(alpha_g) stays the same: where data
    say little of a group, the first alone would creep [2]_.

    Parameters
    ----------
    objective : NetworkObjective
        Of float64.
    noise : float or None
        None: drawn, 1 / s^2 ~ Gamma(1/2): a residual of .05 standard deviations of the targets.
    groups : str or None
        How the strengths are grouped; None: they are fixed.
    stop : ndarray of intc of shape (1,), optional
        Not 0: trajectories end.

    References
    ----------
    .. [1] Neal, R. M. (2003), Slice sampling, Annals of Statistics 31.
    .. [2] Yu, Y. and Meng, X.-L. (2011), To center or not to center, J. Comp. Graph. Stat. 20.
    """

    def __init__(self, objective, noise: float | None, groups: str | None, stop=None):
        self.objective, self._term = objective, objective.term
        self._stop = np.zeros(1, np.intc) if stop is None else stop
        n = objective.n_params
        self._kept = np.empty((2, n))
        self._weight = float(objective.weight_sum)
        self.n_data = self._weight * objective.n_residuals / objective.n_samples
        self.draws_noise = objective.has_noise and noise is None
        self.draws_strengths = groups is not None
        self.precision = 1.0 if noise is None else noise**-2.0
        if self.draws_strengths:
            prior = objective.prior(groups)
            self._index = prior.penalty.groups.index
            self._relative = np.where(self._index < 0, 1.0, prior.penalty.diagonal)
            self._n_groups = len(prior.penalty.groups.names)
            self._sizes = self._by_group(np.ones(n))
            self._centres = np.log(np.where(prior.typical > 0, prior.typical, 1.0))
            self.strengths = np.exp(self._centres)
            self._flat = 0.0 if objective.has_noise else FLAT
            self._n_scaled = self.n_data
        else:
            self.strengths = np.empty(0)
            self._ridge = self._weight * objective.penalty.diagonal
            self._n_scaled = self.n_data + np.count_nonzero(self._ridge)
            check_proper(objective, self._ridge)
        self._least = 0.0
        if self.draws_noise:
            y, w = self._term.data.selected
            mean = np.average(y, axis=0, weights=w)
            variance = float(np.average(np.square(y - mean), axis=0, weights=w).mean())
            self._least = SHAPE * WIDTH**2 * (variance if variance > TINY else 1.0)
        self._curvature = np.zeros(n)

    def _by_group(self, v):
        return np.bincount(self._index + 1, v, self._n_groups + 1)[1:]

    def _loss(self, theta):
        return float(self._term.sums("value", theta)[0])

    # -- as a target ---------------------------------------------------------------------------

    def value_grad(self, q):
        loss, slope = self._term.sums("value_grad", q)
        pull = self._held * q
        return self.precision * loss + 0.5 * float(pull @ q), self.precision * slope + pull

    def grow(self, stretch, metric, step, H0, log_u):
        if self.objective.network._loss.is_custom:
            grow(self.value_grad, stretch, metric, step, H0, log_u)
            stretch.end = STOPPED if self._stop[0] else stretch.end
            return
        if 2 * log_u.size.bit_length() > self._kept.shape[0]:
            self._kept = np.empty((2 * log_u.size.bit_length(), stretch.q.size))
        self._term.grow(
            stretch,
            self._held,
            self.precision,
            metric,
            step,
            H0,
            log_u,
            FURTHEST,
            self._kept,
            self._stop,
        )

    @property
    def _held(self):
        if self.draws_strengths:
            # -1, of parameters in no group: the last
            return np.append(self.strengths, self._flat)[self._index] * self._relative
        return self.precision * self._ridge

    @property
    def metric(self):
        total = self.precision * self._curvature + self._held
        return 1 / np.where(total > 0, total, 1.0)

    def learn(self, window):
        """The curvature of the data, a mean; of a loss that has none what the spread says."""
        if not self.objective.network._loss.curved:
            n = len(window) - 1
            if n > 0:
                spread = (n * window.var(0, ddof=1) + GUESS * self.metric) / (n + GUESS)
                excess = 1 / np.maximum(spread, TINY) - self._held
                self._curvature = np.maximum(excess, 0.0) / self.precision
        else:
            few = window[np.unique(np.linspace(0, len(window) - 1, LOOKED_AT).astype(int))]
            diagonals = [self._term.sums("ggn_diagonal", theta)[0] for theta in few]
            self._curvature = np.mean(diagonals, axis=0)

    def others(self):
        return np.append(self.strengths, self.precision)

    def refresh(self, q, rng):
        if not (self.draws_noise or self.draws_strengths):
            return q
        if self.draws_noise:
            loss = self._loss(q)
            if not self.draws_strengths:
                loss += 0.5 * float(self._ridge @ q**2)
            shape = 0.5 * self._n_scaled + SHAPE
            self.precision = rng.standard_gamma(shape) / (loss + self._least)
        for g in range(self.strengths.size):
            self._weigh(q, g, rng)
            q = self._slide(q, g, rng)
        return q

    def _log_prior(self, g, by):
        """Of ln alpha_g, that much larger than it is."""
        return -0.5 * ((np.log(self.strengths[g]) + by - self._centres[g]) / LOG_SPREAD) ** 2

    def _weigh(self, q, g, rng):
        """Draw alpha_g anew, given theta."""
        members = self._index == g
        pull = 0.5 * self.strengths[g] * float(self._relative[members] @ q[members] ** 2)

        def log_density(by):
            return 0.5 * self._sizes[g] * by - pull * np.exp(by) + self._log_prior(g, by)

        self.strengths[g] *= np.exp(_slice(log_density, rng))

    def _slide(self, q, g, rng):
        """Draw alpha_g anew, theta_g going along with alpha_g^(-1/2)."""
        members = self._index == g

        def moved(by):
            return np.where(members, q * np.exp(-0.5 * by), q)

        def log_density(by):
            return self._log_prior(g, by) - self.precision * self._loss(moved(by))

        by = _slice(log_density, rng)
        self.strengths[g] *= np.exp(by)
        return moved(by)

    # -- at the beginning and at the end -------------------------------------------------------

    def begin(self, theta):
        """Noise and strengths that are to be expected at theta, and the curvature there."""
        if self.draws_noise:
            loss = self._loss(theta) + self._least
            self.precision = (0.5 * self._n_scaled + SHAPE) / loss
        if self.draws_strengths:
            squares = self._by_group(self._relative * theta**2)
            self.strengths = (self._sizes + 1) / (squares + np.exp(-self._centres))
        self.learn(theta[None])

    def apart(self, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of what :meth:`others` gave, (..., n_groups + 1): the noise and the strengths."""
        return others[..., -1] ** -0.5, others[..., :-1]

    def full_energy(self, energy, noise, strengths):
        """Minus the log of the joint density of draws, from their energies given the rest."""
        energy = energy + self._n_scaled * np.log(noise)
        if self.draws_noise:
            energy = energy + self._least * noise**-2 + 2 * SHAPE * np.log(noise)
        if self.draws_strengths:
            logs = np.log(strengths)
            away = ((logs - self._centres) / LOG_SPREAD) ** 2
            energy = energy + 0.5 * away.sum(-1) - 0.5 * logs @ self._sizes
        return energy


def _slice(log_density, rng) -> float:
    """One move from zero that leaves a density as it is, by widening and narrowing an interval."""
    level = log_density(0.0) - rng.standard_exponential()
    low = -SLICE_WIDTH * rng.random()
    high = low + SLICE_WIDTH
    low = _outside(log_density, level, low, -SLICE_WIDTH)
    high = _outside(log_density, level, high, SLICE_WIDTH)
    for _ in range(MOST_SLICES):
        by = rng.uniform(low, high)
        if log_density(by) >= level:
            return by
        low, high = (by, high) if by < 0 else (low, by)
    return 0.0


def _outside(log_density, level, at, width):
    """From ``at`` on the first point beyond the slice."""
    for _ in range(MOST_SLICES):
        if not log_density(at) >= level:
            break
        at += width
    return at


def check_proper(objective, held: np.ndarray) -> None:
    """Hidden biases without a penalty may grow for ever: nothing would hold them."""
    level = by_layer(objective.segments)[-1][BIASES]
    inner = (s for s in objective.segments if s != level)
    loose = [s.name for s in inner if not held[s.at : s.end].all()]
    if loose:
        raise ValueError(
            f"The penalty leaves {', '.join(loose)} free: the posterior cannot be normalised. "
            "Only the biases of the outputs may be: objective.prior() has such penalties."
        )


def check_fixed_noise(objective, noise: float | None) -> None:
    """Raise unless it is None, or a positive number for a loss that leaves the noise open."""
    if noise is None:
        return
    check_real("fixed_noise", noise, "from 1e-150 to 1e150", lambda v: 1e-150 <= v <= 1e150)
    if not objective.has_noise:
        raise ValueError(
            f"fixed_noise={noise} needs a loss that leaves the noise open, squared_error; got "
            f"{shown(objective.network.loss)}."
        )
