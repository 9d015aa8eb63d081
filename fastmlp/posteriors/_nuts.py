"""The No-U-Turn sampler: trajectories of Hamilton's equations that end where they turn back.

Hoffman and Gelman, JMLR 15, 1593 (2014), with multinomial weights and the criterion in momenta of
Betancourt, arXiv:1701.02434 (2017), and the windows of Stan's reference manual. Whatever has a
density can be sampled: nothing here knows a network.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from fastmlp._core.trajectory import Stretch

# How a stretch of a trajectory ended.
WHOLE, TURNED, DIVERGED, STOPPED = range(4)
# An energy that is off by so much says that the step is too long for the curvature there.
FURTHEST = 1000.0
# Of the warm-up: before the metric is learned, after it; the first window of those in between,
# each of which is twice as long as the one before (of 1,000 draws: 75, 50 and 25).
BEFORE, AFTER, FIRST_WINDOW = 0.075, 0.05, 0.025


class Stopped(Exception):
    """Raised where a chain has to end: the draw at hand is given up."""


class Target(Protocol):
    """What is sampled: a density of theta, and of what is drawn by itself between trajectories."""

    metric: np.ndarray  # (n,) variances to be expected, > 0; they may change with ``refresh``

    def refresh(self, q: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw all else given q, q itself perhaps along with it; q is returned."""

    def value_grad(self, q: np.ndarray) -> tuple[float, np.ndarray]:
        """The energy, minus the log density given all else, and its gradient."""

    def grow(self, stretch, metric, step, H0, log_u) -> None:
        """As :func:`fastmlp._core.trajectory.grow`."""

    def learn(self, window: np.ndarray) -> None:
        """Take ``metric`` from draws, (n_draws, n)."""

    def others(self) -> np.ndarray:
        """What is drawn beside q."""


class Draw(NamedTuple):
    """One state of a chain.

    Attributes
    ----------
    q : ndarray of shape (n,)
    others : ndarray
        What is drawn beside it.
    energy : float
        Given those.
    accept : float
        Mean acceptance probability along the trajectory.
    n_steps : int
        Evaluations of the gradient.
    diverged : bool
    """

    q: np.ndarray
    others: np.ndarray
    energy: float
    accept: float
    n_steps: int
    diverged: bool


class Sampler:
    """One chain.

    Parameters
    ----------
    target : Target
    q : ndarray of shape (n,)
        Where to start; of finite density.
    rng : numpy.random.Generator
        What all of it is drawn from.
    accept : float
        Mean acceptance probability that the step size is set for, in (0, 1).
    max_depth : int
        A trajectory doubles at most so often.

    Attributes
    ----------
    draws : list of Draw
        That :meth:`run` has made by now, whatever ended it.
    step_size : float
    """

    def __init__(
        self,
        target: Target,
        q: np.ndarray,
        rng: np.random.Generator,
        accept: float = 0.8,
        max_depth: int = 10,
    ):
        self._target, self._rng = target, rng
        self._accept, self._max_depth = accept, max_depth
        self._q = np.array(q, dtype=np.float64)
        self.draws: list[Draw] = []
        self.step_size = 1.0
        energy, grad = target.value_grad(self._q)
        if not (np.isfinite(energy) and np.isfinite(grad).all()):
            raise ValueError(f"The density is not finite where the chain starts: {energy}.")

    def warm_up(self, n: int, enough: Callable[[], bool] = bool) -> None:
        """Learn step size and metric in n draws, or until ``enough()``."""
        ends = _window_ends(n)
        rate = self._new_rate()
        window: list[np.ndarray] = []
        for t in range(1, n + 1):
            if enough():
                break
            self.step_size = rate.after(self.draw().accept)
            if ends[0] < t <= ends[-1]:
                window.append(self._q)
            if t in ends[1:]:
                self._target.learn(np.array(window))
                window.clear()
                rate = self._new_rate()
        self.step_size = rate.settled

    def run(self, n: int, enough: Callable[[], bool] = bool) -> None:
        """Make n draws, or fewer: until ``enough()``, but for the first."""
        while len(self.draws) < n and not (self.draws and enough()):
            self.draws.append(self.draw())

    def draw(self) -> Draw:
        """Move to the next draw."""
        rng, target = self._rng, self._target
        q = target.refresh(self._q, rng)
        energy, grad = target.value_grad(q)
        metric = target.metric
        p = rng.standard_normal(q.size) / np.sqrt(metric)
        H0 = energy + 0.5 * float(metric @ p**2)
        ends = Stretch(q, p, grad), Stretch(q, p, grad)  # backwards and forwards in time
        p_sum, log_weight, n_steps, accept, end = p, 0.0, 0, 0.0, WHOLE
        for depth in range(self._max_depth):
            forward = int(rng.random() < 0.5)
            grown = ends[forward]
            grown.p_sum[:] = 0
            step = self.step_size if forward else -self.step_size
            target.grow(grown, metric, step, H0, np.log1p(-rng.random(2**depth)))
            n_steps, accept, end = n_steps + grown.n_leaves, accept + grown.accept, grown.end
            if end == STOPPED:
                raise Stopped
            if end != WHOLE:
                break
            # Biased towards the new half: farther moves, and still invariant.
            if math.log1p(-rng.random()) < grown.log_weight - log_weight:
                q = grown.chosen.copy()
            log_weight = float(np.logaddexp(log_weight, grown.log_weight))
            p_sum = p_sum + grown.p_sum
            if turns(ends[0].p, ends[1].p, p_sum, metric):
                break
        self._q = q
        energy = target.value_grad(q)[0]
        return Draw(q, target.others(), energy, accept / n_steps, n_steps, end == DIVERGED)

    def _new_rate(self):
        """A step size from scratch: where one step's acceptance probability passes .8."""
        target, metric = self._target, self._target.metric
        p = self._rng.standard_normal(metric.size) / np.sqrt(metric)
        energy, grad = target.value_grad(self._q)
        H0 = energy + 0.5 * float(metric @ p**2)
        step, last = self.step_size, None
        while 1e-12 < step < 1e6:
            trial = Stretch(self._q, p, grad)
            target.grow(trial, metric, step, H0, np.zeros(1))
            up = trial.end == WHOLE and trial.accept > 0.8
            if last is not None and up != last:
                break
            step, last = step * (2.0 if up else 0.5), up
        self.step_size = step
        return _DualAveraging(step, self._accept)


class _DualAveraging:
    """The step size whose acceptance is what is wanted; Hoffman and Gelman (2014), algorithm 5."""

    SHRINK, DELAY, DECAY = 0.05, 10.0, 0.75

    def __init__(self, step, wanted):
        self._centre, self._wanted = math.log(10 * step), wanted
        self._t, self._error, self._log_mean = 0, 0.0, math.log(step)

    def after(self, accept):
        """The next step size, after one that was accepted with this probability."""
        self._t += 1
        share = 1 / (self._t + self.DELAY)
        self._error += share * (self._wanted - accept - self._error)
        log_step = self._centre - math.sqrt(self._t) / self.SHRINK * self._error
        self._log_mean += self._t**-self.DECAY * (log_step - self._log_mean)
        return math.exp(log_step)

    @property
    def settled(self):
        return math.exp(self._log_mean)


def grow(value_grad, stretch, metric, step, H0, log_u) -> None:
    """:func:`fastmlp._core.trajectory.grow` for any density.

    Parameters
    ----------
    value_grad : callable
        ``q -> (energy, gradient)``.
    """
    at, kept = stretch, {}
    at.log_weight, at.accept, at.n_leaves, at.end = -np.inf, 0.0, 0, WHOLE
    for leaf, u in enumerate(log_u):
        at.p[:] -= 0.5 * step * at.grad
        at.q[:] += step * metric * at.p
        energy, at.grad[:] = value_grad(at.q)
        at.p[:] -= 0.5 * step * at.grad
        at.p_sum[:] += at.p
        at.n_leaves += 1
        gain = H0 - energy - 0.5 * float(metric @ at.p**2)
        if not gain > -FURTHEST:
            at.end = DIVERGED
            return
        at.accept += math.exp(min(gain, 0.0))
        at.log_weight = float(np.logaddexp(at.log_weight, gain))
        if u < gain - at.log_weight:
            at.chosen[:] = at.q
        # The stretches of 2, 4, ... leaves that begin at an even leaf are kept until they end.
        if leaf % 2 == 0:
            kept[leaf] = at.p.copy(), at.p_sum - at.p
        size = 2
        while (leaf + 1) % size == 0:
            p_first, before = kept[leaf + 1 - size]
            if turns(p_first, at.p, at.p_sum - before, metric):
                at.end = TURNED
                return
            size *= 2


def turns(p_first, p_last, p_sum, metric) -> bool:
    """Whether the ends of a stretch come nearer, by the momenta between them."""
    between = metric * (p_sum - 0.5 * (p_first + p_last))
    return not (p_first @ between > 0 and p_last @ between > 0)


def _window_ends(n):
    """After which draws of the warm-up the metric is learned; the first entry begins the first."""
    at, last = int(BEFORE * n), n - int(AFTER * n)
    ends: list[Any] = [at]
    width = max(int(FIRST_WINDOW * n), 10)
    while at + width < last:
        # A window that leaves no room for the next one takes it all.
        at = last if at + 3 * width > last else at + width
        ends.append(at)
        width *= 2
    return ends
