"""How often intervals hold, against how often they should."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import metrics
from fastmlp.displays._base import (
    CURVES,
    GREY,
    Display,
    binomial_band,
    legend,
    note,
    predicted,
    tones,
)
from fastmlp.distributions import Distribution


class CoverageDisplay(Display):
    """Observed against nominal coverage of central intervals: the diagonal, if calibrated.

    Below it, predictions are too sure of themselves. The grey band holds 95 % of the points of
    calibrated predictions.

    Parameters
    ----------
    coverages : ndarray of shape (k,)
        Nominal coverages.
    observed : ndarray of shape (k,)
        Observed ones.
    n : int
        Number of rows behind them.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn into.
    line_ : matplotlib Line2D
        The curve.

    Examples
    --------
    >>> from fastmlp.displays import CoverageDisplay
    >>> display = CoverageDisplay([0.5, 0.9], [0.4, 0.85], n=100).plot(name="model")
    >>> display.line_.get_label()
    'model'
    """

    def __init__(self, coverages: Any, observed: Any, n: int) -> None:
        self.coverages, self.observed = np.asarray(coverages), np.asarray(observed)
        self.n = n

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, name: str | None = None, ax: Any = None
    ) -> CoverageDisplay:
        """Draw it for an estimator with ``predict_dist``.

        Parameters
        ----------
        estimator : object
            Fitted, with ``predict_dist(X)``.
        X, y : array-like
            Rows that it was not fitted to.
        name : str, optional
            For the legend; the estimator's class by default.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        CoverageDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        TypeError
            The estimator has no ``predict_dist``.

        Examples
        --------
        >>> from fastmlp.displays import CoverageDisplay
        >>> CoverageDisplay.from_estimator(model, X_test, y_test)  # doctest: +SKIP
        """
        name = type(estimator).__name__ if name is None else name
        return cls.from_predictions(y, predicted(estimator, X), name=name, ax=ax)

    @classmethod
    def from_predictions(
        cls, y_true: Any, dist: Distribution, *, name: str | None = None, ax: Any = None
    ) -> CoverageDisplay:
        """Draw it for predicted distributions.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, n_targets)
            What was observed.
        dist : Distribution
            Predictions, of that shape, of a continuous family.
        name : str, optional
            For the legend.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        CoverageDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            Shapes differ, a target is not finite, or the family is discrete.

        Examples
        --------
        >>> from fastmlp.displays import CoverageDisplay
        >>> from fastmlp.distributions import Normal
        >>> dist = Normal([0.0] * 200, 1.0)
        >>> display = CoverageDisplay.from_predictions(dist.sample(random_state=0)[0], dist)
        >>> display.n
        200
        """
        coverages, observed = metrics.coverage_curve(y_true, dist, np.arange(1, 50) / 50)
        return cls(coverages, observed, np.size(y_true)).plot(name=name, ax=ax)

    def plot(self, *, name: str | None = None, ax: Any = None) -> CoverageDisplay:
        """Draw into new axes, or into some that may hold other curves.

        Parameters
        ----------
        name : str, optional
            For the legend.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        CoverageDisplay
            Itself.

        Raises
        ------
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> from fastmlp.displays import CoverageDisplay
        >>> CoverageDisplay([0.5, 0.9], [0.4, 0.85], n=100).plot().ax_.get_ylabel()
        'observed coverage'
        """
        others = 0 if ax is None else max(len(ax.lines) - 1, 0)  # beside the diagonal
        first = others == 0
        ax = self._axes(ax)
        if first:
            grid = np.linspace(0, 1, 201)
            low, high = binomial_band(grid, self.n)
            ax.fill_between(grid, low, high, color=GREY, alpha=0.25, lw=0)
            ax.plot([0, 1], [0, 1], color=tones(ax)[0], lw=1, ls="--")
            ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
            ax.set(xlabel="nominal coverage", ylabel="observed coverage")
        curve = np.r_[0, self.coverages, 1], np.r_[0, self.observed, 1]
        colour = CURVES[others % len(CURVES)]
        (self.line_,) = ax.plot(*curve, lw=2, label=name, color=colour)
        if name is not None:
            legend(ax, loc="lower right")
        elif first:
            gap = np.abs(self.observed - self.coverages).mean()
            note(ax, f"{self.n} rows; mean gap {gap:.3f}")
        return self
