"""What one epoch is told: its fields, checked before the native loop reads them."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from operator import attrgetter, is_
from typing import Any

import numpy as np

from fastmlp._core.kernels import UPDATES
from fastmlp._names import shown, unknown
from fastmlp._numbers import check_integer, check_real
from fastmlp.data import check_rows_index

MOST = 2**62  # of what the native loop counts
# field: words for its range, the range
NUMBERS = {
    "momentum": ("from 0 to 1", lambda v: 0 <= v <= 1),
    "beta_1": ("at least 0 and below 1", lambda v: 0 <= v < 1),
    "beta_2": ("at least 0 and below 1", lambda v: 0 <= v < 1),
    "epsilon": ("at least 0 and finite", lambda v: 0 <= v < inf),
    "weight_decay": ("at least 0 and finite", lambda v: 0 <= v < inf),
    "max_norm": ("positive", lambda v: v > 0),
}


FIELDS = ("update", "batch_size", "rates", "rate_factors", *NUMBERS)
_told = attrgetter(*FIELDS)


def check_fields(given: Any, what: str, fields: Iterable[str]) -> None:
    """Raise TypeError unless an object has all of these attributes."""
    missing = [field for field in fields if not hasattr(given, field)]
    if missing:
        raise TypeError(f"{what} must have {', '.join(missing)}; {shown(given)} has not.")


def check_hyper(hyper: Any, n_samples: int, n_segments: int, known: tuple | None = None) -> tuple:
    """Raise unless ``hyper`` is what ``NetworkObjective.epoch`` takes for so many samples.

    Returns its fields, of which a later call need not check the same objects again, as ``known``.
    """
    try:
        told = _told(hyper)
    except AttributeError:
        check_fields(hyper, "hyper", FIELDS)
        raise
    if known is None or not all(map(is_, told, known)):
        if not isinstance(hyper.update, str):
            raise TypeError(f"hyper.update must be a name, got {shown(hyper.update)}.")
        if hyper.update not in UPDATES:
            raise ValueError(unknown("update", hyper.update, UPDATES))
        check_integer("hyper.batch_size", hyper.batch_size, 1, MOST)
        for name, (wanted, accepts) in NUMBERS.items():
            check_real(f"hyper.{name}", getattr(hyper, name), wanted, accepts)
    n_batches = -(-n_samples // hyper.batch_size)
    _check_numbers(hyper.rates, "rates", n_batches, "learning rate per batch")
    if hyper.rate_factors is not None:
        _check_numbers(hyper.rate_factors, "rate_factors", n_segments, "factor per segment")
        if not ((hyper.rate_factors >= 0) & (hyper.rate_factors < inf)).all():
            raise ValueError(
                f"hyper.rate_factors must be finite and >= 0, got {hyper.rate_factors}."
            )
    return told


def _check_numbers(rates: Any, what: str, n: int, meaning: str) -> None:
    shape = (n,)
    fits = (
        isinstance(rates, np.ndarray)
        and rates.shape == shape
        and rates.dtype == np.float64
        and rates.flags.c_contiguous
        and rates.flags.aligned
        and rates.dtype.isnative
    )
    if not fits:
        raise ValueError(
            f"hyper.{what} must be a contiguous float64 array of shape {shape}, one {meaning}; got "
            f"{shown(rates)}."
        )


def check_epoch(
    objective: Any, theta: Any, state: Any, order: Any, hyper: Any, known: tuple | None
) -> tuple[np.ndarray, tuple]:
    """The order of an epoch, checked; raise unless all is what ``NetworkObjective.epoch`` takes.

    known: see :func:`check_hyper`, whose answer is returned, too.
    """
    order = check_rows_index(order, objective.n_samples, "order")
    if order is None:
        raise TypeError("order must be an array of integers, got None.")
    told = check_hyper(hyper, order.size, len(objective.segments), known)
    check_fields(state, "state", ("first", "second", "t"))
    check_integer("state.t", state.t, 0, MOST)
    arrays = {"theta": theta, "state.first": state.first, "state.second": state.second}
    if state.second is None and UPDATES[hyper.update]["n_moments"] < 2:
        del arrays["state.second"]
    for what, array in arrays.items():
        _check_in_place(array, what, objective.n_params, objective.dtype)
    return order, told


def _check_in_place(array: Any, what: str, n_params: int, dtype: np.dtype) -> None:
    fits = (
        isinstance(array, np.ndarray)
        and array.shape == (n_params,)
        and array.dtype == dtype
        and array.flags.carray
    )
    if not fits:
        raise ValueError(
            f"{what} must be a writeable, aligned, contiguous array of shape ({n_params},) and "
            f"dtype {dtype}, changed in place."
        )
