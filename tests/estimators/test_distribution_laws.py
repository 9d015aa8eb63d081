"""Simulations from each family itself: what is learned is calibrated, in any units."""

import warnings
import zlib

import numpy as np
import pytest

from fastmlp import MLPDistributionRegressor, metrics
from fastmlp.distributions import Categorical, resolve_family
from fastmlp.distributions._families import FAMILIES

N = 4000
FREE = ("histogram", "quantiles")  # of any shape: they learn the normal's


def simulated(name, seed):
    """2 N rows of a family whose raw outputs are waves of x."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    X = rng.uniform(-1, 1, (2 * N, 1))
    if name == "categorical":
        raw = X * [[-1.0, 0.0, 1.5]]
        truth = Categorical(np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True), [1, 2, 5])
    else:
        family = resolve_family("normal" if name in FREE else name)
        shape = (1, family.raws_per_target)
        raw = rng.uniform(-1, 1, shape) + np.sin(3 * X + rng.uniform(0, 6, shape))
        truth = family.from_raw(raw, 1)
    y = truth.sample(random_state=rng)[0]
    if name == "beta":  # draws round to the ends, which are outside
        y = np.clip(y, np.finfo(float).tiny, 1 - np.finfo(float).epsneg)
    return X, y, truth, rng


def learned(name, X, y, **options):
    solver = "lbfgs" if name == "quantiles" else "lm"  # which has no curvature
    options = {"solver": solver, "max_iter": 150, "random_state": 0} | options
    model = MLPDistributionRegressor(name, (8,), "tanh", **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X[: N - 800], y[: N - 800], None, X[N - 800 : N], y[N - 800 : N])


def judged(name, seed):
    """Share of 90 % intervals that hold, distance of the PIT from uniform, nats lost."""
    X, y, truth, rng = simulated(name, seed)
    dist = learned(name, X, y).predict_dist(X[N:])
    new = y[N:]
    held = metrics.interval_coverage(new, *dist.interval(0.9))
    levels = np.sort(metrics.pit(new, dist, random_state=rng))
    distance = np.abs(levels - (np.arange(N) + 0.5) / N).max()
    lost = np.mean(truth[N:].logpdf(new) - dist.logpdf(new))
    return held, distance, lost, dist.discrete


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_learned_is_calibrated(name):
    """Five draws: their mean coverage within 88 and 92 %, and no PIT far from uniform.

    .05 is Kolmogorov and Smirnov's distance of two samples of these sizes at 1e-4: rows that were
    fitted, and rows that are judged.
    """
    results = [judged(name, seed) for seed in range(5)]
    held, distance, lost, discrete = map(np.array, zip(*results, strict=True))
    assert (distance < 0.05).all(), distance
    if name in FREE:  # bins and straight pieces are no normal density: wider, by a little
        assert 0.88 < held.mean() < 0.93, held
        return
    assert (lost < 0.02).all(), lost
    if discrete[0]:  # whose intervals hold more
        assert (held > 0.88).all(), held
    else:
        assert 0.88 < held.mean() < 0.92, held


def test_what_is_learned_is_calibrated_in_brief():
    held, distance, lost, _ = judged("normal", 0)
    assert 0.88 < held < 0.92
    assert distance < 0.05
    assert lost < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, kind in FAMILIES.items() if kind.located])
@pytest.mark.parametrize(("shift", "scale"), [(1e6, 1.0), (-3.0, 1e-8), (5e9, 1e8)])
def test_other_units(name, shift, scale):
    """y -> a + b y: the same fit up to rounding, its distribution moved along."""
    X, y, *_ = simulated(name, 9)
    model = learned(name, X, y, max_iter=15)
    other = learned(name, X, shift + scale * y, max_iter=15)
    expected = model.predict_dist(X).affine(shift, scale)
    got = other.predict_dist(X)
    unit = scale * y.std()
    np.testing.assert_allclose(got.median(), expected.median(), atol=1e-3 * unit, rtol=0)
    np.testing.assert_allclose(
        got.ppf(0.9) - got.median(), expected.ppf(0.9) - expected.median(), rtol=1e-3
    )
