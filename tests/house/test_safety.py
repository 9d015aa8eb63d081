"""What C reads and writes stays within what the user gave, whatever that is."""

import itertools
import os
import pickle

import numpy as np
import pytest
from scipy import sparse

from fastmlp import MLPClassifier, MLPRegressor, Network, _hyper, average
from fastmlp.activations import Activation
from fastmlp.losses import Loss
from fastmlp.predictor import Predictor
from fastmlp.tabular import Race

HUGE = 10**400


def unaligned(array):
    """The same numbers, one byte off every boundary."""
    view = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    assert not view.flags.aligned
    return view


def trained(n_outputs=1, **parameters):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(60, 4)), rng.normal(size=(60, n_outputs))
    model = MLPRegressor(hidden_layer_sizes=(5,), max_iter=2, random_state=0, **parameters)
    return model.fit(X, Y[:, 0] if n_outputs == 1 else Y), X, Y


# -- out -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["predict", "outputs"])
@pytest.mark.parametrize("n_raw", [1, 3])
def test_an_out_of_another_shape_is_refused(rng, method, n_raw):
    net = Network([4, 5, n_raw])
    predictor = Predictor(net, net.init(random_state=0))
    for X in (rng.normal(size=(200, 4)), rng.normal(size=(1, 4)), rng.normal(size=4)):
        right = (*X.shape[:-1], n_raw)
        good = {right, right[:-1]} if method == "predict" and n_raw == 1 else {right}
        for shape in itertools.chain(
            [(), (n_raw,), (3,), (199,), (200,), (1, n_raw), (200, 1), (199, n_raw), (201, n_raw)],
            [(n_raw, 200), (200, n_raw, 1), (1, 200, n_raw), (0,), (0, n_raw)],
        ):
            out = np.full(shape, 7.0)
            if shape in good:
                getattr(predictor, method)(X, out=out)
                np.testing.assert_array_equal(out.reshape(right), predictor.outputs(X))
                continue
            with pytest.raises(ValueError, match="out must have"):
                getattr(predictor, method)(X, out=out)
            assert (out == 7.0).all()


@pytest.mark.parametrize("method", ["predict", "outputs"])
def test_an_out_that_c_cannot_write_to_is_refused(rng, method):
    net = Network([4, 5, 3])
    predictor, X = Predictor(net, net.init(random_state=0)), rng.normal(size=(9, 4))
    read_only = np.empty((9, 3))
    read_only.flags.writeable = False
    for out in (
        read_only,
        np.empty((9, 3), np.float32),
        np.empty((9, 3), ">f8"),
        np.empty((9, 3), int),
        np.empty((9, 3), object),
        np.empty((9, 6))[:, ::2],
        np.empty((3, 9)).T,
        unaligned(np.zeros((9, 3))),
        np.empty((9, 3)).tolist(),
        np.float64(0),
        "out",
        bytearray(216),
    ):
        with pytest.raises(ValueError, match="out must be"):
            getattr(predictor, method)(X, out=out)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_raw", [1, 2, 4, 6])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_out_may_share_memory_with_x(rng, dtype, n_raw, n_threads):
    net = Network([4, 5, n_raw], "tanh", dtype=dtype)
    predictor = Predictor(net, net.init(random_state=0))
    for n, at_x, at_out in [(300, 0, 0), (300, 0, 400), (300, 400, 0), (300, 1, 0), (3, 0, 4)]:
        memory = rng.normal(size=at_x + at_out + n * 8).astype(dtype)
        X = memory[at_x : at_x + 4 * n].reshape(n, 4)
        out = memory[at_out : at_out + n_raw * n].reshape(n, n_raw)
        expected = predictor.outputs(X.copy())
        assert predictor.outputs(X, out=out, n_threads=n_threads) is out
        np.testing.assert_array_equal(out, expected)


def test_rows_are_kept_where_out_lies_on_them_and_one_is_not_finite(rng):
    net = Network([4, 5, 4])
    predictor, X = Predictor(net, net.init(random_state=0)), rng.normal(size=(200, 4))
    X[-1, 0] = np.nan
    before = X.copy()
    with pytest.raises(ValueError, match="NaN"):
        predictor.predict(X, out=X)
    np.testing.assert_array_equal(X, before)


# -- sparse matrices and indices -------------------------------------------------------------------


def break_it(X, how):
    """X with its structure spoilt, as no constructor would make it."""
    if how == "falls below zero":  # passes SciPy's own check
        X.indices[0], X.indptr[:] = 10**6, [0, 1, -1]
    elif how == "falls":
        X.indptr[1] = 9
    elif how == "begins below zero":
        X.indptr[0] = -1
    elif how == "begins late":
        X.indptr[0] = 1
    elif how == "ends late":
        X.indptr[-1] = 80
    elif how == "too few rows":
        X.indptr = X.indptr[:-1]
    elif how == "column too high":
        X.indices[-1] = 2**30
    elif how == "column too low":
        X.indices[0] = -1
    elif how == "data too short":
        X.data = X.data[:-1]
    elif how == "indices too short":
        X.indices = X.indices[:-1]
    elif how == "indices are floats":
        X.indices = X.indices.astype(float)
    elif how == "row too high":
        X.row[0] = 2**30
    elif how == "col below zero":
        X.col[0] = -1
    return X


COMPRESSED = [
    "falls",
    "begins below zero",
    "begins late",
    "ends late",
    "too few rows",
    "column too high",
    "column too low",
    "data too short",
    "indices too short",
    "indices are floats",
]
BROKEN = [
    ("csr", "falls below zero"),
    *itertools.product(["csr", "csc", "bsr"], COMPRESSED),
    ("coo", "row too high"),
    ("coo", "col below zero"),
]


def uses_of_x(standardize):
    """Every public call that takes an X of four columns and two rows."""
    net = Network([4, 8, 1])
    theta, y = net.init(random_state=0), np.ones(2)
    model, X_good, y_good = trained(standardize=standardize)
    parameters = {"max_iter": 1, "standardize": standardize}
    return {
        "net.predict": lambda X: net.predict(theta, X),
        "net.raw": lambda X: net.raw(theta, X),
        "net.value": lambda X: net.value(theta, X, y),
        "net.jacobian": lambda X: net.jacobian(theta, X),
        "net.objective": lambda X: net.objective(X, y),
        "fit": lambda X: MLPRegressor(**parameters).fit(X, y),
        "fit classifier": lambda X: MLPClassifier(**parameters).fit(X, [0, 1]),
        "partial_fit": lambda X: model.partial_fit(X, y),
        "average": lambda X: average([MLPRegressor(**parameters)], X, y, cv=2),
        "race": lambda X: Race([("one", MLPRegressor(**parameters))]).fit(X, y),
        "X_val": lambda X: MLPRegressor(**parameters).fit(X_good, y_good[:, 0], X_val=X, y_val=y),
        "predict": model.predict,
        "input_jacobian": model.input_jacobian,
        "sensitivity": model.sensitivity,
        "diagnose": model.diagnose,
        "score": lambda X: model.score(X, y),
    }


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(("form", "how"), BROKEN)
def test_a_broken_sparse_matrix_is_refused(form, how, standardize):
    for name, use in uses_of_x(standardize).items():
        for container in (sparse.csr_matrix, sparse.csr_array):
            X = break_it(container(np.ones((2, 4))).asformat(form), how)
            with pytest.raises(ValueError, match="is broken"):
                pytest.fail(f"{name} took it: {use(X)}")


def test_a_broken_indicator_matrix_is_refused():
    Y = break_it(sparse.csr_matrix(np.ones((2, 4))), "column too high")
    with pytest.raises(ValueError, match="is broken"):
        MLPClassifier(max_iter=1).fit(np.ones((2, 3)), Y)


def odd_but_right(X):
    """CSR with columns out of order, each entry in two halves, and room behind the last one."""
    halves = sparse.csr_matrix(X)
    data = np.repeat(halves.data / 2, 2)
    indices = np.repeat(halves.indices, 2)
    indptr = 2 * halves.indptr
    for begin, end in itertools.pairwise(indptr):
        data[begin:end], indices[begin:end] = data[begin:end][::-1], indices[begin:end][::-1]
    odd = sparse.csr_matrix((data, indices, indptr), shape=X.shape)
    odd.data, odd.indices = np.r_[odd.data, np.nan], np.r_[odd.indices, 2**30].astype("i4")
    return odd


@pytest.mark.parametrize("standardize", [False, True])
def test_duplicates_and_columns_out_of_order_count(rng, standardize):
    X, y = rng.normal(size=(40, 6)), rng.normal(size=40)
    X[rng.random(X.shape) < 0.5] = 0
    net = Network([6, 4, 1])
    theta = net.init(random_state=0)
    np.testing.assert_allclose(net.predict(theta, odd_but_right(X)), net.predict(theta, X))
    parameters = {"max_iter": 3, "random_state": 0, "standardize": standardize}
    odd = MLPRegressor(**parameters).fit(odd_but_right(X), y)
    even = MLPRegressor(**parameters).fit(sparse.csr_matrix(X), y)
    assert np.abs(even.loss_curve_).max() > 0
    np.testing.assert_allclose(odd.loss_curve_, even.loss_curve_, rtol=1e-10)
    np.testing.assert_allclose(odd.predict(odd_but_right(X)), even.predict(X), rtol=1e-8)


def test_indices_that_change_after_the_check_are_not_followed(rng):
    net = Network([4, 8, 3])
    theta, X, y = net.init(random_state=0), rng.normal(size=(50, 4)), np.zeros((50, 3))
    rows = np.arange(50)
    matrix = sparse.csr_matrix(X)
    matrix.indices, matrix.indptr = matrix.indices.astype("i8"), matrix.indptr.astype("i8")
    for objective in (net.objective(X, y, rows=rows), net.objective(matrix, y)):
        before = objective.value_grad(theta)
        rows[:] = 10**12
        matrix.indices[:] = 10**12
        matrix.indptr[1:] = 10**12
        after = objective.value_grad(theta)
        assert after[0] == before[0] > 0
        np.testing.assert_array_equal(after[1], before[1])


def test_a_callback_may_spoil_the_matrix_that_is_trained_on(rng):
    X = sparse.csr_matrix(rng.normal(size=(50, 4)))
    X.indices, X.indptr = X.indices.astype("i8"), X.indptr.astype("i8")
    y = rng.normal(size=50)
    parameters = {"hidden_layer_sizes": (5,), "max_iter": 4, "random_state": 0}
    expected = MLPRegressor(**parameters).fit(X, y).loss_curve_

    def spoil(epoch, record):
        X.indices[:] = 10**12

    model = MLPRegressor(**parameters, callback=spoil).fit(X, y)
    assert len(expected) == 4 and (X.indices == 10**12).all()
    np.testing.assert_array_equal(model.loss_curve_, expected)


# -- sizes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layers",
    [
        [3, 2**62, 4],
        [3, 2**63, 4],
        [2**31, 4],
        [3, 2**31 - 1, 2**31 - 1, 1],
        [3, 10**30, 1],
        [3, 10**5000, 1],
        [2**30] * 3,
    ],
)
def test_sizes_that_no_memory_holds_are_refused(layers):
    with pytest.raises(ValueError, match=r"^layers "):
        Network(layers)
    with pytest.raises(ValueError, match=r"^layers "):
        MLPRegressor(hidden_layer_sizes=layers).fit(np.ones((5, 3)), np.arange(5.0))


def test_the_widest_layers_that_are_accepted_are_counted_right():
    net = Network([3, 2**29 - 1, 2**29])
    assert net.n_params == 4 * (2**29 - 1) + 2**29 * 2**29


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_further_apart_than_blas_counts(tmp_path, rng, dtype):
    stride = (2**32 + 3) * np.dtype(dtype).itemsize
    path = tmp_path / "sparse"
    try:
        with open(path, "wb") as file:
            os.truncate(path, stride + 4096)
            file.seek(0)
        memory = np.memmap(path, dtype, mode="r+")
    except (OSError, ValueError, MemoryError) as error:
        pytest.skip(f"no sparse files, or no addresses: {error}")
    X = np.lib.stride_tricks.as_strided(memory, (2, 4), (stride, np.dtype(dtype).itemsize))
    X[...] = rng.normal(size=(2, 4))
    net = Network([4, 8, 1], "tanh", dtype=dtype)
    theta = net.init(random_state=0)
    dense = np.array(X)
    np.testing.assert_array_equal(net.predict(theta, X), net.predict(theta, dense))
    assert net.value(theta, X, [1, 2]) == net.value(theta, dense, [1, 2])
    np.testing.assert_array_equal(
        Predictor(net, theta).outputs(X), Predictor(net, theta).outputs(dense)
    )


# -- states ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"layers": (3, 0, 1)},
        {"layers": (3, -1, 1)},
        {"layers": (3, 4, 4, 1)},
        {"layers": (3,)},
        {"layers": None},
        {"layers": (3, 2**62, 1)},
        {"_hidden": []},
        {"_hidden": [None]},
        {"_hidden": [Activation("softmax", {})]},
        {"_hidden": [Activation("elu", {str(k): 1.0 for k in range(4000)})]},
        {"_hidden": [Activation("unheard", {})]},
        {"_output": Activation("softmax", {})},
        {"_output": 3},
        {"_loss": Loss("huber", {str(k): 1.0 for k in range(4000)})},
        {"_loss": Loss("unheard")},
        {"_loss": None},
        {"dtype": np.dtype(np.int64)},
        {"dtype": "unheard"},
    ],
)
def test_a_damaged_state_of_a_network_is_refused(change):
    state = Network([3, 4, 1]).__getstate__() | change
    with pytest.raises(ValueError, match="state of a Network"):
        Network.__new__(Network).__setstate__(state)


@pytest.mark.parametrize("state", [None, 3, {}, {"layers": (3, 4, 1)}, [("layers", (3, 4, 1))]])
def test_no_state_of_a_network(state):
    with pytest.raises(ValueError, match="state of a Network"):
        Network.__new__(Network).__setstate__(state)


def test_a_network_survives_its_pickle():
    net = Network([3, 4, 2], [("elu", {"alpha": 0.5})], "exp", ("huber", {"epsilon": 2.0}), "f4")
    again = pickle.loads(pickle.dumps(net))
    assert repr(again) == repr(net) and again.n_params == net.n_params
    theta = net.init(random_state=0)
    np.testing.assert_array_equal(
        again.predict(theta, np.ones((2, 3))), net.predict(theta, np.ones((2, 3)))
    )


def test_the_shape_of_a_network_cannot_be_assigned():
    net = Network([3, 4, 1])
    for name in ("layers", "dtype", "n_raw"):
        with pytest.raises(AttributeError):
            setattr(net, name, (3, 4, 9))


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"activation": Activation("elu", {str(k): 1.0 for k in range(4000)})}, "elu"),
        ({"activation": Activation("elu", {"alpha": np.nan})}, "elu"),
        ({"output_activation": Activation("leaky_relu", {"eps": 0.1, "b": 1.0})}, "leaky_relu"),
        ({"loss": Loss("huber", {str(k): 1.0 for k in range(4000)})}, "huber"),
        ({"loss": Loss("squared_error", {"epsilon": 1.0})}, "squared_error"),
    ],
)
def test_objects_of_the_tables_are_not_believed(spec, name):
    with pytest.raises(ValueError, match=name):
        Network([3, 4, 1], **spec)


def predictor_state(**change):
    net = Network([3, 4, 1])
    state = dict(network=net, theta=net.init(0), decision="number", classes=None, threshold=0.5)
    return tuple((state | change).values())


@pytest.mark.parametrize(
    "change",
    [
        {"theta": np.zeros(5)},
        {"theta": np.zeros(10**4)},
        {"theta": None},
        {"theta": np.zeros(21, complex)},
        {"network": None},
        {"network": Network([3, 255, 1])},
        {"decision": "x"},
        {"decision": None},
        {"decision": ["number"]},
        {"decision": "binary"},
        {"decision": "binary", "classes": np.array(["a"])},
        {"decision": "binary", "classes": np.array([["a", "b"]])},
        {"decision": "multiclass", "classes": np.array([])},
        {"threshold": None},
        {"threshold": np.nan},
        {"threshold": HUGE},
    ],
)
def test_what_makes_no_predictor_is_refused(change):
    with pytest.raises(ValueError):
        Predictor(*predictor_state(**change))
    with pytest.raises(ValueError, match="state of a Predictor"):
        Predictor.__new__(Predictor).__setstate__(predictor_state(**change))


def test_a_pickle_with_one_byte_changed():
    net = Network([3, 4, 1])
    blob = pickle.dumps(Predictor(net, net.init(0)), protocol=4)
    evil = blob.replace(b"K\x03K\x04K\x01\x87", b"K\x03K\xffK\x01\x87")
    assert evil != blob
    with pytest.raises(ValueError, match="theta must have shape"):
        pickle.loads(evil)


@pytest.mark.parametrize("classes", [["a", "b"], np.array([1, 2]), ("a", "b")])
def test_labels_of_any_sequence(classes):
    predictor = Predictor(*predictor_state(decision="binary", classes=classes))
    assert predictor.predict(np.ones(3)) in classes


# -- alignment -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [unaligned, lambda a: a.astype(a.dtype.newbyteorder())])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_array_has_to_be_aligned_or_native(rng, dtype, form):
    net = Network([4, 5, 2], "tanh", dtype=dtype)
    theta, v = net.init(random_state=0), rng.normal(size=net.n_params).astype(dtype)
    X, y = rng.normal(size=(30, 4)).astype(dtype), rng.normal(size=(30, 2)).astype(dtype)
    w, rows = rng.uniform(0.5, 2, size=30).astype(dtype), rng.integers(30, size=20)
    odd = [form(array) for array in (theta, X, y, w, rows, v)]

    def everything(theta, X, y, w, rows, v):
        objective = net.objective(X, y, w, rows=rows)
        yield net.predict(theta, X)
        yield objective.value_grad(theta)[1]
        yield net.hess_mul(theta, X, y, v, w)
        yield net.ggn(theta, X, y, w)
        yield net.jacobian(theta, X)
        yield Predictor(net, theta).outputs(X)
        yield np.concatenate([part.ravel() for part in net.unpack(theta)[0]])

    plain = everything(theta, X, y, w, rows, v)
    for got, expected in zip(everything(*odd), plain, strict=True):
        assert np.abs(expected).max() > 0
        np.testing.assert_array_equal(got, expected)


def test_memory_that_an_epoch_changes_in_place_has_to_be_aligned():
    theta = unaligned(Network([4, 5, 2]).init(random_state=0))
    with pytest.raises(ValueError, match="aligned"):
        _hyper._check_in_place(theta, "theta", theta.size, theta.dtype)


# -- numbers and layers ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [HUGE, -HUGE, np.nan, np.inf, True, "1", 1j, [1.0]])
def test_numbers_that_no_float_holds(value):
    net = Network([3, 4, 1])
    theta, X, y = net.init(random_state=0), np.ones((4, 3)), np.ones(4)
    for call in (
        lambda: net.value(theta, X, y, l2=value),
        lambda: net.objective(X, y, alpha=value),
        lambda: Network([3, 4, 1], ("elu", {"alpha": value})),
        lambda: Network([3, 4, 1], ("leaky_relu", {"eps": value})),
        lambda: Network([3, 4, 1], loss=("huber", {"epsilon": value})),
        lambda: Network([3, 4, 1], loss=("quantile", {"quantile": value})),
    ):
        with pytest.raises(ValueError, match="must be"):
            call()


REALS = [
    "alpha",
    "tol",
    "learning_rate_init",
    "power_t",
    "momentum",
    "beta_1",
    "beta_2",
    "epsilon",
    "validation_fraction",
    "max_time",
    "quantile",
]


@pytest.mark.parametrize("name", REALS)
def test_parameters_that_no_float_holds(name):
    for value in (HUGE, -HUGE, 10**5000):
        with pytest.raises(ValueError, match=f"{name}=.*is not valid"):
            MLPRegressor(**{name: value}).fit(np.ones((4, 3)), np.arange(4.0))


NO_LAYERS = {
    "iterator": lambda: iter([3, 4]),
    "generator": lambda: (size for size in [3, 4]),
    "endless": lambda: itertools.repeat(3),
    "bytes": lambda: b"34",
    "bytearray": lambda: bytearray(b"34"),
    "memoryview": lambda: memoryview(b"34"),
    "str": lambda: "34",
    "set": lambda: {3, 4},
    "frozenset": lambda: frozenset([3, 4]),
    "dict": lambda: {3: 4},
    "dict keys": lambda: {3: 4, 5: 6}.keys(),
    "0-d": lambda: np.array(3),
    "2-d": lambda: np.full((2, 2), 3),
    "floats": lambda: [3.0, 4.0],
    "float array": lambda: np.array([3.0, 4.0]),
    "bools": lambda: [True, True],
    "bool array": lambda: np.array([True, True]),
    "words": lambda: ["3", "4"],
    "nested": lambda: [[3, 4]],
    "long range": lambda: range(1, 10**12),
}


@pytest.mark.parametrize("kind", NO_LAYERS)
def test_what_is_no_list_of_layers(kind):
    X, y = np.ones((6, 3)), np.arange(6.0)
    with pytest.raises(ValueError, match="layers must be"):
        Network(NO_LAYERS[kind]())
    with pytest.raises(ValueError, match="hidden_layer_sizes=.*is not valid"):
        MLPRegressor(hidden_layer_sizes=NO_LAYERS[kind]()).fit(X, y)


@pytest.mark.parametrize("sizes", [[3, 4], (3, 4), range(3, 5), np.array([3, 4], "u1")])
def test_lists_of_layers(sizes):
    assert Network(sizes).layers == (3, 4)
    model = MLPRegressor(hidden_layer_sizes=sizes, max_iter=1).fit(np.ones((6, 2)), np.arange(6.0))
    assert [W.shape for W in model.coefs_] == [(2, 3), (3, 4), (4, 1)]


# -- weights that a user assigned ------------------------------------------------------------------


def test_weights_may_be_lists():
    model, X, _ = trained(2)
    expected = model.predict(X)
    assert np.abs(expected).max() > 0
    model.coefs_[0], model.intercepts_[1] = model.coefs_[0].tolist(), model.intercepts_[1].tolist()
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)
    np.testing.assert_allclose(model.predict(X[:1]), expected[:1], rtol=1e-12)
    np.testing.assert_allclose(model.predict(sparse.csr_matrix(X)), expected, rtol=1e-12)
    np.testing.assert_allclose(model.compile().predict(X), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "coefs",
    [
        None,
        3,
        "ab",
        [],
        [np.ones((4, 5))],
        [np.ones((4, 5)), np.ones((2, 1))],
        [np.ones((4, 5)), np.ones(5)],
        [np.ones((4, 5)), [["a"]] * 5],
        [np.ones((4, 5)), np.ones((5, 1), complex)],
        [np.ones((4, 5)), None],
    ],
)
def test_weights_that_make_no_network(coefs):
    model, X, Y = trained(warm_start=True)
    model.predict(X)
    model.coefs_ = coefs
    for use in (
        lambda: model.predict(X),
        lambda: model.predict(X[:1]),
        lambda: model.predict(sparse.csr_matrix(X)),
        model.compile,
        lambda: model.fit(X, Y[:, 0]),
        lambda: model.partial_fit(X, Y[:, 0]),
    ):
        with pytest.raises(ValueError, match=r"coefs_|intercepts_"):
            use()
