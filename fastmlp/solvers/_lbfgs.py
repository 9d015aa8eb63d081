"""L-BFGS: SciPy's."""

from __future__ import annotations

import numpy as np
import scipy.optimize
from scipy.optimize import Bounds

from fastmlp.solvers._base import Status
from fastmlp.solvers._full_batch import FullBatchSolver

# SciPy's ftol, the share of the loss that an iteration has to gain. At the default tol and above it
# is scikit-learn's; a smaller tol makes it smaller in proportion.
FTOL = 2.220446049250313e-09
DEFAULT_TOL = 1e-4
EPS = float(np.finfo(np.float64).eps)


class _StoppedError(Exception):
    """Leaves SciPy's loop; its argument is the status, or the error that ended the run."""


class LBFGS(FullBatchSolver):
    """Limited-memory BFGS: SciPy's L-BFGS-B, called as scikit-learn's MLP calls it.

    Notes
    -----
    Converged when the largest absolute entry of the gradient is at most ``tol``, or when the loss
    falls by less than SciPy's ``ftol`` (2.2e-9, relative) in an iteration, which is reported as
    "no improvement". Below its default of 1e-4, ``tol`` makes ``ftol`` smaller in proportion.
    ``max_fun`` is looked at between iterations, ``max_time`` after the
    first one also after each evaluation. SciPy does not tell its step
    sizes, so the history has none.

    SciPy keeps bounds, too. It works in float64; theta is rounded to the objective's dtype at each
    evaluation.

    Examples
    --------
    >>> from fastmlp.solvers import LBFGS, minimize
    >>> result = minimize(lambda t: (float(t @ t), 2 * t), [1.0, -2.0], solver=LBFGS())
    >>> result.status.name
    'CONVERGED'
    """

    history_keys = ("loss", "grad_norm", "seconds")
    takes_bounds = True

    def __init__(self):
        pass

    def _solve(self, run) -> Status:
        limits = run.limits
        dtype = run.point.theta.dtype
        trial = None
        searches = False  # the last evaluation was of a trial that SciPy has not accepted

        def value_grad(theta):
            nonlocal trial, searches
            if trial is None:
                trial = run.start()
                return trial.loss, trial.grad
            if searches and run.n_iter and run.out_of_time:
                raise _StoppedError(Status.MAX_TIME)
            searches = True
            theta = theta.astype(dtype)
            trial = run.evaluate(theta if run.box is None else run.box.clip(theta))
            if trial.finite:
                return trial.loss, trial.grad
            # SciPy's line search cannot digest NaN. It is shown a parabola instead, which has the
            # true loss and slope at the accepted point and its minimum at a quarter of the step.
            point = run.point
            rise = abs(float(point.grad @ (theta - point.theta)))
            return point.loss + rise, -3.0 * point.grad

        def accept(theta):
            # SciPy accepts the point that it evaluated last.
            nonlocal searches
            searches = False
            try:
                status = run.advance(trial)
            except StopIteration as error:  # of a score; SciPy would take it for a wish to stop
                raise _StoppedError(error) from error
            if status is None:
                status = run.out_of_limits()
                if status is not None and run.point.grad_norm <= limits.tol:
                    status = Status.CONVERGED
            if status is not None:
                raise _StoppedError(status)

        try:
            outcome = scipy.optimize.minimize(
                value_grad,
                run.point.theta.astype(np.float64),
                method="L-BFGS-B",
                jac=True,
                bounds=None if run.box is None else Bounds(run.box.lower, run.box.upper),
                callback=accept,
                options={
                    "maxfun": limits.max_fun,
                    "maxiter": limits.max_iter,
                    "gtol": limits.tol,
                    "ftol": max(EPS, min(FTOL, FTOL * limits.tol / DEFAULT_TOL)),
                },
            )
        except _StoppedError as stop:
            if isinstance(stop.args[0], StopIteration):
                raise stop.args[0] from None
            return stop.args[0]
        if run.point.grad_norm <= limits.tol:
            return Status.CONVERGED
        if outcome.status == 1:
            return Status.MAX_FUN
        return Status.NO_IMPROVEMENT if outcome.success else Status.NO_PROGRESS
