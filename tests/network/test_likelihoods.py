"""The losses of two raw outputs per target: ends of their range, laws, and what solvers find."""

import numpy as np
import pytest

from fastmlp import Network
from fastmlp.solvers import SGD, Adam, minimize

LOSSES = ["normal", "student_t", ("student_t", {"df": 0.8})]


def of_biases(loss, location, log_scale, dtype=np.float64):
    """A network of a constant, and the theta that makes it so."""
    net = Network([1, 1], loss=loss, dtype=dtype)
    return net, net.pack([np.zeros((1, 2))], [[location, log_scale]])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_ends_of_the_range(loss, dtype):
    X = np.zeros((1, 1))
    for log_scale in (-700.0, -100.0, 100.0, 700.0):
        for location in (-700.0, 0.0, 700.0):
            net, theta = of_biases(loss, location, log_scale, dtype)
            for y in (location, 0.0):
                value, grad = net.value_grad(theta, X, [y])
                if loss == "normal" and log_scale < 0 and y != location and dtype == np.float32:
                    assert not np.isnan(value)  # e^80 700^2 is more than a float holds
                    continue
                assert np.isfinite(value)
                assert np.isfinite(grad).all()
            if log_scale > 0:
                assert value == pytest.approx(log_scale + net_constant(loss), rel=1e-5)
                assert grad[3] == pytest.approx(1.0)
                np.testing.assert_array_equal(net.ggn(theta.astype(float), X, [y])[2, 3], 0)


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


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_outputs_start_at_the_marginal_distribution(loss, weighted, rng):
    y = np.c_[rng.standard_t(3, size=200), 5 + 0.01 * rng.normal(size=200)]
    weight = rng.uniform(size=200) if weighted else None
    net = Network([1, 2], loss=loss)
    theta = net.init(init="zeros", y=y, sample_weight=weight)
    X = np.zeros((200, 1))
    value, grad = net.value_grad(theta, X, y, weight)
    scale = np.exp(-theta[-4:-2])
    assert np.abs(grad[-4:] / np.r_[scale * 100, 1, 1]).max() < 1e-4
    for k in range(4):
        other = theta.copy()
        other[-4 + k] += 1e-3
        assert net.value(other, X, y, weight) > value


def heteroscedastic(seed, n=500):
    """Draws of y = sin(a x) + sigma(x) e, and log sigma(x), which is a line."""
    rng = np.random.default_rng(seed)
    a, level, slope = rng.uniform(0.7, 2.0), rng.uniform(-2.0, -0.5), rng.uniform(-0.6, 0.6)
    x = rng.uniform(-2, 2, size=n)
    log_sigma = level + slope * x
    return x[:, None], np.sin(a * x) + np.exp(log_sigma) * rng.normal(size=n), log_sigma


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
