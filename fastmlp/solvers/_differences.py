"""Jacobians of residual functions by differences."""

from __future__ import annotations

import numpy as np

EPS = float(np.finfo(np.float64).eps)
# method: step, as a share of a parameter's size, that balances truncation and rounding
STEPS = {"2-point": EPS ** (1 / 2), "3-point": EPS ** (1 / 3), "cs": 1e-20}
# A parameter on its way to zero still has the size that it had before, to this share.
MEMORY = 1e-3


class Differences:
    """``d fun / d theta`` by differences.

    Steps are shares of ``|theta_j|``, so that parameters may be of any size; for a parameter at
    zero, of a share of the largest size met so far.

    Parameters
    ----------
    fun : callable
        ``fun(theta)`` of shape (m,).
    method : {"2-point", "3-point", "cs"}
        Forward differences, central differences, or the imaginary part after an imaginary step
        (Squire and Trapp, SIAM Review 40, 110 (1998)), for which ``fun`` has to be analytic.
    step : float or None
        The share; None: a root of the machine's epsilon that fits the method.
    lower, upper : ndarray of shape (n_params,)
        ``fun`` is not asked outside.
    """

    def __init__(self, fun, method, step=None, lower=-np.inf, upper=np.inf):
        self._fun = fun
        self._method = method
        self._share = STEPS[method] if step is None else step
        self._lower, self._upper = lower, upper
        self._largest = 0.0

    def within(self, lower, upper):
        """The same with bounds."""
        return Differences(self._fun, self._method, self._share, lower, upper)

    def __call__(self, theta, residuals):
        """The Jacobian, (m, n_params), at a theta where the residuals are known."""
        size = np.abs(theta)
        self._largest = np.maximum(self._largest, size)
        size = np.maximum(size, MEMORY * self._largest)
        steps = self._share * np.where(size > 0, size, 1.0)
        lower, upper = (np.broadcast_to(b, theta.shape) for b in (self._lower, self._upper))
        rooms = np.maximum(theta - lower, 0.0), np.maximum(upper - theta, 0.0)
        jacobian = np.empty((residuals.size, theta.size))
        column = {"2-point": self._forward, "3-point": self._central, "cs": self._imaginary}
        for j, h in enumerate(steps):
            jacobian[:, j] = column[self._method](theta, residuals, j, h, rooms[0][j], rooms[1][j])
        return jacobian

    def _at(self, theta, j, h, residuals):
        """The residuals with theta_j moved by h, and how far rounding let it move."""
        moved = theta.astype(np.result_type(theta.dtype, type(h)))
        moved[j] += h
        answer = np.atleast_1d(np.asarray(self._fun(moved)))
        if answer.shape != residuals.shape:
            raise ValueError(
                f"fun returned shape {residuals.shape} and, for another theta, {answer.shape}."
            )
        return answer, moved[j] - theta[j]

    def _forward(self, theta, residuals, j, h, below, above):
        h = _with_room(np.copysign(h, theta[j]), below, above)
        if h == 0:  # a parameter that is fixed
            return 0.0
        ahead, h = self._at(theta, j, h, residuals)
        return (ahead - residuals) / h

    def _central(self, theta, residuals, j, h, below, above):
        if h <= min(below, above):
            ahead, forth = self._at(theta, j, h, residuals)
            behind, back = self._at(theta, j, -h, residuals)
            return (ahead - behind) / (forth - back)
        # A parabola through three points on the side that has room for them.
        h = 0.5 * _with_room(2 * h, below, above)
        if h == 0:
            return 0.0
        near, a = self._at(theta, j, h, residuals)
        far, b = self._at(theta, j, 2 * h, residuals)
        return ((near - residuals) * b / a - (far - residuals) * a / b) / (b - a)

    def _imaginary(self, theta, residuals, j, h, below, above):
        ahead, _ = self._at(theta, j, 1j * h, residuals)
        if ahead.dtype.kind != "c":
            raise TypeError("jac='cs' needs a fun that takes and returns complex numbers.")
        return ahead.imag / h


def _with_room(h, below, above):
    """A step of h towards either side, or as long as the larger side has room for."""
    if -below <= h <= above:
        return h
    if -below <= -h <= above:
        return -h
    return above if above >= below else -below
