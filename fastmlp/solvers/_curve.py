"""Curves through points, by the door that SciPy's ``curve_fit`` has."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
from scipy.optimize import OptimizeWarning

from fastmlp import _types
from fastmlp._names import shown
from fastmlp.solvers._box import bounds_as_arrays
from fastmlp.solvers._least_squares import LeastSquares, least_squares_objective
from fastmlp.solvers._levenberg import LevenbergMarquardt
from fastmlp.solvers._minimize import minimize


def fit_curve(
    f: Callable[..., Any],
    x: Any,
    y: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    bounds: Any = (-np.inf, np.inf),
    *,
    jac: Callable[..., Any] | _types.Differences | None = None,
    max_iter: int = 1000,
    full_output: bool = False,
) -> tuple:
    """Fit a function to data by least squares, with Levenberg-Marquardt.

    In the shape of :func:`scipy.optimize.curve_fit`.

    Parameters
    ----------
    f : callable
        ``f(x, *params)`` of shape (m,).
    x : object
        Handed to ``f``; a list, tuple or array as a float64 array.
    y : array-like of shape (m,)
        The data.
    p0 : array-like of shape (n_params,), optional
        Where to start. By default 1 for each argument of ``f`` after the first; between bounds
        their middle, or 1 off the only one.
    sigma : float or array-like of shape (m,) or (m, m), optional
        Standard deviations of y, or their covariance matrix.
    absolute_sigma : bool, default=False
        Whether ``sigma`` is in the units of y. If not, only its proportions count, and the spread
        of the residuals gives the size.
    bounds : (lower, upper) or scipy.optimize.Bounds, default=(-inf, inf)
        Least and largest values of the parameters: numbers or arrays of shape (n_params,).
    jac : callable, {"2-point", "3-point", "cs"} or None, default=None
        ``jac(x, *params)`` of shape (m, n_params), or the kind of differences; None is "2-point".
    max_iter : int, default=1000
        Iterations.
    full_output : bool, default=False
        Whether the :class:`~fastmlp.solvers.Result` is returned, too.

    Returns
    -------
    popt : ndarray of shape (n_params,)
        The parameters of the least (weighted) sum of squared residuals.
    pcov : ndarray of shape (n_params, n_params)
        Their covariance; the roots of its diagonal are the standard errors. Infinite, with an
        OptimizeWarning, where the data do not tell it.
    result : Result
        If ``full_output``; its loss is half the weighted sum of squares.

    Raises
    ------
    ValueError
        Data, ``sigma``, ``p0`` or ``bounds`` do not fit each other or are not finite; the number
        of parameters cannot be told.
    RuntimeError
        No minimum was found within ``max_iter`` iterations.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import fit_curve
    >>> x = np.linspace(0, 4, 50)
    >>> y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.01 * np.cos(40 * x)
    >>> popt, pcov = fit_curve(lambda x, a, b, c: a * np.exp(-b * x) + c, x, y)
    >>> popt.round(2), np.sqrt(np.diag(pcov)).round(3)
    (array([2.5, 1.3, 0.5]), array([0.004, 0.005, 0.002]))
    """
    y = _data("y", y)
    if y.ndim != 1 or y.size == 0:
        raise ValueError(f"y must have shape (m,), got {y.shape}.")
    if isinstance(x, list | tuple | np.ndarray):
        x = _data("x", x)
    n_params = _count_params(f) if p0 is None else np.atleast_1d(p0).size
    if isinstance(bounds, list) and len(bounds) == 2:
        bounds = tuple(bounds)
    lower, upper = bounds_as_arrays(bounds, n_params)
    start = _inside(lower, upper) if p0 is None else np.atleast_1d(_data("p0", p0))
    weigh = _weighing(sigma, y.size)

    def residuals(params):
        curve = np.asarray(f(x, *params))
        if curve.shape not in (y.shape, ()):
            raise ValueError(f"f must return shape {y.shape}, as y has; got {curve.shape}.")
        return weigh(curve - y)

    def jacobian(params):
        return weigh(np.asarray(jac(x, *params)))

    objective = least_squares_objective(residuals, jacobian if callable(jac) else jac)
    # The gradient has units that are not known here: until nothing is left to gain.
    result = minimize(
        objective,
        start,
        solver=LevenbergMarquardt(),
        tol=1e-14,
        max_iter=max_iter,
        bounds=(lower, upper),
    )
    if not result.status.converged:
        raise RuntimeError(
            f"No parameters found. {result.message} Try another p0, or a larger max_iter."
        )
    pcov = _covariance(objective, result, absolute_sigma)
    return (result.theta, pcov, result) if full_output else (result.theta, pcov)


def _data(name, values):
    """A finite float64 array."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must hold real numbers, got {shown(values)}.") from None
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        raise ValueError(f"{name} holds NaN or infinity, first at index {bad[0].tolist()}.")
    return array


def _count_params(f):
    """Arguments of f after the first, which is x."""
    if not callable(f):
        raise TypeError(f"f must be a function f(x, *params), got {shown(f)}.")
    try:
        arguments = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):  # some functions of other languages
        arguments = ()
    named = [a for a in arguments if a.kind in (a.POSITIONAL_ONLY, a.POSITIONAL_OR_KEYWORD)]
    if len(named) < 2 or any(a.kind == a.VAR_POSITIONAL for a in arguments):
        raise ValueError("The number of parameters cannot be told from f's signature: pass p0.")
    return len(named) - 1


def _inside(lower, upper):
    """A start between bounds, as SciPy chooses it."""
    start = np.ones(lower.size)
    low, high = np.isfinite(lower), np.isfinite(upper)
    both = low & high
    start[both] = 0.5 * lower[both] + 0.5 * upper[both]
    start[low & ~high] = lower[low & ~high] + 1
    start[~low & high] = upper[~low & high] - 1
    return start


def _weighing(sigma, m):
    """A function that brings residuals, (m,), or their Jacobian to variance 1."""
    if sigma is None:
        return lambda rows: rows
    sigma = _data("sigma", sigma)
    if sigma.shape == (m, m) and m > 1:
        try:
            factor = scipy.linalg.cholesky(sigma, lower=True)
        except scipy.linalg.LinAlgError:
            raise ValueError("sigma, as a covariance matrix, must be positive definite.") from None
        return lambda rows: scipy.linalg.solve_triangular(
            factor, rows, lower=True, check_finite=False
        )
    if sigma.size != 1 and sigma.shape != (m,):
        raise ValueError(
            f"sigma must be a number or have shape ({m},) or ({m}, {m}), got {sigma.shape}."
        )
    if not (sigma > 0).all():
        raise ValueError("sigma must be positive: it holds the standard deviations of y.")
    weights = np.broadcast_to(1 / sigma.ravel(), (m,))
    return lambda rows: (rows.T * weights).T


def _covariance(objective: LeastSquares, result, absolute_sigma):
    pcov = objective.covariance(result.theta, absolute_sigma)
    if not np.isfinite(pcov).all():
        pcov = np.full(pcov.shape, np.inf)
        warnings.warn(
            "The covariance of the parameters could not be estimated: there are no more data than "
            "parameters, or f's derivatives are not finite.",
            OptimizeWarning,
            stacklevel=3,
        )
    return pcov
