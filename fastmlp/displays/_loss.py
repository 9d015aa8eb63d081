"""How the loss fell."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.displays._base import CURVES, Display, legend, plain_log


class LossCurveDisplay(Display):
    """Training loss, and the validation loss beside it, against iterations or epochs.

    The training loss is a full line, that of the validation data a dashed one with a point at its
    least value. The scale is logarithmic unless a loss is not positive.

    Parameters
    ----------
    loss : array-like of shape (n_iter,)
        Training loss.
    validation : array-like of shape (n_iter,), optional
        Validation loss.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn into.
    line_, validation_line_ : matplotlib Line2D
        The curves; ``validation_line_`` is None without validation data.

    Examples
    --------
    >>> from fastmlp.displays import LossCurveDisplay
    >>> display = LossCurveDisplay([1.0, 0.3, 0.1], [1.0, 0.4, 0.5]).plot(name="adam")
    >>> display.ax_.get_yscale()
    'log'
    """

    def __init__(self, loss: Any, validation: Any = None) -> None:
        self.loss = np.asarray(loss, dtype=np.float64)
        self.validation = None if validation is None else np.asarray(validation, dtype=np.float64)
        if self.loss.ndim != 1 or not self.loss.size:
            raise ValueError(f"loss must have shape (n_iter,), got {self.loss.shape}.")
        if self.validation is not None and self.validation.shape != self.loss.shape:
            raise ValueError(
                "loss and validation must have the same shape (n_iter,), got "
                f"{self.loss.shape} and {self.validation.shape}."
            )

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, name: str | None = None, ax: Any = None
    ) -> LossCurveDisplay:
        """Draw it for a fitted estimator.

        Parameters
        ----------
        estimator : object
            Fitted, with ``loss_curve_``; where it has a ``validation_loss_curve_``, that is drawn,
            too.
        name : str, optional
            For the legend; the estimator's class by default.
        ax : matplotlib Axes, optional
            What to draw into; it may hold the curves of other models.

        Returns
        -------
        LossCurveDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        TypeError
            The estimator has no ``loss_curve_``.

        Examples
        --------
        >>> from fastmlp.displays import LossCurveDisplay
        >>> display = LossCurveDisplay.from_estimator(model, name="adam")  # doctest: +SKIP
        >>> LossCurveDisplay.from_estimator(other, name="lm", ax=display.ax_)  # doctest: +SKIP
        """
        if not hasattr(estimator, "loss_curve_"):
            raise TypeError(
                f"{type(estimator).__name__} has no loss_curve_: it is not fitted, or has none."
            )
        name = type(estimator).__name__ if name is None else name
        validation = getattr(estimator, "validation_loss_curve_", None)
        return cls(estimator.loss_curve_, validation).plot(name=name, ax=ax)

    def plot(self, *, name: str | None = None, ax: Any = None) -> LossCurveDisplay:
        """Draw into new axes, or into some that may hold other curves.

        Parameters
        ----------
        name : str, optional
            For the legend.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        LossCurveDisplay
            Itself.

        Raises
        ------
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> from fastmlp.displays import LossCurveDisplay
        >>> LossCurveDisplay([1.0, 0.3]).plot().ax_.get_ylabel()
        'loss'
        """
        others = 0 if ax is None else sum(line.get_linestyle() == "-" for line in ax.lines)
        ax = self._axes(ax)
        colour = CURVES[others % len(CURVES)]
        steps = np.arange(1, self.loss.size + 1)
        alone = name is None
        label = "training" if alone else name
        (self.line_,) = ax.plot(steps, self.loss, color=colour, lw=2, label=label)
        self.validation_line_ = None
        if self.validation is not None:
            label = "validation" if alone else f"{name}, validation"
            (self.validation_line_,) = ax.plot(
                steps, self.validation, color=colour, lw=1.5, ls=(0, (4, 2)), label=label
            )
            if np.isfinite(self.validation).any():
                best = int(np.nanargmin(self.validation))
                ax.scatter(
                    steps[best], self.validation[best], s=32, color=colour, zorder=4, clip_on=False
                )
        drawn = [np.asarray(line.get_ydata(), dtype=np.float64) for line in ax.lines]
        ax.set_yscale("log" if all(np.nanmin(values) > 0 for values in drawn) else "linear")
        if ax.get_yscale() == "log":
            plain_log(ax.yaxis)
        longest = max(values.size for values in drawn)
        ax.set(xlabel="iteration", ylabel="loss", xlim=(1, max(longest, 2)))
        ax.grid(alpha=0.25, lw=0.6)
        legend(ax)
        return self
