"""What a family of distributions is, and what families share."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import numpy as np

from fastmlp._weighted import average
from fastmlp.distributions._base import Distribution
from fastmlp.distributions._parameters import Rule, first

# Scales of located families are held above this share of the spread of the targets.
LEAST_SCALE = 1e-6
# A scale below this share of the median row's is that of a spike at a single target.
SPIKE = 1e-3
# Means of counts and odds are kept within what a float64 holds, squares included.
MOST_LOG = 300.0
# Shares and means that a network starts at are kept away from 0 by so much.
LEAST = 1e-6


class Family:
    """A kind of distribution whose parameters are the raw outputs of a network.

    Raw column k n_targets + j is parameter k of target j. A family is not changed by data:
    ``learn`` and ``complete`` return another one.

    Attributes
    ----------
    name : str
    raws_per_target : int
        Parameters of each target.
    loss : object
        Minus the log-density in the raw outputs, up to what does not depend on them: what
        ``Network(loss=)`` takes.
    output_activation : str or None
        What ``Network(output_activation=)`` takes.
    located : bool
        Whether targets may be standardised: the distribution of y comes back by
        ``dist.affine(mean, scale)``.
    unit : float or None
        What targets are divided by instead of their standard deviation.
    log_scales : bool
        Whether the raw outputs of a target are its location and then logarithms of scales: then a
        network can be rewritten for other units.
    std_factor : float or None
        Where the raw outputs are a location, which is the mean, and a log scale: the standard
        deviation in units of the scale.
    needs_residuals : bool
        Whether ``complete`` has something to learn.
    support : tuple of str and callable
        Which targets it has, in words, and the mask of those among y.
    """

    name: ClassVar[str]
    raws_per_target: int = 1
    loss: Any = None
    output_activation: str | None = None
    located: bool = False
    unit: float | None = None
    log_scales: bool = False
    std_factor: float | None = None
    needs_residuals: bool = False
    support: Rule = ("finite", np.isfinite)

    def from_raw(self, raw: np.ndarray, n_targets: int) -> Distribution:
        """The distributions of rows.

        Parameters
        ----------
        raw : ndarray of shape (n, n_raw)
            In the units that the network was trained in; large values stand for the limits of what
            a float holds, and NaN for a row without a distribution is refused.
        n_targets : int

        Returns
        -------
        Distribution
            Of shape (n,) for one target, (n, n_targets) for several.
        """
        raise NotImplementedError

    def distribution(
        self,
        raw: np.ndarray,
        n_targets: int,
        y_scales: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> Distribution:
        """``from_raw``, in the units of targets from which a mean was taken and that were divided.

        ``y_scales`` is that mean and scale, each of shape (n_targets,), or None.
        """
        dist = self.from_raw(raw, n_targets)
        if y_scales is None:
            return dist
        mean, scale = y_scales if n_targets > 1 else (part[0] for part in y_scales)
        return dist.affine(mean, scale)

    def start(self, y: np.ndarray, sample_weight: np.ndarray | None = None) -> np.ndarray:
        """Raw outputs of the distribution of all targets, near that of the highest likelihood.

        Parameters
        ----------
        y : ndarray of shape (n,) or (n, n_targets)
            Targets as the network takes them.
        sample_weight : ndarray of shape (n,), optional

        Returns
        -------
        ndarray of shape (n_raw,)
        """
        raise NotImplementedError

    def learn(self, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Family:
        """The family with what it has to know of all targets before the network is made."""
        return self

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Targets as the network takes them, of any type and shape that it does."""
        return y

    def n_outputs(self, n_targets: int) -> int:
        """Columns that the network counts as targets."""
        return n_targets

    def complete(
        self,
        raw: np.ndarray,
        y: np.ndarray,
        sample_weight: np.ndarray | None = None,
        noise: float | None = None,
    ) -> Family:
        """The family with what is learned from the trained network's raw outputs for targets y.

        ``noise`` is the standard deviation that the solver estimates by itself, if it does.
        """
        return self

    def scales(self, raw: np.ndarray, n_targets: int) -> np.ndarray | None:
        """What may shrink to nothing around a target, (n, n_scales); None: nothing can."""
        return None

    def check(self, y: np.ndarray, name: str = "y") -> None:
        """Raise ValueError for the first row of targets outside the support."""
        words, holds = self.support
        good = holds(y)
        if not good.all():
            raise ValueError(
                f"Targets of distribution {self.name!r} must be {words}; {name}: {first(y, ~good)}."
            )

    def _with(self, **learned) -> Family:
        other = copy.copy(self)
        vars(other).update(learned)
        return other


def planar(raw: np.ndarray, n_targets: int) -> np.ndarray:
    """Parameter k of all rows as entry k: (raws_per_target, n) or (..., n, n_targets)."""
    parts = np.asarray(raw, np.float64).reshape(len(raw), -1, n_targets).swapaxes(0, 1)
    return parts[..., 0] if n_targets == 1 else parts


def columns(y: np.ndarray) -> np.ndarray:
    """Targets as (n, n_targets), float64."""
    return np.asarray(y, np.float64).reshape(len(y), -1)


def moments(y: np.ndarray, sample_weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and variance of each column; the variance of a constant column is 1."""
    y = columns(y)
    mean = average(y, sample_weight)
    variance = average((y - mean) ** 2, sample_weight)
    return mean, np.where(variance > LEAST_SCALE**2, variance, 1.0)


def resolution(column: np.ndarray) -> float:
    """The smallest gap between targets, (n,), half of which repeat; 0 where they do not."""
    values, counts = np.unique(column, return_counts=True)
    repeat = len(values) > 1 and counts[counts > 1].sum() >= 0.5 * len(column)
    return float(np.diff(values).min()) if repeat else 0.0


def scale_of(log_scale: np.ndarray) -> np.ndarray:
    """Scales from their logarithms, held above the least one and below what has no square."""
    return np.exp(np.clip(log_scale, np.log(LEAST_SCALE), MOST_LOG))


def collapsed(scales: np.ndarray) -> np.ndarray:
    """Rows some scale of which is the least one, or far from what the other rows have."""
    bound = np.maximum(LEAST_SCALE * (1 + 1e-9), SPIKE * np.median(scales, axis=0))
    return (scales <= bound).any(axis=1)
