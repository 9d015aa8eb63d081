"""Log-densities, probabilities, quantiles and moments equal mpmath's and SciPy's."""

import mpmath as mp
import numpy as np
import pytest
from families import DRAWN, EXTREMES, IN_SCIPY, drawn

from fastmlp.distributions import NormalMixture, StudentT

Q = np.array([1e-12, 1e-5, 0.01, 0.3, 0.5, 0.8, 0.999])


@pytest.mark.parametrize("family", EXTREMES)
def test_logpdf_equals_mpmath_also_at_extremes(family):
    kind, formula, rows = EXTREMES[family]
    with mp.workdps(60):
        for y, *parameters in rows:
            exact = formula(mp.mpf(y), *map(mp.mpf, parameters))
            found = kind(*map(float, parameters)).logpdf(float(y))
            error = abs(mp.mpf(found) - exact) / max(1, abs(exact))
            assert error < 1e-10, (y, parameters, found, float(exact))


def test_mixture_logpdf_equals_mpmath_where_all_components_underflow():
    weights, loc, scale = [0.5, 1e-12, 0.5], [0.0, 1.0, -3.0], [1e-3, 1e-2, 1e-6]
    for y in (0.0, 5.0, -40.0, 1e6):
        with mp.workdps(400):
            total = sum(
                mp.mpf(w) * mp.npdf(y, mp.mpf(m), mp.mpf(s))
                for w, m, s in zip(weights, loc, scale, strict=True)
            )
            exact = mp.log(total)
        assert NormalMixture(weights, loc, scale).logpdf(y) == pytest.approx(
            float(exact), rel=1e-10
        )


@pytest.mark.parametrize("family", IN_SCIPY)
def test_everything_equals_scipy(family):
    """On ordinary parameters, where SciPy's own formulas lose nothing."""
    dist = drawn(family)
    frozen = dist.frozen()
    y = dist.sample(20, random_state=1)
    log = frozen.logpmf if dist.discrete else frozen.logpdf
    np.testing.assert_allclose(dist.logpdf(y), log(y), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(dist.cdf(y), frozen.cdf(y), rtol=1e-10, atol=1e-14)
    for name in ("mean", "var", "std", "median"):
        np.testing.assert_allclose(getattr(dist, name)(), getattr(frozen, name)(), rtol=1e-9)
    for q in Q[1 if dist.discrete else 0 :]:
        np.testing.assert_allclose(dist.ppf(q), frozen.ppf(q), rtol=1e-8, atol=1e-300)
    for mine, theirs in zip(dist.interval(0.8), frozen.interval(0.8), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9)


@pytest.mark.parametrize("df", [2.5, 5.0, 30.0, 1e5])
def test_quantiles_of_students_t_far_out_in_the_tail(df):
    dist = StudentT(df, 0.0, 1.0)
    q = np.array([1e-300, 1e-100, 1e-12])
    assert (dist.ppf(q) < 0).all()
    np.testing.assert_allclose(dist.cdf(dist.ppf(q)), q, rtol=1e-9)


@pytest.mark.parametrize("family", DRAWN)
def test_ends_of_the_support(family):
    dist = drawn(family)
    low, high = dist.ppf(0), dist.ppf(1)
    assert (low < high).all()
    np.testing.assert_allclose(dist.cdf(np.inf), 1, rtol=1e-14)
    np.testing.assert_array_equal(dist.cdf(-np.inf), 0)
    np.testing.assert_array_equal(dist.pdf([[np.inf], [-np.inf]] * np.ones(50)), 0)
    finite = np.isfinite(low)
    outside = np.where(finite, low - 1, 0)
    assert (dist.logpdf(outside)[finite] == -np.inf).all()
    assert (dist.cdf(outside)[finite] == 0).all()


@pytest.mark.parametrize(
    ("family", "y", "parameters", "expected"),
    [
        ("gamma", 0, (1, 2), 0.5),
        ("gamma", 0, (0.5, 2), np.inf),
        ("gamma", 0, (2, 2), 0),
        ("beta", 0, (1, 3), 3),
        ("beta", 1, (3, 1), 3),
        ("beta", 1, (3, 0.5), np.inf),
        ("beta", 0, (3, 0.5), 0),
        ("lognormal", 0, (0, 1), 0),
        ("bernoulli", 1, (1,), 1),
        ("bernoulli", 0, (1,), 0),
        ("poisson", 2.5, (2,), 0),
    ],
)
def test_density_at_an_edge(family, y, parameters, expected):
    assert EXTREMES[family][0](*parameters).pdf(y) == pytest.approx(expected)
