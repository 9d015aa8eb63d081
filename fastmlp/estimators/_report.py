"""What a user is told at the end of a fit."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastmlp.estimators._history import split
from fastmlp.solvers import LBFGS, EvidenceState, Result, Status
from fastmlp.solvers._minibatch_loop import MiniBatch

_SCALE = "scale the data (standardize=True does)"


def divergence(estimator, what: str) -> ValueError:
    """The error of a fit that left the finite numbers: scikit-learn's sentence, where, and why."""
    batch_free = isinstance(estimator.solver, str) and estimator.solver in (
        "lbfgs",
        "newton",
        "lm",
        "newton-cg",
    )
    rate = "" if batch_free else " or a learning rate that is too large"
    advice = "" if estimator.standardize else " Pass standardize=True, or scale X (and y) yourself."
    return ValueError(
        "Solver produced non-finite parameter weights. The input data may contain large values "
        f"and need to be preprocessed. {what} The likely cause is unscaled data{rate}.{advice}"
    )


@contextlib.contextmanager
def explained_start(estimator):
    """Turn a full-batch solver's complaint about its first point into that error."""
    try:
        yield
    except ValueError as error:
        if "not finite at theta0" not in str(error):
            raise
        what = "The loss or its gradient was not finite at the start, in iteration 0."
        raise divergence(estimator, what) from error


def plain_result(result: Result) -> dict[str, Any]:
    """A start's result in NumPy's and Python's own types, as it is kept and pickled."""
    state = result.state
    return {
        "theta": result.theta,
        "loss": result.loss,
        "n_iter": result.n_iter,
        "status": result.message,
        "history": split(result.history)[0],
        "evidence": dataclasses.asdict(state) if isinstance(state, EvidenceState) else None,
    }


def warn_about(estimator, solver, result: Result) -> None:
    """Warn where a fit did not end by its own decision, and say what to do."""
    status = result.status
    if status is Status.INTERRUPTED:
        warnings.warn(
            f"Training interrupted by user after {result.n_iter} iterations; the model is fitted "
            "with the parameters reached.",
            stacklevel=4,
        )
    message = _message(estimator, solver, result)
    if message is not None:
        warnings.warn(message, ConvergenceWarning, stacklevel=4)


def _message(estimator, solver, result):
    status, n_iter = result.status, result.n_iter
    if status is Status.DIVERGED:
        return (
            f"Training diverged at iteration {n_iter}; the best parameters by validation score "
            f"were kept. Lower the learning rate or {_SCALE}."
        )
    if status is Status.MAX_ITER:
        if isinstance(solver, MiniBatch):
            head = (
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
                "optimization hasn't converged yet."
            )
        else:
            head = (
                f"{type(solver).__name__} failed to converge after {n_iter} iteration(s) "
                f"(max_iter={estimator.max_iter})."
            )
        return f"{head} {_advice(estimator, result, 'max_iter')}"
    if status is Status.MAX_FUN:
        return (
            f"{type(solver).__name__} failed to converge after {estimator.max_fun} evaluations of "
            f"the loss. {_advice(estimator, result, 'max_fun')}"
        )
    if status is Status.MAX_TIME:
        return (
            f"Training stopped after max_time={estimator.max_time:g} seconds and {n_iter} "
            f"iterations, before convergence. {_advice(estimator, result, 'max_time')}"
        )
    if status is Status.NO_PROGRESS and isinstance(solver, LBFGS):
        return (
            f"LBFGS failed to converge after {n_iter} iteration(s): no step along its search "
            f"direction lowers the loss. You might want to {_SCALE}."
        )
    return None


def _advice(estimator, result, limit):
    """What to do about a run that ended too soon, after the trend of its loss."""
    losses = np.asarray(result.history.get("loss", ()))
    scale = "" if estimator.standardize else f" If it falls slowly, {_SCALE}."
    if len(losses) > 1 and not losses[-1] < losses[-2]:
        return (
            f"The loss did not fall in the last iteration ({losses[-2]:.4g} to {losses[-1]:.4g}): "
            f"lower the learning rate, or loosen tol.{scale}"
        )
    fell = f" by {losses[-2] - losses[-1]:.2g} per iteration" if len(losses) > 1 else ""
    return (
        f"The loss was still falling{fell}: increase {limit}, or call fit again with "
        f"warm_start=True to go on from here.{scale}"
    )
