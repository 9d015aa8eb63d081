"""Newton's method within a trust region: the exact solution of the bounded model."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from fastmlp.solvers._checks import real_array, value_and_grad
from fastmlp.solvers._full_batch import Point
from fastmlp.solvers._trust import Proposal, loss_of

EPS = float(np.finfo(np.float64).eps)
# The step's length may miss the radius by this share.
LENGTH_TOL = 1e-3
MOST_TURNS = 50


class TrustModel:
    """Local models from the exact Hessian."""

    def __init__(self, objective):
        self.objective = objective
        self.value = loss_of(objective)

    def at(self, theta):
        loss, grad = value_and_grad(self.objective.value_grad(theta), theta)
        hess = real_array("hessian(theta)", self.objective.hessian(theta), (theta.size, theta.size))
        point = Point(theta, loss, grad)
        return Trusted(point, hess, self.value)


class Trusted:
    """One point's Hessian, decomposed once: every radius after that is cheap."""

    record: dict = {}

    def __init__(self, point, hess, value):
        self.point, self.value = point, value
        self._eigenvalues = None
        if point.finite and np.isfinite(hess).all():
            self._eigenvalues, self._basis = scipy.linalg.eigh(
                hess, driver="evd", check_finite=False
            )
            self._slopes = self._basis.T @ point.grad

    def step(self, radius):
        if self._eigenvalues is None:
            return None
        components, at_bound = bounded_minimum(self._eigenvalues, self._slopes, radius)
        predicted = -float(self._slopes @ components + 0.5 * (self._eigenvalues @ components**2))
        norm = float(np.linalg.norm(components))
        return Proposal(self._basis @ components, predicted, at_bound, norm)

    def decrement(self, least):
        lowest = self._eigenvalues[0]
        if lowest <= 0:  # a saddle: what there is to gain has no bound
            return np.inf
        return 0.5 * float(np.sum(self._slopes**2 / self._eigenvalues))


def bounded_minimum(eigenvalues, slopes, radius):
    """The minimum of ``slopes' s + 1/2 s' diag(eigenvalues) s`` over ``||s|| <= radius``.

    Parameters
    ----------
    eigenvalues : ndarray of shape (n,)
        Ascending.
    slopes : ndarray of shape (n,)
        The gradient in the basis of the eigenvectors.
    radius : float
        Positive.

    Returns
    -------
    s : ndarray of shape (n,)
    at_bound : bool

    References
    ----------
    More and Sorensen, SIAM J. Sci. Stat. Comput. 4, 553 (1983); Conn, Gould and Toint,
    Trust-Region Methods (2000), section 7.3.
    """
    lowest = eigenvalues[0]
    size = max(np.abs(eigenvalues).max(), EPS)
    if lowest > EPS * size:
        s = -slopes / eigenvalues
        if np.linalg.norm(s) <= radius:
            return s, False
    # shift in [low, high]: high makes the step short enough, low leaves it too long or undefined
    low = max(0.0, -lowest)
    high = low + np.linalg.norm(slopes) / radius + EPS * size
    near = eigenvalues + low <= EPS * size
    if not np.abs(slopes[near]).max(initial=0.0) > EPS * np.linalg.norm(slopes):
        # the hard case: the gradient has no part along the lowest curvature
        s = np.where(near, 0.0, -slopes / np.where(near, 1.0, eigenvalues + low))
        length = np.linalg.norm(s)
        if length <= radius:
            if low > 0:
                s[0] += radius * np.sqrt(1 - (length / radius) ** 2)
            return s, low > 0
    shift = 0.5 * (low + high)
    s = -slopes / (eigenvalues + shift)
    for _ in range(MOST_TURNS):
        length = np.linalg.norm(s)
        if abs(length - radius) <= LENGTH_TOL * radius:
            break
        if length > radius:
            low = shift
        else:
            high = shift
        # Newton on 1/length - 1/radius, which is nearly linear in the shift
        shift += (length / radius - 1) * length**2 / (s @ (s / (eigenvalues + shift)))
        if not low < shift < high:
            shift = 0.5 * (low + high)
        s = -slopes / (eigenvalues + shift)
    return s, True
