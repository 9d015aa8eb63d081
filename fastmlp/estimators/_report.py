"""What a user is told at the end of a fit."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastmlp.estimators._history import split
from fastmlp.solvers import EvidenceState, Result, Status
from fastmlp.solvers._base import Solver, StartError


def divergence(estimator, solver: Solver, what: str) -> ValueError:
    """The error of a fit that left the finite numbers: scikit-learn's sentence, where, and why."""
    has_rate = any(name.startswith("learning_rate") for name in solver.get_params())
    rate = " or a learning rate that is too large" if has_rate else ""
    advice = "" if estimator.standardize else " Pass standardize=True, or scale X (and y) yourself."
    return ValueError(
        "Solver produced non-finite parameter weights. The input data may contain large values "
        f"and need to be preprocessed. {what} The likely cause is unscaled data{rate}.{advice}"
    )


@contextlib.contextmanager
def explained_start(estimator, solver: Solver):
    """Turn a full-batch solver's complaint about its first point into that error."""
    try:
        yield
    except StartError as error:
        what = "The loss or its gradient was not finite at the start, in iteration 0."
        raise divergence(estimator, solver, what) from error


def describe_divergence(network, result: Result) -> str:
    """Say where and when a run left the finite numbers."""
    when = f"iteration {result.n_iter}"
    coefs, intercepts = network.unpack(result.theta)
    for layer, (coef, intercept) in enumerate(zip(coefs, intercepts, strict=True), start=1):
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            return f"Layer {layer} of {len(coefs)} was no longer finite after {when}."
    return f"The loss was {result.loss:.4g} after {when}."


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


def warn_about(result: Result) -> None:
    """Warn, in the words of ``status_``, where there is something to do."""
    if result.status is Status.INTERRUPTED:
        warnings.warn(result.message, stacklevel=4)
    elif result.asks:
        warnings.warn(result.message, ConvergenceWarning, stacklevel=4)
