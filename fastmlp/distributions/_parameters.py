"""Parameters of distributions and what is asked of them, checked once, with the row named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._names import shown
from fastmlp._numbers import check_random_state, check_unmasked

Rule = tuple[str, Callable[[np.ndarray], np.ndarray]]

REAL: Rule = ("finite", np.isfinite)
POSITIVE: Rule = ("positive and finite", lambda v: (v > 0) & (v < np.inf))
PROBABILITY: Rule = ("from 0 to 1", lambda v: (v >= 0) & (v <= 1))
LEVEL: Rule = ("strictly between 0 and 1", lambda v: (v > 0) & (v < 1))


def numbers(name: str, value: Any) -> np.ndarray:
    """An array of float64.

    Raises
    ------
    TypeError
        Not numbers, or complex ones.
    ValueError
        Some are masked.
    """
    check_unmasked(name, value)
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError
        return array.astype(np.float64, copy=False)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of real numbers, got {shown(value)}.") from None


def check(name: str, array: np.ndarray, rule: Rule) -> None:
    """Raise ValueError where an array breaks a rule, naming the first place."""
    wanted, holds = rule
    good = holds(array)
    if not good.all():
        raise ValueError(f"{name} must be {wanted}; {first(array, ~good)}.")


def first(array: np.ndarray, wrong: np.ndarray) -> str:
    """Words for the first entry that is wrong."""
    if array.ndim == 0:
        return f"got {array[()]}"
    at = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    return f"row {at[0]} has {array[at]}"


def simplex(name: str, array: np.ndarray) -> np.ndarray:
    """Probabilities that sum to 1 along the last axis, rounding of float32 removed.

    Raises
    ------
    ValueError
        An entry is negative or not finite; a sum is further than 1e-4 from 1.
    """
    if not np.min(array, initial=0) >= 0 or np.max(array, initial=0) == np.inf:  # or NaN
        check(name, array, ("finite and not negative", lambda v: (v >= 0) & (v < np.inf)))
    total = array.sum(axis=-1, keepdims=True)
    off = np.abs(total - 1) > 1e-4
    if off.any():
        raise ValueError(f"{name} must sum to 1 in each row; {first(total[..., 0], off[..., 0])}.")
    return array / total


def event(name: str, value: Any, least: int) -> np.ndarray:
    """Numbers with a last axis of at least some length.

    Raises
    ------
    ValueError
        No such axis, or too short.
    """
    array = numbers(name, value)
    if array.ndim == 0 or array.shape[-1] < least:
        raise ValueError(
            f"{name} needs a last axis of at least {least} entries, got shape {array.shape}."
        )
    return array


def generator(random_state: Any) -> np.random.Generator:
    """A Generator; the stream of a RandomState goes on in it.

    Raises
    ------
    TypeError
        Neither None nor an integer, a RandomState or a Generator.
    """
    rng = check_random_state(random_state)
    return rng if isinstance(rng, np.random.Generator) else np.random.Generator(rng._bit_generator)
