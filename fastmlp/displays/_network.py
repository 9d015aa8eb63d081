"""A network, drawn with its weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.displays._base import BLUE, GREY, ORANGE, Display, signed, tones


class NetworkDisplay(Display):
    """Units in columns, a line for every weight: blue where it is positive, orange where negative.

    Lines are the thicker the larger the weight, beside the largest one of its layer; a unit's
    colour is its bias in the same manner.

    Parameters
    ----------
    coefs : list of array-like of shape (fan_in, fan_out)
        Weights of the layers, as ``coefs_``.
    intercepts : list of array-like of shape (fan_out,)
        Their biases, as ``intercepts_``.
    feature_names, output_names : sequence of str, optional
        Words beside the inputs and outputs.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn into.
    lines_ : list of matplotlib LineCollection
        The weights of each layer.
    nodes_ : list of matplotlib PathCollection
        The units of each layer, the inputs first.

    Examples
    --------
    >>> from fastmlp import Network
    >>> from fastmlp.displays import NetworkDisplay
    >>> net = Network([2, 3, 1])
    >>> display = NetworkDisplay(*net.unpack(net.init(random_state=0))).plot()
    >>> [len(lines.get_segments()) for lines in display.lines_]
    [6, 3]
    """

    def __init__(
        self, coefs: Any, intercepts: Any, feature_names: Any = None, output_names: Any = None
    ) -> None:
        self.coefs = [np.asarray(W, dtype=np.float64) for W in coefs]
        self.intercepts = [np.asarray(b, dtype=np.float64) for b in intercepts]
        shapes = [W.shape for W in self.coefs]
        chained = [
            len(shape) == 2 and bias.shape == shape[1:] and (before is None or before == shape[0])
            for shape, bias, before in zip(
                shapes,
                self.intercepts,
                [None, *(shape[-1] for shape in shapes)],
                strict=False,
            )
        ]
        if not shapes or len(shapes) != len(self.intercepts) or not all(chained):
            raise ValueError(
                "coefs and intercepts must be those of layers one after the other, got shapes "
                f"{shapes} and {[b.shape for b in self.intercepts]}."
            )
        self.feature_names = self._names("feature_names", feature_names, shapes[0][0])
        self.output_names = self._names("output_names", output_names, shapes[-1][1])

    @staticmethod
    def _names(what, names, n):
        if names is not None and len(names) != n:
            raise ValueError(f"{what} must be {n} words, got {len(names)}.")
        return None if names is None else [str(name) for name in names]

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        feature_names: Any = None,
        output_names: Any = None,
        max_units: int = 16,
        ax: Any = None,
    ) -> NetworkDisplay:
        """Draw it for a fitted estimator.

        Of an estimator that standardizes, the weights of features are those of standardized ones,
        which can be compared.

        Parameters
        ----------
        estimator : object
            Fitted, with ``coefs_`` and ``intercepts_``, as scikit-learn's.
        feature_names, output_names : sequence of str, optional
            Words beside the inputs and outputs; by default the ``feature_names_in_`` and, of
            several classes, the ``classes_`` of the estimator.
        max_units : int, default=16
            Units that are drawn of one layer.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        NetworkDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        TypeError
            The estimator has no ``coefs_``.
        ValueError
            Names are too many or too few.

        Examples
        --------
        >>> from fastmlp.displays import NetworkDisplay
        >>> NetworkDisplay.from_estimator(model, feature_names=["U - V", "V - J"])  # doctest: +SKIP
        """
        if not hasattr(estimator, "coefs_"):
            raise TypeError(
                f"{type(estimator).__name__} has no coefs_: it is not fitted, or no network."
            )
        coefs = list(estimator.coefs_)
        scale = getattr(estimator, "x_scale_", None)
        if scale is not None:
            coefs[0] = coefs[0] * np.asarray(scale)[:, None]
        if feature_names is None:
            feature_names = getattr(estimator, "feature_names_in_", None)
        if output_names is None:
            classes = getattr(estimator, "classes_", ())
            output_names = classes if len(classes) == coefs[-1].shape[1] else None
        display = cls(coefs, estimator.intercepts_, feature_names, output_names)
        return display.plot(max_units=max_units, ax=ax)

    def plot(self, *, max_units: int = 16, ax: Any = None) -> NetworkDisplay:
        """Draw into new axes, or into some.

        Parameters
        ----------
        max_units : int, default=16
            Units that are drawn of one layer: the first half of so many and the last ones, with
            dots between.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        NetworkDisplay
            Itself.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        ValueError
            ``max_units`` is less than 2.

        Examples
        --------
        >>> from fastmlp.displays import NetworkDisplay
        >>> display = NetworkDisplay([[[1.0], [-2.0]]], [[0.5]]).plot()
        >>> [round(float(width), 1) for width in display.lines_[0].get_linewidths()]
        [2.1, 3.8]
        """
        if max_units < 2:
            raise ValueError(f"max_units must be at least 2, got {max_units}.")
        ax = self._axes(ax)
        from matplotlib.collections import LineCollection

        ink, paper = tones(ax)
        widths = [len(self.coefs[0]), *(W.shape[1] for W in self.coefs)]
        shown = [chosen(n, max_units) for n in widths]
        places = [heights(units.size, widths[l] > units.size) for l, units in enumerate(shown)]
        room = min(1.0, 8 / max(len(at) for at in places))
        area = 260 * room
        self.lines_, self.nodes_ = [], []
        for l, W in enumerate(self.coefs):
            part = W[np.ix_(shown[l], shown[l + 1])]
            strength = part.ravel() / max(np.abs(W).max(), np.finfo(float).tiny)
            ends = [((l, a), (l + 1, b)) for a in places[l] for b in places[l + 1]]
            lines = LineCollection(
                ends,
                colors=[BLUE if s > 0 else ORANGE for s in strength],
                linewidths=0.4 + 3.4 * room * np.abs(strength),
                alpha=room * (0.15 + 0.75 * np.abs(strength)),
                zorder=1,
            )
            self.lines_.append(ax.add_collection(lines))
        for l, at in enumerate(places):
            fill = [paper] * len(at)
            if l > 0:
                bias = self.intercepts[l - 1]
                most = max(np.abs(bias).max(), np.finfo(float).tiny)
                fill = signed(ax)(0.5 + bias[shown[l]] / most / 2)
            self.nodes_.append(
                ax.scatter([l] * len(at), at, s=area, c=fill, ec=ink, lw=1.2, zorder=3)
            )
            if widths[l] > len(at):
                ax.text(l, 0, "⋮", ha="center", va="center", color=ink, fontsize=15, zorder=4)
            where = {"ha": "center", "va": "top", "color": GREY, "fontsize": 9}
            ax.annotate(str(widths[l]), (l, 0), (0, -6), ("data", "axes fraction"), **where,
                        textcoords="offset points")  # fmt: skip
        self._words(ax, shown, places)
        tallest = max(np.abs(at).max() for at in places) + 0.7
        ax.set(xlim=(-0.45, len(self.coefs) + 0.45), ylim=(-tallest, tallest))
        ax.set_axis_off()
        return self

    def _words(self, ax, shown, places):
        """Names to the left of the inputs and to the right of the outputs."""
        sides = ((0, self.feature_names, -13, "right"), (-1, self.output_names, 13, "left"))
        for l, names, shift, side in sides:
            if names is None:
                continue
            column = 0 if l == 0 else len(self.coefs)
            for unit, at in zip(shown[l], places[l], strict=True):
                ax.annotate(
                    names[unit], (column, at), (shift, 0), textcoords="offset points",
                    ha=side, va="center", color=tones(ax)[0], fontsize=10, annotation_clip=False,
                )  # fmt: skip


def chosen(n: int, most: int) -> np.ndarray:
    """Which of n units are drawn: all, or the first and last ones."""
    if n <= most:
        return np.arange(n)
    first = most // 2
    return np.r_[:first, n - (most - first) : n]


def heights(n: int, gap: bool) -> np.ndarray:
    """Where n units of a layer stand, the first on top; with a gap if some are left out."""
    at = (n - 1) / 2 - np.arange(n)
    return at + np.where(at > 0, 0.5, -0.5) if gap else at
