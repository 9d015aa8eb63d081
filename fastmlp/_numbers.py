"""Numbers and random states that a user gave, checked in one place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, nan
from numbers import Integral, Real
from typing import Any

import numpy as np

from fastmlp._names import shown


def check_real(
    name: str, value: Any, wanted: str, accepts: Callable[[float], bool] = isfinite
) -> float:
    """A number that a float holds and ``accepts`` takes.

    Raises
    ------
    TypeError
        Not a real number (a bool is none).
    ValueError
        Out of range.
    """
    if type(value) is float and accepts(value):
        return value  # as in every epoch, and without the abstract classes' detour
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a real number, {wanted}; got {shown(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = nan
    if not accepts(number):
        raise ValueError(f"{name} must be {wanted}, got {shown(value)}.")
    return number


def finite(value: Any) -> float | None:
    """A finite real number as a float; None for a bool, NaN, an int of 400 digits, a word."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


@dataclass(frozen=True)
class Interval:
    """Finite numbers from low to high; closed: "both", "left", "right" or "neither"."""

    low: float
    high: float
    closed: str

    def __contains__(self, value: Any) -> bool:
        number = finite(value)
        if number is None:
            return False
        above = number >= self.low if self.closed in ("both", "left") else number > self.low
        below = number <= self.high if self.closed in ("both", "right") else number < self.high
        return above and below

    cast = staticmethod(float)

    @property
    def wanted(self) -> str:
        """What a number has to be, in words."""
        return f"in {self}"

    def __str__(self) -> str:
        opening = "[" if self.closed in ("both", "left") else "("
        closing = "]" if self.closed in ("both", "right") else ")"
        return f"{opening}{self.low:g}, {self.high:g}{closing}"


@dataclass(frozen=True)
class Count:
    """Integers from low to high."""

    low: int
    high: int

    cast = staticmethod(int)

    def __contains__(self, value: Any) -> bool:
        return is_integer(value) and self.low <= value <= self.high

    @property
    def wanted(self) -> str:
        """What a number has to be, in words."""
        return f"an integer from {self.low} to {self.high}"


@dataclass(frozen=True)
class Sequence:
    """One to ``most`` finite numbers that ``accepts``, given all of them, takes."""

    most: int
    words: str
    accepts: Callable[[np.ndarray], bool]

    @staticmethod
    def cast(value: Any) -> tuple[float, ...]:
        """As plain numbers, which never change."""
        return tuple(float(entry) for entry in value)

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, str | bytes):
            return False
        try:
            entries = list(value)
        except TypeError:
            return False
        numbers = [finite(entry) for entry in entries]
        if None in numbers or not 1 <= len(numbers) <= self.most:
            return False
        return bool(self.accepts(np.array(numbers)))

    @property
    def wanted(self) -> str:
        """What a sequence has to be, in words."""
        return f"1 to {self.most} {self.words}"


def is_integer(value: Any) -> bool:
    """Whether a value is an integer that is not a bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_strength(value: Any, what: str) -> float:
    """A finite number >= 0."""
    number = finite(value)
    if number is None or number < 0:
        raise ValueError(f"{what} must be a finite number >= 0, got {shown(value)}.")
    return number


def check_positive(name: str, value: Any) -> float:
    """A positive finite number."""
    return check_real(name, value, "positive and finite", lambda v: 0 < v < inf)


def check_integer(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """An integer in a range; without ``most``, what no count reaches is cut to sys.maxsize."""
    if type(value) is int and least <= value <= (sys.maxsize if most is None else most):
        return value
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {shown(value)}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {shown(value)}.")
    if most is not None and value > most:
        raise ValueError(f"{name} must be at most {most}, got {shown(value)}.")
    return int(min(value, sys.maxsize))


def check_flag(name: str, value: Any) -> bool:
    """True or False; text and numbers are neither."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {shown(value)}.")
    return bool(value)


def check_unmasked(name: str, values: Any) -> None:
    """Refuse a masked array that lacks an entry: NumPy's conversions read what lies below masks.

    Raises
    ------
    ValueError
        Some entry is masked.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        rows = np.atleast_1d(np.ma.getmaskarray(values)).reshape(len(np.atleast_1d(values)), -1)
        raise ValueError(
            f"{name} has masked entries, which are missing values; the first is in row "
            f"{int(np.argmax(rows.any(axis=1)))}. Leave these rows out, or fill them in."
        )


def check_random_state(random_state: Any) -> np.random.RandomState | np.random.Generator:
    """What is drawn from; None is NumPy's global one, which numpy.random.seed seeds.

    Raises
    ------
    TypeError
        Neither None nor an integer, a RandomState or a Generator.
    """
    if random_state is None:
        return np.random.mtrand._rand
    if isinstance(random_state, np.random.RandomState | np.random.Generator):
        return random_state
    if is_integer(random_state):
        return np.random.RandomState(int(random_state))
    raise TypeError(
        "random_state must be None, an integer, a RandomState or a Generator, got "
        f"{shown(random_state)}."
    )
