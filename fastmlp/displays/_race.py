"""Solvers against each other: the loss by iterations and by seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.displays._base import CURVES, Display, legend, plain_log


class SolverRaceDisplay(Display):
    """The loss of several runs from a common start, against iterations and against seconds.

    Parameters
    ----------
    losses : mapping of str to array-like of shape (n_iter,)
        The loss curve of each run, by the name for the legend.
    seconds : mapping of str to array-like of shape (n_iter,)
        When each iteration ended, counted from the start of the run.

    Attributes
    ----------
    axes_ : tuple of matplotlib Axes
        Against iterations, against seconds.
    ax_, figure_ : matplotlib Axes and Figure
        The first of them, and what both are in.

    Raises
    ------
    ValueError
        No run; curves and seconds that do not belong together.

    Examples
    --------
    >>> from fastmlp.displays import SolverRaceDisplay
    >>> display = SolverRaceDisplay({"lm": [1.0, 0.1]}, {"lm": [0.001, 0.002]}).plot()
    >>> [ax.get_xlabel() for ax in display.axes_]
    ['iterations or epochs', 'seconds']
    """

    def __init__(self, losses: Mapping[str, Any], seconds: Mapping[str, Any]) -> None:
        self.losses = {name: np.asarray(v, dtype=np.float64) for name, v in losses.items()}
        self.seconds = {name: np.asarray(v, dtype=np.float64) for name, v in seconds.items()}
        if not self.losses or set(self.losses) != set(self.seconds):
            raise ValueError(
                "losses and seconds must be of the same runs, one at least; got "
                f"{list(self.losses)} and {list(self.seconds)}."
            )
        for name, curve in self.losses.items():
            if curve.ndim != 1 or not curve.size or self.seconds[name].shape != curve.shape:
                raise ValueError(
                    f"Losses and seconds of {name!r} must have the same shape (n_iter,), got "
                    f"{curve.shape} and {self.seconds[name].shape}."
                )

    @classmethod
    def from_runs(cls, runs: Mapping[str, Any]) -> SolverRaceDisplay:
        """Draw it for fitted estimators, or results of ``minimize``.

        Parameters
        ----------
        runs : mapping of str to estimator or Result
            By the name for the legend. Estimators keep their seconds until they are pickled.

        Returns
        -------
        SolverRaceDisplay
            With ``axes_`` and ``figure_``.

        Raises
        ------
        TypeError
            One of them is neither fitted nor a result, or has lost its seconds.

        Examples
        --------
        >>> from fastmlp.displays import SolverRaceDisplay
        >>> from fastmlp.solvers import minimize
        >>> def bowl(theta):
        ...     return float(theta @ theta), 2 * theta
        >>> runs = {name: minimize(bowl, [3.0, 1.0], solver=name) for name in ("gd", "lbfgs")}
        >>> sorted(SolverRaceDisplay.from_runs(runs).losses)
        ['gd', 'lbfgs']
        """
        losses, seconds = {}, {}
        for name, run in runs.items():
            history = getattr(run, "history_", None) or getattr(run, "history", None)
            times = getattr(run, "timings_", None) or history
            if not isinstance(history, dict) or "loss" not in history or "seconds" not in times:
                raise TypeError(
                    f"{name!r} must be a fitted estimator with its timings_, or a result of "
                    f"minimize; got {type(run).__name__}."
                )
            losses[name], seconds[name] = history["loss"], times["seconds"]
        return cls(losses, seconds).plot()

    def plot(self, *, axes: Any = None) -> SolverRaceDisplay:
        """Draw into a new figure, or into two axes.

        Parameters
        ----------
        axes : pair of matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        SolverRaceDisplay
            Itself.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        ValueError
            Not two axes.

        Examples
        --------
        >>> from fastmlp.displays import SolverRaceDisplay
        >>> SolverRaceDisplay({"lm": [1.0]}, {"lm": [0.1]}).plot().ax_.get_ylabel()
        'loss'
        """
        if axes is None:
            first = self._axes(None)
            figure = first.figure
            figure.set_size_inches(8.4, 3.8)
            first.remove()
            axes = figure.subplots(1, 2, sharey=True)
        if len(axes) != 2:
            raise ValueError(f"axes must be two, got {len(axes)}.")
        self.axes_ = tuple(self._axes(ax) for ax in axes)
        self.ax_ = self.axes_[0]
        finite = np.concatenate([v[np.isfinite(v)] for v in self.losses.values()])
        scale = "log" if finite.size and finite.min() > 0 else "linear"
        for k, (name, curve) in enumerate(self.losses.items()):
            colour = CURVES[k % len(CURVES)]
            steps = np.arange(1, curve.size + 1)
            for ax, x in zip(self.axes_, (steps, self.seconds[name]), strict=True):
                ax.plot(x, curve, color=colour, lw=2, label=name)
                ax.plot(x[-1:], curve[-1:], "o", color=colour, ms=5, clip_on=False)
        for ax, label in zip(self.axes_, ("iterations or epochs", "seconds"), strict=True):
            ax.set(xlabel=label, yscale=scale, xscale="log")
            plain_log(ax.xaxis)
            ax.grid(alpha=0.25, lw=0.6)
        self.axes_[0].set_ylabel("loss")
        if scale == "log":
            plain_log(self.axes_[0].yaxis)
        legend(self.axes_[1], loc="upper left", bbox_to_anchor=(1, 1))
        return self
