"""Residual functions, as SciPy takes them, as objectives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# The share of a step at which its bend is looked for (Transtrum and Sethna 2012, section 3).
BEND_STEP = 0.1


def least_squares_objective(
    fun: Callable[..., Any], jac: Callable[..., Any], args: tuple = (), kwargs: dict | None = None
) -> LeastSquares:
    """Half the sum of squared residuals as an objective for :func:`fastmlp.solvers.minimize`.

    Parameters
    ----------
    fun : callable
        ``fun(theta, *args, **kwargs)`` returns the residuals, (m,), as for
        :func:`scipy.optimize.least_squares`.
    jac : callable
        ``jac(theta, *args, **kwargs)`` returns their derivatives, (m, n_params).
    args, kwargs
        Further arguments of both.

    Returns
    -------
    LeastSquares
        For every full-batch solver that needs no exact Hessian.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.solvers import least_squares_objective, minimize
    >>> rosenbrock = least_squares_objective(
    ...     lambda t: np.array([10 * (t[1] - t[0] ** 2), 1 - t[0]]),
    ...     lambda t: np.array([[-20 * t[0], 10.0], [-1.0, 0.0]]),
    ... )
    >>> minimize(rosenbrock, [-1.2, 1.0], solver="lm", tol=1e-10).theta.round(6)
    array([1., 1.])
    """
    return LeastSquares(fun, jac, args, kwargs or {})


class LeastSquares:
    """``1/2 ||r(theta)||^2`` and its Gauss-Newton matrix; see :func:`least_squares_objective`."""

    def __init__(self, fun, jac, args, kwargs):
        self._fun, self._jac, self._args, self._kwargs = fun, jac, args, kwargs
        self.n_residuals: float = np.inf  # known after the first evaluation

    def _residuals(self, theta):
        residuals = np.asarray(self._fun(theta, *self._args, **self._kwargs), dtype=np.float64)
        if residuals.ndim != 1:
            raise ValueError(f"fun must return shape (m,), got {residuals.shape}.")
        self.n_residuals = residuals.size
        return residuals

    def _both(self, theta):
        residuals = self._residuals(theta)
        jacobian = np.asarray(self._jac(theta, *self._args, **self._kwargs), dtype=np.float64)
        if jacobian.shape != (residuals.size, theta.size):
            raise ValueError(
                f"jac must return shape {(residuals.size, theta.size)}, got {jacobian.shape}."
            )
        return residuals, jacobian

    def value(self, theta) -> float:
        """Half the sum of squares."""
        residuals = self._residuals(theta)
        return 0.5 * float(residuals @ residuals)

    def value_grad(self, theta):
        """It and its gradient, (n_params,)."""
        residuals, jacobian = self._both(theta)
        return 0.5 * float(residuals @ residuals), jacobian.T @ residuals

    def ggn(self, theta):
        """``J' J``, (n_params, n_params)."""
        _, jacobian = self._both(theta)
        return jacobian.T @ jacobian

    def value_grad_ggn(self, theta):
        """The loss, its gradient and ``J' J``."""
        residuals, jacobian = self._both(theta)
        return 0.5 * float(residuals @ residuals), jacobian.T @ residuals, jacobian.T @ jacobian

    def ggn_mul(self, theta, v):
        """``J' J v``, (n_params,)."""
        _, jacobian = self._both(theta)
        return jacobian.T @ (jacobian @ v)

    def bend(self, theta, v):
        """``J' d2 r / dv2``, (n_params,), by a difference of residuals."""
        residuals, jacobian = self._both(theta)
        ahead = self._residuals(theta + BEND_STEP * v)
        slope = (ahead - residuals) / BEND_STEP - jacobian @ v
        return jacobian.T @ (2 / BEND_STEP * slope)

    def value_grad_gram(self, theta):
        """The loss, its gradient and J, for solutions in the space of the residuals."""
        residuals, jacobian = self._both(theta)
        return 0.5 * float(residuals @ residuals), jacobian.T @ residuals, DenseGram(jacobian)


class DenseGram:
    """J as the solver asks for it where residuals are fewer than parameters."""

    def __init__(self, jacobian):
        self._jacobian = jacobian
        self._products = jacobian @ jacobian.T
        self.n_residuals = jacobian.shape[0]

    @property
    def diagonal(self):
        """Of ``J' J``, (n_params,)."""
        return np.einsum("ij,ij->j", self._jacobian, self._jacobian)

    def kernel(self, damping):
        """``J J' / damping``, (m, m)."""
        return self._products / damping

    def divide(self, v, damping):
        """``v / damping``."""
        return v / damping

    def mul(self, v):
        """``J v``, (m,)."""
        return self._jacobian @ v

    def transpose_mul(self, u):
        """``J' u``, (n_params,)."""
        return self._jacobian.T @ u
