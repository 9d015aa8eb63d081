"""Targets, weights and levels, checked once; the mean over rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._names import shown
from fastmlp.distributions import Distribution
from fastmlp.distributions._parameters import check, numbers


def finite(name: str, value: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Finite numbers, at least one; of a shape, a column counting as one dimension.

    Raises
    ------
    ValueError
        Empty, NaN, infinite, or of another shape.
    TypeError
        No real numbers.
    """
    array = numbers(name, value)
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name} must hold at least one row, got shape {array.shape}.")
    if shape is not None and array.shape != shape:
        if array.size != int(np.prod(shape)) or {array.ndim, len(shape)} != {1, 2}:
            raise ValueError(f"{name} must have shape {shape}, got {array.shape}.")
        if 1 not in (array.shape[-1], shape[-1]):
            raise ValueError(f"{name} must have shape {shape}, got {array.shape}.")
        array = array.reshape(shape)
    check(name, array, ("finite", np.isfinite))
    return array


def judged(y_true: Any, dist: Any) -> np.ndarray:
    """The targets that a distribution is about, in its shape.

    Raises
    ------
    ValueError
        Empty, NaN, infinite, or of another shape.
    TypeError
        No real numbers, or no distribution.
    """
    if not isinstance(dist, Distribution):
        raise TypeError(f"dist must be a distribution of fastmlp.distributions, got {shown(dist)}.")
    if dist.ndim == 0:
        raise ValueError("dist must have rows; dist[None] makes one row of a single distribution.")
    return finite("y_true", y_true, dist.shape)


def row_mean(values: np.ndarray, sample_weight: Any) -> float:
    """The weighted mean over rows (axis 0), and the mean over all that a row has."""
    rows = values.reshape(len(values), -1).mean(axis=1)
    weight = weights(sample_weight, len(rows))
    if weight is None:
        return float(rows.mean())
    counted = weight > 0  # what does not count may be infinite
    return float(rows[counted] @ weight[counted])


def weights(sample_weight: Any, n: int) -> np.ndarray | None:
    """Weights of sum 1, or None.

    Raises
    ------
    ValueError
        Of another shape, negative, not finite, or all zero.
    TypeError
        No real numbers.
    """
    if sample_weight is None:
        return None
    weight = numbers("sample_weight", sample_weight)
    if weight.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},), got {weight.shape}.")
    check("sample_weight", weight, ("finite and not negative", lambda v: (v >= 0) & (v < np.inf)))
    if not weight.any():
        raise ValueError("sample_weight is zero in all rows.")
    scaled = weight / weight.max()  # so that no sum overflows
    return scaled / scaled.sum()


def level_array(name: str, levels: Any, columns: int | None = None) -> np.ndarray:
    """Levels strictly between 0 and 1 in one dimension, increasing.

    Raises
    ------
    ValueError
        Out of range or order, or not as many as there are columns.
    TypeError
        No real numbers.
    """
    array = np.atleast_1d(numbers(name, levels))
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must have one dimension, got shape {array.shape}.")
    check(name, array, ("strictly between 0 and 1", lambda v: (v > 0) & (v < 1)))
    if not (np.diff(array) > 0).all():
        raise ValueError(f"{name} must increase strictly; got {shown(levels)}.")
    if columns is not None and len(array) != columns:
        raise ValueError(f"{name} must be as many as the columns: {columns}, got {len(array)}.")
    return array
