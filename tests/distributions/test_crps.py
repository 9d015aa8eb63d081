"""Scores equal scoringrules' and properscoring's, and keep their digits at extremes."""

import numpy as np
import pytest
from families import drawn

from fastmlp.distributions import (
    Beta,
    Gamma,
    Laplace,
    LogNormal,
    NegativeBinomial,
    Normal,
    NormalMixture,
    Poisson,
    StudentT,
)

THEIRS = {
    "normal": lambda sr, y, d: sr.crps_normal(y, d.loc, d.scale),
    "student_t": lambda sr, y, d: sr.crps_t(y, d.df, d.loc, d.scale),
    "laplace": lambda sr, y, d: sr.crps_laplace(y, d.loc, d.scale),
    "lognormal": lambda sr, y, d: sr.crps_lognormal(y, d.mu, d.sigma),
    "gamma": lambda sr, y, d: sr.crps_gamma(y, d.a, scale=d.scale),
    "beta": lambda sr, y, d: sr.crps_beta(y, d.a, d.b),
    "poisson": lambda sr, y, d: sr.crps_poisson(y, d.mu),
    "negative_binomial": lambda sr, y, d: sr.crps_negbinom(y, d.n, d.n / (d.n + d.mu)),
    "mixture": lambda sr, y, d: sr.crps_mixnorm(y, d.loc, d.scale, d.weights),
}


@pytest.mark.parametrize("family", THEIRS)
def test_crps_equals_that_of_scoringrules(family):
    scoringrules = pytest.importorskip("scoringrules")
    dist = drawn(family)
    y = dist.sample(1, random_state=1)[0]
    np.testing.assert_allclose(dist.crps(y), THEIRS[family](scoringrules, y, dist), rtol=1e-8)


def test_crps_equals_that_of_properscoring():
    properscoring = pytest.importorskip("properscoring")
    dist = drawn("normal")
    y = dist.sample(1, random_state=1)[0]
    theirs = properscoring.crps_gaussian(y, dist.loc, dist.scale)
    np.testing.assert_allclose(dist.crps(y), theirs, rtol=1e-10)


@pytest.mark.parametrize(
    ("dist", "limit", "rtol"),
    [
        (StudentT(1e10, 0.3, 2.0), Normal(0.3, 2.0), 1e-7),
        (Gamma(1e10, 1.0), Normal(1e10, 1e5), 1e-4),
        (Beta(1e10, 1e10), Normal(0.5, 0.5 / np.sqrt(2e10)), 1e-4),
        (LogNormal(3.0, 1e-6), Normal(np.exp(3.0), np.exp(3.0) * 1e-6), 1e-4),
        (NegativeBinomial(7.0, 1e13), Poisson(7.0), 1e-8),
        (Poisson(1e10), Normal(1e10, 1e5), 1e-4),
        (NegativeBinomial(1e10, 1e10), Normal(1e10, np.sqrt(2e10)), 1e-4),
        (NegativeBinomial(1e7, 2.0), Gamma(2.0, 5e6), 1e-5),
        (NormalMixture([0.5, 0.5], [1.0, 1.0], [2.0, 2.0]), Normal(1.0, 2.0), 1e-12),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "crps") else "",
)
def test_crps_and_probability_reach_the_limiting_distribution(dist, limit, rtol):
    """Terms of the size of the parameters cancel; what is left is of the size of the spread."""
    for q in (1e-3, 0.3, 0.5, 0.99):
        y = np.round(limit.ppf(q)) if dist.discrete else limit.ppf(q)
        assert dist.crps(y) == pytest.approx(limit.crps(y), rel=rtol)
        assert dist.ppf(q) == pytest.approx(limit.ppf(q), rel=rtol)
        assert dist.square_integral() == pytest.approx(limit.square_integral(), rel=rtol)
        if not (dist.discrete and not limit.discrete):
            assert dist.cdf(y) == pytest.approx(limit.cdf(y), rel=1e-3)


@pytest.mark.parametrize(("mu", "n"), [(0.01, 0.01), (3.0, 0.05), (50.0, 0.3), (0.5, 1e4)])
def test_crps_of_overdispersed_counts_is_the_sum(mu, n):
    dist = NegativeBinomial(mu, n)
    k = np.arange(400_000.0)
    levels = dist.cdf(k)
    assert 1 - levels[-1] < 1e-14
    for y in (0.0, 2.0, 77.0):
        total = ((levels - (y <= k)) ** 2).sum()
        assert dist.crps(y) == pytest.approx(total, rel=1e-8)
    mass = dist.pdf(k)
    assert dist.square_integral() == pytest.approx((mass**2).sum(), rel=1e-8)


def test_a_point_scores_the_absolute_error():
    for dist in (Normal(2.0, 1e-12), Laplace(2.0, 1e-12), StudentT(3.0, 2.0, 1e-12)):
        assert dist.crps(5.0) == pytest.approx(3.0)


def test_no_mean_no_score():
    dist = StudentT([0.5, 1.0, 1.5], 0.0, 1.0)
    np.testing.assert_array_equal(np.isfinite(dist.crps(0.0)), [False, False, True])
    np.testing.assert_array_equal(np.isnan(dist.mean()), [True, True, False])
    assert (dist.var() == np.inf).all()
