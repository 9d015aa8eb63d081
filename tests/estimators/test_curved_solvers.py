"""Second-order solvers, evidence and several starts behind scikit-learn's manners."""

import pickle
import threading

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GridSearchCV

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.solvers import LevenbergMarquardt, Newton, NewtonCG

SOLVERS = {
    "lm": "lm",
    "newton-cg": "newton-cg",
    "object": LevenbergMarquardt(scaling="marquardt"),
    "trust region": Newton(modification="trust-region"),
    "exact cg": NewtonCG(curvature="hessian"),
}
every = pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
# How far a run gets is not the point here.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def curve(n=150, seed=0, noise=0.05):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, 2))
    return X, np.sin(3 * X[:, 0]) + X[:, 1] ** 2 + noise * rng.normal(size=n)


def regressor(**more):
    arguments = {"hidden_layer_sizes": (6,), "activation": "tanh", "random_state": 0}
    return MLPRegressor(**{**arguments, "solver": "lm", **more})


@every
def test_regressor(solver):
    X, y = curve()
    reg = regressor(solver=solver, alpha=1e-2).fit(X, y)
    assert reg.score(X, y) > 0.97
    assert len(reg.history_["grad_norm"]) == len(reg.history_["gain"]) == reg.n_iter_
    assert reg.starts_ is None and reg.evidence_ is None
    assert "onverged" in reg.status_ or "max_iter" in reg.status_


@every
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classifier(solver, n_classes):
    X, signal = curve()
    y = np.digitize(signal, np.quantile(signal, np.arange(1, n_classes) / n_classes))
    clf = MLPClassifier((5,), "tanh", solver=solver, alpha=0.1, random_state=0, max_iter=60)
    assert clf.fit(X, y).score(X, y) > 0.9


@every
def test_early_stopping(solver):
    X, y = curve(n=60, noise=0.5)
    reg = regressor(
        solver=solver, hidden_layer_sizes=(20,), early_stopping=True, alpha=0, n_iter_no_change=5
    ).fit(X, y)
    assert reg.best_validation_score_ == max(reg.validation_scores_)
    assert reg.n_iter_ < 200


def test_sample_weights_and_float32():
    X, y = curve()
    twice = np.repeat(np.arange(150), 2)
    weighted = regressor(max_iter=5).fit(X, y, sample_weight=np.full(150, 2.0))
    doubled = regressor(max_iter=5).fit(X[twice], y[twice])
    assert np.allclose(weighted.coefs_[0], doubled.coefs_[0], atol=1e-8)
    single = regressor().fit(X.astype(np.float32), y.astype(np.float32))
    assert single.coefs_[0].dtype == np.float32
    assert single.score(X, y) > 0.97


def test_grid_search_reaches_into_the_solver():
    X, y = curve()
    search = GridSearchCV(
        regressor(solver=LevenbergMarquardt(), max_iter=10), {"solver__damping": [1e-3, 1.0]}, cv=2
    ).fit(X, y)
    assert search.best_params_["solver__damping"] in (1e-3, 1.0)


def test_evidence():
    X, y = curve(n=200, noise=0.2)
    reg = regressor(
        solver=LevenbergMarquardt(evidence=True), hidden_layer_sizes=(15,), max_iter=100
    ).fit(X, y)
    assert reg.evidence_.noise == pytest.approx(0.2, rel=0.2)
    assert 3 < reg.evidence_.effective_params < 61
    assert reg.history_["effective_params"][-1] == reg.evidence_.effective_params
    again = pickle.loads(pickle.dumps(reg))
    assert again.evidence_ == reg.evidence_
    assert reg.set_params(warm_start=True, max_iter=2).fit(X, y).n_iter_ <= 2


class TestStarts:
    def test_the_lowest_loss_wins(self):
        X, y = curve()
        reg = regressor(n_starts=4, max_iter=15).fit(X, y)
        assert len(reg.starts_) == 4
        losses = [start["loss"] for start in reg.starts_]
        assert len(set(losses)) == 4
        assert reg.loss_ == min(losses)
        first = regressor(max_iter=15).fit(X, y)
        assert losses[0] == pytest.approx(first.loss_, rel=1e-9)

    def test_the_best_validation_score_wins(self):
        X, y = curve()
        reg = regressor(n_starts=3, max_iter=15, early_stopping=True).fit(X, y)
        scores = [max(start["history"]["validation_score"]) for start in reg.starts_]
        assert reg.best_validation_score_ == max(scores)

    def test_the_highest_evidence_wins(self):
        X, y = curve(noise=0.2)
        solver = LevenbergMarquardt(evidence=True)
        reg = regressor(n_starts=3, max_iter=30, solver=solver).fit(X, y)
        assert reg.evidence_.log_evidence == max(
            start["evidence"]["log_evidence"] for start in reg.starts_
        )

    @pytest.mark.parametrize("n_threads", [1, 3])
    def test_adam_does_not_depend_on_the_threads(self, n_threads):
        X, y = curve()
        runs = [
            regressor(solver="adam", n_starts=3, max_iter=5, n_threads=n).fit(X, y)
            for n in (1, n_threads)
        ]
        assert np.array_equal(runs[0].coefs_[0], runs[1].coefs_[0])

    def test_a_scorer_is_asked_by_one_thread_at_a_time(self):
        X, y = curve()
        threads = set()

        def score(truth, prediction):
            threads.add(threading.get_ident())
            return mean_absolute_error(truth, prediction)

        reg = regressor(
            n_starts=3,
            max_iter=4,
            early_stopping=True,
            n_threads=3,
            scoring=make_scorer(score, greater_is_better=False),
        ).fit(X, y)
        assert len(threads) == 1
        assert len(reg.starts_) == 3

    def test_a_warm_start_is_one_start(self):
        X, y = curve()
        reg = regressor(n_starts=3, max_iter=3, warm_start=True).fit(X, y)
        before = reg.loss_
        reg.fit(X, y)
        assert reg.starts_ is None
        assert reg.loss_ < before

    def test_a_given_start_is_refused(self):
        X, y = curve()
        coefs = [np.ones((2, 6)), np.ones((6, 1))]
        reg = regressor(n_starts=2, init=(coefs, [np.zeros(6), np.zeros(1)]))
        with pytest.raises(ValueError, match="n_starts=2 needs starts that differ"):
            reg.fit(X, y)
        with pytest.raises(ValueError, match="n_starts=0 is not valid"):
            regressor(n_starts=0).fit(X, y)

    def test_every_start_reports_to_the_callback(self):
        X, y = curve()
        seen = []
        regressor(n_starts=3, max_iter=2, callback=lambda i, record: seen.append(i)).fit(X, y)
        assert sorted(seen) == [1, 1, 1, 2, 2, 2]

    def test_results_are_whole(self):
        X, y = curve()
        reg = regressor(n_starts=2, max_iter=3).fit(X, y)
        assert all(start["status"].startswith("Increase max_iter: ") for start in reg.starts_)
        assert all(np.isfinite(start["theta"]).all() for start in reg.starts_)
        assert clone(reg).n_starts == 2
        assert len(pickle.loads(pickle.dumps(reg)).starts_) == 2
