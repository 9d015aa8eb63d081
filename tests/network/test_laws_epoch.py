"""One native epoch equals the plain NumPy loop over its mini-batches."""

from types import SimpleNamespace

import numpy as np
import pytest
from cases import drawn, relative_error
from epochs import fresh_state, hyper
from reference import Reference
from reference_epoch import epoch as reference_epoch
from scipy import sparse
from sklearn.linear_model import Perceptron

from fastmlp import Network
from fastmlp.plan import Plan
from fastmlp.segments import segments_of
from fastmlp.solvers import Adam, Status, minimize


@pytest.fixture(params=["panels", "blas"])
def plan(request):
    """Both ways through the layers."""
    return Plan(request.param)


def check_epochs(
    net, twin, X, y, step, rng, plan, weight=None, alpha=0.0, form=np.asarray, rows=None
):
    """Three epochs in fresh orders, ours against the plain NumPy loop; returns both thetas."""
    dtype = net.dtype
    tolerance = 1e-9 if dtype == np.float64 else 2e-4
    subset = np.arange(len(X)) if rows is None else rows
    objective = net.objective(form(X), y, weight, alpha=alpha, rows=rows, plan=plan)
    theta = net.init(random_state=1)
    state = fresh_state(theta)
    expected, first, second, t = theta.astype(float), 0 * state.first, 0.0 * state.first, 0
    part = None if weight is None else weight[subset]
    for _ in range(3):
        order = rng.permutation(len(subset))
        before = expected
        loss = objective.epoch(theta, state, order, step)
        expected, first, second, t, expected_loss = reference_epoch(
            twin, expected, first, second, t, X[subset], y[subset], order, step, part, alpha
        )
        assert np.abs(expected - before).max() > 1e-4
        np.testing.assert_allclose(loss, expected_loss, rtol=tolerance)
        assert relative_error(theta, expected) < tolerance
        assert state.t == t
    return theta


UPDATES = {
    "sgd": {"update": "sgd"},
    "plain sgd": {"update": "sgd", "momentum": 0.0},
    "nesterov": {"update": "nesterov"},
    "adam": {"update": "adam"},
    "adamw": {"update": "adam", "weight_decay": 0.2},
    "clipped sgd": {"update": "sgd", "max_norm": 0.05},
    "clipped adam": {"update": "adam", "max_norm": 0.05},
    "decayed nesterov": {"update": "nesterov", "weight_decay": 0.1},
    "decayed sgd": {"update": "sgd", "weight_decay": 0.1},
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", UPDATES)
def test_epochs_equal_a_plain_loop(name, dtype, plan, rng):
    """47 rows in batches of ten: the last one is ragged."""
    net = Network([6, 7, 5, 3], ["tanh", "relu"], loss="log_loss", dtype=dtype)
    twin = Reference([6, 7, 5, 3], ["tanh", "relu"], loss="log_loss")
    X, y = rng.normal(size=(47, 6)).astype(dtype), rng.integers(3, size=47)
    weight = rng.uniform(0.1, 2.0, size=47)
    step = hyper(**{"batch_size": 10, "n_batches": 5, **UPDATES[name]})
    check_epochs(net, twin, X, y, step, rng, plan)
    check_epochs(net, twin, X, y, step, rng, plan, weight=weight, alpha=0.4)


FACTORS = np.array([0.5, 0.0, 1.0, 2.0, 0.0, 0.25])  # W1, b1, W2, b2, W3, b3


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", UPDATES)
def test_every_segment_at_a_rate_of_its_own(name, dtype, rng, plan):
    net = Network([6, 7, 5, 3], ["tanh", "relu"], dtype=dtype)
    twin = Reference([6, 7, 5, 3], ["tanh", "relu"])
    X, y = rng.normal(size=(47, 6)).astype(dtype), rng.normal(size=(47, 3)).astype(dtype)
    step = hyper(**{"batch_size": 10, "n_batches": 5, "rate_factors": FACTORS, **UPDATES[name]})
    theta = check_epochs(net, twin, X, y, step, rng, plan, alpha=0.4)
    start = net.init(random_state=1)
    for segment, factor in zip(net.segments, FACTORS, strict=True):
        frozen = np.array_equal(segment.of(theta), segment.of(start))
        assert frozen == (factor == 0), segment.name


@pytest.mark.parametrize("update", ["sgd", "nesterov", "adam"])
@drawn(range(100, 104), n_samples=11)
def test_epochs_of_drawn_networks(case, update, plan, rng):
    net = Network(**case.arguments)
    step = hyper(update, 4, 3, rates=np.full(3, 1e-3))
    check_epochs(net, case.twin, case.X, case.y, step, rng, plan, case.sample_weight + 0.1, 0.2)


FORMS = {
    "csr": sparse.csr_array,
    "fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "part of wider rows": lambda X: np.c_[X, X][:, : X.shape[1]],
    "read-only": lambda X: np.broadcast_to(X, (1, *X.shape))[0],
    "float32": lambda X: X.astype(np.float32),
    "csr float32": lambda X: sparse.csr_array(X.astype(np.float32)),
}


@pytest.mark.parametrize("form", FORMS)
def test_epochs_on_any_layout(form, plan, rng):
    net, twin = Network([5, 4, 1], "tanh"), Reference([5, 4, 1], "tanh")
    X = rng.integers(-2, 3, size=(33, 5)).astype(float)
    y = rng.normal(size=33)
    check_epochs(net, twin, X, y, hyper("adam", 8, 5), rng, plan, alpha=0.1, form=FORMS[form])


@pytest.mark.parametrize("form", ["csr", "fortran", "strided"])
def test_epochs_on_a_subset_of_rows(form, plan, rng):
    net, twin = Network([5, 4, 1], "tanh"), Reference([5, 4, 1], "tanh")
    X, y = rng.normal(size=(60, 5)), rng.normal(size=60)
    rows = rng.permutation(60)[:37]
    weight = rng.uniform(0.5, 1.5, size=60)
    check_epochs(
        net,
        twin,
        X,
        y,
        hyper("adam", 8, 5),
        rng,
        plan,
        weight,
        alpha=0.1,
        form=FORMS[form],
        rows=rows,
    )


def test_a_batch_of_weight_zero_is_skipped(plan, rng):
    net, twin = Network([3, 1]), Reference([3, 1])
    X, y, weight = rng.normal(size=(12, 3)), rng.normal(size=12), np.ones(12)
    weight[:6] = 0.0
    objective = net.objective(X, y, weight, alpha=0.1, plan=plan)
    theta = net.init(random_state=1)
    state = fresh_state(theta)
    step = hyper("adam", 3, 4)
    expected, _, _, t, expected_loss = reference_epoch(
        twin, theta, 0 * theta, 0 * theta, 0, X, y, np.arange(12), step, weight, 0.1
    )
    loss = objective.epoch(theta, state, np.arange(12), step)
    np.testing.assert_allclose(theta, expected, rtol=1e-12)
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-12)
    assert state.t == t == 2


@pytest.mark.parametrize("batch_size", [1, 12, 13, 100])
def test_extreme_batch_sizes(batch_size, plan, rng):
    net, twin = Network([3, 4, 2], "relu"), Reference([3, 4, 2], "relu")
    X, y = rng.normal(size=(12, 3)), rng.normal(size=(12, 2))
    n_batches = -(-12 // batch_size)
    check_epochs(net, twin, X, y, hyper("nesterov", batch_size, n_batches), rng, plan, alpha=0.5)


def test_bad_epochs(plan, rng):
    net = Network([3, 1])
    objective = net.objective(rng.normal(size=(12, 3)), rng.normal(size=12), plan=plan)
    theta = net.init(random_state=1)

    in_order = np.arange(12)

    def run(theta=theta, order=in_order, state=None, step=None, on=objective):
        return on.epoch(theta, state or fresh_state(theta), order, step or hyper("adam", 5, 3))

    before = theta.copy()
    for wrong, words in [
        ({"theta": theta.astype(np.float32)}, "theta.*float64"),
        ({"theta": np.zeros(8)[::2]}, "theta.*contiguous"),
        ({"order": np.arange(1, 13)}, "from 0 to 11"),
        ({"order": np.arange(12) * 1.0}, "integers"),
        ({"step": hyper("adam", 5, 2)}, "rates"),
        ({"step": hyper("adam", 0, 3)}, "batch_size"),
        ({"step": hyper("adagrad", 5, 3)}, "Unknown update 'adagrad'.*adam"),
        ({"state": SimpleNamespace(first=np.zeros(4), second=None, t=0)}, "second"),
        ({"state": SimpleNamespace(first=np.zeros(3), second=np.zeros(4), t=0)}, "first"),
    ]:
        with pytest.raises(ValueError, match=words):
            run(**wrong)
        np.testing.assert_array_equal(theta, before)
    custom = Network([3, 1], loss=lambda raw, y: (raw[:, 0], np.ones_like(raw)))
    with pytest.raises(ValueError, match="full-batch"):
        run(on=custom.objective(rng.normal(size=(12, 3)), rng.normal(size=12)))


def test_the_perceptron_loss_is_rosenblatts_rule(plan, rng):
    """Pass by pass the same numbers as scikit-learn's Perceptron, from zero weights."""
    X, y = rng.normal(size=(40, 3)), rng.choice([-1.0, 1.0], size=40)
    net = Network([3, 1], loss="perceptron")
    objective, theta = net.objective(X, y, plan=plan), net.init(init="zeros")
    state = fresh_state(theta)
    step = hyper("sgd", 1, 40, rates=np.ones(40), momentum=0.0)
    for n_passes in range(1, 6):
        objective.epoch(theta, state, np.arange(40), step)
        theirs = Perceptron(shuffle=False, max_iter=n_passes, tol=None).fit(X, y)
        np.testing.assert_allclose(theta[:3], theirs.coef_[0], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(theta[3], theirs.intercept_[0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 65])
def test_epochs_at_the_edges_of_vectors_and_panels(width, dtype, plan, rng):
    """Every remainder of a width modulo a vector or a panel, in every place it can stand."""
    layers = [width, width + 1, max(1, width - 1), 3]
    hidden = ["relu", "silu"] if width % 2 else ["tanh", "relu"]
    net = Network(layers, hidden, loss="log_loss", dtype=dtype)
    twin = Reference(layers, hidden, loss="log_loss")
    X, y = rng.normal(size=(29, width)).astype(dtype), rng.integers(3, size=29)
    step = hyper("adam", 13, 3, epsilon=1e-3)
    check_epochs(net, twin, X, y, step, rng, plan, alpha=0.3)


@pytest.mark.parametrize("tile", [1, 2, 5, 6, 7, 11, 12, 13, 25])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("products", ["panels", "blas", ("panels", "blas", "panels")])
def test_a_batch_of_several_tiles(tile, dtype, products, rng):
    """The gradients of a batch's tiles add up, whole tiles and the ragged last one."""
    plan = Plan(products, tile)
    net = Network([6, 9, 4, 2], ["relu", "gelu"], dtype=dtype)
    twin = Reference([6, 9, 4, 2], ["relu", "gelu"])
    X, y = rng.normal(size=(50, 6)).astype(dtype), rng.normal(size=(50, 2)).astype(dtype)
    weight = rng.uniform(0.2, 2.0, size=50)
    step = hyper("nesterov", 26, 2, rates=np.full(2, 0.01))
    check_epochs(net, twin, X, y, step, rng, plan, weight=weight, alpha=0.3)


def test_the_border_between_the_products(rng):
    """Left open, small layers run on panels and large ones on BLAS, and both are right."""
    for layers, expected in [
        ([5, 8, 2], ("panels", "panels")),
        ([3, 600, 600, 2], ("panels", "blas", "panels")),
    ]:
        net, twin = Network(layers, "relu"), Reference(layers, "relu")
        X, y = rng.normal(size=(20, layers[0])), rng.normal(size=(20, 2))
        step = hyper("sgd", 8, 3, rates=np.full(3, 0.02))
        check_epochs(net, twin, X, y, step, rng, None, alpha=0.1)
        assert net.objective(X, y).term.plan("batch").products == expected


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_an_epsilon_below_the_smallest_number(dtype, plan, rng):
    """What has no gradient stays where it is: it is no step of 0/0."""
    net = Network([3, 5, 1], "relu", dtype=dtype)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    theta = net.pack(
        [rng.normal(size=(3, 5)) * [1, 1, 1, 1, 0], rng.normal(size=(5, 1))],
        [np.array([0, 0, 0, 0, -1.0]), np.zeros(1)],  # the last unit is never active
    )
    result = minimize(
        net.objective(X, y, plan=plan),
        theta,
        solver=Adam(epsilon=1e-300),
        max_iter=3,
        random_state=0,
    )
    assert result.status is Status.MAX_ITER
    assert result.loss < net.value(theta, X, y)
    np.testing.assert_array_equal(net.unpack(result.theta)[0][0][:, 4], 0)


@pytest.mark.parametrize("max_norm", [np.inf, 0.05])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_segments_are_known_by_their_names(rng, monkeypatch, max_norm, form):
    """The order in which the map of theta lists them is nobody's business."""
    X, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    X *= rng.random(X.shape) < 0.5
    plan = Plan(("csr", "panels", "blas") if form is sparse.csr_array else "panels")
    thetas = []
    for order in (range(6), (3, 0, 5, 2, 1, 4)):
        listed = tuple(segments_of((4, 5, 3, 2))[k] for k in order)
        for module in ("fastmlp._core.network", "fastmlp.network"):
            monkeypatch.setattr(f"{module}.segments_of", lambda widths, listed=listed: listed)
        net = Network([4, 5, 3, 2])
        factors = np.array([float("W1 b1 W2 b2 W3 b3".split().index(s.name)) for s in listed])
        step = hyper("adam", 10, 3, max_norm=max_norm, weight_decay=0.2, rate_factors=factors)
        theta = np.linspace(-1, 1, net.n_params)
        objective = net.objective(form(X), y, alpha=3.0, plan=plan)
        objective.epoch(theta, fresh_state(theta), np.arange(30), step)
        thetas.append(theta)
    np.testing.assert_array_equal(*thetas)
