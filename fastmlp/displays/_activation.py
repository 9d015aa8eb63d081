"""An activation, its slope and its curvature."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._core.kernels import activation_values
from fastmlp.activations import HIDDEN_NAMES, resolve
from fastmlp.displays._base import BLUE, GREY, ORANGE, Display, legend


class ActivationDisplay(Display):
    """The value g(z) of an activation, its slope g'(z) and its curvature g''(z).

    Parameters
    ----------
    activation : str or tuple (name, parameters)
        As ``MLPRegressor(activation=)`` takes it.
    z : array-like of shape (n,), optional
        Where; by default 401 points from -4 to 4.

    Attributes
    ----------
    value, slope, curv : ndarray of shape (n,)
        The numbers, as the kernels compute them.
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn into.
    lines_ : list of matplotlib Line2D
        Of value, slope and curvature.

    Raises
    ------
    ValueError
        An unknown activation, or z of another shape.

    Examples
    --------
    >>> from fastmlp.displays import ActivationDisplay
    >>> display = ActivationDisplay("tanh", [0.0])
    >>> display.value, display.slope
    (array([0.]), array([1.]))
    """

    def __init__(self, activation: Any, z: Any = None) -> None:
        self.activation = resolve(activation, HIDDEN_NAMES, "activation")
        self.z = np.linspace(-4, 4, 401) if z is None else np.array(z, dtype=np.float64)
        if self.z.ndim != 1 or not self.z.size:
            raise ValueError(f"z must have shape (n,), got {self.z.shape}.")
        params = np.zeros(2)
        params[: len(self.activation.values)] = self.activation.values
        self.value, self.slope, self.curv = activation_values(self.activation.name, params, self.z)[
            :3
        ]

    def plot(self, *, ax: Any = None) -> ActivationDisplay:
        """Draw into new axes, or into some.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        ActivationDisplay
            Itself.

        Raises
        ------
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> from fastmlp.displays import ActivationDisplay
        >>> [line.get_label() for line in ActivationDisplay("relu").plot().lines_]
        ['value g(z)', "slope g'(z)", "curvature g''(z)"]
        """
        ax = self._axes(ax)
        ax.axhline(0, color=GREY, lw=0.6)
        ax.axvline(0, color=GREY, lw=0.6)
        drawn = [
            (self.value, "value g(z)", BLUE, "-"),
            (self.slope, "slope g'(z)", ORANGE, "-"),
            (self.curv, "curvature g''(z)", GREY, (0, (4, 2))),
        ]
        self.lines_ = [
            ax.plot(self.z, numbers, color=colour, ls=style, lw=2, label=label)[0]
            for numbers, label, colour, style in drawn
        ]
        name, params = self.activation.name, self.activation.params
        words = ", ".join(f"{key} = {value:g}" for key, value in params.items())
        ax.set(xlabel="z", title=f"{name} ({words})" if words else name)
        legend(ax)
        return self
