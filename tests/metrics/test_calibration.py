"""Transforms are uniform where predictions are right, and the numbers say so where they are not."""

import numpy as np
import pytest
from families import CONTINUOUS, DRAWN, drawn
from scipy import stats
from sklearn.calibration import calibration_curve

from fastmlp import metrics
from fastmlp.distributions import Bernoulli, Normal, Poisson
from fastmlp.metrics._calibration import _anderson_darling_tail


@pytest.mark.parametrize("family", DRAWN)
def test_pit_is_uniform_if_the_prediction_is_the_truth(family):
    dist = drawn(family, n=3000)
    y = dist.sample(random_state=1)[0]
    u = metrics.pit(y, dist, random_state=2)
    assert u.shape == (3000,) and (u >= 0).all() and (u <= 1).all()
    assert all(test.pvalue > 1e-4 for test in metrics.pit_tests(u).values())
    np.testing.assert_array_equal(u, metrics.pit(y, dist, random_state=2))
    if not dist.discrete:
        np.testing.assert_array_equal(u, dist.cdf(y))


@pytest.mark.parametrize("family", DRAWN)
def test_pit_is_not_uniform_for_other_predictions(family):
    dist = drawn(family, n=3000)
    y = dist[::-1].sample(random_state=1)[0]
    tests = metrics.pit_tests(metrics.pit(y, dist, random_state=2))
    assert max(test.pvalue for test in tests.values()) < 1e-6


def test_pit_of_counts_fills_the_step():
    dist = Poisson(np.full(20_000, 2.0))
    u = metrics.pit(np.full(20_000, 1.0), dist, random_state=0)
    assert u.min() == pytest.approx(dist[0].cdf(0.0), abs=1e-4)
    assert u.max() == pytest.approx(dist[0].cdf(1.0), abs=1e-4)
    assert stats.kstest(u, "uniform", (u.min(), np.ptp(u))).pvalue > 1e-3


def test_tests_of_uniformity_are_scipys():
    u = np.random.default_rng(0).random(200) ** 1.1
    found = metrics.pit_tests(u)
    assert found["ks"] == pytest.approx(stats.kstest(u, "uniform")[:2])
    cvm = stats.cramervonmises(u, "uniform")
    assert found["cvm"] == pytest.approx((cvm.statistic, cvm.pvalue))


def test_anderson_darling_statistic_is_the_weighted_integral():
    """n times the integral of (F_n(u) - u)^2 / (u (1 - u))."""
    u = np.sort(np.random.default_rng(1).random(30))
    cuts, total, (x, w) = np.r_[0, u, 1], 0.0, np.polynomial.legendre.leggauss(100)
    for i, (low, high) in enumerate(zip(cuts[:-1], cuts[1:], strict=True)):
        step = i / 30
        t = low + (high - low) * (x + 1) / 2
        total += ((step - t) ** 2 / (t * (1 - t)) * w).sum() * (high - low) / 2
    assert metrics.pit_tests(u)["ad"].statistic == pytest.approx(30 * total, rel=1e-6)


@pytest.mark.parametrize(
    ("statistic", "level"),
    [(1.933, 0.10), (2.492, 0.05), (3.070, 0.025), (3.878, 0.01), (1.248, 0.25)],
)
def test_anderson_darling_level_is_the_published_one(statistic, level):
    """Stephens (1974), Table 1, for a distribution known in full."""
    assert _anderson_darling_tail(statistic) == pytest.approx(level, rel=0.03)


def test_anderson_darling_pieces_meet():
    below, above = (_anderson_darling_tail(z) for z in (6 - 1e-9, 6 + 1e-9))
    assert above == pytest.approx(below, rel=0.002)
    values = [_anderson_darling_tail(z) for z in np.linspace(0.01, 30, 400)]
    assert (np.diff(values) <= 1e-9).all() and values[0] == 1 and 0 < values[-1] < 1e-12


def test_anderson_darling_pvalues_are_uniform():
    u = np.sort(np.random.default_rng(2).random((300, 40)))
    pvalues = [metrics.pit_tests(row)["ad"].pvalue for row in u]
    assert stats.kstest(pvalues, "uniform").pvalue > 1e-3


def test_an_outlier_that_rounds_to_one_has_a_finite_statistic():
    tests = metrics.pit_tests(np.r_[np.linspace(0.01, 0.99, 99), 1.0, 0.0])
    assert np.isfinite(tests["ad"].statistic)


@pytest.mark.parametrize("family", CONTINUOUS)
def test_coverage_is_what_intervals_hold(family):
    dist = drawn(family, n=200)
    y = dist.sample(random_state=3)[0]
    coverages, observed = metrics.coverage_curve(y, dist)
    assert len(coverages) == 19 and (np.diff(observed) >= 0).all()
    for coverage, share in zip(coverages, observed, strict=True):
        expected = metrics.interval_coverage(y, *dist.interval(coverage))
        assert share == pytest.approx(expected, abs=0.006)  # a row on an end, by rounding
    assert np.abs(observed - coverages).max() < 0.13


def test_coverage_of_several_targets():
    dist = Normal(np.zeros((500, 2)), [1.0, 0.1])
    y = np.random.default_rng(0).standard_normal((500, 2))
    _, observed = metrics.coverage_curve(y, dist, [0.9])
    each = [metrics.coverage_curve(y[:, j], dist[:, j], [0.9])[1][0] for j in (0, 1)]
    assert observed[0] == pytest.approx(np.mean(each)) and each[0] > 0.85 > 0.2 > each[1]


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_reliability_is_scikit_learns_calibration_curve(strategy):
    rng = np.random.default_rng(0)
    p = rng.beta(0.5, 2, 400)
    y = rng.random(400) < p
    curve = metrics.reliability_curve(y, p, n_bins=8, strategy=strategy)
    true, predicted = calibration_curve(y, p, n_bins=8, strategy=strategy)
    np.testing.assert_allclose(curve.predicted, predicted)
    np.testing.assert_allclose(curve.observed, true)
    assert curve.weight.sum() == pytest.approx(1) and len(curve.edges) == 9
    if strategy == "quantile":
        np.testing.assert_allclose(curve.weight, 1 / 8)
    by_hand = (curve.weight * np.abs(curve.predicted - curve.observed)).sum()
    error = metrics.expected_calibration_error(y, p, n_bins=8, strategy=strategy)
    assert error == pytest.approx(by_hand) and 0 < error < 0.1


def test_calibration_error_of_classes_is_that_of_the_most_probable():
    rng = np.random.default_rng(1)
    proba = rng.dirichlet(np.ones(4), 20_000)
    y = (rng.random(20_000)[:, None] > np.cumsum(proba, 1)).sum(1)
    assert metrics.expected_calibration_error(y, proba) < 0.015
    sure = proba**3 / (proba**3).sum(1, keepdims=True)
    assert metrics.expected_calibration_error(y, sure) > 0.15
    names = np.array(["d", "c", "b", "a"])
    named = metrics.expected_calibration_error(names[y], proba, labels=names)
    assert named == metrics.expected_calibration_error(y, proba)
    top = proba.max(1)
    binary = metrics.expected_calibration_error((proba.argmax(1) == y).astype(int), top)
    assert binary == pytest.approx(metrics.expected_calibration_error(y, proba))


def test_one_bin_one_row_one_class():
    assert metrics.expected_calibration_error([1], [0.8]) == pytest.approx(0.2)
    assert metrics.expected_calibration_error([0, 0], [0.2, 0.4], n_bins=1) == pytest.approx(0.3)
    assert metrics.expected_calibration_error([1, 0], [1.0, 0.0]) == 0
    same = metrics.reliability_curve([0, 1], [0.5, 0.5], strategy="quantile")
    assert same.predicted.tolist() == same.observed.tolist() == [0.5]


FINE = Normal([0.0, 1.0], 1.0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: metrics.pit([0, np.nan], FINE), ValueError, "y_true must be finite; row 1"),
        (lambda: metrics.pit([0, 1], "x"), TypeError, "dist must be a distribution"),
        (lambda: metrics.pit([0], Bernoulli([0.5]), random_state="x"), TypeError, "random_state"),
        (lambda: metrics.pit_tests([0.5]), ValueError, "at least 2 entries"),
        (lambda: metrics.pit_tests([0.5, 1.5]), ValueError, "pit must be from 0 to 1; row 1"),
        (lambda: metrics.pit_tests([]), ValueError, "at least one row"),
        (lambda: metrics.coverage_curve([0, 1], FINE, [0.5, 1]), ValueError, "strictly between"),
        (lambda: metrics.coverage_curve([0, 1], FINE, [0.9, 0.5]), ValueError, "got .0.9, 0.5"),
        (lambda: metrics.coverage_curve([0, 1], FINE, []), ValueError, "one dimension"),
        (lambda: metrics.coverage_curve([0], Poisson([1])), ValueError, "Poisson is discrete"),
        (lambda: metrics.reliability_curve([0, 1], [0.5]), ValueError, "y_true must have shape"),
        (lambda: metrics.reliability_curve([], []), ValueError, "n at least 1"),
        (lambda: metrics.reliability_curve([0, 1], [0.5, 1.5]), ValueError, "proba must be from 0"),
        (lambda: metrics.reliability_curve([0, 1], [0.5, np.nan]), ValueError, "row 1 has nan"),
        (lambda: metrics.reliability_curve([0, 1], [[0.5, 0.1]] * 2), ValueError, "sum to 1"),
        (lambda: metrics.reliability_curve([0, 1, 2], [0.5] * 3), ValueError, "tells of 2: name"),
        (
            lambda: metrics.reliability_curve([0, 3], [0.5] * 2, labels=[0, 1]),
            ValueError,
            "none of the labels; row 1 has",
        ),
        (
            lambda: metrics.reliability_curve([0, 1], [0.5] * 2, strategy="kmeans"),
            ValueError,
            "strategy must be 'uniform' or 'quantile'",
        ),
        (lambda: metrics.reliability_curve([0, 1], [0.5] * 2, n_bins=0), ValueError, "n_bins"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
