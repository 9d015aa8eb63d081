"""The histogram of probability integral transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import metrics
from fastmlp._numbers import check_integer
from fastmlp.displays._base import BLUE, GREY, Display, binomial_band, note, predicted, tones
from fastmlp.distributions import Distribution


class PITDisplay(Display):
    """The histogram of F(y): flat for calibrated predictions.

    A hill says that predictions are too wide, a bowl that they are too narrow, a slope that they
    are biased. The grey band holds 95 % of the bars of calibrated predictions.

    Parameters
    ----------
    pit : ndarray of shape (n,)
        Transforms, as ``fastmlp.metrics.pit`` returns them.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn into.
    bars_ : matplotlib BarContainer
        The bars.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.displays import PITDisplay
    >>> display = PITDisplay(np.random.default_rng(0).random(500)).plot(n_bins=10)
    >>> len(display.bars_)
    10
    """

    def __init__(self, pit: Any) -> None:
        self.pit = np.asarray(pit, dtype=np.float64).ravel()
        self.tests = metrics.pit_tests(self.pit)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        n_bins: int = 20,
        random_state: Any = None,
        ax: Any = None,
    ) -> PITDisplay:
        """Draw it for an estimator with ``predict_dist``.

        Parameters
        ----------
        estimator : object
            Fitted, with ``predict_dist(X)``.
        X, y : array-like
            Rows that it was not fitted to.
        n_bins : int, default=20
            Number of bars.
        random_state : None, int, Generator or RandomState, default=None
            Where randomness comes from, for discrete families.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        PITDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        TypeError
            The estimator has no ``predict_dist``.

        Examples
        --------
        >>> from fastmlp.displays import PITDisplay
        >>> PITDisplay.from_estimator(model, X_test, y_test)  # doctest: +SKIP
        """
        dist = predicted(estimator, X)
        return cls.from_predictions(y, dist, n_bins=n_bins, random_state=random_state, ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        dist: Distribution,
        *,
        n_bins: int = 20,
        random_state: Any = None,
        ax: Any = None,
    ) -> PITDisplay:
        """Draw it for predicted distributions.

        Parameters
        ----------
        y_true : array-like of shape (n,) or (n, n_targets)
            What was observed.
        dist : Distribution
            Predictions, of that shape.
        n_bins : int, default=20
            Number of bars.
        random_state : None, int, Generator or RandomState, default=None
            Where randomness comes from, for discrete families.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        PITDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            Shapes differ or a target is not finite.

        Examples
        --------
        >>> from fastmlp.displays import PITDisplay
        >>> from fastmlp.distributions import Normal
        >>> dist = Normal([0.0] * 200, 1.0)
        >>> display = PITDisplay.from_predictions(dist.sample(random_state=0)[0], dist)
        >>> display.pit.shape
        (200,)
        """
        return cls(metrics.pit(y_true, dist, random_state=random_state)).plot(n_bins=n_bins, ax=ax)

    def plot(self, *, n_bins: int = 20, ax: Any = None) -> PITDisplay:
        """Draw into new axes, or into some.

        Parameters
        ----------
        n_bins : int, default=20
            Number of bars.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        PITDisplay
            Itself.

        Raises
        ------
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> from fastmlp.displays import PITDisplay
        >>> PITDisplay([0.2, 0.4, 0.8]).plot(n_bins=2).ax_.get_xlabel()
        'F(y)'
        """
        n_bins = check_integer("n_bins", n_bins)
        ax = self._axes(ax)
        ink, paper = tones(ax)
        counts, edges = np.histogram(self.pit, bins=n_bins, range=(0, 1))
        low, high = binomial_band(np.float64(1 / n_bins), len(self.pit))
        ax.axhspan(low * n_bins, high * n_bins, color=GREY, alpha=0.25, lw=0, zorder=2.5)
        ax.axhline(1, color=ink, lw=1, ls="--", zorder=2.6)
        heights = counts / len(self.pit) * n_bins
        self.bars_ = ax.bar(
            edges[:-1], heights, 1 / n_bins, align="edge", color=BLUE, edgecolor=paper, lw=0.8
        )
        test = self.tests["ad"]
        ax.set(xlim=(0, 1), xlabel="F(y)", ylabel="density")
        ax.set_ylim(0, 1.25 * max(heights.max(), high * n_bins))
        value = f"= {test.pvalue:.2g}" if test.pvalue >= 1e-4 else "< 0.0001"
        note(ax, f"{len(self.pit)} rows; Anderson-Darling p {value}")
        return self
