"""Families: raw outputs to distributions, starts, supports."""

import pickle

import numpy as np
import pytest

from fastmlp import Network
from fastmlp.distributions import StudentT, resolve_family
from fastmlp.distributions._families import FAMILIES

RNG = np.random.default_rng(0)
N = 400
REAL = RNG.normal(3, 2, N)
COUNTS = RNG.poisson(4, N).astype(float)
# family -> targets of it; for several targets they are taken in columns
TARGETS = {
    "normal": REAL,
    ("normal", (("parametrization", "natural"),)): REAL,
    ("normal", (("scale", "constant"),)): REAL,
    ("normal", (("scale", 1.0),)): REAL,
    "student_t": RNG.standard_t(4, N),
    "laplace": RNG.laplace(1, 3, N),
    "lognormal": np.exp(RNG.normal(1, 0.5, N)),
    "gamma": RNG.gamma(2.5, 2.0, N),
    "negative_binomial": RNG.negative_binomial(3, 0.3, N).astype(float),
    "beta": RNG.beta(2.0, 5.0, N),
    "poisson": COUNTS,
    "bernoulli": (RNG.random(N) < 0.3).astype(float),
    "categorical": RNG.choice([1.0, 2.0, 5.0], N),
}
# families whose loss is no likelihood of y, or has no one best start
SHAPED = {
    "mixture": REAL,
    ("mixture", (("components", 2), ("floor", 0.2))): REAL,
    "histogram": REAL,
    ("histogram", (("bins", 7), ("edges", "width"), ("loss", "crps"))): REAL,
    "quantiles": REAL,
}


def spec_of(key):
    return key if isinstance(key, str) else (key[0], dict(key[1]))


def learned(key):
    y = {**TARGETS, **SHAPED}[key]
    return resolve_family(spec_of(key)).learn(y), y


@pytest.fixture(params=[*TARGETS, *SHAPED], ids=str)
def case(request):
    return learned(request.param)


@pytest.fixture(params=TARGETS, ids=str)
def likelihood(request):
    return learned(request.param)


def network(family, n_targets=1):
    return Network(
        [1, family.n_outputs(n_targets)],
        output_activation=family.output_activation,
        loss=family.loss,
    )


def test_all_families_are_here():
    keys = [*TARGETS, *SHAPED]
    assert set(FAMILIES) == {key if isinstance(key, str) else key[0] for key in keys}


def test_the_loss_is_minus_the_log_density(likelihood):
    """Up to a term of the targets, which the losses of one raw output leave out."""
    family, y = likelihood
    net = network(family)
    raw = family.start(family.encode(y)) + RNG.normal(0, 0.3, (2, N, net.n_raw))
    losses = []
    for part in raw:
        one = Network(
            [net.n_raw, net.n_targets], loss=family.loss, output_activation=net.output_activation
        )
        identity = one.pack([np.eye(net.n_raw)], [np.zeros(net.n_raw)])
        rows = [one.value(identity, part[i : i + 1], family.encode(y)[i : i + 1]) for i in range(N)]
        losses.append(np.array(rows) + family.from_raw(part, 1).logpdf(y))
    np.testing.assert_allclose(losses[0], losses[1], rtol=0, atol=1e-8)
    if family.raws_per_target > 1:
        np.testing.assert_allclose(losses[0], 0, rtol=0, atol=1e-9)


def test_the_start_is_near_the_likeliest_constant(likelihood):
    """Within a hundredth of a nat a row of the best that an optimiser finds."""
    from scipy.optimize import minimize

    family, y = likelihood
    codes = family.encode(y)
    net = network(family)
    objective = net.objective(np.zeros((N, 1)), codes)
    start = family.start(codes)
    assert start.shape == (net.n_raw,)

    def value(raw):
        return objective.value(net.pack([np.zeros((1, net.n_raw))], [raw]))

    best = minimize(value, start, method="BFGS").fun
    assert best - 1e-9 <= value(start) <= best + 0.01
    weights = RNG.integers(0, 3, N).astype(float)
    repeated = np.repeat(codes, weights.astype(int), axis=0)
    np.testing.assert_allclose(family.start(codes, weights), family.start(repeated), rtol=1e-9)


def test_several_targets_are_several_single_ones(case):
    family, y = case
    if family.name == "categorical":
        with pytest.raises(ValueError, match="2 columns"):
            family.learn(np.c_[y, y])
        return
    both, codes = family.encode(np.c_[y, y[::-1]]), family.encode(y)
    starts = family.start(both).reshape(-1, 2)
    np.testing.assert_allclose(starts[:, 0], family.start(codes))
    np.testing.assert_allclose(starts[:, 1], family.start(codes[::-1]))
    raw = RNG.normal(size=(5, family.raws_per_target * 2))
    dist = family.from_raw(raw, 2)
    assert dist.shape == (5, 2)
    alone = family.from_raw(raw[:, 1::2], 1)
    assert alone.shape == (5,)
    np.testing.assert_allclose(dist[:, 1].mean(), alone.mean())
    np.testing.assert_allclose(dist[:, 1].std(), alone.std())


def test_extreme_raw_outputs_have_a_distribution(case):
    family, y = case
    n_raw = family.raws_per_target * family.n_outputs(1)
    for size in (40.0, 700.0, 1e4):
        for _ in range(20):
            raw = RNG.choice([-size, 0.0, size], (1, n_raw))
            dist = family.from_raw(raw, 1)
            with np.errstate(all="raise", under="ignore"):
                assert not np.isnan(dist.pdf(y[:1])).any()
                assert 0 <= dist.cdf(y[0])[0] <= 1
            assert not np.isnan(dist.interval(0.9)).any()


def test_it_pickles(case):
    family, y = case
    again = pickle.loads(pickle.dumps(family))
    raw = RNG.normal(size=(5, family.raws_per_target * family.n_outputs(1)))
    np.testing.assert_array_equal(again.from_raw(raw, 1).mean(), family.from_raw(raw, 1).mean())
    again.check(y)


@pytest.mark.parametrize(
    "name, wrong, words",
    [
        ("poisson", -1.0, "whole numbers of at least 0"),
        ("poisson", 0.5, "whole numbers of at least 0"),
        ("bernoulli", 0.5, "0 or 1"),
        ("lognormal", 0.0, "greater than 0"),
        ("gamma", 0.0, "greater than 0"),
        ("negative_binomial", 1.5, "whole numbers of at least 0"),
        ("beta", 1.0, "greater than 0 and less than 1"),
        ("categorical", 3.0, "one of the 3 values"),
    ],
)
def test_targets_outside_the_support_are_named(name, wrong, words):
    family = resolve_family(name).learn(TARGETS[name])
    y = TARGETS[name].copy()
    family.check(y)
    y[7] = wrong
    with pytest.raises(ValueError, match=f"'{name}' must be {words}.*y: row 7 has {wrong}"):
        family.check(y)


@pytest.mark.parametrize(
    "spec, error, words",
    [
        ("gaussian", ValueError, "did you mean 'normal'"),
        ("Normal", ValueError, "did you mean 'normal'"),
        (("normal", {"sigma": 1}), ValueError, "no parameter 'sigma'; it has: scale, param"),
        (("poisson", {"mu": 1}), ValueError, "it has: none"),
        (("normal", {"scale": -1}), ValueError, "positive"),
        (("normal", {"scale": "rows"}), ValueError, "'row', 'constant' or a positive"),
        (("normal", {"scale": 1.0, "parametrization": "natural"}), ValueError, "scale='row'"),
        (("normal", {"parametrization": "canonical"}), ValueError, "'moments' or 'natural'"),
        (("student_t", {"df": 0}), ValueError, "positive"),
        (("student_t", {"df": "4"}), TypeError, "real number"),
        (
            ("mixture", {"components": 0}),
            ValueError,
            "components of .* must be at least 1",
        ),
        (("mixture", {"components": 2.5}), TypeError, "must be an integer"),
        (
            ("mixture", {"floor": 0.0}),
            ValueError,
            "floor of .*'mixture' must be None or",
        ),
        (("histogram", {"bins": 1}), ValueError, "bins of .*'histogram' must be at least 2"),
        (("histogram", {"loss": "rps"}), ValueError, "must be 'log' or 'crps'"),
        (("histogram", {"edges": "even"}), ValueError, "must be 'mass' or 'width'"),
        (("histogram", {"edges": [0.0, 2.0, 1.0]}), ValueError, "must increase"),
        (("quantiles", {"levels": [0.5, 0.5]}), ValueError, "must increase strictly"),
        (("quantiles", {"levels": [0.5]}), ValueError, "2 to 512 numbers"),
        (("quantiles", {"levels": [0.5, 1.5]}), ValueError, "between 0 and 1"),
        (("normal", 3), TypeError, "distribution is a name"),
        (StudentT, TypeError, "distribution is a name"),
        (None, TypeError, "distribution is a name"),
        ([], TypeError, "distribution is a name"),
    ],
)
def test_unknown_families(spec, error, words):
    with pytest.raises(error, match=words):
        resolve_family(spec)


def test_a_constant_scale_is_that_of_the_residuals():
    family = resolve_family(("normal", {"scale": "constant"}))
    raw, y = RNG.normal(size=(50, 2)), RNG.normal(size=(50, 2))
    weights = RNG.random(50)
    sigma = family.complete(raw, y, weights).from_raw(raw, 2).std()
    expected = np.sqrt(np.average((y - raw) ** 2, axis=0, weights=weights))
    np.testing.assert_allclose(sigma, np.broadcast_to(expected, (50, 2)))
    assert family.complete(raw, y, noise=0.25).from_raw(raw, 2).std()[3, 1] == 0.25
    assert family.from_raw(raw, 2).std()[0, 0] == 1  # the first is not changed


@pytest.mark.parametrize("edges", ["mass", "width"])
def test_bins_cover_the_targets(edges):
    """Also where they repeat; a further one lies beyond with the probability 1 / (n + 1)."""
    for y in (REAL, COUNTS, np.round(REAL, 1), np.full(N, 7.0)):
        family = resolve_family(("histogram", {"bins": 12, "edges": edges})).learn(y)
        at = family.encode(y)
        assert (at > 0).all() and (at < 12).all()
        counts = np.bincount(at.astype(int), minlength=12)
        if edges == "mass" and len(np.unique(y)) > 100:
            assert counts.max() - counts.min() <= 2
        dist = family.from_raw(family.start(at)[None], 1)
        width = np.ptp(dist.edges)
        outside = dist.cdf(dist.edges[0, 0]), 1 - dist.cdf(dist.edges[0, -1])
        np.testing.assert_allclose(outside, 1 / (N + 1), rtol=1e-9)
        assert np.isfinite(dist.logpdf(dist.edges[0, -1] + width)).all()
        grid = np.linspace(dist.edges[0, 0] - 3 * width, dist.edges[0, -1] + 3 * width, 600_001)
        assert np.isclose(np.trapezoid(dist.pdf(grid), grid), 1, atol=1e-3)
        assert family.encode(np.array([-1e9, 1e9])).tolist() == [0, 12]
        assert dist.rebin(4).probas.shape == (1, 4)


def test_several_targets_have_bins_of_their_own():
    y = np.c_[REAL, 100 * REAL + 5]
    family = resolve_family("histogram").learn(y)
    at = family.encode(y)
    np.testing.assert_allclose(at[:, 0], at[:, 1], atol=1e-6)
    dist = family.from_raw(family.start(at)[None], 2)
    np.testing.assert_allclose(dist.mean()[0, 1], 100 * dist.mean()[0, 0] + 5)
    crps = resolve_family(("histogram", {"loss": "crps"}))
    with pytest.raises(ValueError, match="needs edges='width' for several targets"):
        crps.learn(y)
    resolve_family(("histogram", {"loss": "crps", "edges": "width"})).learn(y)


def test_components_do_not_shrink_onto_targets_that_repeat():
    """The floor is half of the smallest gap between grades, in units of their deviation."""
    grades = np.repeat([3.0, 4.0, 5.0, 6.0], [20, 100, 100, 30])
    floors = [resolve_family("mixture").learn(y).loss[1]["floor"] for y in (grades, REAL)]
    np.testing.assert_allclose(floors, [0.5 / grades.std(), 1e-3])
    dist = resolve_family("mixture").learn(grades).from_raw(np.full((1, 9), -50.0), 1)
    np.testing.assert_allclose(dist.std(), floors[0])


def test_raw_quantiles_never_cross():
    raw = RNG.normal(0, 30, (200, 21))
    values = resolve_family("quantiles").from_raw(raw, 1).values
    assert (np.diff(values, axis=1) > 0).all()
