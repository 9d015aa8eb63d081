"""What holds for every family: quantiles invert, densities integrate, scores are integrals."""

import numpy as np
import pytest
from families import CONTINUOUS, DISCRETE, DRAWN, drawn, support
from scipy import integrate, stats

from fastmlp.distributions import Distribution, Histogram, NormalMixture, Quantiles

Q = np.array([1e-6, 0.01, 0.2, 0.5, 0.77, 0.99, 1 - 1e-6])
TAIL = 1e-9


def pieces(row):
    """Where to cut integrals of one row: many quantiles, and the knots of broken densities."""
    cuts = row.ppf(
        np.r_[TAIL, 1e-6, 1e-3, np.linspace(0.02, 0.98, 13), 1 - 1e-3, 1 - 1e-6, 1 - TAIL]
    )
    knots = np.ravel(getattr(row, "_knots", ()))
    if isinstance(row, NormalMixture):
        knots = (row.loc[:, None] + row.scale[:, None] * np.arange(-6, 7)).ravel()
    return np.unique(np.r_[cuts, knots])


def integral(f, cuts):
    """By Gauss's rule of 40 nodes on each piece."""
    x, w = np.polynomial.legendre.leggauss(40)
    left, width = cuts[:-1, None], np.diff(cuts)[:, None]
    return float((f(left + width * (x + 1) / 2) * w * width / 2).sum())


@pytest.mark.parametrize("family", CONTINUOUS)
def test_quantiles_invert_the_distribution_function(family):
    dist = drawn(family)
    y = dist.quantiles(Q)
    assert (np.diff(y, axis=1) > 0).all()
    np.testing.assert_allclose(dist[:, None].cdf(y), Q * np.ones_like(y), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("family", DISCRETE)
def test_quantiles_are_the_least_value_that_reaches_a_level(family):
    dist = drawn(family)
    y, values = dist.quantiles(Q[1:-1]), support(dist)
    assert np.isin(y, values).all()
    assert (dist[:, None].cdf(y) >= Q[1:-1]).all()
    before = np.where(y > values[0], values[np.searchsorted(values, y) - 1], values[0] - 1)
    assert (dist[:, None].cdf(before) < Q[1:-1]).all()


@pytest.mark.parametrize("family", CONTINUOUS)
def test_density_integrates_to_probability_mean_variance_and_square(family):
    dist = drawn(family)
    for i in range(len(dist)):
        row, cuts = dist[i], pieces(dist[i])
        if family in ("gamma", "beta"):  # a pole of the density at an edge is no polynomial
            if min(getattr(row, "a", 9), getattr(row, "b", 9)) < 2:
                continue
        mean, std = row.mean(), row.std()
        assert integral(row.pdf, cuts) == pytest.approx(1, abs=5e-8)
        squared = integral(lambda y, row=row: row.pdf(y) ** 2, cuts)
        assert squared == pytest.approx(row.square_integral(), rel=1e-6)
        tail = {"student_t": getattr(row, "df", 0) < 8, "lognormal": getattr(row, "sigma", 0) > 0.8}
        if tail.get(family):  # too much of the moments is in the tails that are left out
            continue
        first = integral(lambda y, row=row: y * row.pdf(y), cuts)
        assert first == pytest.approx(mean, abs=1e-6 * (std + abs(mean)))
        second = integral(lambda y, row=row, m=mean: (y - m) ** 2 * row.pdf(y), cuts)
        assert second == pytest.approx(std**2, rel=2e-5)


@pytest.mark.parametrize("family", DISCRETE)
def test_mass_sums_to_probability_mean_variance_and_square(family):
    dist = drawn(family)
    values = support(dist)
    mass = dist[:, None].pdf(values)
    np.testing.assert_allclose(mass.sum(1), 1, rtol=1e-10)
    np.testing.assert_allclose(np.cumsum(mass, 1), dist[:, None].cdf(values), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(mass @ values, dist.mean(), rtol=1e-9)
    away = (values - dist.mean()[:, None]) ** 2
    np.testing.assert_allclose((mass * away).sum(1), dist.var(), rtol=1e-8)
    np.testing.assert_allclose((mass**2).sum(1), dist.square_integral(), rtol=1e-9)
    np.testing.assert_array_equal(dist.mode(), values[mass.argmax(1)])


@pytest.mark.parametrize("family", CONTINUOUS)
def test_nothing_is_denser_than_the_mode(family):
    dist = drawn(family)
    at_mode = dist.logpdf(dist.mode())
    grid = dist.quantiles(np.linspace(0.001, 0.999, 400))
    assert (dist[:, None].logpdf(grid).max(1) <= at_mode + 1e-9).all()


@pytest.mark.parametrize("family", DRAWN)
def test_crps_is_the_integral_of_the_squared_distance_of_distribution_functions(family):
    """50 drawn rows, and observations in the middle, in both tails and outside the support."""
    dist = drawn(family)
    y = dist.sample(1, random_state=2)[0]
    y[:10] = dist.ppf(1e-3)[:10]
    y[10:20] = dist.ppf(1 - 1e-3)[10:20] + 0.3
    y[20:25] = dist.ppf(1e-6)[20:25] - 1.5
    found = dist.crps(y)
    assert (found > 0).all()
    for i in range(len(dist)):
        row = dist[i]
        if dist.discrete:
            cuts = np.unique(np.r_[support(row), support(row)[-1] + 1, y[i]])
        else:
            cuts = np.unique(np.r_[pieces(row), y[i]])
        total = integral(lambda x, row=row, i=i: (row.cdf(x) - (y[i] <= x)) ** 2, cuts)
        if family == "student_t":  # the tails that the pieces leave out
            total += 2 * integrate.quad(lambda x, row=row: row.cdf(x) ** 2, -np.inf, cuts[0])[0]
        assert found[i] == pytest.approx(total, rel=1e-6), (i, y[i])


@pytest.mark.parametrize("family", CONTINUOUS)
def test_crps_by_quantiles_serves_families_without_a_formula(family):
    dist = drawn(family)
    y = dist.sample(1, random_state=3)[0]
    with np.errstate(all="ignore"):  # as ``_evaluate`` does
        general = Distribution._crps(dist, y)
    # The quantile function has kinks, and steps between components that lie apart.
    tolerance = {"laplace": 1e-4} | dict.fromkeys(("histogram", "quantiles"), 2e-2)
    tolerance |= dict.fromkeys(("mixture", "averaged"), 5e-2)
    np.testing.assert_allclose(general, dist.crps(y), rtol=tolerance.get(family, 1e-6))


@pytest.mark.parametrize("family", DRAWN)
def test_crps_is_proper(family):
    """On average, the distribution that draws y scores better than any other."""
    dist = drawn(family, n=6)
    y = dist.sample(4000, random_state=4)
    own = dist.crps(y)
    for shift in range(1, 6):
        other = dist[np.roll(np.arange(6), shift)].crps(y)
        gain = other - own
        assert (gain.mean(0) > -3.5 * gain.std(0) / np.sqrt(len(y))).all()
    assert own.std() > 0


@pytest.mark.parametrize("family", DRAWN)
def test_samples_follow_the_distribution(family):
    """Kolmogorov and Smirnov's test of the randomised F(y): the level is 1e-4 for all families."""
    dist = drawn(family)
    y = dist.sample(400, random_state=5)
    assert y.shape == (400, 50)
    u = np.random.default_rng(6).random(y.shape)
    mass = dist.pdf(y) if dist.discrete else 0
    assert stats.kstest((dist.cdf(y) - u * mass).ravel(), "uniform").pvalue > 1e-4 / len(DRAWN)


@pytest.mark.parametrize("family", DRAWN)
def test_samples_are_those_of_the_seed(family):
    dist = drawn(family)
    first = dist.sample(3, random_state=7)
    np.testing.assert_array_equal(first, dist.sample(3, random_state=7))
    assert not np.array_equal(first, dist.sample(3, random_state=8))
    state = np.random.RandomState(7)
    np.testing.assert_array_equal(first, dist.sample(3, random_state=state))
    for stream in (state, np.random.default_rng(7), None):  # which goes on
        once, again = dist.sample(random_state=stream), dist.sample(random_state=stream)
        assert not np.array_equal(once, again)


@pytest.mark.parametrize("family", CONTINUOUS)
def test_intervals_cover(family):
    dist = drawn(family, n=2000)
    y = dist.sample(1, random_state=9)[0]
    for coverage in (0.5, 0.9):
        low, high = dist.interval(coverage)
        inside = ((low <= y) & (y <= high)).mean()
        assert abs(inside - coverage) < 3.9 * np.sqrt(coverage * (1 - coverage) / 2000)


@pytest.mark.parametrize("family", CONTINUOUS)
def test_another_unit(family):
    """p(shift + scale y) scale = p(y); quantiles move along; rows keep their own units."""
    dist = drawn(family)
    closed = {"beta": (False, False), "lognormal": (False, True), "gamma": (False, True)}
    shifts, scales = closed.get(family, (True, True))
    rng = np.random.default_rng(10)
    scale, shift = rng.uniform(0.1, 10, 50), rng.normal(0, 5, 50) * shifts
    if not scales:
        with pytest.raises(ValueError, match="not closed"):
            dist.affine(scale=2.0)
        return
    if not shifts:
        with pytest.raises(ValueError, match="can be scaled, but not shifted"):
            dist.affine(shift=1.0)
    moved = dist.affine(shift, scale)
    y = dist.sample(10, random_state=11)
    log = moved.logpdf(shift + scale * y) + np.log(scale)
    np.testing.assert_allclose(log, dist.logpdf(y), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(moved.mean(), shift + scale * dist.mean(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        moved.crps(shift + scale * y), scale * dist.crps(y), rtol=1e-8, atol=1e-12
    )


def test_a_wide_mixture_of_narrow_parts_has_all_its_quantiles():
    """Between the parts the density is zero in floating point: Newton's steps are not to be had."""
    dist = NormalMixture([[0.3, 0.7]], [[-1e6, 1e6]], [[1e-6, 1e-3]])
    q = np.array([1e-9, 0.1, 0.3 - 1e-12, 0.3 + 1e-12, 0.6, 1 - 1e-9])
    y = dist.quantiles(q)
    np.testing.assert_allclose(dist[:, None].cdf(y)[0], q, rtol=1e-3)
    assert (np.diff(y) > 0).all()


def test_equal_quantiles_are_a_point_of_probability():
    dist = Quantiles([0.0, 1.0, 1.0, 2.0], [0.1, 0.3, 0.7, 0.9])
    assert dist.cdf(1 - 1e-12) == pytest.approx(0.3) and dist.cdf(1.0) == pytest.approx(0.7)
    assert dist.ppf(0.5) == 1.0
    whole = Quantiles([5.0, 5.0], [0.2, 0.8])
    assert whole.cdf(5 + 1e-9) == 1 and whole.cdf(5 - 1e-9) == 0
    assert whole.mean() == 5 and whole.var() == 0 and whole.crps(7.0) == pytest.approx(2)
    assert np.isfinite(whole.ppf([0.1, 0.9])).all()


def test_crossing_quantiles_are_sorted():
    dist = Quantiles([[2.0, 1.0, 3.0]], [0.1, 0.5, 0.9])
    np.testing.assert_array_equal(dist.quantiles([0.1, 0.5, 0.9]), [[1, 2, 3]])


@pytest.mark.parametrize("k", [1, 7, 40, 400])
def test_rebin_keeps_the_distribution_function_at_the_edges_that_stay(k):
    rng = np.random.default_rng(0)
    fine = Histogram(rng.dirichlet(np.ones(400), 5), np.linspace(0, 4, 401))
    coarse = fine.rebin(k)
    assert coarse.probas.shape == (5, k)
    edges = coarse.edges[0]
    np.testing.assert_allclose(coarse[:, None].cdf(edges), fine[:, None].cdf(edges), atol=1e-12)
    same = fine.rebin(edges)
    np.testing.assert_allclose(same.probas, coarse.probas, atol=1e-12)
