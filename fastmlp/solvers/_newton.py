"""Newton's method with the exact Hessian."""

from __future__ import annotations

from typing import get_args

import numpy as np
import scipy.linalg

from fastmlp import _types
from fastmlp._memory import TO_SOLVE, check_matrices_fit
from fastmlp._names import check_choice
from fastmlp._numbers import check_positive
from fastmlp.solvers._base import Status
from fastmlp.solvers._checks import real_array
from fastmlp.solvers._full_batch import FullBatchSolver, descend
from fastmlp.solvers._newton_trust import TrustModel
from fastmlp.solvers._search import make_search
from fastmlp.solvers._trust import Radius, descend_bounded

MODIFICATIONS = get_args(_types.Modification)
# Curvatures below this share of the largest one are rounding as much as curvature; dividing by
# them would throw theta far along directions in which the loss hardly changes.
FLOOR = float(np.sqrt(np.finfo(np.float64).eps))


class NewtonDescent:
    """``step(t) = -t H^-1 gradient``, with H modified where it is not positive definite."""

    needs = ("value_grad", "hessian")
    assembles = True

    def __init__(self, modification):
        self._modification = modification

    def query(self, objective, point) -> bool:
        n_params = point.theta.size
        hess = real_array("hessian(theta)", objective.hessian(point.theta), (n_params, n_params))
        if not np.isfinite(hess).all():
            return False
        factor = positive_definite_factor(hess)
        if factor is not None:
            direction = -scipy.linalg.cho_solve(factor, point.grad, check_finite=False)
        elif self._modification == "saddle-free":
            direction = saddle_free_direction(hess, point.grad)
        else:
            direction = shifted_direction(hess, point.grad)
        self._direction = direction
        self.decrement = -0.5 * float(point.grad @ direction)
        return bool(np.isfinite(direction).all())

    def step(self, step_size):
        return step_size * self._direction


def positive_definite_factor(hess):
    """The Cholesky factor of ``hess``, or None where it is not safely positive definite.

    Rounding lets the factorisation of a singular matrix succeed, so the reciprocal condition number
    (LAPACK's estimate, O(n^2)) has to stand clear of it too.
    """
    try:
        factor, lower = scipy.linalg.cho_factor(hess, lower=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        return None
    (pocon,) = scipy.linalg.get_lapack_funcs(("pocon",), (factor,))
    norm = scipy.linalg.norm(hess, 1, check_finite=False)
    rcond, _ = pocon(factor, norm, uplo="L")
    safe = rcond > hess.shape[0] * np.finfo(np.float64).eps
    return (factor, lower) if safe else None


def saddle_free_direction(hess, grad):
    """-|H|^-1 grad: every eigenvalue by its absolute value, so that saddles repel.

    References
    ----------
    Dauphin et al., Identifying and attacking the saddle point problem in high-dimensional
    non-convex optimization, NIPS 2014, arXiv:1406.2572.
    """
    # "evd" (divide and conquer) takes half of the default's time at a few hundred parameters.
    eigenvalues, eigenvectors = scipy.linalg.eigh(hess, driver="evd", check_finite=False)
    size = np.abs(eigenvalues)
    largest = size.max()
    if largest == 0:  # no curvature at all: only the gradient is left
        return -grad
    return -eigenvectors @ ((eigenvectors.T @ grad) / np.maximum(size, FLOOR * largest))


def shifted_direction(hess, grad):
    """-(H + tau I)^-1 grad, with tau such that the lowest eigenvalue changes its sign.

    References
    ----------
    Nocedal and Wright, Numerical Optimization (2006), section 3.4.
    """
    (lowest,) = scipy.linalg.eigh(
        hess, eigvals_only=True, subset_by_index=[0, 0], check_finite=False
    )
    norm = scipy.linalg.norm(hess, 1, check_finite=False)
    if norm == 0:
        return -grad
    shifted = hess.copy()
    np.einsum("ii->i", shifted)[:] += 2 * max(-lowest, 0.0) + FLOOR * norm
    factor = scipy.linalg.cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False)
    return -scipy.linalg.cho_solve(factor, grad, check_finite=False)


class Newton(FullBatchSolver):
    """Newton's method: theta <- theta - step_size * H^-1 gradient, H the exact Hessian.

    A Hessian that is not positive definite is never inverted as it is: the step would climb towards
    a saddle or a maximum.

    Parameters
    ----------
    step_size : float, default=1.0
        Of the first trial at each point; 1 is what makes the convergence quadratic.
    line_search : {"armijo", None}, default="armijo"
        "armijo": a step has to lower the loss, and shrinks until it does. None: every step of
        ``step_size`` is taken as long as it is finite, and the loss may rise.
    modification : {"shift", "saddle-free", "trust-region"}, default="shift"
        Where the Hessian is not positive definite. "shift": a multiple of the identity is added
        that turns the lowest eigenvalue's sign round; the step shortens in all directions, by most
        along flat ones. "saddle-free": the eigenvalues are replaced by their absolute values, which
        takes the eigenvectors and steps far along flat directions. "trust-region": every step, also
        where the Hessian is positive definite, minimises the model within a radius (More and
        Sorensen 1983), and the gain decides on the step and the next radius; ``step_size`` and
        ``line_search`` play no part, and the history has ``radius`` and ``gain`` in place of
        ``step_size``.
    radius : float, default=1.0
        Of the first trust region.

    Raises
    ------
    MemoryError
        By a run, before anything is computed: the Hessian, 8 bytes for each pair of parameters,
        does not fit.

    Notes
    -----
    The cost of an iteration is that of the Hessian plus O(n_params^3). Converged when the largest
    absolute entry of the gradient and half the squared Newton decrement, 1/2 gradient' H^-1
    gradient, are both at most ``tol``: the second sees the distance to the minimum along flat
    directions, in units of the loss ("trust-region": in units of the loss reached).

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.solvers import Newton, minimize
    >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
    >>> net = Network([1, 5, 1], activation="tanh")
    >>> objective = net.objective(X, np.sin(3 * X).ravel())
    >>> theta = net.init(random_state=0)
    >>> minimize(objective, theta, solver=Newton(modification="saddle-free")).loss < 1e-3
    True
    """

    needs = NewtonDescent.needs

    def __init__(
        self,
        step_size: float = 1.0,
        line_search: _types.LineSearch | None = "armijo",
        modification: _types.Modification = "shift",
        radius: float = 1.0,
    ):
        self.step_size = step_size
        self.line_search = line_search
        self.modification = modification
        self.radius = radius

    @property
    def history_keys(self):
        trusts = isinstance(self.modification, str) and self.modification == "trust-region"
        bound = ("radius", "gain") if trusts else ("step_size",)
        return ("loss", "grad_norm", *bound, "seconds")

    def _solve(self, run) -> Status:
        search = make_search(
            self.line_search, self.step_size, grow=False, step_size_name="step_size"
        )
        radius = check_positive("radius", self.radius)
        check_choice("modification", self.modification, MODIFICATIONS)
        check_matrices_fit(run.point.theta.size, TO_SOLVE)
        if self.modification == "trust-region":
            model = TrustModel(run.objective)
            return descend_bounded(run, model, lambda local: Radius(radius), "radius")
        return descend(run, NewtonDescent(self.modification), search)
