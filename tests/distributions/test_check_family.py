"""check_family: right families pass, and each law that is broken is named."""

import pickle
import warnings

import numpy as np
import pytest
from gumbel import Gumbel, GumbelFamily
from scipy import stats

from fastmlp import MLPDistributionRegressor
from fastmlp.distributions import Normal, check_family
from fastmlp.distributions._families import FAMILIES

RNG = np.random.default_rng(0)


def test_right_families_pass():
    assert check_family(GumbelFamily()) < 1e-6
    raw = RNG.normal(size=(30, 2))
    assert check_family(GumbelFamily(), raw, RNG.normal(size=30), random_state=RNG) < 1e-6


# densities with steps, whose losses are scores of bins and of quantiles
STEPS = {"histogram", "quantiles"}


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - STEPS))
def test_the_families_that_are_there_pass(name):
    if name == "categorical":
        with pytest.raises(ValueError, match="has to learn its values from y"):
            check_family(name)
        assert check_family(name, RNG.normal(size=(3, 3)), [0.0, 1.0, 2.0]) < 1e-6
        return
    assert check_family(name) < 5e-6  # what a pole of beta leaves of the rule


def test_bins_have_to_be_learned():
    with pytest.raises(ValueError, match="'histogram' has to learn its bins from y"):
        check_family("histogram")


def broken(**methods):
    return type("Broken", (GumbelFamily,), methods)()


def changed(**methods):
    """The family with another distribution."""
    kind = type("Changed", (Gumbel,), methods)

    def from_raw(self, raw, n_targets):
        dist = GumbelFamily.from_raw(self, raw, n_targets)
        return kind(dist.loc, dist.scale)

    return broken(from_raw=from_raw)


def scaled_value(self, raw, y):
    value, grad = GumbelFamily.value_grad(self, raw, y)
    return value, grad * 1.01


def shifted_value(self, raw, y):
    value, grad = GumbelFamily.value_grad(self, raw, y)
    return value + 0.5, grad


def mixed_columns(self, raw, n_targets):
    parts = raw.reshape(len(raw), n_targets, 2)
    dist = Gumbel(parts[..., 0], np.exp(parts[..., 1]))
    return dist if n_targets > 1 else dist[:, 0]


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (broken(value_grad=scaled_value), "gradient is wrong in row"),
        (broken(value_grad=shifted_value), "value_grad's value is .* and -logpdf"),
        (broken(curv=lambda self, raw, y: -GumbelFamily.curv(self, raw, y)), "semi-definite"),
        (changed(_logpdf=lambda self, y: Gumbel._logpdf(self, y) - 0.1), "value_grad's value"),
        (changed(_cdf=lambda self, y: Gumbel._cdf(self, y) ** 1.01), r"cdf\(ppf\(q\)\)"),
        (changed(_ppf=lambda self, q: Gumbel._ppf(self, 1 - q)), "ppf does not increase"),
        (changed(_mean=lambda self: self.loc), r"mean\(\) is"),
        (changed(_var=lambda self: self.scale**2), r"var\(\) is"),
        (changed(_scaled=()), "affine"),
        (broken(from_raw=mixed_columns), "logpdf of two targets"),
        (broken(start=lambda self, y, w: np.zeros(3)), "must return 2 finite raw outputs"),
        (broken(start=lambda self, y, w: np.full(2, np.nan)), "must return 2 finite raw outputs"),
        (broken(support=("at least 3", lambda y: y >= 3)), "must be at least 3; y: row"),
        (broken(from_raw=lambda self, raw, n: Normal(0.0, 1.0)), "of shape"),
        (broken(from_raw=lambda self, raw, n: stats.norm(raw[:, 0])), "must return a distribution"),
        (object(), "value_grad"),
    ],
)
def test_what_is_wrong_is_named(family, words):
    with pytest.raises((ValueError, TypeError), match=words):
        check_family(family)


def test_a_density_that_does_not_integrate_to_one():
    """Its value agrees with it: only the integral can tell."""

    def value_grad(self, raw, y):
        value, grad = GumbelFamily.value_grad(self, raw, y)
        return value + 0.1, grad

    family = changed(_logpdf=lambda self, y: Gumbel._logpdf(self, y) - 0.1)
    type(family).value_grad = value_grad
    with pytest.raises(ValueError, match="pdf, integrated, in row 0"):
        check_family(family)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"raw": np.zeros((3, 5))}, r"raw must have shape \(n, 2\)"),
        ({"raw": np.zeros((3, 2)), "y": np.zeros(4)}, r"y must have shape \(3,\)"),
        ({"tol": 0}, "tol must be positive"),
        ({"raw": "x"}, "raw must be an array of real numbers"),
    ],
)
def test_arguments(arguments, words):
    with pytest.raises((ValueError, TypeError), match=words):
        check_family(GumbelFamily(), **arguments)


@pytest.mark.parametrize("solver", ["lbfgs", "gd", "lm", "newton-cg"])
def test_it_trains(solver):
    """Largest values around a line: what SciPy finds by the likelihood, for two targets at once."""
    X = RNG.uniform(-1, 1, (400, 1))
    y = stats.gumbel_r(3 + 2 * X, 0.7).rvs(random_state=RNG)
    y = np.c_[y, 50 - 10 * y]
    options = {"solver": solver, "max_iter": 500, "learning_rate_init": 0.1, "alpha": 0.0}
    model = MLPDistributionRegressor(GumbelFamily(), (), random_state=0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    dist = pickle.loads(pickle.dumps(model)).predict_dist(X)
    assert dist.shape == (400, 2)
    np.testing.assert_allclose(dist.loc[:, 0], 3 + 2 * X[:, 0], atol=0.25)
    np.testing.assert_allclose(dist.scale[:, 0], 0.7, atol=0.15)
    assert np.isclose(model.score(X, y), stats.gumbel_r(dist.loc, dist.scale).logpdf(y).mean())
    compiled = model.compile()
    np.testing.assert_allclose(compiled.predict(X, return_std=True), (dist.mean(), dist.std()))


def test_it_starts_at_its_marginal_distribution():
    X = RNG.uniform(-1, 1, (300, 1))
    y = stats.gumbel_r(100, 20).rvs(300, random_state=RNG)
    model = MLPDistributionRegressor(GumbelFamily(), (), solver="lbfgs", max_iter=1, init="zeros")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    assert model.score(X, y) > stats.gumbel_r(*stats.gumbel_r.fit(y)).logpdf(y).mean() - 0.02


def test_mini_batches_have_no_python():
    with pytest.raises(ValueError, match="a distribution of your own needs a solver"):
        MLPDistributionRegressor(GumbelFamily(), solver="adam").fit(np.ones((9, 1)), np.arange(9))
