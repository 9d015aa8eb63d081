"""What members are asked by a race is what they predict."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from fastmlp.tabular._piecewise import encode, sums
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import Lasso, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, SplineTransformer, StandardScaler
from small import CLASSIFIERS, REGRESSORS

from fastmlp.tabular import Columns, Race, _members, _portfolio
from fastmlp.tabular._splines import SplineEncoder


def rows(n=80, levels=0, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"x": rng.normal(size=n), "z": rng.exponential(size=n)})
    if levels:
        X["level"] = rng.integers(0, levels, n).astype(str)
    y = np.exp(X["x"].to_numpy() + 0.3 * rng.normal(size=n))
    return Columns().fit_transform(X), y


def asked(member, X):
    found = member.predict_proba(X) if hasattr(member, "predict_proba") else member.predict(X)
    return np.asarray(found, dtype=float).reshape(X.shape[0], -1)


@pytest.mark.parametrize("levels", [0, 15])
@pytest.mark.parametrize("of_classes", [False, True])
def test_candidates_of_the_portfolio_say_what_they_predict(of_classes, levels, monkeypatch):
    monkeypatch.setattr(_portfolio, "SAMPLES_SEEN", 1000)
    monkeypatch.setattr(_portfolio, "LM_ITERATIONS", _portfolio.FEWEST_ITERATIONS)
    Z, y = rows(levels=levels)
    assert sp.issparse(Z) == bool(levels)
    if of_classes:
        offered = _portfolio.classifiers(Z, (y > 1).astype(int), 5)
    else:
        offered = _portfolio.regressors(Z, y, 5)
    assert {"adam encoded", "lm ard 4"} <= {each.name for each in offered}
    shared = _members.Rows(Z[:40])
    for each in offered:
        member = each.estimator.fit(Z, (y > 1) if of_classes else y)
        wanted = asked(member, Z[:40])
        found = _members.said(member, shared)
        assert found.dtype == np.float64 and np.ptp(wanted) > 0
        np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=1e-6 * np.ptp(wanted))


def test_other_estimators_say_what_they_predict():
    Z, y = rows()
    two = np.column_stack([y, -y])
    lasso = Lasso(0.01)
    logs = TransformedTargetRegressor(lasso, func=np.log, inverse_func=np.exp)
    from_zero = StandardScaler(with_mean=False)
    for member in (
        make_pipeline(MinMaxScaler(), lasso).fit(Z, y),
        logs.fit(Z, y),
        TransformedTargetRegressor(lasso, transformer=MinMaxScaler()).fit(Z, two),
        TransformedTargetRegressor(lasso, transformer=from_zero).fit(Z, two),
        RidgeCV().fit(Z, two),
    ):
        np.testing.assert_allclose(_members.said(member, _members.Rows(Z)), asked(member, Z))


@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_rows_in_blocks_are_the_same_rows(kind, monkeypatch):
    Z, y = rows(n=60, levels=15)
    targets, candidates = (y > 1, CLASSIFIERS) if kind == "classifier" else (y, REGRESSORS)
    race = Race(candidates, cv=2, random_state=0).fit(Z, targets)
    wanted = race.fold_answers(Z)
    member = next(iter(race.members_.values()))[0]
    single = race._answer(member, Z)
    assert len(_members.blocks(Z, [])) == 1
    monkeypatch.setattr(_members, "ENTRIES", 0)
    monkeypatch.setattr(_members, "MOST_DENSE", 25)
    assert len(_members.blocks(Z, [])) == 3
    np.testing.assert_allclose(race.fold_answers(Z), wanted, rtol=1e-12)
    np.testing.assert_allclose(race._answer(member, Z), single, rtol=1e-12)
    monkeypatch.setattr(_members, "MOST_DENSE", 1)  # rows stay sparse
    assert len(_members.blocks(Z, [])) == 1
    np.testing.assert_allclose(race.fold_answers(Z), wanted, rtol=1e-9)


def test_ridge_of_many_sparse_columns_makes_no_square(monkeypatch):
    Z, y = rows(n=300, levels=40)
    assert sp.issparse(Z)
    plain = _portfolio.regressors(Z, y, 5)[0].estimator
    monkeypatch.setattr(_portfolio, "MOST_SQUARE", 20)
    wide = _portfolio.regressors(Z, y, 5)[0].estimator
    assert plain.cv is None and wide.cv is not None
    monkeypatch.setattr("sklearn.linear_model._ridge._RidgeGCV.fit", None)
    assert wide.fit(Z, y).score(Z, y) > 0.3


def test_members_of_a_fold_share_an_encoder():
    Z, y = rows()
    encoded = [each for each in _portfolio.regressors(Z, y, 2) if "encoded" in each.name][:2]
    members = [each.estimator.set_params(regressor__mlpregressor__max_iter=1) for each in encoded]
    first, second = (each.fit(Z, y).regressor_ for each in members)
    other = members[0].__sklearn_clone__().fit(Z[:40], y[:40]).regressor_
    wanted = other.predict(Z)
    _members.share_encoders([first, second, other])
    assert first[0] is second[0] is not other[0]
    np.testing.assert_array_equal(other.predict(Z), wanted)


def test_splines_are_scikit_learns():
    """With ties that make knots coincide, beyond the knots, and at them."""
    rng = np.random.default_rng(0)
    x, few = rng.normal(size=(2, 200))
    often = np.where(rng.random(200) < 0.6, 5.0, x)
    X = np.column_stack([x, often, np.round(few), np.minimum(x, 0.0)])
    X[:, 2] = np.clip(X[:, 2], -1, 1)
    encoder = SplineEncoder(SplineTransformer(5, knots="quantile", extrapolation="linear")).fit(X)
    assert encoder.smooth_.tolist() == [True, True, False, True]
    new = np.vstack([X, 3 * X, np.quantile(X, np.linspace(0, 1, 5), axis=0)])
    wanted = np.hstack([encoder.splines_.transform(new[:, encoder.smooth_]), new[:, [2]]])
    np.testing.assert_allclose(encoder.transform(new), wanted, atol=1e-12)
    coef = rng.normal(size=(2, wanted.shape[1]))
    np.testing.assert_allclose(encoder.effects(new, coef), wanted @ coef.T, atol=1e-10)


@pytest.mark.parametrize("wrong", ["starts", "holes", "out", "decreasing"])
def test_encode_reads_and_writes_within_its_arrays(wrong):
    given = {
        "X": np.zeros((4, 2)),
        "edges": np.array([0.0, 1.0, 0.0, 1.0, 2.0]),
        "starts": np.array([0, 2, 5]),
        "holes": np.array([0, 1], dtype=np.uint8),
        "out": np.empty((4, 4)),
    }
    encode(**given)
    assert given["out"].tolist() == [[0, 0, 0, 0]] * 4
    wrong = {
        "starts": {"starts": np.array([0, 2, 6])},
        "holes": {"holes": np.zeros(3, np.uint8)},
        "out": {"out": np.empty((4, 3))},
        "decreasing": {"starts": np.array([0, 9, 5])},
    }[wrong]
    with pytest.raises(ValueError):
        encode(**(given | wrong))


def test_sums_read_and_write_within_their_arrays():
    X, knots, pieces = np.zeros((3, 2)), np.zeros((2, 2)), np.ones((2, 3, 4))
    out = np.zeros(3)
    sums(X, knots, pieces, out)
    assert out.tolist() == [2.0] * 3
    for wrong in (
        (X, knots[:1], pieces, out),
        (X, knots, pieces[:, :2], out),
        (X, knots, pieces, out[:2]),
    ):
        with pytest.raises(ValueError, match="do not go together"):
            sums(*map(np.ascontiguousarray, wrong))
