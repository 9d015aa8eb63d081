"""Gradient descent."""

from __future__ import annotations

from fastmlp import _types
from fastmlp.solvers._base import Status
from fastmlp.solvers._full_batch import FullBatchSolver, descend
from fastmlp.solvers._search import make_search


class SteepestDescent:
    """``step(t) = -t * gradient``."""

    needs = ("value_grad",)
    decrement = 0.0
    assembles = False

    def query(self, objective, point) -> bool:
        self._grad = point.grad
        return True

    def step(self, step_size):
        return -step_size * self._grad


class GradientDescent(FullBatchSolver):
    """Gradient descent on all samples at once: theta <- theta - learning_rate * gradient.

    Parameters
    ----------
    learning_rate : float, default=0.1
        The fixed rate, or the first trial of the line search.
    line_search : {None, "armijo"}, default=None
        None: the textbook's rule; every step is taken as long as it is finite, and the loss may
        rise. "armijo": a step has to lower the loss; its size shrinks when it does not and doubles
        when it does.

    Notes
    -----
    Converged when the largest absolute entry of the gradient is at most ``tol``. With a fixed rate
    the run ends as diverged, at the last finite theta, when a step leads to a loss that is not
    finite.

    Examples
    --------
    >>> from fastmlp.solvers import GradientDescent, minimize
    >>> half = GradientDescent(learning_rate=0.25)
    >>> minimize(lambda t: (float(t @ t), 2 * t), [1.0, -2.0], solver=half, max_iter=2).theta
    array([ 0.25, -0.5 ])
    """

    needs = SteepestDescent.needs

    def __init__(self, learning_rate: float = 0.1, line_search: _types.LineSearch | None = None):
        self.learning_rate = learning_rate
        self.line_search = line_search

    def _solve(self, run) -> Status:
        search = make_search(
            self.line_search, self.learning_rate, grow=True, step_size_name="learning_rate"
        )
        return descend(run, SteepestDescent(), search)
