"""Points that a user brings: a table in text, or drawn with the mouse."""

from __future__ import annotations

import csv
import math
from typing import Any

import numpy as np

from fastmlp._names import shown
from fastmlp.playground._problems import REACH
from fastmlp.playground._settings import SettingsError

MOST_ROWS, MOST_TEXT = 5000, 1_000_000
FILL = 5.0  # coordinates are brought to -FILL .. FILL


def read_table(text: Any, problem: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Points from text with a row each: coordinates first, the target last.

    Parameters
    ----------
    text : str
        Separated by commas, semicolons, tabs or spaces; a first row of names is left out.
    problem : {"classification", "regression", "curve"}
        Two coordinates, of a curve one; two classes by any names, or numbers.

    Returns
    -------
    X, y : ndarray
        Coordinates brought to the page's square, (n, 1 or 2); targets, (n,).
    note : str
        How they were scaled, in a sentence.

    Raises
    ------
    SettingsError
        The row that cannot be read, and why.
    """
    if not isinstance(text, str):
        raise SettingsError(f"A table is text; got {shown(text)}.")
    if len(text) > MOST_TEXT:
        raise SettingsError(
            f"The table has {len(text):,} characters; up to {MOST_TEXT:,} can be read."
        )
    n_coordinates = 1 if problem == "curve" else 2
    rows = _rows(text)
    if rows and not _is_number(rows[0][1][0]):
        rows = rows[1:]
    if len(rows) > MOST_ROWS:
        raise SettingsError(f"The table has {len(rows):,} rows; up to {MOST_ROWS:,} can be shown.")
    if len(rows) < 2:
        raise SettingsError(f"The table has {len(rows)} rows of data; two at least make a task.")
    for number, row in rows:
        if len(row) != n_coordinates + 1:
            raise SettingsError(
                f"Row {number} has {len(row)} columns; {problem} needs {n_coordinates} "
                f"coordinate{'s' * (n_coordinates > 1)} and a target."
            )
    X = np.array([[_number(v, number) for v in row[:-1]] for number, row in rows])
    targets = [row[-1] for _, row in rows]
    if problem == "classification":
        y, note = _classes(targets)
    else:
        y = np.array([_number(v, number) for (number, _), v in zip(rows, targets, strict=True)])
        y, low, high = _fitted(y[:, None], 1.0)
        y, note = y[:, 0], f"the target from {low[0]:g} .. {high[0]:g} to -1 .. 1"
    X, low, high = _fitted(X, FILL)
    names = ", ".join(
        f"x{j + 1} from {a:g} .. {b:g}" for j, (a, b) in enumerate(zip(low, high, strict=True))
    )
    return X, y, f"{len(X)} points; {names} to -{FILL:g} .. {FILL:g}; {note}."


def drawn_points(given: Any, problem: str) -> tuple[np.ndarray, np.ndarray]:
    """Points drawn on the page, in its own units: a list of [x1, x2, target], of curves [x, y].

    Raises
    ------
    SettingsError
        They are no such list, or out of the square.
    """
    width = 2 if problem == "curve" else 3
    try:
        points = np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != width or not np.isfinite(points).all():
        raise SettingsError(f"Drawn points are rows of {width} numbers.")
    if not 2 <= len(points) <= MOST_ROWS or np.abs(points).max() > 2 * REACH:
        raise SettingsError(f"From 2 to {MOST_ROWS} points within the square can be drawn.")
    y = points[:, -1]
    if problem == "classification" and not np.isin(y, (-1, 1)).all():
        raise SettingsError("The class of a drawn point is -1 or 1.")
    return points[:, :-1], y


def _rows(text: str) -> list[tuple[int, list[str]]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = next((mark for mark in (",", ";", "\t") if mark in first), None)
    lines = list(enumerate(text.splitlines(), start=1))
    filled = [(number, line) for number, line in lines if line.strip()]
    if separator is None:
        return [(number, line.split()) for number, line in filled]
    try:
        cells = csv.reader((line for _, line in filled), delimiter=separator)
        parsed = [[cell.strip() for cell in row] for row in cells]
    except csv.Error as problem:
        raise SettingsError(f"The table cannot be read: {problem}.") from None
    return [(number, row) for (number, _), row in zip(filled, parsed, strict=False) if row]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _number(text: str, row: int) -> float:
    if not _is_number(text):
        raise SettingsError(f"Row {row} holds {shown(text[:40])} where a number is expected.")
    return float(text)


def _classes(targets: list[str]) -> tuple[np.ndarray, str]:
    names = sorted(set(targets), key=lambda v: (float(v), v) if _is_number(v) else (math.inf, v))
    if len(names) != 2:
        some = ", ".join(shown(name[:20]) for name in names[:5])
        raise SettingsError(f"Classification needs two classes; the last column has {some}.")
    y = np.where(np.array(targets) == names[1], 1.0, -1.0)
    return y, f"class {names[0][:20]} is orange, {names[1][:20]} is blue"


def _fitted(columns: np.ndarray, reach: float):
    low, high = columns.min(axis=0), columns.max(axis=0)
    with np.errstate(over="ignore"):
        half = np.where(high > low, high / 2 - low / 2, 1.0)
    return (columns / half - (high / 2 + low / 2) / half) * reach, low, high
