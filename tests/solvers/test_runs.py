"""What every full-batch run shares: statuses, limits, validation, Ctrl-C, arguments."""

import time

import numpy as np
import pytest

from fastmlp.solvers import (
    LBFGS,
    STOP,
    GradientDescent,
    Newton,
    Status,
    minimize,
)

FULL_BATCH = {
    "gd": GradientDescent(learning_rate=0.05),
    "gd-armijo": GradientDescent(line_search="armijo"),
    "lbfgs": LBFGS(),
    "newton": Newton(),
}
START = np.array([3.0, -2.0, 1.5])


class Valley:
    """sum(c_i theta_i^4 + theta_i^2): smooth, convex, no solver is done in one step."""

    n_params = 3
    dtype = np.dtype(np.float64)
    scale = np.array([1.0, 0.3, 0.1])

    def __init__(self):
        self.n_calls = 0

    def value_grad(self, theta):
        self.n_calls += 1
        assert theta.dtype == self.dtype
        loss = np.sum(self.scale * theta**4 + theta**2)
        return loss, 4 * self.scale * theta**3 + 2 * theta

    def hessian(self, theta):
        return np.diag(12.0 * self.scale * theta.astype(np.float64) ** 2 + 2)


@pytest.fixture(params=FULL_BATCH)
def solver(request):
    return FULL_BATCH[request.param]


def test_converged(solver):
    result = minimize(Valley(), START, solver=solver, tol=1e-5, max_iter=5000)
    assert result.status is Status.CONVERGED
    assert result.status.converged
    gradient = result.history["grad_norm"][-1]
    assert result.message.startswith(
        "Converged: the gradient is below tol (the largest entry of the gradient is "
        f"{gradient:.2g}, tol=1e-05"
    )
    assert result.history["grad_norm"][-1] <= 1e-5
    assert result.state is None


def test_converged_at_the_start(solver):
    result = minimize(Valley(), np.zeros(3), solver=solver)
    assert (result.status, result.n_iter, result.loss) == (Status.CONVERGED, 0, 0.0)
    assert result.history["loss"] == []
    assert result.theta.shape == (3,)


def test_max_iter(solver):
    result = minimize(Valley(), START, solver=solver, max_iter=3)
    assert (result.status, result.n_iter) == (Status.MAX_ITER, 3)
    assert not result.status.converged


def test_max_iter_where_the_gradient_is_small_is_convergence(solver):
    needed = minimize(Valley(), START, solver=solver, tol=1e-2, max_iter=5000).n_iter
    result = minimize(Valley(), START, solver=solver, tol=1e-2, max_iter=needed)
    assert (result.status, result.n_iter) == (Status.CONVERGED, needed)


def test_max_fun():
    result = minimize(Valley(), START, solver="lbfgs", max_fun=3, tol=0.0)
    assert result.status is Status.MAX_FUN


def test_max_time(solver):
    class Slow(Valley):
        def value_grad(self, theta):
            time.sleep(0.02)
            return super().value_grad(theta)

    objective = Slow()
    begun = time.perf_counter()
    result = minimize(objective, START, solver=solver, max_time=0.05, tol=0.0)
    assert result.status is Status.MAX_TIME
    assert time.perf_counter() - begun < 1.0
    assert objective.n_calls >= 2
    assert result.loss == Valley().value_grad(result.theta)[0]


def test_no_time_at_all_is_one_trial(solver):
    result = minimize(Valley(), 1e-2 * START, solver=solver, max_time=0.0, tol=0.0)
    assert (result.status, result.n_iter) == (Status.MAX_TIME, 1)


def test_no_improvement():
    result = minimize(Valley(), START, solver="lbfgs", tol=0.0, max_iter=5000)
    assert result.status is Status.NO_IMPROVEMENT


@pytest.mark.parametrize("name", ["gd-armijo", "lbfgs", "newton"])
def test_no_progress(name):
    objective = Valley()
    objective.value_grad = lambda theta: (float(theta @ theta), -2 * theta)  # of the wrong sign
    result = minimize(objective, START, solver=FULL_BATCH[name])
    assert (result.status, result.n_iter) == (Status.NO_PROGRESS, 0)
    np.testing.assert_array_equal(result.theta, START)


class Shelf(Valley):
    """A loss whose rounding hides the valley."""

    def value_grad(self, theta):
        loss, grad = super().value_grad(theta)
        return loss + 1e3, grad


@pytest.mark.parametrize("name", ["gd-armijo", "newton"])
def test_the_gradient_leads_where_the_loss_is_rounded(name):
    result = minimize(Shelf(), 1e-8 * START, solver=FULL_BATCH[name], tol=1e-12)
    assert result.status is Status.CONVERGED
    assert set(result.history["loss"]) == {1e3}


def test_diverged():
    result = minimize(Valley(), START, solver=GradientDescent(learning_rate=1.0))
    assert result.status is Status.DIVERGED
    assert np.isfinite(result.theta).all()
    assert np.isfinite(result.loss)
    assert result.loss == result.history["loss"][-1]


def test_callback_stops(solver):
    seen = []

    def callback(iteration, record):
        seen.append((iteration, record))
        return STOP if iteration == 2 else None

    result = minimize(Valley(), START, solver=solver, callback=callback)
    assert (result.status, result.n_iter) == (Status.CALLBACK, 2)
    assert [iteration for iteration, _ in seen] == [1, 2]
    for key, column in result.history.items():
        assert column == [record[key] for _, record in seen]


def test_history(solver):
    result = minimize(
        Valley(), START, solver=solver, max_iter=4, validation=lambda theta: (theta[0], 7.0)
    )
    keys = ["loss", "grad_norm", "step_size", "seconds", "validation_score", "validation_loss"]
    if isinstance(solver, LBFGS):
        keys.remove("step_size")
    assert list(result.history) == keys
    assert {len(column) for column in result.history.values()} == {4}
    assert result.history["validation_loss"] == [7.0] * 4
    seconds = result.history["seconds"]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0
    loss, grad = Valley().value_grad(minimize(Valley(), START, solver=solver, max_iter=4).theta)
    assert result.history["loss"][-1] == loss
    assert result.history["grad_norm"][-1] == np.max(np.abs(grad))


class Scores:
    """Validation scores from a list; remembers which theta got which."""

    def __init__(self, scores):
        self.scores = scores
        self.thetas = []

    def __call__(self, theta):
        self.thetas.append(theta.copy())
        return self.scores[len(self.thetas) - 1], 0.0


def test_validation_stops_and_restores_the_best(solver):
    # 0.55 is the best, but no improvement by tol = 0.1: the count starts after 0.5.
    validation = Scores([0.1, 0.5, 0.55, 0.4, 0.3, 0.2, 0.1])
    result = minimize(
        Valley(), START, solver=solver, validation=validation, n_iter_no_change=3, tol=0.1
    )
    assert (result.status, result.n_iter) == (Status.NO_VALIDATION_IMPROVEMENT, 6)
    np.testing.assert_array_equal(result.theta, validation.thetas[2])
    assert np.any(validation.thetas[2] != validation.thetas[5])
    assert result.loss == result.history["loss"][-1]  # of the last iteration, not of the best


def test_validation_counts_again_after_an_improvement(solver):
    validation = Scores([0.1, 0.0, 0.3, 0.0, 0.0])
    result = minimize(
        Valley(), START, solver=solver, validation=validation, n_iter_no_change=1, tol=0.1
    )
    assert (result.status, result.n_iter) == (Status.NO_VALIDATION_IMPROVEMENT, 5)
    np.testing.assert_array_equal(result.theta, validation.thetas[2])


class Interrupting(Valley):
    """Ctrl-C during evaluation number ``at``; ``seen`` holds every theta asked for."""

    def __init__(self, at):
        super().__init__()
        self.at = at
        self.seen = []

    def value_grad(self, theta):
        if len(self.seen) + 1 == self.at:
            raise KeyboardInterrupt
        self.seen.append(theta.copy())
        return super().value_grad(theta)


@pytest.mark.parametrize("at", [2, 3, 6])
def test_ctrl_c_keeps_the_last_accepted_theta(solver, at):
    accepted = [START]

    def validation(theta):
        accepted.append(theta.copy())
        return float(len(accepted)), 0.0  # ever better: the best is the last

    result = minimize(Interrupting(at), START, solver=solver, validation=validation)
    assert result.status is Status.INTERRUPTED
    np.testing.assert_array_equal(result.theta, accepted[-1])
    assert result.n_iter == len(accepted) - 1 == len(result.history["loss"])


def test_ctrl_c_in_the_first_evaluation(solver):
    result = minimize(Interrupting(1), START, solver=solver)
    assert (result.status, result.n_iter) == (Status.INTERRUPTED, 0)
    np.testing.assert_array_equal(result.theta, START)


def test_ctrl_c_restores_the_best(solver):
    validation = Scores([0.9, 0.1, 0.2, 0.3, 0.4, 0.5])
    result = minimize(Interrupting(5), START, solver=solver, validation=validation)
    assert result.status is Status.INTERRUPTED
    assert len(validation.thetas) >= 2
    np.testing.assert_array_equal(result.theta, validation.thetas[0])


def test_ctrl_c_in_the_hessian():
    objective = Valley()

    def hessian(theta):
        if objective.n_calls > 2:
            raise KeyboardInterrupt
        return Valley().hessian(theta)

    objective.hessian = hessian
    result = minimize(objective, START, solver="newton")
    assert (result.status, result.n_iter) == (Status.INTERRUPTED, 2)


def test_other_exceptions_pass(solver):
    objective = Valley()
    objective.value_grad = lambda theta: 1 / 0
    with pytest.raises(ZeroDivisionError):
        minimize(objective, START, solver=solver)


def test_float32(solver):
    class Single(Valley):
        dtype = np.dtype(np.float32)
        scale = Valley.scale.astype(np.float32)

    result = minimize(Single(), START, solver=solver, tol=1e-3, max_iter=5000)
    assert result.theta.dtype == np.float32
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.theta, 0, atol=1e-3)


def test_an_objective_that_reuses_its_gradient_buffer(solver):
    class Reusing(Valley):
        buffer = np.empty(3)

        def value_grad(self, theta):
            loss, grad = super().value_grad(theta)
            self.buffer[:] = grad
            return loss, self.buffer

    expected = minimize(Valley(), START, solver=solver, max_iter=5).theta
    np.testing.assert_array_equal(
        minimize(Reusing(), START, solver=solver, max_iter=5).theta, expected
    )


class Fold:
    """theta^2 / 2 everywhere, but without a gradient below zero."""

    def value_grad(self, theta):
        assert np.isfinite(theta).all()
        grad = np.where(theta < 0, np.nan, theta)
        return 0.5 * float(theta @ theta), grad

    def hessian(self, theta):
        return 0.25 * np.eye(theta.size)  # too small: Newton's full step is four times too long


def test_a_gradient_that_is_not_finite_is_a_rejection(solver):
    if solver == FULL_BATCH["gd"]:
        solver = GradientDescent(learning_rate=1.5)  # 1 - 1.5 < 0: the first step folds
    result = minimize(Fold(), [4.0, 2.0], solver=solver, tol=1e-6)
    assert np.isfinite(result.history["grad_norm"]).all()
    assert np.all(result.theta >= 0)
    fixed = isinstance(solver, GradientDescent) and solver.line_search is None
    assert result.status is (Status.DIVERGED if fixed else Status.CONVERGED)


@pytest.mark.parametrize("line_search", [None, "armijo"])
def test_the_objective_is_not_asked_at_infinity(line_search):
    class Cliff(Fold):
        def value_grad(self, theta):
            loss, _ = super().value_grad(theta)
            return loss, np.full(1, -1e10)

    solver = GradientDescent(learning_rate=1e300, line_search=line_search)
    result = minimize(Cliff(), [1.0], solver=solver)
    assert result.status is (Status.DIVERGED if line_search is None else Status.NO_PROGRESS)
    assert result.theta == 1.0
