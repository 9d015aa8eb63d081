"""Laws of the curved solvers as classifiers: always a fit, and none worse than lbfgs's.

Losses are compared with alpha > 0: without it the infimum of separable data lies at infinity, and
how far a solver has come is a question of patience. Networks have several minima, and two solvers
that start alike may end in different ones: the best of three starts is compared, within 10 %
where the network has parameters to spare, and within 50 % where it has few.
"""

import functools

import numpy as np
import pytest
from sklearn import datasets
from sklearn.preprocessing import scale

from fastmlp import MLPClassifier, MLPRegressor

SOLVERS = ("lm", "newton", "newton-cg")
SETS = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
}
SHARE_LARGE, SHARE_SMALL = 1.1, 1.5
# How far a run gets is looked at by its loss.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@functools.cache
def shipped(name, n_rows=None):
    X, y = SETS[name](return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:n_rows]
    return scale(X[rows]), y[rows]


def drawn(seed):
    """Two to ten classes by a random network with some noise, of 15 to 60 rows."""
    rng = np.random.default_rng(seed)
    n_classes, n_features = int(rng.integers(2, 11)), int(rng.integers(1, 6))
    n_samples = int(rng.integers(max(15, 2 * n_classes), 60))
    X = rng.normal(size=(n_samples, n_features))
    scores = np.tanh(X @ rng.normal(size=(n_features, 6))) @ rng.normal(size=(6, n_classes))
    y = np.argmax(scores + 0.3 * rng.normal(size=scores.shape), axis=1)
    y[:2] = 0, 1
    return X, y


def fitted(X, y, hidden, solver, seed=0, **more):
    options = {"alpha": 1e-2, "tol": 1e-7, "max_iter": 1000, "max_fun": 10**5} | more
    return MLPClassifier(hidden, "tanh", solver=solver, random_state=seed, **options).fit(X, y)


@functools.cache
def best_of_lbfgs(key, hidden, n_rows):
    X, y = shipped(key, n_rows) if isinstance(key, str) else drawn(key)
    return min(fitted(X, y, hidden, "lbfgs", seed, max_iter=5000).loss_ for seed in range(3))


def check_no_worse_than_lbfgs(key, hidden, n_rows, solver):
    X, y = shipped(key, n_rows) if isinstance(key, str) else drawn(key)
    losses = [fitted(X, y, hidden, solver, seed).loss_ for seed in range(3)]
    share = SHARE_SMALL if hidden == (3,) else SHARE_LARGE
    assert min(losses) <= share * best_of_lbfgs(key, hidden, n_rows)


SETS_AND_SIZES = [
    pytest.param(
        name,
        hidden,
        id=f"{name}-{size}",
        marks=[pytest.mark.slow] if (name, size) == ("digits", "large") else [],
    )
    for name in SETS
    for size, hidden in (("small", (3,)), ("large", (12,)))
]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("name", "hidden"), SETS_AND_SIZES)
def test_shipped_sets(name, hidden, solver):
    """3 units have fewer parameters than there are residuals, 12 have more."""
    check_no_worse_than_lbfgs(name, hidden, 30, solver)


@pytest.mark.slow
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", SETS)
def test_shipped_sets_with_all_their_rows(name, solver):
    check_no_worse_than_lbfgs(name, (8,), None, solver)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(s, marks=pytest.mark.slow) for s in range(3, 30))]
)
def test_drawn_sets(seed, solver):
    check_no_worse_than_lbfgs(seed, (15,), None, solver)


@pytest.mark.slow
@pytest.mark.parametrize("solver", SOLVERS)
def test_small_networks_on_drawn_sets(solver):
    """Networks too small for their data end in minima that depend on the start: in most of 30."""
    held = 0
    for seed in range(30):
        X, y = drawn(seed)
        losses = [fitted(X, y, (3,), solver, start).loss_ for start in range(3)]
        held += min(losses) <= SHARE_SMALL * best_of_lbfgs(seed, (3,), None)
    assert held >= 27


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("alpha", [0.0, 1e-8])
@pytest.mark.parametrize("n_rows", [8, 40])
def test_saturated_to_the_end(n_rows, alpha, solver):
    """tol = 0: until the probabilities are 0 and 1 to the last digit, or no step helps."""
    X, y = shipped("iris", n_rows)
    model = fitted(X, y, (10,), solver, alpha=alpha, tol=0.0, max_iter=300)
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.score(X, y) == 1.0
    assert model.loss_ < 1e-3


@pytest.mark.parametrize("name", ["iris", pytest.param("wine", marks=pytest.mark.slow)])
def test_the_default_network_by_lm(name):
    """100 units on data as they come: fewer residuals than parameters, and a quick perfect fit."""
    X, y = SETS[name](return_X_y=True)
    model = MLPClassifier(solver="lm", random_state=0, max_iter=40).fit(X, y)
    assert model.score(X, y) > 0.97


@pytest.mark.parametrize("solver", ["lm", "newton-cg"])
def test_softmax_under_any_loss(solver):
    X, y = shipped("iris", 40)
    model = MLPClassifier((10,), "tanh", loss="squared_error", solver=solver, random_state=0)
    assert model.set_params(tol=0.0, max_iter=100).fit(X, y).score(X, y) == 1.0


def test_residuals_are_not_counted_by_a_piece_of_work(monkeypatch):
    """Which of lm's two systems to solve is asked of the sizes: no matrix, no sweep."""
    from fastmlp.objective import Objective

    made = []
    whole = Objective.value_grad_gram
    monkeypatch.setattr(
        Objective, "value_grad_gram", lambda self, t: made.append(t) or whole(self, t)
    )
    X = np.random.default_rng(0).normal(size=(10, 2))
    model = MLPRegressor(hidden_layer_sizes=(10,), solver="lm", max_iter=1).fit(X, X[:, 0])
    assert model.n_iter_ == 1
    points = {t.tobytes() for t in made}
    assert len(made) == len(points) >= 2
