"""The losses of two raw outputs per target: ends of their range, laws, and what solvers find."""

import itertools

import numpy as np
import pytest
import reference
from cases import draw_targets
from scipy import stats

from fastmlp import Network
from fastmlp._core import kernels
from fastmlp.distributions import resolve_family
from fastmlp.solvers import SGD, Adam, minimize

LOSSES = ["normal", "student_t", ("student_t", {"df": 0.8}), "laplace"]
PAIRS = [name for name, row in kernels.LOSSES.items() if row["raws"] == 2]
EDGES = {  # targets, by what a loss says of them
    "REAL": (-1e4, 0.0, 1e-3, 700.0),
    "POSITIVE": (1e-30, 1e-3, 700.0, 1e6),
    "OPEN": (1e-30, 1e-3, 0.5, 1 - 1e-7),
    "WHOLE": (0.0, 1.0, 7.0, 1e6),
}


def of_biases(loss, location, log_scale, dtype=np.float64):
    """A network of a constant, and the theta that makes it so."""
    net = Network([1, 1], loss=loss, dtype=dtype)
    return net, net.pack([np.zeros((1, 2))], [[location, log_scale]])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("loss", [*PAIRS, ("student_t", {"df": 0.8})], ids=str)
def test_the_ends_of_the_range(loss, dtype):
    """Finite values, gradients and curvature, whatever the outputs of the network."""
    X = np.zeros((1, 1))
    name = loss if isinstance(loss, str) else loss[0]
    for m, s in itertools.product((-700.0, -100.0, 0.0, 100.0, 700.0), repeat=2):
        net, theta = of_biases(loss, m, s, dtype)
        for y in (*EDGES[kernels.LOSSES[name]["targets"]],):
            value, grad = net.value_grad(theta, X, [y])
            assert np.isfinite(value) and np.isfinite(grad).all(), (m, s, y)
            curv, hess = (f(theta.astype(float), X, [y])[2:, 2:] for f in (net.ggn, net.hessian))
            assert np.isfinite(curv).all() and np.isfinite(hess).all(), (m, s, y)
            assert np.linalg.eigvalsh(curv).min() >= -1e-12 * np.abs(curv).max(), (m, s, y)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_large_scale_costs_its_logarithm(loss):
    X = np.zeros((1, 1))
    for log_scale in (100.0, 700.0):
        net, theta = of_biases(loss, 7.0, log_scale)
        value, grad = net.value_grad(theta, X, [0.0])
        assert value == pytest.approx(log_scale + net_constant(loss), rel=1e-12)
        assert grad[3] == pytest.approx(1.0)


def test_a_laplace_density_is_level_at_its_location():
    net, theta = of_biases("laplace", 3.0, 0.5)
    _, grad = net.value_grad(theta, np.zeros((1, 1)), [3.0])
    np.testing.assert_array_equal(grad[2:], [0.0, 1.0])


@pytest.mark.parametrize("loss", PAIRS)
def test_the_curvature_is_that_of_the_oracle_and_nowhere_negative(loss, rng):
    """For raw outputs from -30 to 30, one by one: as they are added up, so they are judged."""
    X, twin = np.zeros((1, 1)), reference.Reference([1, 1], loss=loss)
    seen = 0
    shaped = kernels.LOSSES[loss]["targets"] in ("OPEN", "WHOLE") or loss == "gamma_shape"
    for m, s in rng.uniform(-30, 30, size=(200, 2)):
        net, theta = of_biases(loss, m, s)
        (y,) = draw_targets(rng, loss, None, 1, 1)
        curv = net.ggn(theta, X, y)[2:, 2:]
        roots = np.sqrt(np.diag(curv))
        correlation = curv / roots / roots[:, None]
        assert np.linalg.eigvalsh(correlation).min() > -1e-12
        expected = twin.ggn(theta, X, y)[2:, 2:]
        if shaped and max(abs(m), abs(s)) > 6:
            continue  # the oracle's differences of large numbers
        np.testing.assert_allclose(curv, expected, rtol=1e-9, atol=1e-13 * np.abs(expected).max())
        seen += abs(correlation[0, 1]) > 0.01
    assert seen > 10 or not twin.terms(np.zeros((1, 2)), np.full((1, 1), 0.5))[3][0, 0, 1]


def net_constant(loss):
    net, theta = of_biases(loss, 0.0, 0.0)
    return net.value(theta, np.zeros((1, 1)), [0.0])


@pytest.mark.parametrize(("dtype", "least"), [(np.float64, -300.0), (np.float32, -40.0)])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_scale_has_a_least_value(loss, dtype, least):
    X, y = np.zeros((1, 1)), [1e-3]
    at, below = (of_biases(loss, 0.0, s, dtype) for s in (least, least - 5))
    assert below[0].value(below[1], X, y) == at[0].value(at[1], X, y)
    value, grad = below[0].value_grad(below[1], X, y)
    assert grad[2] != 0 and grad[3] == 0
    assert at[0].value_grad(at[1], X, y)[1][3] != 0


def test_many_degrees_of_freedom_are_a_normal(rng):
    X, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    normal = Network([3, 4, 2], "tanh", loss="normal")
    student = Network([3, 4, 2], "tanh", loss=("student_t", {"df": 1e9}))
    theta = normal.init(random_state=0)
    for name in ("value", "hessian", "ggn"):
        ours, theirs = (getattr(net, name)(theta, X, y) for net in (student, normal))
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("solver", ["lbfgs", "lm", "newton", "newton-cg"])
def test_a_linear_network_with_constant_noise_is_least_squares(solver, rng):
    """Each x twice, with residuals of +e and -e: then all residuals of least squares are of size e,
    and at its solution no slope of the log scale would gain anything."""
    half = rng.normal(size=(30, 3))
    X = np.r_[half, half]
    y = X @ [1.0, -2.0, 0.5] + 3.0 + np.repeat([0.7, -0.7], 30)
    net = Network([3, 1], loss="normal")
    start = net.init(init="zeros", y=y)
    np.testing.assert_allclose(start[-2:], [y.mean(), np.log(y.std())])
    found = minimize(net.objective(X, y), start, solver=solver, max_iter=500, tol=1e-9)
    (W,), (b,) = net.unpack(found.theta)
    solution = np.linalg.lstsq(np.c_[X, np.ones(60)], y, rcond=None)[0]
    np.testing.assert_allclose(np.r_[W[:, 0], b[0]], solution, atol=1e-5)
    np.testing.assert_allclose(np.r_[W[:, 1], b[1]], [0, 0, 0, np.log(0.7)], atol=1e-5)


@pytest.mark.parametrize("loss", [*PAIRS, ("student_t", {"df": 0.8})], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_outputs_start_at_the_marginal_distribution(loss, weighted, rng):
    """Where no other output is better."""
    y = np.c_[rng.standard_t(3, size=200), 5 + 0.01 * rng.normal(size=200)]
    if kernels.LOSSES[loss if isinstance(loss, str) else loss[0]]["targets"] != "REAL":
        y = draw_targets(rng, loss, None, 200, 2)
    weight = rng.uniform(size=200) if weighted else None
    net = Network([1, 2], loss=loss)
    theta = net.init(init="zeros", y=y, sample_weight=weight)
    X = np.zeros((200, 1))
    value = net.value(theta, X, y, weight)
    for direction in rng.normal(size=(20, 4)):
        other = theta.copy()
        other[-4:] += 1e-3 * np.maximum(1, np.abs(theta[-4:])) * direction
        assert net.value(other, X, y, weight) > value


def heteroscedastic(seed, n=500):
    """Draws of y = sin(a x) + sigma(x) e, and log sigma(x), which is a line."""
    rng = np.random.default_rng(seed)
    a, level, slope = rng.uniform(0.7, 2.0), rng.uniform(-2.0, -0.5), rng.uniform(-0.6, 0.6)
    x = rng.uniform(-2, 2, size=n)
    log_sigma = level + slope * x
    return x[:, None], np.sin(a * x) + np.exp(log_sigma) * rng.normal(size=n), log_sigma


def well_specified(loss, seed, n=500):
    """Draws from a family whose raw outputs are sin(a x), or what has that mean, and a line."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, size=n)
    m = np.sin(rng.uniform(0.7, 2.0) * x)
    s = rng.uniform(-1.5, 0.5) + rng.uniform(-0.6, 0.6) * x
    if loss == "lognormal":
        s = s - 1
    if loss in ("gamma_shape", "negative_binomial", "beta"):
        m, s = m + (loss != "beta"), s + 2
    if loss == "normal_natural":
        s = s + 3
        m = m * np.logaddexp(0, s)
    raw = np.c_[m, s]
    y = family_of(loss).from_raw(raw, 1).sample(1, random_state=seed)[0]
    if loss == "beta":
        y = np.clip(y, 1e-6, 1 - 1e-6)
    return x[:, None], y, raw


def family_of(loss):
    natural = ("normal", {"parametrization": "natural"})
    return resolve_family({"normal_natural": natural, "gamma_shape": "gamma"}.get(loss, loss))


WAYS = {
    "adam": (Adam(learning_rate_init=0.01, batch_size=50), 150, np.float64),
    "adam, float32": (Adam(learning_rate_init=0.01, batch_size=50), 150, np.float32),
    "sgd, float32": (SGD(learning_rate_init=0.003, batch_size=50), 250, np.float32),
    "lbfgs": ("lbfgs", 200, np.float64),
    "lm": ("lm", 60, np.float64),
    "newton": ("newton", 60, np.float64),
    "newton-cg": ("newton-cg", 60, np.float64),
}


@pytest.mark.parametrize("way", WAYS)
def test_solvers_find_the_noise_of_every_row(way):
    """Over drawn problems: near the likelihood of the truth, and log sigma(x) within a quarter."""
    solver, max_iter, dtype = WAYS[way]
    errors, excess = [], []
    for seed in range(5):
        X, y, log_sigma = heteroscedastic(seed)
        net = Network([1, 12, 1], "tanh", loss="normal", dtype=dtype)
        theta = net.init(random_state=seed, y=y)
        objective = net.objective(X, y, alpha=0.05)
        theta = minimize(
            objective, theta, solver=solver, max_iter=max_iter, tol=1e-5, random_state=seed
        ).theta
        raw = net.raw(theta, X)
        np.testing.assert_allclose(net.predict(theta, X), raw[:, :1], rtol=1e-6)
        errors.append(np.sqrt(np.mean((raw[:, 1] - log_sigma) ** 2)))
        best = np.mean(0.5 * np.log(2 * np.pi) + log_sigma) + 0.5
        excess.append(net.value(theta, X, y) - best)
    assert np.median(errors) < 0.2 and max(errors) < 0.4, errors
    assert max(excess) < 0.12, excess


@pytest.mark.parametrize("loss", PAIRS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("n_problems", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_solvers_reach_the_likelihood_of_the_truth(loss, way, n_problems):
    """Over drawn problems of every family; and its spread is found in every row."""
    solver, max_iter, dtype = WAYS[way]
    excess, errors = [], []
    for seed in range(n_problems):
        X, y, truth = well_specified(loss, seed)
        net = Network([1, 12, 1], "tanh", loss=loss, dtype=dtype)
        theta = net.init(random_state=seed, y=y)
        objective = net.objective(X, y, alpha=0.05)
        theta = minimize(
            objective, theta, solver=solver, max_iter=max_iter, tol=1e-5, random_state=seed
        ).theta
        direct = Network([2, 1], loss=loss)
        best = direct.value(direct.pack([np.eye(2)], [np.zeros(2)]), truth, y)
        excess.append(net.value(theta, X, y) - best)
        found, real = (family_of(loss).from_raw(raw, 1) for raw in (net.raw(theta, X), truth))
        errors.append(np.median(np.abs(np.log(found.std() / real.std()))))
    assert max(excess) < 0.1, excess
    assert np.median(errors) < 0.3, errors


def test_the_information_of_a_negative_binomial():
    """On log n it is approximate: never too small, and close but for n far below 1."""
    for log_n, log_mu, factor in [
        (5, 3, 1.01),
        (2, 2, 1.05),
        (0, 1, 1.25),
        (-1, 1, 1.8),
        (0, -3, 1.1),
    ]:
        net, theta = of_biases("negative_binomial", log_mu, log_n)
        n, mu = np.exp([log_n, log_mu])
        k = np.arange(5000.0)
        more = stats.nbinom(n, n / (n + mu)).sf(k)
        exact = n * n * (np.sum(more / (n + k) ** 2) - mu / (n * (n + mu)))
        curv = net.ggn(theta, np.zeros((1, 1)), [1.0])[2:, 2:]
        assert exact * (1 - 1e-6) < curv[1, 1] < factor * exact
        assert curv[0, 0] == pytest.approx(n * mu / (n + mu))


@pytest.mark.slow
@pytest.mark.parametrize("loss", PAIRS)
def test_intervals_of_a_well_specified_model_cover(loss):
    """Of 90 % on new rows; of counts, their randomised probabilities are uniform."""
    inside, pits = [], []
    for seed in range(6):
        X, y, _ = well_specified(loss, seed, n=4000)
        net = Network([1, 8, 1], "tanh", loss=loss)
        start = net.init(random_state=seed, y=y[:2000])
        objective = net.objective(X[:2000], y[:2000], alpha=0.05)
        theta = minimize(objective, start, solver="lm", max_iter=60, tol=1e-6).theta
        dist = family_of(loss).from_raw(net.raw(theta, X[2000:]), 1)
        low, high = dist.interval(0.9)
        inside.append(np.mean((low <= y[2000:]) & (y[2000:] <= high)))
        below = dist.cdf(y[2000:] - 1) if dist.discrete else dist.cdf(y[2000:])
        share = np.random.default_rng(seed).uniform(size=2000)
        pits.append(below + share * (dist.cdf(y[2000:]) - below))
    if loss == "negative_binomial":
        assert stats.kstest(np.ravel(pits), "uniform").statistic < 0.02
    else:
        assert 0.88 < np.mean(inside) < 0.92, inside


def noisy_sine(seed, n=500):
    """The sine of Detlefsen et al. (2019): x sin x, and noise that grows with x."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 10, size=n)
    y = x * np.sin(x) + 0.3 * rng.normal(size=n) + 0.3 * x * rng.normal(size=n)
    return x[:, None], y


def error_of_the_mean(beta, seed, **options):
    """By adam; as a part of what a constant's is."""
    X, y = noisy_sine(seed)
    mean, scale = y.mean(), y.std()
    net = Network([1, 50, 50, 1], "tanh", loss=("normal", {"beta": beta}))
    X = (X - 5) / 2.9
    objective = net.objective(X, (y - mean) / scale)
    theta = net.init(random_state=seed, y=(y - mean) / scale)
    max_iter = options.pop("max_iter")
    to_the_end = {"max_iter": max_iter, "tol": 0, "n_iter_no_change": max_iter}
    found = minimize(objective, theta, solver=Adam(**options), random_state=seed, **to_the_end)
    x = 5 + 2.9 * X[:, 0]
    error = mean + scale * net.raw(found.theta, X)[:, 0] - x * np.sin(x)
    return np.sqrt(np.mean(error**2)) / np.std(x * np.sin(x))


def test_the_mean_is_learned_where_the_noise_is_large():
    """In the steps in which the plain likelihood takes the sine for noise."""
    options = {"learning_rate_init": 0.003, "batch_size": 50, "max_iter": 200}
    usual = [error_of_the_mean(0.5, seed, **options) for seed in range(5)]
    plain = [error_of_the_mean(0.0, seed, **options) for seed in range(5)]
    assert max(usual) < 0.2, usual
    assert min(plain) > 2 * max(usual), (usual, plain)


@pytest.mark.parametrize("loss", ["normal", "student_t", "laplace", "lognormal"])
def test_the_discount_is_of_mini_batches_alone(loss, rng):
    X, y = rng.normal(size=(30, 2)), rng.uniform(0.5, 2, size=(30, 2))
    usual, plain, whole = (
        Network([2, 4, 2], "tanh", loss=spec)
        for spec in (loss, (loss, {"beta": 0.0}), (loss, {"beta": 1.0}))
    )
    assert usual.loss == loss or usual.loss == (loss, {"df": 4.0})
    theta = usual.init(random_state=0)
    ends = []
    for net in (usual, plain, whole):
        np.testing.assert_array_equal(
            net.value_grad(theta, X, y)[1], usual.value_grad(theta, X, y)[1]
        )
        np.testing.assert_array_equal(net.hessian(theta, X, y), usual.hessian(theta, X, y))
        sgd = SGD(learning_rate_init=0.1, momentum=0.0, batch_size=30, shuffle=False)
        ends.append(minimize(net.objective(X, y), theta, solver=sgd, max_iter=1).theta - theta)
    np.testing.assert_allclose(ends[1], -0.1 * usual.value_grad(theta, X, y)[1], rtol=1e-10)
    scale = np.exp(usual.raw(theta, X)[:, 2:])
    for end, power in ((ends[0], 1.0), (ends[2], 2.0)):
        # of the output biases: the rows' gradients, each its scale to the power times
        grads = np.zeros(4)
        for i in range(30):
            row = usual.value_grad(theta, X[i : i + 1], y[i : i + 1])[1][-4:]
            grads += row * np.tile(scale[i] ** power, 2) / 30
        np.testing.assert_allclose(end[-4:], -0.1 * grads, rtol=1e-9)


@pytest.mark.parametrize("beta", [-0.1, 1.1, np.nan])
def test_the_discount_is_from_0_to_1(beta):
    with pytest.raises(ValueError, match="beta of loss 'normal' must be in"):
        Network([1, 1], loss=("normal", {"beta": beta}))


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (("student_t", {"df": 0.0}), "df of loss 'student_t' must be in"),
        (("student_t", {"df": -1.0}), "df of loss 'student_t' must be in"),
        (("student_t", {"df": np.inf}), "df of loss 'student_t' must be in"),
        (("student_t", {"df": np.nan}), "df of loss 'student_t' must be in"),
        (("normal", {"df": 3.0}), "'normal' has no parameter 'df'"),
    ],
)
def test_bad_parameters(loss, words):
    with pytest.raises(ValueError, match=words):
        Network([2, 1], loss=loss)


def test_bad_targets_and_outputs(rng):
    net, X = Network([2, 3], loss="normal"), rng.normal(size=(5, 2))
    theta = net.init(random_state=0)
    assert (net.n_targets, net.n_raw, net.layers) == (3, 6, (2, 3))
    assert net.raw(theta, X).shape == (5, 6) and net.predict(theta, X).shape == (5, 3)
    for y, words in [
        (np.zeros(5), r"shape \(5, 3\), one column per target"),
        (np.zeros((5, 6)), r"shape \(5, 3\), one column per target"),
        (np.full((5, 3), np.nan), "NaN or infinity, first in row 0"),
    ]:
        with pytest.raises(ValueError, match=words):
            net.value(theta, X, y)
    with pytest.raises(ValueError, match="with output_activation 'identity' alone; got 'exp'"):
        Network([2, 3], output_activation="exp", loss="normal")
