"""The diagonal of a Gauss-Newton matrix of many raw outputs: an estimate, and how good it is."""

import numpy as np
import pytest

from fastmlp import Network, _sweeps
from fastmlp._core import curvature as _curvature
from fastmlp.solvers import NewtonCG, minimize

N = 200
WIDE = {
    "softmax": ("log_loss", "softmax", 40),
    "softmax squared": ("squared_error", "softmax", 40),
    "logistic": ("squared_error", "logistic", 40),
}


class Coupled:
    """A loss of the user's whose curvature couples neighbours."""

    def value_grad(self, raw, y):
        near = raw + 0.5 * np.roll(raw, 1, axis=1)
        return 0.5 * (near**2).sum(axis=1), near + 0.5 * np.roll(near, -1, axis=1)

    def hess(self, raw, y):
        k = raw.shape[1]
        A = np.eye(k) + 0.5 * np.roll(np.eye(k), -1, axis=1)
        return np.tile(A @ A.T, (len(raw), 1, 1))


def problem(loss, output, n_raw):
    rng = np.random.default_rng(0)
    options = {} if output is None else {"output_activation": output}
    net = Network([4, 5, n_raw], activation="tanh", loss=loss, **options)
    X, w = rng.normal(size=(N, 4)), rng.uniform(0.1, 1, N)
    w[7] = 0
    hot = np.eye(n_raw)[rng.integers(n_raw, size=N)]
    theta = 2 * net.init(random_state=1)
    return net.objective(X, hot, sample_weight=w, alpha=1.0), theta


cases = pytest.mark.parametrize(
    "case", [*WIDE.values(), (Coupled(), None, 40)], ids=[*WIDE, "custom"]
)


@cases
def test_the_estimate_is_unbiased(case):
    objective, theta = problem(*case)
    exact = np.diag(objective.ggn(theta))
    found = objective.ggn_diagonal(theta)
    assert np.array_equal(found, objective.ggn_diagonal(theta))
    assert np.corrcoef(found, exact)[0, 1] > 0.95
    sweep, second = objective.term._wide, objective.term._second(_curvature.GGN, theta)
    draws = np.array([sweep.diagonal(theta, second, seed) for seed in range(1, 101)])
    draws = draws / objective.weight_sum + objective.penalty.diagonal
    error = np.abs(draws.mean(axis=0) - exact)
    deviation = draws.std(axis=0)
    assert deviation.max() > 1e-3 * exact.max()  # it is an estimate
    assert (error <= 5 * deviation / 10 + 1e-12 * exact.max()).all()


@cases
def test_few_outputs_are_exact(case):
    objective, theta = problem(*case[:2], _sweeps.MOST_EXACT)
    exact = np.diag(objective.ggn(theta))
    np.testing.assert_allclose(objective.ggn_diagonal(theta), exact, rtol=1e-10)


def test_the_number_of_backward_sweeps_is_bounded(monkeypatch):
    made = []
    residuals = _sweeps._gauss_newton.Residuals

    def counted(tape, signs=None):
        made.append(tape.layers.n_raw if signs is None else signs.shape[1])
        return residuals(tape, signs)

    monkeypatch.setattr(_sweeps._gauss_newton, "Residuals", counted)
    for n_raw in (3, 32, 33, 300):
        objective, theta = problem("log_loss", "softmax", n_raw)
        objective.ggn_diagonal(theta)
    assert made == [3, 32, _sweeps.DRAWS, _sweeps.DRAWS]


def test_newton_cg_ends_at_the_same_loss(monkeypatch):
    losses = []
    for most in (_sweeps.MOST_EXACT, 10**6):
        monkeypatch.setattr(_sweeps, "MOST_EXACT", most)
        objective, theta = problem("log_loss", "softmax", 40)
        result = minimize(objective, theta, solver=NewtonCG(), max_iter=60, tol=1e-7)
        losses.append(result.loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
