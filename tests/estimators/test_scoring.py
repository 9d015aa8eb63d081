"""The contract with scorers: what they are given, and what becomes of a score that fails."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.ensemble import BaggingClassifier
from sklearn.metrics import balanced_accuracy_score, get_scorer_names, make_scorer
from sklearn.utils.fixes import parse_version

from fastmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# scikit-learn reads the names of polars' columns since 1.9.
READS_NAMES = parse_version(sklearn.__version__) >= parse_version("1.9")


@pytest.fixture
def X(rng):
    return rng.normal(size=(200, 4))


def classifier(**options):
    options = {"max_iter": 3, "random_state": 0} | options
    return MLPClassifier((5,), **options)


def regressor(**options):
    options = {"max_iter": 3, "random_state": 0} | options
    return MLPRegressor(hidden_layer_sizes=(5,), **options)


def documented(estimator, X, y):
    """The signature that scikit-learn documents."""
    return balanced_accuracy_score(y, estimator.predict(X))


# -- weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "gd"])
@pytest.mark.parametrize(
    "scoring",
    [
        documented,
        lambda *args: documented(*args),
        make_scorer(lambda y, predicted: balanced_accuracy_score(y, predicted)),
    ],
)
def test_scorers_that_take_no_weights(solver, scoring, X, rng):
    y = X[:, 0] > 0.5
    model = classifier(solver=solver, class_weight="balanced", early_stopping=True, scoring=scoring)
    assert len(model.fit(X, y).validation_scores_) == 3
    w = rng.uniform(size=200)
    assert len(model.fit(X, y, w).validation_scores_) == 3
    model.set_params(solver="lbfgs").fit(X, y, w, X_val=X, y_val=y, sample_weight_val=w)
    assert model.best_validation_score_ == documented(model, X, y)


def test_a_metric_that_takes_no_weights(X):
    model = regressor(early_stopping=True, scoring="neg_max_error")
    assert len(model.fit(X, X[:, 0], np.linspace(1, 2, 200)).validation_scores_) == 3


@pytest.mark.parametrize("named", [True, False])
def test_weights_reach_those_that_take_them(named, X):
    seen = []
    w = np.linspace(1, 2, 200)

    def scorer(estimator, X, y, sample_weight=None):
        seen.append(sample_weight)
        return 0.0

    def anything(estimator, X, y, **keywords):
        return scorer(estimator, X, y, **keywords)

    model = regressor(scoring=scorer if named else anything)
    model.fit(X, X[:, 0], X_val=X, y_val=X[:, 0], sample_weight_val=w)
    model.fit(X, X[:, 0], X_val=X, y_val=X[:, 0])
    assert all(np.array_equal(given, w) for given in seen[:3]) and seen[3:] == [None] * 3


# -- data --------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", [pd, pl])
@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
def test_frames_stay_frames(library, split, standardize, X):
    frame = library.DataFrame({name: X[:, i] for i, name in enumerate("abcd")})
    y = library.Series("y", X[:, 0]) if library is pl else pd.Series(X[:, 0], name="y")
    seen = []

    def scorer(estimator, X, y):
        assert isinstance(X, library.DataFrame) and isinstance(y, library.Series)
        assert np.array_equal(X["a"], y)
        if READS_NAMES or library is pd:
            assert list(estimator.feature_names_in_) == list("abcd")
        seen.append(len(X))
        return -float(np.abs(estimator.predict(X) - y.to_numpy()).mean())

    model = regressor(scoring=scorer, early_stopping=split, standardize=standardize)
    if split:
        model.fit(frame, y)
        assert seen == [20] * 3
        return
    model.fit(frame, y, X_val=frame, y_val=y)
    assert seen == [200] * 3
    assert model.best_validation_score_ == pytest.approx(scorer(model, frame, y), rel=1e-9)


def test_a_scorers_error_is_the_users(X):
    def broken(estimator, X, y):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        regressor(scoring=broken, early_stopping=True).fit(X, X[:, 0])
    with pytest.raises(TypeError, match="scoring must return a number, got {'a': 1}"):
        regressor(scoring=lambda *args: {"a": 1}, early_stopping=True).fit(X, X[:, 0])


# -- classes that the validation data lack -----------------------------------------------------


RARE = np.repeat(["a", "b", "c"], [96, 96, 8])


@pytest.mark.parametrize(
    "scoring",
    [
        "neg_log_loss",
        "roc_auc_ovr",
        "roc_auc_ovo",
        "top_k_accuracy",
        "f1_macro",
        pytest.param(
            "d2_log_loss_score",
            marks=pytest.mark.skipif(
                "d2_log_loss_score" not in get_scorer_names(), reason="a scorer of later releases"
            ),
        ),
    ],
)
def test_a_rare_class_is_in_the_split(scoring, X):
    for seed in range(10):
        model = classifier(scoring=scoring, early_stopping=True, random_state=seed).fit(X, RARE)
        assert np.isfinite(model.validation_scores_).all()


@pytest.mark.parametrize("scoring", ["neg_log_loss", "top_k_accuracy"])
def test_metrics_that_know_the_classes(scoring, X):
    some = RARE != "c"
    model = classifier(scoring=scoring).fit(X, RARE, X_val=X[some], y_val=RARE[some])
    assert np.isfinite(model.validation_scores_).all()
    if scoring == "neg_log_loss":
        assert model.validation_scores_ == pytest.approx(-np.array(model.validation_loss_curve_))


@pytest.mark.parametrize(
    ("scoring", "labels"), [("roc_auc", ["a"]), ("roc_auc_ovr", ["a", "b"]), ("roc_auc_ovo", ["b"])]
)
def test_a_score_that_needs_every_class(scoring, labels, X):
    y = np.array(["a", "b"])[(X[:, 0] > 0).astype(int)] if scoring == "roc_auc" else RARE
    some = np.isin(y, labels)
    with pytest.warns(UserWarning, match=rf"{scoring}.*lack '.'.*validation loss instead") as told:
        model = classifier(scoring=scoring).fit(X, y, X_val=X[some], y_val=y[some])
    mine = [one for one in told if scoring in str(one.message)]
    assert len(mine) == 1 and mine[0].filename == __file__
    assert model.validation_scores_ == [-loss for loss in model.validation_loss_curve_]


def test_one_class_altogether(X):
    with pytest.warns(UserWarning, match="lack a second class"):
        classifier(scoring="neg_log_loss", early_stopping=True).fit(X, ["spam"] * 200)


@pytest.mark.parametrize(
    ("kind", "scoring"), [(classifier, "roc_auc"), (classifier, "r2"), (regressor, "accuracy")]
)
def test_a_scorer_of_another_trade_is_an_error_before_training(kind, scoring, X):
    epochs = []
    y = X[:, 0] if kind is regressor else RARE
    model = kind(scoring=scoring, callback=lambda epoch, record: epochs.append(epoch))
    with pytest.raises(ValueError, match=f"scoring='{scoring}' cannot be computed"):
        model.fit(X, y, X_val=X, y_val=y)
    assert epochs == []


# -- nan ---------------------------------------------------------------------------------------


def test_a_score_that_is_nan_from_the_start(X):
    with pytest.warns(UserWarning, match="scoring returned nan at first.*validation loss") as told:
        model = regressor(scoring=lambda *args: np.nan, early_stopping=True).fit(X, X[:, 0])
    assert sum("scoring returned" in str(one.message) for one in told) == 1
    assert model.validation_scores_ == [-loss for loss in model.validation_loss_curve_]


@pytest.mark.parametrize("solver", ["adam", "gd"])
def test_a_score_that_becomes_nan_is_no_improvement(solver, X):
    scores = iter([0.5] + [np.nan] * 100)
    model = regressor(
        solver=solver, max_iter=50, n_iter_no_change=4, scoring=lambda *args: next(scores)
    ).fit(X, X[:, 0], X_val=X, y_val=X[:, 0])
    assert model.n_iter_ == 6 and model.best_validation_score_ == 0.5
    assert "Stopped early" in model.status_


def test_predictions_that_a_metric_cannot_take(X):
    y = np.exp(X[:, 0])
    model = regressor(
        scoring="neg_mean_squared_log_error",
        max_iter=60,
        learning_rate_init=0.05,
        n_iter_no_change=60,
    )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(X, y, X_val=X, y_val=y)
    assert len(model.validation_scores_) == 60
    assert any("nan where the scorer fails" in str(one.message) for one in told)


# -- rows of weight 0 --------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_bagging(share, X):
    for seed in range(4):
        base = MLPClassifier((4,), early_stopping=True, max_iter=2)
        bag = BaggingClassifier(base, n_estimators=4, max_samples=share, random_state=seed)
        bag.fit(X, X[:, 0] > 0)


@pytest.mark.parametrize("kind", [classifier, regressor])
def test_only_rows_that_count_are_set_aside(kind, X):
    seen = []

    def spy(estimator, X, y):
        seen.append(X)
        return 0.0

    w = np.zeros(200)
    w[::5] = 1.0
    model = kind(scoring=spy, early_stopping=True).fit(X, X[:, 0] > 0, w)
    assert all(row in X[::5] for row in seen[0]) and len(seen[0]) == 4
    assert model.t_ == 3 * 36


def test_too_few_rows_that_count(X):
    for n in (1, 12):
        w = np.zeros(200)
        w[:n] = 1.0
        with pytest.raises(ValueError, match=rf"200 samples, {n} of them with a weight"):
            classifier(early_stopping=True, validation_fraction=0.05).fit(X, X[:, 0] > 0, w)
