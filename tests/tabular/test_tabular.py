"""The estimators: tables in, predictions, intervals and probabilities out."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.neighbors import KNeighborsRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks
from small import CLASSIFIERS, REGRESSORS, table

from fastmlp import MLPRegressor, TabularMLPClassifier, TabularMLPRegressor
from fastmlp.distributions import StudentT
from fastmlp.tabular import Columns, Race, _base, _columns, _folds, _portfolio, _race, _regressor
from fastmlp.tabular._conformal import Conformal
from fastmlp.tabular._temperature import temperature, tempered, tempered_slopes


def regressor(**parameters):
    return TabularMLPRegressor(**{"candidates": REGRESSORS, "random_state": 0} | parameters)


def classifier(**parameters):
    return TabularMLPClassifier(**{"candidates": CLASSIFIERS, "random_state": 0} | parameters)


def test_frames_of_two_libraries_and_columns_in_any_order():
    X, y, labels = table()
    model = regressor().fit(X, y)
    wanted = model.predict(X)
    np.testing.assert_allclose(model.predict(X[["kind", "z", "x"]]), wanted)
    np.testing.assert_allclose(model.predict(pl.from_pandas(X)), wanted)
    np.testing.assert_allclose(regressor().fit(pl.from_pandas(X), y).predict(X), wanted)
    proba = classifier().fit(X, labels).predict_proba(X[["z", "x", "kind"]])
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    with pytest.raises(ValueError, match="lacks columns.*'z'"):
        model.predict(X.drop(columns="z"))


def test_without_parameters_it_learns_a_smooth_function(monkeypatch):
    monkeypatch.setattr(_portfolio, "LM_SIZES", ((8,), (16,)))
    monkeypatch.setattr(_portfolio, "EPOCHS", 20)
    X, y, labels = table(120)
    new, z, others = table(200, seed=1)
    model = TabularMLPRegressor(cv=2, random_state=0).fit(X, y)
    ridge = next(row for row in model.leaderboard_ if row["candidate"] == "ridge")
    assert model.score(new, z) > 0.7 > ridge["score"] and ridge["weight"] < 0.3
    assert len(model.leaderboard_) > 4 and "ridge" in repr(model.leaderboard_)
    sorter = TabularMLPClassifier(cv=2, random_state=0).fit(X, labels)
    assert sorter.score(new, others) > 0.6
    assert sorter.predict(new).dtype == labels.dtype


def test_predictions_stay_within_the_targets():
    X, y, _ = table()
    far = X.assign(x=1e6, z=-1e6)
    model = regressor().fit(X, y)
    assert y.min() <= model.predict(far).min() and model.predict(far).max() <= y.max()


def test_several_targets():
    X, y, _ = table()
    Y = np.column_stack([y, 100 * X["x"]])
    model = regressor().fit(X, Y)
    assert model.n_outputs_ == 2 and model.predict(X).shape == Y.shape
    assert model.score(X, Y) > 0.75
    lower, upper = model.predict_interval(X, 0.8)
    assert lower.shape == Y.shape
    inside = ((lower <= Y) & (Y <= upper)).mean(axis=0)
    assert (inside > 0.7).all()
    assert model.predict_dist(X).shape == Y.shape


NOISES = [
    lambda rng, x: rng.normal(size=len(x)),
    lambda rng, x: rng.standard_t(2, len(x)),
    lambda rng, x: rng.exponential(size=len(x)) * (0.2 + abs(x)),
]


@pytest.mark.parametrize(
    ("coverage", "sizes"),
    [
        (0.5, (25, 100)),
        (0.9, (25, 100)),
        pytest.param(0.5, (100, 300), marks=pytest.mark.slow),
        pytest.param(0.9, (100, 300), marks=pytest.mark.slow),
    ],
)
def test_intervals_hold_what_they_promise(coverage, sizes):
    """A law over drawn problems: noises of any shape, models good and bad; larger ones have widths
    that follow the row."""
    inside, ever = [], 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(*sizes))
        x = rng.uniform(-2, 2, n + 200)
        y = np.sin(3 * x) + rng.uniform(0.05, 1) * NOISES[seed % 3](rng, x)
        X = x[:, np.newaxis]
        model = regressor(candidates=REGRESSORS[:1], clip=False).fit(X[:n], y[:n])
        lower, upper = model.predict_interval(X[n:], coverage)
        inside.append(np.mean((lower <= y[n:]) & (y[n:] <= upper)))
        ever = min(ever, inside[-1] - (2 * coverage - 1))
    error = np.std(inside) / np.sqrt(len(inside))
    assert np.mean(inside) >= coverage - 2 * error
    assert np.mean(inside) <= coverage + 0.05
    assert ever > -0.1


def noisy_to_the_right(n, seed):
    """Noise of deviation 0.05 at the left end, 1 at the right; also the logarithms of these."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, n)
    logs = np.log(0.05) * (1 - x)
    return x[:, np.newaxis], 2 * x + np.exp(logs) * rng.normal(size=n), logs


@pytest.mark.parametrize("cv", [5, 1])
def test_spread_follows_the_row(cv):
    n = 300 if cv == 5 else 2000
    X, y, _ = noisy_to_the_right(n, 0)
    model = regressor(candidates=REGRESSORS[:1], cv=cv, clip=False).fit(X, y)
    new, z, logs = noisy_to_the_right(3000, 1)
    mean, std = model.predict(new, return_std=True)
    np.testing.assert_array_equal(mean, model.predict(new))
    np.testing.assert_allclose(np.log(std), logs, atol=0.5)
    lower, upper = model.predict_interval(new, 0.8)
    inside = (lower <= z) & (z <= upper)
    assert np.corrcoef(np.log(upper - lower), logs)[0, 1] > 0.95
    for part in np.array_split(np.argsort(new[:, 0]), 3):
        assert inside[part].mean() == pytest.approx(0.8, abs=0.12)


def test_rows_without_weight_say_nothing():
    X, y, labels = table(120)
    weights = np.where(np.arange(120) % 3 == 0, 0.0, 1.0)
    wrong = np.where(weights > 0, y, 1e3)
    model = regressor(candidates=REGRESSORS[:1]).fit(X, wrong, weights)
    mean, std = model.predict(X, return_std=True)
    lower, upper = model.predict_interval(X)
    assert np.abs(mean).max() < 5 and std.max() < 5 and (upper - lower).max() < 10
    wrong = np.where(weights > 0, labels, "none")
    proba = classifier().fit(X, wrong, weights).predict_proba(X)
    assert proba[:, list(np.unique(wrong)).index("none")].max() < 0.1


def test_intervals_hold_for_new_groups():
    """Targets with a level of each group's own: folds of rows would know it."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5)
    X = rng.normal(size=60)[groups, np.newaxis]
    y = 3 * rng.normal(size=60)[groups] + 0.1 * rng.normal(size=300)
    old = groups < 30
    near = [("near", KNeighborsRegressor(1))]
    widths = {}
    for name, given in (("rows", None), ("groups", groups[old])):
        model = regressor(candidates=near).fit(X[old], y[old], groups=given)
        lower, upper = model.predict_interval(X[~old], 0.8)
        widths[name] = np.mean((lower <= y[~old]) & (y[~old] <= upper))
    assert widths["rows"] < 0.5 and widths["groups"] > 0.7


def test_the_log_scale_is_tried_for_positive_skewed_targets():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    offered = _portfolio.regressors(X, np.exp(X[:, 0]), 5)
    assert [each.like for each in offered if "log" in each.name] == [
        "adam encoded", "lm 4", "lm 8", "lm 16",
    ]  # fmt: skip
    for y in (X[:, 0], -np.exp(X[:, 0])):
        assert not any("log" in each.name for each in _portfolio.regressors(X, y, 5))
    small = Race(_portfolio.regressors(X, np.exp(X[:, 0]), 5)[:1], cv=2).fit(X, np.exp(X[:, 0]))
    log = next(c for c in _portfolio.regressors(X, np.exp(X[:, 0]), 5) if c.name == "lm log 16")
    log.estimator.regressor.set_params(hidden_layer_sizes=(2,), max_iter=20)
    found = Race([log._replace(like="")], cv=2, random_state=0).fit(X, np.exp(X[:, 0]))
    assert found.leaderboard_[0]["score"] > max(0.95, small.leaderboard_[0]["score"])


def test_columns_that_do_not_fit_are_refused_before_they_are_made(monkeypatch):
    X, y, _ = table()
    columns = Columns().fit(X)
    monkeypatch.setattr(_columns, "GIB", 1.0)
    monkeypatch.setattr(_columns, "available_memory", lambda: 1000.0)
    with pytest.raises(MemoryError, match="The columns of X as numbers, 120 x 6"):
        columns.transform(X)
    monkeypatch.setattr(_columns._read, "read", None)  # nor are they read
    with pytest.raises(MemoryError, match="The columns of X as numbers, 120 x 3"):
        regressor().fit(X, y)


def test_interval_is_the_order_statistic_of_the_theorem():
    rng = np.random.default_rng(0)
    errors, scales = rng.normal(size=(2, 5, 1)), rng.uniform(0.5, 2, size=(2, 5, 1))
    answers, widths = rng.normal(size=(2, 3, 1)), rng.uniform(0.5, 2, size=(2, 3, 1))
    conformal = Conformal.of(errors, scales)
    low, high = conformal.interval(answers, widths, 0.8)
    sizes = np.abs(errors / scales)[..., 0]
    for row in range(3):
        ends = np.sort((answers[:, row] + widths[:, row] * sizes).ravel())
        assert high[row, 0] == pytest.approx(ends[int(np.ceil(11 * 0.8)) - 1], rel=1e-12)
        ends = np.sort((answers[:, row] - widths[:, row] * sizes).ravel())[::-1]
        assert low[row, 0] == pytest.approx(ends[int(np.ceil(11 * 0.8)) - 1], rel=1e-12)
    low, high = conformal.interval(answers, widths, 0.95)
    assert np.isneginf(low).all() and np.isposinf(high).all()
    with pytest.raises(ValueError, match="coverage"):
        conformal.interval(answers, widths, 1.0)


def test_distributions_are_those_of_the_errors():
    X, y, _ = table(90)
    model = regressor().fit(X, y)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_array_equal(mean, model.predict(X))
    dist = model.predict_dist(X)
    assert isinstance(dist, StudentT) and (dist.df > 2).all()
    np.testing.assert_allclose(dist.std(), std)
    medians = model.predict(X, output_type="median")
    np.testing.assert_allclose(medians, dist.median())
    assert model.predict_quantiles(X, [0.1, 0.9]).shape == (len(y), 2)
    assert 0.5 < np.mean(dist.cdf(y) < 0.9) <= 1


def test_spread_of_targets_without_noise_is_finite():
    X, _, _ = table(60)
    model = regressor(candidates=REGRESSORS[:1]).fit(X[["x"]], np.full(60, 3.0))
    mean, std = model.predict(X[["x"]], return_std=True)
    assert (mean == 3).all() and (0 < std).all() and (std < 1e-6).all()


@pytest.mark.parametrize("kind", ["str", "int", "bool", "object", "category"])
def test_labels_of_any_type(kind):
    X, _, labels = table(90)
    y = {
        "str": labels,
        "int": np.unique(labels, return_inverse=True)[1] * 7 - 3,
        "bool": labels == "mid",
        "object": labels.astype(object),
        "category": pd.Series(pd.Categorical(labels)),
    }[kind]
    model = classifier(cv=2).fit(X, y)
    assert set(model.predict(X)) <= set(np.unique(np.asarray(y)))
    assert model.score(X, y) > 0.5


def test_temperature_mends_what_is_too_sure():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4000, 3))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    codes = (rng.random((4000, 1)) > p.cumsum(axis=1)).sum(axis=1)
    assert temperature(tempered(p, 1 / 2.5), codes) == pytest.approx(2.5, rel=0.1)
    assert temperature(p, codes) == pytest.approx(1.0, rel=0.1)


def test_temperature_takes_a_weight_for_so_many_rows():
    rng = np.random.default_rng(2)
    p, codes, weights = (
        rng.dirichlet([1, 1, 1], 30),
        rng.integers(3, size=30),
        rng.integers(4, size=30),
    )
    repeated = temperature(p.repeat(weights, axis=0), codes.repeat(weights))
    assert temperature(p, codes, weights) == pytest.approx(repeated, rel=1e-6)


def test_slopes_at_a_temperature_are_differences():
    rng = np.random.default_rng(0)
    proba, slopes = rng.dirichlet(np.full(3, 5.0), 20), rng.normal(size=(20, 3, 2))
    step = 1e-6
    for heat in (0.4, 1.0, 3.0):
        found = tempered_slopes(proba, slopes, heat)
        for j in range(2):
            moved = [tempered(proba + s * step * slopes[..., j], heat) for s in (1, -1)]
            wanted = (moved[0] - moved[1]) / (2 * step)
            np.testing.assert_allclose(found[..., j], wanted, rtol=1e-5, atol=1e-6)


def test_candidates_are_not_too_sure():
    """Labels that nothing explains: networks of many weights say otherwise, by themselves."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 6)), rng.integers(0, 2, 400)
    adam = [each for each in _portfolio.classifiers(X, y, 2) if each.name.startswith("adam")]
    model = classifier(candidates=adam, cv=2).fit(X, y)
    assert all(row["score"] > -0.75 for row in model.leaderboard_)


def test_class_weights_move_probabilities():
    X, _, labels = table(200)
    rare = labels == "top"
    plain = classifier().fit(X, rare).predict_proba(X)[:, 1].mean()
    assert plain == pytest.approx(rare.mean(), abs=0.05)
    assert classifier(class_weight="balanced").fit(X, rare).predict_proba(X)[:, 1].mean() > 0.35
    heavy = classifier(class_weight={True: 50.0}).fit(X, rare).predict_proba(X)[:, 1].mean()
    assert heavy > 2 * plain


def test_one_class_and_a_class_of_one_row():
    X, _, labels = table(60)
    model = classifier().fit(X, np.full(60, "only"))
    assert (model.predict(X) == "only").all() and model.predict_proba(X).tolist() == [[1.0]] * 60
    labels[:] = np.where(labels == "top", "mid", labels)
    labels[0] = "once"
    proba = classifier().fit(X, labels).predict_proba(X)
    assert proba.shape == (60, 3) and np.isfinite(proba).all()


def test_hundred_classes():
    rng = np.random.default_rng(0)
    y = np.arange(400) % 100
    X = np.column_stack([np.cos(y), np.sin(y)]) + 0.001 * rng.normal(size=(400, 2))
    model = classifier(candidates=CLASSIFIERS[:1], cv=2).fit(X, y)
    assert model.predict_proba(X).shape == (400, 100)
    with pytest.raises(ValueError, match="101 classes; 100 are taken at most"):
        classifier().fit(X, np.arange(400) % 101)


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 200))
    offered = _portfolio.regressors(X, X[:, 0], n_folds=2)
    # an overflow in the solver of the latter was heard of here
    few = [each._replace(like="") for each in offered if "ridge" in each.name]
    assert [each.name for each in few] == ["ridge", "student_t ridge"]
    model = regressor(candidates=few, cv=2).fit(X, X[:, 0])
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("make", [regressor, classifier])
def test_few_rows(make):
    X, y, labels = table(5)
    target = y if make is regressor else labels
    assert len(make().fit(X, target).predict(X)) == 5
    with pytest.raises(ValueError, match="needs 5 rows at least.*n_samples=3"):
        make().fit(X[:3], target[:3])


def test_holes_in_y_are_named_by_row():
    X, y, labels = table(40)
    y[[3, 17]] = np.nan
    with pytest.raises(ValueError, match=r"missing in 2 row\(s\), 3, 17"):
        regressor().fit(X, y)
    labels = labels.astype(object)
    labels[5] = None
    with pytest.raises(ValueError, match=r"missing in 1 row\(s\), 5"):
        classifier().fit(X, labels)
    with pytest.raises(ValueError, match="infinity"):
        regressor().fit(X, np.where(np.isnan(y), np.inf, y))


def test_a_failed_fit_leaves_the_model_as_it_was():
    X, y, _ = table(40)
    model = regressor().fit(X, y)
    wanted = model.predict(X)
    with pytest.raises(ValueError, match="missing"):
        model.fit(X.rename(columns={"x": "other"}), np.full(40, np.nan))
    np.testing.assert_array_equal(model.predict(X), wanted)


def test_time_for_nothing_is_the_linear_model_and_a_warning():
    X, y, labels = table(60)
    with pytest.warns(UserWarning, match="sufficed for ridge alone"):
        model = regressor(time_limit=1e-6).fit(X, y)
    assert len(model.leaderboard_) == 1 and model.score(X, y) > 0.1
    with pytest.warns(UserWarning, match="sufficed for logistic alone"):
        classifier(time_limit=1e-6).fit(X, labels)


def test_time_limit_is_that_of_all_stages(monkeypatch):
    """Columns, race and second stage take all the time that they are given: 100 s in all."""

    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    class Greedy(MLPRegressor):
        def fit(self, X, y, sample_weight=None):
            clock.now += self.max_time
            return super().fit(X, y, sample_weight)

    class Slow(Columns):
        def fit(self, X, y=None):
            clock.now += 30.0
            return super().fit(X, y)

    clock = Clock()
    for module in (_base, _race, _folds, _regressor):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(_base, "Columns", Slow)
    greedy = Greedy(hidden_layer_sizes=(), solver="lbfgs", max_iter=3)
    stage = Greedy("gamma", (), solver="lm", max_iter=3)
    monkeypatch.setattr(_portfolio, "spreads", lambda *sizes: iter([stage, stage]))
    X, y, _ = table(60)
    candidates = [REGRESSORS[0], *((f"{k}", greedy) for k in range(9))]
    model = TabularMLPRegressor(time_limit=100.0, candidates=candidates, n_threads=1).fit(X, y)
    assert len(model.leaderboard_) > 1
    assert 90 < clock.now <= 100


def test_warm_start_adds_time():
    X, y, _ = table(60)
    model = regressor(time_limit=1e-6, warm_start=True)
    with pytest.warns(UserWarning):
        model.fit(X, y)
    model.set_params(time_limit=None).fit(X, y)
    assert len(model.leaderboard_) == 2


def test_pickle_does_not_grow_with_the_data_and_clones_are_unfitted(monkeypatch):
    monkeypatch.setattr(_portfolio, "SPREAD_SIZES", ((),))
    sizes = []
    for n in (8000, 16000):
        X, y, _ = table(n)
        model = regressor(candidates=REGRESSORS[:1]).fit(X, y)
        saved = pickle.dumps(model)
        np.testing.assert_array_equal(pickle.loads(saved).predict(X[:9]), model.predict(X[:9]))
        sizes.append(len(saved))
    assert sizes[1] < 1.05 * sizes[0]
    assert not hasattr(clone(model), "race_")


def test_a_generator_is_a_source_of_random_numbers():
    X, y, _ = table(40)
    drawn = []
    for source in (np.random.default_rng(0), np.random.default_rng(0), np.random.default_rng(1)):
        model = regressor(candidates=REGRESSORS[:1], random_state=source).fit(X, y)
        drawn.append(model.predict(X))
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"time_limit": 0}, "'time_limit' parameter of TabularMLPRegressor must be a number"),
        ({"cv": 0}, "'cv' parameter"),
        ({"clip": "yes"}, "'clip' parameter"),
        ({"clip": "yes" * 2000}, r"\(6002 characters\)"),
        ({"categorical_features": ["nope"]}, "categorical_features has 'nope'"),
        ({"categorical_features": 3}, "categorical_features must be .* got 3"),
        ({"categorical_features": [[1]]}, "categorical_features has"),
        ({"candidates": 3}, "'candidates' parameter"),
        ({"candidates": ["lm"]}, r"candidates must be a list of .* got \['lm'\]"),
        ({"candidates": np.array([1, 2])}, "candidates must be a list of"),
        ({"random_state": "x"}, "'random_state' parameter"),
    ],
)
def test_refused(parameters, words):
    X, y, _ = table(30)
    with pytest.raises(ValueError, match=words):
        regressor(**parameters).fit(X, y)


def fails(estimator):
    """Scales of columns do not know weights, and folds are drawn over rows, whatever they weigh."""
    names = ("on_dense_data", "on_sparse_data")
    return {f"check_sample_weight_equivalence_{name}": fails.__doc__ for name in names}


@parametrize_with_checks([regressor(cv=2), classifier(cv=2)], expected_failed_checks=fails)
def test_sklearn(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [TabularMLPRegressor(cv=2), TabularMLPClassifier(cv=2)], expected_failed_checks=fails
)
def test_sklearn_whole_portfolio(estimator, check):
    check(estimator)
