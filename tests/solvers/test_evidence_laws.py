"""What the evidence is worth: laws over problems drawn at random."""

import functools

import numpy as np
import pytest
from drawn_problems import bent, straight
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

from fastmlp import MLPClassifier, MLPRegressor, Network
from fastmlp.solvers import LevenbergMarquardt, Status, minimize
from fastmlp.solvers._evidence import WEAK, Evidence

EVIDENCE = LevenbergMarquardt(evidence=True)
LAYER = LevenbergMarquardt(evidence="layer")
ARD = LevenbergMarquardt(evidence="ard")
by_layer = pytest.param(LAYER, id="layer", marks=pytest.mark.slow)
in_groups = pytest.mark.parametrize("solver", [by_layer, pytest.param(ARD, id="ard")])
every_grouping = pytest.mark.parametrize(
    "solver", [pytest.param(EVIDENCE, id="one"), by_layer, pytest.param(ARD, id="ard")]
)


def fit(problem, solver, seed=0, units=10, init="glorot", scale=1.0):
    """The error on the truth, the result, and the network's outputs, in units of the targets."""
    net = Network([problem.X.shape[1], units, 1], activation="tanh")
    centre, spread = problem.y.mean(), problem.y.std() / scale
    objective = net.objective(problem.X, (problem.y - centre) / spread, alpha=1e-4)
    result = minimize(objective, net.init(seed, init), solver=solver, max_iter=200, tol=1e-5)
    prediction = net.raw(result.theta, problem.X_check)[:, 0] * spread + centre
    return problem.rms(prediction), result, spread


def example(units, seed, init="glorot", scale=1.0, solver=EVIDENCE):
    """30 rows of a sine with noise .3, on which a network that takes misfit for noise is a line."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (30, 1))
    y = scale * (np.sin(5 * X[:, 0]) + 0.3 * rng.standard_normal(30))
    net = Network([1, units, 1], activation="tanh")
    result = minimize(
        net.objective(X, y), net.init(seed, init), solver=solver, max_iter=300, tol=1e-7
    )
    grid = np.linspace(-1, 1, 201)[:, None]
    return np.sqrt(
        np.mean((net.raw(result.theta, grid)[:, 0] / scale - np.sin(5 * grid[:, 0])) ** 2)
    )


@pytest.mark.parametrize("solver", [EVIDENCE, LAYER], ids=["one", "layer"])  # one feature: as "ard"
@pytest.mark.parametrize("init", ["glorot", "nguyen-widrow"])
@pytest.mark.parametrize("units", [3, 4, 6, 8])
def test_no_run_collapses(units, init, solver):
    errors = [example(units, seed, init, solver=solver) for seed in range(10)]
    assert np.max(errors) < 0.3, errors


@pytest.mark.parametrize("solver", [EVIDENCE, LAYER], ids=["one", "layer"])
@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_the_unit_of_the_targets_does_not_matter(scale, solver):
    errors = [example(6, seed, scale=scale, solver=solver) for seed in range(5)]
    assert np.max(errors) < 0.3, errors


def test_no_start_of_the_estimator_collapses():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (30, 1))
    y = np.sin(5 * X[:, 0]) + 0.3 * rng.standard_normal(30)
    grid = np.linspace(-1, 1, 201)[:, None]
    for n_starts in (1, 10):
        model = MLPRegressor(
            hidden_layer_sizes=(6,),
            activation="tanh",
            solver=EVIDENCE,
            standardize=True,
            n_starts=n_starts,
            random_state=0,
        ).fit(X, y)
        assert np.sqrt(np.mean((model.predict(grid) - np.sin(5 * grid[:, 0])) ** 2)) < 0.3


@functools.cache
def plain_error(seed):
    return fit(bent(seed), LevenbergMarquardt())[0]


@functools.cache
def measure(seeds, grouping=True):
    """Errors with evidence and without; noise over the true one where data are many; n lines."""
    with_evidence, noise, n_lines = [], [], 0
    for seed in seeds:
        problem = bent(seed)
        error, result, spread = fit(problem, LevenbergMarquardt(evidence=grouping))
        with_evidence.append(error)
        n_lines += result.state.linear
        if result.state.effective_params < len(problem.y) / 2:
            noise.append(result.state.noise * spread / problem.noise)
    return np.array(with_evidence), np.array([*map(plain_error, seeds)]), np.array(noise), n_lines


def test_evidence_beats_plain_least_squares():
    with_evidence, plain, noise, n_lines = measure(range(30))
    assert np.median(with_evidence) < 0.75 * np.median(plain)
    assert np.quantile(with_evidence, 0.9) < 0.75 * np.quantile(plain, 0.9)
    assert np.mean(np.abs(noise - 1) < 0.2) >= 0.9, noise
    assert len(noise) > 15
    assert n_lines <= 2


@in_groups
def test_strengths_in_groups_do_better_than_one(solver):
    """Better in the mean of the logarithms, and in the tail; the noise is right as often."""
    seeds = range(30)
    with_groups, plain, noise, n_lines = measure(seeds, solver.evidence)
    one, _, noise_of_one, _ = measure(seeds)
    assert np.median(with_groups) < 0.75 * np.median(plain)
    assert np.quantile(with_groups, 0.9) < 0.75 * np.quantile(plain, 0.9)
    assert np.mean(np.log(with_groups)) < np.mean(np.log(one)) - 0.1
    assert np.quantile(with_groups, 0.9) < np.quantile(one, 0.9)
    right, right_of_one = (np.sum(np.abs(n - 1) < 0.2) for n in (noise, noise_of_one))
    assert right >= right_of_one - 2 and right > 0.7 * len(noise), noise
    assert n_lines <= 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_evidence_is_no_worse_than_a_gaussian_process():
    with_evidence, plain, noise, _ = measure(range(100))
    process = []
    for seed in range(100):
        problem = bent(seed)
        model = GaussianProcessRegressor(RBF() + WhiteKernel(0.1), normalize_y=True, random_state=0)
        process.append(problem.rms(model.fit(problem.X, problem.y).predict(problem.X_check)))
    assert np.median(with_evidence) <= 0.6 * np.median(plain)
    assert np.median(with_evidence) <= np.median(process)
    assert np.quantile(with_evidence, 0.9) <= 1.1 * np.quantile(process, 0.9)
    assert np.mean(np.abs(noise - 1) < 0.2) >= 0.9, noise
    assert len(noise) > 60


@every_grouping
def test_linear_data_make_the_network_linear_and_it_says_so(solver):
    ratios = []
    for seed in range(40):
        problem = straight(seed)
        error, result, _ = fit(problem, solver, seed)
        ones = np.ones((len(problem.X), 1))
        slopes = np.linalg.lstsq(np.hstack([problem.X, ones]), problem.y, rcond=None)[0]
        best = problem.rms(problem.X_check @ slopes[:-1] + slopes[-1])
        ratios.append(error / best)
        assert result.state.linear == ("linear" in result.message)
    assert np.mean(np.array(ratios) <= 2) >= 0.95, np.sort(ratios)
    assert np.median(ratios) < 1.2


@every_grouping
def test_linear_data_in_other_units(solver):
    """As the estimator meets them: scales of inputs and targets, weights, a part of the rows."""
    rng = np.random.default_rng(0)
    X = 5000 + 70 * rng.normal(size=(200, 2))
    y = 300 + X @ [0.3, -0.5] + 2 * rng.normal(size=200)
    model = MLPRegressor(
        hidden_layer_sizes=(8,), activation="tanh", solver=solver, standardize=True, max_iter=200
    ).fit(X, y, sample_weight=rng.integers(0, 3, 200))
    assert "linear" in model.status_
    assert np.abs(model.predict(X) - 300 - X @ [0.3, -0.5]).max() < 1.5


@pytest.mark.parametrize("activation", ["tanh", "logistic", "relu", "softplus", "gelu", "identity"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("layers", [[3, 4, 2], [3, 2, 5, 2]])
def test_a_linear_function_as_a_network(activation, dtype, layers):
    rng = np.random.default_rng(0)
    X = (5 + 3 * rng.normal(size=(50, 3))).astype(dtype)
    net = Network(layers, activation=activation, dtype=dtype)
    line, as_network = net.objective(X, rng.normal(size=(50, 2))).linear(net.init(0))
    theta = rng.normal(size=line.n_params).astype(dtype)
    expected = X.astype(float) @ theta[:6].reshape(3, 2) + theta[6:]
    size = np.abs(expected).max()
    # the bend of a unit driven by DRIVEN of its range; float32: also the rounding over that
    assert np.abs(net.raw(as_network(theta), X) - expected).max() < size * (
        1e-4 if dtype == np.float64 else 2e-3
    )


def test_no_linear_function_where_a_layer_is_too_narrow():
    net = Network([3, 1, 2])
    assert net.objective(np.ones((4, 3)), np.ones((4, 2))).linear(net.init(0)) is None
    assert Network([3, 2]).objective(np.ones((4, 3)), np.ones((4, 2))).linear(np.zeros(8)) is None


def test_classifiers_with_evidence_do_as_well_as_the_best_alpha():
    errors = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(1100, 3))
        p = 1 / (1 + np.exp(-4 * np.sin(2 * X[:, 0])))
        y = (rng.uniform(size=1100) < p).astype(int)
        settings = dict(hidden_layer_sizes=(8,), activation="tanh", random_state=seed, max_iter=200)
        losses = []
        for solver, alpha in ((EVIDENCE, 1e-4), *(("lm", a) for a in (1e-3, 0.1, 1.0, 10.0))):
            model = MLPClassifier(solver=solver, alpha=alpha, **settings).fit(X[:100], y[:100])
            q = np.clip(model.predict_proba(X[100:])[:, 1], 1e-9, 1 - 1e-9)
            losses.append(-np.mean(p[100:] * np.log(q) + (1 - p[100:]) * np.log(1 - q)))
        errors.append(losses)
    errors = np.array(errors)
    assert np.median(errors[:, 0]) < 1.1 * np.median(errors[:, 1:].min(axis=1)), errors.round(2)


@every_grouping
def test_constant_targets(solver):
    X = np.linspace(-1, 1, 40)[:, None]
    net = Network([1, 5, 1], activation="tanh")
    result = minimize(net.objective(X, np.full(40, 3.0)), net.init(0), solver=solver)
    assert np.abs(net.raw(result.theta, X) - 3.0).max() < 1e-6


def test_ctrl_c_in_the_run_of_the_linear_function(monkeypatch):
    """What was found before it is kept, and the run ends as interrupted."""

    def interrupted(theta):
        raise KeyboardInterrupt

    problem = bent(0)
    net = Network([problem.X.shape[1], 5, 1], activation="tanh")
    objective = net.objective(problem.X, problem.y)
    expected = minimize(objective, net.init(0), solver=EVIDENCE)
    line, as_network = objective.linear(net.init(0))
    begin = Evidence.begin

    def begin_line(self, share, state=None):
        begin(self, share, state)
        if self._D.size == line.n_params and share == WEAK:
            monkeypatch.setattr(self.objective, "value_grad_ggn", interrupted)

    monkeypatch.setattr(Evidence, "begin", begin_line)
    result = minimize(objective, net.init(0), solver=EVIDENCE)
    assert result.status is Status.INTERRUPTED
    assert np.array_equal(result.theta, expected.theta)


def test_the_table_of_several_runs(capsys):
    example_net = Network([1, 3, 1], activation="tanh")
    X = np.linspace(-1, 1, 40)[:, None]
    minimize(
        example_net.objective(X, np.sin(5 * X[:, 0])),
        example_net.init(0),
        solver=EVIDENCE,
        max_iter=4,
        verbose=True,
    )
    lines = capsys.readouterr().out.splitlines()
    again = lines.index("Again, from a weaker prior:")
    numbers = [int(line.split()[0]) for line in lines if line[:9].strip().isdigit()]
    assert again == 5 and numbers == [1, 2, 3, 4, 1, 2, 3, 4]
