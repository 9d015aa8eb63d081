"""Sizes that users pass, reckoned in Python's integers before C sees them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._names import shown
from fastmlp._numbers import is_integer

# BLAS counts rows, columns and the distance between rows in 32 bits.
MOST_FOR_BLAS = 2**31 - 1
# 8 bytes each, with room to add a few such sizes up.
MOST_PARAMS = 2**59 - 1
MOST_LAYERS = 2**20


def integers(value: Any) -> list[int] | None:
    """The integers of a list, tuple, range or 1-D array; None for anything else."""
    if isinstance(value, np.ndarray):
        fits = value.ndim == 1
    else:
        fits = isinstance(value, (list, tuple, range))
    if not fits or len(value) > MOST_LAYERS or not all(is_integer(entry) for entry in value):
        return None
    return [int(entry) for entry in value]


def check_widths(layers: Any) -> tuple[int, ...]:
    """The widths of a network's layers: n_features, hidden ones, n_targets.

    Raises
    ------
    ValueError
        They are not at least two positive integers, or make more than memory is counted in.
    """
    widths = integers(layers)
    if widths is None or len(widths) < 2 or min(widths) < 1:
        raise ValueError(
            "layers must be at least two positive integers, [n_features, hidden..., n_targets]; "
            f"got {shown(layers)}."
        )
    check_sizes(widths)
    return tuple(widths)


def check_sizes(widths: list[int]) -> None:
    """Whether widths of layers, and what is reckoned from them, can be sizes in memory.

    Raises
    ------
    ValueError
        A width, or the number of parameters that they make, is beyond what memory is counted in.
    """
    if max(widths) > MOST_FOR_BLAS:
        raise ValueError(
            f"layers must be at most {MOST_FOR_BLAS} units wide, got {shown(max(widths))}."
        )
    n_params = sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))
    if n_params > MOST_PARAMS:
        raise ValueError(
            f"layers {shown(widths)} make {n_params} parameters, more than any memory holds "
            f"({MOST_PARAMS} at most)."
        )
