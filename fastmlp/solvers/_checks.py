"""What an objective and a validation answer, checked in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._names import shown


def real_array(what: str, array: Any, shape: tuple[int, ...], copy: bool = False) -> np.ndarray:
    """An answer of the objective as a C-contiguous float64 array of this shape; or a copy of it.

    Raises
    ------
    TypeError
        It holds no real numbers.
    ValueError
        It is of another shape.
    """
    try:
        array = np.asarray(array)
    except ValueError:  # rows of different lengths
        raise TypeError(f"{what} must be an array of shape {shape}, got {shown(array)}.") from None
    if array.dtype.kind not in "fiub":
        array = _converted(what, array)
    if array.shape != shape:
        raise ValueError(f"{what} must have shape {shape}; got an array of shape {array.shape}.")
    return (np.array if copy else np.asarray)(array, dtype=np.float64, order="C")


def _converted(what, array):
    """Objects that are numbers after all, as float64."""
    if array.dtype.kind == "c":
        raise TypeError(f"{what} must be real; it is complex ({array.dtype}).")
    try:
        if array.dtype.kind != "O":
            raise TypeError
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            f"{what} must be an array of real numbers, got {shown(array)} of dtype {array.dtype}."
        ) from None


def real_number(what: str, value: Any) -> float:
    """An answer that should be a number; a single entry of an array is one."""
    if type(value) is float:
        return value
    array = np.asarray(value)
    if array.dtype.kind == "c":
        raise TypeError(f"{what} must be a real number; it is complex: {shown(value)}.")
    if array.size != 1 or array.dtype.kind not in "fiubO":
        raise TypeError(f"{what} must be a real number, got {shown(value)}.")
    try:
        return float(array.reshape(())[()])
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{what} must be a real number, got {shown(value)}.") from None


def value_and_grad(answer: Any, theta: np.ndarray) -> tuple[float, np.ndarray]:
    """What ``value_grad(theta)`` returned: the loss, and a float64 copy of the gradient.

    A copy, since the objective may write its next gradient into the same buffer.
    """
    loss, grad = pair(answer, "value_grad(theta) must return (loss, gradient)")
    grad = real_array("The gradient of value_grad(theta)", grad, theta.shape, copy=True)
    return real_number("The loss of value_grad(theta)", loss), grad


def pair(answer: Any, rule: str) -> tuple[Any, Any]:
    """Two things; ``rule`` says which, and starts the error."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise TypeError(f"{rule}, a pair; got {shown(answer)}.")
    return answer[0], answer[1]


def validated(validation: Callable, theta: np.ndarray) -> tuple[float, float]:
    """Score and loss by a user's ``validation``."""
    score, loss = pair(validation(theta), "validation(theta) must return (score, loss)")
    return real_number("The score of validation", score), real_number("Its loss", loss)
