"""The sentence that says how a run ended: what to do, where there is something to do, and why.

It states what was looked at: the numbers are those of the run.
"""

from __future__ import annotations

import enum

import numpy as np


class Status(enum.Enum):
    """Why a run ended; the value is the reason in words.

    Examples
    --------
    >>> from fastmlp.solvers import Status
    >>> Status.MAX_TIME.value, Status.MAX_TIME.converged
    ('Stopped at max_time before convergence.', False)
    """

    CONVERGED = "Converged: the gradient is below tol."
    NO_IMPROVEMENT = "Stopped: the training loss no longer improves by more than tol."
    NO_VALIDATION_IMPROVEMENT = (
        "Stopped early: the validation score no longer improves by more than tol."
    )
    NO_PROGRESS = "Stopped: no step along the search direction lowers the loss any further."
    TOO_SLOW = "Stopped: an iteration changes the loss by no more than least_decrease of it."
    RATE_TOO_SMALL = "Stopped: the adaptive learning rate became too small."
    MAX_ITER = "Stopped at max_iter before convergence."
    MAX_FUN = "Stopped at max_fun evaluations of the loss, before convergence."
    MAX_TIME = "Stopped at max_time before convergence."
    CALLBACK = "Stopped by the callback."
    INTERRUPTED = "Training interrupted by user."
    DIVERGED = "Diverged: the loss or the parameters are not finite."
    ONE_EPOCH = "One pass over the data was made."

    @property
    def converged(self) -> bool:
        """True where stopping was the solver's own decision."""
        return self in {
            Status.CONVERGED,
            Status.NO_IMPROVEMENT,
            Status.NO_VALIDATION_IMPROVEMENT,
            Status.NO_PROGRESS,
            Status.TOO_SLOW,
            Status.RATE_TOO_SMALL,
        }


# The iterations over which a trend is looked at.
TREND = 5
# A loss below this share of the first one is as good as nothing.
NOTHING = 1e-8
# A trend below this share of the loss is a standstill.
STANDSTILL = 1e-6
LIMITS = {Status.MAX_ITER: "max_iter", Status.MAX_FUN: "max_fun", Status.MAX_TIME: "max_time"}

# What is said besides where the evidence made a network linear.
LINEAR = "By the evidence a linear function explains the data: the network is linear."


def sentence(result) -> str:
    """What ``Result.message`` says of the run itself."""
    status, limits = result.status, result.limits
    if limits is None:
        return status.value
    if status in LIMITS:
        return _ended_too_soon(result, LIMITS[status])
    if status is Status.DIVERGED:
        return (
            "Lower the learning rate or scale the data: training diverged, the loss or the "
            f"parameters are not finite at {result.unit} {result.n_iter}."
        )
    if status is Status.INTERRUPTED:
        return (
            f"Training interrupted by user after {result.n_iter} iterations; the parameters "
            "reached are kept."
        )
    facts = _facts(result)
    if status is Status.NO_PROGRESS and result.solver == "LBFGS":
        return (
            f"Scale the data, or loosen tol: {_failed(result)}, no step along its search "
            f"direction lowers the loss any further{facts}."
        )
    return f"{status.value[:-1]}{facts}."


def _facts(result):
    """The numbers behind a stop of the solver's own, in brackets; nothing for other stops."""
    status, limits, loss = result.status, result.limits, f"{result.loss:.3g}"
    gradient = ""
    if np.isfinite(result.grad_norm):
        gradient = f"the largest entry of the gradient is {result.grad_norm:.2g}"
    if status is Status.CONVERGED:
        return f" ({gradient}, tol={limits.tol:g}; the loss is {loss})"
    if status in (Status.NO_PROGRESS, Status.TOO_SLOW):
        return f" (the loss is {loss}; {gradient}, tol={limits.tol:g})"
    if status is Status.RATE_TOO_SMALL:
        return f" (it is {result.history['learning_rate'][-1]:.2g}; the loss is {loss})"
    if status is Status.NO_VALIDATION_IMPROVEMENT:
        best = max(result.history["validation_score"], default=np.nan)
        return f" (the best is {best:.4g}, tol={limits.tol:g} was missed by {_borne(limits)})"
    if status is Status.NO_IMPROVEMENT:
        if result.unit == "epoch":
            return f" (the loss is {loss}, tol={limits.tol:g} was missed by {_borne(limits)})"
        losses = result.history["loss"]
        fall = f" and fell by {losses[-2] - losses[-1]:.1g} at last" if len(losses) > 1 else ""
        return f" (the loss is {loss}{fall}; {gradient}, tol={limits.tol:g})"
    return ""


def _borne(limits):
    """For how long a stop for want of improvement has waited."""
    return f"{limits.n_iter_no_change + 1} in a row"


def _failed(result):
    return f"{result.solver} failed to converge after {result.n_iter} iteration(s)"


def _ended_too_soon(result, limit):
    """What to do about a limit that was reached, after what the loss did in the end."""
    limits = result.limits
    losses = np.asarray(result.history.get("loss", ())[-TREND - 1 :], dtype=float)
    advice, trend = f"Increase {limit}", ""
    if len(losses) > 1:
        first, last = result.history["loss"][0], losses[-1]
        steps = -np.diff(losses)
        if first != 0 and abs(last) <= NOTHING * abs(first):
            advice = f"Loosen tol, or increase {limit}"
            trend = (
                f" The loss is {last:.2g}, {last / first:.1g} of that of the first {result.unit}."
            )
        elif 0 <= losses[0] - last <= STANDSTILL * abs(last) and last > 0:
            advice = f"Loosen tol, or increase {limit}"
            trend = (
                f" The loss fell by only {losses[0] - last:.1g} in the last "
                f"{_times(len(steps), result.unit)}, to {last:.3g}."
            )
        elif losses[-1] >= losses[0]:
            advice = "Lower the learning rate, or loosen tol"
            trend = (
                f" The loss did not fall in the last {_times(len(steps), result.unit)} "
                f"({losses[0]:.4g} to {last:.4g})."
            )
        elif len(steps) == TREND and (steps > 0).all():
            trend = (
                f" The loss was still falling, by {steps.mean():.2g} per {result.unit} in the "
                f"last {TREND}, to {last:.3g}."
            )
        elif steps[-1] > 0:
            trend = f" The loss fell by {steps[-1]:.2g} in the last {result.unit}, to {last:.3g}."
        else:
            trend = f" The loss rose by {-steps[-1]:.2g} in the last {result.unit}, to {last:.3g}."
    if limit == "max_iter" and result.unit == "epoch":
        why = (
            f"Stochastic Optimizer: Maximum iterations ({limits.max_iter}) reached and the "
            "optimization hasn't converged yet."
        )
    elif limit == "max_iter":
        why = f"{_failed(result)} (max_iter={limits.max_iter})."
    elif limit == "max_fun":
        why = f"{_failed(result)} and {limits.max_fun} evaluations of the loss (max_fun)."
    else:
        why = (
            f"stopped after max_time={limits.max_time:g} seconds and "
            f"{_times(result.n_iter, result.unit)}, before convergence."
        )
    return f"{advice}: {why}{trend}"


def _times(n, unit):
    return f"{n} {unit}{'s' * (n != 1)}"
