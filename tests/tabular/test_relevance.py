"""Columns scaled by relevance: the parts, what a race passes on, and what it is worth."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from fastmlp import MLPRegressor
from fastmlp.solvers import LevenbergMarquardt
from fastmlp.tabular import Candidate, ColumnScaler, PiecewiseLinearEncoder, Race
from fastmlp.tabular._gradients import of_member
from fastmlp.tabular._members import Rows, single
from fastmlp.tabular._portfolio import TEACHER, classifiers, regressors
from fastmlp.tabular._relevance import scale_by

SCALE = np.array([2.0, 0.0, 0.5])


def teacher():
    solver = LevenbergMarquardt(evidence="ard")
    return MLPRegressor(hidden_layer_sizes=(4,), activation="tanh", solver=solver, max_iter=30)


def drawn(seed, n=300, n_idle=20):
    """A smooth function of two columns among many."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 2 + n_idle))
    return X, np.sin(2 * X[:, 0]) + 0.5 * X[:, 0] * X[:, 1] + rng.normal(0, 0.2, n)


def test_scaled_columns():
    X = np.random.RandomState(0).normal(size=(5, 3))
    scaler = ColumnScaler(SCALE).fit(X)
    np.testing.assert_array_equal(scaler.transform(X), X * SCALE)
    sparse = scaler.transform(sp.csr_matrix(X))
    assert sparse.format == "csr"
    np.testing.assert_array_equal(sparse.toarray(), X * SCALE)
    assert scaler.transform(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_array_equal(ColumnScaler().fit_transform(X), X)


@pytest.mark.parametrize("scale", [[1, 2], [1, -1, 0], [1, np.nan, 0], [1, np.inf, 0], "abc", 2])
@pytest.mark.parametrize("kind", [ColumnScaler, PiecewiseLinearEncoder])
def test_a_scale_that_makes_no_sense(kind, scale):
    with pytest.raises(ValueError, match="scale must be 3 finite numbers, at least 0"):
        kind(scale=scale).fit(np.eye(3))


def test_scaled_encodings():
    X = np.random.RandomState(0).normal(size=(50, 3))
    plain = PiecewiseLinearEncoder(4).fit(X)
    scaled = PiecewiseLinearEncoder(4, scale=SCALE).fit(X)
    np.testing.assert_array_equal(scaled.transform(X), plain.transform(X) * SCALE[plain.origin_])
    assert not plain.is_like(scaled) and scaled.is_like(clone(scaled).fit(X))


@pytest.mark.parametrize("step", [ColumnScaler(SCALE), PiecewiseLinearEncoder(4, scale=SCALE)])
def test_derivatives_of_scaled_columns(step):
    X = np.random.RandomState(0).normal(size=(60, 3))
    network = MLPRegressor(hidden_layer_sizes=(3,), activation="tanh", max_iter=5, random_state=0)
    member = make_pipeline(step, network)
    member.fit(X, X[:, 0] * X[:, 2])
    rows, h = X[:7] + 0.01, 1e-6
    found = of_member(member, rows)[:, 0]
    wanted = [(member.predict(rows + h * e) - member.predict(rows - h * e)) / (2 * h)
              for e in np.eye(3)]  # fmt: skip
    np.testing.assert_allclose(found, np.transpose(wanted), atol=1e-6)


def test_a_race_passes_on_what_each_fold_found():
    X, y = drawn(0, n=100, n_idle=3)
    y += 3 * np.random.RandomState(1).normal(size=100)  # nobody is far behind
    student = make_pipeline(ColumnScaler(), RidgeCV())
    candidates = [
        Candidate("teacher", teacher()),
        Candidate("student", student, scaled_by="teacher"),
        Candidate("nobody's", clone(student), scaled_by="no such candidate"),
        Candidate("plain", clone(student)),
    ]
    race = Race(candidates, cv=3, random_state=0, warm_start=True).fit(X, y)
    by_name = {entry.candidate.name: entry.members for entry in race._entries}
    for told, member in zip(by_name["teacher"], by_name["student"], strict=True):
        relevance = told.evidence_.relevance
        wanted = np.sqrt(relevance / relevance.mean())
        np.testing.assert_allclose(member[0].scale_, wanted)
        assert np.mean(wanted**2) == pytest.approx(1)
    assert len({tuple(member[0].scale_) for member in by_name["student"]}) == 3
    for name in ("nobody's", "plain"):
        assert all((member[0].scale_ == 1).all() for member in by_name[name])


def test_who_found_nothing_scales_nothing():
    X, y = drawn(0, n=60)
    assert scale_by(RidgeCV().fit(X, y)) is None
    assert scale_by(MLPRegressor(max_iter=2).fit(X, y)) is None


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (regressors, ["adam 40 told"]),
        (classifiers, ["adam smooth told", "adam encoded free told"]),
    ],
)
def test_who_is_told(kind, told):
    X, y = drawn(0)
    offered = kind(X, y if kind is regressors else (y > 0).astype(int), 5)
    names = [each.name for each in offered]
    at = names.index(TEACHER)
    assert names[at : at + 1 + len(told)] == [TEACHER, *told]
    for each in offered:
        assert (each.scaled_by == TEACHER) == (each.name in told)
        if each.name in told:
            assert each.like == TEACHER
            assert any(name.endswith("__scale") for name in each.estimator.get_params())


def test_members_that_nobody_told_share_their_rows():
    X, y = drawn(0, n=60)
    to_single = make_pipeline(ColumnScaler(), FunctionTransformer(single))
    steps = [[step for _, step in clone(to_single).fit(X).steps] for _ in range(2)]
    rows = Rows(X)
    assert rows.after(steps[0]) is rows.after(steps[1])
    told = [ColumnScaler(np.full(X.shape[1], 2.0)).fit(X), steps[0][1]]
    np.testing.assert_array_equal(rows.after(told), (2 * X).astype(np.float32))


def gain(seed):
    """Squared errors of the recipe "adam 40" with what the teacher found, over those without."""
    X, y = drawn(seed)
    X, X_test, y, y_test = X[:200], X[200:], y[:200], y[200:]
    offered = {each.name: each.estimator for each in regressors(X, y, 5)}
    told = clone(offered[TEACHER]).set_params(regressor__random_state=seed).fit(X, y)

    def error(scale):
        recipe = clone(offered["adam 40"])
        for name in recipe.get_params():
            if name.endswith("__scale"):
                recipe.set_params(**{name: scale})
            elif name.endswith("__random_state"):
                recipe.set_params(**{name: seed})
        return np.mean((recipe.fit(X, y).predict(X_test) - y_test) ** 2)

    return error(scale_by(told)) / error(None)


def test_idle_columns_in_brief():
    assert gain(0) < 0.9


@pytest.mark.slow
def test_idle_columns():
    gains = [gain(seed) for seed in range(20)]
    assert max(gains) < 1.0 and np.mean(gains) < 0.4
