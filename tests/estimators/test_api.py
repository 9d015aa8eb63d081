"""The estimators as scikit-learn's tools see them: parameters, attributes, clones, pickles."""

import copy
import inspect
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.neural_network
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.solvers import LBFGS, SGD, Adam

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
KINDS = [MLPClassifier, MLPRegressor]
SKLEARN = parse_version(sklearn.__version__)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(80, 4))
    return X, (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int)


@pytest.mark.skipif(SKLEARN < parse_version("1.7"), reason="the regressor's loss came with 1.7")
@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_those_of_scikit_learn(kind):
    theirs = inspect.signature(getattr(sklearn.neural_network, kind.__name__)).parameters
    ours = inspect.signature(kind).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    for name, parameter in theirs.items():
        assert ours[name].default == parameter.default, name
        assert ours[name].kind == parameter.kind, name
    assert all(
        ours[name].kind is inspect.Parameter.KEYWORD_ONLY for name in set(ours) - set(theirs)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"solver": "lbfgs"}])
def test_fitted_attributes_are_those_of_scikit_learn(kind, options, data):
    X, y = data
    options |= {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0}
    theirs = getattr(sklearn.neural_network, kind.__name__)(**options).fit(X, y)
    ours = kind(**options).fit(X, y)
    for name in vars(theirs):
        if name.endswith("_") and not name.startswith("_"):
            expected, actual = getattr(theirs, name), getattr(ours, name)
            assert type(actual) is type(expected) or np.isscalar(expected), name
            if not isinstance(expected, list) and expected is not None:
                assert (
                    np.allclose(actual, expected)
                    if name != "out_activation_"
                    else (actual == expected)
                ), name


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_is_documented(kind):
    for name in inspect.signature(kind).parameters:
        assert name in kind.__doc__
    fitted = kind(hidden_layer_sizes=(3,), max_iter=1).fit(np.eye(4), [0, 1, 0, 1])
    for name in vars(fitted):
        if name.endswith("_") and not name.startswith("_"):
            assert name in kind.__doc__, name


@pytest.mark.parametrize("kind", KINDS)
def test_clone_copy_and_repr(kind, data):
    X, y = data
    solver = Adam(learning_rate_init=0.01, beta_2=0.95)
    estimator = kind(hidden_layer_sizes=(5,), solver=solver, max_iter=3, random_state=0)
    twin = clone(estimator)
    assert twin.solver == solver and twin.solver is not solver
    assert "beta_2=0.95" in repr(estimator)
    estimator.fit(X, y)
    assert estimator.solver is solver and solver == Adam(learning_rate_init=0.01, beta_2=0.95)
    for same in (twin.fit(X, y), copy.copy(estimator), copy.deepcopy(estimator)):
        assert np.array_equal(same.predict(X), estimator.predict(X))


@pytest.mark.parametrize("kind", KINDS)
def test_pickle_predicts_alike_and_stays_small(kind, data, tmp_path):
    X, y = data
    sizes = []
    for repeat in (1, 20):
        fitted = kind(hidden_layer_sizes=(5,), max_iter=2, early_stopping=True, random_state=0).fit(
            np.tile(X, (repeat, 1)), np.tile(y, repeat)
        )
        sizes.append(len(pickle.dumps(fitted)))
    assert sizes[0] == pytest.approx(sizes[1], abs=200)
    joblib.dump(fitted, tmp_path / "model")
    for loaded in (pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "model")):
        assert np.array_equal(loaded.predict(X), fitted.predict(X))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"solver": "lbfgs"}, {"standardize": True}])
def test_fitted_state_is_plain(kind, options, data):
    X, y = data
    fitted = kind(
        hidden_layer_sizes=(5,), max_iter=2, activation=("elu", {"alpha": 0.5}), **options
    )
    fitted.fit(X, y).predict(X)
    parameters = fitted.get_params(deep=False)
    for name, value in vars(fitted).items():
        if name not in parameters:
            assert_plain(value, name)


def assert_plain(value, name):
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if type(value) in (list, tuple):
        for item in value:
            assert_plain(item, name)
        return
    assert value is None or type(value) in (bool, int, float, str, np.ndarray, np.float64), (
        name,
        type(value),
    )
    assert not isinstance(value, np.ndarray) or value.dtype != object, name


def test_grid_search_reaches_into_the_solver(data):
    X, y = data
    search = GridSearchCV(
        MLPClassifier((5,), solver=SGD(), max_iter=5, random_state=0),
        {"solver__learning_rate_init": [1e-6, 0.1], "solver": [SGD(batch_size=8)]},
        cv=2,
    )
    search.fit(X, y)
    assert search.best_params_["solver__learning_rate_init"] == 0.1
    assert search.best_estimator_.solver.batch_size == 8


def test_grid_search_in_processes_with_lbfgs(data):
    X, y = data
    search = GridSearchCV(
        MLPRegressor(solver="lbfgs", hidden_layer_sizes=(3,), max_iter=20),
        {"alpha": [0.1, 1.0]},
        cv=2,
        n_jobs=2,
    )
    with joblib.parallel_backend("multiprocessing"):  # forks, after BLAS was used here
        MLPRegressor(solver="lbfgs", max_iter=2).fit(X, y)
        assert search.fit(X, y).best_score_ < 1


def test_pipeline_and_cross_validation(data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((8,), solver="lbfgs", random_state=0))
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.85


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame,
        pytest.param(
            lambda columns: pytest.importorskip("polars").DataFrame(columns),
            marks=pytest.mark.skipif(
                SKLEARN < parse_version("1.9"), reason="scikit-learn reads polars names since 1.9"
            ),
            id="polars",
        ),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_frames_and_feature_names(frame, kind, data):
    X, y = data
    names = ["mass", "age", "size", "flux"]
    X_frame = frame(dict(zip(names, X.T, strict=True)))
    fitted = kind(hidden_layer_sizes=(5,), max_iter=3, early_stopping=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
        fitted.set_params(scoring="accuracy" if kind is MLPClassifier else "r2").fit(X_frame, y)
        assert list(fitted.feature_names_in_) == names
        plain = clone(fitted).fit(X, y)
        assert np.array_equal(fitted.predict(X_frame), plain.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame(dict(zip(["a", "b", "c", "d"], X.T, strict=True))))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(X)


def test_metadata_routing(data):
    X, y = data
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = MLPClassifier((5,), max_iter=3, random_state=0).set_fit_request(
            sample_weight=True, X_val=True, y_val=True, sample_weight_val=True
        )
        search = GridSearchCV(estimator, {"alpha": [0.1]}, cv=2)
        search.set_params(scoring="neg_log_loss")
        search.fit(X, y, X_val=X, y_val=y)
        assert search.best_estimator_.validation_scores_ is not None


@pytest.mark.parametrize(
    "labels", [["no", "yes"], [-1, 1], [True, False], [0.0, 7.0], ["a", "b", "c"], [3, 5, 9]]
)
@pytest.mark.parametrize("options", [{"early_stopping": True}, {"solver": "lbfgs"}])
def test_labels_of_any_kind(labels, options, data):
    X, codes = data
    codes = codes if len(labels) == 2 else (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    y = np.array(labels)[codes]
    for given in (y, list(y), pd.Series(y), pd.Series(y, dtype="category")):
        fitted = MLPClassifier((6,), max_iter=20, random_state=0, **options).fit(X, given)
        assert list(fitted.classes_) == sorted(labels)
        assert set(fitted.predict(X)) <= set(labels)
    assert fitted.predict_proba(X).shape == (len(X), len(labels))
    assert np.allclose(fitted.predict_proba(X).sum(axis=1), 1)
    with np.errstate(divide="ignore"):
        assert np.allclose(fitted.predict_log_proba(X), np.log(fitted.predict_proba(X)))


@pytest.mark.parametrize(
    "options", [{"early_stopping": True}, {"solver": "lbfgs"}, {"max_iter": 5}]
)
def test_multilabel(options, data):
    X, _ = data
    Y = (X[:, :3] > 0).astype(int)
    dense = MLPClassifier((6,), random_state=0, **options).fit(X, Y)
    assert dense.predict(X).shape == Y.shape and dense.out_activation_ == "logistic"
    sparse = MLPClassifier((6,), random_state=0, **options).fit(X, sp.csr_matrix(Y))
    assert sp.issparse(sparse.predict(X))
    assert np.array_equal(sparse.predict(X).toarray(), dense.predict(X))


def test_multilabel_partial_fit(data):
    X, _ = data
    Y = (X[:, :3] > 0).astype(int)
    fitted = MLPClassifier((6,), random_state=0)
    for start in (0, 40):
        fitted.partial_fit(X[start : start + 40], Y[start : start + 40], classes=[0, 1, 2])
    assert fitted.predict(X).shape == Y.shape


def test_one_class(data):
    X, _ = data
    theirs = sklearn.neural_network.MLPClassifier((5,), max_iter=3, random_state=0)
    ours = MLPClassifier((5,), max_iter=3, random_state=0)
    for fitted in (theirs, ours):
        fitted.fit(X, np.full(len(X), "only"))
        assert set(fitted.predict(X)) == {"only"}
    assert np.allclose(theirs.loss_curve_, ours.loss_curve_)


@pytest.mark.parametrize("kind", KINDS)
def test_one_column_of_targets_is_a_vector(kind, data):
    X, y = data
    with pytest.warns(sklearn.exceptions.DataConversionWarning):
        fitted = kind(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X, y.reshape(-1, 1))
    assert fitted.predict(X).shape == (len(X),)


def test_several_outputs(data):
    X, _ = data
    fitted = MLPRegressor(hidden_layer_sizes=(20,), solver="lbfgs", max_iter=500, random_state=0)
    fitted.fit(X, X[:, :2] ** 2)
    assert fitted.n_outputs_ == 2 and fitted.predict(X).shape == (80, 2)
    assert fitted.score(X, X[:, :2] ** 2) > 0.95


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "gd", "newton"])
def test_float32_is_kept(kind, solver, data):
    X, y = data
    X = X.astype(np.float32)
    for standardize in (False, True):
        fitted = kind(hidden_layer_sizes=(4,), solver=solver, max_iter=2, standardize=standardize)
        fitted.fit(X, y)
        kept = fitted._coefs + fitted._intercepts
        assert {part.dtype for part in kept} == {np.dtype(np.float32)}
        output = fitted.predict_proba(X) if kind is MLPClassifier else fitted.predict(X)
        assert output.dtype == np.float32
        shown = np.float64 if standardize else np.float32
        assert {part.dtype for part in fitted.coefs_ + fitted.intercepts_} == {np.dtype(shown)}


LAYOUTS = {
    "read-only": lambda X: _read_only(X),
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: X[::-1].copy()[::-1],
    "Fortran": np.asfortranarray,
    "big-endian": lambda X: X.astype(">f8"),
    "float16": lambda X: X.astype(np.float16),
    "integer": lambda X: np.round(X).astype(np.int8),
    "boolean": lambda X: X > 0,
    "list": lambda X: X.tolist(),
    "csr": sp.csr_matrix,
    "csc": sp.csc_matrix,
    "coo": sp.coo_matrix,
    "csr array": sp.csr_array,
    "int64 indices": lambda X: _long_indices(X),
}


def _read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def _long_indices(X):
    X = sp.csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{"early_stopping": True}, {"solver": "lbfgs"}])
def test_layouts_of_X(layout, kind, options, data):
    X, y = data
    given = LAYOUTS[layout](X)
    plain = given.toarray() if sp.issparse(given) else np.array(given, dtype=np.float64)
    kind = kind(hidden_layer_sizes=(5,), max_iter=3, random_state=0, **options)
    expected, actual = clone(kind).fit(plain, y), clone(kind).fit(given, y)
    for a, b in zip(expected.coefs_, actual.coefs_, strict=True):
        assert np.allclose(a, b, rtol=1e-9, atol=1e-12)
    assert np.array_equal(expected.predict(plain).round(9), actual.predict(given).round(9))


def test_sizes_may_be_given_in_any_way(data):
    X, y = data
    for sizes in (5, [5], (5,), np.array([5]), np.int64(5), range(5, 6)):
        fitted = MLPRegressor(hidden_layer_sizes=sizes, max_iter=1).fit(X, y)
        assert [coef.shape for coef in fitted.coefs_] == [(4, 5), (5, 1)]


def test_lbfgs_object_is_lbfgs(data):
    X, y = data
    options = {"hidden_layer_sizes": (5,), "max_iter": 7, "random_state": 0}
    named = MLPRegressor(solver="lbfgs", **options).fit(X, y)
    made = MLPRegressor(solver=LBFGS(), **options).fit(X, y)
    assert np.array_equal(named.coefs_[0], made.coefs_[0])
