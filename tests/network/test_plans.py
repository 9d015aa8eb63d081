"""A plan (products, tiles, threads) changes no number; one that does not fit is refused."""

import os
import pickle
import signal
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from epochs import fresh_state, hyper
from fastmlp._core.team import LARGEST_TEAM

import fastmlp._sweeps
import fastmlp.threads
from fastmlp import MLPRegressor, Network
from fastmlp.activations import HIDDEN_NAMES
from fastmlp.plan import Plan
from fastmlp.predictor import Predictor
from fastmlp.solvers import Adam, Status, minimize

PLANS = {
    "panels": Plan("panels", tile=256, threads=1),
    "panels in tiles": Plan("panels", tile=32, threads=1),
    "two threads": Plan("panels", tile=32, threads=2),
    "five threads": Plan("panels", tile=256, threads=5),
    "blas": Plan("blas", tile=256, threads=1),
    "blas in two threads": Plan("blas", tile=17, threads=2),
}

LOSSES = [
    ("squared_error", None, 1),
    ("squared_error", "logistic", 3),
    ("log_loss", None, 1),
    ("log_loss", None, 11),
    ("log_loss", "logistic", 4),
    ("poisson", None, 2),
    ("huber", None, 17),
]
LAYOUTS = {
    "rows": np.ascontiguousarray,
    "fortran": np.asfortranarray,
    "csr": lambda X: sp.csr_array(np.where(X > 0, X, 0)),
}


class Case(NamedTuple):
    """A network, data and an update; its text is the id of a test."""

    seed: int
    loss: str
    output: str | None
    layers: list
    hidden: list
    dtype: type
    n: int
    layout: str
    weighted: bool
    update: str
    max_norm: float

    def __str__(self):
        words = [
            self.loss,
            self.output,
            self.dtype.__name__,
            self.layout,
            self.update,
            *self.hidden,
        ]
        words += ["-".join(map(str, self.layers)), f"of {self.n}"]
        words += ["weighted"] * self.weighted + ["clipped"] * (self.max_norm < np.inf)
        return " ".join(filter(None, words))

    def data(self):
        rng = np.random.default_rng(self.seed)
        n_raw = self.layers[-1]
        X = rng.normal(size=(self.n, self.layers[0])).astype(self.dtype)
        if self.loss != "log_loss":
            y = rng.uniform(0.1, 2, (self.n, n_raw))
        elif self.output is None:
            y = rng.integers(0, max(2, n_raw), self.n)
        else:
            y = rng.uniform(size=(self.n, n_raw))
        weight = rng.uniform(0, 2, self.n) if self.weighted else None
        return LAYOUTS[self.layout](X), y, weight


def draw(seed):
    """Each loss comes round; all else is drawn by itself, so that nothing goes with anything."""
    rng = np.random.default_rng(seed)
    loss, output, n_raw = LOSSES[seed % len(LOSSES)]
    hidden = [str(name) for name in rng.choice(HIDDEN_NAMES, rng.integers(4))]
    return Case(
        seed,
        loss,
        output,
        [*map(int, rng.integers(1, 40, len(hidden) + 1)), n_raw],
        hidden,
        (np.float64, np.float32)[rng.integers(2)],
        int(rng.integers(60, 150)),
        str(rng.choice(list(LAYOUTS))),
        bool(rng.integers(2)),
        str(rng.choice(["sgd", "nesterov", "adam"])),
        float(rng.choice([np.inf, 0.1])),
    )


CASES = [draw(seed) for seed in range(28)]


def after_epochs(plan, net, X, y, w, update, max_norm, batch_size):
    objective = net.objective(X, y, w, alpha=0.01, plan=plan)
    theta = net.init(random_state=3)
    state = fresh_state(theta)
    rates = np.full(-(-X.shape[0] // batch_size), 0.01)
    step = hyper(update, batch_size, len(rates), rates=rates, weight_decay=0.1, max_norm=max_norm)
    order = np.random.default_rng(5).permutation(X.shape[0])
    losses = [objective.epoch(theta, state, order, step) for _ in range(2)]
    return np.array(losses), theta, state


def test_the_cases_are_spread():
    for field, values in {
        "dtype": {np.float64, np.float32},
        "layout": set(LAYOUTS),
        "weighted": {False, True},
        "update": {"sgd", "nesterov", "adam"},
        "max_norm": {np.inf, 0.1},
    }.items():
        assert {getattr(case, field) for case in CASES} == values
    assert {len(case.hidden) for case in CASES} == {0, 1, 2, 3}
    assert {case.weighted for case in CASES if case.dtype is np.float32} == {False, True}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_plans_agree(case):
    net = Network(case.layers, case.hidden, case.output, case.loss, case.dtype)
    X, y, w = case.data()
    n, dtype = case.n, case.dtype
    mixed = [("panels", "blas")[(case.seed + l) % 2] for l in range(len(case.layers) - 1)]
    plans = PLANS | {"both": Plan(mixed, tile=23, threads=3)}
    runs = {
        name: after_epochs(plan, net, X, y, w, case.update, case.max_norm, batch_size=70)
        for name, plan in plans.items()
    }
    losses, theta, state = runs["blas"]
    assert np.isfinite(losses).all() and state.t == 2 * -(-n // 70)
    assert np.abs(theta - net.init(random_state=3)).max() > 1e-4
    # Sums in another order; adam's quotient near zero gradients lets single entries differ more.
    tolerance = 2e-3 if dtype == np.float32 else 1e-8
    for name in set(plans) - {"blas"}:
        other_losses, other_theta, other_state = runs[name]
        np.testing.assert_allclose(other_losses, losses, rtol=tolerance / 10, atol=tolerance / 10)
        np.testing.assert_allclose(other_theta, theta, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(other_state.first, state.first, rtol=0.1, atol=tolerance)
        assert other_state.t == state.t


def test_weights_of_zero_leave_theta_alone_on_panels(rng):
    net = Network([3, 5, 1])
    X, y = rng.normal(size=(8, 3)), rng.normal(size=8)
    w = np.r_[np.zeros(4), np.ones(4)]
    objective = net.objective(X, y, w)
    theta = net.init(random_state=0)
    start = theta.copy()
    state, step = fresh_state(theta), hyper("sgd", 4, 1, momentum=0.0)
    objective.epoch(theta, state, np.arange(4), step)
    assert (theta == start).all() and state.t == 0
    objective.epoch(theta, state, np.arange(4, 8), step)
    assert (theta != start).any() and state.t == 1


@pytest.mark.parametrize("max_norm", [np.inf, 0.1])
@pytest.mark.parametrize("update", ["sgd", "nesterov", "adam"])
def test_a_step_of_a_layer_on_blas_is_shared(rng, update, max_norm):
    """Of several strips, which no one else of these tests has."""
    net = Network([40, 900, 3], "tanh")
    data = rng.normal(size=(60, 40)), rng.normal(size=(60, 3)), None
    ends = [
        after_epochs(plan, net, *data, update, max_norm, 30)[:2]
        for plan in (Plan("panels", threads=1), Plan("blas", threads=1), Plan("blas", threads=3))
    ]
    for losses, theta in ends[1:]:
        np.testing.assert_allclose(losses, ends[0][0], rtol=1e-12)
        np.testing.assert_allclose(theta, ends[0][1], rtol=1e-9, atol=1e-12)


def test_batches_are_shared_whatever_multiplies(rng):
    net = Network([30, 40, 1])
    for products in ("panels", "blas", ("blas", "panels")):
        term = net.objective(rng.normal(size=(50, 30)), np.ones(50), plan=Plan(products)).term
        assert len(term._sweep.batch_tapes(50, 3)) == 3


def test_ctrl_c_sends_the_assistants_home(rng, threads_end):
    net = Network([30, 200, 200, 1])
    X, y = rng.normal(size=(4000, 30)), rng.normal(size=4000)
    objective = net.objective(X, y, plan=Plan(threads=2))
    theta = net.init(random_state=0)
    state = fresh_state(theta)
    step = hyper("sgd", 100, 4000, rates=np.full(4000, 1e-4), momentum=0.0)
    order = np.tile(np.arange(4000), 100)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        objective.epoch(theta, state, order, step)
    timer.join()
    assert threads_end()
    assert 0 < state.t < 4000
    assert np.isfinite(theta).all()


def test_two_fits_run_side_by_side_with_teams_of_their_own(monkeypatch, rng):
    monkeypatch.setattr(fastmlp.threads, "threads_in_force", lambda n: n)
    monkeypatch.setitem(fastmlp.threads.WORTH, "batch", fastmlp.threads.Worth(1.0))
    X, y = rng.normal(size=(600, 8)), rng.normal(size=600)

    def fit(seed):
        model = MLPRegressor(
            hidden_layer_sizes=(20,), max_iter=5, random_state=seed, n_threads=2, tol=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(X, y).loss_

    alone = [fit(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_allclose(list(pool.map(fit, range(4))), alone, rtol=1e-9)


@pytest.mark.parametrize(
    ("hidden", "batch_size", "expected"), [((10, 10), 32, 1), ((64, 64), 128, 2)]
)
def test_the_engine_decides_on_threads(monkeypatch, rng, hidden, batch_size, expected):
    """A number of threads is a limit: small batches are swept by one thread whatever it is."""
    monkeypatch.setattr(fastmlp.threads, "threads_in_force", lambda n: n)
    seen = []
    batch_tapes = fastmlp._sweeps.Sweep.batch_tapes

    def spy(self, size, n_threads):
        seen.append(n_threads)
        return batch_tapes(self, size, n_threads)

    monkeypatch.setattr(fastmlp._sweeps.Sweep, "batch_tapes", spy)
    X, y = rng.normal(size=(256, 20)), rng.normal(size=256)
    model = MLPRegressor(hidden_layer_sizes=hidden, batch_size=batch_size, max_iter=2, n_threads=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    assert seen and set(seen) == {expected}


def test_more_threads_than_rows(rng):
    net = Network([3, 40, 2], activation="tanh")
    theta, X, y = net.init(random_state=0), rng.normal(size=(2, 3)), rng.normal(size=(2, 2))
    value, grad = net.value_grad(theta, X, y)
    for n_threads in (1, 3, LARGEST_TEAM):
        objective = net.objective(X, y, plan=Plan(threads=n_threads))
        again, grad_again = objective.value_grad(theta)
        np.testing.assert_allclose(again, value)
        np.testing.assert_allclose(grad_again, grad, rtol=1e-12)
        result = minimize(objective, theta, solver=Adam(batch_size=2), max_iter=2, random_state=0)
        assert result.status is Status.MAX_ITER


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("tile", [1, 7, 64])
@pytest.mark.parametrize("products", ["panels", "blas", ("panels", "blas", "panels")])
def test_every_entrance_takes_a_plan(products, tile, threads, layout, rng):
    net = Network([4, 6, 5, 3], ["gelu", "relu"], loss="log_loss")
    theta, v = net.init(random_state=0), rng.normal(size=net.n_params)
    X, y = LAYOUTS[layout](rng.normal(size=(20, 4))), rng.integers(3, size=20)

    def numbers(plan):
        of_data = [
            np.concatenate([[value], grad])
            for value, grad in [net.value_grad(theta, X, y, l2=0.1, plan=plan)]
        ]
        of_data += [method(theta, X, plan=plan) for method in (net.raw, net.predict)]
        of_data += [method(theta, X, plan=plan) for method in (net.jacobian, net.input_jacobian)]
        of_data += [method(theta, X, y, plan=plan) for method in (net.value, net.hessian, net.ggn)]
        return of_data + [
            method(theta, X, y, v, plan=plan) for method in (net.hess_mul, net.ggn_mul)
        ]

    for planned, left_open in zip(
        numbers(Plan(products, tile, threads)), numbers(None), strict=True
    ):
        assert np.abs(left_open).max() > 1e-3
        np.testing.assert_allclose(planned, left_open, rtol=1e-9, atol=1e-12)


def test_a_predictor_takes_a_plan(rng):
    net = Network([4, 6, 3], "tanh")
    theta, X = net.init(random_state=0), rng.normal(size=(50, 4))
    for products in ("panels", "blas", ("blas", "panels")):
        predictor = Predictor(net, theta, plan=Plan(products, tile=9))
        np.testing.assert_allclose(predictor.outputs(X, n_threads=2), net.predict(theta, X))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"products": "gpu"}, ValueError, "product"),
        ({"products": ["panels", "bls"]}, ValueError, "product"),
        ({"matrix": "columns"}, ValueError, "matrix"),
        ({"tile": 0}, ValueError, "tile must be at least 1"),
        ({"tile": 2.5}, TypeError, "tile must be an integer"),
        ({"threads": 0}, ValueError, "threads must be at least 1"),
        ({"threads": LARGEST_TEAM + 1}, ValueError, "threads must be at most"),
    ],
)
def test_what_is_no_plan(arguments, error, words):
    with pytest.raises(error, match=words):
        Plan(**arguments)


def test_a_plan_that_does_not_fit(rng):
    net = Network([4, 6, 3])
    theta, X, y = net.init(random_state=0), rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    with pytest.raises(ValueError, match="3 products does not fit a network of 2 layers"):
        net.objective(X, y, plan=Plan(["panels"] * 3))
    with pytest.raises(TypeError, match="plan must be a Plan, got 'blas'"):
        net.raw(theta, X, plan="blas")
    plan = Plan(["panels", "blas"], tile=5, threads=2)
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert eval(repr(plan)) == plan


@pytest.mark.parametrize("products", ["panels", "blas"])
@pytest.mark.parametrize("update", ["sgd", "nesterov", "adam"])
def test_a_rate_of_zero_freezes_a_segment(update, products, rng):
    """Whatever has gathered in its momentum; the others move by their own factors."""
    net = Network([4, 6, 3], "tanh")
    X, y = rng.normal(size=(40, 4)), rng.normal(size=(40, 3))
    objective = net.objective(X, y, alpha=0.1, plan=Plan(products))
    theta = net.init(random_state=0)
    state, order = fresh_state(theta), np.arange(40)
    objective.epoch(theta, state, order, hyper(update, 10, 4, weight_decay=0.1))
    before = theta.copy()
    step = hyper(update, 10, 4, weight_decay=0.1)
    step.rate_factors = np.array([0.0, 1.0, 0.5, 0.0])
    objective.epoch(theta, state, order, step)
    moved = [bool((part.of(theta) != part.of(before)).all()) for part in net.segments]
    still = [bool((part.of(theta) == part.of(before)).all()) for part in net.segments]
    assert moved == [False, True, True, False] and still == [True, False, False, True]
