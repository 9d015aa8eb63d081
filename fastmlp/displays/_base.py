"""Axes, colours and words that all displays share."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from fastmlp.distributions import Distribution

BLUE, ORANGE, GREY, INK = "#2a6fb0", "#d9722b", "#8a8f98", "#22262b"
CURVES = (BLUE, ORANGE, "#3a9367", "#8c5aa8", "#b8433f")  # one after the other


class Display:
    """What draws: ``ax_`` and ``figure_`` are there after ``plot``."""

    def _axes(self, ax: Any) -> Any:
        """The axes to draw into, new ones by default."""
        if ax is None:
            try:
                from matplotlib import pyplot
            except ImportError:
                raise ImportError(
                    'Displays need matplotlib: pip install "fastmlp[displays]"'
                ) from None
            _, ax = pyplot.subplots(figsize=(5.2, 4.2), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        ax.spines[["top", "right"]].set_visible(False)
        return ax


def predicted(estimator: Any, X: Any) -> Distribution:
    """What an estimator predicts for rows, as a distribution.

    Raises
    ------
    TypeError
        It has no ``predict_dist``.
    """
    if not hasattr(estimator, "predict_dist"):
        raise TypeError(
            f"{type(estimator).__name__} has no predict_dist(X); use from_predictions with a "
            "distribution of fastmlp.distributions."
        )
    return estimator.predict_dist(X)


def binomial_band(share: np.ndarray, n: Any, level: float = 0.95) -> tuple:
    """Between what an observed share of n rows lies, if the true one is ``share``."""
    half = special.ndtri((1 + level) / 2) * np.sqrt(share * (1 - share) / n)
    return np.clip(share - half, 0, 1), np.clip(share + half, 0, 1)


def note(ax: Any, text: str, x: float = 0.03, y: float = 0.97, va: str = "top") -> Any:
    """A few words within the axes."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2.5}
    return ax.text(
        x, y, text, transform=ax.transAxes, va=va, ha="left", fontsize=9, color=INK, bbox=box
    )
