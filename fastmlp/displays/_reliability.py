"""Reliability diagrams of classifiers."""

from __future__ import annotations

from typing import Any

from fastmlp import metrics
from fastmlp.displays._base import BLUE, GREY, Display, binomial_band, note, tones


class ReliabilityDisplay(Display):
    """Shares that came about against predicted probabilities: the diagonal, if calibrated.

    The area of a point is that of its share of the rows; its bar holds 95 % of what is seen in
    calibrated bins of so many rows. scikit-learn's ``CalibrationDisplay`` is for two classes and
    shows neither.

    Parameters
    ----------
    curve : Reliability
        What ``fastmlp.metrics.reliability_curve`` returns.
    n : int
        Number of rows behind it.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn into.
    line_ : matplotlib Line2D
        The curve.

    Examples
    --------
    >>> from fastmlp.displays import ReliabilityDisplay
    >>> from fastmlp.metrics import reliability_curve
    >>> curve = reliability_curve([0, 0, 1, 1], [0.1, 0.3, 0.6, 0.8], n_bins=2)
    >>> round(ReliabilityDisplay(curve, n=4).error, 3)
    0.25
    """

    def __init__(self, curve: metrics.Reliability, n: int) -> None:
        self.curve, self.n = curve, n
        self.error = curve.error

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        n_bins: int = 10,
        strategy: str = "uniform",
        ax: Any = None,
    ) -> ReliabilityDisplay:
        """Draw it for a classifier.

        Parameters
        ----------
        estimator : object
            Fitted, with ``predict_proba(X)`` and ``classes_``.
        X, y : array-like
            Rows that it was not fitted to.
        n_bins : int, default=10
            Number of bins.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of equal width, or of equally many rows.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        ReliabilityDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            Shapes differ, or y holds an unknown class.

        Examples
        --------
        >>> from fastmlp.displays import ReliabilityDisplay
        >>> ReliabilityDisplay.from_estimator(model, X_test, y_test)  # doctest: +SKIP
        """
        proba = estimator.predict_proba(X)
        proba = proba[:, 1] if proba.shape[1] == 2 else proba
        return cls.from_predictions(
            y, proba, n_bins=n_bins, strategy=strategy, labels=estimator.classes_, ax=ax
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        proba: Any,
        *,
        n_bins: int = 10,
        strategy: str = "uniform",
        labels: Any = None,
        ax: Any = None,
    ) -> ReliabilityDisplay:
        """Draw it for predicted probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Classes.
        proba : array-like of shape (n,) or (n, n_classes)
            Probabilities of the second of two classes, or of all classes (the most probable is
            judged).
        n_bins : int, default=10
            Number of bins.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of equal width, or of equally many rows.
        labels : array-like of shape (n_classes,), optional
            The classes in the order of the columns; those of ``y_true``, sorted, by default.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        ReliabilityDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            Shapes differ, a probability is out of range, a class is unknown.

        Examples
        --------
        >>> from fastmlp.displays import ReliabilityDisplay
        >>> display = ReliabilityDisplay.from_predictions([0, 1, 1], [0.2, 0.6, 0.9], n_bins=3)
        >>> display.ax_.get_xlabel()
        'predicted probability'
        """
        curve = metrics.reliability_curve(
            y_true, proba, n_bins=n_bins, strategy=strategy, labels=labels
        )
        return cls(curve, len(y_true)).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> ReliabilityDisplay:
        """Draw into new axes, or into some.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        ReliabilityDisplay
            Itself.

        Raises
        ------
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> from fastmlp.displays import ReliabilityDisplay
        >>> from fastmlp.metrics import reliability_curve
        >>> curve = reliability_curve([0, 1, 1], [0.2, 0.6, 0.9], n_bins=3)
        >>> len(ReliabilityDisplay(curve, n=3).plot().line_.get_xdata())
        3
        """
        ax, curve = self._axes(ax), self.curve
        ink, paper = tones(ax)
        ax.plot([0, 1], [0, 1], color=ink, lw=1, ls="--")
        low, high = binomial_band(curve.predicted, curve.weight * self.n)
        ax.vlines(curve.predicted, low, high, color=GREY, alpha=0.45, lw=7)
        (self.line_,) = ax.plot(curve.predicted, curve.observed, color=BLUE, lw=1.5, zorder=3)
        area = 15 + 250 * curve.weight
        ax.scatter(curve.predicted, curve.observed, s=area, color=BLUE, ec=paper, zorder=4)
        ax.set(xlim=(0, 1), ylim=(-0.02, 1.02), aspect="equal")
        ax.set(xlabel="predicted probability", ylabel="share that came about")
        note(ax, f"{self.n} rows; calibration error {self.error:.3f}")
        return self
