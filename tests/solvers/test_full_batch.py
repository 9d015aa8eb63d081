"""The full-batch solvers on problems with known minima, and the laws they keep."""

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize

from fastmlp.solvers import LBFGS, GradientDescent, Newton, Status, minimize
from fastmlp.solvers._full_batch import Point
from fastmlp.solvers._newton import (
    positive_definite_factor,
    saddle_free_direction,
    shifted_direction,
)
from fastmlp.solvers._search import Armijo

EPS = np.finfo(np.float64).eps


class Quadratic:
    """1/2 (theta - centre)' A (theta - centre); A may be singular."""

    lowest = 0.0

    def __init__(self, eigenvalues, seed=0):
        rng = np.random.RandomState(seed)
        n = len(eigenvalues)
        basis, _ = np.linalg.qr(rng.normal(size=(n, n)))
        self.A = (basis * eigenvalues) @ basis.T
        self.centre = rng.normal(size=n)
        self.theta0 = self.centre + rng.normal(size=n)

    def value_grad(self, theta):
        grad = self.A @ (theta - self.centre)
        return 0.5 * float((theta - self.centre) @ grad), grad

    def hessian(self, theta):
        return self.A.copy()


class Rosenbrock:
    theta0 = np.array([-1.2, 1.0])
    lowest = 0.0

    def value_grad(self, theta):
        return scipy.optimize.rosen(theta), scipy.optimize.rosen_der(theta)

    def hessian(self, theta):
        return scipy.optimize.rosen_hess(theta)


class Saddle:
    """x^2 - y^2 + y^4: a saddle at 0, minima at y^2 = 1/2."""

    theta0 = np.array([1.0, 1e-3])
    lowest = -0.25

    def value_grad(self, theta):
        x, y = theta
        return x**2 - y**2 + y**4, np.array([2 * x, -2 * y + 4 * y**3])

    def hessian(self, theta):
        return np.diag([2.0, -2.0 + 12 * theta[1] ** 2])


class LogCosh:
    """Convex; a full Newton step from beyond |theta - centre| = 1.09 overshoots for ever."""

    centre = np.array([1.0, -2.0, 0.5])
    theta0 = centre + [3.0, -4.0, 0.5]
    lowest = 0.0

    def value_grad(self, theta):
        u = theta - self.centre
        return float(np.sum(np.logaddexp(u, -u) - np.log(2.0))), np.tanh(u)

    def hessian(self, theta):
        return np.diag(1 - np.tanh(theta - self.centre) ** 2)


class Barrier:
    """sum(theta - log theta): NaN beyond zero, and a Newton step from 5 lands there."""

    theta0 = np.array([5.0, 3.0])
    lowest = 2.0

    def __init__(self):
        self.n_refused = 0

    def value_grad(self, theta):
        if np.any(theta <= 0):
            self.n_refused += 1
            return np.nan, np.full(theta.shape, np.nan)
        return float(np.sum(theta - np.log(theta))), 1 - 1 / theta

    def hessian(self, theta):
        return np.diag(1 / theta**2)


class Logistic:
    """L2-regularised logistic regression, labels +1/-1."""

    def __init__(self):
        rng = np.random.RandomState(3)
        X = rng.normal(size=(60, 4))
        y = np.where(X[:, 0] - X[:, 1] + rng.normal(size=60) > 0, 1.0, -1.0)
        self.yX = y[:, None] * X
        self.theta0 = np.zeros(4)

    def value_grad(self, theta):
        margin = self.yX @ theta
        p = 1 / (1 + np.exp(margin))
        loss = np.logaddexp(0, -margin).mean() + 0.005 * theta @ theta
        return float(loss), -(p @ self.yX) / len(p) + 0.01 * theta

    def hessian(self, theta):
        p = 1 / (1 + np.exp(self.yX @ theta))
        return (self.yX.T * (p * (1 - p))) @ self.yX / len(p) + 0.01 * np.eye(4)


PROBLEMS = {
    "quadratic": lambda: Quadratic([1.0, 2.0, 3.0, 4.0, 5.0]),
    "ill-conditioned": lambda: Quadratic(np.logspace(0, 8, 6)),
    "rank-deficient": lambda: Quadratic([0.0, 0.0, 0.0, 1.0, 2.0, 9.0]),
    "rosenbrock": Rosenbrock,
    "saddle": Saddle,
    "log-cosh": LogCosh,
    "barrier": Barrier,
}
SOLVERS = {
    "gd-armijo": GradientDescent(learning_rate=20.0, line_search="armijo"),
    "lbfgs": LBFGS(),
    "newton": Newton(),
    "newton-shift": Newton(modification="shift"),
    "newton-half": Newton(step_size=0.5),
}


@pytest.mark.parametrize("problem_name", PROBLEMS)
@pytest.mark.parametrize("solver_name", SOLVERS)
def test_every_solver_on_every_problem(solver_name, problem_name):
    problem = PROBLEMS[problem_name]()
    result = minimize(problem, problem.theta0, solver=SOLVERS[solver_name], max_iter=3000, tol=1e-7)
    losses = np.array([problem.value_grad(problem.theta0)[0], *result.history["loss"]])

    # Never up, but by rounding; and the history tells the truth about the end.
    assert np.all(np.diff(losses) <= 16 * EPS * np.abs(losses[:-1]))
    assert losses[-1] < losses[0]
    assert result.loss == losses[-1] == problem.value_grad(result.theta)[0]
    assert result.n_iter == len(losses) - 1

    if (solver_name, problem_name) in {
        ("gd-armijo", "ill-conditioned"),  # takes about 1e8 iterations
        ("gd-armijo", "rosenbrock"),
    }:
        assert result.status is Status.MAX_ITER
        assert result.loss < 1e-2 * losses[0]
    else:
        assert result.status.converged
        assert result.loss - problem.lowest <= 1e-8
        if solver_name != "lbfgs":  # SciPy's ftol stops it earlier
            assert result.status is Status.CONVERGED
            assert np.max(np.abs(problem.value_grad(result.theta)[1])) <= 1e-7
    if problem_name == "barrier":
        assert problem.n_refused > 0 or solver_name == "newton-half"


def test_fixed_rate_is_the_textbook_rule():
    problem = Quadratic([0.5, 1.0, 3.0])
    result = minimize(
        problem, problem.theta0, solver=GradientDescent(learning_rate=0.25), max_iter=7, tol=0.0
    )
    shrink = np.linalg.matrix_power(np.eye(3) - 0.25 * problem.A, 7)
    expected = problem.centre + shrink @ (problem.theta0 - problem.centre)
    np.testing.assert_allclose(result.theta, expected, rtol=1e-13)
    assert result.history["step_size"] == [0.25] * 7


def test_fixed_rate_may_rise():
    # On the eigenvalue 9 the rate 0.3 gives the factor 1 - 2.7: the loss grows by 1.7^2.
    problem = Quadratic([9.0])
    result = minimize(
        problem, problem.theta0, solver=GradientDescent(learning_rate=0.3), max_iter=5
    )
    losses = np.array(result.history["loss"])
    np.testing.assert_allclose(losses[1:] / losses[:-1], 1.7**2, rtol=1e-10)
    assert result.status is Status.MAX_ITER


@pytest.mark.parametrize("modification", ["saddle-free", "shift"])
@pytest.mark.parametrize("line_search", [None, "armijo"])
def test_one_newton_step_solves_a_quadratic(line_search, modification):
    problem = Quadratic(np.logspace(-2, 3, 8))
    solver = Newton(line_search=line_search, modification=modification)
    result = minimize(problem, problem.theta0, solver=solver, tol=1e-9)
    assert (result.n_iter, result.status) == (1, Status.CONVERGED)
    # Condition number 1e5.
    np.testing.assert_allclose(result.theta, problem.centre, rtol=0, atol=1e5 * 50 * EPS)


def newton_errors(problem):
    """Distances of Newton's iterates from the last one, without those that are only rounding."""
    path = []

    def remember(theta):
        path.append(theta)
        return 0.0, 0.0

    result = minimize(
        problem, problem.theta0, solver="newton", tol=1e-12, validation=remember,
        n_iter_no_change=np.inf,
    )  # fmt: skip
    assert result.status is Status.CONVERGED
    errors = np.array([np.linalg.norm(theta - path[-1]) for theta in path])
    return errors[errors > 1e-13]


# The constant at a regular minimum is 1/2 |H^-1| times the third derivative. A method that
# converges linearly, by a factor r, needs r / error instead: r * 1e6 in the last iteration.
@pytest.mark.parametrize(("problem", "constant"), [(Logistic(), 1.0), (Rosenbrock(), 50.0)])
def test_newton_squares_the_error(problem, constant):
    errors = newton_errors(problem)
    last = errors[-4:]
    assert last[-1] < 1e-6 < last[-2]
    assert np.all(last[1:] <= constant * last[:-1] ** 2)


def test_newton_leaves_the_saddle_that_a_plain_inverse_runs_to():
    problem = Saddle()
    plain = problem.theta0 - np.linalg.solve(
        problem.hessian(problem.theta0), problem.value_grad(problem.theta0)[1]
    )
    assert np.max(np.abs(plain)) < 1e-8  # the saddle, in one step
    result = minimize(problem, problem.theta0, solver="newton", tol=1e-8)
    np.testing.assert_allclose(np.abs(result.theta), [0, np.sqrt(0.5)], atol=1e-8)


def test_newton_goes_on_along_a_flat_direction():
    # The gradient is below tol at the start, but the minimum is 1/2 lower: the decrement sees it.
    problem = Quadratic([1e-8, 1.0])
    direction = np.linalg.eigh(problem.A)[1][:, 0]
    start = problem.centre + 1e4 * direction
    assert np.max(np.abs(problem.value_grad(start)[1])) < 1e-3
    result = minimize(problem, start, solver="newton", tol=1e-3)
    assert result.n_iter == 1
    assert result.loss < 1e-6


def random_symmetric(eigenvalues, seed):
    basis, _ = np.linalg.qr(np.random.RandomState(seed).normal(size=2 * [len(eigenvalues)]))
    return (basis * eigenvalues) @ basis.T


@pytest.mark.parametrize("seed", range(5))
def test_saddle_free_direction_is_the_absolute_inverse(seed):
    eigenvalues = np.array([-3.0, -0.1, 0.2, 1.0, 7.0])
    hess = random_symmetric(eigenvalues, seed)
    absolute = random_symmetric(np.abs(eigenvalues), seed)
    grad = np.random.RandomState(seed + 100).normal(size=5)
    np.testing.assert_allclose(
        saddle_free_direction(hess, grad), -np.linalg.solve(absolute, grad), rtol=1e-11
    )


@pytest.mark.parametrize("seed", range(5))
def test_shift_reflects_the_lowest_eigenvalue(seed):
    hess = random_symmetric(np.array([-3.0, -0.1, 0.2, 1.0, 7.0]), seed)
    grad = np.random.RandomState(seed + 100).normal(size=5)
    np.testing.assert_allclose(
        shifted_direction(hess, grad), -np.linalg.solve(hess + 6.0 * np.eye(5), grad), rtol=1e-6
    )


@pytest.mark.parametrize("direction", [saddle_free_direction, shifted_direction])
def test_no_curvature_leaves_the_gradient(direction):
    grad = np.array([1.0, -2.0])
    np.testing.assert_array_equal(direction(np.zeros((2, 2)), grad), -grad)


@pytest.mark.parametrize("seed", range(20))
def test_singular_hessian_gives_the_pseudo_inverse(seed):
    # Rounding lets LAPACK factorise some of these; the answer would be noise in the null space.
    rng = np.random.RandomState(seed)
    B = rng.normal(size=(8, 5))
    hess = B @ B.T
    assert positive_definite_factor(hess) is None
    grad = hess @ rng.normal(size=8)
    expected = -np.linalg.pinv(hess, rcond=1e-10) @ grad
    for direction in (saddle_free_direction(hess, grad), shifted_direction(hess, grad)):
        np.testing.assert_allclose(direction, expected, rtol=0, atol=1e-5)


def test_singular_hessian_that_lapack_factorises():
    hess = np.array([[1.0, 1.0], [1.0, 1.0 + EPS]])
    scipy.linalg.cho_factor(hess, lower=True)
    assert positive_definite_factor(hess) is None


def test_definite_but_ill_conditioned_is_factorised():
    assert positive_definite_factor(random_symmetric(np.logspace(-10, 0, 6), 0)) is not None


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("modification", ["saddle-free", "shift"])
def test_non_finite_hessian_ends_the_run(modification, bad):
    problem = Quadratic([1.0, 2.0])
    problem.hessian = lambda theta: np.array([[1.0, 0.0], [bad, 1.0]])
    result = minimize(problem, problem.theta0, solver=Newton(modification=modification))
    assert result.status is Status.DIVERGED
    np.testing.assert_array_equal(result.theta, problem.theta0)


def judge(trial_loss, trial_grad, size=1.0):
    """Armijo's verdict on a step of -grad from a point with loss 1 and gradient 0.001."""
    grad = np.array([1e-3])
    search = Armijo(size, grow=False)
    point = Point(np.zeros(1), 1.0, grad)
    accepted = search.judge(point, -grad, Point(-grad, trial_loss, np.array([trial_grad])))
    return accepted, search.step_size


def test_armijo_wants_a_share_of_the_slope():
    promised = 1e-6 * 2.0**-11
    assert judge(1 - 1.01 * promised, 2e-3) == (True, 1.0)
    assert judge(1 - 0.99 * promised, 2e-3)[0] is False


def test_armijo_within_rounding_asks_the_gradient():
    assert judge(1.0, 0.9e-3)[0] is True
    assert judge(1.0, 1.1e-3)[0] is False
    assert judge(1.0 + 15 * EPS, 0.9e-3)[0] is True
    assert judge(1.0 + 18 * EPS, 0.9e-3)[0] is False


def test_armijo_shrinks_by_interpolation():
    # loss(t) = 1 - 1e-6 t + c t^2 has its minimum at 1e-6 / (2 c).
    for c, shrink in [(2e-6, 0.25), (1.25e-6, 0.4), (1.01e-6, 1 / 2.02), (1e-3, 0.1)]:
        accepted, size = judge(1 - 1e-6 + c, 1.0)
        assert not accepted
        assert size == pytest.approx(shrink, rel=1e-6)
    assert judge(np.nan, 1.0) == (False, 0.1)


def test_armijo_grows_for_gradient_descent():
    problem = Quadratic([1e-3, 1e-3])
    solver = GradientDescent(learning_rate=1.0, line_search="armijo")
    result = minimize(problem, problem.theta0, solver=solver, max_iter=6, tol=0.0)
    assert result.history["step_size"] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]


@pytest.mark.parametrize("max_iter", [1, 2, 5, 20])
def test_lbfgs_is_scipys(max_iter):
    calls = []

    def fun(theta):
        calls.append(theta)
        return scipy.optimize.rosen(theta), scipy.optimize.rosen_der(theta)

    start = np.array([-1.2, 1.0, 0.3, 2.0])
    expected = scipy.optimize.minimize(
        fun, start, method="L-BFGS-B", jac=True,
        options={"maxfun": 15000, "maxiter": max_iter, "gtol": 1e-4},
    )  # fmt: skip
    n_calls = len(calls)
    problem = Rosenbrock()
    problem.value_grad = fun
    result = minimize(problem, start, solver="lbfgs", max_iter=max_iter)
    np.testing.assert_array_equal(result.theta, expected.x)
    assert (result.loss, result.n_iter) == (expected.fun, expected.nit)
    assert len(calls) == 2 * n_calls


def test_lbfgs_goes_back_to_a_quarter_of_a_step_to_nan():
    asked = []

    class Fence:
        def value_grad(self, theta):
            asked.append(theta[0])
            return (50 * theta[0] ** 2 if theta[0] > 0 else np.nan), 100 * theta

    # SciPy's first step has length 1.
    minimize(Fence(), [0.5], solver="lbfgs", max_iter=1)
    np.testing.assert_allclose(asked, [0.5, -0.5, 0.25], rtol=1e-12)


def test_lbfgs_survives_nan_everywhere_but_at_the_start():
    class Cliff:
        def value_grad(self, theta):
            loss = 1.0 if np.all(theta == 1.0) else np.nan
            return loss, np.ones(2)

    result = minimize(Cliff(), np.ones(2), solver="lbfgs")
    assert result.status is Status.NO_PROGRESS
    np.testing.assert_array_equal(result.theta, [1.0, 1.0])
