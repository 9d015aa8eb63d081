"""Other people's tools are given the function that `predict` computes.

ONNX Runtime and emlearn are asked, where they are installed (`pip install "fastmlp[interop]"`).
"""

import subprocess

import numpy as np
import pytest
import sklearn.neural_network
from sklearn.base import is_classifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor

TASKS = ("two classes", "three classes", "several labels", "one output", "two outputs")
DTYPES = (np.float32, np.float64)


@pytest.fixture(autouse=True)
def errors_as_they_were():
    """emlearn sets NumPy's handling of errors when it is imported."""
    with np.errstate():
        yield


def fitted(task, standardize, dtype, **options):
    rng = np.random.default_rng(1)
    X = (rng.normal(size=(150, 4)) * [1.0, 3.0, 10.0, 0.3] + [5.0, 0.0, 50.0, 1.0]).astype(dtype)
    z = (X - X.mean(0)) / X.std(0)
    y = {
        "two classes": np.where(z[:, 0] + z[:, 1] > 0, "yes", "no"),
        "three classes": np.digitize(z[:, 0], [-0.5, 0.5]) * 10,
        "several labels": (z[:, :3] > 0).astype(int),
        "one output": 100 + 20 * z[:, 0] * z[:, 1],
        "two outputs": np.c_[100 + 20 * z[:, 0], 3 * z[:, 2]],
    }[task]
    kind = MLPRegressor if "output" in task else MLPClassifier
    options = {"hidden_layer_sizes": (7, 5), "activation": "tanh", "solver": "lbfgs"} | options
    model = kind(standardize=standardize, max_iter=40, random_state=0, **options)
    return model.fit(X if standardize else z, y), (X if standardize else z)


def answers(model, X):
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("task", TASKS)
def test_to_sklearn_predicts_alike(task, standardize, dtype):
    model, X = fitted(task, standardize, dtype)
    theirs = model.to_sklearn()
    assert type(theirs).__module__.startswith("sklearn.neural_network")
    assert type(theirs).__name__ == type(model).__name__
    tolerance = 1e-4 if dtype is np.float32 else 1e-11
    scale = np.abs(answers(model, X)).max()
    np.testing.assert_allclose(answers(theirs, X), answers(model, X), atol=tolerance * scale)
    if is_classifier(model):
        np.testing.assert_array_equal(theirs.predict(X), model.predict(X))
        assert theirs.predict(X).dtype == model.predict(X).dtype
        np.testing.assert_array_equal(theirs.classes_, model.classes_)
    assert theirs.loss_curve_ == list(model.loss_curve_) and theirs.n_iter_ == model.n_iter_
    names = ("n_features_in_", "n_layers_", "n_outputs_", "out_activation_", "loss_", "best_loss_")
    for name in names:
        assert getattr(theirs, name) == getattr(model, name)


def test_to_sklearn_is_a_copy():
    model, X = fitted("one output", False, np.float64)
    expected = model.predict(X)
    theirs = model.to_sklearn()
    theirs.coefs_[0][...] = 0.0
    theirs.loss_curve_.clear()
    np.testing.assert_array_equal(model.predict(X), expected)
    assert model.loss_curve_


def test_to_sklearn_keeps_names_and_parameters():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["a", "b"])
    model = MLPRegressor(
        hidden_layer_sizes=3, alpha=0.3, max_iter=7, early_stopping=True, random_state=5
    ).fit(X, X["a"])
    theirs = model.to_sklearn()
    assert list(theirs.feature_names_in_) == ["a", "b"]
    assert (theirs.alpha, theirs.max_iter, theirs.random_state) == (0.3, 7, 5)
    assert theirs.hidden_layer_sizes == (3,)
    assert list(theirs.validation_scores_) == list(model.validation_scores_)
    assert theirs.best_validation_score_ == model.best_validation_score_
    with pytest.raises(ValueError, match="feature names"):
        theirs.predict(X[["b", "a"]])


def test_to_sklearn_can_be_trained_further():
    model, X = fitted("three classes", True, np.float64, solver="adam")
    theirs = model.to_sklearn()
    before = theirs.coefs_[0].copy()
    theirs.partial_fit(X, model.predict(X))
    assert not np.array_equal(theirs.coefs_[0], before)


@pytest.mark.parametrize("solver", ["newton", "lm", "object"])
def test_to_sklearn_of_a_solver_it_has_not(solver):
    from fastmlp.solvers import SGD

    solver = SGD(learning_rate_init=0.02, learning_rate="cosine") if solver == "object" else solver
    model, X = fitted("one output", True, np.float64, solver=solver)
    theirs = model.to_sklearn()
    assert theirs.solver == ("sgd" if isinstance(solver, SGD) else "lbfgs")
    np.testing.assert_allclose(theirs.predict(X), model.predict(X), rtol=1e-10)
    theirs.set_params(max_iter=1).fit(X, X[:, 0])


def test_to_sklearn_of_poisson():
    if "loss" not in sklearn.neural_network.MLPRegressor().get_params():
        pytest.skip("this scikit-learn has no loss='poisson'")
    X = np.random.default_rng(0).normal(3, 2, size=(60, 2))
    model = MLPRegressor(hidden_layer_sizes=(4,), loss="poisson", standardize=True, max_iter=9)
    model.fit(X, np.floor(X[:, 0] ** 2))
    np.testing.assert_allclose(model.to_sklearn().predict(X), model.predict(X), rtol=1e-10)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (MLPRegressor, {"activation": "gelu"}, "no activation 'gelu'"),
        (MLPRegressor, {"activation": ("elu", {"alpha": 0.5})}, "no activation 'elu'"),
        (MLPClassifier, {"activation": ["relu", "tanh"]}, "has 'relu', 'tanh'"),
        (MLPRegressor, {"loss": "huber"}, "no loss 'huber'"),
        (MLPRegressor, {"loss": "quantile"}, "no loss 'quantile'"),
        (MLPClassifier, {"loss": "perceptron"}, "no loss 'perceptron'"),
        (MLPClassifier, {"loss": "squared_error"}, "no loss 'squared_error'"),
    ],
)
def test_to_sklearn_names_what_it_has_not(kind, options, message):
    X = np.random.default_rng(0).normal(size=(30, 2))
    y = X[:, 0] > 0 if kind is MLPClassifier else X[:, 0]
    model = kind(hidden_layer_sizes=(3, 3), max_iter=2, **options).fit(X, y)
    with pytest.raises(ValueError, match=message):
        model.to_sklearn()


def test_the_loss_is_that_of_the_fit():
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, loss="huber").fit(X, X[:, 0])
    with pytest.raises(ValueError, match="no loss 'huber'"):
        model.set_params(loss="squared_error").to_sklearn()


def run_onnx(model, X):
    """The outputs of ONNX Runtime for what skl2onnx makes of a model."""
    onnxruntime = pytest.importorskip("onnxruntime")
    skl2onnx = pytest.importorskip("skl2onnx")
    options = {}
    if is_classifier(model) and type(model).__module__.startswith("sklearn"):
        options = {id(model): {"zipmap": False}}
    made = skl2onnx.to_onnx(model, X[:1], options=options)
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: X})


def agree(outputs, model, X):
    tolerance = 1e-4 if X.dtype == np.float32 else 1e-9
    expected = answers(model, X)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        outputs[-1].reshape(expected.shape), expected, rtol=0, atol=tolerance * scale
    )
    if is_classifier(model):
        assert np.mean(outputs[0] == model.predict(X)) > 0.99


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("as_sklearn", [False, True])
def test_onnx_runtime(as_sklearn, task, standardize, dtype):
    if task == "several labels" and dtype is np.float64:
        pytest.skip("ONNX Runtime has no Binarizer of float64, which skl2onnx makes of it")
    model, X = fitted(task, standardize, dtype)
    agree(run_onnx(model.to_sklearn() if as_sklearn else model, X), model, X)


def test_onnx_runtime_behind_a_pipeline():
    model, X = fitted("three classes", True, np.float32)
    pipeline = make_pipeline(StandardScaler().fit(X), model)
    agree(run_onnx(pipeline, X)[:2], pipeline, X)


@pytest.mark.parametrize("task", TASKS)
def test_the_converters_of_scikit_learn_registered_for_ours(task):
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common import shape_calculator as shapes
    from skl2onnx.operator_converters import multilayer_perceptron as converters

    # Subclasses, so that what is registered here does not reach the other tests.
    class Classifier(MLPClassifier):
        pass

    class Regressor(MLPRegressor):
        pass

    options = {"zipmap": [True, False, "columns"], "nocl": [True, False]}
    options |= {"output_class_labels": [False, True], "raw_scores": [True, False]}
    skl2onnx.update_registered_converter(
        Classifier,
        "FastMLPClassifier",
        shapes.calculate_linear_classifier_output_shapes,
        converters.convert_sklearn_mlp_classifier,
        options=options,
    )
    skl2onnx.update_registered_converter(
        Regressor,
        "FastMLPRegressor",
        shapes.calculate_linear_regressor_output_shapes,
        converters.convert_sklearn_mlp_regressor,
    )
    model, X = fitted(task, True, np.float32)
    model.__class__ = Classifier if is_classifier(model) else Regressor
    pytest.importorskip("onnxruntime")
    import onnxruntime

    zipmap = {id(model): {"zipmap": False}} if is_classifier(model) else {}
    made = skl2onnx.to_onnx(model, X[:1], options=zipmap)
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    agree(session.run(None, {session.get_inputs()[0].name: X}), model, X)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("task", ["two classes", "three classes", "one output"])
@pytest.mark.parametrize("as_sklearn", [False, True])
def test_emlearn(as_sklearn, task, standardize, tmp_path, monkeypatch):
    """emlearn compiles C, in the current folder, and knows classes by their number."""
    monkeypatch.chdir(tmp_path)
    emlearn = pytest.importorskip("emlearn")
    model, X = fitted(task, standardize, np.float32)
    kind = "classifier" if is_classifier(model) else "regressor"
    try:
        theirs = emlearn.convert(
            model.to_sklearn() if as_sklearn else model, method="loadable", return_type=kind
        )
    except (subprocess.CalledProcessError, OSError) as error:
        pytest.skip(f"emlearn needs a C compiler: {error}")
    found = np.ravel(theirs.predict(X))
    if is_classifier(model):
        assert np.mean(model.classes_[found.astype(int)] == model.predict(X)) > 0.98
    else:
        np.testing.assert_allclose(found, model.predict(X), atol=1e-3 * np.abs(found).max())


@pytest.mark.parametrize("task", TASKS)
def test_skops(task):
    skops = pytest.importorskip("skops.io")
    model, X = fitted(task, True, np.float64)
    dumped = skops.dumps(model.to_sklearn())
    loaded = skops.loads(dumped, trusted=skops.get_untrusted_types(data=dumped))
    np.testing.assert_allclose(answers(loaded, X), answers(model, X), rtol=1e-8, atol=1e-12)
