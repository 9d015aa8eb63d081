"""Bounds on parameters: as users give them, and the bounded step of Levenberg-Marquardt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize

from fastmlp._names import shown

# Of the bounded quadratic problem, whose right-hand side has length 1.
QP_TOL = 1e-12


@dataclass(frozen=True, slots=True)
class Box:
    """``lower <= theta <= upper``, arrays of shape (n_params,)."""

    lower: np.ndarray
    upper: np.ndarray

    def clip(self, theta: np.ndarray) -> np.ndarray:
        """The nearest theta inside."""
        return np.clip(theta, self.lower, self.upper)

    def holds(self, theta: np.ndarray) -> bool:
        """Whether theta is inside."""
        return bool(((theta >= self.lower) & (theta <= self.upper)).all())

    def free(self, theta: np.ndarray, grad: np.ndarray) -> np.ndarray:
        """The gradient without the parts that only a step outwards would lower the loss by."""
        stuck = ((theta <= self.lower) & (grad > 0)) | ((theta >= self.upper) & (grad < 0))
        return np.where(stuck, 0.0, grad)


def bounds_as_arrays(bounds: Any, n_params: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends, (n_params,) float64, from any of SciPy's forms."""
    form = (
        "bounds must be a pair (lower, upper) of numbers or arrays, a scipy.optimize.Bounds, or a "
        f"list with a pair (low, high) for each of the {n_params} parameters; got {shown(bounds)}"
    )
    try:
        if isinstance(bounds, scipy.optimize.Bounds):
            ends = bounds.lb, bounds.ub
        elif len(bounds) == 2 and (isinstance(bounds, tuple) or n_params != 2):
            ends = bounds
        else:
            pairs = [
                (-np.inf if low is None else low, np.inf if high is None else high)
                for low, high in bounds
            ]
            if len(pairs) != n_params:
                raise ValueError
            ends = tuple(zip(*pairs, strict=True))
        lower, upper = (
            np.array(np.broadcast_to(np.asarray(end, dtype=np.float64), (n_params,)))
            for end in ends
        )
    except (TypeError, ValueError, OverflowError):
        raise ValueError(form + ".") from None
    wrong = np.flatnonzero(~(lower <= upper))
    if wrong.size:
        j = wrong[0]
        raise ValueError(f"bounds of parameter {j} leave no room: from {lower[j]} to {upper[j]}.")
    return lower, upper


def check_bounds(bounds: Any, theta: np.ndarray) -> Box | None:
    """Bounds in one of SciPy's forms as a Box in theta's dtype; None where none is finite.

    Parameters
    ----------
    bounds : None, tuple (lower, upper), scipy.optimize.Bounds or list of pairs
        As for :func:`fastmlp.solvers.minimize`.
    theta : ndarray of shape (n_params,)
        The start, which has to be inside.
    """
    if bounds is None:
        return None
    lower, upper = bounds_as_arrays(bounds, theta.size)
    outside = np.flatnonzero((theta < lower) | (theta > upper))
    if outside.size:
        j = outside[0]
        raise ValueError(
            f"theta0 is outside of the bounds: theta0[{j}] is {theta[j]}, its bounds are "
            f"{lower[j]} and {upper[j]}."
        )
    if not (np.isfinite(lower).any() or np.isfinite(upper).any()):
        return None
    return Box(_rounded(lower, theta.dtype, np.inf), _rounded(upper, theta.dtype, -np.inf))


def _rounded(ends, dtype, towards):
    """Ends in a dtype, none of them further out than it was."""
    with np.errstate(over="ignore"):
        cast = ends.astype(dtype)
    beyond = cast < ends if towards > 0 else cast > ends
    return np.where(beyond, np.nextafter(cast, dtype.type(towards)), cast)


def bounded_step(factor: np.ndarray, grad: np.ndarray, theta: np.ndarray, box: Box) -> np.ndarray:
    """The minimum of ``grad' s + 1/2 s' M s`` over theta + s in the box.

    With ``M = L L'`` this is a linear least-squares problem with bounds, which SciPy solves
    exactly by an active-set method (Stark and Parker, Computational Statistics 10, 129, 1995).

    Parameters
    ----------
    factor : ndarray of shape (n, n)
        L, lower triangular, of a positive definite M.
    grad, theta : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n,)
    """
    rhs = -scipy.linalg.solve_triangular(factor, grad, lower=True, check_finite=False)
    size = np.linalg.norm(rhs)
    step = np.zeros_like(grad)
    movable = box.lower < box.upper
    if size == 0 or not movable.any():
        return step
    # Columns and right-hand side of length 1: the solver's tolerances are absolute.
    columns = factor.T[:, movable]
    length = np.linalg.norm(columns, axis=0)
    ends = (
        ((end - theta)[movable] * length / size).astype(np.float64)
        for end in (box.lower, box.upper)
    )
    outcome = scipy.optimize.lsq_linear(
        columns / length,
        rhs / size,
        bounds=tuple(ends),
        method="bvls",
        tol=QP_TOL,
        max_iter=max(100, 5 * grad.size),
    )
    step[movable] = outcome.x * size / length
    return step
