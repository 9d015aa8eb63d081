"""Levenberg-Marquardt with G from some of the rows: unbiased, reproducible, near the same fit."""

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import pytest
from drawn_problems import CURVED, of_a_kind
from fastmlp._core.kernels import LOSSES
from scipy import sparse

from fastmlp import MLPRegressor, Network
from fastmlp.objective import Objective
from fastmlp.solvers import LevenbergMarquardt, least_squares_objective, minimize
from fastmlp.solvers._levenberg import MOST_DUAL
from fastmlp.terms import Total


class Drawing:
    """A source of random numbers that draws what it is told."""

    def __init__(self, positions):
        self.positions = positions

    def choice(self, rows, size, replace):
        assert len(self.positions) == size and not replace
        return rows[list(self.positions)]


def mean_over_all_draws(objective, theta, n, size, want):
    draws = list(combinations(range(n), size))
    found = [objective.sample(size, Drawing(draw)) for draw in draws]
    return sum(want(part, theta) for part in found) / len(draws)


def problem(n=3000, layers=(3, 8, 1), seed=0, noise=0.1, **more):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, layers[0]))
    y = np.sin(X @ rng.normal(size=(layers[0], layers[-1])))
    y += noise * rng.normal(size=y.shape)
    net = Network(list(layers), activation="tanh")
    return net.objective(X, y, **more), net.init(random_state=seed)


def close(found, expected):
    assert np.abs(expected).max() > 0
    return np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()


@pytest.mark.parametrize("loss", CURVED)
def test_the_mean_over_all_draws_is_the_matrix_of_all_rows(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 3))
    y = of_a_kind(LOSSES[loss]["targets"], X[:, 0], rng)
    net = Network([3, 4, 1], activation="tanh", loss=loss)
    w = np.array([1.0, 2.0, 0.5, 3.0, 0.0, 1.0])
    objective = net.objective(X, y, sample_weight=w, alpha=0.3)
    theta = net.init(random_state=0)
    loss, grad, G = objective.value_grad_ggn(theta)
    for want, expected in (
        (lambda part, theta: part.value_grad_ggn(theta)[2], G),
        (lambda part, theta: part.ggn(theta), G),
        (lambda part, theta: part.value_grad(theta)[1], grad),
        (lambda part, theta: part.value(theta), loss),
    ):
        # the row of weight 0 is none to draw from
        assert close(mean_over_all_draws(objective, theta, 5, 2, want), expected)


@pytest.mark.parametrize("kind", ["sparse", "outputs", "parts", "float32"])
def test_so_it_is_of_other_kinds_of_data(kind):
    rng = np.random.default_rng(0)
    X = np.where(rng.uniform(size=(6, 5)) < 0.4, rng.normal(size=(6, 5)), 0)
    y = rng.normal(size=(6, 2 if kind == "outputs" else 1))
    dtype = np.float32 if kind == "float32" else np.float64
    net = Network([5, 3, y.shape[1]], activation="tanh", dtype=dtype)
    w = np.array([1.0, 2.0, 0.5, 3.0, 2.0, 1.0])
    objective = net.objective(sparse.csr_array(X) if kind == "sparse" else X, y, w)
    if kind == "parts":
        objective = Objective(
            Total([net.objective(X[k::2], y[k::2], w[k::2]).term for k in range(2)])
        )
    theta = net.init(random_state=0)
    mean = mean_over_all_draws(objective, theta, 6, 2, lambda part, theta: part.ggn(theta))
    assert close(mean, objective.ggn(theta))


@pytest.mark.parametrize("evidence", [False, True, "ard"])
def test_near_the_same_loss_on_drawn_problems(evidence):
    """Some end in another minimum, as by any other path: the median does not."""
    losses, effective, noise = [], [], []
    for seed in range(10):
        layers = [(3, 8, 1), (2, 6, 2)][seed % 2]
        objective, theta0 = problem(n=1500, layers=layers, seed=seed)
        whole, part = (
            minimize(
                objective,
                theta0,
                solver=LevenbergMarquardt(evidence=evidence, curvature_rows=rows),
                max_iter=30,
                random_state=seed,
            )
            for rows in (None, 400)
        )
        losses.append(objective.value(part.theta) / objective.value(whole.theta))
        if evidence:
            effective.append(part.state.effective_params / whole.state.effective_params)
            noise.append(part.state.noise / whole.state.noise)
    assert np.median(losses) < 1.03
    if evidence:
        assert np.median(effective) == pytest.approx(1, abs=0.15)
        assert np.median(noise) == pytest.approx(1, abs=0.02)


def test_reproducible_by_random_state():
    objective, theta0 = problem()
    solver = LevenbergMarquardt(curvature_rows=400)
    one, again, other = (
        minimize(objective, theta0, solver=solver, max_iter=5, random_state=seed)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one.theta, again.theta)
    assert not np.array_equal(one.theta, other.theta)


@pytest.mark.parametrize("rows", [300, 10_000, "auto"])
@pytest.mark.parametrize("evidence", [False, True])
def test_all_rows_are_the_same_path_bit_for_bit(rows, evidence):
    objective, theta0 = problem(n=300)
    whole, sampled = (
        minimize(
            objective,
            theta0,
            solver=LevenbergMarquardt(evidence=evidence, curvature_rows=given),
            max_iter=15,
            random_state=0,
        )
        for given in (None, rows)
    )
    assert whole.n_iter == 15 or whole.status.converged
    assert np.array_equal(whole.theta, sampled.theta)
    assert whole.history["loss"] == sampled.history["loss"]


@pytest.mark.parametrize("evidence", [False, True])
def test_a_sample_of_fewer_residuals_than_parameters(evidence):
    """The system of the residuals is solved, that of the sample."""
    objective, theta0 = problem(n=500, noise=0.3)
    assert 20 < MOST_DUAL * theta0.size
    solver = LevenbergMarquardt(evidence=evidence, curvature_rows=20)
    run = minimize(objective, theta0, solver=solver, max_iter=150, random_state=0)
    best = minimize(objective, theta0, solver="lm", max_iter=150)
    assert objective.value(run.theta) < 1.3 * objective.value(best.theta)


def test_auto_takes_five_residuals_per_parameter():
    asked = []
    for layers in ((3, 8, 1), (3, 4, 2)):
        objective, theta0 = problem(layers=layers)
        sample = objective.sample
        objective.sample = lambda size, rng, sample=sample: asked.append(size) or sample(size, rng)
        minimize(
            objective, theta0, solver=LevenbergMarquardt(curvature_rows="auto"), max_iter=2,
            random_state=0,
        )  # fmt: skip
        assert asked[-1] == -(-5 * theta0.size // layers[-1])
    assert len(asked) >= 4


def test_by_the_estimator_with_weights():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 2))
    y = np.sin(X[:, 0])
    y[::2] = 5  # of weight 0
    w = np.ones(1000)
    w[::2] = 0
    solver = LevenbergMarquardt(curvature_rows=150)
    models = [
        MLPRegressor(
            hidden_layer_sizes=(6,), activation="tanh", solver=solver, random_state=0, max_iter=40
        ).fit(X, y, sample_weight=w)
        for _ in range(2)
    ]
    assert np.array_equal(models[0].theta_, models[1].theta_)
    assert np.abs(models[0].predict(X) - np.sin(X[:, 0]))[np.abs(X).max(1) < 2].max() < 0.05


class TestErrors:
    @pytest.mark.parametrize(
        ("rows", "error", "words"),
        [
            (0, ValueError, "curvature_rows must be at least 1"),
            (2.5, TypeError, "curvature_rows must be an integer"),
            ("all", ValueError, "curvature_rows must be None, 'auto' or an integer, got 'all'"),
        ],
    )
    def test_no_number_of_rows(self, rows, error, words):
        objective, theta0 = problem(n=50)
        with pytest.raises(error, match=words):
            minimize(objective, theta0, solver=LevenbergMarquardt(curvature_rows=rows))

    def test_an_objective_without_rows(self):
        with pytest.raises(TypeError, match="curvature_rows needs an objective that has sample"):
            minimize(
                least_squares_objective(lambda t: t), [1.0], solver=LevenbergMarquardt(
                    curvature_rows=1
                ),
            )  # fmt: skip

    def test_a_term_that_gives_no_samples(self):
        objective, theta0 = problem(n=50)

        class Mine:
            def __init__(self, term):
                for name in ("n_params", "n_samples", "n_residuals", "weight", "dtype"):
                    setattr(self, name, getattr(term, name))
                self.segments, self.sums = term.segments, term.sums

        for term in (Mine(objective.term), Total([Mine(objective.term)])):
            with pytest.raises(TypeError, match=r"has subset\(positions\)"):
                minimize(Objective(term), theta0, solver=LevenbergMarquardt(curvature_rows=45))


def test_side_by_side_as_one_after_another():
    """Folds in threads share X and draw from their own random states."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    y = np.sin(X[:, 0]) + 0.2 * rng.normal(size=400)
    net = Network([4, 8, 1], activation="tanh")
    solver = LevenbergMarquardt(evidence=True, curvature_rows=250)

    def fit(fold):
        objective = net.objective(
            X, y, rows=np.flatnonzero(np.arange(400) % 3 != fold), n_threads=1
        )
        return minimize(objective, net.init(fold), solver=solver, max_iter=10, random_state=fold)

    with ThreadPoolExecutor(3) as pool:
        together = [run.theta for run in pool.map(fit, range(3))]
    assert np.array_equal(together, [fit(fold).theta for fold in range(3)])
