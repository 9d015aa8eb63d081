"""Rows, targets and grids: indexing, broadcasting, blocks; and what is refused."""

import pickle

import numpy as np
import pytest
from families import DRAWN, drawn

from fastmlp.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    Distribution,
    Gamma,
    Histogram,
    Laplace,
    LogNormal,
    NegativeBinomial,
    Normal,
    NormalMixture,
    Poisson,
    Quantiles,
    StudentT,
    _rows,
)

METHODS = ("mean", "var", "std", "median", "mode", "square_integral")
SCORES = ("pdf", "logpdf", "cdf", "crps")


@pytest.mark.parametrize("family", DRAWN)
@pytest.mark.parametrize(
    "key",
    [3, -1, slice(2, 9), slice(None, None, 7), [4, 1, 1], np.arange(50) % 3 == 0, np.int64(5)],
    ids=str,
)
def test_rows_are_picked_as_numpy_does(family, key):
    dist = drawn(family)
    y = dist.sample(1, random_state=0)[0]
    part = dist[key]
    assert part.shape == y[key].shape
    for name in METHODS:
        np.testing.assert_array_equal(getattr(part, name)(), getattr(dist, name)()[key])
    for name in SCORES:
        np.testing.assert_array_equal(getattr(part, name)(y[key]), getattr(dist, name)(y)[key])
    np.testing.assert_array_equal(part.ppf(0.3), dist.ppf(0.3)[key])
    if part.ndim == 0:
        for answer in (part.mean(), part.pdf(0.5), part.cdf(0.5), part.crps(0.5), part.ppf(0.5)):
            assert type(answer) is float, answer
        assert part.pdf([0.5, 1.0, 2.0]).shape == (3,)


@pytest.mark.parametrize("family", DRAWN)
def test_several_targets_and_grids(family):
    dist = drawn(family, n=12)
    both = dist[np.arange(12).reshape(6, 2)]
    assert both.shape == (6, 2) and both.ndim == 2 and len(both) == 6 and len(list(both)) == 6
    y = both.sample(4, random_state=0)
    assert y.shape == (4, 6, 2)
    for name in SCORES:
        whole = getattr(both, name)(y)
        assert whole.shape == (4, 6, 2)
        np.testing.assert_array_equal(whole[2, 3], getattr(both[3], name)(y[2, 3]))
        np.testing.assert_array_equal(whole[:, :, 1], getattr(both[:, 1], name)(y[:, :, 1]))
    np.testing.assert_array_equal(both[..., 0].mean(), both.mean()[..., 0])
    assert both.quantiles([0.1, 0.5, 0.9]).shape == (6, 2, 3)
    np.testing.assert_array_equal(both.quantiles([0.1, 0.5])[..., 1], both.median())
    low, high = both.interval(0.8)
    assert low.shape == high.shape == (6, 2) and (low <= high).all()
    grid = np.linspace(0, 1, 5)
    assert dist[:, None].pdf(grid).shape == (12, 5)
    np.testing.assert_array_equal(dist[:, None].pdf(grid)[7], dist[7].pdf(grid))


@pytest.mark.parametrize("family", DRAWN)
def test_blocks_of_rows_change_nothing(family, monkeypatch):
    dist = drawn(family)
    y, many, grid = dist.sample(1, random_state=0)[0], dist.sample(3), np.linspace(0, 1, 4)

    def answers():
        found = [getattr(dist, name)() for name in METHODS] + [dist.ppf(y % 1), dist[3].pdf(y)]
        for name in SCORES:
            method = getattr(dist, name)
            found += [method(y), method(many), method(0.5), getattr(dist[:, None], name)(grid)]
        return found + list(dist.to_bins(np.linspace(-2, 3, 4)))

    whole = answers()
    for block in (1, 40, 1000):
        monkeypatch.setattr(_rows, "BLOCK", block)
        for one, other in zip(whole, answers(), strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("family", DRAWN)
def test_answers_are_new_arrays(family):
    """Writing into one changes no distribution."""
    dist = drawn(family)
    for name in (*METHODS[:5], "square_integral"):
        before = getattr(dist, name)()
        getattr(dist, name)()[:] = -7
        np.testing.assert_array_equal(getattr(dist, name)(), before)


@pytest.mark.parametrize("family", DRAWN)
def test_pickles(family):
    dist = drawn(family)
    again = pickle.loads(pickle.dumps(dist))
    y = dist.sample(1, random_state=0)[0]
    np.testing.assert_array_equal(again.crps(y), dist.crps(y))
    assert repr(again) == repr(dist) == f"<{type(dist).__name__} of shape (50,)>"


def test_one_scale_for_all_rows_is_not_copied():
    dist = Normal(np.zeros(1000), 2.0)
    assert dist.scale.shape == (1000,) and dist.scale.strides == (0,)
    edges = Histogram(np.full((1000, 4), 0.25), np.arange(5.0)).affine(1.0, 2.0).edges
    assert edges.shape == (1000, 5) and edges.strides[0] == 0


def test_no_rows():
    dist = Normal(np.zeros(0), 1.0)
    assert dist.mean().shape == dist.crps(np.zeros(0)).shape == (0,)
    assert drawn("mixture")[:0].ppf(0.5).shape == (0,)


def test_numbers_of_other_kinds():
    dist = Normal(np.zeros(3, np.float32), np.ones(3, int))
    assert dist.mean().dtype == np.float64
    assert Bernoulli([True, False]).mean().tolist() == [1, 0]
    soft = np.float32([[0.1, 0.2, 0.7000001]])
    assert Categorical(soft).p.sum() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Normal([0, 0, 0], [1, 0, 2]), ValueError, "scale must be positive.*row 1 has 0"),
        (lambda: Normal([0, np.nan], 1), ValueError, "loc must be finite; row 1 has nan"),
        (lambda: Normal(0.0, np.inf), ValueError, "scale must be positive and finite; got inf"),
        (lambda: Normal([0, 1], [1, 2, 3]), ValueError, r"loc \(2,\), scale \(3,\)"),
        (lambda: Normal("a", 1), TypeError, "loc must be an array of real numbers"),
        (lambda: Normal(1j, 1), TypeError, "loc must be an array of real numbers"),
        (lambda: Normal([[1], [1, 2]], 1), TypeError, "loc must be an array of real numbers"),
        (lambda: StudentT(-1, 0, 1), ValueError, "df must be positive"),
        (lambda: Laplace(0, -1), ValueError, "scale must be positive"),
        (lambda: LogNormal(0, 0), ValueError, "sigma must be positive"),
        (lambda: Gamma(0, 1), ValueError, "a must be positive"),
        (lambda: Beta(1, [2, np.nan]), ValueError, "b must be positive.*row 1"),
        (lambda: Poisson([1, -1]), ValueError, "mu must be positive and finite; row 1 has -1"),
        (lambda: NegativeBinomial(1, 0), ValueError, "n must be positive"),
        (lambda: Bernoulli(1.1), ValueError, "p must be from 0 to 1; got 1.1"),
        (
            lambda: Categorical([[0.5, 0.4]]),
            ValueError,
            "p must sum to 1 in each row; row 0 has 0.9",
        ),
        (lambda: Categorical([[1.5, -0.5]]), ValueError, "p must be finite and not negative"),
        (lambda: Categorical(0.5), ValueError, "p needs a last axis"),
        (lambda: Categorical([1.0], [1, 2]), ValueError, r"values must have shape \(1,\)"),
        (lambda: Categorical([0.5, 0.5], [2, 1]), ValueError, "values must be finite and increase"),
        (lambda: NormalMixture([1.0], [0, 1], [1, 1]), ValueError, "same number of components"),
        (lambda: NormalMixture([0.5, 0.5], [0, 1], [1, 0]), ValueError, "scale must be positive"),
        (lambda: Histogram([1.0], [0, 0]), ValueError, "edges must increase"),
        (lambda: Histogram([1.0], [0, 1, 2]), ValueError, "one more than the bins: 2, got 3"),
        (lambda: Histogram([1.0], [0, np.inf]), ValueError, "edges must be finite"),
        (lambda: Quantiles([1.0, 2], [0.1, 1]), ValueError, "levels must be strictly between"),
        (lambda: Quantiles([1.0, 2], [0.5, 0.1]), ValueError, "levels must increase"),
        (lambda: Quantiles([1.0, 2], [0.5]), ValueError, "levels must have shape"),
        (lambda: Quantiles([1.0], [0.5]), ValueError, "at least 2"),
        (lambda: Quantiles([1.0, np.nan], [0.1, 0.5]), ValueError, "values must be finite"),
    ],
)
def test_parameters_out_of_range_are_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


DIST = Normal([0.0, 1.0, 2.0], 1.0)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: DIST.pdf([0, 1]), ValueError, r"y of shape \(2,\) does not fit .*\(3,\)"),
        (lambda: DIST.crps(np.zeros((3, 1))), ValueError, r"dist\[..., None\]"),
        (lambda: DIST.cdf([0, np.nan, 1]), ValueError, "y holds NaN, first in row 1"),
        (lambda: DIST[0].logpdf(np.nan), ValueError, r"y holds NaN\."),
        (lambda: DIST.crps([0, np.inf, 1]), ValueError, "y must be finite; row 1 has inf"),
        (lambda: DIST.ppf(1.5), ValueError, "q must be from 0 to 1; got 1.5"),
        (lambda: DIST.ppf(np.nan), ValueError, "q holds NaN"),
        (lambda: DIST.quantiles([[0.5]]), ValueError, "q must have one dimension"),
        (lambda: DIST.interval(1.0), ValueError, "coverage must be strictly between 0 and 1"),
        (lambda: DIST.interval("90%"), TypeError, "coverage must be"),
        (lambda: DIST.sample(0), ValueError, "n_samples must be at least 1"),
        (lambda: DIST.sample(1.5), TypeError, "n_samples must be an integer"),
        (lambda: DIST.sample(1, "seed"), TypeError, "random_state must be"),
        (lambda: DIST.affine(scale=0), ValueError, "scale must be positive"),
        (lambda: DIST.affine(shift=np.nan), ValueError, "shift must be finite"),
        (lambda: DIST.to_bins([1, 0]), ValueError, "edges must increase"),
        (lambda: DIST.to_bins(np.arange(4.0).reshape(2, 2)), ValueError, "edges must have shape"),
        (lambda: DIST[5], IndexError, "out of bounds"),
        (lambda: DIST[0][0], IndexError, "one row cannot be indexed"),
        (lambda: len(DIST[0]), TypeError, "one row has no len"),
        (lambda: drawn("mixture").frozen(), NotImplementedError, "SciPy has no NormalMixture"),
        (lambda: drawn("histogram").rebin(7), ValueError, "number of bins must be at most 6"),
        (lambda: Poisson([1, 1e9]).to_bins(), ValueError, "give edges"),
    ],
)
def test_arguments_out_of_range_are_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_family_of_ones_own():
    """Two formulas and the parameters are enough for scores, quantiles and samples."""

    class Gumbel(Distribution):
        def __init__(self, loc):
            self._set(loc=np.asarray(loc, dtype=float))

        def _logpdf(self, y):
            return -(y - self.loc) - np.exp(-(y - self.loc))

        def _cdf(self, y):
            return np.exp(-np.exp(-(y - self.loc)))

        def _ppf(self, q):
            return self.loc - np.log(-np.log(q))

        def _mean(self):
            return self.loc + np.euler_gamma

        def _var(self):
            return np.pi**2 / 6

    dist = Gumbel([0.0, 5.0])
    y = np.array([1.0, 4.0])
    grid = np.linspace(-15, 45, 600_001)
    steps = (dist[:, None].cdf(grid) - (y[:, None] <= grid)) ** 2
    np.testing.assert_allclose(dist.crps(y), steps.sum(1) * (grid[1] - grid[0]), rtol=1e-3)
    np.testing.assert_allclose(dist.sample(20_000, random_state=0).mean(0), dist.mean(), atol=0.05)
    np.testing.assert_allclose(dist.std(), np.pi / np.sqrt(6))
    assert dist[1].interval(0.9)[0] == pytest.approx(5 - np.log(np.log(20)))
