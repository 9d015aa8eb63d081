"""The public entrance: every argument is checked here, once, for all solvers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from numbers import Real
from typing import Any

import numpy as np

from fastmlp import _types
from fastmlp._names import shown, unknown
from fastmlp._numbers import check_integer, check_random_state, check_real
from fastmlp.solvers._base import Limits, Result, Solver
from fastmlp.solvers._box import check_bounds
from fastmlp.solvers._callback import Record
from fastmlp.solvers._descent import GradientDescent
from fastmlp.solvers._lbfgs import LBFGS
from fastmlp.solvers._levenberg import LevenbergMarquardt
from fastmlp.solvers._minibatch import SGD, Adam
from fastmlp.solvers._newton import Newton
from fastmlp.solvers._newton_cg import NewtonCG
from fastmlp.solvers._progress import Progress, progress_of
from fastmlp.solvers._protocol import Adapted

SOLVERS: dict[str, type[Solver]] = {
    "gd": GradientDescent,
    "sgd": SGD,
    "adam": Adam,
    "lbfgs": LBFGS,
    "newton": Newton,
    "lm": LevenbergMarquardt,
    "newton-cg": NewtonCG,
}


# Beyond so many parameters their covariance may take longer than their fit.
MOST_COV = 1000
# What a solver needs beside a loss and its gradient, in words.
WANTED = {
    "hessian": "an object with value_grad(theta) and hessian(theta)",
    "ggn": "residuals: least_squares_objective(residuals), or an object with ggn(theta) too",
    "ggn_mul": "residuals: least_squares_objective(residuals), or an object with ggn_mul(theta, v)",
    "hess_mul": "an object with value_grad(theta) and hess_mul(theta, v)",
    "subset": "an objective of samples, as Network.objective makes it",
    "n_samples": "an objective of samples, as Network.objective makes it",
    "epoch": "an objective of samples, as Network.objective makes it",
}


def minimize(
    objective: Any,
    theta0: Any,
    *,
    solver: _types.Solver | Solver = "lbfgs",
    max_iter: int = 200,
    tol: float = 1e-4,
    n_iter_no_change: float = 10,
    max_fun: int = 15000,
    max_time: float = np.inf,
    random_state: Any = None,
    callback: Callable[[int, Record], Any] | None = None,
    validation: Callable[[np.ndarray], tuple[float, float]] | None = None,
    state: Any = None,
    verbose: _types.Verbose = False,
    bounds: Any = None,
) -> Result:
    """Minimise a function of a vector.

    Parameters
    ----------
    objective : object or callable
        For "gd" and "lbfgs" a function ``theta -> (float, ndarray of shape (n_params,))``, the loss
        and its gradient, or an object with it as its method ``value_grad``; also the methods
        ``hessian(theta) -> ndarray of shape (n_params, n_params)`` for "newton", ``ggn(theta)`` of
        the same shape for "lm", ``ggn_mul(theta, v)`` for "newton-cg", and ``epoch`` for the
        mini-batch solvers. ``Network.objective`` gives one that has all of them, and
        :func:`least_squares_objective` makes one of a function of residuals. Attributes
        ``n_params`` and ``dtype`` are respected where it has them.
    theta0 : array-like of shape (n_params,)
        Where to start. It is not modified.
    solver : str or solver object, default="lbfgs"
        "gd", "sgd", "adam", "lbfgs", "newton", "lm" or "newton-cg" stands for that solver with its
        defaults.
    max_iter : int, default=200
        Iterations, or epochs for the mini-batch solvers.
    tol : float, default=1e-4
        Full batch: largest absolute entry of the gradient at convergence; "lm" and "newton-cg" ask
        besides that the model promise no more than this share of the loss. Mini-batch, and the
        validation score of every solver: the improvement that counts as one.
    n_iter_no_change : int or inf, default=10
        Iterations without improvement of the validation score (mini-batch solvers without
        validation: of the training loss) that are borne.
    max_fun : int, default=15000
        Evaluations of the loss ("lbfgs" only).
    max_time : float, default=inf
        Seconds, looked at after each trial step ("newton-cg": and after each curvature product;
        mini-batch: after each epoch). What has been accepted by then is kept.
    random_state : None, int, RandomState or Generator, default=None
        Source of the mini-batches' order, and of samples of the rows. None: NumPy's global state.
    callback : callable, optional
        ``callback(iteration, record)`` after each iteration, counted from 1. ``record`` is a dict
        of this iteration's entries of the history, with the attributes ``theta`` (read-only, and
        only until the callback returns: keep ``record.theta.copy()``) and ``network`` (the
        objective's, or None). The run stops if the callback raises StopIteration or returns
        ``fastmlp.STOP``; any other answer is ignored, any other error ends the run with itself.
    validation : callable, optional
        ``validation(theta) -> (score, loss)`` after each iteration. The run stops when the score
        has not risen by ``tol`` for more than ``n_iter_no_change`` iterations; the theta of the
        highest score is returned.
    state : object, optional
        ``Result.state`` of an earlier run with the same mini-batch solver, to go on from it.
    verbose : bool, int or "bar", default=False
        Print a table with a line per iteration, and last the reason for stopping; "bar": a
        progress bar (tqdm's, where it is installed).
    bounds : optional
        Least and largest values of the parameters, for "lm" and "lbfgs": a tuple (lower, upper) of
        numbers or arrays of shape (n_params,), a :class:`scipy.optimize.Bounds`, or a list with a
        pair (low, high) per parameter, None being no bound. ``theta0`` has to be inside, and the
        objective is asked inside only.

    Returns
    -------
    Result
        Also after Ctrl-C, with the status INTERRUPTED and the last accepted theta. With ``cov``
        and ``std_err`` for a :func:`least_squares_objective`.

    Raises
    ------
    TypeError
        The objective lacks a method that the solver needs, or an argument is of the wrong kind.
    ValueError
        An argument is out of its range; the loss is not finite at ``theta0``.
    MemoryError
        The Hessian would not fit ("newton", "lm").

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.solvers import minimize
    >>> class Bowl:
    ...     def value_grad(self, theta):
    ...         return 0.5 * float(theta @ theta), theta
    ...     def hessian(self, theta):
    ...         return np.eye(theta.size)
    >>> result = minimize(Bowl(), [1.0, -2.0], solver="newton")
    >>> result.theta, result.n_iter, result.status.name
    (array([0., 0.]), 1, 'CONVERGED')
    >>> result.message.partition(";")[0]
    'Converged: the gradient is below tol (the largest entry of the gradient is 0, tol=0.0001'
    """
    solver = check_solver(solver)
    objective = Adapted(objective)
    _check_objective(objective, solver)
    theta = _check_theta(theta0, objective)
    unit = "epoch" if "epoch" in solver.needs else "iteration"
    limits = Limits(
        max_iter=check_integer("max_iter", max_iter),
        tol=check_real("tol", tol, "at least 0", lambda v: v >= 0),
        n_iter_no_change=(
            np.inf
            if isinstance(n_iter_no_change, Real) and n_iter_no_change == np.inf
            else check_integer("n_iter_no_change", n_iter_no_change)
        ),
        max_fun=check_integer("max_fun", max_fun),
        max_time=check_real("max_time", max_time, "at least 0", lambda v: v >= 0),
        verbose=verbose,
        progress=progress_of(verbose, unit),
    )
    for name, function in (("callback", callback), ("validation", validation)):
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be callable or None, got {shown(function)}.")
    more = {}
    box = check_bounds(bounds, theta)
    if box is not None:
        if not solver.takes_bounds:
            able = [name for name, known in SOLVERS.items() if known.takes_bounds]
            raise ValueError(f"{type(solver).__name__} takes no bounds; {' and '.join(able)} do.")
        more["box"] = box
        if objective.within is not None:
            objective = Adapted(objective.within(box.lower, box.upper))
    rng = check_random_state(random_state)
    with _limited(objective, solver):
        result = solver.run(
            objective,
            theta,
            limits,
            rng=rng,
            callback=callback,
            validation=validation,
            state=state,
            **more,
        )
    result.solver, result.unit, result.limits = type(solver).__name__, unit, limits
    if objective.covariance is not None and theta.size <= MOST_COV:
        result.cov = objective.covariance(result.theta)
    if limits.progress is not None and not isinstance(verbose, Progress):
        limits.progress.close(result.message)
    return result


def check_solver(solver: str | Solver) -> Solver:
    """A solver object; a name stands for one with the defaults."""
    if isinstance(solver, Solver):
        return solver
    if isinstance(solver, type) and issubclass(solver, Solver):
        raise TypeError(
            f"solver must be an object, not a class: write {solver.__name__}() instead of "
            f"{solver.__name__}."
        )
    if not isinstance(solver, str):
        raise TypeError(
            f"solver must be one of {list(SOLVERS)} or a solver object, got {shown(solver)}."
        )
    if solver not in SOLVERS:
        raise ValueError(unknown("solver", solver, SOLVERS))
    return SOLVERS[solver]()


def _limited(objective, solver):
    """The block of a run, in which an objective keeps its work to the threads that are worth it."""
    if objective.limited is None:
        return nullcontext()
    batch_size = solver.batch_size_for(objective.n_samples) if solver.mini_batch else None
    return objective.limited(batch_size, bool({"ggn", "hessian"}.intersection(solver.needs)))


def _check_objective(objective, solver):
    missing = objective.lacks(solver.needs)
    if missing:
        able = [name for name, known in SOLVERS.items() if not objective.lacks(known().needs)]
        advice = f"It will do for {able}." if able else "No solver can work with it."
        if objective.is_function:
            raise TypeError(
                f"{type(solver).__name__} needs {WANTED[missing[0]]}, which a plain function "
                f"theta -> (loss, gradient) has not. {advice}"
            )
        raise TypeError(
            f"{type(solver).__name__} needs an objective that has {', '.join(missing)}; "
            f"{objective.name} has not. {advice}"
        )


def _check_theta(theta0, objective):
    """A contiguous copy of theta0 in the objective's dtype."""
    theta = np.asarray(theta0)
    if theta.dtype.kind not in "fiub":
        raise TypeError(f"theta0 must hold real numbers, got dtype {theta.dtype}.")
    if theta.ndim != 1 or theta.size == 0:
        raise ValueError(f"theta0 must have shape (n_params,), got {theta.shape}.")
    if objective.n_params not in (None, theta.size):
        raise ValueError(
            f"theta0 has {theta.size} entries; the objective has {objective.n_params}."
        )
    own = theta.dtype if theta.dtype in (np.float32, np.float64) else np.float64
    theta = np.array(theta, dtype=own if objective.dtype is None else objective.dtype, order="C")
    bad = np.flatnonzero(~np.isfinite(theta))
    if bad.size:
        raise ValueError(f"theta0 is not finite at index {bad[0]}: {theta[bad[0]]}.")
    return theta
