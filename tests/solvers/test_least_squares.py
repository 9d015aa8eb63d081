"""``minimize`` on a user's own problem: differences, bounds, standard errors, plain functions."""

import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import Bounds, least_squares

from fastmlp import Network
from fastmlp.solvers import (
    LBFGS,
    Adam,
    LevenbergMarquardt,
    NewtonCG,
    least_squares_objective,
    minimize,
)
from fastmlp.solvers._box import bounds_as_arrays
from fastmlp.solvers._differences import Differences


def rosenbrock(t):
    return np.array([10 * (t[1] - t[0] ** 2), 1 - t[0]])


def powell_singular(t):
    return np.array(
        [
            t[0] + 10 * t[1],
            np.sqrt(5) * (t[2] - t[3]),
            (t[1] - 2 * t[2]) ** 2,
            np.sqrt(10) * (t[0] - t[3]) ** 2,
        ]
    )


def helical_valley(t):
    turn = np.arctan2(t[1], t[0]) / (2 * np.pi)
    return np.array([10 * (t[2] - 10 * turn), 10 * (np.hypot(t[0], t[1]) - 1), t[2]])


def beale(t):
    return np.array([1.5, 2.25, 2.625]) - t[0] * (1 - t[1] ** np.arange(1, 4))


def brown_badly_scaled(t):
    return np.array([t[0] - 1e6, t[1] - 2e-6, t[0] * t[1] - 2])


def box_3d(t):
    s = 0.1 * np.arange(1, 11)
    return np.exp(-s * t[0]) - np.exp(-s * t[1]) - t[2] * (np.exp(-s) - np.exp(-10 * s))


def kowalik_osborne(t):
    y = [0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
    u = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
    return np.array(y) - t[0] * (u**2 + u * t[1]) / (u**2 + u * t[2] + t[3])


def wood(t):
    return np.array(
        [
            10 * (t[1] - t[0] ** 2),
            1 - t[0],
            np.sqrt(90) * (t[3] - t[2] ** 2),
            1 - t[2],
            np.sqrt(10) * (t[1] + t[3] - 2),
            (t[1] - t[3]) / np.sqrt(10),
        ]
    )


# More, Garbow and Hillstrom, ACM Trans. Math. Software 7, 17 (1981): start, and a box that cuts
# the way to the minimum off.
PROBLEMS = {
    "rosenbrock": (rosenbrock, [-1.2, 1.0], ([-3, -2], [0.5, 3])),
    "powell": (powell_singular, [3.0, -1, 0, 1], ([0.5, -2, -2, -2], [4, 4, 4, 1.5])),
    "helical": (helical_valley, [0.8, 0.5, 0.0], ([0.1, 0.2, -1], [0.9, 2, 1])),
    "beale": (beale, [1.0, 0.8], ([0.5, 0.6], [2.5, 2])),
    "brown": (brown_badly_scaled, [1.0, 1.0], ([0, 3e-6], [2e6, 10])),
    "box": (box_3d, [0.0, 10.0, 20.0], ([0, 5, 0], [2, 9.5, 30])),
    "kowalik": (kowalik_osborne, [0.25, 0.39, 0.415, 0.39], ([0, -1, 0.13, 0.12], [0.28, 1, 1, 1])),
    "wood": (wood, [-3.0, -1.0, -3.0, -1.0], ([-10, -10, -10, -10], [0, 10, 0, 10])),
}


@pytest.mark.parametrize("jac", [None, "2-point", "3-point", "cs"])
@pytest.mark.parametrize("name", [name for name in PROBLEMS if name not in ("helical", "box")])
def test_problems_without_bounds(name, jac):
    fun, start, _ = PROBLEMS[name]
    result = minimize(
        least_squares_objective(fun, jac), start, solver="lm", tol=1e-10, max_iter=500
    )
    expected = least_squares(fun, start, jac="3-point", method="lm", xtol=1e-15, ftol=1e-15)
    # a singular minimum of zero: there is always a share of the loss left to gain
    assert result.status.converged or result.loss < 1e-25
    assert result.loss == pytest.approx(expected.cost, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("name", PROBLEMS)
def test_active_bounds(name):
    fun, start, bounds = PROBLEMS[name]
    lower, upper = np.array(bounds, dtype=float)
    start = np.clip(start, lower, upper)
    asked = []

    def watched(theta):
        asked.append(theta.copy())
        return fun(theta)

    objective = least_squares_objective(watched, "3-point")
    result = minimize(objective, start, solver="lm", tol=1e-9, max_iter=500, bounds=bounds)
    peer = least_squares(
        fun, start, "3-point", (lower, upper), "trf", xtol=1e-15, ftol=1e-15, gtol=1e-12,
        x_scale="jac", max_nfev=5000,
    )  # fmt: skip
    assert ((result.theta == lower) | (result.theta == upper)).any()
    assert result.loss <= peer.cost * (1 + 1e-7) + 1e-12
    assert result.status.converged
    other = minimize(objective, start, solver="lbfgs", tol=1e-9, max_iter=5000, bounds=bounds)
    assert ((other.theta >= lower) & (other.theta <= upper)).all()
    assert other.loss >= result.loss * (1 - 1e-6) - 1e-9
    assert len(asked) > 20 and all((lower <= t).all() and (t <= upper).all() for t in asked)


def test_drawn_boxes():
    """Linear problems: the minimum in a box is unique, and SciPy's bvls knows it."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        n = rng.integers(1, 9)
        A = rng.normal(size=(n + rng.integers(0, 9), n)) * 10.0 ** rng.uniform(-4, 4, size=n)
        b = rng.normal(size=len(A))
        centre = np.linalg.lstsq(A, b, rcond=None)[0]
        size = np.abs(centre) + 1e-3
        lower = centre + size * rng.uniform(-1, 0.5, size=n)
        upper = lower + size * rng.uniform(0.1, 2, size=n)
        lower[rng.uniform(size=n) < 0.2], upper[rng.uniform(size=n) < 0.2] = -np.inf, np.inf
        fixed = rng.uniform(size=n) < 0.1
        start = np.clip(centre + size * rng.normal(size=n), lower, upper)
        lower[fixed] = upper[fixed] = start[fixed]
        objective = least_squares_objective(lambda t, A=A, b=b: A @ t - b, lambda t, A=A: A)
        result = minimize(
            objective, start, solver="lm", tol=1e-12, max_iter=300, bounds=(lower, upper)
        )
        free = ~fixed
        expected = 0.5 * np.sum((A @ start - b) ** 2)
        if free.any():
            rest = b - A[:, fixed] @ start[fixed]
            expected = scipy.optimize.lsq_linear(
                A[:, free], rest, (lower[free], upper[free]), "bvls", tol=1e-14
            ).cost
        assert result.loss == pytest.approx(expected, rel=1e-7, abs=1e-12), seed
        assert ((result.theta >= lower) & (result.theta <= upper)).all()


def test_a_function_that_does_not_exist_outside():
    x = np.linspace(0.1, 2, 30)
    y = np.sqrt(0.0 + x) + 0.3

    def fun(t):
        if (t < 0).any():
            raise AssertionError("asked outside")
        return np.sqrt(t[0] + x) + np.sqrt(t[1]) - y

    for jac in ("2-point", "3-point"):
        result = minimize(
            least_squares_objective(fun, jac),
            [1.0, 1.0],
            solver="lm",
            tol=1e-10,
            bounds=(0, np.inf),
        )
        np.testing.assert_allclose(result.theta, [0, 0.09], atol=1e-5)


@pytest.mark.parametrize("bounds", [
    (0.0, [1.0, np.inf]), ([0, 0], [1, np.inf]), Bounds([0, 0], [1, np.inf]),
    [(0, 1), (0, None)], np.array([[0, 1], [0, np.inf]]), Bounds(0, [1, np.inf]),
])  # fmt: skip
def test_forms_of_bounds(bounds):
    lower, upper = bounds_as_arrays(bounds, 2)
    assert lower.tolist() == [0, 0] and upper.tolist() == [1, np.inf]


def test_wrong_bounds():
    objective = least_squares_objective(rosenbrock)
    for bounds in [
        3,
        "ab",
        (0, 1, 2),
        [(0, 1)],
        ([0, 0, 0], 1),
        (None, 1, 2),
        (1j, 2),
        [(0,), (1,)],
    ]:
        with pytest.raises((ValueError, TypeError), match="bounds must be a pair"):
            minimize(objective, [0.5, 0.5], solver="lm", bounds=bounds)
    with pytest.raises(ValueError, match="bounds of parameter 1 leave no room: from 2.0 to 1.0"):
        minimize(objective, [0.5, 0.5], solver="lm", bounds=([0, 2], [1, 1]))
    with pytest.raises(ValueError, match="leave no room"):
        minimize(objective, [0.5, 0.5], solver="lm", bounds=(0, np.nan))
    with pytest.raises(ValueError, match=r"theta0\[0\] is 0.5, its bounds are 1.0 and 2.0"):
        minimize(objective, [0.5, 1.5], solver="lm", bounds=(1, 2))
    net = Network([2, 1])
    data = net.objective(np.eye(2), np.ones(2))
    for solver in ("gd", "newton", "newton-cg", "adam", Adam()):
        with pytest.raises(ValueError, match="takes no bounds; lbfgs and lm do"):
            minimize(data, np.zeros(3), solver=solver, bounds=(-1, 1))
        minimize(data, np.zeros(3), solver=solver, bounds=(-np.inf, np.inf), max_iter=1)
    with pytest.raises(ValueError, match="takes no bounds"):
        minimize(data, np.zeros(3), solver=LevenbergMarquardt(evidence=True), bounds=(-1, 1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("solver", ["lm", "lbfgs"])
def test_a_network_with_weights_of_one_sign(solver, dtype, rng):
    net = Network([3, 4, 1], "tanh", dtype=dtype)
    X = rng.normal(size=(60, 3))
    objective = net.objective(X, X @ [1.0, -1.0, 0.5], alpha=1e-3)
    theta0 = np.clip(net.init(random_state=0), 0, 0.75)
    result = minimize(objective, theta0, solver=solver, max_iter=100, bounds=(0, 0.75))
    assert (result.theta >= 0).all() and (result.theta <= np.float32(0.75)).all()
    assert (result.theta == 0).any()
    assert result.loss < 0.9 * objective.value(theta0)
    assert result.theta.dtype == dtype and result.cov is None and result.std_err is None


@pytest.mark.parametrize(
    ("method", "accuracy"), [("2-point", 1e-6), ("3-point", 1e-9), ("cs", 1e-14)]
)
def test_differences(method, accuracy, rng):
    """Parameters of sizes from 1e-9 to 1e9 and at zero, against the derivatives."""
    scale = 10.0 ** np.arange(-9, 10, 3)

    def fun(t):
        return np.concatenate([np.exp(t / scale), np.sin(t / scale) * (1 + (t / scale)[0])])

    for unit in (rng.uniform(0.5, 1, size=7), -rng.uniform(0.5, 1, size=7)):
        theta = scale * unit
        jacobian = np.zeros((14, 7))
        jacobian[range(7), range(7)] = np.exp(unit) / scale
        jacobian[range(7, 14), range(7)] = np.cos(unit) * (1 + unit[0]) / scale
        jacobian[7:, 0] += np.sin(unit) / scale[0]
        found = Differences(fun, method)(theta, fun(theta))
        np.testing.assert_allclose(found * scale, jacobian * scale, rtol=accuracy, atol=accuracy)
        lower, upper = (
            np.where(np.arange(7) % 2, theta, -np.inf),
            np.where(np.arange(7) % 3, theta, np.inf),
        )
        at_bounds = Differences(fun, method, None, lower, upper)(theta, fun(theta))
        fixed = (lower == upper) & (method != "cs")
        assert not at_bounds[:, fixed].any()
        np.testing.assert_allclose(
            (at_bounds * scale)[:, ~fixed], (jacobian * scale)[:, ~fixed], rtol=30 * accuracy,
            atol=30 * accuracy,
        )  # fmt: skip
    zero = Differences(np.sin, method)(np.zeros(2), np.zeros(2))
    np.testing.assert_allclose(zero, np.eye(2), atol=1e-8)


def test_a_larger_step_for_a_noisy_function():
    def noisy(t):
        return np.round(np.exp(t) * 1e5) / 1e5

    theta = np.array([1.0])
    found = Differences(noisy, "2-point", 1e-2)(theta, noisy(theta))[0, 0]
    assert found == pytest.approx(np.e, rel=1e-2)
    assert Differences(noisy, "2-point")(theta, noisy(theta))[0, 0] != pytest.approx(np.e, rel=0.5)
    result = minimize(
        least_squares_objective(lambda t: noisy(t) - 2, diff_step=1e-2),
        [0.0],
        solver="lm",
        tol=1e-6,
    )
    assert result.theta[0] == pytest.approx(np.log(2), abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"fun": 3}, TypeError, "fun must be a function theta -> residuals, got 3"),
        ({"jac": 3}, TypeError, "jac must be a function, a name or None, got 3"),
        ({"jac": "2 point"}, ValueError, "jac must be .*'2 point'; did you mean '2-point'"),
        ({"diff_step": 0}, ValueError, "diff_step must be positive"),
        ({"fun": lambda t: t + 1j}, TypeError, "fun returns must be real; it is complex"),
        ({"fun": lambda t: np.abs(t), "jac": "cs"}, TypeError, "returns complex numbers"),
        ({"fun": lambda t: ["a"]}, TypeError, "real numbers"),
        ({"fun": lambda t: []}, ValueError, r"shape \(m,\), got \(0,\)"),
        ({"fun": lambda t: np.ones(2 + (t[0] != 0.5))}, ValueError, "for another theta"),
        ({"jac": lambda t: np.eye(2) * 1j}, TypeError, "jac returns must be real"),
    ],
)  # fmt: skip
def test_wrong_residuals(arguments, error, words):
    with pytest.raises(error, match=words):
        minimize(
            least_squares_objective(**{"fun": rosenbrock, **arguments}), [0.5, 0.5], solver="lm"
        )


def test_standard_errors():
    """Those of a linear regression, by its formula; nearly singular, singular, too few rows."""
    rng = np.random.default_rng(0)
    B, units = rng.normal(size=(40, 3)), np.array([1.0, 1e-6, 1e9])
    A = B * units
    b = rng.normal(size=40)
    for solver in ("lm", NewtonCG(), LBFGS()):
        result = minimize(
            least_squares_objective(lambda t: A @ t - b), np.zeros(3), solver=solver, tol=1e-10
        )
        inverse = np.linalg.inv(B.T @ B) / np.outer(units, units)
        if solver == "lm":
            residuals = b - A @ (np.linalg.lstsq(B, b)[0] / units)
            expected = inverse * (residuals @ residuals) / 37
            np.testing.assert_allclose(result.cov, expected, rtol=1e-5)
            np.testing.assert_allclose(result.std_err, np.sqrt(np.diag(expected)), rtol=1e-5)
        assert result.cov.shape == (3, 3)
    twice = np.c_[A[:, 0], A[:, 0]]
    result = minimize(
        least_squares_objective(lambda t: twice @ t - b, lambda t: twice), np.zeros(2), solver="lm"
    )
    expected = np.linalg.pinv(twice.T @ twice, rcond=1e-10) * 2 * result.loss / 38
    np.testing.assert_allclose(result.cov, expected, rtol=1e-6)
    result = minimize(least_squares_objective(rosenbrock), [1.0, 1.0], solver="lm")
    assert np.isinf(result.cov).all() and np.isinf(result.std_err).all()


class TestPlainFunction:
    @staticmethod
    def bowl(theta):
        return 0.5 * theta @ theta, theta

    @pytest.mark.parametrize("solver", ["gd", "lbfgs"])
    def test_is_an_objective(self, solver):
        result = minimize(self.bowl, [1.0, -2.0], solver=solver, tol=1e-6)
        np.testing.assert_allclose(result.theta, 0, atol=1e-5)
        assert result.cov is None

    @pytest.mark.parametrize(
        ("solver", "words"),
        [
            ("lm", r"LevenbergMarquardt needs residuals: least_squares_objective\(residuals\)"),
            ("newton", r"Newton needs an object with value_grad\(theta\) and hessian\(theta\)"),
            ("newton-cg", r"NewtonCG needs residuals: .*ggn_mul\(theta, v\)"),
            (NewtonCG(curvature="hessian"), r"hess_mul\(theta, v\)"),
            ("adam", "Adam needs an objective of samples, as Network.objective makes it"),
        ],
    )  # fmt: skip
    def test_solvers_say_what_they_need(self, solver, words):
        with pytest.raises(TypeError, match=words + ".*It will do for .*'lbfgs'"):
            minimize(self.bowl, [1.0, -2.0], solver=solver)

    def test_without_gradient(self):
        with pytest.raises(TypeError, match=r"must return \(loss, gradient\), a pair"):
            minimize(lambda theta: theta @ theta, [1.0, 2.0])


def test_marquardt_scaling_belongs_to_residuals(rng):
    """A parameter's unit makes no difference to residuals; networks keep to the identity."""
    t = np.linspace(0, 1, 30)
    y = 3 * np.exp(-2 * t)
    losses = []
    for unit in (1.0, 1e-9, 1e6):
        objective = least_squares_objective(
            lambda p, unit=unit: p[0] * np.exp(-p[1] / unit * t) - y, "3-point"
        )
        result = minimize(objective, [1.0, 0.5 * unit], solver="lm", tol=1e-12)
        np.testing.assert_allclose(result.theta, [3, 2 * unit], rtol=1e-6)
        losses.append(result.history["loss"][:4])
    np.testing.assert_allclose(losses[1:], [losses[0]] * 2, rtol=1e-4)
    net = Network([2, 3, 1], "tanh")
    X = rng.normal(size=(30, 2))
    data, theta0 = net.objective(X, X[:, 0]), net.init(random_state=0)
    runs = [
        minimize(data, theta0, solver=LevenbergMarquardt(scaling=scaling), max_iter=10).history[
            "loss"
        ]
        for scaling in ("auto", "identity", "marquardt")
    ]
    assert runs[0] == runs[1] != runs[2]
