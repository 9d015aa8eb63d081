"""Hostile arguments: huge numbers, answers that are none, samples that are not there."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse
from epochs import hyper

from fastmlp import Network
from fastmlp.solvers import (
    LBFGS,
    SGD,
    Adam,
    AdamW,
    GradientDescent,
    LevenbergMarquardt,
    Newton,
    NewtonCG,
    minimize,
)

HUGE = 10**400


@pytest.fixture
def objective(rng):
    net = Network([3, 4, 1], "tanh")
    return net.objective(rng.normal(size=(50, 3)), rng.normal(size=50), alpha=0.1)


def run(objective, solver="lbfgs", **arguments):
    return minimize(
        objective, np.full(objective.n_params, 0.1), solver=solver, max_iter=2, **arguments
    )


@pytest.mark.parametrize("power", [400, 5000])  # Python writes out 4300 digits at most
@pytest.mark.parametrize(
    "make",
    [
        lambda v: {"tol": v},
        lambda v: {"max_time": v},
        lambda v: {"solver": GradientDescent(learning_rate=v)},
        lambda v: {"solver": Newton(step_size=v)},
        lambda v: {"solver": Newton(radius=v)},
        lambda v: {"solver": LevenbergMarquardt(damping=v)},
        lambda v: {"solver": NewtonCG(radius=v)},
        lambda v: {"solver": SGD(learning_rate_init=v)},
        lambda v: {"solver": SGD(power_t=v)},
        lambda v: {"solver": Adam(epsilon=v)},
        lambda v: {"solver": Adam(max_norm=v)},
        lambda v: {"solver": AdamW(weight_decay=v)},
    ],
)
def test_integers_that_no_float_holds(objective, make, power):
    with pytest.raises(ValueError, match=r"must be (at least 0|positive).* got (1000|an? int)"):
        run(objective, **make(10**power))


@pytest.mark.parametrize("solver", ["lbfgs", SGD(), Adam(learning_rate="cosine")])
def test_counts_may_be_of_any_size(objective, solver):
    minimize(
        objective,
        np.zeros(objective.n_params),
        solver=solver,
        max_iter=HUGE,
        n_iter_no_change=HUGE,
        max_fun=HUGE,
        max_time=0.01,
        verbose=False,
    )


def test_batches_of_any_size(objective):
    with pytest.warns(UserWarning, match="clipped"):
        run(objective, Adam(batch_size=10**5000))
    run(objective, NewtonCG(batch_size=HUGE, curvature_size=HUGE, max_cg=HUGE))


@pytest.mark.parametrize("radius", [1e200, 1e-200, 1e308, 5e-324])
@pytest.mark.parametrize("solver", [NewtonCG(), Newton(modification="trust-region")])
def test_radius_of_any_size(radius, solver, objective):
    solver = with_radius(solver, radius)
    theta0 = np.full(objective.n_params, 0.1)
    result = minimize(objective, theta0, solver=solver, max_iter=5)
    assert result.loss <= objective.value(theta0)
    if radius > 1:
        expected = minimize(
            objective, theta0, solver=with_radius(solver, 1.0), max_iter=50, tol=1e-8
        )
        result = minimize(objective, theta0, solver=solver, max_iter=1500, tol=1e-8)
        assert result.loss == pytest.approx(expected.loss, rel=0.2)


def with_radius(solver, radius):
    return type(solver)(**{**solver.get_params(), "radius": radius})


@pytest.mark.parametrize("radius", [1e200, 1e308])
def test_a_huge_region_over_negative_curvature(radius):
    class Saddle:
        def value_grad(self, theta):
            x, y = theta
            return x**4 / 4 - x**2 / 2 + y**2, np.array([x**3 - x, 2 * y])

        def hessian(self, theta):
            return np.diag([3 * theta[0] ** 2 - 1, 2.0])

        def hess_mul(self, theta, v):
            return self.hessian(theta) @ v

    for solver in (
        NewtonCG(curvature="hessian", radius=radius),
        Newton(modification="trust-region", radius=radius),
    ):
        with np.errstate(over="ignore", invalid="ignore"):
            result = minimize(Saddle(), [0.1, 1.0], solver=solver, max_iter=2000, tol=1e-8)
        np.testing.assert_allclose(np.abs(result.theta), [1, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"solver": NewtonCG(curvature=[])}, ValueError, r"'ggn' or 'hessian', got \[\]"),
        ({"solver": NewtonCG(curvature="hesian")}, ValueError, "did you mean 'hessian'"),
        ({"solver": NewtonCG(max_cg=2.5)}, TypeError, "max_cg must be an integer, got 2.5"),
        ({"solver": NewtonCG(batch_size=0)}, ValueError, "batch_size must be at least 1"),
        ({"solver": Newton(modification=[])}, ValueError, r"'trust-region', got \[\]"),
        ({"solver": Newton(line_search={})}, ValueError, "None or 'armijo', got {}"),
        ({"solver": LevenbergMarquardt(scaling=np.ones(2))}, ValueError, "scaling must be"),
        (
            {"solver": LevenbergMarquardt(evidence=True), "state": 3},
            TypeError,
            "state must be None or an EvidenceState.*got 3",
        ),
        ({"solver": Adam(), "state": 3}, TypeError, "state of an earlier Adam run.*got 3"),
        ({"validation": lambda theta: 1.0}, TypeError, r"must return \(score, loss\).*got 1.0"),
        ({"validation": lambda theta: (1, 2, 3)}, TypeError, r"\(score, loss\)"),
        ({"validation": lambda theta: ("good", 2)}, TypeError, "score of validation.*'good'"),
        ({"validation": lambda theta: (1.0, 2j)}, TypeError, "complex"),
        ({"validation": lambda theta: None, "solver": Adam()}, TypeError, "got None"),
        ({"solver": "Adam"}, ValueError, "Unknown solver 'Adam'; did you mean 'adam'"),
        ({"solver": "levenberg-marquardt"}, ValueError, "did you mean 'lm'"),
        ({"solver": "L-BFGS-B"}, ValueError, "did you mean 'lbfgs'"),
    ],
)
def test_words_for_what_is_wrong(objective, arguments, error, words):
    with pytest.raises(error, match=words):
        run(objective, **arguments)


class Answers:
    """An objective whose answers are as given."""

    def __init__(self, loss=1.0, grad=(0.5, 0.5), matrix=((2.0, 0.0), (0.0, 2.0)), pair=True):
        self.answer = (loss, np.array(grad)) if pair else loss
        self.matrix = np.array(matrix)

    def value_grad(self, theta):
        return self.answer

    def hessian(self, theta):
        return self.matrix

    ggn = hessian

    def ggn_mul(self, theta, v):
        return self.matrix @ v

    hess_mul = ggn_mul


SOLVERS = [
    "gd", "lbfgs", "newton", "lm", "newton-cg", Newton(modification="trust-region"),
    NewtonCG(curvature="hessian"),
]  # fmt: skip


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        (Answers(loss=1 + 1j), TypeError, "loss .* complex"),
        (Answers(loss=np.complex128(1)), TypeError, "loss .* complex"),
        (Answers(loss=np.array([1 + 0j])), TypeError, "loss .* complex"),
        (Answers(grad=(1j, 0)), TypeError, "gradient .* complex"),
        (Answers(loss=None), TypeError, "loss .* real number, got None"),
        (Answers(loss=np.ones(2)), TypeError, "loss .* real number"),
        (Answers(grad=("a", "b")), TypeError, "gradient .* real numbers"),
        (Answers(grad=(1.0,)), ValueError, r"shape \(2,\)"),
        (Answers(pair=False), TypeError, r"must return \(loss, gradient\), a pair; got 1.0"),
    ],
)
def test_answers_of_the_wrong_kind(answers, error, words, solver):
    with pytest.raises(error, match=words):
        minimize(answers, [1.0, 1.0], solver=solver, max_iter=2)


@pytest.mark.parametrize("solver", SOLVERS[2:])
@pytest.mark.parametrize("matrix", [[[1j, 0], [0, 1j]]])
def test_complex_curvature(matrix, solver):
    with pytest.raises(TypeError, match="complex"):
        minimize(Answers(matrix=matrix), [1.0, 1.0], solver=solver, max_iter=2)


@pytest.mark.parametrize("form", ["coo", "bsr", "dia", "csc", "csr", "lil", "dok"])
def test_samples_of_a_sparse_matrix(form, rng):
    net = Network([6, 3, 1], "tanh")
    X, y = rng.normal(size=(40, 6)) * (rng.uniform(size=(40, 6)) < 0.4), rng.normal(size=40)
    theta = net.init(random_state=0)
    sparse = getattr(scipy.sparse, form + "_matrix")(X)
    positions = [3, 3, 17, 0]
    part = net.objective(sparse, y, alpha=0.3).subset(positions)
    expected = net.objective(X, y, alpha=0.3).subset(positions)
    np.testing.assert_allclose(part.value_grad(theta)[1], expected.value_grad(theta)[1], rtol=1e-12)
    runs = [
        minimize(
            net.objective(data, y), theta, solver=NewtonCG(batch_size=20), max_iter=5,
            random_state=0,
        )
        for data in (sparse, X)
    ]  # fmt: skip
    np.testing.assert_allclose(runs[0].theta, runs[1].theta, rtol=1e-8)


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ([50], "positions must be from 0 to 49, got 50 to 50"),
        ([-1], "from 0 to 49"),
        ([0.0, 1.0], "integers"),
        ([], "non-empty"),
        (3, "1-D"),
        ([[1]], "1-D"),
        (np.ones(50, bool), "integers"),
    ],
)
def test_positions_of_a_subset(objective, positions, words):
    with pytest.raises(ValueError, match=words):
        objective.subset(positions)
    with pytest.raises(TypeError, match="None"):
        objective.subset(None)


def test_arguments_of_an_epoch(objective):
    n = objective.n_params
    theta = np.full(n, 0.1)
    before = theta.copy()
    good = vars(hyper("adam", 25, 2))

    def epoch(order=tuple(range(50)), t=0, theta=theta, **changes):
        state = SimpleNamespace(first=np.zeros(n), second=np.zeros(n), t=t)
        step = SimpleNamespace(**{**good, **changes})
        for name in [name for name, value in changes.items() if value is epoch]:
            delattr(step, name)
        return objective.epoch(theta, state, np.array(order), step)

    number = [0.5, -1, HUGE, np.nan, "0.9", None, 1j, [0.9]]
    for changes in [
        *({name: value} for name in ("momentum", "beta_1", "beta_2") for value in number[1:]),
        *({name: value} for name in ("epsilon", "weight_decay") for value in number[1:]),
        *({"max_norm": value} for value in (0, -1, HUGE, np.nan, "1", None)),
        *({"batch_size": value} for value in (0, -1, HUGE, 2.5, "25", None)),
        *({"t": value} for value in (-1, HUGE, 0.5, "0", None)),
        *({"update": value} for value in ("adm", None, [])),
        *({"order": value} for value in ((50,), (0.5,), (), None)),
        {"rates": [0.01, 0.01]},
        {"rates": np.full(2, 0.01, np.float32)},
        {"rates": np.full(4, 0.01)[::2]},
        {"rates": np.full(3, 0.01)},
        {"rates": None},
        *({name: epoch} for name in good),
    ]:
        with pytest.raises((TypeError, ValueError), match="must|Unknown update"):
            epoch(**changes)
        np.testing.assert_array_equal(theta, before)
    with pytest.raises(TypeError, match="state must have second, t"):
        objective.epoch(theta, SimpleNamespace(first=theta), np.arange(50), SimpleNamespace(**good))
    assert np.isfinite(epoch())
    assert not np.array_equal(theta, before)


def test_lbfgs_keeps_to_the_real_numbers():
    with pytest.raises(TypeError, match="complex"):
        minimize(Answers(loss=2 + 1j), [0.0, 0.0], solver=LBFGS())


@pytest.mark.parametrize(
    ("coefs", "intercepts", "error", "words"),
    [
        (None, None, TypeError, "coefs must be a list with an array per layer, 2 .* got None"),
        ([np.ones((3, 4)), np.ones((4, 1))], 3, TypeError, "intercepts must be a list.* got 3"),
        ("ab", "cd", TypeError, "coefs must be a list"),
        ([np.ones((3, 4))], [], ValueError, "coefs must have 2 arrays, got 1"),
        ([np.ones((3, 4)) * 1j, None], [], TypeError, r"coefs\[0\] must hold real numbers"),
        ([None, None], [None, None], TypeError, r"coefs\[0\] must hold real numbers"),
    ],
)
def test_what_is_packed(coefs, intercepts, error, words):
    with pytest.raises(error, match=words):
        Network([3, 4, 1]).pack(coefs, intercepts)
