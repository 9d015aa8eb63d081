"""The Bayesian estimators: known posteriors, laws over drawn problems, scikit-learn's manners."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse, special, stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import BayesianRidge

from fastmlp import BayesianMLPClassifier, BayesianMLPRegressor, Network
from fastmlp.distributions import Laplace as LaplaceDensity
from fastmlp.distributions import Normal, NormalMixture, StudentT
from fastmlp.posteriors import MCMC, POSTERIORS, Ensemble, Laplace, Variational

ONE = Laplace(n_starts=1)
ROWS = ("normal", {"scale": "row"})
NATURAL = ("normal", {"scale": "row", "parametrization": "natural"})


class Flat:
    """Laplace's distribution as a family of one's own, without curvature."""

    raws_per_target, located = 1, True

    def value_grad(self, raw, y):
        away = raw[:, 0] - y.ravel()
        return np.abs(away) + np.log(2), np.sign(away)[:, None]

    def from_raw(self, raw, n_targets):
        return LaplaceDensity(raw[:, 0], 1.0)


def gap(seed, n=80, noise=0.1):
    """Targets on a curve, with nothing between -1 and 1."""
    rng = np.random.default_rng(seed)
    X = np.r_[rng.uniform(-3, -1, n // 2), rng.uniform(1, 3, n - n // 2)]
    phase, speed = rng.uniform(0, 2 * np.pi), rng.uniform(1, 2)
    return X[:, None], np.sin(speed * X + phase) + rng.normal(0, noise, n)


def test_bayesian_ridge():
    """The constant has a flat prior here: with many rows that makes no difference."""
    rng = np.random.default_rng(0)
    X = rng.normal(3, 2, (2000, 5))
    X = (X - X.mean(axis=0)) / X.std(axis=0)  # its prior is in these units
    y = X @ rng.normal(size=5) + 50 + 2 * rng.normal(size=2000)
    flat = dict.fromkeys(("alpha_1", "alpha_2", "lambda_1", "lambda_2"), 0.0)
    ridge = BayesianRidge(tol=1e-12, max_iter=1000, **flat).fit(X, y)
    model = BayesianMLPRegressor(
        hidden_layer_sizes=(), posterior=Laplace(strengths="single"), tol=1e-12, max_iter=500
    ).fit(X, y)
    new = rng.normal(size=(20, 5)) * 3
    (mean, std), (their_mean, their_std) = (m.predict(new, return_std=True) for m in (model, ridge))
    np.testing.assert_allclose(mean, their_mean, rtol=1e-6)
    np.testing.assert_allclose(std, their_std, rtol=2 / 2000)
    noise = model.posterior_.noise * model.y_scale_[0]
    assert noise**-2 == pytest.approx(ridge.alpha_, rel=1 / 1000)
    strength = model.posterior_.evidence.weight_decay / model.y_scale_[0] ** 2
    assert strength == pytest.approx(ridge.lambda_, rel=1e-3)
    assert isinstance(model.predict_dist(new), Normal)


def widening(seed, **settings):
    """How many times the spread from weights in the gap is that on the data."""
    model = BayesianMLPRegressor(hidden_layer_sizes=(10,), random_state=seed, **settings)
    parts = model.fit(*gap(seed)).predict_parts([[-2.0], [2.0], [0.0]])
    np.testing.assert_allclose(parts.aleatoric, parts.aleatoric[0])
    return parts.epistemic[2] / parts.epistemic[:2].max()


def test_the_gap_is_wider_than_the_data():
    assert np.median([widening(seed, posterior=ONE) for seed in range(5)]) > 2


@pytest.mark.slow
def test_gaps_of_drawn_problems_are_wider_than_the_data():
    ratios = [widening(seed) for seed in range(24)]
    assert np.median(ratios) > 3 and np.min(ratios) > 1.3


def test_spread_from_weights_falls_as_rows_grow():
    medians = []
    for n in (30, 120, 480):
        spreads = []
        for seed in range(4):
            X, y = gap(seed, n=n, noise=0.3)
            model = BayesianMLPRegressor(hidden_layer_sizes=(6,), posterior=ONE, random_state=seed)
            spreads.append(model.fit(X, y).predict_parts(X).epistemic.mean())
        medians.append(np.median(spreads))
    # by 1 / sqrt(n): halved by four times the rows
    assert medians[1] < 0.75 * medians[0] and medians[2] < 0.75 * medians[1]


@pytest.mark.parametrize(
    "distribution", [("normal", {"scale": "constant"}), ROWS, NATURAL, "student_t"]
)
def test_parts_and_the_distribution_agree(distribution):
    X, y = gap(0)
    model = BayesianMLPRegressor(distribution, (8,), posterior=ONE, random_state=0).fit(X, y)
    new = np.linspace(-3, 3, 7)[:, None]
    dist, parts = model.predict_dist(new), model.predict_parts(new)
    np.testing.assert_allclose(parts.mean, dist.mean(), rtol=1e-9, atol=1e-12)
    total = parts.epistemic**2 + parts.aleatoric**2
    np.testing.assert_allclose(total, dist.var(), rtol=1e-9)
    mean, std = model.predict(new, return_std=True)
    np.testing.assert_array_equal(mean, dist.mean())
    np.testing.assert_array_equal(std, dist.std())
    if distribution != "student_t":
        drawn = model.sample_predict(new, 4000, random_state=0)
        error = parts.epistemic / np.sqrt(4000)
        if distribution in (
            ROWS,
            NATURAL,
        ):  # whose spread is of all that is drawn, not of the location alone
            assert np.abs(drawn.mean(axis=0) - parts.mean).max() < 5 * error.max()
        np.testing.assert_allclose(drawn.std(axis=0), parts.epistemic, rtol=0.06)


def test_a_scale_in_each_row_is_integrated_as_a_quadrature_does():
    X, y = gap(0)
    model = BayesianMLPRegressor(ROWS, (6,), posterior=ONE, random_state=0).fit(X, y)
    new = np.array([[-2.0], [0.3], [2.5]])
    mean, cov = model.posterior_.moments((new - model.x_mean_) / model.x_scale_)
    at = model.predict(new) + 0.3 * model.predict(new, return_std=True)[1]
    found = model.predict_dist(new).pdf(at)
    for i in range(3):
        y0 = (at[i] - model.y_mean_[0]) / model.y_scale_[0]
        grid = [
            np.linspace(m - 8 * d, m + 8 * d, 801)
            for m, d in zip(mean[i], np.sqrt(cov[i].diagonal()), strict=True)
        ]
        m, s = np.meshgrid(*grid, indexing="ij")
        raw = stats.multivariate_normal(mean[i], cov[i]).pdf(np.stack([m, s], axis=-1))
        exact = (stats.norm.pdf(y0, m, np.exp(s)) * raw).sum() * np.prod(
            [g[1] - g[0] for g in grid]
        )
        assert found[i] == pytest.approx(exact / model.y_scale_[0], rel=1e-4)


@pytest.mark.parametrize("distribution", [ROWS, NATURAL])
def test_a_noise_that_depends_on_x_is_found_and_the_gap_widens(distribution):
    errors, ratios = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X, _ = gap(seed, n=400)
        sigma = 0.05 + 0.1 * np.abs(X[:, 0])
        y = np.sin(1.5 * X[:, 0]) + sigma * rng.normal(size=400)
        model = BayesianMLPRegressor(distribution, (8,), posterior=ONE, random_state=seed)
        model.fit(X, y)
        new = np.r_[np.linspace(-2.8, -1.2, 20), np.linspace(1.2, 2.8, 20)]
        parts = model.predict_parts(new[:, None])
        errors.append(np.mean(np.abs(np.log(parts.aleatoric / (0.05 + 0.1 * np.abs(new))))))
        ratios.append(model.predict_parts([[0.0]]).epistemic[0] / parts.epistemic.mean())
    assert np.mean(errors) < 0.15 and np.min(ratios) > 1.5


def test_probabilities_are_averaged_over_the_logit():
    X, y = gap(1)
    model = BayesianMLPClassifier((6,), posterior=ONE, random_state=0).fit(X, y > 0)
    new = np.array([[-2.0], [0.0], [1.5], [20.0]])
    mean, cov = model.posterior_.moments((new - model.x_mean_) / model.x_scale_)
    for i, p in enumerate(model.predict_proba(new)[:, 1]):
        normal = stats.norm(mean[i, 0], np.sqrt(cov[i, 0, 0]))
        exact = normal.expect(
            special.expit, lb=mean[i, 0] - 9 * normal.std(), ub=mean[i, 0] + 9 * normal.std()
        )
        assert p == pytest.approx(exact, abs=1e-4)
    # less sure than the network itself, on the same side
    own = special.expit(mean[:, 0])
    assert (np.abs(model.predict_proba(new)[:, 1] - 0.5) <= np.abs(own - 0.5) + 1e-12).all()


def test_three_classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 2))
    y = np.array(["a", "b", "c"])[np.digitize(X[:, 0] + 0.2 * rng.normal(size=150), [-0.5, 0.5])]
    model = BayesianMLPClassifier((5,), posterior=ONE, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.85
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    drawn = model.sample_predict(X, 2000, random_state=0)
    assert drawn.shape == (2000, 150, 3)
    assert np.abs(drawn.mean(axis=0) - proba).max() < 0.03
    parts = model.predict_parts(X)
    np.testing.assert_allclose(parts.mean, proba, atol=0.06)
    entropy = special.entr(parts.mean).sum(axis=1)
    np.testing.assert_allclose(parts.epistemic + parts.aleatoric, entropy)
    assert (parts.epistemic >= 0).all() and parts.epistemic.max() > 0.01


@pytest.mark.parametrize("distribution", ["poisson", "student_t", "bernoulli", "categorical"])
def test_other_families(distribution):
    X, y = gap(2)
    y = {"poisson": np.round(np.exp(1 + y)), "student_t": y}.get(distribution, np.round(y > 0))
    model = BayesianMLPRegressor(distribution, (6,), posterior=ONE, random_state=0).fit(X, y)
    dist = model.predict_dist(X)
    assert dist.shape == (80,) and np.isfinite(model.score(X, y))
    assert np.corrcoef(dist.mean(), y)[0, 1] > 0.6
    parts = model.predict_parts([[2.0], [0.0]])
    assert (parts.epistemic > 0).all()
    if distribution == "student_t":
        narrow = StudentT(4, dist.mean(), 1e-3)  # weights of one kind alone are too sure
        assert model.score(X, y) > narrow.logpdf(y).mean()


def test_several_targets():
    X, y = gap(3)
    Y = np.column_stack([y, 100 + 10 * y**2])
    for distribution in (("normal", {"scale": "constant"}), ROWS):
        model = BayesianMLPRegressor(distribution, (8,), posterior=ONE, random_state=0).fit(X, Y)
        mean, std = model.predict(X, return_std=True)
        assert mean.shape == std.shape == (80, 2)
        assert (np.corrcoef(mean.T, Y.T)[[0, 1], [2, 3]] > 0.9).all()
        assert model.predict_parts(X).epistemic.shape == (80, 2)
        assert model.sample_predict(X, 3, 0).shape == (3, 80, 2)


def test_several_modes_make_a_mixture_and_one_a_normal():
    X, y = gap(0)
    assert isinstance(BayesianMLPRegressor(posterior=ONE).fit(X, y).predict_dist(X), Normal)
    several = BayesianMLPRegressor(hidden_layer_sizes=4, random_state=0).fit(X, y)
    assert isinstance(several.predict_dist(X), NormalMixture)
    assert several.log_marginal_likelihood_ == several.posterior_.log_marginal_likelihood


SHORT = {
    "laplace": Laplace(n_starts=1),
    "ensemble": Ensemble(n_members=3),
    "variational": Variational(n_steps=300),
    "mcmc": MCMC(n_chains=2, n_warmup=60, n_draws=60),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", POSTERIORS)
def test_all_posteriors_by_one_path(name):
    X, y = gap(0)
    settings = {"hidden_layer_sizes": (4,), "posterior": SHORT[name], "random_state": 0}
    model = BayesianMLPRegressor(**settings).fit(X, y)
    assert np.sqrt(np.mean((model.predict(X) - y) ** 2)) < 0.3
    parts, dist = model.predict_parts(X), model.predict_dist(X)
    np.testing.assert_allclose(parts.epistemic**2 + parts.aleatoric**2, dist.var(), rtol=1e-9)
    np.testing.assert_array_equal(model.predict(X[:3]), model.predict(X)[:3])
    assert model.sample_predict(X, 3, random_state=0).shape == (3, 80)
    assert (model.log_marginal_likelihood_ is None) == (name in ("ensemble", "mcmc"))
    pickle.loads(pickle.dumps(model)).predict(X)
    proba = BayesianMLPClassifier(**settings).fit(X, y > 0).predict_proba(X)
    assert np.mean((proba[:, 1] > 0.5) == (y > 0)) > 0.9


def test_weights_are_rows():
    X, y = gap(0)
    w = np.random.default_rng(0).integers(0, 3, len(y))
    settings = {"hidden_layer_sizes": (4,), "posterior": ONE, "random_state": 0, "tol": 1e-8}
    weighted = BayesianMLPRegressor(**settings).fit(X, y, sample_weight=w)
    repeated = BayesianMLPRegressor(**settings).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    new = np.linspace(-3, 3, 9)[:, None]
    for a, b in zip(*(m.predict(new, return_std=True) for m in (weighted, repeated)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_units_do_not_matter():
    X, y = gap(0)
    settings = {"hidden_layer_sizes": (4,), "posterior": ONE, "random_state": 0}
    one = BayesianMLPRegressor(**settings).fit(X, y)
    other = BayesianMLPRegressor(**settings).fit(1e3 * X - 50, 1e-4 * y + 7)
    mean, std = one.predict(X, return_std=True)
    there, spread = other.predict(1e3 * X - 50, return_std=True)
    np.testing.assert_allclose(there, 1e-4 * mean + 7, rtol=1e-6)
    np.testing.assert_allclose(spread, 1e-4 * std, rtol=1e-4)


def test_pickles_clones_and_draws():
    X, y = gap(0)
    posterior = Laplace("layer", n_starts=2)
    model = BayesianMLPRegressor(hidden_layer_sizes=4, posterior=posterior, random_state=0)
    assert clone(model).get_params()["posterior__structure"] == "layer"
    assert clone(model).set_params(posterior__structure="full").posterior.structure == "full"
    model.fit(X, y)
    assert vars(posterior) == vars(Laplace("layer", n_starts=2))  # fit changes none of it
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    drawn = model.sample_predict(X, 3, random_state=1)
    np.testing.assert_array_equal(drawn, again.sample_predict(X, 3, random_state=1))
    assert np.abs(drawn - model.sample_predict(X, 3, random_state=2)).max() > 0


def test_large_networks_get_adam_and_the_last_layer():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 30))
    y = X[:, 0] + 0.1 * rng.normal(size=200)
    model = BayesianMLPRegressor(hidden_layer_sizes=(100,), random_state=0, max_iter=60)
    model.fit(X, y)
    assert "epoch" in model.status_ or model.n_iter_ <= 60
    (mode,) = model.posterior_.modes
    assert mode.mode.size == 101 < model.network_.n_params
    assert (model.predict(X, return_std=True)[1] > 0).all()


def test_sparse_rows():
    X, y = gap(0)
    X = np.column_stack([X, np.where(X > 2, X, 0)])
    model = BayesianMLPRegressor(hidden_layer_sizes=4, posterior=ONE, random_state=0)
    rows = sparse.csr_array(X)
    model.fit(rows, y)
    np.testing.assert_allclose(model.predict(rows), model.predict(X), rtol=1e-9)
    np.testing.assert_allclose(
        clone(model).fit(X, y).predict(rows), clone(model).fit(X, y).predict(X)
    )


@pytest.mark.parametrize("kind", [BayesianMLPRegressor, BayesianMLPClassifier])
@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
def test_never_nan_however_far_away(kind, activation):
    X, y = gap(0)
    model = kind(hidden_layer_sizes=4, activation=activation, posterior=ONE, random_state=0)
    model.fit(X, y > 0)
    far = np.array([[1e8], [-1e30], [1e200], [-1e308]])
    if kind is BayesianMLPClassifier:
        proba = model.predict_proba(far)
        assert ((proba >= 0) & (proba <= 1)).all()
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        assert np.isfinite(model.predict_parts(far).epistemic).all()
    else:
        mean, std = model.predict(far, return_std=True)
        assert np.isfinite(mean).all() and (std > 0).all() and not np.isnan(std).any()


def test_bad_input():
    X, y = gap(0)
    with pytest.raises(NotFittedError):
        BayesianMLPRegressor().predict(X)
    with pytest.raises(NotFittedError):
        _ = BayesianMLPClassifier().log_marginal_likelihood_
    with pytest.raises(ValueError, match="posterior='laplac' is not valid.*Did you mean 'laplace'"):
        BayesianMLPRegressor(posterior="laplac").fit(X, y)
    with pytest.raises(ValueError, match="n_samples=0 is not valid"):
        BayesianMLPRegressor(n_samples=0).fit(X, y)
    with pytest.raises(ValueError, match="unknown|distribution"):
        BayesianMLPRegressor("gauss").fit(X, y)
    with pytest.raises(ValueError, match="whole numbers of at least 0; y: row 0"):
        BayesianMLPRegressor("poisson").fit(X, y)
    with pytest.raises(ValueError, match="Take scale='constant' or 'row'"):
        BayesianMLPRegressor(("normal", {"scale": 0.1})).fit(X, y)
    with pytest.raises(ValueError, match="n_samples = 1"):
        BayesianMLPRegressor().fit(X, y, sample_weight=np.eye(80)[0])
    with pytest.raises(ValueError, match="at least 2 classes, got 1 class"):
        BayesianMLPClassifier().fit(X, np.zeros(80, int))
    model = BayesianMLPRegressor(hidden_layer_sizes=2, posterior=ONE).fit(X, y)
    with pytest.raises(ValueError, match="n must be at least 1"):
        model.sample_predict(X, 0)
    with pytest.raises(ValueError, match="NaN"):
        model.predict_dist([[np.nan]])


def test_a_fit_that_fails_changes_nothing():
    X, y = gap(0)
    model = BayesianMLPRegressor(hidden_layer_sizes=3, posterior=ONE, random_state=0).fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="no method curv"):
        model.set_params(distribution=Flat(), solver="lbfgs").fit(np.column_stack([X, X]), 5 * y)
    np.testing.assert_array_equal(model.predict(X), before)


def test_threads_change_no_result():
    X, y = gap(0)
    one, two = (
        BayesianMLPRegressor(hidden_layer_sizes=3, random_state=0, n_threads=n).fit(X, y)
        for n in (1, 2)
    )
    np.testing.assert_allclose(one.predict(X), two.predict(X), rtol=1e-6, atol=1e-8)


def test_constant_targets_are_a_warning():
    X, _ = gap(0)
    model = BayesianMLPRegressor(hidden_layer_sizes=3, posterior=ONE, random_state=0)
    with pytest.warns(UserWarning, match="noise has collapsed to zero"):
        model.fit(X, np.full(80, 3.0))
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(mean, 3, atol=1e-4)
    assert (std > 0).all() and np.isfinite(std).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, gap(0)[1])


def drawn_problem(seed, n_test=1000):
    """A network drawn from a prior, with noise of one size: what the default model assumes."""
    rng = np.random.default_rng(seed)
    n_features = int(rng.choice([1, 2, 4]))
    n = int(np.exp(rng.uniform(np.log(30), np.log(300))))
    net = Network([n_features, int(rng.choice([2, 4, 8])), 1], activation="tanh")
    X = rng.normal(size=(n + n_test, n_features))
    truth = net.raw(rng.normal(0, 1.5, net.n_params), X)[:, 0]
    truth = (truth - truth.mean()) / truth.std()
    y = truth + np.exp(rng.uniform(np.log(0.05), np.log(0.7))) * rng.normal(size=len(truth))
    return X[:n], y[:n], X[n:], y[n:]


@pytest.mark.slow
def test_intervals_cover_on_drawn_problems():
    coverage = []
    for seed in range(20):
        X, y, new, there = drawn_problem(seed)
        model = BayesianMLPRegressor(random_state=seed).fit(X, y)
        lower, upper = model.predict_interval(new, coverage=0.9)
        coverage.append(np.mean((lower <= there) & (there <= upper)))
    assert 0.85 < np.mean(coverage) < 0.95
    assert np.quantile(coverage, 0.1) > 0.8


@pytest.mark.parametrize(
    "posterior",
    [ONE, Laplace(structure="layer", n_starts=1), Variational(n_steps=5), Ensemble(n_members=2)],
)
def test_skops_loads_what_it_saved(posterior):
    sio = pytest.importorskip("skops.io")
    X, y = gap(0)
    model = BayesianMLPRegressor(hidden_layer_sizes=(3,), posterior=posterior, random_state=0)
    saved = sio.dumps(model.fit(X, y))
    loaded = sio.loads(saved, trusted=sio.get_untrusted_types(data=saved))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    if isinstance(posterior, Ensemble):
        results = pickle.loads(pickle.dumps(model)).posterior_.results
        assert [result.message for result in results] == [
            result.message for result in model.posterior_.results
        ]


def test_equal_ensembles_make_equal_files():
    X, y = gap(0)
    model = BayesianMLPRegressor(hidden_layer_sizes=(3,), posterior=Ensemble(2), random_state=0)
    one, other = (pickle.dumps(clone(model).fit(X, y)) for _ in range(2))
    assert one == other


def test_a_likelihood_without_limit_is_said_to_be_one():
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = BayesianMLPRegressor(
        ROWS, (4,), posterior=Variational(n_steps=50), max_iter=20, random_state=0
    )
    with pytest.warns(UserWarning, match="scale has collapsed"):
        model.fit(X, X[:, 0])
    assert np.isfinite(model.predict(X)).all()
    model.set_params(posterior=Variational(n_steps=50, learning_rate=1e308))
    with pytest.raises(ValueError, match=r"bound is not finite.*'constant'"):
        model.fit(X, X[:, 0])


def test_the_order_of_the_memory_of_X_changes_nothing(rng):
    X = rng.normal(size=(203, 5))
    y = np.sin(X.sum(axis=1))
    model = BayesianMLPRegressor(hidden_layer_sizes=(3,), posterior=ONE, max_iter=5, random_state=0)
    by_rows, by_columns = (clone(model).fit(Z, y) for Z in (X, np.asfortranarray(X)))
    assert np.array_equal(by_rows.x_mean_, by_columns.x_mean_)
    assert np.array_equal(by_rows.predict(X), by_columns.predict(np.asfortranarray(X)))
