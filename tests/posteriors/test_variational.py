"""Mean-field posteriors: exact gradients, the known optimum of the bound, and a bound it is."""

import _thread
import threading
import warnings

import numpy as np
import pytest

from fastmlp import BayesianMLPRegressor, Network
from fastmlp.penalties import L2
from fastmlp.posteriors import Ensemble, Laplace, Variational
from fastmlp.posteriors._bound import Bound
from fastmlp.posteriors.variational import _Mirrored
from fastmlp.solvers import LevenbergMarquardt, minimize
from fastmlp.threads import blas_threads

N_NEW = 1500


def data(n=40, d=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, np.sin(X.sum(1)) + 0.3 * rng.normal(size=n), rng.uniform(0.5, 2, n)


class Squared:
    """Half the squared error, by the user."""

    def value_grad(self, raw, y):
        away = raw - y.reshape(raw.shape)
        return 0.5 * (away**2).sum(1), away


@pytest.mark.parametrize("activation", ["tanh", "relu", "silu"])
@pytest.mark.parametrize(
    ("loss", "strengths", "noise"),
    [
        ("squared_error", "layer", None),
        ("squared_error", "fixed", None),
        ("squared_error", "single", 0.5),
        ("normal", "layer", None),
        ("log_loss", "ard", None),
        (Squared(), "layer", None),
    ],
)
def test_gradients_are_those_of_differences(loss, strengths, noise, activation):
    X, y, w = data()
    y = (y > 0).astype(float) if loss == "log_loss" else y
    net = Network([2, 4, 3, 1], activation=activation, loss=loss)
    objective = net.objective(X, y, sample_weight=w, scales=(np.full(2, 0.1), np.full(2, 1.5)))
    objective = objective.with_penalty(L2(objective.prior("single").penalty.groups, 0.01))
    bound = Bound(objective, noise, strengths)
    q = bound.start(net.init(random_state=1))
    q += 0.1 * np.random.default_rng(1).normal(size=q.size)
    rows = np.arange(0, 40, 2)

    def value(q):
        return bound.value_grad(q, rows, np.random.default_rng(5))[0]

    _, grad = bound.value_grad(q, rows, np.random.default_rng(5))
    units = np.eye(q.size) * 1e-6
    differences = np.array([(value(q + u) - value(q - u)) / 2e-6 for u in units])
    assert np.allclose(grad, differences, atol=2e-6 * np.abs(grad).max())
    assert (np.abs(grad[: 2 * net.n_params]) > 0).mean() > 0.9
    assert (grad[-1] != 0) == (loss == "squared_error" and noise is None)


def test_the_optimum_of_a_linear_network_has_the_precisions_diagonal():
    """q's precisions are the diagonal of the posterior's; its means are the posterior's."""
    X, y, _ = data(60, 3)
    X[:, 1] += X[:, 0]  # so that it is not the diagonal of the covariance
    net, noise, strength = Network([3, 1]), 0.5, 2.0
    objective = net.objective(X, y)
    groups = objective.prior().penalty.groups
    objective = objective.with_penalty(L2(groups, strength * noise**2 / 60))
    A = np.c_[X, np.ones(60)]
    precision = A.T @ A / noise**2 + strength * np.diag([1, 1, 1, 0])
    mean = np.linalg.solve(precision, A.T @ y / noise**2)

    class Elsewhere(Variational):
        """Not where the curvature says."""

        def _climb(self, bound, q, rng, n, batch):
            q[4:8] -= 1.0
            return super()._climb(bound, q, rng, n, batch)

    posterior = Elsewhere(3000, strengths="fixed", fixed_noise=noise, learning_rate=0.02).fit(
        objective, np.zeros(4), random_state=0
    )
    assert np.allclose(posterior.scales, np.diag(precision) ** -0.5, rtol=0.05)
    assert np.allclose(posterior.theta, mean, atol=0.1 * posterior.scales.min())
    # The bound falls short of the evidence by KL(q || posterior).
    evidence = -0.5 * np.sum((y - A @ mean) ** 2) / noise**2 - 60 * np.log(noise)
    evidence += -0.5 * strength * mean[:3] @ mean[:3] - 30 * np.log(2 * np.pi)
    evidence += 1.5 * np.log(strength) - 0.5 * np.linalg.slogdet(precision)[1]
    evidence += 0.5 * np.log(2 * np.pi)  # of the flat one
    gap = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    assert gap > 0.3
    assert posterior.log_marginal_likelihood == pytest.approx(evidence - gap, abs=1.0)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_toy_is_calibrated(dtype):
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, (300, 1)).astype(dtype)
    y = (np.sin(2 * X[:, 0]) + 0.2 * rng.normal(size=300)).astype(dtype)
    net = Network([1, 10, 1], activation="tanh", dtype=dtype)
    train = lambda o, t, r: minimize(o, t, solver=LevenbergMarquardt(evidence=True))  # noqa: E731
    posterior = Variational(1500).fit(
        net.objective(X[:150], y[:150]), net.init(random_state=0), train=train, random_state=0
    )
    assert abs(posterior.noise / 0.2 - 1) < 0.3
    raw = posterior.raws(X[150:], 200, 0)
    spread = np.sqrt(raw.mean[..., 0].var(0) + posterior.noise**2)
    z = (y[150:] - raw.mean[..., 0].mean(0)) / spread
    assert 0.8 < (np.abs(z) < 1.645).mean() < 0.98
    assert 0.005 < raw.mean[..., 0].std(0).mean() < 0.2
    assert len(posterior.curve) == 100 and np.isfinite(posterior.curve).all()
    assert posterior.strengths_found.shape == (3,)


def drawn(seed):
    """40 to 400 rows of 1 or 5 features, waves with a noise of 5 to 70 % of their spread."""
    rng = np.random.default_rng([seed, 53])
    n, d = int(np.exp(rng.uniform(np.log(40), np.log(400)))), (1, 5)[seed % 2]
    X, k = rng.uniform(-1.7, 1.7, (n + N_NEW, d)), min(d, 2)
    A = rng.normal(size=(d, k)) / np.sqrt(d)
    f = np.sin(X @ A * rng.uniform(1, 2) + rng.uniform(0, 6, k)).sum(axis=1)
    f += 0.5 * X @ rng.normal(size=d) / np.sqrt(d)
    f = (f - f.mean()) / f.std()
    noise = np.exp(rng.uniform(np.log(0.05), np.log(0.7)))
    y = f + noise * rng.normal(size=len(X))
    return X, y, -0.5 * ((y - f) / noise) ** 2 - np.log(noise) - 0.5 * np.log(2 * np.pi), n


def judged(seed, posterior):
    """Share of 90 % intervals that hold on new rows, and nats a row lost to the truth."""
    X, y, truth, n = drawn(seed)
    with warnings.catch_warnings(), blas_threads(1):
        warnings.simplefilter("ignore")
        model = BayesianMLPRegressor(posterior=posterior, random_state=0, n_threads=1)
        dist = model.fit(X[:n], y[:n]).predict_dist(X[n:])
    lower, upper = dist.interval(0.9)
    held = (lower <= y[n:]) & (y[n:] <= upper)
    return held.mean(), (truth[n:] - dist.logpdf(y[n:])).mean()


def test_few_rows_have_a_noise_in_brief():
    """58 rows, five features: with one strength in training there was none, and q had no width."""
    held, lost = judged(1, Variational(800))
    assert 0.8 < held and lost < 3


@pytest.mark.slow
def test_ninety_percent_intervals_hold_at_least_that():
    """Strengths in training that are alike: 85 % in the mean, 0 at worst, no end of nats."""
    held, lost = np.array([judged(seed, Variational()) for seed in range(24)]).T
    by_laplace = np.array([judged(seed, Laplace(n_starts=1))[1] for seed in range(24)])
    assert 0.88 < held.mean() < 0.95 and held.min() > 0.8, held
    assert lost.max() < 6 and np.median(lost - by_laplace) < 0.35, lost


def with_rare_flags(seed, least=1000, most=8000):
    """Noise that depends on x; some features are 1 in two rows or four, which a fit goes through:
    their scales are next to zero, and so steep is the bound there."""
    rng = np.random.default_rng([seed, 72])
    n = int(np.exp(rng.uniform(np.log(least), np.log(most))))
    X = rng.normal(size=(n + N_NEW, 3))
    A = rng.normal(size=(3, 2)) / np.sqrt(3)
    f = np.sin(X @ A * rng.uniform(1, 2) + rng.uniform(0, 6, 2)).sum(1)
    f = (f - f.mean()) / f.std()
    s = np.exp(rng.uniform(np.log(0.03), np.log(0.7)))
    s = s * np.exp(rng.uniform(0, 1) * np.tanh(X @ rng.normal(size=3)))
    flags = rng.random((len(X), 4)) < np.array([2, 2, 4, 100]) / n
    y = f + s * rng.normal(size=len(X)) + flags @ rng.normal(size=4)
    return np.c_[X, flags], y, n


def nats(posterior, X, y, n):
    """Minus the mean log density of new rows without rare flags, by a Normal in each row."""
    model = BayesianMLPRegressor(
        ("normal", {"scale": "row"}), (10,), posterior=posterior, random_state=0, n_threads=1
    )
    with warnings.catch_warnings(), blas_threads(1):
        warnings.simplefilter("ignore")
        found = model.fit(X[:n], y[:n]).predict_dist(X[n:]).logpdf(y[n:])
    return -found[~X[n:, 3:6].any(axis=1)].mean()


def test_many_rows_lose_little_to_a_point_in_brief():
    """4,195 rows: -1.79 trained once; -0.7 by Adam that remembers a steep row for long."""
    assert nats(Variational(), *with_rare_flags(6)) < -1.6


@pytest.mark.slow
def test_many_rows_lose_little_to_a_point():
    """A thousand rows and more for 102 parameters: averaged over q about as good as trained once.

    Where Adam remembers steep rows: 0.7 and 1.1 nats a row in two of them.
    """
    problems = [with_rare_flags(seed) for seed in (0, 2, 5, 6, 7)]
    plain = np.array([nats(Ensemble(1), *problem) for problem in problems])
    by_laplace = np.array([nats(Laplace(n_starts=1), *problem) for problem in problems])
    lost = np.array([nats(Variational(), *problem) for problem in problems])
    lost -= np.minimum(plain, by_laplace)
    assert np.median(lost) < 0.15 and lost.max() < 0.4, lost


def test_draws_come_in_pairs():
    draws = _Mirrored(np.random.default_rng(0))
    one = draws.standard_normal(5, np.float64).copy()
    assert np.array_equal(draws.standard_normal(5, np.float64), -one)
    three = draws.standard_normal(5, np.float64).copy()
    assert not np.isin(np.abs(three), np.abs(one)).any()
    assert not np.isin(np.abs(draws.standard_normal(4, np.float64)), np.abs(three)).any()


def test_the_same_seed_is_the_same_posterior_and_bad_rows_count_as_weighed():
    X, y, _ = data()
    net = Network([2, 3, 1], activation="tanh")
    w = np.ones(40)
    w[30:] = 0
    theta = net.init(random_state=0)
    one, two = (
        Variational(50).fit(net.objective(X, y, sample_weight=w), theta, random_state=4)
        for _ in range(2)
    )
    assert np.array_equal(one.theta, two.theta) and np.array_equal(one.scales, two.scales)
    spoilt = y.copy()
    spoilt[30:] = 1e6
    other = Variational(50).fit(net.objective(X, spoilt, sample_weight=w), theta, random_state=4)
    assert np.array_equal(one.theta, other.theta)


def test_time_and_ctrl_c_keep_what_there_is():
    X, y, _ = data()
    net = Network([2, 3, 1])
    objective, theta = net.objective(X, y), net.init(random_state=0)
    with pytest.warns(RuntimeWarning, match="Ended early: [0-9]+ of 1000000 steps"):
        posterior = Variational(10**6, max_time=0.1).fit(objective, theta, random_state=0)
    assert np.isfinite(posterior.scales).all()
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    with pytest.warns(RuntimeWarning, match="Ended early"):
        Variational(10**7).fit(objective, theta, random_state=0)
    timer.join()


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"n_steps": 0}, "n_steps"),
        ({"batch_size": 0}, "batch_size"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"strengths": "layers"}, "layer"),
        ({"strengths": "fixed"}, "leaves b1 free"),
        ({"max_time": -1}, "max_time"),
        ({"fixed_noise": 0.0}, "fixed_noise"),
    ],
)
def test_what_cannot_be_is_said(params, match):
    X, y, _ = data()
    net = Network([2, 3, 1])
    with pytest.raises(ValueError, match=match):
        Variational(**params).fit(net.objective(X, y, alpha=1.0), net.init(random_state=0))


def test_weights_near_zero_leave_the_prior(rng):
    net = Network([2, 3, 1])
    objective = net.objective(
        rng.normal(size=(20, 2)), rng.normal(size=20), sample_weight=np.full(20, 1e-300)
    )
    posterior = Variational(50).fit(objective, net.init(random_state=0), random_state=0)
    assert np.isfinite(posterior.theta).all() and np.isfinite(posterior.scales).all()
