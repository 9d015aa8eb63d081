"""Errors of data that are not numbers yet: which columns, and the lines that make them so."""

from __future__ import annotations

import contextlib
import datetime

import numpy as np
import scipy.sparse as sp

from fastmlp._names import shown
from fastmlp._numbers import check_unmasked

_IMPUTE = """
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    model = make_pipeline(SimpleImputer(), {model}(...))"""

_ENCODE = """
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), [{columns}]), remainder="passthrough"
    )
    model = make_pipeline(encode, {model}(...))"""

# Of an entry of an array of objects.
_DATES = (np.datetime64, np.timedelta64, datetime.date, datetime.time, datetime.timedelta)
_MASKED = (
    """
    X = X.astype(float).filled(np.nan)"""
    + _IMPUTE
)

# Of pandas' columns that are no dates to it, what makes them such.
_TO_DATES = {
    "period": "X[{column}] = pd.PeriodIndex(X[{column}]).to_timestamp()",
    "time": "X[{column}] = pd.to_timedelta(X[{column}].astype(str))",
    "date": "X[{column}] = pd.to_datetime(X[{column}])",
}
_DAYS = {
    "pandas": "X[{column}] = (X[{column}] - X[{column}].min()).dt.total_seconds() / 86400",
    "polars": "X = X.with_columns("
    "(pl.col({column}) - pl.col({column}).min()).dt.total_seconds() / 86400)",
    "": 'X = (X - X.min(axis=0)) / np.timedelta64(1, "D")',
}


@contextlib.contextmanager
def explained(estimator, X, name="X"):
    """Replace scikit-learn's complaint about X by one that names columns and a remedy.

    Other complaints go through as they are. Dates and durations, which scikit-learn takes for their
    counts of days or nanoseconds where all columns share a type, are complained of in any case.
    """
    if isinstance(X, np.ma.MaskedArray) and X.ndim == 2 and np.ma.is_masked(X):
        columns = np.flatnonzero(np.ma.getmaskarray(X).any(axis=0))
        remedy = _MASKED.format(model=type(estimator).__name__)
        raise ValueError(
            f"{name} has masked entries, which are missing values, in {_where(columns)}. Make NaN "
            f"of them, and fill these in:\n{remedy}"
        )
    dates = _dates(X)
    if dates:
        raise TypeError(_of_dates(X, name, dates))
    try:
        with np.errstate(invalid="ignore"):  # scikit-learn adds up columns, of 1e308 to inf - inf
            yield
    except (ValueError, TypeError, OverflowError) as error:
        head = str(error).partition("\n")[0]
        other = any(word in head for word in ("feature", "sample", "Input y"))
        if sp.issparse(X) and "contains" not in head:
            other = True  # its indices may be broken: they are not to be followed
        sentence = None if other else complaint(X, name, type(estimator).__name__)
        if sentence is None:
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(sentence) from None


def check_entries(y, numeric, name="y"):
    """Refuse targets of which some are masked or missing, or text where numbers are meant.

    Numbers that are not finite, and what is no array, are left to scikit-learn's check.
    """
    check_unmasked(name, y)
    if y is None or sp.issparse(y):
        return
    try:
        values = np.asarray(y)
    except ValueError:
        return
    if values.dtype.kind not in "OUST" or values.ndim == 0:
        return
    rows = values.astype(object).reshape(len(values), -1)
    missing = np.array([[_is_missing(value) for value in row] for row in rows], dtype=bool)
    if missing.any():
        where = _list(np.flatnonzero(missing.any(axis=1)))
        raise ValueError(
            f"Input {name} contains NaN: it is missing in row(s) {where}. Leave these rows out."
        )
    if numeric:
        try:
            rows.astype(np.float64)
        except ValueError:
            text = next((value for value in rows.flat if _kind([value]) == "text"), None)
            if text is not None:
                raise ValueError(
                    f"could not convert string to float: {name} has text, {shown(str(text))}, and "
                    "a regressor learns numbers. MLPClassifier learns labels."
                ) from None


def complaint(X, name, model):
    """What is wrong with the columns of X, and what to do; None if it is something else."""
    if type(X).__name__ == "LazyFrame":
        return f"{name} is a LazyFrame, which holds no data yet; pass {name}.collect()."
    if getattr(getattr(X, "dtype", None), "kind", "") == "c":
        return f"Complex data not supported: {name} has dtype {X.dtype}."
    found = {"text": [], "dates": [], "NaN": [], "inf": []}
    for label, column in _columns(X):
        kind = _kind(column)
        if kind == "other":
            return _of_others(name, label, column)
        if kind != "numbers":
            found[kind].append(label)
    if found["text"]:
        also = f" It has missing values in {_list(found['NaN'])}, too." if found["NaN"] else ""
        code = _ENCODE.format(columns=_list(found["text"]), model=model)
        return (
            f"{name} has text in {_where(found['text'])}: could not convert strings to numbers."
            f"{also} Encode them:\n{code}"
        )
    if found["dates"]:
        return _of_dates(X, name, found["dates"])
    if found["NaN"]:
        return (
            f"{name} has missing values (NaN) in {_where(found['NaN'])}. Fill them in:\n"
            + _IMPUTE.format(model=model)
        )
    if found["inf"]:
        return (
            f"{name} contains infinity, or a value too large for its type, in "
            f"{_where(found['inf'])}."
        )
    return None


def _dates(X):
    """Labels of the columns of dates or durations, as far as types tell without a conversion."""
    if isinstance(X, list | tuple) and X and isinstance(X[0], list | tuple | np.ndarray):
        # its first row tells
        X = np.array([list(X[0])], dtype=object)
    if isinstance(X, np.ndarray):
        if X.ndim != 2 or X.dtype.kind not in "mMO":
            return []
        if X.dtype.kind != "O":
            return list(range(X.shape[1]))
        X = X[:1]
        return [j for j in range(X.shape[1]) if len(X) and isinstance(X[0, j], _DATES)]
    if sp.issparse(X) or type(X).__name__ == "LazyFrame" or not hasattr(X, "columns"):
        return []
    return [label for label, column in _columns(X) if _has_type_of_dates(column)]


def _of_dates(X, name, labels):
    frame = hasattr(X, "columns")
    library = type(X).__module__.partition(".")[0] if frame else ""
    code = _DAYS.get(library, _DAYS[""])
    if library == "pandas" and (first := _TO_DATES.get(_class_of_dates(X[labels[0]]))):
        code = f"{first}\n    {code}"
    code = code.format(column=repr(labels[0]))
    return (
        f"{name} has dates or times in {_where(labels)}. Make numbers of them, for "
        f"instance days:\n\n    {code}"
    )


def _class_of_dates(column):
    """Of a pandas column that has no differences of dates: "period", "time" or "date"."""
    value = next((value for value in column if value is not None and value == value), None)
    return type(value).__name__.lower()


def _of_others(name, label, column):
    """What a column holds that is neither a number nor text nor a date."""
    kinds = {type(value) for value in column}
    if any(issubclass(kind, complex | np.complexfloating) for kind in kinds):
        return f"Complex data not supported: {name} has complex numbers in column {label!r}."
    names = sorted({kind.__name__ for kind in kinds if not issubclass(kind, float | type(None))})
    return (
        f"{name} has entries of type {', '.join(names)} in column {label!r}; an entry's argument "
        "must be a number, or a string that holds a number. Encode this column, or leave it out."
    )


def _has_type_of_dates(column):
    dtype = str(getattr(column, "dtype", "")).lower()
    return dtype.startswith(("date", "time", "duration", "period", "<m8", ">m8"))


def _columns(X):
    """Labels and columns of frames, arrays, lists and sparse matrices of two dimensions."""
    if sp.issparse(X):
        X = X.tocsc()
        return [(j, X.data[X.indptr[j] : X.indptr[j + 1]]) for j in range(X.shape[1])]
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        return [(label, X.iloc[:, j]) for j, label in enumerate(X.columns)]
    if type(X).__module__.startswith("polars") and hasattr(X, "columns"):
        return [(label, X[label]) for label in X.columns]
    try:
        X = np.asarray(X)
        X = X if X.dtype.kind != "U" else X.astype(object)
    except (ValueError, TypeError):
        return []
    return list(enumerate(X.T)) if X.ndim == 2 else []


def _kind(column):
    """Of a column: "numbers", "NaN", "inf", "text", "dates" or "other"."""
    if _has_type_of_dates(column):
        return "dates"
    values = np.asarray(column)
    if values.ndim != 1:
        return "other"
    if values.dtype.kind in "mM":
        return "dates"
    if values.dtype.kind in "SUOT":
        values = values.astype(object)
        missing = np.array([_is_missing(value) for value in values], bool)
        present = values[~missing]
        try:
            values = present.astype(np.float64)
        except OverflowError:
            return "inf"
        except (ValueError, TypeError):
            return _kind_of_object(present)
        if missing.any():
            return "NaN"
    if values.dtype.kind not in "biuf":
        return "other"
    if np.isnan(values).any():
        return "NaN"
    return "numbers" if np.isfinite(values).all() else "inf"


def _is_missing(value):
    """Whether an entry is None, NaN, or pandas' NA, which refuses to be compared."""
    if type(value).__name__ in ("NoneType", "NAType", "NaTType"):
        return True
    return np.ndim(value) == 0 and bool(value != value)


def _kind_of_object(values):
    if all(hasattr(value, "isoformat") or hasattr(value, "total_seconds") for value in values):
        return "dates"
    return "text" if any(isinstance(value, str) for value in values) else "other"


def _where(labels):
    return f"column {_list(labels)}" if len(labels) == 1 else f"the columns {_list(labels)}"


def _list(labels):
    labels = [label.item() if isinstance(label, np.generic) else label for label in labels]
    return ", ".join(map(repr, labels[:8])) + (", ..." if len(labels) > 8 else "")
