"""Frames and arrays as columns of numbers and of levels: what each entry means, by its type."""

from __future__ import annotations

import datetime
import decimal
import numbers
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

NUMBERS, DATES, DURATIONS, CATEGORIES, EMPTY = (
    "numbers",
    "dates",
    "durations",
    "categories",
    "empty",
)
DAY = 86400e6  # microseconds
SHOWN = 5  # of rows or columns that a message names


class Column(NamedTuple):
    """A column of a table.

    ``values``, (n,): float64, NaN where missing, days since 1970 (UTC) for dates and days for
    durations; for categories places in ``levels``, an array of str and, for missing ones, None.
    """

    kind: str
    values: np.ndarray
    levels: np.ndarray | None = None


def is_frame(X: Any) -> bool:
    """Whether X has named columns, as pandas' and polars' frames do."""
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def columns_of(X: Any) -> tuple[list, list]:
    """Labels and columns of a frame or of an array of two dimensions.

    Raises
    ------
    ValueError, TypeError
        X is neither, has names that occur twice, or is empty.
    """
    if sp.issparse(X):
        raise TypeError(
            "Sparse data was passed for X, but a table is expected: a frame or a dense array. "
            "MLPRegressor and MLPClassifier take sparse X."
        )
    if type(X).__name__ == "LazyFrame":
        raise TypeError("X is a LazyFrame, which holds no data yet; pass X.collect().")
    if not is_frame(X):
        X = X if hasattr(X, "dtype") else _of_lists(X)
        if isinstance(X, np.ma.MaskedArray):
            X = np.where(np.ma.getmaskarray(X), None, X.data)
        X = check_array(X, dtype=None, ensure_all_finite=False, input_name="X")
        return list(range(X.shape[1])), list(X.T)
    labels = list(X.columns)
    twice = sorted(str(label) for label, times in Counter(labels).items() if times > 1)
    if twice:
        raise ValueError(f"X has columns of the same name: {listed(twice)}. Rename them.")
    if 0 in X.shape:
        what, axis = ("sample", "rows") if X.shape[0] == 0 else ("feature", "columns")
        raise ValueError(
            f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required: X "
            f"has no {axis}."
        )
    if hasattr(X, "iloc"):
        return labels, [column for _, column in X.items()]
    return labels, [X[label] for label in labels]


def _of_lists(X):
    """Lists as an array that keeps text apart from numbers, which NumPy's own would not."""
    try:
        return np.array(X, dtype=object)
    except ValueError:
        return X  # ragged: scikit-learn's check says so


def read(column: Any, label: Any) -> Column:
    """What a column holds, by its type; text, and categories of any type, are categories."""
    if is_categorical(column):
        return _of_codes(column.array.codes, column.array.categories)
    values = _to_numpy(column)
    kind = values.dtype.kind
    if kind in "biuf":
        return Column(NUMBERS, values.astype(np.float64))
    if kind == "M":
        return Column(DATES, _days(values, "datetime64[us]"))
    if kind == "m":
        return Column(DURATIONS, _days(values, "timedelta64[us]"))
    if kind == "c":
        raise ValueError(f"Complex data not supported: column {label!r} of X has complex numbers.")
    found = _of_objects(values.astype(object), label)
    if str(getattr(column, "dtype", "")).startswith(("Categorical", "Enum", "String")):
        return as_levels(found)  # polars, also where nothing is there
    return found


def is_categorical(column: Any) -> bool:
    """Whether a column is one of pandas' categories."""
    return type(getattr(column, "dtype", None)).__name__ == "CategoricalDtype"


def _of_codes(codes, categories):
    """Categories by places in them, -1 where missing; of many of them those that occur."""
    if len(categories) > len(codes):
        used, codes = np.unique(codes, return_inverse=True)
        categories = categories[used[used >= 0]]
        codes = codes - (used[0] < 0)
    return Column(CATEGORIES, codes, np.array([*map(_level, categories), None], dtype=object))


def as_levels(column: Column) -> Column:
    """A column as categories: equal numbers are a level."""
    if column.kind == CATEGORIES:
        return column
    distinct, at = np.unique(column.values, return_inverse=True)
    levels = np.array([None if value != value else _level(value) for value in distinct], object)
    return Column(CATEGORIES, at, levels)


def _to_numpy(column):
    dtype = getattr(column, "dtype", None)
    kind = getattr(dtype, "kind", "")  # of pandas' extension types, too
    if str(dtype) in ("Int128", "UInt128"):
        column = column.cast(float)  # polars; NumPy has none
    if not hasattr(column, "iloc") or isinstance(dtype, np.dtype):
        return column if isinstance(column, np.ndarray) else column.to_numpy()
    if kind in ("b", "i", "u", "f"):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if kind == "M" and not str(dtype).startswith(("date32", "date64")):  # Arrow's days: objects
        column = column.dt.tz_convert("UTC").dt.tz_localize(None) if _has_zone(dtype) else column
        return column.to_numpy(dtype="datetime64[us]", na_value=np.datetime64("NaT"))
    return column.to_numpy(dtype=object)


def _has_zone(dtype):
    arrow = getattr(dtype, "pyarrow_dtype", dtype)
    return getattr(arrow, "tz", None) is not None


def _days(values, unit):
    values = values.astype(unit)
    return np.where(np.isnat(values), np.nan, values.astype(np.int64) / DAY)


def is_missing(value):
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def _kind_of(kind, values, label):
    """What entries of one Python type are."""
    if kind is type(None) or kind.__name__ in ("NAType", "NaTType"):
        return EMPTY
    if issubclass(kind, str | bytes):
        return CATEGORIES
    if issubclass(kind, numbers.Real | decimal.Decimal | np.bool_):
        return NUMBERS
    if issubclass(kind, datetime.date | np.datetime64) or kind.__name__ == "Period":
        return DATES
    if issubclass(kind, datetime.timedelta | np.timedelta64):
        return DURATIONS
    if kind.__name__ == "Interval":  # pandas' bins
        return CATEGORIES
    row = next(row for row, value in enumerate(values) if type(value) is kind)
    raise TypeError(
        f"Column {label!r} of X has a {kind.__name__} in row {row}; an entry's argument must be a "
        "string or a number (or a date, a duration, or missing)."
    )


def _of_objects(values, label):
    """A column by the Python types of its entries; numbers among text are levels, too."""
    kinds = {_kind_of(kind, values, label) for kind in set(map(type, values))} - {EMPTY}
    missing = np.fromiter(map(is_missing, values), bool, len(values))
    if missing.all():
        return Column(EMPTY, np.full(len(values), np.nan))
    if CATEGORIES in kinds and kinds <= {CATEGORIES, NUMBERS}:
        known = {value: place for place, value in enumerate(set(values[~missing]))}
        places = np.full(len(values), -1)
        places[~missing] = [known[value] for value in values[~missing]]
        return Column(CATEGORIES, places, np.array([*map(_level, known), None], dtype=object))
    if len(kinds) > 1:
        raise TypeError(f"Column {label!r} of X mixes {' and '.join(sorted(kinds))}.")
    (kind,) = kinds
    filled = values.copy()
    if kind == NUMBERS:
        filled[missing] = np.nan
        try:
            return Column(kind, filled.astype(np.float64))
        except OverflowError:
            raise ValueError(
                f"Column {label!r} of X has a whole number that is too large for a float."
            ) from None
    unit = "datetime64" if kind == DATES else "timedelta64"
    filled[missing] = None
    if kind == DATES:
        filled[~missing] = [_in_utc(value) for value in filled[~missing]]
    return Column(kind, _days(filled.astype(f"{unit}[us]"), f"{unit}[us]"))


def _in_utc(value):
    if type(value).__name__ == "Period":  # pandas' months or years begin at an instant
        return value.to_timestamp()
    if getattr(value, "tzinfo", None) is None:
        return value
    try:
        return value.astimezone(datetime.UTC).replace(tzinfo=None)
    except OverflowError:  # the first or the last day that Python knows
        return value.replace(tzinfo=None)


def _level(value):
    """The name of a level: numbers that are equal have the same, whatever their types."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, numbers.Real | np.bool_):
        try:
            number = float(value)
        except OverflowError:
            return str(value)
        return str(int(number)) if number.is_integer() else repr(number)
    return str(value)


def listed(items: Any) -> str:
    """Some of the items, for a message."""
    items = [item.item() if isinstance(item, np.generic) else item for item in items]
    return ", ".join(map(repr, items[:SHOWN])) + (", ..." if len(items) > SHOWN else "")
