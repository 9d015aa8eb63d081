"""Fits that go on: what an earlier one left is asked whether it belongs to the data."""

import pickle

import numpy as np
import pytest

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.estimators._warm_start import fingerprint
from fastmlp.solvers import SGD

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X(rng):
    return rng.normal(size=(200, 3))


def model(**options):
    options = {"warm_start": True, "learning_rate_init": 0.01, "random_state": 0} | options
    return MLPRegressor(hidden_layer_sizes=(20,), **options)


# -- best losses, best scores, counts ------------------------------------------------------------


def test_other_data_are_not_judged_by_the_old(X):
    other = np.sin(2 * X[:, 0]) + X[:, 1]
    fresh = model(max_iter=500).fit(X, other)
    for change in ("targets", "weights", "X"):
        fitted = model(max_iter=500).fit(X, 0.01 * X[:, 0])
        record = len(fitted.loss_curve_)
        if change == "targets":
            fitted.fit(X, other)
        elif change == "X":
            X, other = X + 0.1, other[::-1]
            fresh = model(max_iter=500).fit(X, other)
            fitted.fit(X, other)
        else:
            fitted.fit(X, other, np.linspace(0.5, 1.5, 200))
        assert fitted.n_iter_ > 20
        assert fitted.score(X, other) > fresh.score(X, other) - 0.1
        assert fitted.best_loss_ == min(fitted.loss_curve_[record:])
        assert len(fitted.loss_curve_) == record + fitted.n_iter_


def test_the_same_data_go_on(X):
    y = np.sin(2 * X[:, 0])
    once = model(max_iter=12, random_state=np.random.RandomState(0)).fit(X, y)
    parts = model(max_iter=4, random_state=np.random.RandomState(0), n_iter_no_change=50)
    for _ in range(3):
        parts.fit(X, y)
    assert len(parts.loss_curve_) == 12
    assert parts._solver_state["best_loss"] == min(parts.loss_curve_)
    converged = model(max_iter=500).fit(X, y)
    assert converged.fit(X, y).n_iter_ <= 12
    assert once.t_ == parts.t_


@pytest.mark.parametrize("change", [{"tol": 1e-6}, {"solver": "sgd"}, {"learning_rate_init": 1e-3}])
def test_another_rule_counts_anew(change, X):
    y = np.sin(2 * X[:, 0])
    fitted = model(max_iter=500).fit(X, y)
    best = fitted.best_loss_
    fitted.set_params(**change).fit(X, y)
    assert fitted.n_iter_ > 10
    assert fitted.best_loss_ <= best


@pytest.mark.parametrize("change", [{"alpha": 10.0}, {"loss": "absolute_error"}])
def test_another_loss_is_not_judged_by_the_old(change, X):
    fitted = model(max_iter=500).fit(X, X[:, 0])
    record = len(fitted.loss_curve_)
    fitted.set_params(**change).fit(X, X[:, 0])
    assert fitted.n_iter_ > 10
    assert fitted.best_loss_ == min(fitted.loss_curve_[record:])


def test_weights_of_ones_own_are_not_judged_by_the_old(X):
    fitted = model(max_iter=500).fit(X, np.sin(X[:, 0]))
    fitted.coefs_ = [0.1 * part for part in fitted.coefs_]
    assert fitted.fit(X, np.sin(X[:, 0])).n_iter_ > 20


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "gd"])
@pytest.mark.parametrize("change", ["X_val", "y_val", "scoring"])
def test_another_validation_set(solver, change, X):
    y = np.sin(2 * X[:, 0]) + X[:, 1]
    easy = {"X_val": X[:50], "y_val": y[:50]}
    fitted = model(solver=solver, max_iter=40, n_iter_no_change=3).fit(X[50:], y[50:], **easy)
    hard = dict(easy)
    if change == "scoring":
        fitted.set_params(scoring="neg_mean_absolute_error")
    else:
        hard[change] = 2 * easy[change] + 3.0
    n_before = len(fitted.validation_scores_)
    fitted.fit(X[50:], y[50:], **hard)
    assert fitted.best_validation_score_ == max(fitted.validation_scores_[n_before:])
    if solver == "adam":
        assert fitted.n_iter_ > 3


def test_the_best_weights_stay_the_best(X, rng):
    """No epoch of a second fit is better: the first one's weights come back."""
    scores = iter([0.1, 0.9] + [0.2] * 100)
    fitted = model(max_iter=2, early_stopping=True, scoring=lambda *args: next(scores))
    y = np.sin(X[:, 0])
    best = [part.copy() for part in fitted.fit(X, y).coefs_]
    fitted.fit(X, y)
    assert fitted.best_validation_score_ == 0.9
    assert all(map(np.array_equal, best, fitted.coefs_))


# -- rows set aside --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("seed", [0, None, np.random.RandomState(3)])
@pytest.mark.parametrize("solver", ["adam", "gd"])
def test_rows_set_aside_stay_aside(kind, seed, solver, X):
    held = []

    def spy(estimator, X, y):
        held.append(set(X[:, 0]))
        return 0.0

    y = (X[:, 1] > 0).astype(int)
    options = {"early_stopping": True, "warm_start": True, "max_iter": 1, "solver": solver}
    fitted = kind(scoring=spy, random_state=seed, **options).fit(X, y)
    fitted.fit(X, y)
    fitted = pickle.loads(pickle.dumps(fitted.set_params(scoring=None))).set_params(scoring=spy)
    fitted.fit(X, y)
    fitted.fit(X, 1 - y) if kind is MLPRegressor else fitted.fit(X, y)
    assert held[0] == held[1] == held[2] == held[3]
    fitted.set_params(warm_start=False).fit(X, y)
    assert (held[4] == held[0]) == (seed == 0)


# -- generators ------------------------------------------------------------------------------------


def orders(fitted, call, n=6):
    """How many orders of the rows there are: weights after a call from the same weights."""
    seen = set()
    for _ in range(n):
        for part in fitted.coefs_ + fitted.intercepts_:
            part[:] = 0.0
        fitted = call(fitted)
        seen.add(tuple(fitted.coefs_[0].ravel().round(12)))
    return len(seen)


@pytest.mark.parametrize("seed", [0, np.int64(3), None, np.random.RandomState(0)])
@pytest.mark.parametrize("way", ["partial_fit", "fit", "pickle"])
def test_rows_come_in_another_order_each_time(seed, way):
    X, y = np.eye(12), np.ones(12)
    solver = SGD(0.1, momentum=0.0, nesterovs_momentum=False, batch_size=6)
    fitted = MLPRegressor(
        hidden_layer_sizes=(), solver=solver, alpha=0.0, random_state=seed, max_iter=1
    ).fit(X, y)
    if way == "fit":
        fitted.set_params(warm_start=True)

    def call(fitted):
        if way == "pickle":
            fitted = pickle.loads(pickle.dumps(fitted))
        return fitted.fit(X, y) if way == "fit" else fitted.partial_fit(X, y)

    assert orders(fitted, call) >= 5


def test_a_seed_decides_a_sequence(X):
    first, second = (model(batch_size=20) for _ in range(2))
    for fitted in (first, second):
        for start in (0, 100, 0):
            fitted.partial_fit(X[start : start + 100], X[start : start + 100, 0])
    assert np.array_equal(first.coefs_[0], second.coefs_[0])
    first.set_params(random_state=1).partial_fit(X, X[:, 0])
    second.partial_fit(X, X[:, 0])
    assert not np.array_equal(first.coefs_[0], second.coefs_[0])


def test_an_error_leaves_the_generator_where_it_was(X):
    first, second = (model(batch_size=20).partial_fit(X, X[:, 0]) for _ in range(2))

    def broken(epoch, record):
        raise LookupError

    with pytest.raises(LookupError):
        first.set_params(callback=broken).partial_fit(X, X[:, 0])
    first.set_params(callback=None)
    for fitted in (first, second):
        fitted.partial_fit(X, X[:, 0])
    assert np.array_equal(first.coefs_[0], second.coefs_[0])


# -- fingerprints ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.intp, bool])
def test_fingerprints(dtype, rng):
    array = rng.integers(2, size=(30, 4)).astype(dtype)
    code = fingerprint(array, None, "a")
    assert fingerprint(array.copy(), None, "a") == code
    other = array.copy()
    other[17, 2] = 1 - other[17, 2]
    changes = [
        (other, None, "a"),
        (array[::-1], None, "a"),
        (array, array, "a"),
        (array, None, "b"),
    ]
    assert code not in [fingerprint(*parts) for parts in changes]
    large = np.zeros(10**6, dtype)
    code = fingerprint(large)
    for at in (1, 12_345, 10**6 - 1):
        changed = large.copy()
        changed[at] = 1
        assert fingerprint(changed) != code
