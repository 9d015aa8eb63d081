"""What a user is told at the end of a fit."""

from __future__ import annotations

import contextlib
import dataclasses
import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from fastmlp.estimators._history import split
from fastmlp.solvers import EvidenceState, Result, Status


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


def warn_about(result: Result) -> None:
    """Warn, in the words of ``status_``, where there is something to do."""
    if result.status is Status.INTERRUPTED:
        warnings.warn(result.message, stacklevel=4)
    elif result.asks:
        warnings.warn(result.message, ConvergenceWarning, stacklevel=4)
