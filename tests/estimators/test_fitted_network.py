"""A fitted estimator knows its network and its derivatives, in the units of X and y."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

from fastmlp import MLPClassifier, MLPRegressor, Network

X = np.random.default_rng(3).normal(size=(70, 3)) * [0.1, 2.0, 30.0] + [1.0, 0.0, 100.0]
Z = (X - X.mean(0)) / X.std(0)
TARGETS = {
    "one output": 7 + 3 * Z[:, 0] + np.sin(2 * Z[:, 1]),
    "two outputs": np.c_[7 + 3 * Z[:, 0], 1e3 * Z[:, 1] * Z[:, 2]],
    "poisson": np.floor(np.exp(1 + 0.5 * Z[:, 0])),
    "two classes": Z[:, 0] > 0,
    "three classes": np.digitize(Z[:, 0] + Z[:, 1], [-0.5, 0.5]),
    "several labels": (Z > 0).astype(int),
    "one class": np.zeros(70),
    "perceptron": Z[:, 0] > 0,
}


def fitted(task, standardize=True, sparse=False, data=X, **options):
    y = TARGETS[task]
    kind = MLPRegressor if task in ("one output", "two outputs", "poisson") else MLPClassifier
    if task in ("poisson", "perceptron"):
        options["loss"] = task
        options["solver"] = "adam"
    options = {"activation": "tanh", "solver": "lbfgs", "hidden_layer_sizes": (5,)} | options
    model = kind(standardize=standardize, max_iter=15, random_state=0, **options)
    data = data if standardize else Z
    return model.fit(sp.csr_matrix(data) if sparse else data, y)


def answers(model, data):
    if isinstance(model, MLPClassifier):
        if model.loss == "perceptron":
            return model.network_.predict(model.theta_, data)
        return model.predict_proba(data)
    return model.predict(data).reshape(data.shape[0], -1)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("task", sorted(set(TARGETS) - {"one class"}))
def test_the_network_predicts_as_the_estimator(task, standardize):
    model = fitted(task, standardize)
    data = X if standardize else Z
    network, theta = model.network_, model.theta_
    assert isinstance(network, Network) and theta.shape == (network.n_params,)
    expected = answers(model, data)
    output = network.predict(theta, data)
    np.testing.assert_allclose(output, expected[:, -output.shape[1] :], rtol=1e-8, atol=1e-12)
    assert network.loss == model._network_loss()[0]


def test_the_network_of_float32():
    data = X.astype(np.float32)
    plain = fitted("one output", False)
    plain.fit(data, TARGETS["one output"])
    assert plain.network_.dtype == plain.theta_.dtype == np.float32
    scaled = fitted("one output", data=data)
    assert scaled.network_.dtype == np.float64
    output = scaled.network_.predict(scaled.theta_, data)
    np.testing.assert_allclose(output[:, 0], scaled.predict(data), rtol=1e-5)


def test_theta_is_a_copy():
    model = fitted("one output", False)
    before = model.predict(Z)
    model.theta_[...] = 0.0
    np.testing.assert_array_equal(model.predict(Z), before)
    model.coefs_ = [2 * W for W in model.coefs_]
    np.testing.assert_allclose(model.network_.predict(model.theta_, Z)[:, 0], model.predict(Z))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("task", TARGETS)
def test_the_jacobian_is_that_of_finite_differences(task, standardize, sparse):
    model = fitted(task, standardize, sparse)
    data = X if standardize else Z
    jacobian = model.input_jacobian(sp.csr_matrix(data) if sparse else data)
    columns = []
    for j, step in enumerate(1e-5 * data.std(axis=0)):
        h = step * (np.arange(3) == j)
        columns.append((answers(model, data + h) - answers(model, data - h)) / (2 * step))
    expected = np.stack(columns, axis=2)
    if task == "one class":
        expected = np.zeros((70, 1, 3))
    else:
        assert np.abs(expected).max() > 0
    assert jacobian.shape == expected.shape and jacobian.dtype == np.float64
    scale = np.abs(expected).max(axis=(0, 1))
    np.testing.assert_allclose(jacobian, expected, rtol=0, atol=1e-6 * (scale.max() or 1.0))


def test_sensitivity_of_a_linear_model_is_its_standardized_coefficient():
    data = X @ np.array([[2.0, 0, 0], [0, 1, 0], [0.5, 0, 1]])
    y = np.c_[data @ [3.0, -2.0, 0.0], data @ [0.0, 0.0, 4.0]]
    model = MLPRegressor(hidden_layer_sizes=(), solver="newton", alpha=0.0, standardize=True)
    model.set_params(tol=1e-12).fit(data, y)
    expected = np.abs([[3.0, -2.0, 0.0], [0.0, 0.0, 4.0]]) * data.std(axis=0)
    for given in (data, sp.csr_matrix(data)):
        np.testing.assert_allclose(model.sensitivity(given), expected, atol=1e-7 * expected.max())


@pytest.mark.parametrize("task", ["two outputs", "three classes", "two classes"])
def test_sensitivity_is_the_mean_square_of_the_jacobian(task, monkeypatch):
    model = fitted(task)
    expected = np.sqrt(np.mean(model.input_jacobian(X) ** 2, axis=0)) * X.std(axis=0)
    np.testing.assert_allclose(model.sensitivity(X), expected, rtol=1e-12)
    monkeypatch.setattr("fastmlp.estimators._fitted._CHUNK_BYTES", 500)
    np.testing.assert_allclose(model.sensitivity(X), expected, rtol=1e-12)


@pytest.mark.parametrize("method", ["input_jacobian", "sensitivity"])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_go_by_their_names(method, library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame({name: X[:, j] for j, name in enumerate("abc")})
    model = fitted("one output", data=frame)
    expected = getattr(fitted("one output"), method)(X)
    np.testing.assert_allclose(getattr(model, method)(frame), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="feature names should match"):
        getattr(model, method)(frame[["b", "a", "c"]])


@pytest.mark.parametrize("method", ["input_jacobian", "sensitivity"])
def test_bad_input(method):
    with pytest.raises(NotFittedError):
        getattr(MLPRegressor(), method)(X)
    ask = getattr(fitted("one output"), method)
    for wrong, message in (
        (X[:, :2], "2 features"),
        (np.where(X > 1.2, np.nan, X), "NaN"),
        (X[0], "1D"),
        (X[:0], "0 sample"),
    ):
        with pytest.raises(ValueError, match=message):
            ask(wrong)


@pytest.mark.parametrize("name", ["network_", "theta_"])
def test_before_fit_there_is_none(name):
    assert not hasattr(MLPRegressor(), name)
    assert hasattr(fitted("one output"), name)


@pytest.mark.parametrize("output", ["logistic", "softmax", "exp", "softplus", "identity", "tanh"])
def test_a_network_goes_through_its_output_activation(output, rng):
    network = Network([3, 4, 2], "silu", output)
    theta, x = network.init(random_state=1), rng.normal(size=(6, 3))
    expected = np.empty((6, 2, 3))
    for j in range(3):
        h = 1e-6 * (np.arange(3) == j)
        ahead, behind = network.predict(theta, x + h), network.predict(theta, x - h)
        expected[:, :, j] = (ahead - behind) / 2e-6
    assert np.abs(expected).max() > 1e-3
    jacobian = network.input_jacobian(theta, x, apply_output=True)
    np.testing.assert_allclose(jacobian, expected, atol=1e-8)
