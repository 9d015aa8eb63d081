"""Tables as they come: odd types, odd units, and arguments that make no sense."""

import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV
from small import LINEAR, table

from fastmlp import MLPRegressor, TabularMLPRegressor
from fastmlp.tabular import Columns, SmoothClipScaler, _portfolio


def fitted(y, **fit):
    return TabularMLPRegressor(candidates=[LINEAR["regressor"]], cv=3, random_state=0).fit(
        table()[0], y, **fit
    )


@pytest.mark.parametrize("unit", [2.0**-300, 2.0**-60])
def test_nothing_depends_on_the_unit_of_y(unit):
    X, y, _ = table()
    one, other = fitted(y), fitted(y * unit)
    for a, b in zip(one.predict_interval(X), other.predict_interval(X), strict=True):
        np.testing.assert_allclose(b / unit, a, rtol=1e-6)
    np.testing.assert_allclose(other.predict_dist(X).std() / unit, one.predict_dist(X).std(), 1e-6)
    assert other.leaderboard_[0]["score"] == pytest.approx(one.leaderboard_[0]["score"])


def test_days_of_arrow_with_holes():
    pa = pytest.importorskip("pyarrow")
    days = [datetime.date(2020, 1, 1), None, datetime.date(2021, 6, 1)] * 4
    X = pd.DataFrame({"day": pd.array(days, dtype=pd.ArrowDtype(pa.date32()))})
    same = pd.DataFrame({"day": pd.to_datetime(pd.Series(days))})
    columns = Columns().fit(X)
    assert columns.kinds_ == ["dates"]
    np.testing.assert_allclose(columns.transform(X), Columns().fit_transform(same), atol=1e-9)


def test_entries_that_python_has_and_floats_have_not():
    whole = np.array([10**400, 1] * 3, dtype=object)
    with pytest.raises(ValueError, match="'n' of X has a whole number that is too large"):
        Columns().fit(pd.DataFrame({"n": whole}))
    assert Columns().fit(pd.DataFrame({"n": np.append(whole, "a")})).kinds_ == ["categories"]
    east = datetime.timezone(datetime.timedelta(hours=5))
    first = np.array([datetime.datetime(1, 1, 1, tzinfo=east)] * 3, dtype=object)
    assert Columns().fit(pd.DataFrame({"d": first})).kinds_ == ["dates"]


def test_periods_are_dates_and_bins_categories():
    days = pd.date_range("2020-01-01", periods=6, freq="MS")
    kinds, months = ["dates", "categories"], days.to_period("M")
    bins = pd.interval_range(0, 6)
    whole = pd.DataFrame({"month": months, "bin": bins})
    same = pd.DataFrame({"month": days, "bin": bins.astype(str)})
    for X in (whole, whole.astype(object)):
        columns = Columns().fit(X)
        assert columns.kinds_ == kinds
        np.testing.assert_array_equal(columns.transform(X), Columns().fit_transform(same))


def test_masked_entries_are_missing():
    X = np.ma.masked_array([[1.0], [2.0], [3.0], [4.0]], mask=[[0], [1], [0], [0]])
    holes = X.filled(np.nan)
    np.testing.assert_array_equal(Columns().fit_transform(X), Columns().fit_transform(holes))
    with pytest.raises(ValueError, match="y has masked entries"):
        fitted(np.ma.masked_array(table()[1], mask=table()[1] > 1))


def test_integers_that_numpy_has_not():
    pl = pytest.importorskip("polars")
    X = pl.DataFrame({"n": pl.Series([1, 2, 3, None]).cast(pl.Int128)})
    assert Columns().fit(X).kinds_ == ["numbers"]


@pytest.mark.filterwarnings("error")
def test_values_as_far_apart_as_floats_can_be():
    y = table()[1]
    X = np.where(np.arange(20) % 2, 1.7e308, -1.7e308)[:, None]
    assert np.isfinite(Columns().fit_transform(X)).all()
    with pytest.raises(ValueError, match=r"y has values that lie 3e\+160 apart"):
        fitted(np.where(y > 0, 1e160, -2e160))


@pytest.mark.parametrize("make", [_portfolio._scaled, _portfolio._on_log_scale])
@pytest.mark.parametrize("offset, unit", [(2.46e6, 0.1), (1e40, 1e39), (2e-44, 1e-44)])
def test_single_precision_keeps_the_targets(make, offset, unit):
    X = np.linspace(0, 1, 50)[:, None]
    y = offset + unit * X[:, 0]
    network = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0.0, tol=1e-12)
    model = make(_portfolio._in_single_precision(network)).fit(X, y)
    assert np.corrcoef(model.predict(X), y)[0, 1] > 0.9


def test_numbers_far_beyond_those_of_training_are_clipped():
    scaler = SmoothClipScaler().fit([[0.0], [1e-9], [2e-9]])
    np.testing.assert_allclose(scaler.transform([[1.7e308], [-1.7e308]]), [[3.0], [-3.0]])


@pytest.mark.parametrize(
    "groups, error",
    [
        (np.append(np.zeros(119), np.nan), ValueError),
        (np.array(["a", None] * 60, dtype=object), ValueError),
        (pd.array(["a", None] * 60, dtype="string"), ValueError),
        (np.array(["a", 1] * 60, dtype=object), TypeError),
    ],
)
def test_groups_that_are_no_labels(groups, error):
    with pytest.raises(error, match=r"^groups (contains missing|has) labels"):
        fitted(table()[1], groups=groups)


def test_dates_are_no_targets_and_numbers_no_candidates():
    with pytest.raises(TypeError, match="y has dates or durations"):
        fitted(pd.date_range("2020", periods=120))
    for wrong in (1, RidgeCV):
        with pytest.raises(TypeError, match="Candidate 'a' is no estimator"):
            TabularMLPRegressor(candidates=[("a", wrong)]).fit(*table()[:2])


@pytest.mark.filterwarnings("error")
def test_constant_targets_are_no_reason_to_warn():
    assert _portfolio.regressors(np.linspace(0, 1, 30)[:, None], np.ones((30, 1)), 5)
