"""Both ways to sweep the layers, panels and BLAS, are one function of the same numbers."""

import os
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
import fastmlp.terms
from fastmlp import MLPRegressor, Network
from fastmlp.activations import HIDDEN_NAMES
from fastmlp.plan import Plan
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


def test_ctrl_c_sends_the_assistants_home(rng):
    net = Network([30, 200, 200, 1])
    X, y = rng.normal(size=(4000, 30)), rng.normal(size=4000)
    objective = net.objective(X, y, plan=Plan(threads=2))
    theta = net.init(random_state=0)
    state = fresh_state(theta)
    step = hyper("sgd", 100, 4000, rates=np.full(4000, 1e-4), momentum=0.0)
    order = np.tile(np.arange(4000), 100)
    before = threading.active_count()
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        objective.epoch(theta, state, order, step)
    timer.join()
    assert threading.active_count() == before
    assert 0 < state.t < 4000
    assert np.isfinite(theta).all()


def test_two_fits_run_side_by_side_with_teams_of_their_own(monkeypatch, rng):
    monkeypatch.setattr(fastmlp.terms, "threads_in_force", lambda n: n)
    monkeypatch.setattr(fastmlp.terms, "BATCH_FLOPS_PER_THREAD", 1.0)
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
    monkeypatch.setattr(fastmlp.training, "threads_in_force", lambda n: n)
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
