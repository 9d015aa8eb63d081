"""Where a run ends and what it says of it: only what was looked at."""

import numpy as np
import pytest

from fastmlp import MLPRegressor
from fastmlp.solvers import Status, least_squares_objective, minimize


def test_steps_that_change_nothing_end_the_run():
    flat = least_squares_objective(
        lambda t: np.array([np.tanh(1e-3 * t[0]) + 2.0]),
        lambda t: np.array([[1e-3 / np.cosh(1e-3 * t[0]) ** 2]]),
    )
    result = minimize(flat, [0.0], solver="lm", tol=0.0, max_iter=3000)
    assert result.status is Status.NO_PROGRESS
    losses = np.array(result.history["loss"])
    assert np.count_nonzero(losses == losses[-1]) < 100


@pytest.mark.parametrize("solver", ["newton-cg", "lm"])
def test_a_small_gradient_alone_is_no_convergence(solver):
    """Targets of 1e-9: the gradient is below tol from the start, the loss could fall to nothing."""
    X = np.linspace(-3, 3, 100)[:, None]
    y = 1e-9 * np.sin(X[:, 0])
    with pytest.warns(match="failed to converge"):
        model = MLPRegressor(
            hidden_layer_sizes=(10,), activation="tanh", solver=solver, max_iter=1, random_state=0
        ).fit(X, y)
    assert "onverged" not in model.status_


def test_a_smaller_tol_gives_a_smaller_gradient_by_lbfgs():
    rng = np.random.RandomState(0)
    X = rng.standard_normal((100, 3))
    y = np.sin(X[:, 0]) + 0.3 * X[:, 1] * X[:, 2]
    ends = []
    for tol in (1e-4, 1e-6, 1e-8):
        model = MLPRegressor(
            hidden_layer_sizes=(4,), activation="tanh", solver="lbfgs", tol=tol, alpha=1.0
        )
        model.set_params(max_iter=10**5, max_fun=10**6, random_state=0).fit(X, y)
        ends.append(model.history_["grad_norm"][-1])

    assert ends[2] < 1e-2 * ends[0]
