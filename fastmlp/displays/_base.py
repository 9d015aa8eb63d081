"""Axes, colours and words that all displays share."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from fastmlp.distributions import Distribution

BLUE, ORANGE, GREY = "#2a6fb0", "#d9722b", "#8a8f98"
# One after the other; eyes that lack one kind of cones tell them apart by lightness.
CURVES = (BLUE, ORANGE, "#66c2a5", "#8c2f6a", "#c9a7e0", "#e0b83f", GREY, "#8a6d3b")
DARK, LIGHT = "#22262b", "#e4e7eb"


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


def rows_like(X: Any, rows: np.ndarray) -> Any:
    """Rows as the user has them: in a frame with the columns of X, if that is one."""
    names = getattr(X, "columns", None)
    return rows if names is None else type(X)(dict(zip(names, rows.T, strict=True)))


def name_of(X: Any, feature: int, otherwise: str) -> str:
    """The name of a column of X, if it has any."""
    names = getattr(X, "columns", None)
    return otherwise if names is None else str(names[feature])


def binomial_band(share: np.ndarray, n: Any, level: float = 0.95) -> tuple:
    """Between what an observed share of n rows lies, if the true one is ``share``."""
    half = special.ndtri((1 + level) / 2) * np.sqrt(share * (1 - share) / n)
    return np.clip(share - half, 0, 1), np.clip(share + half, 0, 1)


def tones(ax: Any) -> tuple[str, Any]:
    """The ink of words and lines, and the paper beneath: dark on light, or light on dark."""
    from matplotlib.colors import to_rgba

    paper = to_rgba(ax.get_facecolor())
    if paper[3] == 0:  # what is behind is seen
        paper = to_rgba(ax.figure.get_facecolor())
    dark = paper[3] > 0 and sum(paper[:3]) < 1.5
    return (LIGHT if dark else DARK), paper


def signed(ax: Any) -> Any:
    """A map of colours from orange, -1, over the paper to blue, 1."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("signed", [ORANGE, tones(ax)[1], BLUE])


def legend(ax: Any, **where: Any) -> None:
    """What the colours are."""
    ink, paper = tones(ax)
    ax.legend(edgecolor="none", framealpha=0.8, facecolor=paper, labelcolor=ink, **where)


def plain_log(axis: Any) -> None:
    """Ticks of a logarithmic axis as 0.2 or 30, not as powers of ten."""
    from matplotlib.ticker import LogFormatter

    class Plain(LogFormatter):
        def __call__(self, x, pos=None):
            return f"{x:g}" if super().__call__(x, pos) else ""

    axis.set_major_formatter(Plain())
    axis.set_minor_formatter(Plain(minor_thresholds=(1.5, 0.5)))


def note(ax: Any, text: str, x: float = 0.03, y: float = 0.97, va: str = "top") -> Any:
    """A few words within the axes."""
    ink, paper = tones(ax)
    box = {"facecolor": paper, "edgecolor": "none", "alpha": 0.8, "pad": 2.5}
    return ax.text(
        x, y, text, transform=ax.transAxes, va=va, ha="left", fontsize=9, color=ink, bbox=box
    )
