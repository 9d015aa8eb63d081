"""Mean scores: by hand, by other people's packages, by laws of weights and rows."""

import numpy as np
import pytest
from families import CONTINUOUS, DRAWN, drawn
from sklearn.metrics import brier_score_loss, log_loss, mean_absolute_error, mean_pinball_loss

from fastmlp import metrics
from fastmlp.distributions import (
    Bernoulli,
    Categorical,
    Gamma,
    Histogram,
    Laplace,
    Normal,
    Quantiles,
)

RNG = np.random.default_rng(0)
Y = RNG.normal(size=40)
SAMPLES = RNG.normal(size=(15, 40))
LEVELS = np.array([0.05, 0.3, 0.5, 0.8, 0.9])
VALUES = np.sort(RNG.normal(size=(40, 5)), axis=1)
LOWER, UPPER = VALUES[:, 0], VALUES[:, -1]

SCORES = {
    "crps": lambda rows, w: metrics.crps(Y[rows], DIST[rows], sample_weight=w),
    "log_score": lambda rows, w: metrics.log_score(Y[rows], DIST[rows], sample_weight=w),
    "cde_loss": lambda rows, w: metrics.cde_loss(Y[rows], DIST[rows], sample_weight=w),
    "cde_loss_on_grid": lambda rows, w: metrics.cde_loss(
        Y[rows], DIST[rows], grid=np.linspace(-5, 5, 50), sample_weight=w
    ),
    "crps_samples": lambda rows, w: metrics.crps_samples(
        Y[rows], SAMPLES[:, rows], sample_weight=w
    ),
    "crps_quantiles": lambda rows, w: metrics.crps_quantiles(
        Y[rows], VALUES[rows], LEVELS, sample_weight=w
    ),
    "pinball_loss": lambda rows, w: metrics.pinball_loss(
        Y[rows], VALUES[rows], LEVELS, sample_weight=w
    ),
    "interval_score": lambda rows, w: metrics.interval_score(
        Y[rows], LOWER[rows], UPPER[rows], 0.8, sample_weight=w
    ),
    "interval_coverage": lambda rows, w: metrics.interval_coverage(
        Y[rows], LOWER[rows], UPPER[rows], sample_weight=w
    ),
    "interval_width": lambda rows, w: metrics.interval_width(
        LOWER[rows], UPPER[rows], sample_weight=w
    ),
    "coverage_curve": lambda rows, w: metrics.coverage_curve(Y[rows], DIST[rows], sample_weight=w)[
        1
    ],
    "calibration": lambda rows, w: metrics.expected_calibration_error(
        (Y[rows] > 0.5).astype(int), DIST.cdf(Y * 0)[rows], sample_weight=w
    ),
}
DIST = Normal(RNG.normal(size=40), np.exp(RNG.normal(size=40)))


@pytest.mark.parametrize("name", SCORES)
def test_weights_are_rows(name):
    """Weight 0 is a row removed, 2 a row twice, and the unit of weights does not matter."""
    score, weight = SCORES[name], np.arange(40) % 3
    rows = np.repeat(np.arange(40), weight)
    expected = score(rows, None)
    assert not np.allclose(expected, score(slice(None), None), rtol=1e-3)
    np.testing.assert_allclose(score(slice(None), weight), expected, rtol=1e-12)
    np.testing.assert_allclose(score(slice(None), weight * 1e300), expected, rtol=1e-12)
    np.testing.assert_allclose(score(slice(None), weight * 1e-320), expected, rtol=1e-2)


@pytest.mark.parametrize("family", DRAWN)
def test_scores_are_means_of_the_distributions_own(family):
    dist = drawn(family)
    y = dist.sample(random_state=0)[0]
    assert metrics.crps(y, dist) == pytest.approx(dist.crps(y).mean())
    assert metrics.log_score(y, dist) == pytest.approx(-dist.logpdf(y).mean())
    exact = (dist.square_integral() - 2 * dist.pdf(y)).mean()
    assert metrics.cde_loss(y, dist) == pytest.approx(exact)
    both, pairs = dist[np.arange(50).reshape(25, 2)], y.reshape(25, 2)
    assert metrics.crps(pairs, both) == pytest.approx(dist.crps(y).mean())
    assert metrics.crps(y[:, None], dist) == metrics.crps(y, dist[:, None])
    by_hand = dist.crps(y).reshape(25, 2).mean(1) @ np.arange(25) / np.arange(25).sum()
    assert metrics.crps(pairs, both, sample_weight=np.arange(25)) == pytest.approx(by_hand)


def test_what_scikit_learn_has_agrees():
    y, p = RNG.integers(0, 2, 50), RNG.uniform(0.01, 0.99, 50)
    assert metrics.crps(y, Bernoulli(p)) == pytest.approx(brier_score_loss(y, p))
    assert metrics.log_score(y, Bernoulli(p)) == pytest.approx(log_loss(y, p))
    proba, classes = RNG.dirichlet(np.ones(4), 50), RNG.integers(0, 4, 50)
    ours = metrics.log_score(classes, Categorical(proba))
    assert ours == pytest.approx(log_loss(classes, proba, labels=range(4)))
    one = [mean_pinball_loss(Y, VALUES[:, j], alpha=q) for j, q in enumerate(LEVELS)]
    np.testing.assert_allclose(metrics.pinball_loss(Y, VALUES, LEVELS), one)
    point = metrics.crps(Y, Laplace(SAMPLES[0], 1e-12))
    assert point == pytest.approx(mean_absolute_error(Y, SAMPLES[0]))


def test_crps_of_samples_is_that_of_their_distribution_function():
    pairs = np.abs(SAMPLES[:, None] - SAMPLES[None]).sum((0, 1))
    near = np.abs(SAMPLES - Y).mean(0)
    plain = (near - pairs / (2 * 15**2)).mean()
    assert metrics.crps_samples(Y, SAMPLES) == pytest.approx(plain)
    fair = (near - pairs / (2 * 15 * 14)).mean()
    assert metrics.crps_samples(Y, SAMPLES, fair=True) == pytest.approx(fair)
    both = metrics.crps_samples(Y.reshape(20, 2), SAMPLES.reshape(15, 20, 2))
    assert both == pytest.approx(plain)
    far = metrics.crps_samples(Y + 1e9, SAMPLES + 1e9)  # nothing of the size of y cancels
    assert far == pytest.approx(plain, abs=1e-6)


def test_fair_scores_do_not_depend_on_how_many_are_drawn():
    dist = Normal(np.zeros(20_000), 1.0)
    y = dist.sample(random_state=0)[0]
    truth = metrics.crps(y, dist)
    few = metrics.crps_samples(y, dist.sample(3, random_state=1), fair=True)
    assert few == pytest.approx(truth, abs=0.01)
    assert metrics.crps_samples(y, dist.sample(3, random_state=1)) > truth + 0.1


def test_other_packages_agree_on_samples_quantiles_and_intervals():
    scoringrules = pytest.importorskip("scoringrules")
    properscoring = pytest.importorskip("properscoring")
    ours = metrics.crps_samples(Y, SAMPLES)
    assert ours == pytest.approx(properscoring.crps_ensemble(Y, SAMPLES.T).mean())
    theirs = scoringrules.crps_ensemble(Y, SAMPLES.T, estimator="fair").mean()
    assert metrics.crps_samples(Y, SAMPLES, fair=True) == pytest.approx(theirs)
    even = (np.arange(5) + 0.5) / 5
    theirs = scoringrules.crps_quantile(Y, VALUES, even).mean()
    assert metrics.crps_quantiles(Y, VALUES, even) == pytest.approx(theirs)
    theirs = scoringrules.interval_score(Y, LOWER, UPPER, alpha=0.2).mean()
    assert metrics.interval_score(Y, LOWER, UPPER, 0.8) == pytest.approx(theirs)


def test_many_quantiles_are_the_distribution():
    levels = (np.arange(400) + 0.5) / 400
    values = DIST.quantiles(levels)
    truth = metrics.crps(Y, DIST)
    assert metrics.crps_quantiles(Y, values, levels) == pytest.approx(truth, rel=2e-3)
    assert metrics.crps(Y, Quantiles(values, levels)) == pytest.approx(truth, rel=2e-3)


def test_intervals_by_hand():
    y, lower, upper = [0.0, 1.0, 5.0, -3.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 2.0, 2.0]
    assert metrics.interval_coverage(y, lower, upper) == 0.5
    assert metrics.interval_width(lower, upper) == 1.5
    assert metrics.interval_score(y, lower, upper, 0.5) == pytest.approx((1 + 1 + 14 + 14) / 4)
    with pytest.raises(ValueError, match=r"coverage must be one number, got shape \(2,\)"):
        metrics.interval_score(y, lower, upper, [0.5, 0.9])


def test_interval_score_is_least_for_the_true_quantiles():
    dist = Normal(np.zeros(100_000), 1.0)
    y = dist.sample(random_state=0)[0]
    scores = [
        metrics.interval_score(y, *dist.affine(scale=k).interval(0.9), 0.9)
        for k in (0.8, 0.95, 1.0, 1.05, 1.25)
    ]
    assert np.argmin(scores) == 2


@pytest.mark.parametrize("family", CONTINUOUS)
def test_cde_loss_on_a_fine_grid_is_the_exact_one(family):
    dist = drawn(family, n=8, seed=3)
    y = np.round(dist.sample(random_state=0)[0], 3)
    low, high = dist.ppf(1e-6).min(), dist.ppf(1 - 1e-6).max()
    grid = np.unique(
        np.r_[np.linspace(low, high, 20_000), dist.quantiles(np.arange(1, 2000) / 2000).ravel(), y]
    )
    # a trapezoidal rule has nothing to say about a pole of the density
    rtol = 0.1 if family in ("beta", "gamma") else 5e-3
    on_grid = metrics.cde_loss(y, dist, grid=grid)
    assert on_grid == pytest.approx(metrics.cde_loss(y, dist), rel=rtol)


def test_cde_loss_is_the_integrated_squared_error_up_to_a_constant():
    """Of a histogram against the normal distribution that draws."""
    truth = Normal(np.zeros(200_000), 1.0)
    y = truth.sample(random_state=0)[0]
    edges = np.linspace(-3, 3, 7)
    coarse = Histogram(*truth[0].to_bins(edges)[:2])
    loss = metrics.cde_loss(y, coarse[None]._broadcast(y.shape)) - metrics.cde_loss(y, truth)
    grid = np.linspace(-6, 6, 200_001)
    error = ((coarse.pdf(grid) - truth[0].pdf(grid)) ** 2).sum() * (grid[1] - grid[0])
    assert loss == pytest.approx(error, abs=4 / np.sqrt(len(y)))


FINE = Normal([0.0, 1.0], 1.0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: metrics.crps([0, 1], [0, 1]), TypeError, "dist must be a distribution"),
        (lambda: metrics.crps([0, 1, 2], FINE), ValueError, r"y_true must have shape \(2,\)"),
        (lambda: metrics.crps([[0, 1]], FINE), ValueError, r"shape \(2,\), got \(1, 2\)"),
        (lambda: metrics.crps([0, np.nan], FINE), ValueError, "y_true must be finite; row 1"),
        (lambda: metrics.crps(["a", "b"], FINE), TypeError, "y_true must be an array of real"),
        (lambda: metrics.crps([], FINE[:0]), ValueError, "at least one row"),
        (lambda: metrics.crps(0.0, FINE[0]), ValueError, r"dist\[None\] makes one row"),
        (lambda: metrics.log_score([0, np.inf], FINE), ValueError, "y_true must be finite"),
        (
            lambda: metrics.crps([0, 1], FINE, sample_weight=[1, -1]),
            ValueError,
            "sample_weight must be finite and not negative; row 1 has -1",
        ),
        (
            lambda: metrics.crps([0, 1], FINE, sample_weight=[0, 0]),
            ValueError,
            "zero in all rows",
        ),
        (
            lambda: metrics.crps([0, 1], FINE, sample_weight=1),
            ValueError,
            r"shape \(2,\), got \(\)",
        ),
        (lambda: metrics.cde_loss([0, 1], FINE, grid=[1, 0]), ValueError, "grid must increase"),
        (lambda: metrics.cde_loss([0, 1], FINE, grid=[[0, 1]]), ValueError, "one dimension"),
        (lambda: metrics.crps_samples([0, 1], [0, 1]), ValueError, r"samples must have shape \(m"),
        (lambda: metrics.crps_samples([0], [[1]], fair=True), ValueError, "at least 2 draws"),
        (lambda: metrics.crps_samples([0], [[np.nan]]), ValueError, "samples must be finite"),
        (lambda: metrics.pinball_loss([0], [[0, 1]], [0.5]), ValueError, "as many as the columns"),
        (lambda: metrics.pinball_loss([0], [[0, 1]], [0.5, 1]), ValueError, "strictly between"),
        (lambda: metrics.pinball_loss([0], [[0, 1]], [0.5, 0.1]), ValueError, "levels must incr"),
        (lambda: metrics.pinball_loss([0, 1], [[0, 1]], [0.1, 0.5]), ValueError, r"\(n, k\)"),
        (lambda: metrics.interval_score([0], [1], [0], 0.9), ValueError, "row 0 has 1"),
        (
            lambda: metrics.interval_score([0], [0], [1], 90),
            ValueError,
            "coverage must be strictly",
        ),
        (lambda: metrics.interval_width([], []), ValueError, "at least one row"),
        (lambda: metrics.interval_coverage([0, 1], [0], [1]), ValueError, "lower must have shape"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_what_does_not_count_may_be_impossible():
    dist = Gamma([2.0, 2.0, 2.0], 1.0)
    y, w = np.array([-1.0, 1.0, 2.0]), np.array([0.0, 1.0, 3.0])
    assert metrics.log_score(y, dist, sample_weight=w) == pytest.approx(
        metrics.log_score(y[1:], dist[1:], sample_weight=w[1:])
    )
