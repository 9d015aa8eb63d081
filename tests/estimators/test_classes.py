"""What belongs to ``classes_`` is asked of them, not of the labels at hand."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import KFold, TimeSeriesSplit, cross_val_predict, cross_val_score
from sklearn.multioutput import MultiOutputClassifier

from fastmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X(rng):
    return rng.normal(size=(40, 3))


def same(first, second):
    pairs = zip(first.coefs_ + first.intercepts_, second.coefs_ + second.intercepts_, strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def model(**options):
    return MLPClassifier((4,), random_state=0, **options)


# -- class_weight ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("class_weight", "batch"),
    [
        ({"fraud": 20.0}, ["fine"] * 40),
        ({"fraud": 20.0, "fine": 0.5}, ["fine"] * 40),
        ({"odd": 2.0, "fraud": 3.0}, ["fine", "odd"] * 20),
    ],
)
def test_a_batch_may_lack_a_weighted_class(class_weight, batch, X):
    classes = ["fine", "fraud", "odd"]
    weights = np.array([class_weight.get(label, 1.0) for label in batch])
    by_class = model(class_weight=class_weight).partial_fit(X, batch, classes=classes)
    by_row = model().partial_fit(X, batch, weights, classes=classes)
    assert same(by_class, by_row)
    assert same(
        by_class.partial_fit(X[:3], batch[:3]), by_row.partial_fit(X[:3], batch[:3], weights[:3])
    )


def test_a_fold_may_lack_a_weighted_class(X):
    y = np.repeat(["fine", "odd", "fraud"], [25, 5, 10])
    for train, _ in TimeSeriesSplit(3).split(X):
        if "fraud" not in y[train]:
            with pytest.warns(UserWarning, match="class_weight names 'fraud'.*'fine'") as told:
                model(max_iter=2, class_weight={"fraud": 20.0}).fit(X[train], y[train])
            assert told[0].filename == __file__
            break
    else:
        raise AssertionError("no fold lacks it")


@pytest.mark.parametrize("name", ["fruad", "Fraud", " fraud", "frad", "fraude"])
def test_a_slip_of_the_pen_is_an_error(name, X):
    y = np.repeat(["fine", "fraud"], 20)
    with pytest.raises(ValueError, match="did you mean 'fraud'"):
        model(class_weight={name: 2.0}).fit(X, y)
    with pytest.raises(ValueError, match="the classes are 'fine', 'fraud'"):
        model(class_weight={name: 2.0}).partial_fit(X, y, classes=["fine", "fraud"])


def test_the_type_of_a_label_is_minded(X):
    with pytest.raises(ValueError, match="names '1'.*did you mean 1"):
        model(class_weight={"1": 2.0}).fit(X, [0, 1] * 20)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_column_without_a_one(sparse, X, rng):
    Y = rng.integers(2, size=(40, 2))
    Y[:, 1] = 0
    weights = np.where(Y[:, 0], 5.0, 1.0)
    given = sp.csr_matrix(Y) if sparse else Y
    by_class = model(max_iter=3, class_weight=[{1: 5.0}, {1: 7.0}]).fit(X, given)
    assert same(by_class, model(max_iter=3).fit(X, Y, weights))
    with pytest.raises(ValueError, match="names 2; the classes are 0, 1"):
        model(class_weight=[{2: 5.0}, {}]).fit(X, Y)
    with pytest.raises(ValueError, match="one dict per column"):
        model(class_weight={1: 5.0}).fit(X, Y)
    with pytest.raises(ValueError, match="one dict per column"):
        model(class_weight=[{1: 5.0}]).fit(X, Y)


# -- batches that do not count -----------------------------------------------------------------


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("standardize", [False, True])
def test_a_batch_without_weight_is_skipped(kind, standardize, X):
    y = (X[:, 0] > 0).astype(int)
    first = {"classes": [0, 1]} if kind is MLPClassifier else {}
    one, other = (
        kind(hidden_layer_sizes=(4,), standardize=standardize, random_state=0) for _ in range(2)
    )
    one.partial_fit(1e3 * X, y, np.zeros(40), **first)  # its scale counts no more than its rows
    with pytest.raises(NotFittedError):
        one.predict(X)
    one.partial_fit(X, y)
    before = dict(vars(one))
    assert one.partial_fit(X, y, np.zeros(40)) is one
    assert one.partial_fit(X, y, 0.0) is one
    assert all(vars(one)[name] is value for name, value in before.items())
    other.partial_fit(X, y, **first)
    assert same(one.partial_fit(X, y), other.partial_fit(X, y))
    with pytest.raises(ValueError, match="n_features|features"):
        one.partial_fit(X[:, :2], y, np.zeros(40))
    with pytest.raises(ValueError, match="non-zero"):
        kind().fit(X, y, np.zeros(40))


def test_a_batch_of_a_class_without_weight_is_skipped(X):
    fitted = model(class_weight={0: 0.0}).partial_fit(X, [0] * 40, classes=[0, 1])
    fitted.partial_fit(X, [0, 1] * 20)
    before = fitted.t_
    assert fitted.partial_fit(X, [0] * 40).t_ == before


# -- one class ---------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
def test_one_class_has_one_column(loss, X):
    for fitted in (
        model(loss=loss, max_iter=3).fit(X, ["spam"] * 40),
        model(loss=loss).partial_fit(X, ["spam"] * 40, classes=["spam"]),
    ):
        assert np.array_equal(fitted.predict_proba(X), np.ones((40, 1)))
        assert np.array_equal(fitted.predict_log_proba(X), np.zeros((40, 1)))
        assert list(fitted.predict(X[:2])) == list(fitted.compile().predict(X[:2])) == ["spam"] * 2


def test_folds_of_one_class(X):
    y = np.repeat([0, 1], 20)
    with pytest.warns(RuntimeWarning, match="Number of classes"):
        proba = cross_val_predict(model(max_iter=3), X, y, cv=KFold(2), method="predict_proba")
    assert np.array_equal(proba, np.eye(2)[1 - y])


def test_a_constant_output(X):
    Y = np.c_[np.ones(40, int), X[:, 0] > 0]
    first, second = MultiOutputClassifier(model(max_iter=3)).fit(X, Y).predict_proba(X)
    assert np.array_equal(first, np.ones((40, 1))) and second.shape == (40, 2)


# -- scores of the perceptron ---------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_decision_function(n_classes, X):
    y = np.arange(40) % n_classes
    fitted = MLPClassifier((), loss="perceptron", max_iter=5).fit(X, y)
    raw = X @ fitted.coefs_[0] + fitted.intercepts_[0]
    scores = fitted.decision_function(X)
    assert scores.shape == ((40,) if n_classes < 3 else (40, 3))
    assert scores == pytest.approx(raw.ravel() if n_classes < 3 else raw)
    decided = scores > 0 if n_classes < 3 else scores.argmax(axis=1)
    if n_classes > 1:
        assert np.array_equal(fitted.predict(X), decided)


def test_several_labels(X):
    Y = (X > 0).astype(int)
    fitted = MLPClassifier((), loss="perceptron", max_iter=5).fit(X, Y)
    assert np.array_equal(fitted.decision_function(X) > 0, fitted.predict(X))


@pytest.mark.parametrize("standardize", [False, True])
def test_scores_are_of_use(standardize, X):
    y = (X[:, 0] > 0).astype(int)
    options = {"loss": "perceptron", "max_iter": 20, "random_state": 0}
    options |= {"standardize": standardize, "learning_rate_init": 0.1}
    fitted = MLPClassifier((), **options).fit(X, y)
    assert get_scorer("roc_auc")(fitted, X, y) > 0.9
    assert np.isfinite(cross_val_score(MLPClassifier((), **options), X, y, scoring="roc_auc")).all()
    calibrated = CalibratedClassifierCV(MLPClassifier((), **options), cv=3).fit(X, y)
    assert calibrated.score(X, y) > 0.8
    stopped = MLPClassifier((), early_stopping=True, scoring="roc_auc", **options).fit(X, y)
    assert np.isfinite(stopped.validation_scores_).all()


@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
def test_probabilities_are_the_one_kind_of_scores_of_the_others(loss):
    assert not hasattr(MLPClassifier(loss=loss), "decision_function")
    assert not hasattr(MLPClassifier(loss="perceptron"), "predict_proba")


# -- label_smoothing -----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["log_loss", "squared_error"])
@pytest.mark.parametrize("kind", ["two", "three", "several"])
def test_smoothed_labels_are_what_a_constant_learns(kind, loss):
    y = {"two": [0, 1, 1, 1], "three": list("abcc"), "several": [[0, 1], [1, 0], [1, 1], [1, 0]]}
    y = np.array(y[kind])
    fitted = MLPClassifier(
        (),
        solver="newton",
        alpha=0.0,
        loss=loss,
        label_smoothing=0.2,
        tol=1e-10,
        max_iter=200,
        random_state=0,
    ).fit(np.zeros((4, 1)), y)
    shares = {"two": [0.25, 0.75], "three": [0.25, 0.25, 0.5], "several": [0.75, 0.5]}[kind]
    n = 3 if kind == "three" else 2
    expected = 0.8 * np.array(shares) + 0.2 / n
    np.testing.assert_allclose(fitted.predict_proba(np.zeros((1, 1)))[0], expected, atol=1e-6)


def test_validation_labels_are_not_smoothed(X, rng):
    y = rng.integers(0, 3, 40)
    fitted = model(label_smoothing=0.3, max_iter=1, scoring="loss").fit(X, y, X_val=X, y_val=y)
    wanted = log_loss(y, fitted.predict_proba(X))
    assert fitted.validation_loss_curve_[-1] == pytest.approx(wanted)
    plain = model(max_iter=1).fit(X, y)
    assert not same(plain, fitted) and same(plain, model(label_smoothing=0, max_iter=1).fit(X, y))
    aside = model(label_smoothing=0.3, max_iter=1, early_stopping=True).fit(X, y)
    assert np.isfinite(aside.validation_scores_).all()


@pytest.mark.parametrize("options", [{"label_smoothing": 1.0}, {"label_smoothing": -0.1},
                                     {"label_smoothing": 0.1, "loss": "perceptron"}])  # fmt: skip
def test_smoothing_that_makes_no_sense(options, X):
    with pytest.raises(ValueError, match="label_smoothing"):
        model(**options).fit(X, np.arange(40) % 2)
