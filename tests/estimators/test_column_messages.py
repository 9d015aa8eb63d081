"""Errors of data that are not numbers yet name the columns, and the lines that help."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.compose import make_column_transformer  # noqa: F401
from sklearn.impute import SimpleImputer  # noqa: F401
from sklearn.pipeline import make_pipeline  # noqa: F401
from sklearn.utils.fixes import parse_version

from fastmlp import (
    BayesianMLPClassifier,
    BayesianMLPRegressor,
    MLPClassifier,
    MLPRegressor,
    Network,
    TabularMLPRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# scikit-learn reads the names of polars' columns since 1.9.
READS_NAMES = parse_version(sklearn.__version__) >= parse_version("1.9")


@pytest.fixture
def columns():
    days = pd.date_range("2024-01-01", periods=30)
    return {
        "age": np.arange(30.0),
        "city": ["Ulm", "Bonn", "Kiel"] * 10,
        "when": days,
        "income": np.where(np.arange(30) % 7 == 3, np.nan, 1.0),
    }


def frames(columns, *names):
    columns = {name: columns[name] for name in names}
    yield pd.DataFrame(columns)
    yield pl.DataFrame({name: pl.Series(np.array(column)) for name, column in columns.items()})


def complaint(X, y=None, kind=MLPRegressor):
    with pytest.raises((ValueError, TypeError)) as error:
        kind(max_iter=2).fit(X, np.arange(30) % 2 if y is None else y)
    text = str(error.value)
    assert len(text) < 600 and len(text.splitlines()) < 12
    assert "HistGradientBoosting" not in text
    return text


def remedied(text, X, **names):
    """A model made by the lines of the message learns."""
    names = {"MLPRegressor": MLPRegressor, "X": X, "np": np, "pl": pl} | names
    code = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    exec(code.replace("(...)", "(max_iter=2)"), names)
    model = names.get("model", MLPRegressor(max_iter=2))
    return model.fit(names["X"], np.arange(30) % 2)


def test_missing_values(columns):
    for X in frames(columns, "age", "income"):
        text = complaint(X)
        assert text.startswith("X has missing values (NaN) in column 'income'.")
        remedied(text, X)
    array = np.c_[columns["age"], columns["income"], columns["income"]]
    for X in (array, array.tolist(), sp.csr_matrix(array)):
        assert "the columns 1, 2." in complaint(X)
    assert "MLPClassifier" in complaint(array, kind=MLPClassifier)
    nullable = pd.DataFrame({"a": pd.array([1, None] * 15, dtype="Int64")})
    assert "column 'a'" in complaint(nullable)


def test_categories(columns):
    for X in frames(columns, "age", "city"):
        text = complaint(X)
        assert text.startswith("X has text in column 'city':")
        if READS_NAMES or isinstance(X, pd.DataFrame):
            remedied(text, X)
    X = pd.DataFrame({"age": columns["age"], "city": columns["city"]})
    for dtype in ("category", "string"):
        assert "column 'city'" in complaint(X.astype({"city": dtype}))
    text = complaint(X.to_numpy())
    assert "column 1:" in text
    remedied(text, X.to_numpy())
    assert "column 1:" in complaint(X.to_numpy().tolist())
    assert "missing values in 'income'" in complaint(
        pd.DataFrame({name: columns[name] for name in ("city", "income")})
    )


def test_dates(columns):
    X = pd.DataFrame({name: columns[name] for name in ("age", "when")})
    text = complaint(X)
    assert text.startswith("X has dates or times in column 'when'.")
    remedied(text, X)


def one_type(kind):
    """Columns of one type, which scikit-learn would take for numbers."""
    values = {
        "dates": np.arange(30).astype("M8[D]"),
        "moments": np.arange(30).astype("M8[ms]"),
        "durations": np.arange(30).astype("m8[ms]"),
    }[kind]
    yield values[:, None], "column 0"
    yield pl.DataFrame({"n": pl.Series(values)}), "column 'n'"
    frame = pl.DataFrame({"age": np.arange(30.0), "n": pl.Series(values)})
    yield frame, "column 'n'"
    nano = values.astype(values.dtype.str[:3] + "[ns]")
    yield pd.DataFrame({"n": nano}), "column 'n'"


@pytest.mark.parametrize("kind", ["dates", "moments", "durations"])
def test_dates_that_scikit_learn_would_take_for_numbers(kind):
    for X, where in one_type(kind):
        text = complaint(X)
        assert text.startswith(f"X has dates or times in {where}.")
        numbers = np.zeros((30, X.shape[1]))
        if hasattr(X, "columns"):
            numbers = pd.DataFrame(numbers, columns=list(X.columns))
        fitted = MLPRegressor(max_iter=2).fit(numbers, np.arange(30) % 2)
        with pytest.raises(TypeError, match="X has dates or times"):
            fitted.predict(X)
        with pytest.raises(TypeError, match="X_val has dates or times"):
            fitted.fit(numbers, np.arange(30) % 2, X_val=X, y_val=np.zeros(30))
        remedied(text, X)


def test_dates_among_objects():
    durations = np.arange(30).astype("m8[s]")
    rows = [[1.0, duration] for duration in durations]
    for X in (rows, np.array(rows, dtype=object), [tuple(row) for row in rows]):
        assert complaint(X).startswith("X has dates or times in column 1.")
    assert "column 0" in complaint([[duration] for duration in durations])
    zone = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=30, tz="UTC")})
    assert "column 'when'" in complaint(zone)


@pytest.mark.parametrize("kind", ["period", "date", "time"])
def test_dates_that_pandas_does_not_subtract(kind):
    days = pd.date_range("2024-01-01", periods=30, freq="h" if kind == "time" else "D")
    column = {
        "period": days.to_period("D"),
        "date": [day.date() for day in days],
        "time": [day.time() for day in days],
    }[kind]
    X = pd.DataFrame({"when": column})
    text = complaint(X)
    assert text.startswith("X has dates or times in column 'when'.")
    remedied(text, X, pd=pd)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (pd.interval_range(0, 30), "entries of type Interval in column 'odd'"),
        ([[1, 2]] * 30, "entries of type list in column 'odd'"),
        ([{}] * 30, "entries of type dict in column 'odd'"),
        ([b"x"] * 30, "entries of type bytes in column 'odd'"),
        ([1j, 2.0] * 15, "complex numbers in column 'odd'"),
        (pd.Series([10**400] * 30, dtype=object), "too large for its type, in column 'odd'"),
    ],
)
def test_entries_that_are_no_numbers(columns, entries, said):
    assert said in complaint(pd.DataFrame({"age": columns["age"], "odd": entries}))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_lists_in_a_column_of_polars(columns):
    X = pl.DataFrame({"age": columns["age"], "odd": [[1, 2]] * 30})
    assert "entries of type" in complaint(X)


def test_masked_entries_are_missing(columns):
    X, y = np.c_[columns["age"], columns["age"]], np.arange(30.0)
    gap = np.ma.masked_array(X, mask=np.arange(60).reshape(30, 2) == 7)
    text = complaint(gap)
    assert text.startswith("X has masked entries, which are missing values, in column 1.")
    remedied(text, gap)
    MLPRegressor(max_iter=2).fit(np.ma.masked_array(X), y).predict(np.ma.masked_array(X))
    with pytest.raises(ValueError, match="X has masked entries"):
        MLPRegressor(max_iter=2).fit(X, y).predict(gap)
    predictor = MLPRegressor(max_iter=2).fit(X, y).compile()
    for rows, row in ((gap, 3), (gap[3], 0)):
        with pytest.raises(ValueError, match=f"x has masked entries.* row {row}"):
            predictor.predict(rows)
    np.testing.assert_array_equal(
        predictor.predict(np.ma.masked_array(X[0])), predictor.predict(X[0])
    )
    part = np.ma.masked_array(y, mask=y == 5)
    with pytest.raises(ValueError, match=r"y has masked entries.* row 5"):
        MLPRegressor(max_iter=2).fit(X, part)
    with pytest.raises(ValueError, match=r"sample_weight has masked entries.* row 5"):
        MLPRegressor(max_iter=2).fit(X, y, sample_weight=part)
    net = Network([2, 3, 1])
    for args in ((gap, y), (X, part), (X, y, part)):
        with pytest.raises(ValueError, match="has masked entries"):
            net.value(net.init(0), *args)


@pytest.mark.parametrize(
    ("kind", "y", "said"),
    [
        (MLPClassifier, [None, *"ab" * 14, "a"], "y contains NaN.* row.* 0"),
        (MLPClassifier, pd.array([*"ab" * 14, "a", None]), r"y contains NaN.* row.* 29"),
        (BayesianMLPClassifier, [*"ab" * 14, "a", None], r"y contains NaN.* row.* 29"),
        (MLPRegressor, [*"ab" * 15], "y has text, 'a', and.* MLPClassifier learns labels"),
        (BayesianMLPRegressor, np.array([*"ab" * 15]), "y has text, 'a'"),
        (TabularMLPRegressor, np.array([*"ab" * 15]), "y must be numbers; TabularMLPClassifier"),
    ],
)
def test_targets_that_are_missing_or_text(kind, y, said):
    X = np.linspace(0, 1, 30)[:, None]
    with pytest.raises(ValueError, match=said):
        kind().fit(X, y)
    if kind is MLPRegressor:
        MLPRegressor(max_iter=2).fit(X, list(map(str, range(30))))  # text of numbers is numbers
        with pytest.raises(ValueError, match="y_val has text"):
            MLPRegressor(max_iter=2).fit(X, X[:, 0], X_val=X, y_val=y)


def test_infinity(columns):
    text = complaint(pd.DataFrame({"age": columns["age"], "ratio": [np.inf] * 30}))
    assert "contains infinity, or a value too large for its type, in column 'ratio'." in text


# of releases of scikit-learn that look at its types
@pytest.mark.filterwarnings("ignore::polars.exceptions.PerformanceWarning")
def test_a_lazy_frame(columns):
    X = pl.LazyFrame({"age": columns["age"]})
    assert complaint(X) == "X is a LazyFrame, which holds no data yet; pass X.collect()."


def test_predict_and_validation_data(columns):
    X = columns["age"].reshape(-1, 1)
    y = np.arange(30) % 2
    fitted = MLPRegressor(max_iter=2).fit(X, y)
    bad = np.where(X == 3, np.nan, X)
    with pytest.raises(ValueError, match=r"X has missing values \(NaN\) in column 0"):
        fitted.predict(bad)
    with pytest.raises(ValueError, match=r"X_val has missing values \(NaN\) in column 0"):
        fitted.fit(X, y, X_val=bad, y_val=y)


def test_other_complaints_are_scikit_learns(columns):
    X = columns["age"].reshape(-1, 1)
    assert "inconsistent" in complaint(X, np.zeros(29))
    assert "Expected 2D array" in complaint(columns["age"])
    assert "Complex data" in complaint(X + 1j)
    assert "Input y contains NaN" in complaint(X, columns["income"])
