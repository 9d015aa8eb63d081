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
    "poisson": COUNTS,
    "bernoulli": (RNG.random(N) < 0.3).astype(float),
    "categorical": RNG.choice([1.0, 2.0, 5.0], N),
}


def spec_of(key):
    return key if isinstance(key, str) else (key[0], dict(key[1]))


@pytest.fixture(params=TARGETS, ids=str)
def case(request):
    y = TARGETS[request.param]
    return resolve_family(spec_of(request.param)).learn(y), y


def network(family, n_targets=1):
    return Network(
        [1, family.n_outputs(n_targets)],
        output_activation=family.output_activation,
        loss=family.loss,
    )


def test_all_families_are_here():
    assert set(FAMILIES) == {key if isinstance(key, str) else key[0] for key in TARGETS}


def test_the_loss_is_minus_the_log_density(case):
    """Up to a term of the targets, which the losses of one raw output leave out."""
    family, y = case
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


def test_the_start_is_near_the_likeliest_constant(case):
    """Within a hundredth of a nat a row of the best that an optimiser finds."""
    from scipy.optimize import minimize

    family, y = case
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
    both = np.c_[y, y[::-1]]
    starts = family.start(both).reshape(-1, 2)
    np.testing.assert_allclose(starts[:, 0], family.start(y))
    np.testing.assert_allclose(starts[:, 1], family.start(y[::-1]))
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
