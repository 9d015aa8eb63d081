"""Sparse rows are multiplied as they are stored, and all is as it is of dense ones."""

import subprocess
import sys

import numpy as np
import pytest
from cases import relative_error
from epochs import fresh_state, hyper
from reference import Reference
from reference_epoch import epoch as reference_epoch
from scipy import sparse

from fastmlp import Network
from fastmlp.data import check_rows
from fastmlp.plan import Plan, better_sparse

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


@pytest.mark.parametrize("name", ["adam", "nesterov"])
def test_in_threads(name, rng):
    """Features are met by several shares, by one, by none."""
    net, _, theta, X, y, w = problem(rng, WIDTHS["hidden"])
    results = []
    for threads in (1, 3):
        objective = net.objective(halves(X), y, w, alpha=0.4, plan=Plan(threads=threads))
        value, grad = objective.value_grad(theta)
        after, state = theta.copy(), fresh_state(theta)
        step = hyper(name, batch_size=30, n_batches=2)
        losses = [objective.epoch(after, state, rng.permutation(N), step) for rng in seeds()]
        results.append((value, grad, objective.ggn_mul(theta, grad), after, state.first, losses))
    for one, three in zip(*results, strict=True):
        assert relative_error(three, one) < 1e-11


def seeds():
    return [np.random.default_rng(seed) for seed in range(3)]


def test_products_are_chosen_by_what_is_stored(rng):
    X = few_entries(rng)
    parts = check_rows(sparse.csr_array(X), COLUMNS, np.dtype(np.float64))
    full = check_rows(sparse.csr_array(np.ones((3, 4))), 4, np.dtype(np.float64))
    ones = np.ones(COLUMNS)
    assert better_sparse(parts, None) and better_sparse(parts, (0 * ones, ones))
    assert not better_sparse(X, None) and not better_sparse(full, None)
    assert not better_sparse(parts, (ones, ones))
    widths = (COLUMNS, 5, 3)
    for work in ("batch", "rows", "curvature"):
        assert Plan().for_work(widths, 8, work, sparse=True).products == ("csr", "panels")
    assert Plan().for_work(widths, 8, "jacobian", sparse=True).products == ("panels", "panels")


@pytest.mark.parametrize("products", [("csr", "panels"), ("panels", "panels"), ("blas", "blas")])
def test_products_of_a_plan(products, rng):
    """Of rows that store all their entries, too."""
    net, _, theta, X, y, w = problem(rng, WIDTHS["hidden"])
    for data in (X, np.where(X == 0, 1.0, X)):
        planned = net.objective(sparse.csr_array(data), y, w, plan=Plan(products))
        expected = net.objective(data, y, w).value_grad(theta)
        for ours, dense in zip(planned.value_grad(theta), expected, strict=True):
            assert relative_error(ours, dense) < 1e-12
        assert relative_error(planned.ggn(theta), net.ggn(theta, data, y, w)) < 1e-11


def test_plans_that_do_not_fit(rng):
    net, _, theta, X, y, _ = problem(rng, WIDTHS["hidden"])
    with pytest.raises(ValueError, match="first layer alone"):
        Plan("csr")
    with pytest.raises(ValueError, match="first layer alone"):
        Plan(("csr", "csr"))
    plan = Plan(("csr", "panels"))
    centred = net.objective(sparse.csr_array(X), y, plan=plan, scales=(X.mean(axis=0), X[0] + 9))
    for objective in (net.objective(X, y, plan=plan), centred):
        with pytest.raises(ValueError, match="sparse rows that are not centred"):
            objective.value(theta)


FAT = """
import numpy as np, scipy.sparse as sp, resource, sys
from fastmlp import MLPRegressor
rng = np.random.default_rng(0)
n, columns = 2_000, 40_000  # 640 MB if it were dense
X = sp.random(n, columns, 3 / columns, format="csr", random_state=0)
y = rng.normal(size=n)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
options = dict(hidden_layer_sizes=(2,), max_iter=2, random_state=0)
MLPRegressor(**options).fit(X[:10], y[:10])
before = peak()
for more in ({}, {"early_stopping": True}, {"solver": "lbfgs"}, {"solver": "newton-cg"},
             {"standardize": True}, {"solver": "lm", "subset": 300}):
    rows = slice(more.pop("subset", n))
    model = MLPRegressor(**options, **more).fit(X[rows], y[rows])
    if not {"solver", "early_stopping"} & more.keys():
        model.partial_fit(X, y)
    model.predict(X)
    print(more, peak() - before, flush=True)
"""


def test_memory_is_that_of_what_is_stored():
    """MB above that of the process, of everything that trains and predicts, in turn."""
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-P", "-c", FAT], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    peaks = [int(line.split()[-1]) for line in done.stdout.splitlines()]
    assert len(peaks) == 6 and max(peaks) < 100, done.stdout
