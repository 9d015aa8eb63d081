"""Early stopping: the split, X_val, scoring, and which weights come back."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import accuracy_score, get_scorer, make_scorer, r2_score
from sklearn.model_selection import train_test_split

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.estimators._scoring import accuracy, r2
from fastmlp.solvers import LBFGS, SGD, Status

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
KINDS = [MLPClassifier, MLPRegressor]
SOLVERS = ["sgd", "adam", "lbfgs", "gd", "newton"]


@pytest.fixture
def data(rng):
    X = rng.normal(size=(150, 4))
    y = (X[:, 0] + X[:, 1] ** 2 + rng.normal(size=150) > 1).astype(int)
    return X[:100], y[:100], X[100:], y[100:]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", [*SOLVERS, SGD(learning_rate_init=0.1), LBFGS()])
def test_X_val_turns_early_stopping_on(kind, solver, data):
    X, y, X_val, y_val = data
    fitted = kind(hidden_layer_sizes=(20,), solver=solver, max_iter=30, random_state=0)
    fitted.fit(X, y, X_val=X_val, y_val=y_val)
    assert len(fitted.validation_scores_) == len(fitted.validation_loss_curve_) == fitted.n_iter_
    assert fitted.best_loss_ is None
    assert fitted.best_validation_score_ == max(fitted.validation_scores_)
    # The best weights are back, and their score is the one that was noted.
    assert fitted.score(X_val, y_val) == pytest.approx(fitted.best_validation_score_, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["sgd", "adam", "gd", "newton", "lbfgs"])
def test_early_stopping_sets_data_aside(kind, solver, data):
    X, y, *_ = data
    fitted = kind(hidden_layer_sizes=(5,), solver=solver, max_iter=3, early_stopping=True)
    fitted.fit(X, y)
    # scikit-learn's lbfgs ignores it.
    assert (fitted.validation_scores_ is None) == (solver == "lbfgs")
    assert fitted.best_loss_ is None or solver == "lbfgs"


def test_the_split_is_that_of_scikit_learn(data):
    X, y, *_ = data
    random_state = np.random.RandomState(5)
    split = MLPRegressor(
        hidden_layer_sizes=(5,), max_iter=5, early_stopping=True, random_state=random_state
    ).fit(X, X[:, 0])
    random_state = np.random.RandomState(5)
    given = MLPRegressor(hidden_layer_sizes=(5,), max_iter=5, random_state=random_state)
    for fan_in, fan_out in ((4, 5), (5, 1)):  # the draws of the weights come first
        random_state.uniform(size=(fan_in, fan_out))
        random_state.uniform(size=fan_out)
    parts = train_test_split(X, X[:, 0], random_state=random_state, test_size=0.1)
    draws = random_state.get_state()
    given.set_params(random_state=np.random.RandomState(5))
    given.init = _weights_of(5)
    given.random_state.set_state(draws)
    given.fit(parts[0], parts[2], X_val=parts[1], y_val=parts[3])
    assert np.allclose(given.loss_curve_, split.loss_curve_, rtol=1e-12)
    assert np.allclose(given.validation_scores_, split.validation_scores_, rtol=1e-9)


def _weights_of(seed):
    from fastmlp import Network

    network = Network([4, 5, 1])
    return network.unpack(network.init(np.random.RandomState(seed)))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "scoring", [None, "loss", "neg_log_loss", "roc_auc", make_scorer(accuracy_score)]
)
def test_scoring_of_a_classifier(scoring, weighted, data):
    X, y, X_val, y_val = data
    labels = np.array(["no", "yes"])
    weights = np.linspace(0.1, 2, len(y_val)) if weighted else None
    fitted = MLPClassifier((20,), scoring=scoring, max_iter=15, learning_rate_init=0.05)
    fitted.fit(X, labels[y], X_val=X_val, y_val=labels[y_val], sample_weight_val=weights)
    if scoring == "loss":
        assert fitted.best_validation_score_ == -min(fitted.validation_loss_curve_)
        scorer = get_scorer("neg_log_loss")
    else:
        scorer = get_scorer(scoring or "accuracy")
    score = scorer(fitted, X_val, labels[y_val], sample_weight=weights)
    assert score == pytest.approx(fitted.best_validation_score_, rel=1e-9)


@pytest.mark.parametrize("scoring", [None, "loss", "neg_mean_absolute_error"])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_scoring_of_a_regressor(scoring, standardize, sparse, data):
    X, y, X_val, y_val = data
    X, X_val = (sp.csr_matrix(part) if sparse else part for part in (X, X_val))
    fitted = MLPRegressor(
        hidden_layer_sizes=(20,), scoring=scoring, standardize=standardize, max_iter=15
    )
    fitted.fit(X, 5.0 + 3 * y, X_val=X_val, y_val=5.0 + 3 * y_val)
    if scoring == "loss":
        assert fitted.best_validation_score_ == -min(fitted.validation_loss_curve_)
        return
    score = get_scorer(scoring or "r2")(fitted, X_val, 5.0 + 3 * y_val)
    assert score == pytest.approx(fitted.best_validation_score_, rel=1e-9)


def test_one_class_in_the_validation_data(data):
    X, y, X_val, y_val = data
    fitted = MLPClassifier((5,), max_iter=5).fit(
        X, y, X_val=X_val[y_val == 1], y_val=y_val[y_val == 1]
    )
    assert len(fitted.validation_scores_) == 5


def test_the_first_of_equal_scores_wins(data):
    X, y, X_val, y_val = data
    kept = []
    fitted = MLPClassifier(
        (5,),
        random_state=0,
        max_iter=12,
        scoring=lambda estimator, X, y: kept.append(estimator.coefs_[0].copy()) or 1.0,
    ).fit(X, y, X_val=X_val, y_val=y_val)
    assert np.array_equal(fitted.coefs_[0], kept[0])
    assert Status.NO_VALIDATION_IMPROVEMENT.value[:-1] in fitted.status_


def test_validation_with_class_weights_and_strings(data):
    X, y, *_ = data
    fitted = MLPClassifier(
        (5,), class_weight={"no": 1, "yes": 5}, early_stopping=True, scoring="f1_macro", max_iter=5
    ).fit(X, np.array(["no", "yes"])[y])
    assert len(fitted.validation_scores_) == 5


def test_multilabel_validation(data):
    X, _, X_val, _ = data
    Y, Y_val = (X > 0).astype(int)[:, :2], (X_val > 0).astype(int)[:, :2]
    fitted = MLPClassifier((20,), max_iter=20, random_state=0).fit(X, Y, X_val=X_val, y_val=Y_val)
    assert fitted.score(X_val, Y_val) == pytest.approx(fitted.best_validation_score_)


@pytest.mark.parametrize("weighted", [False, True])
def test_own_scores_are_those_of_scikit_learn(weighted, rng):
    w = rng.uniform(size=40) if weighted else None
    a, b = rng.integers(3, size=(2, 40))
    assert accuracy(a, b, w) == accuracy_score(a, b, sample_weight=w)
    A, B = rng.integers(2, size=(2, 40, 3))
    assert accuracy(A, B, w) == accuracy_score(A, B, sample_weight=w)
    Y, Z = rng.normal(size=(2, 40, 3))
    Y[:, 1] = 2.0  # a constant target
    for y, z in ((Y, Z), (Y[:, 0], Z[:, :1]), (Y[:, 1], Z[:, :1]), (Y[:, 1], Y[:, 1:2])):
        assert r2(y, z, w) == pytest.approx(r2_score(y, z, sample_weight=w), rel=1e-12)
    assert np.isnan(r2(Y, Z * np.inf, w))


@pytest.mark.parametrize("number", [np.float32, np.float16, np.longdouble])
def test_a_fraction_of_any_type(number):
    X = np.linspace(0, 1, 40)[:, None]
    model = MLPRegressor(early_stopping=True, validation_fraction=number(0.25), max_iter=2)
    assert len(model.fit(X, X[:, 0]).validation_scores_) == 2
