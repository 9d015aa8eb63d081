"""The records of fits that go on: columns that grow in place, and the way back from an error.

What a call costs does not depend on the calls before it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastmlp._core.crew import Attempt

# Columns of a run's history that depend on a clock: two equal fits differ in them.
CLOCKED = ("seconds", "threads")
# Fitted attributes that hold columns.
RECORDS = ("history_", "timings_")


def unchanged_on_error(estimator) -> Attempt:
    """A block after which every attribute is as before if anything was raised in it."""
    before = dict(vars(estimator))
    lengths = {name: _lengths(before.get(name)) for name in RECORDS}
    return Attempt(functools.partial(_restore, estimator, before, lengths))


def _lengths(columns):
    return {key: len(column) for key, column in (columns or {}).items()}


def _restore(estimator, before, lengths):
    for name in RECORDS:
        columns = before.get(name) or {}
        for key in list(columns):
            if key in lengths[name]:
                del columns[key][lengths[name][key] :]
            else:
                columns.pop(key, None)
    vars(estimator).update(before)
    for name in set(vars(estimator)).difference(before):
        del vars(estimator)[name]


def split(history: dict[str, list]) -> tuple[dict[str, list], dict[str, list]]:
    """A run's history without, and only, what depends on a clock."""
    parts: tuple[dict, dict] = ({}, {})
    for key, column in history.items():
        parts[key in CLOCKED][key] = column
    return parts


def extended(columns: dict[str, list] | None, new: dict[str, list], old: int, more: int):
    """The columns, to which those of a further run are appended in place; gaps are NaN.

    Parameters
    ----------
    columns : dict of str to list, or None
        Each of length ``old``. None: they are lost, or there are none yet.
    new : dict of str to list
        Each of length ``more``.

    Returns
    -------
    dict of str to list
        Each of length ``old + more``; ``columns`` itself unless it is None.
    """
    columns = {} if columns is None else columns
    for key in {**columns, **new}:
        if key not in columns:
            columns[key] = [np.nan] * old
        columns[key].extend(new.get(key) or [np.nan] * more)
    return columns


def picklable(state: dict[str, Any]) -> dict[str, Any]:
    """An estimator's state with columns of its own, and without readings of a clock.

    Equal fits make equal files; and a copy's history does not grow with the original's.
    """
    state = dict(state)
    if state.get("history_") is None:
        return state
    history = {key: list(column) for key, column in state["history_"].items()}
    curves = {
        "loss_curve_": "loss",
        "validation_scores_": "validation_score",
        "validation_loss_curve_": "validation_loss",
    }
    state["history_"], state["timings_"] = history, None
    for name, key in curves.items():
        if state.get(name) is not None:
            state[name] = history[key]
    return state
