"""MLPDistributionRegressor: what it says is what its family says, in the units of y."""

import pickle
import re
import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from fastmlp import MLPDistributionRegressor, MLPRegressor
from fastmlp.distributions import Normal
from fastmlp.solvers import LevenbergMarquardt

RNG = np.random.default_rng(0)
N = 120
X = RNG.uniform(-1, 1, (N, 2))
MEAN, SIGMA = 50 + 10 * X[:, 0], 1 + 2 * (X[:, 1] > 0)
Y = RNG.normal(MEAN, SIGMA)
COUNTS = RNG.poisson(np.exp(1 + X[:, 0])).astype(float)
TARGETS = {
    "normal": Y,
    "student_t": Y,
    "laplace": Y,
    "lognormal": np.exp(Y / 20),
    "poisson": COUNTS,
    "bernoulli": (COUNTS > 2).astype(float),
    "categorical": np.minimum(COUNTS, 3) * 10,
}
CONSTANT = ("normal", {"scale": "constant"})
NATURAL = ("normal", {"parametrization": "natural"})


def make(distribution="normal", **options):
    options = {"hidden_layer_sizes": (4,), "activation": "tanh", "random_state": 0} | options
    return MLPDistributionRegressor(distribution, **{"solver": "lm", "max_iter": 30} | options)


def fit(distribution="normal", X=X, y=None, *arguments, **options):
    y = TARGETS[distribution] if y is None else y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(distribution, **options).fit(X, y, *arguments)


@pytest.fixture(params=TARGETS)
def name(request):
    return request.param


def test_predictions_are_those_of_the_distribution(name):
    model, y = fit(name), TARGETS[name]
    dist = model.predict_dist(X)
    assert dist.shape == (N,)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_array_equal(model.predict(X), mean)
    np.testing.assert_array_equal([mean, std], [dist.mean(), dist.std()])
    levels = [0.1, 0.5, 0.95]
    quantiles = model.predict_quantiles(X, levels)
    assert quantiles.shape == (N, 3)
    np.testing.assert_array_equal(model.predict_interval(X, 0.9), dist.interval(0.9))
    full = model.predict(X, output_type="full", quantiles=levels)
    assert set(full) == {"mean", "median", "mode", "quantiles", "dist"}
    np.testing.assert_array_equal(np.stack(full["quantiles"], axis=1), quantiles)
    for kind in ("mean", "median", "mode", "quantiles"):
        levels_ = {"quantiles": levels} if kind == "quantiles" else {}
        np.testing.assert_array_equal(model.predict(X, output_type=kind, **levels_), full[kind])
    assert len(model.predict(X, output_type="quantiles")) == 9
    assert set(model.predict(X, output_type="main")) == set(full) - {"dist"}
    weights = RNG.random(N)
    expected = np.average(dist.logpdf(y), weights=weights)
    assert np.isclose(model.score(X, y, weights), expected)


def test_arguments_of_predict_that_exclude_each_other():
    model = fit()
    with pytest.raises(ValueError, match="output_type must be None, 'mean'.*did you mean"):
        model.predict(X, output_type="Median")
    with pytest.raises(ValueError, match="return_std=True goes with the mean"):
        model.predict(X, return_std=True, output_type="median")
    with pytest.raises(ValueError, match="predict_quantiles"):
        model.predict(X, quantiles=[0.5])
    with pytest.raises(ValueError, match="q must be from 0 to 1"):
        model.predict_quantiles(X, [0.5, 1.5])
    with pytest.raises(NotFittedError):
        make().predict_dist(X)


@pytest.mark.parametrize("name", ["normal", "student_t", "laplace", "lognormal"])
def test_the_score_is_scipys_log_density(name):
    model = fit(name)
    frozen = model.predict_dist(X).frozen()
    assert np.isclose(
        model.score(X, TARGETS[name]), frozen.logpdf(TARGETS[name]).mean(), rtol=1e-10
    )


@pytest.mark.parametrize("name", ["normal", CONSTANT, NATURAL, "student_t", "laplace"])
@pytest.mark.parametrize("solver", ["lm", "lbfgs", "adam"])
def test_units_of_targets(name, solver):
    """y -> a + b y shifts and scales the distribution, and moves the score by ln b."""
    model = fit(name, y=Y, solver=solver, max_iter=10)
    other = fit(name, y=1000 + 100 * Y, solver=solver, max_iter=10)
    expected = model.predict_dist(X).affine(1000, 100)
    dist = other.predict_dist(X)
    np.testing.assert_allclose(dist.mean(), expected.mean(), rtol=1e-6)
    np.testing.assert_allclose(dist.std(), expected.std(), rtol=1e-5)
    assert np.isclose(other.score(X, 1000 + 100 * Y), model.score(X, Y) - np.log(100), atol=1e-5)


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "lm"])
def test_a_known_scale_of_one_is_squared_error(solver):
    options = {"solver": solver, "random_state": 1, "max_iter": 15, "hidden_layer_sizes": (5,)}
    y = Y - 50
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPDistributionRegressor(("normal", {"scale": 1}), **options).fit(X, y)
        point = MLPRegressor("squared_error", **options).fit(X, y)
    assert model.loss_curve_ == point.loss_curve_
    np.testing.assert_array_equal(model.theta_, point.theta_)
    np.testing.assert_array_equal(model.predict(X), point.predict(X))
    np.testing.assert_array_equal(model.predict(X, return_std=True)[1], 1)
    expected = stats.norm(point.predict(X)).logpdf(y).mean()
    assert np.isclose(model.score(X, y), expected, rtol=1e-12)


def test_a_known_scale_is_in_the_units_of_y():
    """The minimum is that of (y - m)^2 / (2 s^2) + alpha / (2 n) |W|^2, W in units of s."""
    model = fit(("normal", {"scale": 5.0}), y=Y, hidden_layer_sizes=(), alpha=20.0, max_iter=200)
    np.testing.assert_array_equal(model.predict(X, return_std=True)[1], 5.0)
    centred = X - X.mean(axis=0)
    slope = np.linalg.solve(centred.T @ centred + 20 * np.eye(2), centred.T @ (Y - Y.mean()))
    np.testing.assert_allclose(model.coefs_[0].ravel() * 5, slope, rtol=1e-4)
    scaled = fit(("normal", {"scale": 5.0}), y=Y, standardize=True, hidden_layer_sizes=())
    np.testing.assert_allclose(scaled.predict(X).mean(), Y.mean(), rtol=1e-6)


def test_a_constant_scale_is_that_of_the_residuals():
    model = fit(CONSTANT, y=np.c_[Y, COUNTS])
    residuals = np.c_[Y, COUNTS] - model.predict(X)
    np.testing.assert_allclose(model.scale_, np.sqrt((residuals**2).mean(axis=0)), rtol=1e-10)
    std = model.predict(X, return_std=True)[1]
    np.testing.assert_allclose(std, np.broadcast_to(model.scale_, std.shape), rtol=1e-12)
    weights = RNG.integers(0, 3, N)
    weighted = fit(CONSTANT, X, Y, weights.astype(float))
    repeated = fit(CONSTANT, np.repeat(X, weights, axis=0), np.repeat(Y, weights))
    np.testing.assert_allclose(weighted.scale_, repeated.scale_, rtol=1e-3)


def test_a_constant_scale_goes_by_rows_that_the_weights_have_not_seen():
    """Thirty units on sixty rows: their own residuals would be far too small."""
    options = {"hidden_layer_sizes": (30,), "max_iter": 200, "alpha": 0.0}
    X_new = RNG.uniform(-1, 1, (2000, 2))
    y_new = RNG.normal(50 + 10 * X_new[:, 0], 2)
    y = RNG.normal(MEAN, 2)
    train, held = slice(60), slice(60, None)
    seen = fit(CONSTANT, X[train], y[train], **options)
    stopped = fit(CONSTANT, X[train], y[train], None, X[held], y[held], **options)
    residuals = y[held] - stopped.predict(X[held])
    np.testing.assert_allclose(stopped.scale_, np.sqrt((residuals**2).mean()), rtol=1e-10)

    def truth(model):
        return np.sqrt(np.mean((y_new - model.predict(X_new)) ** 2))

    assert seen.scale_[0] < 0.7 * truth(seen)
    assert 0.8 < stopped.scale_[0] / truth(stopped) < 1.25


def test_a_constant_scale_is_the_evidences():
    """Which allows for the parameters that were fitted: sqrt(RSS / (n - effective))."""
    model = fit(CONSTANT, y=Y, solver=LevenbergMarquardt(evidence=True), max_iter=100)
    evidence = model.evidence_
    np.testing.assert_allclose(model.scale_, evidence.noise * model.y_scale_)
    rss = np.sum((Y - model.predict(X)) ** 2)
    expected = np.sqrt(rss / (N - evidence.effective_params))
    np.testing.assert_allclose(model.scale_, expected, rtol=0.01)


@pytest.mark.parametrize("n_starts", [1, 2])
def test_output_biases_start_at_the_distribution_of_all_targets(name, n_starts):
    """A fit that does not move, and one that knows nothing of X."""
    model = fit(name, solver="sgd", learning_rate_init=1e-14, max_iter=1, n_starts=n_starts)
    best = fit(name, hidden_layer_sizes=(), alpha=1e9, max_iter=100)
    raw = model.intercepts_[-1] - (name == "categorical") * model.intercepts_[-1].mean()
    wanted = best.intercepts_[-1] - (name == "categorical") * best.intercepts_[-1].mean()
    np.testing.assert_allclose(raw, wanted, atol=0.1)
    assert np.abs(wanted).max() > 0.2 or name in ("normal", "student_t", "laplace")


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"standardize": True}])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiled(name, options, dtype):
    model = fit(name, X.astype(dtype), **options)
    compiled = pickle.loads(pickle.dumps(model.compile()))
    rtol = 1e-10 if dtype is np.float64 else 1e-4
    expected = np.array(model.predict(X.astype(dtype), return_std=True))
    found = compiled.predict(X.astype(dtype), return_std=True)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)
    one = compiled.predict(X[3].astype(dtype), return_std=True)
    assert np.ndim(one[0]) == 0
    np.testing.assert_allclose(one, expected[:, 3], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(compiled(X.astype(dtype)), expected[0], rtol=rtol, atol=rtol)
    dist = compiled.predict_dist(X.astype(dtype))
    np.testing.assert_allclose(
        dist.cdf(TARGETS[name]), model.predict_dist(X).cdf(TARGETS[name]), atol=1e-3
    )
    assert compiled.predict_dist(X[3].astype(dtype)).shape == ()
    assert name in repr(compiled)
    with pytest.raises(ValueError, match="NaN"):
        compiled.predict(np.full((1, 2), np.nan), return_std=True)


def test_natural_parameters_are_another_way_to_the_same_distributions():
    """Linear in x they are not the same models; without x, and compiled, they are."""
    X0 = np.zeros((N, 2))
    options = {"hidden_layer_sizes": (), "max_iter": 100}
    natural, plain = fit(NATURAL, X0, Y, **options), fit("normal", X0, Y, **options)
    found = natural.predict(X0[:1], return_std=True)
    np.testing.assert_allclose(found, plain.predict(X0[:1], return_std=True), rtol=1e-4)
    np.testing.assert_allclose(found, ([Y.mean()], [Y.std()]), rtol=1e-4)
    compiled = fit(NATURAL, X, Y).compile()
    expected = fit(NATURAL, X, Y).predict(X, return_std=True)
    np.testing.assert_allclose(compiled.predict(X, return_std=True), expected, rtol=1e-10)


def test_several_targets():
    y = np.c_[Y, Y[::-1] * 3]
    model = fit("normal", y=y)
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == y.shape
    assert model.predict_quantiles(X, [0.1, 0.9]).shape == (N, 2, 2)
    assert model.predict(X, output_type="quantiles", quantiles=[0.5])[0].shape == y.shape
    assert np.isclose(model.score(X, y), model.predict_dist(X).logpdf(y).mean())
    compiled = model.compile()
    np.testing.assert_allclose(compiled.predict(X, return_std=True), (mean, std), rtol=1e-10)
    np.testing.assert_allclose(compiled.predict(X[0]), mean[0], rtol=1e-10)
    with pytest.raises(ValueError, match="y_val has 1 columns, the y of the fit has 2"):
        make().fit(X, y, None, X, Y)
    labels = np.c_[TARGETS["bernoulli"], 1 - TARGETS["bernoulli"]]
    assert fit("bernoulli", y=labels).predict(X).shape == labels.shape


@pytest.mark.parametrize(
    "distribution", ["normal", CONSTANT, NATURAL, "student_t", "poisson", "categorical"]
)
def test_the_input_jacobian_is_that_of_the_mean(distribution):
    y = TARGETS[distribution] if isinstance(distribution, str) else Y
    model = fit(distribution, y=y, standardize=True)
    jacobian = model.input_jacobian(X[:9])
    assert jacobian.shape == (9, 1, 2)
    for j in range(2):
        h = np.zeros(2)
        h[j] = 1e-5
        slope = (model.predict(X[:9] + h) - model.predict(X[:9] - h)) / 2e-5
        np.testing.assert_allclose(jacobian[:, 0, j], slope, rtol=1e-4, atol=1e-5)
    assert model.sensitivity(X).shape == (1, 2)


def test_weights_are_of_the_network_and_the_features():
    model = fit(standardize=True)
    raw = model.network_.raw(model.theta_, X)
    dist = Normal(raw[:, 0], np.exp(raw[:, 1])).affine(model.y_mean_, model.y_scale_)
    np.testing.assert_allclose(dist.mean(), model.predict(X), rtol=1e-8)
    again = clone(model).set_params(init=(model.coefs_, model.intercepts_), max_iter=1, tol=1e9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again.fit(X, Y)
    assert again.score(X, Y) >= model.score(X, Y) - 1e-3
    for one in (model, fit(CONSTANT, y=Y)):
        with pytest.raises(ValueError, match="scikit-learn has no MLP"):
            one.to_sklearn()


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "lm", "newton-cg"])
def test_early_stopping_is_by_the_likelihood(name, solver):
    model = fit(name, X[:80], TARGETS[name][:80], None, X[80:], TARGETS[name][80:], solver=solver)
    losses = np.array(model.validation_loss_curve_)
    np.testing.assert_allclose(model.validation_scores_, -losses)
    assert np.isclose(model.best_validation_score_, -losses.min())
    if name in ("normal", "student_t", "laplace"):  # whole log-densities
        held = model.score(X[80:], TARGETS[name][80:])
        assert np.isclose(held, model.best_validation_score_ - np.log(model.y_scale_[0]), atol=1e-6)


@pytest.mark.parametrize("name", ["normal", "student_t", "poisson", "bernoulli"])
def test_partial_fit(name):
    assert not hasattr(make(name, solver="lm"), "partial_fit")
    model = make(name, solver="adam", learning_rate_init=0.01)
    for _ in range(40):
        for part in np.array_split(np.arange(N), 4):
            model.partial_fit(X[part], TARGETS[name][part])
    alone = fit(name, hidden_layer_sizes=(), alpha=1e9)
    assert model.score(X, TARGETS[name]) > alone.score(X, TARGETS[name]) + 0.02


def test_partial_fit_where_it_makes_no_sense():
    with pytest.raises(ValueError, match="residuals' of all rows"):
        make(CONSTANT, solver="adam").partial_fit(X, Y)
    model = make("categorical", solver="adam").partial_fit(X[:60], COUNTS[:60] % 3)
    with pytest.raises(ValueError, match="one of the 3 values.*y: row 0 has 7"):
        model.partial_fit(X, np.full(N, 7.0))


@pytest.mark.parametrize("distribution", ["normal", NATURAL])
def test_the_first_block_of_a_stream_does_not_fix_the_units(distribution):
    model = make(distribution, solver="adam", learning_rate_init=0.01).partial_fit(X[:1], Y[:1])
    for _ in range(60):
        model.partial_fit(X, Y)
    assert model.y_scale_[0] > 3
    assert abs(model.predict(X).mean() - Y.mean()) < 2


def test_a_warm_start_goes_on():
    model = fit(solver="lbfgs", max_iter=20, warm_start=True)
    before = model.loss_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, Y)
    assert model.loss_ < before and len(model.loss_curve_) > 20


def test_a_fit_goes_on_with_its_own_distribution_alone():
    model = fit(solver="adam", warm_start=True).set_params(distribution="laplace")
    for method in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="was of distribution 'normal', and this one is 'lapl"):
            method(X, Y)
    assert model.set_params(distribution="normal").partial_fit(X, Y).score(X, Y) > -10


def test_several_starts():
    model = fit(n_starts=3)
    assert len(model.starts_) == 3
    assert np.isclose(model.loss_, min(start["loss"] for start in model.starts_))


def test_pickles_and_clones(name):
    model = fit(name)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        again.predict(X, return_std=True), model.predict(X, return_std=True)
    )
    assert clone(model).get_params() == model.get_params()
    model.distribution = "student_t"  # for the next fit: this one was of another
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_skops():
    skops = pytest.importorskip("skops.io")
    model = fit()
    dumped = skops.dumps(model)
    loaded = skops.loads(dumped, trusted=skops.get_untrusted_types(data=dumped))
    np.testing.assert_array_equal(
        loaded.predict(X, return_std=True), model.predict(X, return_std=True)
    )


def test_frames_and_columns():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b"])
    model = fit("normal", frame, pd.Series(Y))
    assert np.isclose(model.score(frame, pd.Series(Y)), fit().score(X, Y))
    compiled = model.compile()
    np.testing.assert_allclose(compiled.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="another order"):
        compiled.predict(frame[["b", "a"]])
    column = fit("normal", X, Y[:, None])
    assert column.predict(X).shape == (N,)


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("poisson", -1, "whole numbers of at least 0"),
        ("poisson", 1.5, "whole numbers of at least 0"),
        ("bernoulli", 2, "0 or 1"),
    ],
)
def test_targets_outside_the_support(name, wrong, words):
    y = TARGETS[name].copy()
    y[5] = wrong
    model = make(name)
    with pytest.raises(ValueError, match=f"{words}; y: row 5 has {float(wrong)}"):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")
    with pytest.raises(ValueError, match="y_val: row 5"):
        model.fit(X, TARGETS[name], None, X, y)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("gaussian", "Did you mean 'normal'"),
        ("logistic", "one of 'normal'"),
        (("normal", {"scales": 1}), "no parameter 'scales'"),
        (("student_t", {"df": -1}), "df of distribution 'student_t' must be positive"),
        (None, "one of 'normal'"),
        (Normal, "one of 'normal'"),
        (Normal(0, 1), "one of 'normal'"),
    ],
)
def test_distributions_that_are_none(spec, words):
    with pytest.raises(ValueError, match=words):
        make(spec).fit(X, Y)


@pytest.mark.parametrize("distribution", ["normal", CONSTANT, NATURAL, "student_t"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs", "lm"])
@pytest.mark.parametrize("n", [1, 20])
def test_targets_without_a_spread(distribution, solver, n):
    """An answer at that target."""
    y = np.full(n, 7.25)
    model = fit(distribution, X[:n], y, solver=solver, max_iter=200)
    mean, std = model.predict(X[:n], return_std=True)
    np.testing.assert_allclose(mean, 7.25, atol=2 if solver == "adam" else 0.1)  # which is slow
    assert (std > 0).all() and np.isfinite(std).all()
    assert np.isfinite(model.score(X[:n], y))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e308])
def test_weights_that_make_no_distribution(name, value):
    """An error that names the row, or probabilities: never NaN."""
    model = fit(name)
    model.coefs_ = [W.copy() for W in model.coefs_]
    model.coefs_[-1][...] = value
    try:
        dist = model.predict_dist(X)
    except ValueError as error:
        assert re.search(r"row \d+ has", str(error))
    else:
        assert not np.isnan(dist.cdf(TARGETS[name])).any()
        assert not np.isnan(dist.pdf(TARGETS[name])).any()


def test_counts_and_classes_without_a_spread():
    assert np.isfinite(fit("poisson", X, np.zeros(N)).score(X, np.zeros(N)))
    assert fit("bernoulli", X, np.ones(N)).predict(X).min() > 0.99
    with pytest.raises(ValueError, match="2 to 1000: they are all the same"):
        make("categorical").fit(X, np.ones(N))


@pytest.mark.parametrize("distribution", ["normal", CONSTANT])
def test_a_scale_that_collapses_is_held_and_told(distribution):
    """Ten rows, thirty units, no noise."""
    y = np.sin(3 * X[:10, 0])
    model = make(distribution, hidden_layer_sizes=(30,), alpha=0.0, max_iter=300, tol=0)
    with pytest.warns(UserWarning, match=r"scale has collapsed in 10 of 10 rows"):
        model.fit(X[:10], y)
    std = model.predict(X[:10], return_std=True)[1]
    assert (std >= 0.999e-6 * y.std()).all()
    compiled = model.compile().predict(X[:10], return_std=True)[1]
    np.testing.assert_allclose(compiled, std, rtol=1e-9)
    assert np.isfinite(model.predict_dist(RNG.uniform(-50, 50, (500, 2))).pdf(0.0)).all()


SHAPED = {
    "mixture": ["adam", "lbfgs", "lm", "newton-cg"],
    "histogram": ["adam", "lbfgs", "newton-cg"],
    "quantiles": ["adam", "lbfgs"],
}


@pytest.mark.parametrize(
    ("distribution", "solver"), [(d, solver) for d in SHAPED for solver in SHAPED[d]]
)
def test_shapes_that_are_learned(distribution, solver):
    """Two branches: in the units of y, better than a normal; and after a pickle the same."""
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, (500, 1))
    y = 100 + 10 * np.where(rng.random(500) < 0.5, X[:, 0], -X[:, 0]) + rng.normal(0, 0.5, 500)
    options = {"max_iter": 150, "learning_rate_init": 0.02, "hidden_layer_sizes": (6,)}
    spec = ("histogram", {"bins": 16}) if distribution == "histogram" else distribution
    normal = fit("normal", X[:400], y[:400], solver="lbfgs", max_iter=60)
    model = fit(spec, X[:400], y[:400], solver=solver, **options)
    assert model.score(X[400:], y[400:]) > normal.score(X[400:], y[400:]) + 0.1
    dist = model.predict_dist(X[400:])
    assert dist.crps(y[400:]).mean() < 5
    lower, upper = model.predict_interval(X[400:], 0.9)
    assert 0.75 < np.mean((lower <= y[400:]) & (y[400:] <= upper)) < 0.99
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    compiled = model.compile().predict(X[400:], return_std=True)
    np.testing.assert_allclose(compiled, model.predict(X[400:], return_std=True), rtol=1e-9)


def test_a_histogram_by_the_crps_of_several_targets():
    y = np.c_[Y, 10 * Y]
    spec = ("histogram", {"bins": 10, "loss": "crps", "edges": "width"})
    model = fit(spec, y=y, solver="lbfgs")
    alone = fit(spec, y=Y, solver="lbfgs")
    mean = model.predict(X)
    assert mean.shape == (N, 2) and model.predict_dist(X).crps(y).shape == (N, 2)
    np.testing.assert_allclose(mean[:, 1], 10 * mean[:, 0], rtol=0.1)
    assert alone.predict_dist(X).crps(Y).mean() < np.abs(Y - np.median(Y)).mean()


def test_quantiles_are_refused_by_what_needs_curvature():
    with pytest.raises(ValueError, match="'quantiles' has no curvature"):
        make("quantiles", solver="lm").fit(X, Y)
