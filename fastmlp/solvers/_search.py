"""Searches: how long the next step is, and whether a trial is accepted."""

from __future__ import annotations

from typing import get_args

import numpy as np

from fastmlp import _types
from fastmlp._names import check_choice
from fastmlp._numbers import check_positive
from fastmlp.solvers._base import Status

# The slope's share that a step has to gain; small, so that a full Newton step is rarely refused.
SUFFICIENT = 2.0**-11
# A difference of two losses below ROUNDING * eps * |loss| says nothing.
ROUNDING = 16
# A rejected step shrinks by interpolation, but by no less and no more than these factors.
SHRINK_LEAST, SHRINK_MOST = 0.5, 0.1
GROW = 2.0


class FixedRate:
    """The same step size for ever; every finite trial is accepted, the loss may rise."""

    after_rejection = Status.DIVERGED

    def __init__(self, step_size):
        self.step_size = step_size

    def judge(self, point, step, trial) -> bool:
        return trial.finite


class Armijo:
    """Backtracking until the loss falls by a share of what the slope promises.

    Where the two losses differ by no more than rounding, the smaller gradient decides (as in
    scikit-learn's Newton solver): the loss never rises by more than ``16 eps |loss|``.

    Parameters
    ----------
    step_size : float
        Of the first trial.
    grow : bool
        Whether an accepted step is followed by a longer one (for descents with no natural length)
        or by ``step_size`` again.

    References
    ----------
    Armijo, Pacific J. Math. 16, 1 (1966); the interpolation: Dennis and Schnabel, Numerical Methods
    for Unconstrained Optimization (1983), section 6.3.2.
    """

    after_rejection = None

    def __init__(self, step_size, grow):
        self.step_size = step_size
        self._first = step_size
        self._grow = grow

    def judge(self, point, step, trial) -> bool:
        if not trial.finite:
            self.step_size *= SHRINK_MOST
            return False
        slope = float(point.grad @ step)  # d loss / d t at t = 0, along point + t * step
        actual = point.loss - trial.loss
        if abs(actual) <= ROUNDING * np.finfo(trial.theta.dtype).eps * abs(point.loss):
            enough = np.abs(trial.grad).sum() < np.abs(point.grad).sum()
        else:
            enough = actual >= -SUFFICIENT * slope
        if enough:
            self.step_size = GROW * self.step_size if self._grow else self._first
            return True
        # Where the parabola through (0, loss), its slope and (1, trial.loss) has its minimum.
        curved = -actual - slope
        shrink = -0.5 * slope / curved if curved > 0 else SHRINK_LEAST
        self.step_size *= min(max(shrink, SHRINK_MOST), SHRINK_LEAST)
        return False


def make_search(line_search, step_size, *, grow, step_size_name):
    """The search named ``line_search`` (None or "armijo"), its arguments checked."""
    check_choice("line_search", line_search, (None, *get_args(_types.LineSearch)))
    step_size = check_positive(step_size_name, step_size)
    return FixedRate(step_size) if line_search is None else Armijo(step_size, grow)
