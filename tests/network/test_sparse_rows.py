"""Sparse rows are multiplied as they are stored, and all is as it is of dense ones."""

import numpy as np
import pytest
from cases import relative_error
from epochs import fresh_state, hyper
from reference import Reference
from reference_epoch import epoch as reference_epoch
from scipy import sparse

from fastmlp import Network

N, COLUMNS = 40, 96


def few_entries(rng, n=N, columns=COLUMNS):
    """Dense rows of none to five entries; one column is in most rows, some are in none."""
    X = np.zeros((n, columns))
    for i in range(n):
        if i % 7 != 3:
            places = rng.choice(columns // 2, int(rng.integers(1, 5)), replace=False)
            X[i, places] = rng.normal(size=places.size)
            X[i, 1] = rng.normal()
    return X


def halves(X):
    """Each entry in two halves, one row's columns in descending order, some zeros stored."""
    rows, columns = np.nonzero(X)
    values = X[rows, columns]
    rows = np.r_[rows, rows, np.arange(len(X))]
    columns = np.r_[columns, columns, np.full(len(X), X.shape[1] - 1)]
    values = np.r_[values / 2, values / 2, np.zeros(len(X))]
    order = np.lexsort((-columns, rows))
    indptr = np.r_[0, np.cumsum(np.bincount(rows, minlength=len(X)))]
    return sparse.csr_matrix((values[order], columns[order], indptr), shape=X.shape)


def long_indices(X):
    matrix = sparse.csr_matrix(X)
    matrix.indices, matrix.indptr = matrix.indices.astype("i8"), matrix.indptr.astype("i8")
    return matrix


FORMS = {
    "csr_matrix": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "csc": sparse.csc_matrix,
    "halves": halves,
    "int64 indices": long_indices,
}
WIDTHS = {
    "hidden": (COLUMNS, 5, 3),
    "wide": (COLUMNS, 37, 2),
    "one unit": (COLUMNS, 1, 2),
    "deep": (COLUMNS, 20, 4, 1),
    "linear": (COLUMNS, 18),
    "linear, one output": (COLUMNS, 1),
}
TOLERANCE = {np.float64: 1e-11, np.float32: 2e-5}


def problem(rng, widths, dtype=np.float64, activation="tanh"):
    """Network, oracle, theta, X, y, weights."""
    net, twin = Network(widths, activation, dtype=dtype), Reference(widths, activation)
    X = few_entries(rng).astype(dtype)
    y, w = rng.normal(size=(N, widths[-1])), rng.uniform(0.2, 2, N)
    w[::5] = 0
    return net, twin, net.init(random_state=1), X, y.astype(dtype), w


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("form", FORMS)
def test_value_gradient_and_outputs(form, widths, dtype, rng):
    net, twin, theta, X, y, w = problem(rng, WIDTHS[widths], dtype)
    given = FORMS[form](X)
    assert relative_error(net.raw(theta, given), twin.raw(theta, X)) < TOLERANCE[dtype]
    value, grad = net.value_grad(theta, given, y, w, l2=0.1)
    expected, expected_grad = twin.value_grad(theta, X, y, w, 0.1)
    assert np.abs(expected_grad[: COLUMNS // 2]).min() > 0
    assert relative_error(value, expected) < TOLERANCE[dtype]
    assert relative_error(grad, expected_grad) < TOLERANCE[dtype]


@pytest.mark.parametrize("activation", ["relu", "logistic", "silu"])
def test_activations(activation, rng):
    net, twin, theta, X, y, w = problem(rng, (COLUMNS, 12, 2), activation=activation)
    value, grad = net.value_grad(theta, sparse.csr_array(X), y, w)
    expected, expected_grad = twin.value_grad(theta, X, y, w)
    assert relative_error(value, expected) < 1e-12
    assert relative_error(grad, expected_grad) < 1e-11


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("form", ["csr_array", "halves"])
def test_second_order(form, widths, rng):
    net, _, theta, X, y, w = problem(rng, WIDTHS[widths])
    v, given = rng.normal(size=net.n_params), FORMS[form](X)
    ours, dense = (net.objective(data, y, w, alpha=0.1) for data in (given, X))
    for name in ("hess_mul", "ggn_mul", "bend"):
        expected = getattr(dense, name)(theta, v)
        assert np.abs(expected).max() > 1e-6 or widths.startswith("linear")
        assert relative_error(getattr(ours, name)(theta, v), expected) < 1e-11
    for name in ("hessian", "ggn", "ggn_diagonal"):
        assert relative_error(getattr(ours, name)(theta), getattr(dense, name)(theta)) < 1e-11
    for ours_, dense_ in zip(ours.value_grad_ggn(theta), dense.value_grad_ggn(theta), strict=True):
        assert relative_error(ours_, dense_) < 1e-11
    for name in ("jacobian", "input_jacobian"):
        expected = getattr(net, name)(theta, X)
        assert relative_error(getattr(net, name)(theta, given), expected) < 1e-11


def test_products_of_the_oracle(rng):
    net, twin, theta, X, y, w = problem(rng, (COLUMNS, 3, 2))
    v, given = rng.normal(size=net.n_params), sparse.csr_array(X)
    for name in ("hess_mul", "ggn_mul"):
        expected = getattr(twin, name)(theta, X[:9], y[:9], v, w[:9], 0.1)
        actual = getattr(net, name)(theta, given[:9], y[:9], v, w[:9], 0.1)
        assert relative_error(actual, expected) < 1e-10


def test_gram(rng):
    net, _, theta, X, y, w = problem(rng, (COLUMNS, 6, 2))
    ours, dense = (
        net.objective(data, y, w, alpha=0.1).value_grad_gram(theta) for data in (halves(X), X)
    )
    for ours_, dense_ in zip(ours[:2], dense[:2], strict=True):
        assert relative_error(ours_, dense_) < 1e-12
    ours, dense, v = ours[2], dense[2], rng.normal(size=net.n_params)
    u = rng.normal(size=dense.n_residuals)
    assert relative_error(ours.diagonal, dense.diagonal) < 1e-12
    assert relative_error(ours.kernel(0.3), dense.kernel(0.3)) < 1e-12
    assert relative_error(ours.divide(v, 0.3), dense.divide(v, 0.3)) < 1e-12
    assert relative_error(ours.mul(v), dense.mul(v)) < 1e-12
    assert relative_error(ours.transpose_mul(u), dense.transpose_mul(u)) < 1e-12


UPDATES = {
    "sgd": {"update": "sgd"},
    "nesterov": {"update": "nesterov"},
    "adam": {"update": "adam"},
    "adamw": {"update": "adam", "weight_decay": 0.2},
    "clipped adam": {"update": "adam", "max_norm": 0.05},
    "clipped sgd": {"update": "sgd", "max_norm": 0.05},
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("name", UPDATES)
def test_epochs(name, widths, dtype, rng):
    """37 of the rows in batches of ten: columns come and go, and the L2 term moves all of them."""
    net, twin, theta, X, y, w = problem(rng, WIDTHS[widths], dtype)
    rows, alpha = rng.permutation(N)[:37], 0.4
    objective = net.objective(halves(X), y, w, alpha=alpha, rows=rows)
    state = fresh_state(theta)
    expected, first, second, t = theta.astype(float), 0.0 * state.first, 0.0 * state.first, 0
    step = hyper(**{"batch_size": 10, "n_batches": 4, **UPDATES[name]})
    tolerance = 1e-9 if dtype == np.float64 else 2e-4
    for _ in range(3):
        order, before = rng.permutation(37), expected
        loss = objective.epoch(theta, state, order, step)
        expected, first, second, t, expected_loss = reference_epoch(
            twin, expected, first, second, t, X[rows], y[rows], order, step, w[rows], alpha
        )
        never = slice((COLUMNS // 2 + 1) * widths_of_first(net), -net.layers[-1])
        assert np.abs(expected - before).max() > 1e-4
        assert np.abs(expected - before)[never].max() > 1e-6
        assert loss == pytest.approx(expected_loss, rel=tolerance)
        assert relative_error(theta, expected) < tolerance
    assert relative_error(state.first, first) < 10 * tolerance


def widths_of_first(net):
    return net.layers[1]


@pytest.mark.parametrize("scales", ["deviations", "means, too"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scales(scales, dtype, rng):
    """(x - mean) / scale of every column, also of those that have no entry."""
    net, _, theta, X, y, w = problem(rng, WIDTHS["hidden"], dtype)
    mean = rng.normal(size=COLUMNS) if scales == "means, too" else np.zeros(COLUMNS)
    scale = np.exp(rng.normal(size=COLUMNS))
    scaled = ((X.astype(float) - mean) / scale).astype(dtype)
    ours = net.objective(halves(X), y, w, alpha=0.1, scales=(mean, scale))
    dense = net.objective(scaled, y, w, alpha=0.1)
    for ours_, dense_ in zip(ours.value_grad(theta), dense.value_grad(theta), strict=True):
        assert relative_error(ours_, dense_) < TOLERANCE[dtype]
    assert relative_error(ours.predict(theta), dense.predict(theta)) < TOLERANCE[dtype]
    v = rng.normal(size=net.n_params)
    assert relative_error(ours.ggn_mul(theta, v), dense.ggn_mul(theta, v)) < 1e-5


def test_a_subset(rng):
    net, _, theta, X, y, w = problem(rng, WIDTHS["hidden"])
    rows = rng.permutation(N)[:25]
    ours, dense = (net.objective(data, y, w, alpha=0.1, rows=rows) for data in (halves(X), X))
    some = rng.integers(25, size=9)
    for a, b in ((ours, dense), (ours.subset(some), dense.subset(some))):
        for ours_, dense_ in zip(a.value_grad(theta), b.value_grad(theta), strict=True):
            assert relative_error(ours_, dense_) < 1e-12


def test_a_loss_of_the_users(rng):
    def quartic(raw, y):
        apart = raw - y
        return (apart**4).sum(axis=1), 4 * apart**3

    net = Network((COLUMNS, 6, 2), "tanh", loss=quartic)
    theta, X, y = net.init(random_state=0), few_entries(rng), rng.normal(size=(N, 2))
    ours = net.value_grad(theta, sparse.csr_array(X), y, l2=0.1)
    for ours_, dense in zip(ours, net.value_grad(theta, X, y, l2=0.1), strict=True):
        assert relative_error(ours_, dense) < 1e-12


@pytest.mark.parametrize("n", [1, 40])
def test_rows_without_entries(n, rng):
    net, X, y = Network((COLUMNS, 4, 1)), np.zeros((n, COLUMNS)), rng.normal(size=n)
    theta, given = net.init(random_state=0), sparse.csr_array(X)
    assert given.nnz == 0
    for ours, dense in zip(
        net.value_grad(theta, given, y), net.value_grad(theta, X, y), strict=True
    ):
        assert relative_error(ours, dense) < 1e-13
    np.testing.assert_allclose(net.raw(theta, given), net.raw(theta, X))
