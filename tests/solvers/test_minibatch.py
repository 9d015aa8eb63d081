"""SGD, Adam and AdamW on a bare network: the loop, its schedules, its state."""

import copy

import numpy as np
import pytest
import reference
import reference_epoch
from epochs import fresh_state, hyper
from fastmlp._core.kernels import UPDATES
from fastmlp.solvers._shuffle import shuffle

from fastmlp import Network
from fastmlp.solvers import SGD, Adam, AdamW, Status, minimize

SOLVERS = {
    "sgd": SGD(batch_size=7, nesterovs_momentum=False),
    "nesterov": SGD(0.05, batch_size=7, max_norm=0.1),
    "invscaling": SGD(0.05, "invscaling", power_t=0.3, batch_size=7),
    "cosine": SGD(0.05, "cosine", batch_size=7),
    "coslog": SGD(0.05, "coslog", batch_size=7),
    "adam": Adam(0.01, batch_size=7),
    "adamw": AdamW(0.01, beta_1=0.8, batch_size=7, learning_rate="cosine", weight_decay=0.3),
}
EPOCHS = 4


@pytest.fixture
def problem(rng):
    network = Network([3, 5, 2], activation="tanh")
    X, y = rng.normal(size=(25, 3)), rng.normal(size=(25, 2))
    w = rng.uniform(0.5, 2, size=25)
    return network, network.objective(X, y, sample_weight=w, alpha=0.1), network.init(0), (X, y, w)


def run(problem, solver, **options):
    _, objective, theta0, _ = problem
    options = {"tol": 0.0, "max_iter": EPOCHS, "random_state": 3} | options
    return minimize(objective, theta0, solver=solver, **options)


@pytest.mark.parametrize("name", SOLVERS)
def test_runs_are_those_of_the_oracle(name, problem):
    network, _, theta, (X, y, w) = problem
    solver = SOLVERS[name]
    oracle = reference.Reference(network.layers, "tanh")
    parameters = {"momentum": 0.9, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
    parameters |= {"weight_decay": 0.0} | solver.get_params()

    class Hyper:
        update = "adam" if isinstance(solver, Adam) else "sgd" if name == "sgd" else "nesterov"
        batch_size, rates, max_norm = 7, None, solver.max_norm or np.inf
        rate_factors = None
        momentum, weight_decay = parameters["momentum"], parameters["weight_decay"]
        beta_1, beta_2, epsilon = (parameters[key] for key in ("beta_1", "beta_2", "epsilon"))

    draws = np.random.RandomState(3)
    order = np.arange(25)
    first, second, t, losses = np.zeros_like(theta), np.zeros_like(theta), 0, []
    for epoch in range(EPOCHS):
        permutation = np.arange(25)
        draws.shuffle(permutation)
        order = order[permutation]
        steps = 4 * epoch + np.arange(4)
        Hyper.rates = np.full(4, solver.learning_rate_init)
        if solver.learning_rate == "cosine":
            Hyper.rates = Hyper.rates * (1 + np.cos(np.pi * steps / (4 * EPOCHS))) / 2
        if solver.learning_rate == "coslog":
            turns = np.log2(1 + 15 * steps / (4 * EPOCHS))
            Hyper.rates = Hyper.rates * (1 - np.cos(2 * np.pi * turns)) / 2
        if solver.learning_rate == "invscaling" and epoch:
            Hyper.rates = Hyper.rates / (25 * epoch + 1) ** 0.3
        theta, first, second, t, loss = reference_epoch.epoch(
            oracle, theta, first, second, t, X, y, order, Hyper, w, alpha=0.1
        )
        losses.append(loss)
    result = run(problem, solver)
    assert np.allclose(result.theta, theta, rtol=1e-9, atol=1e-12)
    assert np.allclose(result.history["loss"], losses, rtol=1e-9)
    assert result.status is Status.MAX_ITER and result.n_iter == EPOCHS
    assert result.state.t == t == 16 and result.state.n_seen == 100


@pytest.mark.parametrize(
    "name", [name for name in SOLVERS if "cos" not in name and name != "adamw"]
)
def test_a_run_in_two_parts_is_one_run(name, problem):
    solver = copy.copy(SOLVERS[name]).set_params(shuffle=False)
    whole = run(problem, solver)
    half = run(problem, solver, max_iter=EPOCHS // 2)
    moments = half.state.first.copy()
    rest = minimize(
        problem[1], half.theta, solver=solver, max_iter=EPOCHS // 2, tol=0.0, state=half.state
    )
    assert np.array_equal(rest.theta, whole.theta)
    assert half.history["loss"] + rest.history["loss"] == whole.history["loss"]
    assert np.array_equal(half.state.first, moments)  # the state given is not changed


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_coslog_is_at_zero_and_on_top_where_the_paper_has_it(kind, problem):
    """15 epochs of one batch: t = 0, 1/15, ... 14/15; zeros at 0, 1, 3 and 7 of them."""
    solver = kind(0.05, learning_rate="coslog", batch_size=25)
    rates = run(problem, solver, max_iter=15).history["learning_rate"]
    zero = np.flatnonzero(np.abs(rates) < 1e-12)
    assert zero.tolist() == [0, 1, 3, 7]
    turns = np.log2(1 + np.arange(15))
    assert np.allclose(rates, 0.05 * np.sin(np.pi * turns) ** 2, atol=1e-15)


def test_theta0_and_solver_are_not_changed(problem):
    theta0, solver = problem[2].copy(), Adam()
    run(problem, solver)
    assert np.array_equal(theta0, problem[2]) and solver == Adam()


def test_the_best_theta_by_validation_comes_back(problem):
    seen = []

    def validation(theta):
        seen.append(theta.copy())
        return [1.0, 3.0, 2.0, 3.0][len(seen) - 1], 0.5

    result = run(problem, SGD(), validation=validation)
    assert np.array_equal(result.theta, seen[1])
    assert result.history["validation_score"] == [1.0, 3.0, 2.0, 3.0]


def test_divergence_is_a_result(problem):
    result = run(problem, SGD(1e200, batch_size=5), max_iter=50)
    assert result.status is Status.DIVERGED and result.n_iter < 5


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_errors_in_a_callback(error, problem):
    def callback(epoch, record):
        raise error

    if error is KeyboardInterrupt:
        assert run(problem, Adam(), callback=callback).status is Status.INTERRUPTED
    else:
        with pytest.raises(RuntimeError):
            run(problem, Adam(), callback=callback)


def test_a_state_of_another_network_is_refused(problem):
    network = Network([3, 1])
    other = minimize(
        network.objective(np.eye(3), np.ones(3)), network.init(0), solver="adam", max_iter=1
    )
    with pytest.raises(ValueError, match="The state belongs to 4 parameters, not to"):
        run(problem, Adam(), state=other.state)


@pytest.mark.parametrize(
    ("solver", "error", "words"),
    [
        (SGD(learning_rate_init=-1), ValueError, "learning_rate_init of SGD must be pos.* got -1"),
        (SGD(momentum=1.1), ValueError, r"momentum of SGD must be in \[0, 1\], got 1.1"),
        (SGD(power_t=-1), ValueError, "power_t"),
        (SGD(batch_size="all"), TypeError, "batch_size of SGD must be an integer, got 'all'"),
        (Adam(batch_size=1.5), TypeError, "batch_size.*1.5"),
        (Adam(batch_size=0), ValueError, "batch_size.*at least 1, got 0"),
        (Adam(learning_rate="adaptive"), ValueError, "'constant', 'cosine' or 'coslog', got"),
        (Adam(learning_rate=["cosine"]), ValueError, "'constant', 'cosine' or 'coslog'"),
        (Adam(epsilon=0), ValueError, "epsilon of Adam must be positive and finite, got 0"),
        (Adam(beta_2=1), ValueError, r"beta_2 .*\[0, 1\)"),
        (AdamW(weight_decay=-1), ValueError, "weight_decay of AdamW"),
        (AdamW(max_norm=0), ValueError, "max_norm of AdamW must be positive"),
    ],
)
def test_bad_hyper_parameters(solver, error, words, problem):
    with pytest.raises(error, match=words):
        run(problem, solver)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 31, 32, 33, 1000, 65537])
@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.PCG64])
def test_shuffle_draws_as_numpy_does_and_leaves_its_generator_so(n, bits):
    ours, theirs = (np.random.RandomState(bits(n)) for _ in range(2))
    for _ in range(3):
        order, expected = np.arange(n), np.arange(n)
        shuffle(ours._bit_generator, order)
        theirs.shuffle(expected)
        np.testing.assert_array_equal(order, expected)
        assert ours.randint(2**31) == theirs.randint(2**31)


class TestRateFactors:
    """What a solver tells an epoch; what an epoch makes of it is in network/test_laws_epoch."""

    @staticmethod
    def told(factors, layers=(3, 4, 2)):
        net = Network(list(layers))
        objective = net.objective(np.ones((8, 3)), np.ones((8, layers[-1])))
        seen = []

        class Spy:
            n_samples, dtype, segments = 8, net.dtype, objective.segments

            def epoch(self, theta, state, order, hyper):
                seen.append(hyper.rate_factors)
                return 0.0

        solver = Adam(rate_factors=factors)
        minimize(Spy(), net.init(0), solver=solver, max_iter=1)
        return seen[0]

    def test_by_name_and_by_layer(self):
        assert self.told(None) is None
        assert self.told({"W1": 0.5, "b2": 0}).tolist() == [0.5, 1, 1, 0]
        assert self.told({2: 0.25}).tolist() == [1, 1, 0.25, 0.25]
        assert self.told({"W2": 3, np.int64(2): 0.0}).tolist() == [1, 1, 3, 0]
        assert self.told({}).tolist() == [1, 1, 1, 1]

    @pytest.mark.parametrize(
        ("factors", "error", "match"),
        [
            ([1.0, 0.5], TypeError, "rate_factors of Adam must be a dict of segment names or lay"),
            ({"w1": 1}, ValueError, "Unknown segment in rate_factors of Adam 'w1'.*W1"),
            ({"W3": 1}, ValueError, "'W3'.*W1.*b2"),
            ({0: 1}, ValueError, "rate_factors of Adam names layer 0; layers are from 1 to 2"),
            ({3: 1}, ValueError, "layer 3"),
            ({1.0: 1}, TypeError, "got the key 1.0"),
            ({True: 1}, TypeError, "got the key True"),
            ({"W1": -0.1}, ValueError, r"rate_factors of Adam\['W1'\] must be at least 0"),
            ({"W1": np.nan}, ValueError, "at least 0 and finite"),
            ({1: "half"}, TypeError, "must be a real number"),
        ],
    )
    def test_bad_ones(self, factors, error, match):
        with pytest.raises(error, match=match):
            self.told(factors)

    @pytest.mark.parametrize(
        "factors", [np.ones(3), [1.0] * 4, np.full(4, -1.0), np.full(4, np.inf)]
    )
    def test_an_epoch_checks_them(self, factors, rng):
        net = Network([3, 4, 2])
        objective = net.objective(rng.normal(size=(8, 3)), rng.normal(size=(8, 2)))
        theta = net.init(0)
        before = theta.copy()
        told = hyper("sgd", 4, 2, rate_factors=factors)
        with pytest.raises(ValueError, match="rate_factors"):
            objective.epoch(theta, fresh_state(theta), np.arange(8), told)
        assert np.array_equal(theta, before)


@pytest.mark.parametrize(
    "solver", [SGD(), SGD(nesterovs_momentum=False), Adam(), AdamW()], ids=repr
)
def test_a_solver_has_as_many_moments_as_its_update(solver):
    assert solver.n_moments == UPDATES[solver._update()["update"]]["n_moments"]
