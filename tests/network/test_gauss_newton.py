"""The Gauss-Newton matrix beside its gradient, its diagonal, and its dual form."""

import numpy as np
import pytest
import reference
import threadpoolctl
from cases import draw_case, relative_error

from fastmlp import Network, _sweeps
from fastmlp.plan import Plan
from fastmlp.solvers import LevenbergMarquardt, least_squares_objective, minimize
from fastmlp.solvers._least_squares import DenseGram

# Sums of at most a few hundred products of numbers of order one; the dual system's condition
# number is at most 1e4 for the damping below.
EXACT = 1e-12
SOLVED = 1e-9
CURVED = [pair for pair in reference.PAIRS if pair[0] not in reference.FLAT_LOSSES]


def make(case, dtype=np.float64, plan=None):
    network = Network(**case.arguments, dtype=dtype)
    alpha = case.l2 * case.sample_weight.sum()
    return network.objective(*case.data, sample_weight=case.sample_weight, alpha=alpha, plan=plan)


# Either way to the matrix, whatever the shape of the network.
both_matrices = pytest.mark.parametrize("matrix", ["rows", "pairs"])
both_products = pytest.mark.parametrize("products", ["panels", "blas"])


@both_matrices
@both_products
@pytest.mark.parametrize("pair", CURVED, ids="-".join)
def test_value_gradient_and_matrix_equal_the_oracle(pair, products, matrix):
    plan = Plan(products, tile=5, matrix=matrix)
    for seed in range(3):
        case = draw_case(seed, pair)
        expected = case.twin.ggn(case.theta, *case.data, **case.extras)
        assert np.abs(expected).max() > 0
        value, grad, G = make(case, plan=plan).value_grad_ggn(case.theta)
        twin_value, twin_grad = case.twin.value_grad(case.theta, *case.data, **case.extras)
        assert abs(value - twin_value) <= EXACT * max(1, abs(twin_value))
        assert relative_error(grad, twin_grad) < EXACT
        assert relative_error(G, expected) < EXACT
        assert np.array_equal(G, G.T)


@both_products
@pytest.mark.parametrize("pair", CURVED, ids="-".join)
def test_diagonal_equals_the_matrix(pair, products):
    case = draw_case(5, pair)
    expected = np.diag(case.twin.ggn(case.theta, *case.data, **case.extras))
    found = make(case, plan=Plan(products)).ggn_diagonal(case.theta)
    assert relative_error(found, expected) < EXACT


@both_products
@pytest.mark.parametrize("pair", CURVED, ids="-".join)
def test_dual_step_equals_the_primal_step(pair, products):
    damping = 0.1
    for seed in range(3):
        case = draw_case(seed, pair, n_samples=4)
        objective = make(case, plan=Plan(products))
        value, grad, gram = objective.value_grad_gram(case.theta)
        twin_value, twin_grad = case.twin.value_grad(case.theta, *case.data, **case.extras)
        assert abs(value - twin_value) <= EXACT * max(1, abs(twin_value))
        assert relative_error(grad, twin_grad) < EXACT
        G = case.twin.ggn(case.theta, *case.data, **case.extras)
        assert relative_error(gram.diagonal, np.diag(G)) < EXACT
        primal = np.linalg.solve(G + damping * np.eye(grad.size), grad)
        scaled = gram.divide(grad, damping)
        kernel = gram.kernel(damping) + np.eye(gram.n_residuals)
        by_residual = np.linalg.solve(kernel, gram.mul(scaled))
        dual = scaled - gram.divide(gram.transpose_mul(by_residual), damping)
        assert relative_error(dual, primal) < SOLVED


@pytest.mark.parametrize(
    ("pair", "hidden"),
    [
        *((pair, "tanh") for pair in CURVED),
        *((CURVED[0], hidden) for hidden in ("logistic", "softplus", "gelu", "silu", "mish")),
    ],
)
@both_products
def test_bend_equals_the_second_difference_of_the_outputs(pair, hidden, products):
    case = draw_case(4, pair, hidden=hidden)
    network, h = Network(**case.arguments), 2e-4
    ahead, here, behind = (network.raw(case.theta + t * case.v, case.X) for t in (h, 0, -h))
    J = network.jacobian(case.theta, case.X)
    curv = case.twin.terms(here, case.y)[3]
    weight = case.sample_weight / case.sample_weight.sum()
    second = (ahead - 2 * here + behind) / h**2
    expected = np.einsum("i,ikp,ikl,il->p", weight, J, curv, second)
    # the difference's own error: h^2 for the next derivatives, eps / h^2 for rounding
    found = make(case, plan=Plan(products)).bend(case.theta, case.v)
    assert relative_error(found, expected) < 1e-5


def test_a_linear_network_does_not_bend():
    case = draw_case(4, ("squared_error", "identity"), deepest=0)
    assert not make(case).bend(case.theta, case.v).any()


def test_gram_products_are_those_of_one_matrix():
    case = draw_case(2, ("log_loss", "softmax"), n_samples=5)
    _, _, gram = make(case).value_grad_gram(case.theta)
    J = np.array([gram.transpose_mul(unit) for unit in np.eye(gram.n_residuals)])
    assert np.abs(J).max() > 0
    assert relative_error(gram.mul(case.v), J @ case.v) < EXACT
    G = case.twin.ggn(case.theta, *case.data, sample_weight=case.sample_weight)
    assert relative_error(J.T @ J, G) < EXACT


@both_matrices
def test_float32_data_is_summed_in_float64(matrix):
    case = draw_case(3, ("squared_error", "identity"))
    objective = make(case, np.float32, Plan(matrix=matrix))
    _, grad, G = objective.value_grad_ggn(case.theta.astype(np.float32))
    assert grad.dtype == G.dtype == np.float64
    expected = case.twin.ggn(case.theta, *case.data, **case.extras)
    assert relative_error(G, expected) < 30 * np.finfo(np.float32).eps


@pytest.mark.parametrize("copies", [True, False])
@pytest.mark.parametrize("n_outputs", [1, 3])
@both_matrices
@both_products
def test_threads_share_the_work(n_outputs, copies, products, matrix, monkeypatch):
    """By rows, each with a matrix of its own; or, where that is too much, by parts of one."""
    monkeypatch.setattr(_sweeps, "MOST_PARAMS_PER_COPY", 10**9 if copies else 0)
    rng = np.random.default_rng(0)
    net = Network([4, 20, 12, n_outputs], activation="tanh")
    theta = net.init(random_state=0)
    X, y, v = rng.normal(size=(1001, 4)), rng.normal(size=(1001, n_outputs)), rng.normal(size=400)
    results = []
    for n_threads in (1, 3):
        plan = Plan(products, threads=n_threads, matrix=matrix)
        objective = net.objective(X, y, rows=rng.permutation(1001), alpha=1.0, plan=plan)
        along = [
            product(theta, v[: net.n_params])
            for product in (objective.bend, objective.hess_mul, objective.ggn_mul)
        ]
        results.append((*objective.value_grad_ggn(theta), objective.hessian(theta), *along))
    for one, three in zip(*results, strict=True):
        assert np.abs(one).max() > 0
        assert relative_error(three, one) < EXACT


@both_products
@pytest.mark.parametrize("pair", CURVED, ids="-".join)
def test_products_on_panels_and_over_blas(pair, products):
    for seed in range(2):
        case = draw_case(seed, pair)
        objective = make(case, plan=Plan(products, tile=7))
        ggn = case.twin.ggn(case.theta, *case.data, **case.extras)
        assert np.abs(ggn @ case.v).max() > 0
        assert relative_error(objective.ggn_mul(case.theta, case.v), ggn @ case.v) < 10 * EXACT
        hess = case.twin.hessian(case.theta, *case.data, **case.extras)
        assert relative_error(objective.hess_mul(case.theta, case.v), hess @ case.v) < 10 * EXACT
        assert relative_error(objective.hessian(case.theta), hess) < 10 * EXACT


@both_products
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_share_the_gradient(dtype, products):
    rng = np.random.default_rng(0)
    net = Network([4, 20, 2], activation="tanh", dtype=dtype)
    theta = net.init(random_state=0)
    X, y, w = rng.normal(size=(501, 4)), rng.normal(size=(501, 2)), rng.uniform(size=501)
    results = []
    for n_threads in (1, 3):
        plan = Plan(products, threads=n_threads)
        objective = net.objective(X, y, sample_weight=w, alpha=1.0, plan=plan)
        results.append((objective.value(theta), *objective.value_grad(theta)))
    for one, three in zip(*results, strict=True):
        assert relative_error(three, one) < 20 * np.finfo(dtype).eps


def test_limits_of_others_hold_for_threads():
    net = Network([4, 2])
    data = np.ones((5, 4)), np.ones((5, 2))
    with threadpoolctl.threadpool_limits(1):
        for n_threads in (None, 2):
            assert net.objective(*data, n_threads=n_threads).term.threads.allowed() == 1


def test_what_curves_downwards_in_a_custom_loss_is_left_out():
    class Saddle:
        def value_grad(self, raw, y):
            return raw[:, 0] * raw[:, 1] - 0.05 * (raw**2).sum(axis=1), raw[:, ::-1] - 0.1 * raw

        def hess(self, raw, y):
            return np.tile(np.array([[-0.1, 1.0], [1.0, -0.1]]), (len(raw), 1, 1))

    rng = np.random.default_rng(0)
    net = Network([2, 3, 2], activation="tanh", loss=Saddle())
    theta, X, v = net.init(random_state=0), rng.normal(size=(6, 2)), rng.normal(size=net.n_params)
    w = rng.uniform(0.5, 2, size=6)
    objective = net.objective(X, np.zeros(6), sample_weight=w)
    J = net.jacobian(theta, X)
    Q = 0.45 * np.ones((2, 2))  # of the eigenvalues 0.9 and -1.1 the former
    expected = np.einsum("i,ikp,kl,ilq->pq", w, J, Q, J) / w.sum()
    _, grad, G = objective.value_grad_ggn(theta)
    _, _, gram = objective.value_grad_gram(theta)
    by_row = np.array([gram.transpose_mul(unit) for unit in np.eye(gram.n_residuals)])
    for found in (G, objective.ggn(theta), by_row.T @ by_row):
        assert relative_error(found, expected) < EXACT
    assert relative_error(objective.ggn_mul(theta, v), expected @ v) < EXACT
    assert relative_error(objective.ggn_diagonal(theta), np.diag(expected)) < EXACT
    exact = net.objective(X, np.zeros(6), sample_weight=w).hessian(theta)
    assert np.linalg.eigvalsh(exact)[0] < -0.1  # the Hessian keeps it


def saturated(rng, n_samples, n_raw, output):
    """A linear network on one-hot rows, whose raw outputs are ``raw``: the odds reach e^-60."""
    raw = rng.uniform(-30, 30, size=(n_samples, n_raw))
    net = Network([n_samples, n_raw], loss="log_loss", output_activation=output)
    return net, net.pack([raw], [np.zeros(n_raw)]), raw


@pytest.mark.parametrize(("n_raw", "output"), [(3, "softmax"), (10, "softmax"), (1, "logistic")])
def test_curvature_of_saturated_outputs_keeps_its_digits(n_raw, output):
    """Relative to what the unlikely classes leave: p (1 - p) rounded at 1 would lose all of it."""
    rng = np.random.default_rng(n_raw)
    n = 20
    net, theta, raw = saturated(rng, n, n_raw, output)
    y = rng.integers(max(n_raw, 2), size=n)
    objective = net.objective(np.eye(n), y if n_raw > 1 else y.astype(float))
    longdouble = raw.astype(np.longdouble)
    odds = np.exp(longdouble - longdouble.max(axis=1, keepdims=True))
    if n_raw > 1:
        total = odds.sum(axis=1, keepdims=True)
        p = odds / total
        # 1 - p by the others, which in the unlikely classes is no less exact
        rest = np.array([[np.delete(row, k).sum() for k in range(n_raw)] for row in odds]) / total
        curvature = p * rest
    else:
        curvature = 1 / ((1 + np.exp(longdouble)) * (1 + np.exp(-longdouble)))
    expected = np.concatenate([curvature.ravel(), curvature.sum(axis=0)]).astype(float) / n
    assert expected.min() < 1e-12
    _, _, G = objective.value_grad_ggn(theta)
    found = {
        "value_grad_ggn": np.diag(G),
        "ggn": np.diag(objective.ggn(theta)),
        "hessian": np.diag(objective.hessian(theta)),
        "ggn_diagonal": objective.ggn_diagonal(theta),
        "value_grad_gram": objective.value_grad_gram(theta)[2].diagonal,
        "ggn_mul": [objective.ggn_mul(theta, e)[k] for k, e in enumerate(np.eye(theta.size))],
    }
    for name, diagonal in found.items():
        # exp at 60 has an error of 60 eps
        assert np.abs(np.asarray(diagonal) / expected - 1).max() < 1e-13, name


def test_subset_is_the_loss_on_some_rows():
    rng = np.random.default_rng(0)
    net = Network([3, 4, 2], activation="tanh")
    theta = net.init(random_state=0)
    X, y, w = rng.normal(size=(20, 3)), rng.normal(size=(20, 2)), rng.uniform(1, 2, 20)
    rows = np.arange(19, 3, -1)
    full = net.objective(X, y, sample_weight=w, alpha=2.0, rows=rows)
    part = full.subset(np.array([1, 5, 6]))
    picked = rows[[1, 5, 6]]
    expected = net.value(theta, X[picked], y[picked], w[picked], l2=2.0 / w[rows].sum())
    assert part.value(theta) == pytest.approx(expected, rel=1e-14)


def test_decayed_are_weights():
    net = Network([2, 3, 1])
    coefs = [np.ones((2, 3)), np.ones((3, 1))]
    mask = net.pack(coefs, [np.zeros(3), np.zeros(1)])
    objective = net.objective(np.ones((4, 2)), np.ones(4))
    assert np.array_equal(objective.penalty.groups.index >= 0, mask == 1)
    assert objective.n_residuals == 4


def test_flat_losses_are_refused_by_name():
    net = Network([2, 1], loss="quantile")
    objective = net.objective(np.ones((4, 2)), np.ones(4))
    for method in ("value_grad_ggn", "value_grad_gram", "ggn_diagonal"):
        with pytest.raises(ValueError, match="'quantile' has no curvature"):
            getattr(objective, method)(net.init(random_state=0))


def test_few_residuals_of_ones_own_are_solved_in_their_space(monkeypatch):
    """Their number is known before the first step, by one evaluation."""
    made = []
    monkeypatch.setattr(DenseGram, "kernel", lambda self, d: made.append(d) or self._products / d)
    A = np.random.default_rng(0).normal(size=(3, 8))
    result = minimize(
        least_squares_objective(lambda t: A @ t - 1, lambda t: A),
        np.zeros(8),
        solver=LevenbergMarquardt(scaling="identity"),
    )
    assert made and result.loss < 1e-8
