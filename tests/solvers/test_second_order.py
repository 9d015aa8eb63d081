"""Levenberg-Marquardt, Newton-CG and Newton's trust region: laws, rates, hard cases."""

import numpy as np
import pytest
import scipy.optimize

from fastmlp import STOP, Network
from fastmlp.solvers import (
    LevenbergMarquardt,
    Newton,
    NewtonCG,
    Status,
    least_squares_objective,
    minimize,
)
from fastmlp.solvers._least_squares import DenseGram
from fastmlp.solvers._levenberg import MOST_DUAL

EPS = np.finfo(np.float64).eps
SECOND_ORDER = {
    "lm": LevenbergMarquardt(),
    "lm plain": LevenbergMarquardt(acceleration=False),
    "lm marquardt": LevenbergMarquardt(scaling="marquardt"),
    "newton trust-region": Newton(modification="trust-region"),
    "newton-cg": NewtonCG(),
    "newton-cg exact": NewtonCG(curvature="hessian"),
}
every = pytest.mark.parametrize("solver", SECOND_ORDER.values(), ids=SECOND_ORDER)


def smooth_problem(n=200, dtype=np.float64, layers=(3, 6, 1), loss="squared_error", seed=0, **more):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, layers[0])).astype(dtype)
    signal = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, -1]
    powers = 1 + np.arange(layers[-1])
    y = {
        "squared_error": lambda: signal[:, None] ** powers + 0.05 * rng.normal(size=(n, 1)),
        "log_loss": lambda: (signal + 0.3 * rng.normal(size=n) > 0).astype(int),
        "poisson": lambda: rng.poisson(np.exp(signal)),
    }[loss]()
    net = Network(layers, activation="tanh", loss=loss, dtype=dtype)
    return net.objective(X, y, **more), net.init(random_state=seed)


@every
@pytest.mark.parametrize("loss", ["squared_error", "log_loss", "poisson"])
def test_loss_never_rises_and_the_gradient_vanishes(solver, loss):
    objective, theta0 = smooth_problem(loss=loss, alpha=0.5)
    result = minimize(objective, theta0, solver=solver, max_iter=300, tol=1e-7)
    losses = np.array([objective.value(theta0), *result.history["loss"]])
    assert np.all(np.diff(losses) <= 16 * EPS * losses[:-1])
    # Without the residuals' own curvature the last digits of the gradient take linear convergence.
    exact = isinstance(solver, Newton) or getattr(solver, "curvature", "") == "hessian"
    assert result.status is Status.CONVERGED or not exact
    assert np.abs(objective.value_grad(result.theta)[1]).max() <= (1e-7 if exact else 2e-5)
    assert result.loss == pytest.approx(objective.value(result.theta), rel=1e-12)
    sizes = set(map(len, result.history.values()))
    assert sizes == {result.n_iter}
    bound = "damping" if isinstance(solver, LevenbergMarquardt) else "radius"
    assert list(result.history) == ["loss", "grad_norm", bound, "gain", "seconds"]
    assert all(gain > 0 for gain in result.history["gain"])


@every
def test_one_step_solves_a_linear_gaussian_problem(solver):
    rng = np.random.default_rng(0)
    X, y, alpha = rng.normal(size=(50, 4)), rng.normal(size=50), 0.7
    net = Network([4, 1])
    if isinstance(solver, LevenbergMarquardt):
        solver = LevenbergMarquardt(damping=1e-12, scaling=solver.scaling)
    else:
        solver = type(solver)(**{**solver.get_params(), "radius": 1e3})
    result = minimize(
        net.objective(X, y, alpha=alpha), np.zeros(5), solver=solver, max_iter=1, tol=0
    )
    design = np.column_stack([X, np.ones(50)])
    ridge = np.linalg.solve(design.T @ design + alpha * np.diag([1, 1, 1, 1, 0]), design.T @ y)
    tolerance = 1e-1 if isinstance(solver, NewtonCG) else 1e-9  # its first step is a rough one
    assert np.abs(result.theta - ridge).max() < tolerance


@pytest.mark.parametrize(
    "solver",
    [Newton(), Newton(modification="trust-region")],
    ids=["line search", "trust region"],
)
def test_newton_converges_quadratically(solver):
    objective, theta0 = smooth_problem(layers=(3, 2, 1), alpha=0.2)
    near = minimize(objective, theta0, solver=solver, max_iter=400, tol=1e-3).theta
    best = minimize(objective, near, solver=solver, max_iter=400, tol=1e-14).theta
    assert np.linalg.eigvalsh(objective.hessian(best))[0] > 1e-5  # a regular minimum
    rng = np.random.default_rng(0)
    errors, theta = [], best + 5e-4 * rng.normal(size=best.size)
    errors.append(np.linalg.norm(theta - best))
    for _ in range(3):
        theta = minimize(objective, theta, solver=solver, max_iter=1, tol=0).theta
        errors.append(np.linalg.norm(theta - best))
    constant = errors[1] / errors[0] ** 2
    assert errors[1] < 0.3 * errors[0]
    for before, after in zip(errors[1:], errors[2:], strict=False):
        assert after <= 10 * constant * before**2 + 1e-11


def test_levenberg_marquardt_converges_quadratically_without_residuals():
    net = Network([2, 3, 1], activation="tanh")
    rng = np.random.default_rng(1)
    X = rng.normal(size=(100, 2))
    truth = net.init(random_state=3)
    objective = net.objective(X, net.predict(truth, X))
    start = truth + 0.02 * rng.normal(size=truth.size)
    result = minimize(
        objective, start, solver=LevenbergMarquardt(damping=1e-9), max_iter=20, tol=1e-15
    )
    losses = np.array(result.history["loss"])
    assert result.loss < 1e-26
    # the residual is the error of the step before, squared: its order is two
    orders = np.diff(np.log(losses[losses > 1e-24]))
    assert orders[-1] < 1.6 * orders[0]


def degenerate(kind):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    net = Network([3, 5, 1], activation="relu" if kind == "dead units" else "tanh")
    theta0 = net.init(random_state=0)
    if kind == "dead units":
        net.unpack(theta0)[1][0][:3] = -1e3
    elif kind == "duplicated features":
        X[:, 2] = X[:, 1]
    elif kind == "constant features":
        X[:] = 0
    elif kind == "more parameters than rows":
        X, y = X[:6], y[:6]
    elif kind == "equal units":
        theta0[:] = 0.1
    return net.objective(X, y), theta0


@every
@pytest.mark.parametrize(
    "kind",
    [
        "dead units",
        "duplicated features",
        "constant features",
        "more parameters than rows",
        "equal units",
    ],
)
def test_rank_deficient_jacobian(solver, kind):
    objective, theta0 = degenerate(kind)
    result = minimize(objective, theta0, solver=solver, max_iter=60, tol=1e-8)
    assert np.isfinite(result.theta).all()
    assert np.isfinite(result.loss) and result.loss < objective.value(theta0)
    if kind == "more parameters than rows":
        assert result.loss < 1e-8
    if kind == "constant features":
        assert result.loss == pytest.approx(0.5 * np.var(objective.term.data.y), rel=1e-6)


def test_zero_gradient_at_the_start_is_convergence():
    net = Network([2, 3, 1], activation="tanh")
    X = np.random.default_rng(0).normal(size=(10, 2))
    objective = net.objective(X, np.zeros(10))
    for solver in SECOND_ORDER.values():
        result = minimize(objective, np.zeros(net.n_params), solver=solver)
        assert (result.status, result.n_iter, result.loss) == (Status.CONVERGED, 0, 0.0)


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_dual_and_primal_take_the_same_path(alpha):
    objective, theta0 = smooth_problem(n=14, layers=(3, 8, 2), alpha=alpha)
    assert objective.n_residuals < MOST_DUAL * objective.n_params

    class Primal:
        value, value_grad, ggn = objective.value, objective.value_grad, objective.ggn
        bend = objective.bend

    paths = [
        minimize(one, theta0, solver="lm", max_iter=6, tol=0).theta for one in (objective, Primal())
    ]
    assert np.abs(paths[0] - theta0).max() > 0.1
    assert np.abs(paths[0] - paths[1]).max() < 1e-6


@every
def test_float32_network(solver):
    objective, theta0 = smooth_problem(dtype=np.float32, alpha=0.5)
    wide, theta64 = smooth_problem(alpha=0.5)
    result = minimize(objective, theta0, solver=solver, max_iter=300, tol=1e-5)
    assert result.theta.dtype == np.float32
    best = minimize(wide, theta64, solver=solver, max_iter=300, tol=1e-9)
    assert result.loss == pytest.approx(best.loss, rel=1e-3)


def test_acceleration_saves_iterations():
    iterations = {}
    for acceleration in (False, True):
        solver = LevenbergMarquardt(acceleration=acceleration)
        counts = []
        for seed in range(5):
            rng = np.random.default_rng(seed)
            X = rng.uniform(-1, 1, size=(200, 1))
            net = Network([1, 8, 1], activation="tanh")
            result = minimize(
                net.objective(X, np.sin(6 * X[:, 0])),
                net.init(random_state=seed),
                solver=solver,
                max_iter=300,
                tol=0,
                callback=lambda iteration, record: STOP if record["loss"] < 1e-8 else None,
            )
            counts.append(result.n_iter)
        iterations[acceleration] = np.median(counts)
    assert iterations[True] < 0.8 * iterations[False]


def test_weight_two_is_a_row_twice():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), rng.normal(size=40)
    w = rng.integers(0, 3, size=40).astype(float)
    net = Network([2, 4, 1], activation="tanh")
    rows = np.repeat(np.arange(40), w.astype(int))
    runs = [
        minimize(objective, net.init(random_state=0), solver="lm", max_iter=5, tol=0).theta
        for objective in (net.objective(X, y, sample_weight=w), net.objective(X[rows], y[rows]))
    ]
    assert np.abs(runs[0] - runs[1]).max() < 1e-8


def flat_problem(rng):
    net = Network([2, 3, 1], "tanh", loss="absolute_error")
    objective = net.objective(rng.normal(size=(40, 2)), rng.normal(size=40))
    return objective, net.init(random_state=0)


@pytest.mark.parametrize("name", ["lm", "lm plain", "lm marquardt", "newton-cg"])
def test_flat_losses_are_refused_by_name(name, rng):
    with pytest.raises(ValueError, match="'absolute_error' has no curvature"):
        minimize(*flat_problem(rng), solver=SECOND_ORDER[name])


@pytest.mark.parametrize("name", ["newton trust-region", "newton-cg exact"])
def test_flat_losses_have_a_hessian(name, rng):
    """The loss has no curvature, the network has: the exact solvers descend by it."""
    objective, theta0 = flat_problem(rng)
    assert np.abs(objective.hessian(theta0)).max() > 0.1
    result = minimize(objective, theta0, solver=SECOND_ORDER[name], max_iter=20)
    assert result.loss < 0.8 * objective.value(theta0)
    assert np.all(np.diff(result.history["loss"]) < 0)


class TestLeastSquares:
    t = np.linspace(0, 2, 30)

    def residuals(self, theta, t):
        return theta[0] * np.exp(-theta[1] * t) + theta[2] - (2 * np.exp(-1.5 * t) + 0.3)

    def jacobian(self, theta, t):
        e = np.exp(-theta[1] * t)
        return np.column_stack([e, -theta[0] * t * e, np.ones_like(t)])

    @pytest.mark.parametrize("solver", ["lm", "newton-cg", "lbfgs"])
    def test_a_scipy_residual_function(self, solver):
        objective = least_squares_objective(self.residuals, self.jacobian, args=(self.t,))
        result = minimize(objective, [1.0, 1.0, 0.0], solver=solver, max_iter=2000, tol=1e-9)
        scipys = scipy.optimize.least_squares(
            self.residuals, [1.0, 1.0, 0.0], self.jacobian, args=(self.t,), method="lm"
        )
        assert result.status.converged
        assert np.allclose(result.theta, scipys.x, atol=1e-2 if solver == "lbfgs" else 1e-5)

    @pytest.mark.parametrize("acceleration", [True, False])
    def test_fewer_residuals_than_parameters(self, acceleration, monkeypatch):
        """Solved in the space of the residuals, on the same path as in that of the parameters."""
        factorised = []
        kernel = DenseGram.kernel
        monkeypatch.setattr(
            DenseGram, "kernel", lambda self, damping: factorised.append(1) or kernel(self, damping)
        )
        problem = (
            lambda x: np.array([x[0] * x[1] - 2, x[2] * x[3] - 3]),
            lambda x: np.array([[x[1], x[0], 0.0, 0.0], [0.0, 0.0, x[3], x[2]]]),
        )
        start = np.array([1.0, 0.5, 1.0, 2.0])
        solver = LevenbergMarquardt(scaling="identity", acceleration=acceleration)
        run = {"solver": solver, "tol": 1e-12, "max_iter": 30}
        dual = minimize(least_squares_objective(*problem), start, **run)
        assert dual.loss < 1e-20
        assert len(factorised) >= dual.n_iter > 3
        factorised.clear()
        padded = (  # residuals that are always zero make them as many as parameters
            lambda x: np.r_[problem[0](x), 0.0, 0.0],
            lambda x: np.r_[problem[1](x), np.zeros((2, 4))],
        )
        primal = minimize(least_squares_objective(*padded), start, **run)
        assert not factorised
        np.testing.assert_allclose(primal.theta, dual.theta, rtol=1e-9)
        np.testing.assert_allclose(primal.history["loss"][:2], dual.history["loss"][:2], rtol=1e-9)

    @pytest.mark.parametrize(
        ("fun", "jac", "message"),
        [
            (lambda x: np.ones((2, 2)), None, r"fun must return shape \(m,\), got \(2, 2\)"),
            (lambda x: np.ones(2), lambda x: np.ones(3), r"jac must return shape \(2, 3\)"),
        ],
    )
    def test_wrong_shapes(self, fun, jac, message):
        with pytest.raises(ValueError, match=message):
            minimize(least_squares_objective(fun, jac), np.ones(3), solver="lm")


def test_powell_singular_function():
    # singular at its minimum: damping has to keep the steps finite all the way
    def residuals(x):
        return np.array(
            [
                x[0] + 10 * x[1],
                np.sqrt(5) * (x[2] - x[3]),
                (x[1] - 2 * x[2]) ** 2,
                np.sqrt(10) * (x[0] - x[3]) ** 2,
            ]
        )

    def jacobian(x):
        a, b = 2 * (x[1] - 2 * x[2]), 2 * np.sqrt(10) * (x[0] - x[3])
        return np.array(
            [
                [1, 10, 0, 0],
                [0, 0, np.sqrt(5), -np.sqrt(5)],
                [0, a, -2 * a, 0],
                [b, 0, 0, -b],
            ]
        )

    objective = least_squares_objective(residuals, jacobian)
    for scaling in ("identity", "marquardt"):
        solver = LevenbergMarquardt(scaling=scaling)
        result = minimize(objective, [3.0, -1, 0, 1], solver=solver, max_iter=100, tol=1e-12)
        assert result.loss < 1e-12


@pytest.mark.parametrize(
    "solver",
    [
        NewtonCG(batch_size=1000),
        NewtonCG(curvature_size=500),
        NewtonCG(batch_size=2000, curvature_size=500),
    ],
)
def test_newton_cg_on_samples(solver):
    objective, theta0 = smooth_problem(n=4000, alpha=0.1)
    runs = [
        minimize(objective, theta0, solver=solver, max_iter=30, tol=1e-6, random_state=seed)
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(runs[0].theta, runs[1].theta)
    assert not np.array_equal(runs[0].theta, runs[2].theta)
    for run in runs:
        assert objective.value(run.theta) < 0.03 * objective.value(theta0)


class TestHistoryAndStops:
    @every
    def test_validation_restores_the_best(self, solver):
        objective, theta0 = smooth_problem(n=30, layers=(3, 12, 1))
        held_out, _ = smooth_problem(n=200, seed=5)
        twin = Network([3, 12, 1], activation="tanh")
        held_out = twin.objective(held_out.term.data.X, held_out.term.data.y)

        def validate(theta):
            loss = held_out.value(theta)
            return -loss, loss

        result = minimize(
            objective, theta0, solver=solver, max_iter=60, tol=1e-6, validation=validate
        )
        scores = result.history["validation_score"]
        assert validate(result.theta)[0] == max(scores)

    @every
    def test_interruption_keeps_the_last_accepted_point(self, solver):
        objective, theta0 = smooth_problem()
        seen = []

        def stop(iteration, record):
            seen.append(record["loss"])
            if iteration == 3:
                raise KeyboardInterrupt

        result = minimize(objective, theta0, solver=solver, tol=0, callback=stop)
        assert result.status is Status.INTERRUPTED
        assert objective.value(result.theta) == pytest.approx(seen[-1], rel=1e-12)

    @every
    def test_max_time(self, solver):
        objective, theta0 = smooth_problem()
        result = minimize(objective, theta0, solver=solver, tol=0, max_time=0.0)
        assert result.status is Status.MAX_TIME
        assert result.n_iter <= 1

    @every
    def test_not_finite_at_the_start(self, solver):
        class Nowhere:
            def value_grad(self, theta):
                return np.nan, theta

            def ggn(self, theta):
                return np.eye(2)

            def ggn_mul(self, theta, v):
                return v

            hessian, hess_mul = ggn, ggn_mul

        with pytest.raises(ValueError, match="not finite at theta0"):
            minimize(Nowhere(), np.ones(2), solver=solver)


class TestLeastDecrease:
    @pytest.mark.parametrize("evidence", [False, True])
    def test_a_run_ends_where_little_is_left(self, evidence):
        spared = []
        for seed in range(6):
            objective, theta0 = smooth_problem(n=200, layers=(3, 10, 1), seed=seed)
            y = objective.term.data.y
            y += 0.3 * np.random.default_rng(seed).normal(size=y.shape)
            whole, short = (
                minimize(
                    objective,
                    theta0,
                    solver=LevenbergMarquardt(evidence=evidence, least_decrease=least),
                    max_iter=100,
                    tol=1e-9,
                )
                for least in (0.0, 1e-3)
            )
            assert short.status is Status.TOO_SLOW and short.status.converged
            assert "least_decrease" in short.message
            losses = short.history["loss"]
            assert short.n_iter > 5
            assert abs(losses[-6] - losses[-1]) <= 5e-3 * losses[-1]
            assert short.loss < 1.25 * whole.loss
            spared.append(1 - short.n_iter / whole.n_iter)
        assert np.median(spared) > 0.2

    def test_without_it_and_with_a_bad_one(self):
        objective, theta0 = smooth_problem()
        one, two = (
            minimize(objective, theta0, solver=LevenbergMarquardt(least_decrease=least), max_iter=9)
            for least in (0, 1e-30)
        )
        assert np.array_equal(one.theta, two.theta)
        for bad, error in ((-1e-3, ValueError), (np.nan, ValueError), ("a", TypeError)):
            with pytest.raises(error, match="least_decrease must be"):
                minimize(objective, theta0, solver=LevenbergMarquardt(least_decrease=bad))
