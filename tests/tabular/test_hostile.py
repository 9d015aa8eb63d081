"""Tables as they come: odd types, odd units, and arguments that make no sense."""

import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV
from small import LINEAR, table

from fastmlp import TabularMLPRegressor
from fastmlp.tabular import Columns, SmoothClipScaler


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
