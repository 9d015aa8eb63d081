"""The Python face of activations.def: names, parameters, ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from fastmlp._core.kernels import ACTIVATIONS, activation_values
from fastmlp._names import shown, unknown
from fastmlp._numbers import Interval

# activation: parameter -> (default, interval of its values)
PARAMETERS: dict[str, dict[str, tuple[float, Interval]]] = {
    "leaky_relu": {"eps": (0.01, Interval(0, 1, "both"))},
    "elu": {"alpha": (1.0, Interval(0, inf, "left"))},
}

HIDDEN_NAMES = tuple(name for name in ACTIVATIONS if name != "softmax")
OUTPUT_NAMES = tuple(ACTIVATIONS)


@dataclass(frozen=True)
class Activation:
    """An activation with its parameters.

    Attributes
    ----------
    name : str
        A row of ``activations.def``.
    params : dict of str to float
        ``eps`` of "leaky_relu" (in [0, 1], default 0.01), ``alpha`` of "elu" (>= 0, default 1).
    """

    name: str
    params: Mapping[str, float]

    @property
    def code(self) -> int:
        """The row's number in the C table."""
        return ACTIVATIONS[self.name]["code"]

    @property
    def range(self) -> str:
        """Where its values lie: "REAL", "POSITIVE" or "UNIT"."""
        return ACTIVATIONS[self.name]["range"]

    @property
    def values(self) -> tuple[float, ...]:
        """The parameters in the order of the C table."""
        return tuple(self.params.values())

    @property
    def spec(self) -> Any:
        """What a user would write for it."""
        return (self.name, dict(self.params)) if self.params else self.name


def resolve(spec: Any, known: tuple[str, ...] = HIDDEN_NAMES, what: str = "activation"):
    """An Activation from a name or a pair (name, {parameter: value}).

    Raises
    ------
    TypeError
        The spec is neither.
    ValueError
        An unknown name or parameter, or a value out of its range.
    """
    if isinstance(spec, Activation):
        spec = spec.name, spec.params  # a pickle or a caller may have put anything into it
    name, params = named(spec, known, what)
    return Activation(name, settle(name, params, PARAMETERS.get(name, {}), what))


def resolve_hidden(spec: Any, n_hidden: int) -> list[Activation]:
    """One Activation per hidden layer, from one spec for all or a list with one for each."""
    if not isinstance(spec, list):
        one = resolve(spec)
        return [one] * n_hidden
    if len(spec) != n_hidden:
        raise ValueError(
            f"activation has {len(spec)} entries, the network {n_hidden} hidden layers."
        )
    return [resolve(s) for s in spec]


def slope_of(g: Activation, z: np.ndarray) -> np.ndarray:
    """The derivative of an activation at z, float32 or float64, of shape (n,)."""
    params = np.zeros(2)
    params[: len(g.values)] = g.values
    return activation_values(g.name, params, z)[1]


def named(spec: Any, known: tuple[str, ...], what: str) -> tuple[str, Mapping[str, float]]:
    """Take a spec apart; the name is checked against those known."""
    name, params = spec, {}
    if isinstance(spec, tuple):
        if len(spec) != 2 or not isinstance(spec[1], Mapping):
            raise TypeError(
                f"{what} as a tuple is (name, {{parameter: value}}), got {shown(spec)}."
            )
        name, params = spec
    if not isinstance(name, str):
        raise TypeError(f"{what} is a name or (name, {{parameter: value}}), got {shown(spec)}.")
    if name not in known:
        raise ValueError(unknown(what, name, known))
    return name, params


def settle(name: str, given: Mapping, table: Mapping, what: str) -> dict[str, Any]:
    """Defaults overridden by what is given, every value within its range.

    A default of None stays so: there is none, or other parameters decide.
    """
    foreign = [key for key in given if key not in table]
    if foreign:
        has = ", ".join(table) if table else "none"
        raise ValueError(f"{what} {name!r} has no parameter {shown(foreign[0])}; it has: {has}.")
    settled = {}
    for key, (default, domain) in table.items():
        value = given.get(key, default)
        if value is None and default is None:
            settled[key] = None
        elif value not in domain:
            raise ValueError(
                f"{key} of {what} {name!r} must be {domain.wanted}, got {shown(value)}."
            )
        else:
            settled[key] = domain.cast(value)
    return settled
