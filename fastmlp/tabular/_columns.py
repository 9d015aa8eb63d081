"""The columns of a table as numbers that a network can be trained on."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp._memory import GIB, available_memory
from fastmlp._names import check_choice, shown
from fastmlp.tabular import _read
from fastmlp.tabular._encoder import PiecewiseLinearEncoder
from fastmlp.tabular._scaler import SmoothClipScaler

# A column of more levels is worth sparse rows, where these store less than this share of entries.
MOST_DENSE_LEVELS = 8
SPARSE_BELOW = 0.3
COPIES = 3  # of the numbers that ``fit`` holds at a time: columns, a table of them, sorted ones
# Days; a date also says where in each of them it lies.
PERIODS = {"year": 365.2425, "week": 7.0, "day": 1.0}


class Columns(TransformerMixin, BaseEstimator):
    """Numbers, dates, text and categories, with holes, as numbers between -3 and 3.

    - Numbers and booleans: missing ones become the median, and a further column says where they
      were; then :class:`SmoothClipScaler`. With ``numeric="ple"``, :class:`PiecewiseLinearEncoder`
      in place of all this.
    - Dates: days, and sine and cosine of the place in the year, the week and the day; durations:
      days. Both go on as numbers.
    - Categories and text: a column of zeros and ones for each level, one of -1 and 1 where there
      are two. Missing values are a level. Levels that were seen once share one, which levels that
      were not seen belong to as well; where there is no such level, these are zero everywhere.
    - What is the same in all rows is left out.

    Rows are sparse (CSR) where a column has more than eight levels and most entries are zero.

    Parameters
    ----------
    categorical_features : "from_dtype", None or array-like, default="from_dtype"
        Which columns are categories, besides text: those of a categorical dtype; none; those of
        these names or indices, or where a mask is True.
    numeric : {"scale", "ple"}, default="scale"
        What becomes of numbers: one column each, scaled, or up to 16 by piecewise-linear encoding.

    Attributes
    ----------
    columns_ : list
        Names (or indices) of the columns.
    kinds_ : list of str
        What each of them is: "numbers", "dates", "durations" or "categories".
    numbers_ : Pipeline, PiecewiseLinearEncoder or None
        What became of numbers: scikit-learn's ``SimpleImputer``, and ``SmoothClipScaler``; or the
        encoder.
    categories_ : OneHotEncoder or None
        scikit-learn's encoder of the levels.
    origin_ : ndarray of shape (n_features_out,)
        Which column each column of the result comes from.
    n_features_in_ : int
        Columns.
    feature_names_in_ : ndarray of shape (n_columns,)
        Their names, if X had names that are all strings.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastmlp.tabular import Columns
    >>> X = pd.DataFrame({"size": [1.0, None, 3.0], "kind": ["a", "b", "a"]})
    >>> columns = Columns().fit(X)
    >>> columns.get_feature_names_out().tolist()
    ['size', 'size missing', 'kind=a|rare']
    >>> columns.transform(X).shape
    (3, 3)
    """

    columns_: list
    kinds_: list[str]
    numbers_: Any
    categories_: OneHotEncoder | None
    origin_: np.ndarray
    n_features_in_: int

    def __init__(
        self,
        categorical_features: Literal["from_dtype"] | Any = "from_dtype",
        numeric: Literal["scale", "ple"] = "scale",
    ) -> None:
        self.categorical_features = categorical_features
        self.numeric = numeric

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the kinds of the columns, their scales and levels.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_columns)
            pandas', polars' or an array.
        y : None, default=None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Columns share a name, a number is infinite, ``categorical_features`` names a column
            that X has not, or ``numeric`` is neither word.
        TypeError
            A column mixes dates with other things, or has entries of another type.

        Examples
        --------
        >>> from fastmlp.tabular import Columns
        >>> Columns().fit([[1.0, "a"], [2.0, "b"], [3.0, "c"]]).kinds_
        ['numbers', 'categories']
        """
        check_choice("numeric", self.numeric, ("scale", "ple"))
        labels, given = _read.columns_of(X)
        validate_data(self, _like(X, given), skip_check_array=True)
        _check_fits(len(given[0]), len(labels), COPIES * len(labels))
        chosen = self._chosen(labels)
        self.columns_ = labels
        found = []
        for label, column in zip(labels, given, strict=True):
            column_read = _read.read(column, label)
            category = column_read.kind == _read.CATEGORIES
            if category and chosen is not None and label not in chosen:
                column_read = _plain(column, label, column_read)
            elif chosen is not None and label in chosen and not category:
                column_read = _read.as_levels(column_read)
            elif column_read.kind == _read.EMPTY:
                column_read = _read.Column(_read.NUMBERS, column_read.values)
            found.append(column_read)
        self.kinds_ = [column.kind for column in found]
        self._fit_numbers(*self._numbers(found))
        self._fit_categories(self._categories(found))
        self.origin_ = np.concatenate([self._number_origin, self._level_origin])
        if not self.origin_.size:
            self.origin_ = np.zeros(1, dtype=np.intp)  # networks have an input
        return self

    def _chosen(self, labels):
        """The labels that ``categorical_features`` names; None: by type."""
        given = self.categorical_features
        if given is None:
            return set()
        if isinstance(given, str) and given == "from_dtype":
            return None
        if isinstance(given, str | bytes) or not np.iterable(given):
            raise ValueError(
                "categorical_features must be 'from_dtype', None or an array of names, indices or "
                f"booleans, got {shown(given)}."
            )
        given = list(given)
        if given and all(isinstance(entry, bool | np.bool_) for entry in given):
            if len(given) != len(labels):
                raise ValueError(
                    f"categorical_features has {len(given)} booleans, X has {len(labels)} columns."
                )
            return {label for label, is_category in zip(labels, given, strict=True) if is_category}
        known = set(labels)
        if not all(isinstance(entry, Hashable) for entry in given):
            raise ValueError(
                f"categorical_features has {shown(given)}: names or indices are meant."
            )
        chosen = {
            entry if entry in known or not _is_index(entry, labels) else labels[entry]
            for entry in given
        }
        unknown = [entry for entry in given if entry not in known and not _is_index(entry, labels)]
        if unknown:
            raise ValueError(
                f"categorical_features has {_read.listed(unknown)}; the columns of X are "
                f"{_read.listed(labels)}."
            )
        return chosen

    def _numbers(self, columns):
        """Numbers, (n_samples, n_numbers), NaN where missing; their names, and their columns."""
        values, names, origin = [], [], []
        for at, column in enumerate(columns):
            if self.kinds_[at] == _read.CATEGORIES:
                continue
            label = self.columns_[at]
            parts = {str(label): column.values}
            if self.kinds_[at] == _read.DATES:
                parts |= _cycles(label, column.values)
            values += parts.values()
            names += parts
            origin += [at] * len(parts)
        values = np.column_stack(values) if values else None
        origin = np.array(origin, dtype=np.intp)
        if values is not None and np.isinf(values).any():
            first = np.isinf(values).any(axis=0).argmax()
            infinite = np.flatnonzero(np.isinf(values[:, first]))
            raise ValueError(
                f"X contains infinity in column {self.columns_[origin[first]]!r}, row "
                f"{_read.listed(infinite)}. Say what is meant: a missing value (NaN), or a number."
            )
        return values, names, origin

    def _categories(self, columns):
        return [column for column in columns if column.kind == _read.CATEGORIES]

    @np.errstate(over="ignore", invalid="ignore")  # scikit-learn adds up values of any size
    def _fit_numbers(self, numbers, names, origin):
        self.numbers_, self._number_names = None, []
        self._number_origin = np.zeros(0, dtype=np.intp)
        if numbers is None:
            return
        if self.numeric == "ple":
            encoder = self.numbers_ = PiecewiseLinearEncoder().fit(numbers)
            source, names = encoder.origin_, encoder.get_feature_names_out(names)
            is_hole = encoder.holes_[source] & np.r_[source[1:] != source[:-1], True][: len(source)]
            varies = np.ptp(encoder.transform(numbers), axis=0) > 0
        else:
            imputer = SimpleImputer(add_indicator=True, keep_empty_features=True, strategy="median")
            self.numbers_ = make_pipeline(imputer, SmoothClipScaler()).fit(numbers)
            holes = imputer.indicator_.features_
            source = np.concatenate([np.arange(len(origin)), holes])
            names = [*names, *(f"{names[j]} missing" for j in holes)]
            is_hole = np.arange(len(source)) >= len(origin)
            varies = self.numbers_[-1].scale_ > 0
        first = np.r_[True, origin[1:] != origin[:-1]]  # the holes of a date are its days' ones
        self._varies = np.flatnonzero(varies & (first[source] | ~is_hole))
        self._number_names = [names[j] for j in self._varies]
        self._number_origin = origin[source[self._varies]]

    def _fit_categories(self, columns):
        self.categories_, self._level_names = None, []
        self._level_origin = np.zeros(0, dtype=np.intp)
        self._sparse, self._levels = False, []
        if not columns:
            return
        levels = np.column_stack([column.levels[column.values] for column in columns])
        encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2)
        self.categories_ = encoder.fit(levels.astype(object))
        at = [j for j, kind in enumerate(self.kinds_) if kind == _read.CATEGORIES]
        origin = []
        rare = encoder.infrequent_categories_
        for j, seen, few in zip(at, encoder.categories_, rare, strict=True):
            few = [] if few is None else list(few)
            frequent = [level for level in seen if level not in few]
            names = ["missing" if name is None else name for name in frequent]
            names += ["rare"] * bool(few)
            self._levels.append(_Levels.of(len(origin), frequent, few))
            label = self.columns_[j]
            if len(names) == 2:
                self._level_names.append(f"{label}={names[0]}|{names[1]}")
            elif len(names) > 2:
                self._level_names += [f"{label}={name}" for name in names]
            origin += [j] * self._levels[-1].width
        self._level_origin = np.array(origin, dtype=np.intp)
        n_out = len(self._number_origin) + len(origin)
        stored = len(self._number_origin) + len(at)
        most = max(each.width for each in self._levels)
        self._sparse = most > MOST_DENSE_LEVELS and stored < SPARSE_BELOW * n_out

    def transform(self, X: Any) -> np.ndarray | sp.csr_matrix:
        """The columns of X as numbers.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_columns)
            A frame's columns are found by their names, in any order, and others are left aside.

        Returns
        -------
        ndarray or CSR matrix of shape (n_samples, n_features_out)

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X lacks columns, has text where numbers were, or infinity.
        MemoryError
            The result does not fit into memory.

        Examples
        --------
        >>> from fastmlp.tabular import Columns
        >>> Columns().fit([["a"], ["b"], ["a"], ["b"]]).transform([["b"], ["c"]])
        array([[-1.],
               [ 0.]])
        """
        check_is_fitted(self)
        found = self._as_fitted(X)
        n_samples, n_numbers = len(found[0].values), len(self._number_origin)
        n_out = n_numbers + len(self._level_origin)
        if n_out == 0:
            return np.zeros((n_samples, 1))
        categories = [
            (each, column)
            for each, column in zip(self._levels, self._categories(found), strict=True)
            if each.width
        ]
        stored = n_numbers + len(categories) if self._sparse else n_out
        _check_fits(n_samples, n_out, stored * (1 + self._sparse))
        numbers = self._scaled(found) if n_numbers else np.zeros((n_samples, 0))
        if not self._sparse:
            out = np.zeros((n_samples, n_out))
            out[:, :n_numbers] = numbers
            rows = np.arange(n_samples)
            for each, column in categories:
                at, value = each.entries(column)
                out[rows, n_numbers + at] = value
            return out
        entries = [each.entries(column) for each, column in categories]
        at, values = (np.column_stack(each) for each in zip(*entries, strict=True))
        ends = np.arange(n_samples + 1) * len(entries)
        levels = sp.csr_matrix((values.ravel(), at.ravel(), ends), (n_samples, n_out - n_numbers))
        levels.eliminate_zeros()
        return sp.hstack([numbers, levels], format="csr")

    def _scaled(self, found):
        """Numbers as they go on, (n_samples, n_numbers)."""
        numbers, *_ = self._numbers(found)
        if self.numeric == "ple":
            return self.numbers_.transform(numbers)[:, self._varies]
        imputer, scaler = self.numbers_[0], self.numbers_[-1]
        missing = np.isnan(numbers)
        filled = np.where(missing, imputer.statistics_, numbers)
        filled = np.hstack([filled, missing[:, imputer.indicator_.features_]])
        return scaler.scaled(filled)[:, self._varies]

    def _as_fitted(self, X):
        """The columns of X in the order of ``fit``, each of the kind that it was."""
        labels, given = _read.columns_of(X)
        if _read.is_frame(X) and self.columns_ != list(range(self.n_features_in_)):
            lost = [label for label in self.columns_ if label not in labels]
            if lost:
                raise ValueError(
                    f"X lacks columns that were there in fit: {_read.listed(lost)}; it has "
                    f"{_read.listed(labels)}."
                )
            given = dict(zip(labels, given, strict=True))
            given = [given[label] for label in self.columns_]
        else:
            validate_data(self, _like(X, given), reset=False, skip_check_array=True)
        known = zip(self.kinds_, self.columns_, given, strict=True)
        return [_of_kind(kind, column, label) for kind, label, column in known]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of the result.

        Parameters
        ----------
        input_features : None, default=None
            Ignored: the names are those of ``fit``.

        Returns
        -------
        ndarray of str

        Raises
        ------
        NotFittedError
            Before ``fit``.

        Examples
        --------
        >>> from fastmlp.tabular import Columns
        >>> Columns().fit([["a"], ["b"], ["c"], ["a"], ["b"], ["c"]]).get_feature_names_out()
        array(['0=a', '0=b', '0=c'], dtype=object)
        """
        check_is_fitted(self)
        names = [*self._number_names, *self._level_names] or ["constant"]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


class _Levels(NamedTuple):
    """Where each level of a column has its entry: a column of ones, or of -1 and 1 for two levels.

    ``places`` are of levels seen in ``fit``: column, and value. ``other`` is that of all others.
    """

    places: dict
    other: tuple[int, float]
    width: int

    @classmethod
    def of(cls, start, frequent, few):
        """From the first of the column's new ones on; levels of ``few`` share one."""
        n_levels = len(frequent) + bool(few)
        width = {1: 0, 2: 1}.get(n_levels, n_levels)
        if width == 1:
            entries = [(start, 1.0), (start, -1.0)]
        else:
            entries = [(start + k, 1.0) for k in range(n_levels)]
        places = dict(zip(frequent, entries, strict=False))
        places |= dict.fromkeys(few, entries[-1])
        return cls(places, entries[-1] if few else (start, 0.0), width)

    def entries(self, column):
        """Column and value of each row's entry, (n,) each."""
        found = [self.places.get(level, self.other) for level in column.levels]
        at, value = zip(*found, strict=True)
        return np.array(at)[column.values], np.array(value)[column.values]


def _like(X, columns):
    """X if it has names, else an array of its shape, for scikit-learn's checks of these."""
    return X if _read.is_frame(X) else np.empty((len(columns[0]), len(columns)), dtype=bool)


def _is_index(entry, labels):
    return isinstance(entry, int | np.integer) and -len(labels) <= entry < len(labels)


def _plain(column, label, read):
    """A column of a categorical dtype that is not to be one: its values, if they are numbers."""
    if not _read.is_categorical(column):
        return read
    values = _read.read(column.astype(object), label)
    return values if values.kind == _read.NUMBERS else read


def _of_kind(kind, column, label):
    found = _read.read(column, label)
    if kind == _read.CATEGORIES:
        return _read.as_levels(found)
    if found.kind == _read.CATEGORIES:
        found = _plain(column, label, found)
    if found.kind not in (kind, _read.EMPTY):
        raise ValueError(
            f"Column {label!r} of X had {kind} in fit, and has {found.kind} now: could not convert "
            "them."
        )
    return found


def _cycles(label, days):
    """Sine and cosine of where in the year, the week and the day a date lies."""
    parts = {}
    for period, length in PERIODS.items():
        angle = 2 * math.pi / length * days
        parts[f"{label} {period} sin"] = np.sin(angle)
        parts[f"{label} {period} cos"] = np.cos(angle)
    return parts


def _check_fits(n_samples, n_columns, stored):
    """Raise MemoryError where there is no room for so many numbers in each row."""
    size = 8.0 * n_samples * stored
    if size > GIB and size > available_memory():
        raise MemoryError(
            f"The columns of X as numbers, {n_samples} x {n_columns}, take {size / GIB:.3g} GiB; "
            f"{available_memory() / GIB:.3g} GiB are available."
        )
