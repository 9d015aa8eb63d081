"""Laws: what must hold between runs, whatever the numbers are."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cases import draw_case, drawn, relative_error
from reference import FLAT_LOSSES, PAIRS
from scipy import sparse

from fastmlp import Network
from fastmlp.solvers import LBFGS, GradientDescent, Newton, minimize
from fastmlp.threads import blas_threads

each_loss = drawn(range(len(PAIRS)), lambda seed: draw_case(seed, pair=PAIRS[seed], n_samples=12))
QUANTITIES = ("value", "grad", "hessian", "ggn")


def evaluate(case, name, X, y, sample_weight):
    net = Network(**case.arguments)
    if name == "grad":
        return net.value_grad(case.theta, X, y, sample_weight, l2=case.l2)[1]
    if name == "ggn" and case.twin.loss[0] in FLAT_LOSSES:
        return 0.0
    return getattr(net, name)(case.theta, X, y, sample_weight, l2=case.l2)


@pytest.mark.parametrize("name", QUANTITIES)
@each_loss
def test_weight_zero_is_a_removed_row(case, name):
    weight = np.where(np.arange(12) % 3 == 1, 0.0, 1.0)
    kept = weight > 0
    removed = evaluate(case, name, case.X[kept], case.y[kept], None)
    zeroed = evaluate(case, name, case.X, case.y, weight)
    assert relative_error(zeroed, removed) < 1e-11


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_weight_zero_removes_numbers_that_stand_for_nothing(pair, dtype, rng):
    """1e30 and the like, whose squares overflow."""
    loss, output = pair
    case = draw_case(0, pair=pair, n_samples=12)
    n_raw = case.arguments["layers"][-1]
    eps = np.finfo(dtype).eps
    kept = np.arange(12) % 3 != 1
    for layers in (case.arguments["layers"], [case.X.shape[1], n_raw]):
        net = Network(layers, "relu", output, loss, dtype=dtype)
        theta = net.init(random_state=0)
        X = np.where(kept[:, None], case.X, 1e30 if dtype == np.float32 else 1e200)
        expected = net.value_grad(theta, case.X[kept], case.y[kept])
        value, grad = net.value_grad(theta, X, case.y, kept.astype(float))
        assert np.abs(expected[1]).max() > 0
        np.testing.assert_allclose(value, expected[0], rtol=64 * eps)
        np.testing.assert_allclose(grad, expected[1], rtol=1e-3, atol=256 * eps)
        if dtype == np.float64 and loss not in FLAT_LOSSES:
            X = np.where(kept[:, None], case.X, 1e100)
            for name in ("hessian", "ggn"):
                removed = getattr(net, name)(theta, case.X[kept], case.y[kept])
                zeroed = getattr(net, name)(theta, X, case.y, kept.astype(float))
                assert relative_error(zeroed, removed) < 1e-11


@pytest.mark.parametrize("name", QUANTITIES)
@each_loss
def test_weight_two_is_a_row_twice(case, name):
    weight = np.where(np.arange(12) % 4 == 2, 2.0, 1.0)
    rows = np.repeat(np.arange(12), weight.astype(int))
    twice = evaluate(case, name, case.X[rows], case.y[rows], None)
    weighted = evaluate(case, name, case.X, case.y, weight)
    assert relative_error(weighted, twice) < 1e-11
    scaled = evaluate(case, name, case.X, case.y, 7.5 * weight)
    assert relative_error(scaled, weighted) < 1e-11


@pytest.mark.parametrize(
    ("solver", "max_iter"),
    [(GradientDescent(learning_rate=0.2), 30), (LBFGS(), 12), (Newton(), 8)],
    ids=["gd", "lbfgs", "newton"],
)
def test_weights_and_rows_along_a_trajectory(solver, max_iter, rng):
    net = Network([3, 4, 2], "tanh", loss="log_loss")
    X, y = rng.normal(size=(24, 3)), rng.integers(2, size=24)
    weight = rng.integers(0, 3, size=24).astype(float)
    rows = np.repeat(np.arange(24), weight.astype(int))
    theta0 = net.init(random_state=0)

    def run(objective):
        return minimize(objective, theta0, solver=solver, max_iter=max_iter, tol=0.0)

    weighted = run(net.objective(X, y, weight, alpha=1.0))
    repeated = run(net.objective(X[rows], y[rows], alpha=1.0))
    assert weighted.n_iter == repeated.n_iter
    assert weighted.loss < net.value(theta0, X, y, weight)
    np.testing.assert_allclose(weighted.history["loss"], repeated.history["loss"], rtol=1e-7)
    assert relative_error(weighted.theta, repeated.theta) < 1e-5


@each_loss
def test_the_order_of_rows_does_not_matter(case):
    order = np.random.default_rng(0).permutation(12)
    for name in QUANTITIES:
        expected = evaluate(case, name, case.X, case.y, case.sample_weight)
        shuffled = evaluate(case, name, case.X[order], case.y[order], case.sample_weight[order])
        assert relative_error(shuffled, expected) < 1e-11


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, np.asfortranarray])
def test_rows_add_up(form, rng):
    """More rows than any tile holds are the weighted mean of chunks that fit into one."""
    net = Network([4, 6, 5, 2], ["tanh", "silu"])
    theta, v = net.init(random_state=0), rng.normal(size=net.n_params)
    n = 2600
    X, y, weight = rng.normal(size=(n, 4)), rng.normal(size=(n, 2)), rng.uniform(size=n)
    chunks = np.array_split(np.arange(n), 26)
    shares = [weight[rows].sum() / weight.sum() for rows in chunks]

    def mean(call):
        return sum(
            share * call(X[rows], y[rows], weight[rows])
            for share, rows in zip(shares, chunks, strict=True)
        )

    for call in (
        lambda X, y, w: net.value(theta, X, y, w, l2=0.1),
        lambda X, y, w: net.value_grad(theta, X, y, w, l2=0.1)[1],
        lambda X, y, w: net.hess_mul(theta, X, y, v, w, l2=0.1),
        lambda X, y, w: net.ggn_mul(theta, X, y, v, w, l2=0.1),
        lambda X, y, w: net.hessian(theta, X, y, w, l2=0.1),
        lambda X, y, w: net.ggn(theta, X, y, w, l2=0.1),
    ):
        assert relative_error(call(form(X), y, weight), mean(call)) < 1e-11
    for call in (net.raw, net.jacobian, net.input_jacobian):
        parts = np.concatenate([call(theta, X[rows]) for rows in chunks])
        np.testing.assert_allclose(call(theta, form(X)), parts, rtol=1e-9, atol=1e-12)


def test_calls_from_many_threads(rng):
    """One Network, many Python threads: nothing is shared between calls."""
    net = Network([8, 30, 3], "gelu", loss="log_loss")
    X, y = rng.normal(size=(400, 8)), rng.integers(3, size=400)
    thetas = [net.init(seed) for seed in range(16)]
    expected = [net.value_grad(theta, X, y)[1] for theta in thetas]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            grads = pool.map(lambda theta: net.value_grad(theta, X, y)[1], thetas)
            for grad, alone in zip(grads, expected, strict=True):
                assert relative_error(grad, alone) < 1e-12


def test_the_number_of_threads_does_not_matter(rng):
    net = Network([40, 80, 60, 5], "relu", loss="log_loss")
    theta = net.init(random_state=0)
    X, y = rng.normal(size=(600, 40)), rng.integers(5, size=600)
    v = rng.normal(size=net.n_params)
    results = []
    for n_threads in (1, 2):
        with blas_threads(n_threads):
            results.append((net.value_grad(theta, X, y)[1], net.hess_mul(theta, X, y, v)))
    for one, two in zip(*results, strict=True):
        assert relative_error(two, one) < 1e-12


@pytest.mark.parametrize("weighted", [False, True])
def test_one_newton_step_solves_linear_least_squares(rng, weighted):
    X = rng.normal(size=(30, 4))
    y = X @ rng.normal(size=(4, 2)) + rng.normal(size=(30, 2)) + 3.0
    weight = rng.uniform(0.1, 2.0, size=30) if weighted else np.ones(30)
    net = Network([4, 2])
    theta0 = net.init(random_state=0)
    found = minimize(net.objective(X, y, weight), theta0, solver=Newton(), max_iter=1)
    root, design = np.sqrt(weight)[:, None], np.c_[X, np.ones(30)]
    solution = np.linalg.lstsq(root * design, root * y, rcond=None)[0]
    np.testing.assert_allclose(found.theta, net.pack([solution[:4]], [solution[4]]), rtol=1e-9)


def test_permuting_hidden_units_changes_nothing(rng):
    net = Network([3, 5, 2], "silu")
    coefs, intercepts = net.unpack(net.init(random_state=0))
    order = rng.permutation(5)
    permuted = net.pack(
        [coefs[0][:, order], coefs[1][order]], [intercepts[0][order], intercepts[1]]
    )
    X = rng.normal(size=(6, 3))
    expected = net.raw(net.pack(coefs, intercepts), X)
    np.testing.assert_allclose(net.raw(permuted, X), expected, rtol=1e-12)


def test_bad_rows(rng):
    net = Network([3, 1])
    X, y = rng.normal(size=(12, 3)), rng.normal(size=12)
    for rows in ([], [0.5], [12], [-1], [[1, 2]]):
        with pytest.raises(ValueError, match="rows"):
            net.objective(X, y, rows=rows)
    with pytest.raises(ValueError, match="alpha"):
        net.objective(X, y, alpha=-1.0)
    with pytest.raises(ValueError, match="zero over the rows"):
        net.objective(X, y, np.arange(12) * 1.0, rows=[0])


def test_objective_equals_network(rng):
    net = Network([3, 4, 2], "tanh")
    X, y, weight = rng.normal(size=(20, 3)), rng.normal(size=(20, 2)), rng.uniform(size=20)
    theta, v = net.init(random_state=0), rng.normal(size=net.n_params)
    rows = np.array([3, 1, 4, 15, 9, 2, 6])
    for subset in (None, rows):
        objective = net.objective(X, y, weight, alpha=0.7, rows=subset)
        at = slice(None) if subset is None else subset
        data = X[at], y[at]
        extras = {"sample_weight": weight[at], "l2": 0.7 / weight[at].sum()}
        assert (objective.n_samples, objective.n_params) == (len(data[0]), net.n_params)
        value, grad = objective.value_grad(theta)
        np.testing.assert_allclose(value, objective.value(theta), rtol=1e-13)
        expected_value, expected_grad = net.value_grad(theta, *data, **extras)
        np.testing.assert_allclose(value, expected_value, rtol=1e-12)
        assert relative_error(grad, expected_grad) < 1e-12
        for name in ("hessian", "ggn"):
            expected = getattr(net, name)(theta, *data, **extras)
            assert relative_error(getattr(objective, name)(theta), expected) < 1e-12
        for name in ("hess_mul", "ggn_mul"):
            expected = getattr(net, name)(theta, *data, v, **extras)
            assert relative_error(getattr(objective, name)(theta, v), expected) < 1e-12
