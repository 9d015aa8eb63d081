"""Chains: against quadrature and closed forms, reproducible, and honest about what went wrong."""

import _thread
import threading
import time

import numpy as np
import pytest
from fastmlp._core.trajectory import Stretch
from scipy import stats
from sklearn.linear_model import BayesianRidge

from fastmlp import Network
from fastmlp.penalties import L2, Groups
from fastmlp.posteriors import MCMC, _diagnostics, _nuts
from fastmlp.posteriors._density import LOG_SPREAD, SHAPE, WIDTH, Density
from fastmlp.solvers import minimize

SMALL = {"n_chains": 2, "n_warmup": 60, "n_draws": 60}


def problem(layers=(2, 3, 1), n=40, noise=0.2, seed=0, **network):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, layers[0]))
    y = np.sin(X.sum(1)) + noise * rng.normal(size=n)
    net = Network(layers, activation="tanh", **network)
    return net, X, y


def held(objective, strength):
    """The objective under a proper prior, of precision ``strength`` for unit noise."""
    prior = objective.prior("single").penalty
    return objective.with_penalty(L2(prior.groups, strength / objective.weight_sum))


def within(draws, mean, sd, wide=4.5):
    """Means and standard deviations agree up to Monte Carlo error; draws (chains, n)."""
    ess = _diagnostics.ess_bulk(draws)
    assert ess > 200
    assert abs(draws.mean() - mean) < wide * sd / np.sqrt(ess)
    assert abs(draws.std() / sd - 1) < wide / np.sqrt(ess)


# -- the sampler -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("step", [0.05, 0.3, 40.0])
def test_native_stretches_are_those_of_the_formulas(rng, step, sign):
    net, X, y = problem()
    density = Density(held(net.objective(X, y), 1.0), 0.3, None)
    density.begin(net.init(random_state=1))
    q, p = rng.normal(size=(2, net.n_params))
    energy, grad = density.value_grad(q)
    metric = density.metric
    native, python = Stretch(q, p, grad), Stretch(q, p, grad)
    log_u = np.log(rng.random(32))
    args = metric, sign * step, energy + 0.5 * metric @ p**2, log_u
    density.grow(native, *args)
    _nuts.grow(density.value_grad, python, *args)
    assert native.end == python.end and native.n_leaves == python.n_leaves
    assert np.isclose(native.log_weight, python.log_weight) or step == 40
    for name in ("q", "p", "grad", "p_sum", "chosen"):
        assert np.allclose(getattr(native, name), getattr(python, name), rtol=1e-6, equal_nan=True)
    assert native.end == {0.05: _nuts.WHOLE, 40.0: _nuts.DIVERGED}.get(step, native.end)


def test_energy_errors_fall_with_the_square_of_the_step(rng):
    net, X, y = problem()
    density = Density(held(net.objective(X, y), 1.0), 0.3, None)
    density.begin(net.init(random_state=1))
    q, p = density._term.network.init(random_state=1), rng.normal(size=net.n_params)
    metric = density.metric
    p /= np.sqrt(metric)
    energy, grad = density.value_grad(q)
    H0, errors = energy + 0.5 * metric @ p**2, []
    for n in (16, 32, 64):
        at = Stretch(q, p, grad)
        for _ in range(n):  # a leaf at a time: no turn is looked for
            density.grow(at, metric, 0.8 / n, H0, np.zeros(1))
        errors.append(density.value_grad(at.q)[0] + 0.5 * metric @ at.p**2 - H0)
    assert 3 < errors[0] / errors[1] < 5 and 3.5 < errors[1] / errors[2] < 4.5


class Plain:
    """A density in Python as a target."""

    def __init__(self, value_grad, n):
        self.value_grad, self.metric = value_grad, np.ones(n)

    def grow(self, *stretch):
        _nuts.grow(self.value_grad, *stretch)

    def refresh(self, q, rng):
        return q

    def learn(self, window):
        self.metric = window.var(0)

    def others(self):
        return np.empty(0)


def test_a_density_in_python(rng):
    cov = np.array([[1.0, 0.9], [0.9, 4.0]])
    precision = np.linalg.inv(cov)
    target = Plain(lambda q: (0.5 * q @ precision @ q, precision @ q), 2)
    chains = [_nuts.Sampler(target, np.ones(2), np.random.default_rng(k)) for k in range(2)]
    for chain in chains:
        chain.warm_up(200)
        chain.run(800)
    q = np.array([[draw.q for draw in chain.draws] for chain in chains])
    for k in range(2):
        within(q[..., k], 0, np.sqrt(cov[k, k]))
    assert abs(np.corrcoef(q.reshape(-1, 2).T)[0, 1] - 0.45) < 0.1
    accept = np.mean([draw.accept for chain in chains for draw in chain.draws])
    assert 0.7 < accept < 0.95


# -- posteriors that are known ---------------------------------------------------------------------


def test_linear_regression_with_given_noise_has_its_normal_posterior():
    net, X, y = problem((3, 1))
    noise, strength = 0.4, 3.0
    objective = held(net.objective(X, y), strength * noise**2)
    posterior = MCMC(2, 300, 600, groups=None, fixed_noise=noise).fit(
        objective, np.zeros(4), random_state=0
    )
    A = np.c_[X, np.ones(len(X))]
    cov = np.linalg.inv(A.T @ A / noise**2 + strength * np.diag([1, 1, 1, 0]))
    mean = cov @ A.T @ y / noise**2
    for k in range(4):
        within(posterior.draws[..., k], mean[k], np.sqrt(cov[k, k]))
    assert np.allclose(np.cov(posterior.draws.reshape(-1, 4).T), cov, atol=0.15 * cov.max())
    assert posterior.noise == pytest.approx(noise) and posterior.n_divergences == 0
    assert posterior.r_hat < 1.02


def test_logistic_regression_by_quadrature():
    net, X, _ = problem((1, 1), n=12, loss="log_loss")
    y = (X[:, 0] + 0.5 * np.sin(9 * X[:, 0]) > 0).astype(float)
    objective = held(net.objective(X, y), 0.5)
    posterior = MCMC(2, 300, 600, groups=None).fit(objective, np.zeros(2), random_state=1)
    grid = np.stack(np.meshgrid(np.linspace(-4, 14, 400), np.linspace(-8, 8, 400)), -1)
    energy = np.logaddexp(0, -(2 * y - 1) * (grid[..., :1] * X[:, 0] + grid[..., 1:])).sum(-1)
    p = np.exp(-energy - 0.25 * grid[..., 0] ** 2)
    p /= p.sum()
    for k in range(2):
        mean = (p * grid[..., k]).sum()
        within(posterior.draws[..., k], mean, np.sqrt((p * (grid[..., k] - mean) ** 2).sum()))


def test_noise_and_strength_by_quadrature():
    """Given both, theta is integrated in closed form; what is left is a grid of two dimensions."""
    net, X, y = problem((2, 1), n=15, noise=0.5)
    posterior = MCMC(2, 300, 800).fit(net.objective(X, y), np.zeros(3), random_state=2)
    A = np.c_[X, np.ones(len(X))]
    log_alpha, log_beta = np.meshgrid(np.linspace(-12, 9, 64), np.linspace(-2, 5, 48))
    log_p = np.empty_like(log_alpha)
    least = SHAPE * WIDTH**2 * y.var()
    for at in np.ndindex(log_p.shape):
        alpha, beta = np.exp(log_alpha[at]), np.exp(log_beta[at])
        H = beta * A.T @ A + alpha * np.diag([1, 1, 0])
        rest = beta * (y @ y - beta * A.T @ y @ np.linalg.solve(H, A.T @ y))
        log_p[at] = 7.5 * log_beta[at] + log_alpha[at] - 0.5 * rest
        log_p[at] += -0.5 * np.linalg.slogdet(H)[1]
        log_p[at] += SHAPE * log_beta[at] - least * beta
        log_p[at] -= 0.5 * (log_alpha[at] / LOG_SPREAD) ** 2
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    for found, grid in (
        (-2 * np.log(posterior.noise_draws), log_beta),
        (np.log(posterior.strength_draws[..., 0]), log_alpha),
    ):
        mean = (p * grid).sum()
        within(found, mean, np.sqrt((p * (grid - mean) ** 2).sum()))


def test_a_linear_network_has_the_posterior_of_bayesian_ridge():
    """Which takes the likeliest noise and strength: with many rows these are as good as known."""
    net, X, y = problem((3, 1), n=400, noise=0.5)
    ridge = BayesianRidge().fit(X, y)
    posterior = MCMC(2, 200, 500).fit(net.objective(X, y), np.zeros(4), random_state=0)
    draws = posterior.draws.reshape(-1, 4)[:, :3]
    sd = np.sqrt(np.diag(ridge.sigma_))
    assert (np.abs(draws.mean(0) - ridge.coef_) < 0.25 * sd).all()
    assert np.allclose(np.cov(draws.T), ridge.sigma_, atol=0.2 * sd.max() ** 2)
    assert posterior.noise == pytest.approx(ridge.alpha_**-0.5, rel=0.02)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_spread_where_there_are_no_data():
    rng = np.random.default_rng(0)
    X = np.r_[rng.uniform(-2, -1, 20), rng.uniform(1, 2, 20)][:, None]
    y = np.sin(2 * X[:, 0]) + 0.1 * rng.normal(size=40)
    net = Network([1, 6, 1], activation="tanh")
    posterior = MCMC(2, 200, 200).fit(net.objective(X, y), net.init(random_state=0), random_state=0)
    spread = posterior.functions([[-1.5], [0.0], [1.5]], 200, 0)[..., 0].std(0)
    assert spread[1] > 2.5 * max(spread[0], spread[2])


def test_classes_whose_raw_outputs_may_all_move_together():
    """Only their differences count: a flat density of the biases would let chains walk away."""
    _, X, _ = problem()
    y = np.digitize(X[:, 0] + 0.5 * np.sin(7 * X[:, 1]), [-0.5, 0.5])
    net = Network([2, 3], loss="log_loss")
    posterior = MCMC(2, 200, 300).fit(
        net.objective(X, np.eye(3)[y]), net.init(random_state=0), random_state=0
    )
    assert posterior.r_hat < 1.05
    biases = posterior.draws[..., -3:].reshape(-1, 3)
    assert 3 < biases.mean(1).std() < 10


class Squared:
    """Half the squared error, by the user."""

    def value_grad(self, raw, y):
        away = raw - y.reshape(raw.shape)
        return 0.5 * (away**2).sum(1), away


@pytest.mark.filterwarnings("ignore:The chains did not mix")
def test_losses_in_python_and_without_curvature():
    _, X, y = problem((1, 1))
    means = []
    for loss, noise in ((Squared(), None), ("squared_error", 1.0), ("absolute_error", None)):
        objective = held(Network([1, 1], loss=loss).objective(X, y), 1.0)
        posterior = MCMC(2, 200, 200, groups=None, fixed_noise=noise).fit(
            objective, np.zeros(2), random_state=0
        )
        means.append(posterior.draws.mean((0, 1)))
    assert np.allclose(means[0], means[1], atol=0.08)
    assert np.allclose(means[0], means[2], atol=0.3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_ranks_of_the_truth_are_uniform():
    """Simulation-based calibration: Talts et al., arXiv:1804.06788 (2018)."""
    net = Network([1, 2, 1], activation="tanh")
    X, noise, ranks = np.linspace(-2, 2, 12)[:, None], 0.3, []
    prior = L2(Groups(("all",), np.zeros(net.n_params, int)), noise**2 / 12)  # N(0, 1), all of it

    def looks(theta):
        return [*net.raw(theta, [[0.7], [-3.0]])[:, 0], theta @ theta]

    for seed in range(100):
        rng = np.random.default_rng(seed)
        theta = rng.normal(size=net.n_params)
        y = net.raw(theta, X)[:, 0] + noise * rng.normal(size=12)
        posterior = MCMC(2, 120, 150, groups=None, fixed_noise=noise).fit(
            net.objective(X, y).with_penalty(prior),
            rng.normal(size=net.n_params),
            random_state=seed,
        )
        few = posterior.draws[:, ::10].reshape(-1, net.n_params)
        ranks.append(np.mean([np.less(looks(other), looks(theta)) for other in few], axis=0))
    for column in np.transpose(ranks):
        assert stats.kstest(column + 0.5 / 31, "uniform").pvalue > 1e-3


# -- what is promised ------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_same_seed_draws_the_same_whatever_the_threads():
    net, X, y = problem()
    posteriors = [
        MCMC(3, 30, 20).fit(
            net.objective(X, y), net.init(random_state=0), random_state=3, n_threads=n
        )
        for n in (1, 2, 3)
    ]
    for other in posteriors[1:]:
        assert np.array_equal(posteriors[0].draws, other.draws)
        assert np.array_equal(posteriors[0].noise_draws, other.noise_draws)
    assert not np.array_equal(*posteriors[0].draws[:2])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_draws_in_float32_are_those_of_float64():
    posteriors = []
    for dtype in (np.float32, np.float64):
        net, X, y = problem(dtype=dtype)
        X, y = X.astype(np.float32), y.astype(np.float32)
        theta = net.init(random_state=0).astype(np.float32)
        posteriors.append(MCMC(1, 20, 20).fit(net.objective(X, y), theta, random_state=0))
    assert np.array_equal(posteriors[0].draws, posteriors[1].draws)
    assert posteriors[0].raws(X, 3, 0).mean.shape == (3, 40, 1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_draws_belong_to_their_noise_and_none_comes_twice():
    net, X, y = problem((1, 1))
    posterior = MCMC(**SMALL).fit(net.objective(X, y), np.zeros(2), random_state=0)
    theta, noise = posterior.draw(120, 0)
    everything = posterior.draws.reshape(-1, 2), posterior.noise_draws.ravel()
    order = np.lexsort(theta.T), np.lexsort(everything[0].T)
    assert np.array_equal(theta[order[0]], everything[0][order[1]])
    assert np.array_equal(noise[order[0]], everything[1][order[1]])
    assert posterior.draw(250, 0)[0].shape == (250, 2)
    assert posterior.log_marginal_likelihood is None


@pytest.mark.filterwarnings("ignore:.*trajectories diverged")
def test_chains_in_two_valleys_are_told_of():
    """Two chains, each in a minimum of its own of a function that they cannot leave."""
    net, X, y = problem((2, 8, 1), noise=0.02, n=100)
    starts = iter([net.init(random_state=0), 5 * net.init(random_state=1)])

    def train(objective, theta, random_state):
        return minimize(objective, next(starts), max_iter=2)

    with pytest.warns(RuntimeWarning, match=r"did not mix: R-hat is \d"):
        posterior = MCMC(2, 0, 20, groups=None, fixed_noise=0.02).fit(
            held(net.objective(X, y), 1e-3),
            np.zeros(net.n_params),
            train=train,
            n_threads=1,
            random_state=0,
        )
    assert posterior.r_hat > 1.05


@pytest.mark.filterwarnings("ignore:The chains did not mix", "ignore:.*trajectories diverged")
def test_time_and_ctrl_c_keep_what_there_is():
    net, X, y = problem((2, 8, 1))
    objective, theta = net.objective(X, y), net.init(random_state=0)
    begin = time.perf_counter()
    with pytest.warns(RuntimeWarning, match="Ended early: 2 of 2 chains with [0-9]+ of 100000"):
        posterior = MCMC(2, 100_000, 100_000, max_time=0.4).fit(objective, theta, random_state=0)
    assert time.perf_counter() - begin < 20
    assert np.isfinite(posterior.draws).all() and posterior.draws.shape[1] >= 1

    timer = threading.Timer(0.6, _thread.interrupt_main)
    timer.start()
    with pytest.warns(RuntimeWarning, match="Ended early"):
        posterior = MCMC(2, 10, 1_000_000).fit(objective, theta, random_state=0)
    timer.join()
    assert posterior.draws.shape[1] >= 4
    timer = threading.Timer(0.5, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        MCMC(2, 1_000_000, 10).fit(objective, theta, random_state=0)
    timer.join()


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"n_chains": 0}, ValueError, "n_chains must be at least 1"),
        ({"n_draws": 0}, ValueError, "n_draws"),
        ({"target_accept": 1.0}, ValueError, "target_accept must be in"),
        ({"groups": "layers"}, ValueError, "layer"),
        ({"fixed_noise": -1.0}, ValueError, "fixed_noise"),
        ({"max_time": 0}, ValueError, "max_time"),
        ({"n_draws": 10**12}, MemoryError, "GiB"),
        ({"groups": None}, ValueError, "leaves b1 free"),
        ({"groups": np.array([1, 2])}, ValueError, "groups must be"),
        ({"fixed_noise": 1e-300}, ValueError, "fixed_noise must be from"),
    ],
)
def test_what_cannot_be_is_said(params, error, match):
    net, X, y = problem()
    with pytest.raises(error, match=match):
        MCMC(**params).fit(net.objective(X, y, alpha=1.0), net.init(random_state=0))


def test_noise_of_a_loss_that_leaves_none_open():
    net, X, y = problem(loss="poisson")
    with pytest.raises(ValueError, match="fixed_noise=1.0 needs a loss"):
        MCMC(fixed_noise=1.0).fit(net.objective(X, np.abs(y)), net.init(random_state=0))


# -- diagnostics -----------------------------------------------------------------------------------


def drawn_chains(seed):
    rng = np.random.default_rng(seed)
    m, n, rho = rng.integers(2, 6), rng.integers(4, 200), rng.uniform(-0.95, 0.99)
    x = rng.standard_t(3, size=(m, n))
    for i in range(1, n):
        x[:, i] += rho * x[:, i - 1]
    return x + rng.normal(0, rng.choice([0, 0.5]), (m, 1))


def test_diagnostics_are_those_of_arviz():
    arviz = pytest.importorskip("arviz")
    for seed in range(30):
        x = drawn_chains(seed)
        assert np.isclose(_diagnostics.r_hat(x), arviz.rhat(x))
        assert np.isclose(_diagnostics.ess_bulk(x), arviz.ess(x, method="bulk"))
        if (x.size - 1) % 20:  # else the quantile is a draw, on either side of it by rounding
            assert np.isclose(_diagnostics.ess_tail(x), arviz.ess(x, method="tail"))


def test_effective_sizes_of_autoregressions_and_r_hat_of_chains_apart():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 5000))
    assert abs(_diagnostics.ess_bulk(x) / x.size - 1) < 0.1
    rho = 0.8
    for i in range(1, 5000):
        x[:, i] += rho * x[:, i - 1]
    assert abs(_diagnostics.ess_bulk(x) / x.size / ((1 - rho) / (1 + rho)) - 1) < 0.2
    assert _diagnostics.r_hat(x) < 1.01
    assert _diagnostics.r_hat(x + 3 * np.arange(4)[:, None]) > 1.2
    assert _diagnostics.r_hat(x * 3.0 ** np.arange(4)[:, None]) > 1.2  # of other spread
    assert _diagnostics.r_hat(np.ones((2, 8))) == 1.0
    assert np.isnan(_diagnostics.r_hat(np.full((2, 8), np.nan)))
