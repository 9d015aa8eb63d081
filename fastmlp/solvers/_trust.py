"""Full-batch runs that trust a quadratic model: the second flat trial loop.

Where :func:`fastmlp.solvers._full_batch.descend` takes a direction and searches along it, these
runs bound the step, by damping or by a radius, and let the quotient of the true decrease and the
model's, the gain, decide both whether to accept and how far to trust the model next.

* A **model** makes local models: ``at(theta)`` does the expensive work at one point.
* A **local model** has the ``point``; ``step(size)`` returns a :class:`Proposal`, or None where the
  damped matrix is not positive definite or the time has left no step;
  ``value(theta)`` is the loss of a trial;
  ``decrement(least)`` is the decrease that the model promises with (nearly) no bound;
  ``record`` is what it adds to the history.
* A **bound** has ``size``, ``least``, and learns from ``accept`` and ``reject``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fastmlp.solvers._base import Status
from fastmlp.solvers._checks import real_number
from fastmlp.solvers._full_batch import QUIET, Point, Run
from fastmlp.solvers._search import ROUNDING

# The share of the promised decrease that an accepted step has to gain at least.
LEAST_GAIN = 1e-4
# Steps in a row that change the loss by no more than rounding: after so many there is no progress.
MOST_BLIND = 10
LARGEST_RADIUS = 1e300


@dataclass(frozen=True, slots=True)
class Proposal:
    """A step within the bound, the decrease that the model promises for it, its size."""

    step: np.ndarray
    predicted: float
    at_bound: bool = True
    norm: float = np.nan


@dataclass
class Damping:
    """Nielsen's rule: damping follows the gain, and rejections in a row raise it ever faster.

    References
    ----------
    Nielsen, Damping parameter in Marquardt's method, IMM-REP-1999-05, Technical University of
    Denmark.
    """

    size: float
    least: float
    factor: float = field(default=2.0, init=False)

    def accept(self, gain: float, proposal: Proposal) -> None:
        # the bound on gain only keeps the cube finite
        shrink = max(1 / 3, 1 - (2 * min(gain, 2.0) - 1) ** 3)
        self.size = max(self.size * shrink, self.least)
        self.factor = 2.0

    def reject(self, proposal: Proposal | None) -> None:
        self.size *= self.factor
        self.factor *= 2


@dataclass
class Radius:
    """A trust region's radius: doubled by a good step that reaches it, cut by a bad one.

    References
    ----------
    Nocedal and Wright, Numerical Optimization (2006), algorithm 4.1.
    """

    size: float
    least: float = 0.0

    def accept(self, gain: float, proposal: Proposal) -> None:
        if gain < 0.25:
            self.size = 0.25 * proposal.norm
        elif gain > 0.75 and proposal.at_bound:
            self.size = min(2 * self.size, LARGEST_RADIUS)

    def reject(self, proposal: Proposal | None) -> None:
        # A step well within the radius that fails says that the radius is far too large.
        self.size = 0.25 * (self.size if proposal is None else min(self.size, proposal.norm))


def descend_bounded(run: Run, model, make_bound, bound_name: str) -> Status:
    """Propose a bounded step, compare the gain with the promise, until there is a reason to stop.

    Parameters
    ----------
    run : Run
        Moved on in place.
    model : object
        Makes local models; see the module.
    make_bound : callable
        ``make_bound(local) -> Damping or Radius`` for the first local model.
    bound_name : str
        The history's name for the bound's size: "damping" or "radius".

    Returns
    -------
    Status
    """
    tol = run.limits.tol
    with np.errstate(**QUIET):
        local = model.at(run.point.theta)
    run.start(local.point)
    bound = make_bound(local)
    fresh, n_blind = True, 0
    while True:
        point = local.point
        if fresh and _converged(local, bound, tol):
            return Status.CONVERGED
        fresh = False
        with np.errstate(**QUIET):
            proposal = local.step(bound.size)
            if proposal is None:
                theta = None
            else:
                theta = (point.theta + proposal.step).astype(point.theta.dtype, copy=False)
                if run.box is not None:
                    theta = run.box.clip(theta)
        size = bound.size
        if theta is None or not np.isfinite(theta).all():
            bound.reject(None)
            if not 0 < bound.size < np.inf:
                return Status.NO_PROGRESS
            if run.out_of_time:
                return Status.MAX_TIME
            continue
        if np.array_equal(theta, point.theta):
            return _at_rest(point, tol)
        with np.errstate(**QUIET):
            loss = local.value(theta)
        actual = point.loss - loss
        # A difference of two losses below this says nothing; the gradient has to decide.
        noise = ROUNDING * np.finfo(theta.dtype).eps * abs(point.loss)
        blind = proposal.predicted <= noise and abs(actual) <= noise
        with np.errstate(over="ignore"):  # almost nothing was promised
            gain = 1.0 if blind else actual / max(proposal.predicted, np.finfo(float).tiny)
        accept = bool(np.isfinite(loss)) and gain > LEAST_GAIN
        if accept:
            with np.errstate(**QUIET):
                trial = model.at(theta)
            accept = trial.point.finite
            if blind and not np.abs(trial.point.free_grad).sum() < np.abs(point.free_grad).sum():
                return _at_rest(point, tol)
        if accept:
            bound.accept(gain, proposal)
            local, fresh = trial, True
            n_blind = n_blind + 1 if blind else 0
            status = run.advance(trial.point, **{bound_name: size}, gain=gain, **trial.record)
        else:
            bound.reject(proposal)
            status = None
        if status is None and n_blind >= MOST_BLIND:
            return _at_rest(local.point, tol)
        if status is None:
            status = run.out_of_limits()
            if status is not None and _converged(local, bound, tol):
                status = Status.CONVERGED
        if status is not None:
            return status


def _converged(local, bound, tol: float) -> bool:
    point = local.point
    return point.grad_norm <= tol and local.decrement(bound.least) <= tol * abs(point.loss)


def _at_rest(point: Point, tol: float) -> Status:
    return Status.CONVERGED if point.grad_norm <= tol else Status.NO_PROGRESS


def loss_of(objective):
    """The objective's loss as a function of theta."""
    return lambda theta: real_number("value(theta)", objective.value(theta))
