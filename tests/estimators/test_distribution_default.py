"""What MLPDistributionRegressor() does with few rows: a law over drawn problems."""

import warnings

import numpy as np
import pytest

from fastmlp import MLPDistributionRegressor
from fastmlp.solvers import Adam

N_NEW = 2000


def drawn(seed, least=100, most=3000):
    """``least`` to ``most`` rows, 1 to 8 features; of odd seeds the noise depends on them, too."""
    rng = np.random.default_rng([seed, 77])
    n, d = int(np.exp(rng.uniform(np.log(least), np.log(most)))), int(rng.integers(1, 9))
    X = rng.uniform(-1.7, 1.7, (n + N_NEW, d))
    k = min(d, 3)
    A = rng.normal(size=(d, k)) / np.sqrt(d)
    f = np.sin(X @ A * rng.uniform(0.7, 2) + rng.uniform(0, 6, k)).sum(axis=1)
    f += 0.5 * X @ rng.normal(size=d) / np.sqrt(d)
    f = (f - f.mean()) / f.std()
    scale = np.full(len(X), np.exp(rng.uniform(np.log(0.05), 0)))
    if seed % 2:
        b = rng.normal(size=d) / np.sqrt(d)
        wave = np.sin(1.3 * X @ b + rng.uniform(0, 6))
        scale = scale * np.exp(rng.uniform(0.3, 0.9) * wave)
    return X, f + scale * rng.normal(size=len(X)), f, scale, n


def lost(seed, sizes=(100, 3000), **options):
    """Nats a row lost to the truth on new rows, and how far log sigma is off in the mean."""
    X, y, f, scale, n = drawn(seed, *sizes)
    model = MLPDistributionRegressor(random_state=0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dist = model.fit(X[:n], y[:n]).predict_dist(X[n:])
    z = (y[n:] - f[n:]) / scale[n:]
    truth = -0.5 * z**2 - np.log(scale[n:]) - 0.5 * np.log(2 * np.pi)
    off = np.log(dist.std() / scale[n:]).mean()
    return np.mean(truth - dist.logpdf(y[n:])), abs(off)


def compared(seeds):
    names = {"auto": {}, "adam": {"solver": "adam"}, "lbfgs": {"solver": "lbfgs"}}
    names["lm"] = {"solver": "lm", "early_stopping": True}
    return {
        name: np.array([lost(seed, **options) for seed in seeds]).T
        for name, options in names.items()
        if name in ("auto", "adam") or len(seeds) > 12
    }


def test_few_rows_by_default_in_brief():
    """Batches of few rows make too few steps for adam: sigma stays where the targets' spread is."""
    found = compared(range(8))
    (auto, off), (adam, adam_off) = found["auto"], found["adam"]
    assert np.quantile(auto, 0.75) < 0.75 * np.quantile(adam, 0.75)
    assert auto.max() < 2 and off.mean() < 0.9 * adam_off.mean()


def test_less_than_eighty_rows_by_default():
    """A tenth of them is too few to say when to stop."""
    auto, tenth = (
        np.array([lost(seed, (20, 80), early_stopping=how)[0] for seed in range(36)])
        for how in ("auto", True)
    )
    assert np.median(auto) < 1.4 and np.quantile(auto, 0.75) < 2.3 and auto.max() < 15, auto
    assert np.minimum(auto, 10).mean() < 0.85 * np.minimum(tenth, 10).mean()


@pytest.mark.slow
def test_few_rows_by_default():
    found = compared(range(36))
    auto, off = found["auto"]
    assert auto.max() < 3 and np.median(auto) < 0.35 and np.quantile(auto, 0.75) < 0.75
    assert np.median(off) < 0.2
    assert np.quantile(auto, 0.75) < 0.85 * np.quantile(found["adam"][0], 0.75)
    for other in ("lbfgs", "lm"):  # the first without early stopping: it follows the noise
        assert np.median(auto) < 1.1 * np.median(found[other][0])


def test_which_solver_it_is(rng):
    X = rng.normal(size=(3000, 2))
    y = X[:, 0] + rng.normal(size=3000)
    few, many = slice(0, 300), slice(0, 3000)
    model = MLPDistributionRegressor(hidden_layer_sizes=(3,), max_iter=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert model.fit(X[few], y[few]).t_ == 0 and len(model.validation_scores_) == 3
        same = model.set_params(solver="newton-cg", early_stopping=True)
        np.testing.assert_array_equal(model.theta_, same.fit(X[few], y[few]).theta_)
        model.set_params(solver="auto", early_stopping="auto")
        assert model.fit(X[many], y[many]).t_ == 9000 and model.validation_scores_ is None
        curve = model.loss_curve_
        assert curve == model.set_params(solver="adam").fit(X[many], y[many]).loss_curve_
        model.set_params(solver="auto", max_iter=50)
        assert model.partial_fit(X[few], y[few]).t_ == 9300
        assert MLPDistributionRegressor(early_stopping=False).fit(X[:50], y[:50]).t_ == 0
        assert MLPDistributionRegressor().fit(X[:9], y[:9]).validation_scores_ is None
        assert MLPDistributionRegressor("quantiles").fit(X[few], y[few]).best_loss_ is None
    with pytest.warns(UserWarning, match="learning_rate_init=0.01 is ignored, since solver='auto'"):
        MLPDistributionRegressor(learning_rate_init=0.01).fit(X[few], y[few])
    with pytest.raises(ValueError, match="Did you mean 'auto'"):
        MLPDistributionRegressor(early_stopping="aut").fit(X, y)


def test_early_stopping_watches_the_likelihood(rng):
    """Batches are of beta-NLL, whose factor is no part of a value: scores are plain means."""
    X = rng.uniform(-1, 1, (400, 1))
    y = np.sin(3 * X[:, 0]) + np.exp(X[:, 0]) * rng.normal(size=400)
    model = MLPDistributionRegressor(
        hidden_layer_sizes=(5,), solver=Adam(), max_iter=4, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X[:300], y[:300], None, X[300:], y[300:])
    best = np.argmax(model.validation_scores_)
    assert best == 3  # theta_ is the last epoch's
    expected = model.score(X[300:], y[300:]) + np.log(model.y_scale_[0])
    assert model.validation_scores_[best] == pytest.approx(expected, rel=1e-10)
