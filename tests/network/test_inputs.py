"""What Network accepts (any layout, any number type) and what it refuses, and with which words."""

import tracemalloc

import numpy as np
import pytest
from cases import relative_error
from scipy import sparse

from fastmlp import Network
from fastmlp.plan import Plan

N_SAMPLES, N_FEATURES = 23, 6


@pytest.fixture
def net():
    return Network([N_FEATURES, 5, 3], "tanh", loss="log_loss")


@pytest.fixture
def theta(net):
    return net.init(random_state=0)


@pytest.fixture
def X(rng):
    """Small integers: exact in every number type that is tried below."""
    values = rng.integers(-3, 4, size=(N_SAMPLES, N_FEATURES)).astype(float)
    values[rng.random(values.shape) < 0.4] = 0.0
    return values


@pytest.fixture
def y(rng):
    return rng.integers(3, size=N_SAMPLES)


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def every_other(X):
    wide = np.full((2 * len(X), 2 * X.shape[1]), np.nan)
    wide[::2, ::2] = X
    return wide[::2, ::2]


def unaligned(X):
    buffer = np.zeros(X.nbytes + 1, dtype=np.uint8)
    view = buffer[1:].view(X.dtype).reshape(X.shape)
    view[...] = X
    return view


def shuffled_csr(X):
    """CSR with the columns of every row in reverse order and zeros stored."""
    stored = np.ones_like(X, dtype=bool)
    stored[:, ::2] = X[:, ::2] != 0
    data, indices, indptr = [], [], [0]
    for row, keep in zip(X, stored, strict=True):
        columns = np.flatnonzero(keep)[::-1]
        data.extend(row[columns])
        indices.extend(columns)
        indptr.append(len(indices))
    return sparse.csr_array((data, indices, indptr), shape=X.shape)


def wide_index_csr(X):
    matrix = sparse.csr_array(X)
    matrix.indices, matrix.indptr = matrix.indices.astype("i8"), matrix.indptr.astype("i8")
    return matrix


FORMS = {
    "fortran": np.asfortranarray,
    "strided": every_other,
    "part of wider rows": lambda X: np.c_[X, X + np.nan][:, : X.shape[1]],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "transposed": lambda X: X.T.copy().T,
    "broadcast": lambda X: np.broadcast_to(X, (2, *X.shape))[1],
    "unaligned": unaligned,
    "read-only": read_only,
    "big-endian": lambda X: X.astype(">f8"),
    "float32": lambda X: X.astype("f4"),
    "float16": lambda X: X.astype("f2"),
    "int8": lambda X: X.astype("i1"),
    "int64": lambda X: X.astype("i8"),
    "list": lambda X: X.tolist(),
    "csr_matrix": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "csr shuffled": shuffled_csr,
    "csr int64 index": wide_index_csr,
    "csr float32": lambda X: sparse.csr_array(X.astype("f4")),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_layout_and_type_do_not_matter(form, dtype, X, y, rng):
    net = Network([N_FEATURES, 5, 3], "tanh", loss="log_loss", dtype=dtype)
    theta, v = net.init(random_state=0), rng.normal(size=net.n_params).astype(dtype)
    same, tolerance = FORMS[form](X), 1e-12 if dtype == np.float64 else 1e-5
    assert relative_error(net.raw(theta, same), net.raw(theta, X)) < tolerance
    value, grad = net.value_grad(theta, same, y)
    expected_value, expected_grad = net.value_grad(theta, X, y)
    assert np.abs(expected_grad).max() > 1e-3
    assert relative_error(value, expected_value) < tolerance
    assert relative_error(grad, expected_grad) < tolerance
    for name in ("hessian", "ggn"):
        expected = getattr(net, name)(theta, X, y)
        assert relative_error(getattr(net, name)(theta, same, y), expected) < tolerance
    for name in ("hess_mul", "ggn_mul"):
        expected = getattr(net, name)(theta, X, y, v)
        assert relative_error(getattr(net, name)(theta, same, y, v), expected) < tolerance
    for name in ("jacobian", "input_jacobian"):
        expected = getattr(net, name)(theta, X)
        assert relative_error(getattr(net, name)(theta, same), expected) < tolerance


def test_boolean_input(net, theta, X):
    np.testing.assert_array_equal(net.raw(theta, X > 0), net.raw(theta, (X > 0).astype(float)))


@pytest.mark.parametrize("form", ["strided", "read-only", "big-endian", "float32", "int64", "list"])
def test_targets_and_weights_of_any_type(form, X, rng):
    net = Network([N_FEATURES, 2])
    theta = net.init(random_state=0)
    y = rng.integers(-2, 3, size=(N_SAMPLES, 2)).astype(float)
    weight = rng.integers(0, 3, size=N_SAMPLES).astype(float)
    same_y, same_weight = FORMS[form](y), FORMS[form](weight[:, None])
    same_weight = np.asarray(same_weight)[:, 0] if form != "list" else weight.tolist()
    value, grad = net.value_grad(theta, X, same_y, same_weight)
    expected_value, expected_grad = net.value_grad(theta, X, y, weight)
    assert relative_error(value, expected_value) < 1e-12
    assert relative_error(grad, expected_grad) < 1e-12


def test_one_hot_targets_equal_codes(net, theta, X, y):
    value, grad = net.value_grad(theta, X, np.eye(3)[y])
    expected_value, expected_grad = net.value_grad(theta, X, y)
    np.testing.assert_allclose(value, expected_value, rtol=1e-13)
    np.testing.assert_allclose(grad, expected_grad, rtol=1e-11, atol=1e-15)


def test_inputs_are_left_alone(net, theta, X, y, rng):
    weight, v = rng.uniform(size=N_SAMPLES), rng.normal(size=net.n_params)
    before = [array.copy() for array in (theta, X, y, weight, v)]
    net.value_grad(theta, X, y, weight, l2=0.1)
    net.hess_mul(theta, X, y, v, weight)
    net.hessian(theta, X, y, weight)
    for array, copy in zip((theta, X, y, weight, v), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_results_own_their_memory(net, theta, X, y):
    """A second call must not write into what the first one returned."""
    first = net.raw(theta, X), net.value_grad(theta, X, y)[1], net.jacobian(theta, X)
    before = [array.copy() for array in first]
    net.raw(2 * theta, X), net.value_grad(2 * theta, X, y), net.jacobian(2 * theta, X)
    for array, copy in zip(first, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def changed(X, value):
    X = X.copy()
    X[4, 2] = value
    return X


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda X: X[:, :-1], "X has 5 features, the network takes 6"),
        (lambda X: X[0], r"X must be 2-D.*\(6,\)"),
        (lambda X: X[None], r"X must be 2-D.*\(1, 23, 6\)"),
        (lambda X: X[:0], "X is empty"),
        (lambda X: changed(X, np.nan), "X holds NaN or infinity"),
        (lambda X: changed(X, np.inf), "X holds NaN or infinity"),
        (lambda X: sparse.csr_array(changed(X, np.nan)), "X holds NaN or infinity"),
        (lambda X: np.full(X.shape, "a"), "X must be numeric"),
        (lambda X: X + 1j, "X must be numeric"),
    ],
    ids=["columns", "1-D", "3-D", "empty", "nan", "inf", "sparse nan", "strings", "complex"],
)
def test_bad_X(net, theta, X, y, wrong, words):
    with pytest.raises(ValueError, match=words):
        net.raw(theta, wrong(X))
    with pytest.raises(ValueError, match=words):
        net.value_grad(theta, wrong(X), y)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda theta: theta[:-1],
        lambda theta: np.r_[theta, 0.0],
        lambda theta: theta[:, None],
        lambda theta: np.array(["a"] * len(theta)),
        lambda theta: theta + 1j,
    ],
    ids=["short", "long", "2-D", "strings", "complex"],
)
def test_bad_theta(net, theta, X, y, wrong):
    for call in (net.raw, net.jacobian, net.input_jacobian):
        with pytest.raises(ValueError, match="theta"):
            call(wrong(theta), X)
    for call in (net.value, net.value_grad, net.hessian, net.ggn):
        with pytest.raises(ValueError, match="theta"):
            call(wrong(theta), X, y)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.ones(N_SAMPLES - 1), r"sample_weight.*\(23,\), got \(22,\)"),
        (np.ones((N_SAMPLES, 2)), "sample_weight"),
        (np.r_[-1.0, np.ones(N_SAMPLES - 1)], r">= 0; entry 0 is -1"),
        (np.zeros(N_SAMPLES), "sample_weight sums to zero"),
        (np.full(N_SAMPLES, 1e-310), "sums to .*e-309, which float64 does not hold"),
        (np.full(N_SAMPLES, 1e308), "sums to inf, which float64 does not hold"),
        (np.r_[np.nan, np.ones(N_SAMPLES - 1)], "finite.*entry 0 is nan"),
        (np.r_[np.inf, np.ones(N_SAMPLES - 1)], "finite.*entry 0 is inf"),
    ],
    ids=["short", "2-D", "negative", "zero-sum", "tiny", "huge", "nan", "inf"],
)
def test_bad_weights(net, theta, X, y, weight, words):
    for call in (net.value, net.value_grad, net.hessian, net.ggn):
        with pytest.raises(ValueError, match=words):
            call(theta, X, y, weight)


@pytest.mark.parametrize(
    ("loss", "n_raw", "y", "words"),
    [
        ("squared_error", 1, np.zeros(22), r"y must have as many rows as X: 23, got shape \(22,\)"),
        ("squared_error", 2, np.zeros((23, 3)), r"y must have shape \(23, 2\)"),
        ("squared_error", 1, np.r_[0.0, np.nan, np.zeros(21)], "y holds NaN.*row 1"),
        ("squared_error", 1, np.r_[0.0, np.inf, np.zeros(21)], "y holds NaN.*row 1"),
        ("squared_error", 1, np.full(23, "a"), "y must be numeric"),
        ("log_loss", 3, np.r_[3, np.zeros(22, int)], "from 0 to 2; row 0 of y is 3"),
        ("log_loss", 3, np.r_[0, -1, np.zeros(21, int)], "from 0 to 2; row 1 of y is -1"),
        ("log_loss", 3, np.r_[0.5, np.zeros(22)], "integers from 0 to 2; row 0"),
        ("log_loss", 1, np.r_[2.0, np.zeros(22)], "log_loss.*from 0 to 1; row 0"),
        ("log_loss", 3, np.full((23, 3), 0.5), "sum 1.*row 0"),
        ("poisson", 1, np.r_[np.zeros(7), -1.0, np.zeros(15)], "poisson.*at least 0; row 7"),
        ("gamma", 1, np.r_[np.ones(7), 0.0, np.ones(15)], "gamma.*greater than 0; row 7"),
        ("perceptron", 1, np.r_[np.ones(7), 0.0, np.ones(15)], "perceptron.*row 7"),
    ],
)
def test_bad_targets(X, loss, n_raw, y, words):
    net = Network([N_FEATURES, n_raw], loss=loss)
    theta = net.init(random_state=0)
    for call in (net.value, net.value_grad, net.hessian):
        with pytest.raises(ValueError, match=words):
            call(theta, X, y)


@pytest.mark.parametrize("v", [np.ones(3), np.ones((5, 5))])
def test_bad_directions(net, theta, X, y, v):
    assert net.n_params == 53
    for call in (net.hess_mul, net.ggn_mul):
        with pytest.raises(ValueError, match="v must have shape"):
            call(theta, X, y, v)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layers": [4]}, "layers must be at least two positive integers"),
        ({"layers": []}, "layers must be at least two positive integers"),
        ({"layers": [4, 0, 1]}, r"layers must be.*\[4, 0, 1\]"),
        ({"layers": [4, -2, 1]}, "layers must be"),
        ({"layers": [4, 2.5, 1]}, "layers must be"),
        ({"layers": [4, "a", 1]}, "layers must be"),
        ({"activation": "rleu"}, "Unknown activation 'rleu'.*relu.*mish"),
        ({"activation": ["relu", "relu"]}, "activation has 2 entries"),
        ({"activation": ("leaky_relu", {"slope": 1})}, "no parameter 'slope'.*eps"),
        ({"activation": "softmax"}, "Unknown activation 'softmax'"),
        ({"output_activation": "sigmoid"}, "Unknown output_activation.*logistic"),
        ({"loss": "mse"}, "Unknown loss 'mse'.*squared_error"),
        ({"loss": ("huber", {"delta": 1.0})}, "no parameter 'delta'.*epsilon"),
        ({"loss": ("huber", {"epsilon": -1.0})}, "epsilon of loss 'huber'"),
        ({"loss": ("quantile", {"quantile": 1.5})}, "quantile of loss 'quantile'"),
        ({"loss": "log_loss", "output_activation": "tanh"}, "log_loss.*logistic, softmax"),
        ({"loss": "poisson", "output_activation": "identity"}, "poisson.*exp"),
        ({"loss": "gamma", "output_activation": "relu"}, "gamma.*exp"),
        ({"dtype": np.int64}, "dtype must be float32 or float64"),
        ({"dtype": np.float16}, "dtype must be float32 or float64"),
    ],
)
def test_bad_arguments(changes, words):
    arguments = {"layers": [4, 3, 1], **changes}
    with pytest.raises(ValueError, match=words):
        Network(**arguments)


@pytest.mark.parametrize("loss", ["absolute_error", "quantile", "perceptron"])
def test_losses_without_curvature_are_refused_by_name(X, loss):
    net = Network([N_FEATURES, 1], loss=loss)
    theta, y = net.init(random_state=0), np.ones(N_SAMPLES)
    with pytest.raises(ValueError, match=loss):
        net.ggn(theta, X, y)
    with pytest.raises(ValueError, match=loss):
        net.ggn_mul(theta, X, y, theta)


def test_bad_l2(net, theta, X, y):
    for l2 in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="l2"):
            net.value_grad(theta, X, y, l2=l2)


def test_a_hessian_that_does_not_fit_in_memory(rng):
    net = Network([2000, 2000, 1])
    theta = np.zeros(net.n_params)
    with pytest.raises(MemoryError, match=r"1\.19e\+05 GiB.*hess_mul.*lbfgs"):
        net.hessian(theta, np.ones((1, 2000)), np.ones(1))


def test_parameters_that_do_not_fit_are_refused_before_they_are_drawn():
    net = Network([1, 300_000, 300_000, 1])
    with pytest.raises(MemoryError, match=r"1-300000-300000-1 units has 90,001,200,001 parameters"):
        net.init(random_state=0)


def test_targets_too_large_for_float32():
    net = Network([1, 1], loss="squared_error", dtype=np.float32)
    with pytest.raises(ValueError, match="y holds values too large for float32; row 1 is"):
        net.value(net.init(random_state=0), np.ones((2, 1)), np.array([1.0, 1e39]))


WIDE_FORMS = ["plain", "strided", "csr", "csr by its entries"]


@pytest.mark.parametrize("form", WIDE_FORMS)
def test_curvature_of_float32_data_is_that_of_their_values_in_float64(rng, form):
    X, y = rng.normal(size=(70, 5)), rng.normal(size=(70, 2))
    if form.startswith("csr"):
        X *= rng.random(X.shape) < 0.3
    X, y, w = X.astype("f4"), y.astype("f4"), rng.random(70).astype("f4")
    rows, scales = rng.permutation(70)[:50], (rng.normal(size=5), 1 + rng.random(5))
    plan = None
    if form == "csr by its entries":
        scales, plan = None, Plan(("csr", "panels"))
    objectives = []
    for dtype in (np.float32, np.float64):
        net = Network([5, 4, 2], dtype=dtype)
        A = X.astype(dtype)
        A = np.repeat(A, 2, axis=1)[:, ::2] if form == "strided" else A
        A = sparse.csr_array(A) if "csr" in form else A
        given = dict(sample_weight=w.astype(dtype), rows=rows, scales=scales, plan=plan, alpha=2)
        objectives.append(net.objective(A, y.astype(dtype), **given))
    theta = net.init(0).astype("f4")
    v = rng.normal(size=theta.size)
    for name in ("value_grad_ggn", "hessian", "ggn_diagonal", "hess_mul", "ggn_mul", "bend"):
        arguments = (theta, v) if name in ("hess_mul", "ggn_mul", "bend") else (theta,)
        narrow, wide = (getattr(objective, name)(*arguments) for objective in objectives)
        for a, b in zip(as_tuple(narrow), as_tuple(wide), strict=True):
            np.testing.assert_array_equal(a, b)


def as_tuple(answer):
    return answer if isinstance(answer, tuple) else (answer,)


def test_curvature_of_float32_data_copies_no_rows(rng):
    """What it takes does not grow with the rows."""
    X = rng.normal(size=(20_000, 40)).astype("f4")
    peaks = []
    for n in (10_000, 20_000):
        objective = Network([40, 3, 1], dtype=np.float32).objective(X[:n], X[:n, 0])
        theta, v = objective.network.init(0), np.ones(objective.n_params)
        tracemalloc.start()
        try:
            for result in (objective.value_grad_ggn, objective.ggn_diagonal, objective.hessian):
                result(theta)
            objective.hess_mul(theta, v)
            objective.twin(wide=True).value_grad(theta)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < X[:10_000].nbytes / 4
