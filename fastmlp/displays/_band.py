"""Predictive bands along one feature."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.displays._base import BLUE, ORANGE, Display, legend, name_of, predicted, rows_like
from fastmlp.distributions import Distribution
from fastmlp.metrics._checks import finite, level_array


class BandDisplay(Display):
    """Central intervals and the median of predictions along one feature, over the data.

    Parameters
    ----------
    x : ndarray of shape (m,)
        Values of the feature.
    dist : Distribution of shape (m,)
        Predictions there.
    coverages : array-like of shape (k,), default=(0.5, 0.9)
        Increasing coverages of the bands.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn into.
    line_ : matplotlib Line2D
        The median.
    bands_ : list of matplotlib PolyCollection
        The bands, the widest first.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.displays import BandDisplay
    >>> from fastmlp.distributions import Normal
    >>> x = np.linspace(0, 1, 50)
    >>> display = BandDisplay(x, Normal(np.sin(6 * x), 0.1 + x)).plot()
    >>> len(display.bands_)
    2
    """

    def __init__(self, x: Any, dist: Distribution, coverages: Any = (0.5, 0.9)) -> None:
        x = finite("x", x)
        if not isinstance(dist, Distribution) or x.ndim != 1 or dist.shape != x.shape:
            shape = getattr(dist, "shape", None)
            raise ValueError(
                f"x and dist must have the same shape (m,), got {x.shape} and {shape}."
            )
        order = np.argsort(x, kind="stable")
        self.x, self.dist = x[order], dist[order]
        self.coverages = level_array("coverages", coverages)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        feature: int = 0,
        coverages: Any = (0.5, 0.9),
        n_points: int = 300,
        ax: Any = None,
    ) -> BandDisplay:
        """Draw it for an estimator, along one feature, the others at their medians.

        Parameters
        ----------
        estimator : object
            Fitted, with ``predict_dist(X)``.
        X : array-like or frame of shape (n, n_features)
            Rows that say where the features lie; a frame's names label the axes.
        y : array-like of shape (n,), optional
            Their targets, to be drawn as points.
        feature : int, default=0
            The column that is varied.
        coverages : array-like of shape (k,), default=(0.5, 0.9)
            Increasing coverages of the bands.
        n_points : int, default=300
            Points along the feature.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        BandDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        TypeError
            The estimator has no ``predict_dist``.
        ValueError
            X is no finite matrix.

        Examples
        --------
        >>> from fastmlp.displays import BandDisplay
        >>> BandDisplay.from_estimator(model, X_train, y_train)  # doctest: +SKIP
        """
        given, X = X, finite("X", X)
        if X.ndim != 2:
            raise ValueError(f"X must have shape (n, n_features), got {X.shape}.")
        low, high = X[:, feature].min(), X[:, feature].max()
        x = np.linspace(low - 0.05 * (high - low), high + 0.05 * (high - low), n_points)
        rows = np.tile(np.median(X, axis=0), (n_points, 1))
        rows[:, feature] = x
        display = cls(x, predicted(estimator, rows_like(given, rows)), coverages)
        display.plot(x_data=X[:, feature], y_data=y, ax=ax)
        display.ax_.set(xlabel=name_of(given, feature, "x"), ylabel=getattr(y, "name", None) or "y")
        return display

    @classmethod
    def from_predictions(
        cls,
        x: Any,
        dist: Distribution,
        *,
        coverages: Any = (0.5, 0.9),
        x_data: Any = None,
        y_data: Any = None,
        ax: Any = None,
    ) -> BandDisplay:
        """Draw it for predicted distributions.

        Parameters
        ----------
        x : array-like of shape (m,)
            Values of the feature.
        dist : Distribution of shape (m,)
            Predictions there.
        coverages : array-like of shape (k,), default=(0.5, 0.9)
            Increasing coverages of the bands.
        x_data, y_data : array-like of shape (n,), optional
            Points to be drawn.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        BandDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            Shapes differ or coverages are out of range.

        Examples
        --------
        >>> from fastmlp.displays import BandDisplay
        >>> from fastmlp.distributions import Normal
        >>> display = BandDisplay.from_predictions([0.0, 1.0], Normal([0.0, 1.0], 1.0))
        >>> display.line_.get_ydata()
        array([0., 1.])
        """
        return cls(x, dist, coverages).plot(x_data=x_data, y_data=y_data, ax=ax)

    def plot(self, *, x_data: Any = None, y_data: Any = None, ax: Any = None) -> BandDisplay:
        """Draw into new axes, or into some.

        Parameters
        ----------
        x_data, y_data : array-like of shape (n,), optional
            Points to be drawn.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        BandDisplay
            Itself.

        Raises
        ------
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> from fastmlp.displays import BandDisplay
        >>> from fastmlp.distributions import Normal
        >>> BandDisplay([0.0, 1.0], Normal([0.0, 1.0], 1.0), [0.9]).plot().ax_.get_xlabel()
        'x'
        """
        ax = self._axes(ax)
        self.bands_ = []
        shades = np.linspace(0.18, 0.38, len(self.coverages))
        for coverage, alpha in zip(self.coverages[::-1], shades, strict=True):
            low, high = self.dist.interval(coverage)
            label = f"{coverage:.0%} interval"
            self.bands_.append(
                ax.fill_between(self.x, low, high, color=BLUE, alpha=alpha, lw=0, label=label)
            )
        (self.line_,) = ax.plot(self.x, self.dist.median(), color=BLUE, lw=2, label="median")
        if x_data is not None and y_data is not None:
            n = np.size(y_data)
            size, alpha = (14, 0.8) if n <= 500 else (5, 0.35)
            ax.scatter(x_data, y_data, s=size, color=ORANGE, alpha=alpha, lw=0, zorder=3)
        ax.set(xlabel="x", ylabel="y", xlim=(self.x[0], self.x[-1]))
        legend(ax)
        return self
