"""Packed prediction gives what the network and the estimators give."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from fastmlp import MLPClassifier, MLPRegressor, Network
from fastmlp.activations import HIDDEN_NAMES, OUTPUT_NAMES
from fastmlp.predictor import Predictor

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-13}


def draw(seed):
    """Layers, hidden activations and output activation; every output comes round."""
    rng = np.random.default_rng(seed)
    hidden = [str(name) for name in rng.choice(HIDDEN_NAMES, seed % 4, replace=False)]
    widths = [rng.integers(1, 30), *rng.integers(1, 70, len(hidden)), rng.integers(2, 20)]
    return list(map(int, widths)), hidden, OUTPUT_NAMES[seed % len(OUTPUT_NAMES)]


NETWORKS = {" ".join(map(str, drawn)): drawn for drawn in map(draw, range(len(OUTPUT_NAMES)))}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_outputs_are_those_of_the_network(network, dtype, rng):
    net = Network(*network, dtype=dtype)
    theta = net.init(random_state=0)
    predictor = Predictor(net, theta)
    for n in (1, 2, 47, 48, 49, 200):
        X = rng.normal(size=(n, net.n_features)).astype(dtype)
        expected = net.predict(theta, X)
        assert np.abs(expected).max() > 0
        np.testing.assert_allclose(
            predictor.outputs(X), expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype]
        )
        np.testing.assert_allclose(
            predictor.outputs(X[0]), expected[0], rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype]
        )


def make(rng):
    net = Network([3, 8, 2], "tanh")
    return net, Predictor(net, net.init(random_state=0)), rng.normal(size=(5, 3))


def test_any_layout_and_dtype_works(rng):
    _, predictor, X = make(rng)
    X = np.round(X * 4)
    expected = predictor.predict(X)
    wide = np.zeros((5, 6))
    wide[:, ::2] = X
    for same in (
        np.asfortranarray(X),
        wide[:, ::2],
        X.astype(np.float16),
        X.astype(np.int64),
        X.astype(">f8"),
        X.tolist(),
        X[::-1].copy()[::-1],
    ):
        np.testing.assert_array_equal(predictor.predict(same), expected)


def test_out_is_filled(rng):
    _, predictor, X = make(rng)
    out = np.empty((5, 2))
    assert predictor.predict(X, out=out) is out
    np.testing.assert_array_equal(out, predictor.predict(X))


@pytest.mark.parametrize(
    ("x", "out", "message"),
    [
        (np.ones((2, 4)), None, "3 columns"),
        (np.ones((2, 2, 3)), None, "3 columns|shape"),
        (np.array([[1.0, np.nan, 2.0]]), None, "NaN or infinity"),
        (np.array([[1.0, np.inf, 2.0]]), None, "NaN or infinity"),
        (np.array([["a", "b", "c"]]), None, "numeric"),
        (np.ones((2, 3)), np.empty((2, 2), np.float32), "out must be float64"),
        (np.ones((2, 3)), np.empty((3, 2)), "2 columns and 2 rows"),
        (np.ones((2, 3)), np.empty((2, 4))[:, ::2], "contiguous"),
        (np.float64(1.0), None, "shape"),
    ],
)
def test_bad_input(rng, x, out, message):
    _, predictor, _ = make(rng)
    with pytest.raises(ValueError, match=message):
        predictor.predict(x, out=out)


def test_read_only_out_is_refused(rng):
    _, predictor, X = make(rng)
    out = np.empty((5, 2))
    out.flags.writeable = False
    with pytest.raises((ValueError, BufferError)):
        predictor.predict(X, out=out)


def test_it_pickles_and_never_changes(rng):
    net, _, X = make(rng)
    theta = net.init(random_state=1)
    predictor = Predictor(net, theta)
    expected = predictor.predict(X)
    theta[:] = 0
    np.testing.assert_array_equal(predictor.predict(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(predictor)).predict(X), expected)


def test_threads_share_one(rng):
    net = Network([10, 64, 64, 3])
    predictor = Predictor(net, net.init(random_state=0))
    blocks = [rng.normal(size=(n, 10)) for n in range(1, 60)]
    expected = [predictor.predict(X) for X in blocks]
    with ThreadPoolExecutor(4) as pool:
        for got, wanted in zip(pool.map(predictor.predict, blocks * 5), expected * 5, strict=True):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("labels", ["binary", "multiclass", "multilabel", "one class"])
def test_a_compiled_classifier_decides_as_the_classifier(rng, labels, standardize):
    X = rng.normal(3, 2, size=(80, 4))
    y = {
        "binary": np.where(X[:, 0] > 3, "yes", "no"),
        "multiclass": np.digitize(X[:, 0], [2, 4]) * 10,
        "multilabel": (X[:, :3] > 3).astype(int),
        "one class": np.full(80, 7),
    }[labels]
    model = MLPClassifier(
        hidden_layer_sizes=(9,), solver="lbfgs", max_iter=20, standardize=standardize
    ).fit(X, y)
    np.testing.assert_array_equal(model.compile().predict(X), model.predict(X))
    assert model.compile().predict(X[0]).shape == model.predict(X[:1])[0].shape


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_a_compiled_regressor_folds_the_scales(rng, n_outputs):
    X = rng.normal([5, 100, -3], [1, 20, 0.1], size=(60, 3))
    y = X @ rng.normal(size=(3, n_outputs)) + 1000
    y = y[:, 0] if n_outputs == 1 else y
    model = MLPRegressor(
        hidden_layer_sizes=(7,), solver="lbfgs", max_iter=30, standardize=True, random_state=0
    ).fit(X, y)
    assert model.predict(X).std() > 1
    np.testing.assert_allclose(model.compile().predict(X), model.predict(X), rtol=1e-9)


def test_predict_sees_every_change_of_the_coefficients(rng):
    X = rng.normal(size=(30, 3))
    model = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=9).fit(X, X[:, 0])
    first = model.predict(X)
    model.intercepts_[-1] += 1.0  # in place
    np.testing.assert_allclose(model.predict(X), first + 1, rtol=1e-12)
    model.intercepts_[-1] = model.intercepts_[-1] + 1.0  # another array
    np.testing.assert_allclose(model.predict(X), first + 2, rtol=1e-12)
    model.intercepts_[-1][:] += 1.0  # the other array in place
    np.testing.assert_allclose(model.predict(X), first + 3, rtol=1e-12)
    model.coefs_ = [np.zeros_like(W) for W in model.coefs_]
    assert np.ptp(model.predict(X)) == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_one_row_is_predicted_as_it_is_among_many(rng, dtype, activation, n_outputs):
    X = rng.normal(size=(20, 5)).astype(dtype)
    y = X[:, :n_outputs].squeeze()
    model = MLPRegressor(
        hidden_layer_sizes=(9, 1, 3, 8, 17, 4000),  # the last too wide for the stack
        activation=activation,
        max_iter=1,
        random_state=3,
    )
    with pytest.warns(UserWarning, match="iterations"):
        model.fit(X, y)
    many = model.predict(X)
    assert np.ptp(many) > 0
    one_by_one = np.concatenate([model.predict(X[k : k + 1]) for k in range(20)])
    assert one_by_one.dtype == dtype and one_by_one.shape == many.shape
    np.testing.assert_allclose(one_by_one, many, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    predict = model.compile()
    for k in range(20):
        np.testing.assert_allclose(predict(X[k]), many[k], rtol=TOLERANCE[dtype], atol=1e-5)


def test_one_row_sees_every_change_of_the_coefficients(rng):
    X = rng.normal(size=(30, 3))
    model = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=9).fit(X, X[:, 0])
    row = X[:1]
    first = model.predict(row)
    model.intercepts_[-1] += 1.0  # in place
    np.testing.assert_allclose(model.predict(row), first + 1, rtol=1e-12)
    model.intercepts_[-1] = model.intercepts_[-1] + 1.0  # another array
    np.testing.assert_allclose(model.predict(row), first + 2, rtol=1e-12)
    model.coefs_ = [np.asfortranarray(W) for W in model.coefs_]
    np.testing.assert_allclose(model.predict(row), first + 2, rtol=1e-12)
    model.coefs_ = tuple(W.copy() for W in model.coefs_)
    np.testing.assert_allclose(model.predict(row), first + 2, rtol=1e-12)
    model.coefs_ = [np.zeros_like(W) for W in model.coefs_]
    np.testing.assert_allclose(model.predict(row), model.intercepts_[-1], rtol=1e-12)
    model.coefs_, model.intercepts_ = [np.ones((3, 1))], [np.zeros(1)]  # another network
    model.activations_ = []
    np.testing.assert_allclose(model.predict(row), row.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(model.predict(X), X.sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fitted_weights_begin_at_a_line_of_cache(rng, dtype):
    X = rng.normal(size=(30, 3)).astype(dtype)
    for width in range(1, 9):
        model = MLPRegressor(hidden_layer_sizes=(width,), solver="lbfgs", max_iter=9)
        assert model.fit(X, X[:, 0]).coefs_[0].ctypes.data % 64 == 0
        assert model.coefs_[0].dtype == dtype


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("between", [0, 1])
def test_weights_that_are_views_of_a_longer_vector(rng, before, between):
    X = rng.normal(size=(30, 1))
    model = MLPRegressor(hidden_layer_sizes=(2,), solver="lbfgs", max_iter=9).fit(X, X[:, 0])
    expected = model.predict(X)
    at, vector, views = before, np.full(20, 7.0), []
    for part in (model.coefs_[0], model.intercepts_[0], model.coefs_[1], model.intercepts_[1]):
        views.append(vector[at : at + part.size].reshape(part.shape))
        views[-1][...] = part
        at += part.size + between
    model.coefs_, model.intercepts_ = views[::2], views[1::2]
    for _ in range(2):
        np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)
        np.testing.assert_allclose(model.predict(X[:1]), expected[:1], rtol=1e-12)
    vector[at - between - 1] += 1.0  # the bias of the output
    np.testing.assert_allclose(model.predict(X), expected + 1, rtol=1e-12)
    np.testing.assert_allclose(model.predict(X[:1]), expected[:1] + 1, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 30])
@pytest.mark.parametrize("standardize", [False, True])
def test_plain_arrays_do_without_the_validators_and_bad_ones_do_not(
    rng, monkeypatch, standardize, n
):
    X = rng.normal(5, 2, size=(30, 3))
    model = MLPRegressor(
        hidden_layer_sizes=(4,), solver="lbfgs", max_iter=9, standardize=standardize
    ).fit(X, X[:, 0])
    X = X[:n]
    expected = model.predict(X.tolist())
    bad = np.where(np.arange(3) == 1, np.nan, X)
    for wrong, message in (
        (bad, "NaN"),
        (X[:, :2], "2 features"),
        (X[:0], "0 sample"),
        (X[0], "1D"),
    ):
        with pytest.raises(ValueError, match=message):
            model.predict(wrong)
    monkeypatch.delattr("fastmlp.estimators._base.validate_data")
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)
    model.coefs_ = [np.zeros_like(W) for W in model.coefs_]
    assert np.ptp(model.predict(X)) == 0


def test_another_activation_is_another_network(rng):
    X = rng.normal(size=(30, 3))
    model = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=9).fit(X, X[:, 0])
    before = model.predict(X)
    model.activations_ = ["identity"]
    linear = (X @ model.coefs_[0] + model.intercepts_[0]) @ model.coefs_[1] + model.intercepts_[1]
    assert not np.allclose(before, linear[:, 0])
    np.testing.assert_allclose(model.predict(X[:1]), linear[0], rtol=1e-12)
    np.testing.assert_allclose(model.predict(X), linear[:, 0], rtol=1e-12)


@pytest.mark.parametrize("n", [1, 5])
def test_rows_of_any_kind(rng, n):
    """Of the network's type, but not where or how the core reads them."""
    _, predictor, X = make(rng)
    X = X[:n]
    expected = predictor.predict(X)
    unaligned = np.zeros(X.nbytes + 1, np.uint8)[1:].view(X.dtype).reshape(X.shape)
    unaligned[...] = X
    assert not unaligned.flags.aligned
    packed = np.zeros(n, [("byte", "i1"), ("row", X.dtype, 3)])  # strides that are no multiple
    packed["row"] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    backwards = X[:, ::-1].copy()[:, ::-1]
    for same in (unaligned, packed["row"], read_only, backwards, X.view(np.matrix)):
        np.testing.assert_array_equal(predictor.predict(same), expected)


def test_no_rows_no_outputs(rng):
    _, predictor, _ = make(rng)
    assert predictor.predict(np.empty((0, 3))).shape == (0, 2)


def test_a_plain_array_without_axes_is_refused(rng):
    _, predictor, _ = make(rng)
    with pytest.raises(ValueError, match="shape"):
        predictor.predict(np.array(1.0))


def test_outputs_may_lie_where_the_row_was(rng):
    net = Network([2, 2])
    predictor = Predictor(net, net.init(random_state=0))
    x = rng.normal(size=2)
    expected = predictor.predict(x)
    np.testing.assert_array_equal(predictor.predict(x, out=x), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [49, 48 * 7, 48 * 40 + 1])
def test_outputs_do_not_depend_on_threads(rng, dtype, n):
    net = Network([10, 33, 5, 3], "tanh", "softmax", "log_loss", dtype=dtype)
    predictor = Predictor(net, net.init(random_state=0))
    X = rng.normal(size=(n, 10)).astype(dtype)
    expected = predictor.outputs(X)
    for n_threads in (2, 3, 50):
        np.testing.assert_array_equal(predictor.outputs(X, n_threads=n_threads), expected)
        out = np.full((n, 3), np.nan, dtype)
        assert predictor.outputs(X, out, n_threads) is out
        np.testing.assert_array_equal(out, expected)
    for row in (0, n - 1):
        bad = X.copy()
        bad[row, 3] = np.inf
        with pytest.raises(ValueError, match="NaN or infinity"):
            predictor.outputs(bad, n_threads=3)


@pytest.mark.parametrize(
    ("n", "n_threads", "expected"),
    [(100_000, None, 4), (100_000, 2, 2), (100_000, 1, 1), (50, 4, 1)],
)
def test_an_estimator_predicts_in_as_many_threads_as_the_work_is_worth(
    rng, monkeypatch, n, n_threads, expected
):
    """At most n_threads, and the same outputs."""
    X = rng.normal(size=(n, 5))
    model = MLPRegressor(hidden_layer_sizes=(200,), solver="lbfgs", max_iter=1, n_threads=n_threads)
    with pytest.warns(UserWarning):
        model.fit(X[:50], X[:50, 0])
    used = []
    outputs = Predictor.outputs

    def seen(self, x, out=None, n_threads=1):
        used.append(n_threads)
        return outputs(self, x, out, n_threads)

    alone = model.compile().predict(X)
    monkeypatch.setattr(Predictor, "outputs", seen)
    monkeypatch.setattr("fastmlp.threads.available_cpus", lambda: 4)
    monkeypatch.setattr("fastmlp.threads.threads_in_force", lambda n: n)
    for _ in range(2):  # after the validators of scikit-learn, and without them
        np.testing.assert_array_equal(model.predict(X), alone)
    assert used == [expected] * 2


def test_out_has_the_shape_of_what_is_returned(rng):
    net = Network([3, 4, 1])
    predictor = Predictor(net, net.init(random_state=0))
    X = rng.normal(size=(5, 3))
    for x in (X, X[0]):
        expected = predictor.predict(x)
        out = np.empty(expected.shape)
        assert predictor.predict(x, out) is out
        np.testing.assert_array_equal(out, expected)
    with pytest.raises(ValueError, match=r"out must have 1 columns and 5 rows, got shape \(4,\)"):
        predictor.predict(X, np.empty(4))
    with pytest.raises(ValueError, match="out must be an ndarray, got list"):
        predictor.predict(X, [0.0] * 5)


def test_what_is_no_dense_number_is_named(rng):
    _, predictor, X = make(rng)
    with pytest.raises(ValueError, match=r"sparse.*x\.toarray"):
        predictor.predict(sp.csr_matrix(X))
    with pytest.raises(ValueError, match=r"dtype object; x\.astype\('float64'\)"):
        predictor.predict(X.astype(object))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_go_by_their_names(rng, library):
    frames = pytest.importorskip(library)
    X = rng.normal(size=(30, 3)) * [1, 10, 100]
    frame = frames.DataFrame({name: X[:, j] for j, name in enumerate("abc")})
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2).fit(frame, X[:, 0])
    predictor = pickle.loads(pickle.dumps(model.compile()))
    np.testing.assert_allclose(predictor.predict(frame), model.predict(frame), rtol=1e-12)
    np.testing.assert_allclose(predictor.predict(X), model.predict(frame), rtol=1e-12)
    out = np.empty(30)
    for wrong, message in (
        (frame[["b", "a", "c"]], "another order: column 0 should be 'a', and is 'b'"),
        (frame[["a", "b"]], "missing: 'c'"),
        (frame.rename({"b": "B"}, **({"axis": 1} if library == "pandas" else {})), "missing: 'b'"),
        (frame.rename({"b": "B"}, **({"axis": 1} if library == "pandas" else {})), "ted: 'B'"),
    ):
        for ask in (
            predictor.predict,
            predictor.outputs,
            lambda x: predictor.predict(x, out=out),
            lambda x: predictor.outputs(x, n_threads=2),
        ):
            with pytest.raises(ValueError, match=message):
                ask(wrong)


def test_a_series_is_a_row_with_names(rng):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rng.normal(size=(30, 3)), columns=list("abc"))
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2).fit(frame, frame["a"])
    predictor = model.compile()
    row = frame.iloc[3]
    np.testing.assert_allclose(predictor.predict(row), model.predict(frame)[3], rtol=1e-12)
    with pytest.raises(ValueError, match="another order"):
        predictor.predict(row[::-1])
    unnamed = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2).fit(frame.to_numpy(), frame["a"])
    assert np.isfinite(unnamed.compile().predict(row[::-1]))


@pytest.mark.parametrize(
    ("kind", "loss", "shown"),
    [
        (MLPClassifier, "log_loss", "loss='log_loss'"),
        (MLPClassifier, "perceptron", "loss='perceptron'"),
        (MLPRegressor, ("huber", {"epsilon": 2.0}), "loss=('huber', {'epsilon': 2.0})"),
    ],
)
def test_the_loss_shown_is_that_of_the_fit(rng, kind, loss, shown):
    X = rng.normal(size=(30, 2))
    y = X[:, 0] > 0 if kind is MLPClassifier else X[:, 0]
    model = kind(hidden_layer_sizes=(3,), loss=loss, max_iter=2).fit(X, y)
    for predictor in (model.compile(), pickle.loads(pickle.dumps(model.compile()))):
        assert shown in repr(predictor) and repr(predictor).startswith("Predictor([2, 3, 1], ")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_raw", [1, 3])
@pytest.mark.parametrize("n", [0, 1, 60])
def test_a_plain_out_takes_no_detour(rng, monkeypatch, dtype, n_raw, n):
    """n of 0 stands for a single row without its axis."""
    net = Network([4, 6, n_raw], dtype=dtype)
    predictor = Predictor(net, net.init(random_state=0))
    x = rng.normal(size=(n, 4) if n else 4).astype(dtype)
    expected = predictor.predict(x)
    out = np.full_like(expected, np.nan)
    if out.ndim == 0:
        assert predictor.predict(x, out=out) is out and out == expected
        return
    monkeypatch.setattr(Predictor, "_checked", None)
    assert predictor.predict(x, out=out) is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(
        predictor.outputs(x, out=out.reshape(*x.shape[:-1], n_raw)).ravel(), expected.ravel()
    )


def test_an_out_within_x_is_not_written_too_early(rng):
    net = Network([2, 5, 2])
    predictor = Predictor(net, net.init(random_state=0))
    memory = rng.normal(size=202)
    x, out = memory[:200].reshape(100, 2), memory[2:].reshape(100, 2)
    expected = predictor.predict(x.copy())
    np.testing.assert_array_equal(predictor.predict(x, out=out), expected)
