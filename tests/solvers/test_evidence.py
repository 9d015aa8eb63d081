"""MacKay's evidence within Levenberg-Marquardt: recovery of known strengths by simulation."""

import numpy as np
import pytest

from fastmlp import Network
from fastmlp.solvers import LevenbergMarquardt, minimize

SOLVER = LevenbergMarquardt(evidence=True)


def linear_problem(seed, n=400, n_features=60, noise=0.5, weight_decay=4.0):
    """y = X w + noise, with weights drawn from the prior that the evidence assumes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_features))
    w = rng.normal(size=n_features) / np.sqrt(weight_decay)
    return X, X @ w + 0.7 + noise * rng.normal(size=n)


def fit(X, y, **more):
    net = Network([X.shape[1], 1])
    objective = net.objective(X, y, **more)
    return objective, minimize(
        objective, np.zeros(net.n_params) + 1e-3, solver=SOLVER, max_iter=100, tol=1e-10
    )


def test_recovers_noise_and_weight_decay():
    noises, decays = [], []
    for seed in range(8):
        _, result = fit(*linear_problem(seed))
        noises.append(result.state.noise)
        decays.append(result.state.weight_decay)
    # standard errors of a standard deviation from 340 residuals, of a precision from 60 weights
    assert np.abs(np.array(noises) - 0.5).max() < 4 * 0.5 / np.sqrt(2 * 340)
    assert abs(np.mean(decays) - 4.0) < 4 * 4.0 * np.sqrt(2 / 60) / np.sqrt(8)


def test_fixed_point_is_mackays():
    X, y = linear_problem(0, n=80, noise=2.0)
    objective, result = fit(X, y)
    state = result.state
    w, b = result.theta[:-1], result.theta[-1]
    beta = 1 / state.noise**2
    design = np.column_stack([X, np.ones(len(X))])
    A = beta * design.T @ design
    A[:-1, :-1] += state.weight_decay * np.eye(60)
    inverse = np.linalg.inv(A)
    effective = 61 - state.weight_decay * np.trace(inverse[:-1, :-1])
    assert state.effective_params == pytest.approx(effective, rel=1e-4)
    assert 5 < effective < 60
    residuals = X @ w + b - y
    assert state.weight_decay == pytest.approx((effective - 1) / (w @ w), rel=1e-3)
    assert state.noise**2 == pytest.approx(residuals @ residuals / (80 - effective), rel=1e-3)
    assert state.l2 == pytest.approx(state.weight_decay / beta / 80, rel=1e-12)
    posterior_mean = np.linalg.solve(A, beta * design.T @ y)
    assert np.abs(result.theta - posterior_mean).max() < 1e-5


def test_log_evidence_is_the_marginal_likelihood():
    X, y = linear_problem(3, n=40, n_features=5)
    _, result = fit(X, y)
    state = result.state
    # the bias integrated over a flat prior: project it out
    centred = np.eye(40) - 1 / 40
    basis = np.linalg.eigh(centred)[1][:, 1:]
    covariance = state.noise**2 * np.eye(40) + X @ X.T / state.weight_decay
    C, r = basis.T @ covariance @ basis, basis.T @ y
    exact = -0.5 * (r @ np.linalg.solve(C, r) + np.linalg.slogdet(C)[1] + 39 * np.log(2 * np.pi))
    # integrating b over the line: the density of the mean of n draws is sqrt(n) that of b
    exact -= 0.5 * np.log(40)
    assert state.log_evidence + 0.5 * np.log(2 * np.pi) == pytest.approx(exact, rel=1e-6)


def test_history_and_a_network():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(120, 1))
    y = np.sin(3 * X[:, 0]) + 0.1 * rng.normal(size=120)
    net = Network([1, 20, 1], activation="tanh")
    objective = net.objective(X, y)
    result = minimize(objective, net.init(random_state=0), solver=SOLVER, max_iter=150, tol=1e-6)
    assert result.state.noise == pytest.approx(0.1, rel=0.2)
    assert 4 < result.state.effective_params < 40 < net.n_params
    for key in ("weight_decay", "noise", "effective_params", "log_evidence"):
        assert len(result.history[key]) == result.n_iter
        assert result.history[key][-1] == getattr(result.state, key)
    grid = np.linspace(-0.95, 0.95, 50)[:, None]
    assert np.abs(net.predict(result.theta, grid)[:, 0] - np.sin(3 * grid[:, 0])).max() < 0.12


def test_idle_units_change_nothing():
    """More hidden units than the data need: the same noise, evidence and number of parameters."""
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, size=(120, 1))
    y = np.sin(3 * X[:, 0]) + 0.1 * rng.normal(size=120)
    states = []
    for width in (4, 20):
        net = Network([1, width, 1], activation="tanh")
        objective = net.objective(X, y)
        runs = [
            minimize(objective, net.init(random_state=seed), solver=SOLVER, max_iter=300, tol=1e-7)
            for seed in range(4)
        ]
        states.append(max((run.state for run in runs), key=lambda state: state.log_evidence))
    few, many = states
    assert 5 < few.effective_params < 13
    assert many.effective_params == pytest.approx(few.effective_params, abs=0.2)
    assert many.noise == pytest.approx(few.noise, rel=0.01)
    assert many.log_evidence == pytest.approx(few.log_evidence, abs=0.2)
    # the standard error of a standard deviation from about 110 degrees of freedom
    assert abs(few.noise - 0.1) < 3 * 0.1 / np.sqrt(2 * 110)


def test_own_l2_term_is_replaced():
    """The strength given is a first guess: the end does not depend on it."""
    X, y = linear_problem(0, n=80, noise=2.0)
    (_, one), (_, other) = fit(X, y), fit(X, y, alpha=30.0)
    assert other.state.l2 == pytest.approx(one.state.l2, rel=1e-3)
    assert np.abs(other.theta - one.theta).max() < 1e-4


def test_classification_estimates_the_weight_decay_alone():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = (X[:, 0] + rng.logistic(size=300) > 0).astype(int)
    net = Network([4, 5, 1], activation="tanh", loss="log_loss")
    objective = net.objective(X, y, alpha=1.0)
    result = minimize(objective, net.init(random_state=0), solver=SOLVER, max_iter=100)
    assert result.state.noise == 1.0
    assert result.state.weight_decay > 0.1
    assert 1 < result.state.effective_params < net.n_params


def test_goes_on_from_a_state():
    X, y = linear_problem(0)
    objective, first = fit(X, y)
    again = minimize(objective, first.theta, solver=SOLVER, state=first.state, max_iter=3)
    assert again.state.weight_decay == pytest.approx(first.state.weight_decay, rel=1e-3)


def test_refusals():
    class Bare:
        def value_grad(self, theta):
            return float(theta @ theta), 2 * theta

        def ggn(self, theta):
            return 2 * np.eye(theta.size)

    with pytest.raises(TypeError, match="needs an objective that has prior, with_penalty"):
        minimize(Bare(), [1.0], solver=SOLVER)
    with pytest.raises(ValueError, match="without evidence keeps no state"):
        minimize(Bare(), [1.0], solver="lm", state=object())
