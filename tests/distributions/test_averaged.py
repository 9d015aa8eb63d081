"""Averages stay in a family where they can; the general one agrees with those."""

import numpy as np
import pytest
from families import drawn

from fastmlp.distributions import (
    Averaged,
    Bernoulli,
    Categorical,
    Histogram,
    Normal,
    NormalMixture,
    Poisson,
    average,
)


def pair(family):
    return [drawn(family, 20, seed) for seed in (0, 1)]


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("normal", NormalMixture),
        ("mixture", NormalMixture),
        ("bernoulli", Bernoulli),
        ("categorical", Categorical),
        ("poisson", Averaged),
        ("student_t", Averaged),
    ],
)
def test_density_and_moments(family, kind):
    members, w = pair(family), np.array([0.25, 0.75])
    dist = average(members, w)
    assert type(dist) is kind and dist.shape == (20,)
    y = members[0].sample(1, random_state=0)[0]
    density = sum(v * m.pdf(y) for v, m in zip(w, members, strict=True))
    np.testing.assert_allclose(dist.pdf(y), density, rtol=1e-10)
    mean = w[0] * members[0].mean() + w[1] * members[1].mean()
    np.testing.assert_allclose(dist.mean(), mean, rtol=1e-12)
    second = sum(v * (m.var() + m.mean() ** 2) for v, m in zip(w, members, strict=True))
    np.testing.assert_allclose(dist.var(), second - mean**2, rtol=1e-8)


def test_histograms_of_the_same_bins():
    edges = [0.0, 1.0, 3.0]
    dist = average([Histogram([[0.2, 0.8]], edges), Histogram([[0.6, 0.4]], edges)])
    assert type(dist) is Histogram
    np.testing.assert_allclose(dist.probas, [[0.4, 0.6]])


def test_the_general_answers_are_those_of_a_mixture():
    members = pair("normal")
    general, known = Averaged(members, [0.3, 0.7]), average(members, [0.3, 0.7])
    y = members[1].sample(1, random_state=1)[0]
    for answer in ("pdf", "logpdf", "cdf", "crps"):
        np.testing.assert_allclose(
            getattr(general, answer)(y), getattr(known, answer)(y), rtol=1e-6
        )
    for answer in ("mean", "var", "mode", "square_integral"):
        # the place of a flat maximum has half the digits of its height
        found, wanted = getattr(general, answer)(), getattr(known, answer)()
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(general.ppf(0.9), known.ppf(0.9), rtol=1e-12)


def test_one_of_them_with_all_the_weight():
    members = pair("normal")
    assert average(members, [0, 1]) is members[1]


@pytest.mark.parametrize(
    ("members", "weights", "words"),
    [
        ([], None, "at least one"),
        ([Normal([0.0], 1.0), Poisson([1.0])], None, "discrete or not together"),
        ([Normal([0.0], 1.0), Normal(0.0, 1.0)], None, "one shape"),
        ([Normal(0.0, 1.0)], [0.5, 0.5], r"weights must have shape \(1,\)"),
        ([Normal(0.0, 1.0)] * 2, [0.5, 0.6], "sum"),
    ],
)
def test_refusals(members, weights, words):
    with pytest.raises(ValueError, match=words):
        average(members, weights)
    if words == "one shape":
        with pytest.raises(TypeError, match="must be distributions"):
            average([0.5])
