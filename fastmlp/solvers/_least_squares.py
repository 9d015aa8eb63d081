"""Residual functions, as SciPy takes them, as objectives."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp import _types
from fastmlp._names import check_choice, shown
from fastmlp._numbers import check_positive
from fastmlp.solvers._checks import real_array
from fastmlp.solvers._differences import EPS, STEPS, Differences

# The share of a step at which its bend is looked for (Transtrum and Sethna 2012, section 3).
BEND_STEP = 0.1


def least_squares_objective(
    fun: Callable[..., Any],
    jac: Callable[..., Any] | _types.Differences | None = None,
    args: tuple = (),
    kwargs: dict | None = None,
    diff_step: float | None = None,
) -> LeastSquares:
    """Half the sum of squared residuals as an objective for :func:`fastmlp.solvers.minimize`.

    Parameters
    ----------
    fun : callable
        ``fun(theta, *args, **kwargs)`` returns the residuals, (m,), as for
        :func:`scipy.optimize.least_squares`.
    jac : callable, {"2-point", "3-point", "cs"} or None, default=None
        ``jac(theta, *args, **kwargs)`` returns their derivatives, (m, n_params). A name: by
        differences, forward ("2-point", also for None), central ("3-point", twice the evaluations
        and six more digits) or in the complex plane ("cs", exact where ``fun`` is analytic).
    args, kwargs
        Further arguments of both.
    diff_step : float, optional
        Step of the differences as a share of ``|theta_j|``: larger than the default, a root of the
        machine's epsilon, where ``fun`` is noisy.

    Returns
    -------
    LeastSquares
        For every full-batch solver that needs no exact Hessian. ``minimize`` adds ``cov`` and
        ``std_err`` to its result, and "lm" scales its damping by Marquardt's rule.

    Raises
    ------
    TypeError, ValueError
        ``jac`` or ``diff_step`` is none of these.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.solvers import least_squares_objective, minimize
    >>> rosenbrock = least_squares_objective(
    ...     lambda t: np.array([10 * (t[1] - t[0] ** 2), 1 - t[0]])
    ... )
    >>> minimize(rosenbrock, [-1.2, 1.0], solver="lm", tol=1e-10).theta.round(6)
    array([1., 1.])
    """
    if not callable(fun):
        raise TypeError(f"fun must be a function theta -> residuals, got {shown(fun)}.")
    if not callable(jac) and not (jac is None or isinstance(jac, str)):
        raise TypeError(f"jac must be a function, a name or None, got {shown(jac)}.")
    if not callable(jac):
        check_choice("jac", jac, (*STEPS, None))
    if diff_step is not None:
        diff_step = check_positive("diff_step", diff_step)
    return LeastSquares(fun, jac, args, kwargs or {}, diff_step)


class LeastSquares:
    """``1/2 ||r(theta)||^2`` and its Gauss-Newton matrix; see :func:`least_squares_objective`."""

    # parameters of a model have units of their own, unlike a network's weights
    default_scaling = "marquardt"

    def __init__(self, fun, jac, args, kwargs, diff_step=None):
        self._fun, self._jac, self._args, self._kwargs = fun, jac, args, kwargs
        self._known: tuple | None = None  # theta, residuals and Jacobian of the last evaluation
        self._box: tuple | None = None
        self._differences = None
        if not callable(jac):
            self._differences = Differences(self._call, jac or "2-point", diff_step)

    def within(self, lower, upper) -> LeastSquares:
        """The same function, not asked outside of bounds by differences or for its bend."""
        other = copy.copy(self)
        other._box = lower, upper
        if self._differences is not None:
            other._differences = self._differences.within(lower, upper)
        return other

    def _call(self, theta):
        return self._fun(theta, *self._args, **self._kwargs)

    def _residuals(self, theta):
        residuals = np.atleast_1d(np.asarray(self._call(theta)))
        if residuals.ndim != 1 or residuals.size == 0:
            raise ValueError(f"fun must return shape (m,), got {residuals.shape}.")
        return real_array("What fun returns", residuals, residuals.shape)

    def _both(self, theta):
        residuals = self._residuals(theta)
        shape = (residuals.size, theta.size)
        if self._differences is not None:
            jacobian = self._differences(theta, residuals)
        else:
            jacobian = self._jac(theta, *self._args, **self._kwargs)
            if np.shape(jacobian) != shape:
                raise ValueError(f"jac must return shape {shape}, got {np.shape(jacobian)}.")
            jacobian = real_array("What jac returns", jacobian, shape)
        self._known = theta.copy(), residuals, jacobian
        return residuals, jacobian

    def count_residuals(self, theta) -> int:
        """How many residuals there are, by one evaluation of ``fun``."""
        return self._residuals(theta).size

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
        _, jacobian = self._last(theta)
        return jacobian.T @ (jacobian @ v)

    def bend(self, theta, v):
        """``J' d2 r / dv2``, (n_params,), by a difference of residuals; NaN outside of bounds."""
        residuals, jacobian = self._last(theta)
        trial = theta + BEND_STEP * v
        if self._box is not None and not np.array_equal(np.clip(trial, *self._box), trial):
            return np.full(theta.size, np.nan)
        slope = (self._residuals(trial) - residuals) / BEND_STEP - jacobian @ v
        return jacobian.T @ (2 / BEND_STEP * slope)

    def _last(self, theta):
        """Residuals and Jacobian where the solver has just been."""
        if self._known is not None and np.array_equal(self._known[0], theta):
            return self._known[1:]
        return self._both(theta)

    def value_grad_gram(self, theta):
        """The loss, its gradient and J, for solutions in the space of the residuals."""
        residuals, jacobian = self._both(theta)
        return 0.5 * float(residuals @ residuals), jacobian.T @ residuals, DenseGram(jacobian)

    def covariance(self, theta, absolute: bool = False) -> np.ndarray:
        """Covariance of the parameters, as :func:`scipy.optimize.curve_fit` reckons it.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            The solution.
        absolute : bool
            Whether the residuals are in units of their standard deviation. Otherwise their
            variance is estimated, ``||r||^2 / (m - n_params)``.

        Returns
        -------
        ndarray of shape (n_params, n_params)
            ``(J'J)^-1`` times that variance, the pseudo-inverse where J'J is singular; infinite
            where there are no more residuals than parameters.
        """
        residuals, jacobian = self._both(theta)
        if not absolute and residuals.size <= theta.size:
            return np.full((theta.size, theta.size), np.inf)
        if not np.isfinite(jacobian).all():
            return np.full((theta.size, theta.size), np.nan)
        cov = inverse_of_gram(jacobian)
        return cov if absolute else cov * (residuals @ residuals / (residuals.size - theta.size))


def inverse_of_gram(jacobian: np.ndarray) -> np.ndarray:
    """``(J'J)^-1``; Moore and Penrose's where J has not full rank.

    The rank is judged with columns of the same length, so that units do not matter.
    """
    length = np.linalg.norm(jacobian, axis=0)
    if length.all():
        _, s, Vt = np.linalg.svd(jacobian / length, full_matrices=False)
        if s.size == length.size and s[-1] > EPS * max(jacobian.shape) * s[0]:
            root = Vt / s[:, None] / length
            return root.T @ root
    _, s, Vt = np.linalg.svd(jacobian, full_matrices=False)
    kept = s > EPS * max(jacobian.shape) * s[0]
    root = Vt[kept] / s[kept, None]
    return root.T @ root


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
