"""Scales in each row under Laplace's approximation: the location is integrated out of them."""

import warnings

import numpy as np
import pytest

from fastmlp import BayesianMLPRegressor, Network
from fastmlp.losses import LOSSES, resolve_loss
from fastmlp.posteriors import Laplace
from fastmlp.solvers import LevenbergMarquardt, minimize
from fastmlp.threads import blas_threads

N_NEW = 2000


def drawn(seed):
    """60 to 400 rows of 1 to 3 features: waves, with a wave of the log scale."""
    rng = np.random.default_rng([seed, 13])
    n, d = int(np.exp(rng.uniform(np.log(60), np.log(400)))), int(rng.integers(1, 4))
    X = rng.uniform(-1.7, 1.7, (n + N_NEW, d))
    A = rng.normal(size=(d, min(d, 2)))
    f = X @ A / np.sqrt(d) * rng.uniform(1, 2) + rng.uniform(0, 6, min(d, 2))
    f = np.sin(f).sum(axis=1)
    f /= f.std()
    b = rng.normal(size=d)
    b /= np.linalg.norm(b)
    log_scale = np.log(rng.uniform(0.1, 0.5))
    log_scale = log_scale + rng.uniform(0.3, 0.9) * np.sin(1.3 * X @ b + rng.uniform(0, 6))
    return X, f + np.exp(log_scale) * rng.normal(size=len(X)), f, log_scale, n


def tied(seed):
    """60 to 450 rows of 1 to 11 features: targets with a cap, rounded, or both."""
    rng = np.random.default_rng([seed, 31])
    n, d = int(np.exp(rng.uniform(np.log(60), np.log(450)))), int(rng.integers(1, 12))
    X, k = rng.uniform(-1.7, 1.7, (n + N_NEW, d)), min(d, 3)
    A = rng.normal(size=(d, k)) / np.sqrt(d)
    f = np.sin(X @ A * rng.uniform(0.7, 2) + rng.uniform(0, 6, k)).sum(axis=1)
    f += 0.5 * X @ rng.normal(size=d) / np.sqrt(d)
    f = (f - f.mean()) / f.std()
    log_scale, amplitude = np.log(rng.uniform(0.1, 0.5)), rng.uniform(0, 0.9)
    slope = rng.normal(size=d) / np.sqrt(d)
    log_scale = log_scale + amplitude * np.sin(1.3 * X @ slope + rng.uniform(0, 6))
    y = f + np.exp(log_scale) * rng.normal(size=len(X))
    if seed % 3 != 1:
        y = np.minimum(y, np.quantile(y, rng.uniform(0.8, 0.97)))
    if seed % 3:
        gap = rng.uniform(0.02, 0.5)
        y = np.round(y / gap) * gap
    return X, y, n


def of_tied(seed, distribution="normal"):
    """Log-density of new rows, and whether they are in the 90 % intervals."""
    X, y, n = tied(seed)
    with warnings.catch_warnings(), blas_threads(1):
        warnings.simplefilter("ignore")
        model = BayesianMLPRegressor(distribution, posterior=Laplace(n_starts=1), random_state=0)
        dist = model.fit(X[:n], y[:n]).predict_dist(X[n:])
    lower, upper = dist.interval(0.9)
    return dist.logpdf(y[n:]), (lower <= y[n:]) & (y[n:] <= upper)


def judged(seed):
    """Share of 90 % intervals that hold on new rows, and nats a row lost to the truth."""
    X, y, f, log_scale, n = drawn(seed)
    with warnings.catch_warnings(), blas_threads(1):
        warnings.simplefilter("ignore")
        model = BayesianMLPRegressor("normal", posterior=Laplace(n_starts=1), random_state=0)
        dist = model.fit(X[:n], y[:n]).predict_dist(X[n:])
    lower, upper = dist.interval(0.9)
    truth = -log_scale - 0.5 * ((y - f) / np.exp(log_scale)) ** 2 - 0.5 * np.log(2 * np.pi)
    lost = truth[n:] - dist.logpdf(y[n:])
    return np.mean((lower <= y[n:]) & (y[n:] <= upper)), lost.mean()


@pytest.mark.slow
def test_ninety_percent_intervals_hold_ninety_percent():
    """By the scales of the largest likelihood 81 % in the mean, 32 % at worst, where 45 nats go."""
    held, lost = np.array([judged(seed) for seed in range(24)]).T
    assert 0.87 < held.mean() < 0.92, held
    assert held.min() > 0.75 and np.median(lost) < 0.13 and lost.max() < 0.8, lost


def test_intervals_hold_in_brief():
    """A problem of which scales of the largest likelihood hold 70 %, and lose half a nat."""
    held, lost = judged(8)
    assert held > 0.84 and lost < 0.3


@pytest.mark.parametrize("seed", [11, 23])
def test_ties_and_caps_do_not_narrow_scales_in_brief(seed):
    """By the joint likelihood at first, a row of 85 nats and 69 % of them held; infinite scales."""
    log_density, held = of_tied(seed)
    assert log_density.min() > -25 and log_density.mean() > -1.3 and held.mean() > 0.8


@pytest.mark.slow
def test_ties_and_caps_do_not_narrow_scales():
    """Joint likelihood at first: 4 nats in the mean, 85 in a row; six of 24 see no feature."""
    found = [of_tied(seed) for seed in range(24)]
    worst = np.array([log_density.min() for log_density, _ in found])
    held = np.array([within.mean() for _, within in found])
    constant = ("normal", {"scale": "constant"})
    lost = [of_tied(s, constant)[0].mean() - found[s][0].mean() for s in range(24)]
    assert worst.min() > -30 and 0.86 < held.mean() < 0.92 and held.min() > 0.75, (worst, held)
    assert np.median(lost) < 0.03 and max(lost) < 0.3, lost


def test_targets_that_do_not_vary_have_a_least_scale_and_a_warning():
    X = np.random.default_rng(0).normal(size=(40, 2))
    model = BayesianMLPRegressor("normal", (5,), posterior=Laplace(n_starts=1), random_state=0)
    for y in (np.full(40, 3.0), 2 * X[:, 0] + 1):
        with pytest.warns(UserWarning, match="scale has collapsed in 40 of 40 rows"):
            model.fit(X, y)
        std = model.predict_dist(X).std()
        assert (std > 1e-7).all() and (std < 1e-4).all()


@pytest.mark.parametrize("loss", ["normal", "student_t"])
def test_squares_are_those_of_residuals_and_of_what_the_fit_does_not_know(loss):
    """Of a likelihood with a flat prior of the log scale's bias the mean of r^2 / sigma^2 is 1."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 6))
    y = X @ rng.normal(size=6) + rng.normal(size=50)
    net = Network([6, 1], loss=loss)
    objective = net.objective(X, y)

    def train(objective, theta, random_state):
        solver = LevenbergMarquardt(evidence="layer")
        return minimize(objective, theta, solver=solver, tol=1e-8, max_iter=100)

    start = net.init(random_state=0)
    plain = train(objective, start, None)
    before, after = (
        Laplace().fit(objective, theta, train=how, state=state)
        for theta, how, state in ((plain.theta, None, plain.state), (start, train, None))
    )
    for posterior, is_restricted in ((before, False), (after, True)):
        raw, cov = posterior.moments(X)
        sd = np.sqrt(cov[:, 0, 0]) * is_restricted
        slopes = [net.value_grad(posterior.theta, X, y + sign * sd)[1][-1] for sign in (1, -1)]
        assert abs(np.mean(slopes)) < 5e-3  # of the log scale's bias
    grown = (after.moments(X)[0] - before.moments(X)[0])[:, 1].mean()
    assert 0.03 < grown < 0.25  # half of -ln(1 - p / n), 0.08 by all parameters of the location


def test_located_likelihoods():
    found = {name for name in LOSSES if resolve_loss(name).located}
    assert found == {"normal", "student_t", "laplace"}
