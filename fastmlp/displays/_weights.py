"""The first layer's weights as images: what each unit looks for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastmlp.displays._base import GREY, Display, signed


class WeightsDisplay(Display):
    """The weights of each unit of the first layer, laid out as the image that they weigh.

    Blue is positive, orange negative; zero has the colour of the paper. All units share one scale,
    so that those that look for nothing are pale.

    Parameters
    ----------
    weights : array-like of shape (n_features, n_units)
        As ``coefs_[0]``.
    shape : tuple of int, optional
        Rows and columns of the image, (rows, cols), whose pixels are the features in this order; a
        square by default.
    n_units : int, default=24
        How many units to show at most: those with the longest weights.

    Attributes
    ----------
    shown_ : ndarray of int
        The units that are drawn, in their places.
    image_ : matplotlib AxesImage
        All of them, in one picture.
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn into.

    Raises
    ------
    ValueError
        The features are not as many as the pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.displays import WeightsDisplay
    >>> WeightsDisplay(np.ones((12, 5)), shape=(3, 4)).plot().shown_
    array([0, 1, 2, 3, 4])
    """

    def __init__(self, weights: Any, shape: tuple[int, int] | None = None, n_units: int = 24):
        self.weights = np.asarray(weights, dtype=np.float64)
        if self.weights.ndim != 2 or not self.weights.size:
            raise ValueError(
                f"weights must have shape (n_features, n_units), got {self.weights.shape}."
            )
        n_features = self.weights.shape[0]
        side = math.isqrt(n_features)
        if shape is None and side * side != n_features:
            raise ValueError(f"{n_features} features make no square image; say shape=(rows, cols).")
        self.shape = (side, side) if shape is None else tuple(shape)
        if len(self.shape) != 2 or self.shape[0] * self.shape[1] != n_features:
            raise ValueError(f"An image of shape {self.shape} has not {n_features} pixels.")
        if n_units < 1:
            raise ValueError(f"n_units must be at least 1, got {n_units}.")
        self.n_units = n_units

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        shape: tuple[int, int] | None = None,
        n_units: int = 24,
        ax: Any = None,
    ) -> WeightsDisplay:
        """Draw it for a fitted estimator.

        Parameters
        ----------
        estimator : object
            Fitted, with ``coefs_``; where it standardises, the weights are those of standardised
            pixels.
        shape, n_units
            As for the class.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        WeightsDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        TypeError
            The estimator has no ``coefs_``.

        Examples
        --------
        >>> from fastmlp.displays import WeightsDisplay
        >>> WeightsDisplay.from_estimator(model, shape=(28, 28))  # doctest: +SKIP
        """
        if not hasattr(estimator, "coefs_"):
            raise TypeError(f"{type(estimator).__name__} has no coefs_: it is not fitted.")
        weights = np.asarray(estimator.coefs_[0], dtype=np.float64)
        scale = getattr(estimator, "x_scale_", None)
        if scale is not None:
            weights = weights * np.asarray(scale)[:, None]
        return cls(weights, shape, n_units).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> WeightsDisplay:
        """Draw into new axes, or into some.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        WeightsDisplay
            Itself.

        Raises
        ------
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp.displays import WeightsDisplay
        >>> WeightsDisplay(np.eye(4)).plot().image_.get_array().shape
        (5, 5)
        """
        ax = self._axes(ax)
        total = self.weights.shape[1]
        length = np.linalg.norm(self.weights, axis=0)
        longest = np.argsort(-np.nan_to_num(length), kind="stable")[: self.n_units]
        self.shown_ = np.sort(longest)
        n, (h, w) = len(self.shown_), self.shape
        across = math.ceil(math.sqrt(n * h / w))
        down = -(-n // across)
        board = np.full((down * (h + 1) - 1, across * (w + 1) - 1), np.nan)
        for place, unit in enumerate(self.shown_):
            top, left = (place // across) * (h + 1), (place % across) * (w + 1)
            board[top : top + h, left : left + w] = self.weights[:, unit].reshape(h, w)
        most = np.nanmax(np.abs(board), initial=0) or 1.0
        colours = signed(ax).with_extremes(bad=GREY + "73")  # 45 %
        scale = {"cmap": colours, "vmin": -most, "vmax": most}
        self.image_ = ax.imshow(np.ma.masked_invalid(board), interpolation="nearest", **scale)
        self.figure_.colorbar(self.image_, ax=ax, label="weight", shrink=0.85)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        if n < total:
            ax.set_xlabel(f"{n} of {total} units")
        return self
