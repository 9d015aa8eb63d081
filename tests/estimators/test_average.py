"""Several models as one: weights of a convex problem, averaged distributions, hardly ever worse."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import LogisticRegression, Ridge

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.distributions import Normal, NormalMixture
from fastmlp.estimators import AverageClassifier, AverageRegressor
from fastmlp.estimators._average import stacking_weights
from fastmlp.solvers import LevenbergMarquardt


def regression(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, (n, 2))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] + 0.2 * rng.normal(size=n)


def models(**params):
    return [
        ("line", Ridge()),
        (
            "net",
            MLPRegressor(
                hidden_layer_sizes=(8,), solver="lbfgs", alpha=0.01, random_state=0, **params
            ),
        ),
    ]


# -- weights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_weights_meet_the_conditions_of_the_optimum(rng, k):
    """At the optimum the mean of p_k / p is 1 for models in use, at most 1 for the others."""
    scores = rng.normal(size=(300, k)) + rng.normal(scale=0.3, size=k) - 50 * (rng.random((300, 1)))
    share = rng.uniform(0.1, 2, 300)
    w = stacking_weights(scores, share)
    assert np.isclose(w.sum(), 1) and (w >= 0).all()
    p = np.exp(scores - scores.max(1, keepdims=True))
    slope = (share / share.sum()) @ (p / (p @ w)[:, None])
    assert (slope < 1 + 1e-3).all() and np.allclose(slope[w > 1e-3], 1, atol=1e-3)


def test_a_weight_of_two_is_a_row_twice(rng):
    scores = rng.normal(size=(60, 3))
    twice = rng.integers(0, 3, 60)
    assert np.allclose(
        stacking_weights(scores, twice), stacking_weights(np.repeat(scores, twice, 0)), atol=1e-4
    )


def test_densities_out_of_reach_do_not_matter(rng):
    scores = rng.normal(size=(60, 2))
    scores[:30, 0] = -700
    w = stacking_weights(np.c_[scores, np.full(60, -700.0)])
    assert np.isfinite(w).all() and w[2] < 1e-3


# -- regressors ------------------------------------------------------------------------------------


def test_distributions_are_averaged_and_points_spread_as_out_of_fold():
    X, y = regression()
    gp = GaussianProcessRegressor(RBF() + WhiteKernel(), random_state=0)
    model = fastmlp.average([*models(), ("gp", gp)], X, y, cv=4)
    assert isinstance(model, AverageRegressor)
    assert model.weights_.sum() == pytest.approx(1) and model.weights_[0] < 0.05
    best = model.leaderboard_[0]
    assert best["score"] == model.log_scores_.max()
    assert {row["name"] for row in model.leaderboard_} == {"line", "net", "gp"}
    dist = model.predict_dist(X)
    assert isinstance(dist, NormalMixture | Normal)
    means = [m.predict(X) for m in model.models_]
    assert np.allclose(model.predict(X), model.weights_ @ np.array(means))
    mean, std = model.predict(X, return_std=True)
    lower, upper = model.predict_interval(X, 0.9)
    assert 0.8 < ((lower < y) & (y < upper)).mean() <= 1 and std.min() > 0.05
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X), mean)


def test_several_targets():
    X, y = regression()
    Y = np.c_[y, X[:, 0] ** 2]
    model = fastmlp.average(models(), X, Y)
    assert model.predict_dist(X[:5]).shape == (5, 2)
    assert model.leaderboard_[0]["name"] == "net"


def test_evidence_is_a_softmax_of_marginal_likelihoods():
    X, y = regression()
    solver = LevenbergMarquardt(evidence=True)
    nets = [
        MLPRegressor(hidden_layer_sizes=h, solver=solver, standardize=True, random_state=0)
        for h in [(2,), (6,)]
    ]
    model = fastmlp.average(nets, X, y, weights="evidence")
    logs = np.array([m.evidence_.log_evidence for m in model.models_])
    raw = np.exp(logs - logs.max())
    assert np.allclose(model.weights_, raw / raw.sum(), atol=1e-4)
    assert model.predict_dist(X).std().mean() == pytest.approx(0.2, rel=0.3)
    with pytest.raises(TypeError, match="weights='evidence' needs models with log_marginal"):
        fastmlp.average(models(), X, y, weights="evidence")
    nets[1] = clone(nets[1]).set_params(standardize=False)
    with pytest.raises(ValueError, match="different units"):
        fastmlp.average(nets, X, y, weights="evidence")


def test_the_noise_of_evidence_is_that_of_rows_that_count():
    X, y = regression()
    w = np.arange(len(y)) % 3 > 0
    y[~w] += 50.0  # what has no weight is no noise either
    net = MLPRegressor(
        hidden_layer_sizes=(4,), solver=LevenbergMarquardt(evidence=True), random_state=0
    )
    some = fastmlp.average([net], X[w], y[w], weights="evidence").predict_dist(X).std()
    weighted = fastmlp.average([net], X, y, weights="evidence", sample_weight=w.astype(float))
    np.testing.assert_allclose(weighted.predict_dist(X).std(), some, rtol=1e-6)
    assert some[0] < 1


# -- classifiers -----------------------------------------------------------------------------------


def test_probabilities_are_averaged_with_classes_that_a_fold_lacks(rng):
    X = rng.normal(size=(90, 2))
    y = np.where(X[:, 0] > 0, "b", "a").astype(object)
    y[0] = "c"  # in one fold alone
    nets = [LogisticRegression(), MLPClassifier((4,), solver="lbfgs", random_state=0)]
    with pytest.warns(UserWarning, match="least populated class"):
        model = fastmlp.average(nets, X, y, cv=3)
    assert isinstance(model, AverageClassifier)
    proba = model.predict_proba(X)
    assert proba.shape == (90, 3) and np.allclose(proba.sum(1), 1) and np.isfinite(proba).all()
    parts = np.array([m.predict_proba(X) for m in model.models_])
    assert np.allclose(proba, np.tensordot(model.weights_, parts, 1), atol=1e-9)
    assert (model.predict(X) == model.classes_[proba.argmax(1)]).all()


# -- a law -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_stacking_is_hardly_ever_worse_than_the_best_model():
    """By the log-density of fresh rows, in drawn problems; the best is chosen on these rows."""
    gaps = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n, d = rng.integers(60, 300), rng.integers(1, 6)
        A, bend, noise = rng.normal(size=(d, 3)), rng.uniform(0, 2), rng.uniform(0.05, 0.5)

        def draw(n, rng=rng, d=d, A=A, bend=bend, noise=noise):
            X = rng.normal(size=(n, d))
            return X, np.sin(bend * X @ A).sum(1) + noise * rng.normal(size=n)

        (X, y), (X_test, y_test) = draw(n), draw(2000)
        nets = [Ridge()]
        nets += [
            MLPRegressor(hidden_layer_sizes=h, solver="lbfgs", alpha=0.1, random_state=0)
            for h in [(3,), (15,)]
        ]
        model = fastmlp.average(nets, X, y)
        mixed = model.predict_dist(X_test).logpdf(y_test).mean()
        single = [
            Normal(m.predict(X_test), s).logpdf(y_test).mean()
            for m, s in zip(model.models_, model._spreads, strict=True)
        ]
        gaps.append(mixed - max(single))
    assert np.quantile(gaps, 0.1) > -0.1 and np.median(gaps) > -0.01 and np.mean(gaps) > 0


# -- what cannot be --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "params", "error", "match"),
    [
        ([], {}, ValueError, "at least one estimator"),
        (3, {}, TypeError, "sequence of estimators"),
        ([3], {}, TypeError, "entry 0 is 3"),
        ([Ridge(), MLPClassifier()], {}, TypeError, "must be regressors; MLPClassifier-2"),
        ([("a", Ridge()), ("a", Ridge())], {}, ValueError, "must differ, got a, a"),
        ([Ridge()], {"weights": "stack"}, ValueError, "did you mean 'stacking'"),
    ],
)
def test_what_cannot_be_is_said(given, params, error, match):
    X, y = regression(30)
    with pytest.raises(error, match=match):
        fastmlp.average(given, X, y, **params)


@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_folds_are_of_rows_that_count(kind):
    X, y = regression(60)
    few = 9 if kind == "regressor" else 18
    w = (np.arange(60) < few).astype(float)
    given = [Ridge(), Ridge(10.0)]
    if kind == "classifier":
        given, y = [LogisticRegression(), LogisticRegression(C=0.1)], np.arange(60) % 3
    model = fastmlp.average(given, X, y, sample_weight=w)
    alone = fastmlp.average(given, X[:few], y[:few], sample_weight=w[:few])
    np.testing.assert_allclose(model.weights_, alone.weights_, atol=1e-6)
