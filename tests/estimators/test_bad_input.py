"""What bad input gets: a clear error, and an estimator that is as it was."""

import copy
import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from fastmlp import (
    BayesianMLPClassifier,
    MLPClassifier,
    MLPDistributionRegressor,
    MLPRegressor,
)
from fastmlp.posteriors import Variational
from fastmlp.solvers import SGD, Adam

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
KINDS = [MLPClassifier, MLPRegressor]
N = 30
X = np.random.default_rng(0).normal(size=(N, 3))
Y = (X[:, 0] > 0).astype(int)
W = np.ones(N)


def with_entry(array, at, value):
    array = np.array(array, dtype=float)
    array[at] = value
    return array


def assert_raises_unchanged(estimator, action, pattern, error=ValueError):
    """The action fails with a message like pattern and leaves every attribute as it was."""
    before = copy.deepcopy(vars(estimator))
    with pytest.raises(error, match=pattern):
        action(estimator)
    assert_same(before, vars(estimator))


def assert_same(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        for first, second in zip(a, b, strict=True):
            assert_same(first, second)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and np.array_equal(a, b)
    elif not callable(a) and not hasattr(a, "value_grad"):
        assert a == b or (a != a and b != b)


BAD_PARAMETERS = [
    ("hidden_layer_sizes", 0, "hidden_layer_sizes must be > 0, got"),
    ("hidden_layer_sizes", (5, -1), "hidden_layer_sizes must be > 0, got"),
    ("hidden_layer_sizes", 2.5, "positive integer"),
    ("hidden_layer_sizes", "10", "positive integer"),
    ("hidden_layer_sizes", (True,), "positive integer"),
    ("activation", "rely", "'rely'.*relu"),
    ("activation", ["relu", "tanh"], "activation has 2 entries"),
    ("activation", ("leaky_relu", {"slope": 1}), "slope"),
    ("activation", 3, "activation"),
    ("solver", "adm", "solver='adm'.*'adam'"),
    ("solver", SGD, "solver="),
    ("alpha", -1, r"alpha=-1 .*\[0, inf\)"),
    ("alpha", np.nan, "alpha=nan"),
    ("batch_size", 0, "batch_size=0.*'auto' or an integer >= 1"),
    ("batch_size", 2.5, "batch_size=2.5"),
    ("batch_size", "all", "batch_size='all'"),
    ("learning_rate", "cosin", "'constant', 'invscaling', 'adaptive'"),
    ("learning_rate_init", 0, "learning_rate_init=0"),
    ("power_t", -1, "power_t=-1"),
    ("max_iter", 0, "max_iter=0"),
    ("max_iter", 10.0, "max_iter=10.0"),
    ("shuffle", "yes", "shuffle='yes'.*True or False"),
    ("random_state", "seed", "random_state='seed'"),
    ("random_state", -1, "random_state=-1"),
    ("tol", -1e-4, "tol="),
    ("verbose", -1, "verbose=-1"),
    ("warm_start", None, "warm_start=None"),
    ("momentum", 1.5, r"momentum=1.5.*\[0, 1\]"),
    ("nesterovs_momentum", 2, "nesterovs_momentum=2"),
    ("early_stopping", "auto", "early_stopping='auto'"),
    ("validation_fraction", 1, r"validation_fraction=1 .*\[0, 1\)"),
    ("beta_1", 1.0, "beta_1=1.0"),
    ("beta_2", -0.1, "beta_2=-0.1"),
    ("epsilon", 0.0, "epsilon=0.0"),
    ("n_iter_no_change", 0, "n_iter_no_change=0"),
    ("max_fun", 0, "max_fun=0"),
    ("loss", "cross_entropy", "loss='cross_entropy'.*_"),
    ("loss", 3, "loss=3"),
    ("loss", (20, 5), r"loss=\(20, 5\).*Did you mean hidden_layer_sizes=\(20, 5\)\?"),
    ("solver", SGD, r"Did you mean SGD\(\)\?"),
    ("init", "xavier", "init='xavier'.*'glorot'"),
    ("init", (1, 2), r"init=\(1, 2\).*a pair \(coefs, intercepts\) of lists"),
    ("init", ([np.ones((3, 2))], [np.ones(2)]), "coefs must have 2 arrays"),
    ("standardize", 1, "standardize=1"),
    ("scoring", 3, "scoring=3"),
    ("callback", "print", "callback='print'"),
    ("max_time", 0, "max_time=0"),
    ("n_threads", 0, "n_threads=0"),
    ("solver", Adam(beta_1=2), "beta_1 of Adam"),
    ("solver", SGD(batch_size=0), "batch_size of SGD must be at least 1"),
    ("solver", SGD(learning_rate="warm"), "'cosine'"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "value", "pattern"), BAD_PARAMETERS)
def test_bad_parameters(kind, name, value, pattern):
    estimator = kind(hidden_layer_sizes=(4,)).set_params(**{name: value})
    assert_raises_unchanged(
        estimator, lambda e: e.fit(X, Y), pattern, error=(ValueError, TypeError)
    )


@pytest.mark.parametrize(
    ("kind", "name", "value", "pattern"),
    [
        (MLPClassifier, "class_weight", "balance", "class_weight='balance'.*'balanced'"),
        (MLPClassifier, "class_weight", {0: -1.0}, "class_weight"),
        (MLPRegressor, "quantile", 1.0, "quantile=1.0"),
        (MLPRegressor, "loss", ("huber", {"delta": 1.0}), "delta"),
        (MLPRegressor, "loss", "log_loss", "squared_error"),
        (MLPClassifier, "loss", "huber", "perceptron"),
    ],
)
def test_bad_parameters_of_one_kind(kind, name, value, pattern):
    estimator = kind(hidden_layer_sizes=(4,)).set_params(**{name: value})
    assert_raises_unchanged(estimator, lambda e: e.fit(X, Y), pattern)


def test_unknown_scorer_is_named():
    estimator = MLPRegressor(early_stopping=True, scoring="r3")
    assert_raises_unchanged(estimator, lambda e: e.fit(X, Y), "r3")


BAD_DATA = {
    "NaN in X": (with_entry(X, (3, 1), np.nan), Y, None, "NaN"),
    "infinity in X": (with_entry(X, (3, 1), np.inf), Y, None, "infinity"),
    "NaN in sparse X": (sp.csr_matrix(with_entry(X, (3, 1), np.nan)), Y, None, "NaN"),
    "strings in X": (np.full((N, 3), "a"), Y, None, "could not convert string|dtype='numeric'"),
    "one-dimensional X": (X[:, 0], Y, None, "Expected 2D array"),
    "three-dimensional X": (X[:, :, None], Y, None, "dim"),
    "no rows": (X[:0], Y[:0], None, "0 sample"),
    "no columns": (X[:, :0], Y, None, "0 feature"),
    "other lengths": (X, Y[:-1], None, "inconsistent numbers of samples"),
    "NaN in y": (X, with_entry(Y, 4, np.nan), None, "NaN"),
    "no y": (X, None, None, "requires y to be passed|y cannot be None"),
    "negative weight": (X, Y, with_entry(W, 5, -1.0), r"sample_weight\[5\]"),
    "zero weights": (X, Y, 0 * W, "at least one non-zero"),
    "NaN weight": (X, Y, with_entry(W, 5, np.nan), "sample_weight.*NaN"),
    "too few weights": (X, Y, W[:-1], "sample_weight.shape"),
    "a matrix of weights": (X, Y, np.ones((N, 2)), "1D"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", BAD_DATA)
@pytest.mark.parametrize("fitted", [False, True])
def test_bad_data(kind, case, fitted):
    bad_X, bad_y, weight, pattern = BAD_DATA[case]
    estimator = kind(hidden_layer_sizes=(4,), max_iter=1)
    if fitted:
        estimator.fit(X, Y)
    assert_raises_unchanged(estimator, lambda e: e.fit(bad_X, bad_y, sample_weight=weight), pattern)


def test_bad_targets_of_a_classifier():
    for y, pattern in [
        (X[:, 0], "Unknown label type: continuous"),
        (np.column_stack([Y, 2 * Y, Y + 1]), "multiclass-multioutput"),
    ]:
        assert_raises_unchanged(MLPClassifier(), lambda e, y=y: e.fit(X, y), pattern)


@pytest.mark.parametrize(("loss", "bad"), [("poisson", -1.0), ("gamma", 0.0)])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_targets_outside_the_domain_name_the_row(loss, bad, solver):
    estimator = MLPRegressor(loss=loss, solver=solver, hidden_layer_sizes=(4,), max_iter=2)
    bad_y = with_entry(W, 7, bad)
    assert_raises_unchanged(estimator, lambda e: e.fit(X, bad_y), f"{loss}.*row 7")
    estimator.set_params(early_stopping=True)
    assert_raises_unchanged(estimator, lambda e: e.fit(X, bad_y), f"{loss}.*row 7")
    assert_raises_unchanged(
        estimator, lambda e: e.fit(X, W, X_val=X, y_val=bad_y), f"Validation data.*{loss}.*row 7"
    )


def test_strings_are_no_targets_of_a_regressor():
    assert_raises_unchanged(
        MLPRegressor(), lambda e: e.fit(X, np.full(N, "a")), "could not convert|numeric"
    )
    assert_raises_unchanged(
        MLPRegressor(), lambda e: e.fit(X, sp.csr_matrix(X)), "Sparse y", (ValueError, TypeError)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_other_columns_at_predict(kind):
    fitted = kind(hidden_layer_sizes=(4,), max_iter=1).fit(X, Y)
    for bad, pattern in [
        (X[:, :2], "2 features, but .* is expecting 3"),
        (with_entry(X, 0, np.nan), "NaN"),
        (X[0], "Expected 2D"),
        (X[:0], "0 sample"),
    ]:
        assert_raises_unchanged(fitted, lambda e, bad=bad: e.predict(bad), pattern)


@pytest.mark.parametrize("kind", KINDS)
def test_validation_data(kind):
    estimator = kind(hidden_layer_sizes=(4,), max_iter=1)
    for keywords, pattern in [
        ({"X_val": X}, "together"),
        ({"y_val": Y}, "together"),
        ({"sample_weight_val": W}, "together"),
        ({"X_val": X[:, :2], "y_val": Y}, "features"),
        ({"X_val": X, "y_val": Y[:5]}, "inconsistent"),
        ({"X_val": X, "y_val": Y, "sample_weight_val": -W}, r"sample_weight_val\[0\]"),
        ({"X_val": with_entry(X, 0, np.inf), "y_val": Y}, "infinity"),
    ]:
        assert_raises_unchanged(estimator, lambda e, k=keywords: e.fit(X, Y, **k), pattern)
    if kind is MLPClassifier:
        assert_raises_unchanged(
            estimator, lambda e: e.fit(X, Y, X_val=X, y_val=Y + 1), "`y_val` has classes not in"
        )


def test_validation_split_too_small():
    for kind, y in ((MLPClassifier, Y), (MLPRegressor, X[:, 0]), (MLPClassifier, np.arange(N) % 3)):
        estimator = kind(early_stopping=True, validation_fraction=0.01)
        assert_raises_unchanged(
            estimator, lambda e, y=y: e.fit(X, y), "validation set is too small|test_size"
        )


@pytest.mark.parametrize("kind", KINDS)
def test_warm_start_with_another_network(kind):
    fitted = kind(hidden_layer_sizes=(4,), max_iter=1, warm_start=True).fit(X, Y)
    bigger = copy.deepcopy(fitted).set_params(hidden_layer_sizes=(5,))
    assert_raises_unchanged(bigger, lambda e: e.fit(X, Y), "warm_start=False")
    assert_raises_unchanged(fitted, lambda e: e.fit(X[:, :2], Y), "features")


def test_classes():
    fitted = MLPClassifier((4,), max_iter=1, warm_start=True).fit(X, Y)
    message = "warm_start can only be used where `y` has the same classes"
    assert_raises_unchanged(fitted, lambda e: e.fit(X, Y + 1), message)
    assert_raises_unchanged(fitted, lambda e: e.partial_fit(X, Y + 1), "has classes not in")
    message = re.escape("`classes=array([0, 1, 2])` is not the same")
    assert_raises_unchanged(fitted, lambda e: e.partial_fit(X, Y, classes=[0, 1, 2]), message)
    fresh = MLPClassifier((4,))
    message = "classes must be passed on the first call"
    assert_raises_unchanged(fresh, lambda e: e.partial_fit(X, Y), message)
    assert_raises_unchanged(fresh, lambda e: e.partial_fit(X, Y, classes=[0]), "has classes not in")


@pytest.mark.parametrize("kind", KINDS)
def test_partial_fit_cannot_stop_early(kind):
    keywords = {"classes": [0, 1]} if kind is MLPClassifier else {}
    assert_raises_unchanged(
        kind(early_stopping=True),
        lambda e: e.partial_fit(X, Y, **keywords),
        "partial_fit does not support early_stopping=True",
    )
    with pytest.raises(AttributeError, match="partial_fit") as raised:
        kind(solver="newton").partial_fit(X, Y)
    assert "newton is not stochastic" in str(raised.value.__cause__)


def test_a_hessian_too_large_for_memory():
    wide = np.random.default_rng(0).normal(size=(10, 3000))
    estimator = MLPRegressor(hidden_layer_sizes=(500,), solver="newton")
    assert_raises_unchanged(
        estimator, lambda e: e.fit(wide, np.arange(10.0)), "GB|GiB|TB|TiB", MemoryError
    )


def test_an_error_in_a_callback_leaves_the_estimator_alone():
    def broken(epoch, record):
        raise RuntimeError("broken")

    fitted = MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, warm_start=True).fit(X, Y)
    fitted.set_params(callback=broken)
    assert_raises_unchanged(fitted, lambda e: e.fit(X, Y), "broken", RuntimeError)


class Own:
    """A loss in Python."""

    def value_grad(self, raw, y):
        return (raw[:, 0] - y) ** 4 / 4, (raw - y[:, None]) ** 3


def test_own_loss_needs_a_full_batch_solver():
    assert_raises_unchanged(
        MLPRegressor(loss=Own()),
        lambda e: e.fit(X, Y),
        "set solver='lbfgs'",
        (ValueError, TypeError),
    )


def test_a_batch_of_any_number_of_rows():
    X, y = np.ones((5, 2)), np.arange(5.0)
    expected = MLPRegressor(batch_size=5, max_iter=2, random_state=0).fit(X, y)
    with pytest.warns(UserWarning, match="batch_size"):
        clipped = MLPRegressor(batch_size=2**70, max_iter=2, random_state=0).fit(X, y)
    np.testing.assert_array_equal(clipped.coefs_[0], expected.coefs_[0])


@pytest.mark.parametrize(
    "model, factor",
    [
        (MLPClassifier((3,), solver="lm", max_iter=5), 1e-200),
        (MLPDistributionRegressor("categorical", hidden_layer_sizes=(3,), max_iter=5), 1e20),
        (BayesianMLPClassifier((3,), posterior=Variational(100), max_iter=5), 1e20),
    ],
)
def test_underflow_is_no_error_where_numpy_raises(model, factor, rng):
    X = rng.normal(size=(40, 3))
    y = np.digitize(X[:, 0], [-0.4, 0.4])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.errstate(all="raise"):
            model.fit(X if factor > 1 else X * factor, y)
            assert np.isfinite(model.predict(X * factor)).all()
