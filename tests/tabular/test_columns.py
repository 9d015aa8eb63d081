"""The columns of tables: frames of three libraries, holes, levels, dates, and what is refused."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp.tabular import Columns, ColumnScaler, PiecewiseLinearEncoder, SmoothClipScaler

N = 40
RNG = np.random.default_rng(0)


def table():
    """A column of every kind, each with holes in the rows 3 and 7."""
    days = pd.date_range("2020-01-01", periods=N, freq="31h")
    columns = {
        "number": RNG.normal(size=N),
        "count": pd.array(RNG.integers(0, 9, N), dtype="Int64"),
        "flag": pd.array(RNG.random(N) < 0.5, dtype="boolean"),
        "day": days,
        "wait": days - days[0],
        "word": pd.array(RNG.choice(["x", "y", "z"], N), dtype="string"),
        "level": pd.Categorical(RNG.choice(["lo", "hi"], N)),
        "object": RNG.choice(np.array(["p", "q", 7], dtype=object), N),
    }
    frame = pd.DataFrame(columns)
    for name in frame:
        frame.loc[[3, 7], name] = None
    return frame


KINDS = dict(
    number="numbers",
    count="numbers",
    flag="numbers",
    day="dates",
    wait="durations",
    word="categories",
    level="categories",
    object="categories",
)


def test_kinds_and_origin():
    X = table()
    columns = Columns().fit(X)
    assert dict(zip(columns.columns_, columns.kinds_, strict=True)) == KINDS
    Z = columns.transform(X)
    assert Z.shape == (N, len(columns.origin_)) == (N, len(columns.get_feature_names_out()))
    assert np.isfinite(Z).all() and abs(Z).max() <= 3 and (Z.std(axis=0) > 0).all()
    for name, origin in zip(columns.get_feature_names_out(), columns.origin_, strict=True):
        assert name.startswith(columns.columns_[origin])
    missing = [name for name in columns.get_feature_names_out() if name.endswith("missing")]
    assert [name.removesuffix("missing").rstrip(" =") for name in missing] == list(KINDS)


@pytest.mark.parametrize("library", ["polars", "pyarrow", "object array"])
def test_the_same_from_other_libraries(library):
    X = table().drop(columns="object")
    wanted = Columns().fit(X)
    if library == "polars":
        other = pl.from_pandas(X)
    elif library == "pyarrow":
        other = X.convert_dtypes(dtype_backend="pyarrow")
    else:
        other = X.astype(object).to_numpy()
    columns = Columns().fit(other)
    assert columns.kinds_ == wanted.kinds_
    np.testing.assert_allclose(columns.transform(other), wanted.transform(X), atol=1e-9)
    if library != "object array":  # fitted on one, asked by another
        np.testing.assert_allclose(wanted.transform(other), wanted.transform(X), atol=1e-9)


def test_time_zones_are_one_time():
    when = pd.date_range("2024-01-01", periods=9, freq="7h", tz="Asia/Tokyo")
    plain = pd.DataFrame({"t": when.tz_convert("UTC").tz_localize(None)})
    zoned = pd.DataFrame({"t": when})
    wanted = Columns().fit_transform(plain)
    np.testing.assert_array_equal(Columns().fit_transform(zoned), wanted)
    arrow = zoned.convert_dtypes(dtype_backend="pyarrow")
    np.testing.assert_array_equal(Columns().fit_transform(arrow), wanted)
    objects = np.array([[value.to_pydatetime()] for value in when], dtype=object)
    np.testing.assert_array_equal(Columns().fit_transform(objects), wanted)


def test_columns_by_name_in_any_order_and_others_left_aside():
    X = table()
    columns = Columns().fit(X)
    wanted = columns.transform(X)
    turned = X[X.columns[::-1]].assign(more=1)
    np.testing.assert_array_equal(columns.transform(turned), wanted)
    text = turned["object"].map(lambda value: None if value is None else str(value))
    other = pl.from_pandas(turned.assign(object=text))
    np.testing.assert_array_equal(columns.transform(other), wanted)
    with pytest.raises(ValueError, match="lacks columns.*'day', 'level'"):
        columns.transform(X.drop(columns=["level", "day"]))


def test_levels_unseen_missing_rare_and_two():
    X = np.array([["a"], ["a"], ["b"], ["b"], ["c"], ["c"]], dtype=object)
    columns = Columns().fit(X)
    np.testing.assert_array_equal(
        columns.transform(np.array([["c"], ["new"], [None]], dtype=object)),
        [[0, 0, 1], [0, 0, 0], [0, 0, 0]],
    )
    rare = Columns().fit(np.vstack([X, [["once"]], [["twin"]]]))
    assert rare.get_feature_names_out().tolist() == ["0=a", "0=b", "0=c", "0=rare"]
    same = rare.transform(np.array([["once"], ["twin"], ["new"]], dtype=object))
    np.testing.assert_array_equal(same, np.tile([0, 0, 0, 1], (3, 1)))
    two = Columns().fit(X[:4])
    np.testing.assert_array_equal(two.transform([["a"], ["b"], ["new"]]).ravel(), [1, -1, 0])
    holes = Columns().fit(np.vstack([X, [[None]], [[None]]]))
    assert holes.get_feature_names_out()[-1] == "0=missing"


@pytest.mark.parametrize("dtype", ["category", object, "string"])
def test_few_rows_of_a_column_of_many_levels(dtype):
    """Only the levels that occur are looked at; missing ones are among them."""
    words = pd.Series([f"level {k}" for k in range(50)] * 2 + [None], dtype=dtype)
    X = pd.DataFrame({"word": words, "number": 1.0 * np.arange(101)})
    columns = Columns().fit(X)
    whole = columns.transform(X)
    assert sp.issparse(whole) and (np.diff(whole.indptr) >= 1).all()
    for rows in ([3], [100], [100, 7, 57, 99]):
        found = columns.transform(X.iloc[rows]).toarray()
        np.testing.assert_array_equal(found, whole[rows].toarray())
        assert (found[:, 1:].sum(axis=1) == 1).all()


def test_a_category_of_its_own_in_each_row_says_nothing():
    X = pd.DataFrame({"id": [f"row {k}" for k in range(9)], "x": np.arange(9.0)})
    assert Columns().fit(X).get_feature_names_out().tolist() == ["x"]


def test_constant_and_empty_columns_are_left_out():
    X = pd.DataFrame({"one": 1.0, "none": np.nan, "word": "w", "gone": None, "x": np.arange(5.0)})
    columns = Columns().fit(X)
    assert columns.get_feature_names_out().tolist() == ["x"]
    X.loc[0, "none"] = 2.0
    assert np.isfinite(columns.transform(X)).all()
    assert Columns().fit_transform(X[["one", "word"]]).tolist() == [[0.0]] * 5


def test_many_levels_are_sparse_rows():
    levels = pd.Series([f"level {k % 60}" for k in range(300)])
    X = pd.DataFrame({"level": levels, "x": np.arange(300.0)})
    Z = Columns().fit_transform(X)
    assert sp.issparse(Z) and Z.format == "csr" and Z.shape == (300, 61) and Z.nnz <= 600
    few = Columns().fit_transform(X.assign(level=[f"{k % 8}" for k in range(300)]))
    assert isinstance(few, np.ndarray)


def test_categorical_features():
    X = pd.DataFrame({"code": [1, 2, 3] * 4, "size": pd.Categorical([1.5, 2.5, 3.5] * 4)})
    kinds = {
        "from_dtype": ["numbers", "categories"],
        None: ["numbers", "numbers"],
        ("code",): ["categories", "numbers"],
        (0, 1): ["categories", "categories"],
        (True, False): ["categories", "numbers"],
    }
    for given, wanted in kinds.items():
        given = list(given) if isinstance(given, tuple) else given
        assert Columns(given).fit(X).kinds_ == wanted, given
    as_float = Columns(["code"]).fit(X).transform(X.astype({"code": float}))
    np.testing.assert_array_equal(as_float, Columns(["code"]).fit_transform(X))
    with pytest.raises(ValueError, match="categorical_features has 'cod'.*'code', 'size'"):
        Columns(["cod"]).fit(X)
    with pytest.raises(ValueError, match="3 booleans, X has 2 columns"):
        Columns([True, False, True]).fit(X)
    with pytest.raises(ValueError, match="'from_dtype'.*'dtype'"):
        Columns("dtype").fit(X)


def frame_with(values):
    return pd.DataFrame({"a": np.arange(3.0), "b": pd.Series(values, dtype=object)})


REFUSED = {
    "names twice": (
        pd.DataFrame(np.ones((3, 2)), columns=["a", "a"]),
        ValueError,
        "same name: 'a'",
    ),
    "infinity": (frame_with([1.0, np.inf, 2.0]), ValueError, "infinity in column 'b', row 1"),
    "a dict": (frame_with([1.0, {}, 2.0]), TypeError, "'b' of X has a dict in row 1"),
    "dates and words": (
        frame_with(["x", datetime.date(2020, 1, 1), "y"]),
        TypeError,
        "mixes categories and dates",
    ),
    "complex": (np.ones((3, 2), dtype=complex), ValueError, "Complex data not supported"),
    "sparse": (sp.identity(3, format="csr"), TypeError, "[Ss]parse data was passed"),
    "lazy": (pl.LazyFrame({"a": [1]}), TypeError, r"X\.collect\(\)"),
    "no rows": (pd.DataFrame({"a": []}), ValueError, "0 sample.*no rows"),
    "no columns": (pd.DataFrame(index=range(3)), ValueError, "0 feature.*no columns"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    X, error, words = REFUSED[what]
    with pytest.raises(error, match=words):
        Columns().fit(X)


def test_text_where_numbers_were():
    columns = Columns().fit(frame_with([1, 2, 3]))
    with pytest.raises(ValueError, match="'b' of X had numbers in fit, and has categories now"):
        columns.transform(frame_with(["x", "y", "z"]))
    assert np.isfinite(columns.transform(frame_with([None] * 3))).all()


def test_smooth_clip_is_its_formula():
    X = RNG.normal(size=(101, 3)) * [1, 10, 0]
    X[:, 1] = RNG.random(101) < 0.1  # quartiles coincide
    z = X[:, 0] - np.median(X[:, 0])
    z /= np.subtract(*np.percentile(X[:, 0], [75, 25]))
    found = SmoothClipScaler().fit_transform(X)
    np.testing.assert_allclose(found[:, 0], z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-12)
    np.testing.assert_allclose(found[:, 1], 2 * X[:, 1] / np.sqrt(1 + 4 / 9), rtol=1e-12)
    assert not found[:, 2].any()


def test_columns_that_share_a_unit_share_a_scale():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 17, (200, 12)).astype(float)
    X[:2, :8] = [[0], [16]]
    X[:, 8] = rng.random(200) < 0.02  # a pixel that is seldom lit
    X[:, 9] = 0.0
    scale = SmoothClipScaler().fit(X).scale_
    together = np.delete(X - np.median(X, axis=0), 9, axis=1)
    wanted = np.full(12, 1 / np.subtract(*np.percentile(together, [75, 25])))
    wanted[9] = 0.0
    np.testing.assert_allclose(scale, wanted)
    dark = np.where(rng.random(X.shape) < 0.1, X, 0.0)  # quartiles coincide
    dark[:2, :9] = [[0] * 9, [16] * 8 + [1]]
    assert SmoothClipScaler().fit(dark).scale_.tolist() == [2 / 16] * 9 + [0.0] + [2 / 16] * 2
    X[0, 0] = 17.0  # most fill a range that not all lie in
    others = SmoothClipScaler().fit(X).scale_
    assert others[8] == 2.0 and others[1] == 1 / np.subtract(*np.percentile(X[:, 1], [75, 25]))


def test_encoding_is_its_formula():
    x = RNG.exponential(size=(50, 1))
    encoder = PiecewiseLinearEncoder(n_bins=5).fit(x)
    edges = np.quantile(x, [0, 0.2, 0.4, 0.6, 0.8, 1], method="inverted_cdf")
    np.testing.assert_allclose(encoder.edges_[0], edges)
    new = np.r_[-1e300, x[:9, 0], 0.3, edges, 1e300][:, np.newaxis]
    wanted = np.clip((new - edges[:-1]) / np.diff(edges), 0, 1)
    np.testing.assert_allclose(encoder.transform(new), wanted, atol=1e-12)
    assert encoder.get_feature_names_out(["x"])[-1] == "x bin 5"
    with pytest.raises(ValueError, match="n_bins must be at least 1"):
        PiecewiseLinearEncoder(0).fit(x)


def test_encoding_of_holes_constants_and_few_values():
    nan = np.nan
    X = [[1, 5, nan, 0, -1e308], [1, nan, nan, 1, 0], [1, 7, nan, 1, 1e308], [1, 7, nan, 0, 5e-324]]
    encoder = PiecewiseLinearEncoder(n_bins=2).fit(X)
    assert encoder.origin_.tolist() == [1, 1, 2, 3, 4, 4]
    names = ["x1 bin 1", "x1 missing", "x2 missing", "x3 bin 1", "x4 bin 1", "x4 bin 2"]
    assert encoder.get_feature_names_out().tolist() == names
    out = encoder.transform(X)
    np.testing.assert_allclose(out[:, :4], [[0, 0, 1, 0], [0, 1, 1, 1], [1, 0, 1, 1], [1, 0, 1, 0]])
    assert np.isfinite(out).all() and out.min() == 0 and out.max() == 1
    assert np.isfinite(encoder.transform([[nan] * 5])).all()


def test_encoding_beside_the_columns_themselves():
    X = np.array([[1.0, 0.0, 3.0], [2.0, 1.0, np.nan], [4.0, 1.0, 5.0], [5.0, 0.0, 7.0]])
    alone, encoder = (PiecewiseLinearEncoder(2, keep=keep).fit(X) for keep in (False, True))
    out = encoder.transform(X)
    np.testing.assert_array_equal(out[:, :-2], alone.transform(X))
    np.testing.assert_array_equal(out[:, -2:], np.where(np.isnan(X), 0, X)[:, [0, 2]])
    assert encoder.origin_.tolist() == [*alone.origin_, 0, 2]
    assert encoder.get_feature_names_out().tolist() == [*alone.get_feature_names_out(), "x0", "x2"]
    assert encoder.is_like(encoder) and not encoder.is_like(alone)


def test_encoding_in_single_precision():
    X = 1e6 + RNG.random((40, 2))  # a place in a bin is not that of a rounded number
    plain, encoder = (PiecewiseLinearEncoder(dtype=dtype) for dtype in (np.float64, np.float32))
    out = encoder.fit_transform(X)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, plain.fit_transform(X), rtol=1e-6)
    with pytest.raises(ValueError, match="dtype must be float64 or float32"):
        PiecewiseLinearEncoder(dtype=int).fit(X)


@pytest.mark.parametrize("keep", [False, True])
def test_slopes_of_the_encoding(keep):
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(30, 3)), rng.normal(size=(2, 24 + 2 * keep))
    X[:, 1] = 1.0
    encoder = PiecewiseLinearEncoder(n_bins=12, keep=keep).fit(X)
    new = np.vstack([X[:-1] + 0.01 * rng.random((29, 3)), [[9.0, 9.0, -9.0]]])
    slopes = encoder.pull_back(np.broadcast_to(weights, (30, *weights.shape)), new)
    for j in range(3):
        step = 1e-7 * (np.arange(3) == j)
        rise = (encoder.transform(new + step) - encoder.transform(new - step)) @ weights.T / 2e-7
        np.testing.assert_allclose(slopes[:, :, j], rise, atol=1e-5)


def test_columns_by_encoding():
    X = table()
    encoded, plain = Columns(numeric="ple").fit(X), Columns().fit(X)
    assert set(encoded.origin_) == set(plain.origin_)
    out, names = encoded.transform(X), encoded.get_feature_names_out()
    out = out.toarray() if sp.issparse(out) else out
    assert out.shape == (N, len(names)) and len(set(names)) == len(names)
    assert [n for n in names if "missing" in n] == [
        n for n in plain.get_feature_names_out() if "missing" in n
    ]
    number = encoded.origin_ == 0
    np.testing.assert_allclose(out[[3, 7]][:, number].sum(axis=1), 1)  # the hole's own column
    assert (np.ptp(out, axis=0) > 0).all()
    with pytest.raises(ValueError, match="numeric"):
        Columns(numeric="bins").fit(X)


@parametrize_with_checks(
    [
        Columns(),
        Columns(numeric="ple"),
        ColumnScaler(),
        SmoothClipScaler(),
        PiecewiseLinearEncoder(),
    ]
)
def test_sklearn(estimator, check):
    check(estimator)


def test_more_bins_than_rows_are_no_further_bins(rng):
    X = rng.normal(size=(20, 2))
    many, enough = (PiecewiseLinearEncoder(n).fit(X) for n in (10**12, 20))
    for a, b in zip(many.edges_, enough.edges_, strict=True):
        np.testing.assert_array_equal(a, b)
