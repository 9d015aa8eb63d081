"""Whatever an iteration takes, a run ends soon after its time, by a clock that questions move."""

import numpy as np
import pytest

from fastmlp.solvers import (
    LBFGS,
    GradientDescent,
    LevenbergMarquardt,
    Newton,
    NewtonCG,
    Status,
    minimize,
)
from fastmlp.solvers import _full_batch as full_batch

SOLVERS = {
    "gd": GradientDescent(learning_rate=1e-7),
    "gd-armijo": GradientDescent(learning_rate=1.0, line_search="armijo"),
    "lbfgs": LBFGS(),
    "newton": Newton(),
    "newton trust-region": Newton(modification="trust-region"),
    "lm": LevenbergMarquardt(),
    "newton-cg": NewtonCG(),
    "newton-cg exact": NewtonCG(curvature="hessian"),
}


class Clocked:
    """An ill-conditioned bowl; every question to it takes a second, as told by ``seconds``."""

    def __init__(self, n=60):
        basis, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(n, n)))
        self.matrix = basis @ np.diag(np.logspace(0, 6, n)) @ basis.T
        self.seconds = 0
        self.asked = []

    def _ask(self, name):
        self.seconds += 1
        self.asked.append(name)

    def value(self, theta):
        self._ask("value")
        return 0.5 * float(theta @ self.matrix @ theta)

    def value_grad(self, theta):
        self._ask("value_grad")
        return 0.5 * float(theta @ self.matrix @ theta), self.matrix @ theta

    def hessian(self, theta):
        self._ask("hessian")
        return self.matrix

    def ggn(self, theta):
        self._ask("ggn")
        return self.matrix

    def ggn_mul(self, theta, v):
        self._ask("product")
        return self.matrix @ v

    hess_mul = ggn_mul

    def ggn_diagonal(self, theta):
        self._ask("diagonal")
        return np.ones(theta.size)


@pytest.fixture
def bowl(monkeypatch):
    objective = Clocked()

    class Time:
        perf_counter = staticmethod(lambda: objective.seconds)

    monkeypatch.setattr(full_batch, "time", Time)
    return objective


@pytest.mark.parametrize("max_time", [0, 3, 10, 40, 41, 42])
@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
def test_a_run_ends_within_a_trial_of_its_time(bowl, solver, max_time):
    theta0 = np.ones(60)
    losses = [0.5 * float(theta0 @ bowl.matrix @ theta0)]
    result = minimize(
        bowl,
        theta0,
        solver=solver,
        max_time=max_time,
        tol=0.0,
        max_iter=10**6,
        callback=lambda i, record: losses.append(record["loss"]),
    )
    assert result.status in (Status.MAX_TIME, Status.NO_PROGRESS, Status.NO_IMPROVEMENT)
    if result.status is not Status.MAX_TIME:
        assert isinstance(solver, Newton) and max_time > 3  # a quadratic is done in one step
    # At most what one question is in the middle of, and the trial that it was for; the first trial
    # is made in any case.
    assert bowl.seconds <= max(max_time + 4, 6)
    assert result.loss == losses[-1] <= losses[0]
    assert result.loss == pytest.approx(0.5 * float(result.theta @ bowl.matrix @ result.theta))


def test_conjugate_gradients_are_cut_and_what_they_found_is_tried(bowl):
    result = minimize(bowl, np.ones(60), solver=NewtonCG(radius=1e9), max_time=10, tol=0.0)
    assert result.status is Status.MAX_TIME and result.n_iter >= 1
    assert 5 <= bowl.asked.count("product") <= 10
    assert result.loss < 0.5 * float(np.ones(60) @ bowl.matrix @ np.ones(60))


def test_no_diagonal_is_made_for_a_point_that_ends_the_run(bowl):
    minimize(bowl, np.ones(60), solver="newton-cg", max_iter=1, tol=0.0)
    assert bowl.asked.count("diagonal") == 1


def test_ctrl_c_among_products_keeps_the_last_accepted_point(bowl):
    seen = []

    def interrupted(theta, v):
        if len(seen) == 3:
            raise KeyboardInterrupt
        return Clocked.ggn_mul(bowl, theta, v)

    bowl.ggn_mul = interrupted
    result = minimize(
        bowl,
        np.ones(60),
        solver=NewtonCG(max_cg=3),
        tol=0.0,
        callback=lambda i, record: seen.append(record.theta.copy()),
    )
    assert result.status is Status.INTERRUPTED and result.n_iter == 3
    np.testing.assert_array_equal(result.theta, seen[-1])
