"""What a classifier decides in the plane of two features, and how sure it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import entr

from fastmlp.displays._base import CURVES, Display, legend, name_of, rows_like, tones
from fastmlp.metrics._checks import finite


class DecisionRegionDisplay(Display):
    """Decision regions: the colour is that of the likely class, paler the less sure it is.

    White is where all classes are equally probable. The line separates the most probable classes.

    Parameters
    ----------
    x0 : array-like of shape (n0,)
        Increasing values of the feature across.
    x1 : array-like of shape (n1,)
        Increasing values of the feature upwards.
    proba : array-like of shape (n1, n0, n_classes)
        Probabilities of the classes on that grid.
    classes : array-like of shape (n_classes,)
        The classes.

    Attributes
    ----------
    certainty : ndarray of shape (n1, n0)
        From 0, all classes equally probable, to 1: one minus the entropy over that of a draw.
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn into.
    image_ : matplotlib AxesImage
        The regions.
    points_ : list of matplotlib PathCollection
        The rows of each class; empty without them.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.displays import DecisionRegionDisplay
    >>> p = np.tile(np.linspace(0, 1, 5), (4, 1))
    >>> display = DecisionRegionDisplay(range(5), range(4), np.stack([1 - p, p], axis=-1), [0, 1])
    >>> display.certainty[0].round(2)
    array([1.  , 0.19, 0.  , 0.19, 1.  ])
    """

    def __init__(self, x0: Any, x1: Any, proba: Any, classes: Any) -> None:
        self.x0, self.x1 = finite("x0", x0), finite("x1", x1)
        self.proba, self.classes = finite("proba", proba), np.asarray(classes)
        shape = (self.x1.size, self.x0.size, self.classes.size)
        if self.proba.shape != shape:
            raise ValueError(
                f"proba must have shape (n1, n0, n_classes) = {shape}, got {self.proba.shape}."
            )
        entropy = entr(np.clip(self.proba, 0, 1)).sum(axis=-1)
        self.certainty = np.clip(1 - entropy / np.log(max(self.classes.size, 2)), 0, 1)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        features: tuple[int, int] = (0, 1),
        n_points: int = 200,
        ax: Any = None,
    ) -> DecisionRegionDisplay:
        """Draw it for a classifier, over two features, the others at their medians.

        Parameters
        ----------
        estimator : object
            Fitted, with ``predict_proba(X)`` and ``classes_``.
        X : array-like or frame of shape (n, n_features)
            Rows that say where the features lie; a frame's names label the axes.
        y : array-like of shape (n,), optional
            Their classes, to be drawn as points.
        features : tuple of two int, default=(0, 1)
            The columns across and upwards.
        n_points : int, default=200
            Points of the grid along each feature.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        DecisionRegionDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        TypeError
            The estimator has no ``predict_proba``.
        ValueError
            X is no finite matrix of two columns or more.

        Examples
        --------
        >>> from fastmlp.displays import DecisionRegionDisplay
        >>> DecisionRegionDisplay.from_estimator(model, X_train, y_train)  # doctest: +SKIP
        """
        given, X = X, finite("X", X)
        if X.ndim != 2 or X.shape[1] < 2:
            raise ValueError(f"X must have shape (n, two features or more), got {X.shape}.")
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(f"{type(estimator).__name__} has no predict_proba(X).")
        pair = X[:, list(features)]
        low, high = pair.min(axis=0), pair.max(axis=0)
        margin = 0.08 * np.where(high > low, high - low, 1.0)
        x0, x1 = np.linspace(low - margin, high + margin, n_points).T
        rows = np.tile(np.median(X, axis=0), (n_points**2, 1))
        across, upwards = np.meshgrid(x0, x1)
        rows[:, features[0]], rows[:, features[1]] = across.ravel(), upwards.ravel()
        proba = np.reshape(
            estimator.predict_proba(rows_like(given, rows)), (n_points, n_points, -1)
        )
        display = cls(x0, x1, proba, estimator.classes_)
        display.plot(*([] if y is None else [pair, y]), ax=ax)
        across, upwards = (name_of(given, k, f"feature {k}") for k in features)
        display.ax_.set(xlabel=across, ylabel=upwards)
        return display

    def plot(self, X: Any = None, y: Any = None, *, ax: Any = None) -> DecisionRegionDisplay:
        """Draw into new axes, or into some.

        Parameters
        ----------
        X : array-like of shape (n, 2), optional
            Rows to be drawn as points: the two features.
        y : array-like of shape (n,), optional
            Their classes.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        DecisionRegionDisplay
            Itself.

        Raises
        ------
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> from fastmlp.displays import DecisionRegionDisplay
        >>> proba = [[[0.9, 0.1], [0.2, 0.8]], [[0.8, 0.2], [0.1, 0.9]]]
        >>> DecisionRegionDisplay([0, 1], [0, 1], proba, ["no", "yes"]).plot().points_
        []
        """
        ax = self._axes(ax)
        from matplotlib.colors import to_rgb

        ink, paper = tones(ax)

        colours = [CURVES[k % len(CURVES)] for k in range(self.classes.size)]
        palette = np.array([to_rgb(colour) for colour in colours])
        mixed = np.clip(self.proba @ palette, 0, 1)
        # The square root keeps the pale part narrow enough to be told from paper.
        shade = 0.6 * np.sqrt(self.certainty)[..., None]
        half0, half1 = (np.ptp(x) / max(x.size - 1, 1) / 2 for x in (self.x0, self.x1))
        extent = (
            self.x0[0] - half0, self.x0[-1] + half0, self.x1[0] - half1, self.x1[-1] + half1
        )  # fmt: skip
        picture = np.array(paper[:3]) * (1 - shade) + shade * mixed
        self.image_ = ax.imshow(picture, origin="lower", extent=extent, aspect="auto", zorder=0)
        if min(self.proba.shape[:2]) > 1:
            for k in range(self.classes.size):
                lead = self.proba[..., k] - np.delete(self.proba, k, axis=-1).max(axis=-1)
                if lead.min() < 0 < lead.max():
                    ax.contour(self.x0, self.x1, lead, [0.0], colors=[ink], linewidths=1.2)
        self.points_ = []
        if X is not None and y is not None:
            X, y = finite("X", X), np.asarray(y)
            size, alpha = (18, 0.9) if len(y) <= 500 else (6, 0.5)
            for k, name in enumerate(self.classes):
                rows = X[y == name]
                style = {"color": colours[k], "ec": ink, "lw": 0.3, "alpha": alpha}
                self.points_.append(
                    ax.scatter(rows[:, 0], rows[:, 1], s=size, label=str(name), zorder=3, **style)
                )
            legend(ax, markerscale=(36 / size) ** 0.5)
        ax.set(xlim=extent[:2], ylim=extent[2:])
        return self
