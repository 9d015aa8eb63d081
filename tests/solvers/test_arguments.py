"""What ``minimize`` and the solver objects make of their arguments, good and bad."""

import numpy as np
import pytest

from fastmlp import Network, _memory
from fastmlp.solvers import (
    LBFGS,
    SGD,
    SOLVERS,
    Adam,
    AdamW,
    GradientDescent,
    LevenbergMarquardt,
    Limits,
    Newton,
    Result,
    Status,
    minimize,
)
from fastmlp.solvers._base import Solver, StartError

FULL_BATCH = {
    "gd": GradientDescent(learning_rate=0.05),
    "gd-armijo": GradientDescent(line_search="armijo"),
    "lbfgs": LBFGS(),
    "newton": Newton(),
}
START = np.array([3.0, -2.0, 1.5])


class Valley:
    """sum(theta^4 / 4 + theta^2)."""

    n_params = 3

    def value_grad(self, theta):
        return np.sum(theta**4 / 4 + theta**2), theta**3 + 2 * theta

    def hessian(self, theta):
        return np.diag(3 * theta**2 + 2)


@pytest.fixture(params=FULL_BATCH)
def solver(request):
    return FULL_BATCH[request.param]


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        lambda a: a.astype(">f8"),
        lambda a: a.astype(np.float16),
        lambda a: np.stack([a, a], axis=1)[:, 0],
    ],
)
def test_theta0_of_every_kind(make, solver):
    theta0 = make(START)
    if isinstance(theta0, np.ndarray):
        theta0.flags.writeable = False
    expected = minimize(Valley(), START, solver=solver, max_iter=3).theta
    np.testing.assert_array_equal(
        minimize(Valley(), theta0, solver=solver, max_iter=3).theta, expected
    )


@pytest.mark.parametrize("dtype", [int, np.uint8, bool])
def test_integers_start_as_float64(dtype):
    result = minimize(Valley(), np.array([1, 0, 1], dtype=dtype), solver="newton", max_iter=1)
    expected = minimize(Valley(), np.array([1.0, 0.0, 1.0]), solver="newton", max_iter=1)
    assert result.theta.dtype == np.float64
    np.testing.assert_array_equal(result.theta, expected.theta)


def test_theta0_is_not_modified(solver):
    theta0 = START.copy()
    result = minimize(Valley(), theta0, solver=solver, max_iter=3)
    np.testing.assert_array_equal(theta0, START)
    assert not np.shares_memory(result.theta, theta0)
    unmoved = minimize(Valley(), theta0, solver=solver, tol=1e9)
    assert unmoved.n_iter == 0
    assert not np.shares_memory(unmoved.theta, theta0)


class Rootless:
    """NaN where a root has a negative argument."""

    def value_grad(self, theta):
        with np.errstate(invalid="ignore"):
            return float(np.sum(np.sqrt(theta))), 0.5 / np.sqrt(theta)

    def hessian(self, theta):
        raise AssertionError("not asked before the start is known to be finite")


def test_start_that_is_not_finite(solver):
    with np.errstate(invalid="ignore"):
        with pytest.raises(ValueError, match="not finite at theta0: loss = nan, 1 of 2"):
            minimize(Rootless(), [1.0, -1.0], solver=solver)


class NoHessian:
    def value_grad(self, theta):
        return float(theta @ theta), 2 * theta


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"solver": "newtn"}, ValueError, "Unknown solver 'newtn'; did you mean 'newton'"),
        ({"solver": Newton}, TypeError, r"write Newton\(\) instead of Newton"),
        ({"solver": None}, TypeError, "solver must be one of"),
        ({"solver": GradientDescent(learning_rate=0)}, ValueError, "learning_rate must be pos"),
        ({"solver": GradientDescent(learning_rate="fast")}, TypeError, "learning_rate must be a"),
        ({"solver": GradientDescent(line_search="wolfe")}, ValueError, "must be None or 'armijo'"),
        ({"solver": Newton(step_size=np.inf)}, ValueError, "step_size must be positive"),
        ({"solver": Newton(modification="none")}, ValueError, "shift.*got 'none'"),
        ({"theta0": np.zeros((3, 1))}, ValueError, r"\(n_params,\), got \(3, 1\)"),
        ({"theta0": []}, ValueError, r"\(n_params,\), got \(0,\)"),
        ({"theta0": np.zeros(4)}, ValueError, "theta0 has 4 entries; the objective has 3"),
        ({"theta0": [0.0, np.nan, 1.0]}, ValueError, "theta0 is not finite at index 1: nan"),
        ({"theta0": ["a", "b", "c"]}, TypeError, "theta0 must hold real numbers"),
        ({"theta0": [1j, 0, 0]}, TypeError, "theta0 must hold real numbers"),
        ({"max_iter": 0}, ValueError, "max_iter must be at least 1"),
        ({"max_iter": 2.5}, TypeError, "max_iter must be an integer"),
        ({"max_iter": True}, TypeError, "max_iter must be an integer"),
        ({"max_fun": 0}, ValueError, "max_fun must be at least 1"),
        ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change must be at least 1"),
        ({"tol": -1e-4}, ValueError, "tol must be at least 0"),
        ({"tol": np.nan}, ValueError, "tol must be at least 0"),
        ({"tol": "small"}, TypeError, "tol must be a real number"),
        ({"max_time": -1}, ValueError, "max_time must be at least 0"),
        ({"callback": 3}, TypeError, "callback must be callable"),
        ({"validation": (1, 2)}, TypeError, "validation must be callable"),
        ({"random_state": "seed"}, TypeError, "random_state must be"),
        ({"state": object()}, ValueError, "LBFGS keeps no state"),
        ({"objective": NoHessian(), "solver": "newton"}, TypeError, "hessian; NoHessian.*lbfgs"),
        ({"objective": NoHessian(), "solver": "adam"}, TypeError, "has epoch; NoHessian"),
        ({"objective": object()}, TypeError, "value_grad; .* No solver can"),
    ],
)  # fmt: skip
def test_bad_arguments(arguments, error, match):
    arguments = {"objective": Valley(), "theta0": START, **arguments}
    with pytest.raises(error, match=match):
        minimize(arguments.pop("objective"), arguments.pop("theta0"), **arguments)


def test_bad_answers_of_the_objective(solver):
    objective = Valley()
    objective.value_grad = lambda theta: (1.0, np.zeros(2))
    with pytest.raises(ValueError, match=r"gradient .* must have shape \(3,\); got .* \(2,\)"):
        minimize(objective, START, solver=solver)


def test_bad_shape_of_the_hessian():
    objective = Valley()
    objective.hessian = lambda theta: np.eye(2)
    with pytest.raises(ValueError, match=r"must have shape \(3, 3\); got .* \(2, 2\)"):
        minimize(objective, START, solver="newton")


class Forbidden:
    def value_grad(self, theta):
        raise AssertionError("evaluated")

    hessian = value_grad


def test_hessian_that_does_not_fit():
    # 8 bytes x 1e12 = 7450.6 GiB
    match = r"1000000 parameters takes 7\.45e\+03 GiB.*solver='lbfgs'"
    with pytest.raises(MemoryError, match=match):
        minimize(Forbidden(), np.zeros(10**6), solver="newton")


def test_hessian_that_just_fits(monkeypatch):
    monkeypatch.setattr(_memory, "SMALL", 0)
    for available, fits in [(4 * 8 * 100**2, True), (4 * 8 * 100**2 - 1, False)]:
        monkeypatch.setattr(_memory, "available_memory", lambda room=available: room)
        if fits:
            _memory.check_matrices_fit(100, 4)
        else:
            with pytest.raises(MemoryError):
                _memory.check_matrices_fit(100, 4)


def test_container_limits_count(monkeypatch, tmp_path):
    monkeypatch.setattr(_memory, "CGROUP_LIMITS", ())
    free = _memory.available_memory()
    assert 2**20 < free < 2**60
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(_memory, "CGROUP_LIMITS", (tmp_path / "absent", limit))
    limit.write_text("4096\n")
    assert _memory.available_memory() == 4096
    limit.write_text("max\n")
    assert _memory.available_memory() > 2**20


@pytest.mark.parametrize("kind", [GradientDescent, Newton, LBFGS, SGD, Adam, AdamW])
def test_solver_objects_are_their_parameters(kind):
    solver = kind()
    params = solver.get_params()
    assert kind(**params) == solver
    assert eval(repr(solver), {kind.__name__: kind}) == solver
    for name in params:
        changed = kind().set_params(**{name: 0.123})
        assert changed.get_params()[name] == 0.123
        assert changed != solver
    with pytest.raises(ValueError, match="has no parameter 'colour'"):
        solver.set_params(colour=1)


def test_solver_objects_of_two_kinds_differ():
    assert LBFGS() == LBFGS()
    assert LBFGS() != Newton()
    assert repr(Newton(step_size=0.5)) == (
        "Newton(step_size=0.5, line_search='armijo', modification='shift', radius=1.0)"
    )


def test_a_run_leaves_the_solver_unchanged(solver):
    before, attributes = solver.get_params(), dict(vars(solver))
    minimize(Valley(), START, solver=solver, max_iter=3)
    assert solver.get_params() == before
    assert vars(solver) == attributes


class Probe(Solver):
    """Records what ``minimize`` hands to a solver."""

    needs = ()

    def __init__(self):
        pass

    def run(self, objective, theta0, limits, *, rng, callback, validation, state):
        self.limits, self.rng = limits, rng
        return Result(theta0, 0.0, 0, Status.CONVERGED)


def test_limits_and_random_state_arrive():
    probe = Probe()
    arguments = {
        "max_iter": 3, "tol": 0.5, "n_iter_no_change": np.inf, "max_fun": 7, "max_time": 2.0,
        "verbose": 1,
    }  # fmt: skip
    minimize(None, [0.0], solver=probe, random_state=5, **arguments)
    assert probe.limits == Limits(**arguments)
    assert probe.rng.randint(1000) == np.random.RandomState(5).randint(1000)
    for rng in (np.random.RandomState(0), np.random.default_rng(0)):
        minimize(None, [0.0], solver=probe, random_state=rng)
        assert probe.rng is rng
    minimize(None, [0.0], solver=probe)
    np.random.seed(11)  # noqa: NPY002
    assert probe.rng.randint(1000) == np.random.RandomState(11).randint(1000)


def test_solvers_say_whether_they_run_mini_batches():
    """By an attribute, which is what estimators and training ask: no list of names elsewhere."""
    mini_batch = {name for name, kind in SOLVERS.items() if kind.mini_batch}
    assert mini_batch == {name for name, kind in SOLVERS.items() if "epoch" in kind().needs}
    assert mini_batch == {"sgd", "adam"}
    assert Adam(batch_size=7).mini_batch and not LBFGS().mini_batch


def test_an_infinite_start_has_an_error_of_its_own():
    with pytest.raises(StartError, match="not finite at theta0: loss = inf, 1 of 2"):
        minimize(lambda t: (np.inf, np.array([np.nan, 0.0])), np.ones(2), solver="gd")


@pytest.mark.parametrize("wrong", ["False", 1, 0.0, None, np.nan])
@pytest.mark.parametrize(
    "solver, flag",
    [
        (SGD, "shuffle"),
        (Adam, "shuffle"),
        (SGD, "nesterovs_momentum"),
        (LevenbergMarquardt, "acceleration"),
        (LevenbergMarquardt, "evidence"),
    ],
)
def test_a_flag_is_true_or_false(solver, flag, wrong):
    net = Network([2, 3, 1])
    objective = net.objective(np.eye(2), np.ones(2))
    theta = net.init(random_state=0)
    with pytest.raises((TypeError, ValueError), match=f"{flag} must be True"):
        minimize(objective, theta, solver=solver(**{flag: wrong}), max_iter=2)
    minimize(objective, theta, solver=solver(**{flag: np.False_}), max_iter=2)
