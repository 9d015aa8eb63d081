"""Numbers at the ends of what floats hold: levels of 1e-300, a pole, underflow, counts of 1e300."""

import warnings

import numpy as np
import pytest
from families import CONTINUOUS, drawn

from fastmlp.distributions import (
    Averaged,
    Beta,
    Gamma,
    Laplace,
    LogNormal,
    NegativeBinomial,
    Normal,
    NormalMixture,
    Poisson,
    Quantiles,
    StudentT,
    resolve_family,
)

TWO = NormalMixture([0.3, 0.7], [-4.0, 1.0], [1.0, 0.2])
AVERAGES = {
    "mixture": TWO,
    "averaged": Averaged([StudentT(3.0, 0.0, 1.0), Laplace(1.0, 2.0)]),
    "poles": Averaged([Gamma(0.1, 2.0), Gamma(3.0, 0.5)]),
}


@pytest.mark.parametrize("family", CONTINUOUS)
def test_levels_0_and_1_are_the_ends_of_the_support(family):
    dist = drawn(family)
    ends = dist[:, None].ppf([0.0, 0.5, 1.0])
    assert (np.diff(ends, axis=1) > 0).all()
    np.testing.assert_array_equal(ends[:, 2], dist.ppf(1.0))
    np.testing.assert_allclose(dist.cdf(ends[:, 2]), 1.0, rtol=1e-14)


@pytest.mark.parametrize("name", AVERAGES)
def test_quantiles_of_averages_invert_far_out_in_the_lower_tail(name):
    dist = AVERAGES[name]
    assert (dist.ppf(0.0), dist.ppf(1.0)) == (0.0 if name == "poles" else -np.inf, np.inf)
    q = np.array([1e-25, 1e-12, 1e-6, 0.1, 0.5, 0.9, 1 - 1e-6, 1 - 1e-12])
    np.testing.assert_allclose(dist[None].cdf(dist[None].ppf(q)), q, rtol=1e-11)
    assert TWO.cdf(TWO.ppf(1e-250)) == pytest.approx(1e-250, rel=1e-9)


def test_quantiles_of_a_beta_at_tiny_levels_are_numbers():
    a = np.logspace(-1, 4, 20)
    dist = Beta(a[:, None], a)
    for q in (1e-300, 1e-100):
        y = dist.ppf(q)
        assert np.isfinite(y).all()
        inside = (y > 1e-300) & (y < 1e-3)
        np.testing.assert_allclose(dist.cdf(y)[inside], q, rtol=0.05)
        assert inside.sum() > 100


def test_values_far_out_have_a_density_of_zero_and_a_finite_score():
    for dist in (Gamma(2.0, 0.1), NegativeBinomial(2.0, 3.0), Averaged([Gamma(2.0, 0.1)] * 2)):
        assert dist.pdf(1e308) == 0 and dist.logpdf(1e308) < -1e290
    assert StudentT(3.0, 0.0, 1.0).crps(1e300) == pytest.approx(1e300)
    assert LogNormal(0.0, 400.0).crps(1.0) == np.inf


def test_bins_where_quantiles_are_equal_floats():
    for dist in (Beta(0.02, 0.03), Quantiles([1.0, 1.0, 1.0], [0.1, 0.5, 0.9]), Normal(1e9, 1e-9)):
        probas, edges, _ = dist.to_bins()
        assert (np.diff(edges) > 0).all()
        assert probas.sum() == pytest.approx(1)


def test_distributions_of_no_rows_answer():
    for dist in (Poisson(np.zeros((0,)) + 1), Averaged([Poisson(np.ones(0))] * 2)):
        assert dist.to_bins()[0].shape[0] == 0
        assert dist.crps(1.0).shape == (0,)


def test_counts_too_large_for_numpy_are_drawn():
    for mean in (1e17, 1e19, 1e300):
        for dist in (Poisson([mean, 2.0]), NegativeBinomial([mean, 2.0], 1e300)):
            drawn = dist.sample(500, random_state=0)
            np.testing.assert_allclose(drawn.mean(0), [mean, 2], rtol=0.1)
            assert (drawn == np.floor(drawn)).all()


def test_averages_of_large_counts_are_scored_by_what_matters():
    dist = Averaged([Poisson([3e5, 2.0]), Poisson([4e5, 3.0])])
    normal = Averaged([Normal(m, np.sqrt(m)) for m in (3e5, 4e5)])
    np.testing.assert_allclose(dist.crps(3.1e5)[0], normal.crps(3.1e5), rtol=1e-4)
    few = Averaged([Poisson(2.0), Poisson(3.0)])
    assert dist.crps(4.0)[1] == pytest.approx(few.crps(4.0), rel=1e-6)
    assert few.crps(4.0) == pytest.approx(
        ((few[None].cdf(np.arange(60)) - (np.arange(60) >= 4)) ** 2).sum()
    )


def test_the_square_of_a_pole_has_no_integral():
    assert Averaged([Beta(0.3, 2.0), Laplace(0.0, 1.0)]).square_integral() == np.inf
    assert np.isfinite(Averaged([Beta(0.8, 2.0), Laplace(0.0, 1.0)]).square_integral())


def test_draws_beyond_floats_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(LogNormal(0.0, 400.0).sample(100, random_state=0)).any()


@pytest.mark.parametrize("name", ["mixture", "quantiles", "bernoulli", "negative_binomial"])
def test_raw_outputs_that_underflow_pass_where_numpy_raises(name):
    family = resolve_family(name)
    raw = np.zeros((2, 21))
    raw[:, 1::2] = -900.0
    with np.errstate(all="raise"):
        dist = family.from_raw(raw[:, : family.raws_per_target or 1], 1)
    assert np.isfinite(dist.mean()).all()


def test_an_interval_has_one_coverage():
    with pytest.raises(ValueError, match="coverage must be one number"):
        Normal([0.0, 1.0], 1.0).interval([0.5, 0.9])


def test_a_histogram_of_one_row_and_of_rows_that_do_not_count():
    one = resolve_family("histogram").learn(np.array([[2.0]]))
    start = one.start(one.encode(np.array([[2.0]])))
    assert np.isfinite(one.from_raw(start[None], 1).mean()).all()
    y = np.random.default_rng(0).normal(size=(60, 1))
    w = np.repeat([0.0, 1.0, 3.0], 20)
    family = resolve_family("histogram").learn(y, w)
    np.testing.assert_allclose(
        family.start(family.encode(y), w), family.start(family.encode(y[20:]), w[20:])
    )
