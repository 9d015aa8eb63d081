"""The losses of many raw outputs per target: ends of their range, parameters, what solvers find."""

import numpy as np
import pytest
from scipy import special

from fastmlp import Network
from fastmlp.distributions import Histogram, NormalMixture
from fastmlp.solvers import Adam, minimize

MIXTURE = ("mixture", {"components": 3, "floor": 0.01})
HISTOGRAM = ("histogram", {"bins": 40})
CRPS = ("histogram_crps", {"widths": tuple(1 + np.arange(40) % 3)})
QUANTILES = ("quantiles", {"levels": tuple(np.arange(1, 20) / 20)})
MANY = [MIXTURE, HISTOGRAM, CRPS, QUANTILES]
each = pytest.mark.parametrize("loss", MANY, ids=[name for name, _ in MANY])


def of_raw(loss, n_targets=1, dtype=np.float64):
    """A network whose raw outputs are its inputs, and the theta that makes it so."""
    n_raw = Network([1, n_targets], loss=loss).n_raw
    net = Network([n_raw, n_targets], loss=loss, dtype=dtype)
    return net, net.pack([np.eye(n_raw)], [np.zeros(n_raw)])


@each
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_ends_of_the_range(loss, dtype, rng):
    net, theta = of_raw(loss, 2, dtype)
    raw = rng.choice([-700.0, -80.0, 0.0, 80.0, 700.0], size=(200, net.n_raw)).astype(dtype)
    for y in (np.zeros((200, 2)), np.full((200, 2), 39.99), np.full((200, 2), 40.0)):
        value, grad = net.value_grad(theta, raw, y)
        assert np.isfinite(value) and np.isfinite(grad).all()
        if net._loss.curved and dtype == np.float64:
            v = rng.normal(size=net.n_params)
            for name in ("ggn_mul", "hess_mul"):
                assert np.isfinite(getattr(net, name)(theta, raw, y, v)).all()


def test_the_density_of_a_mixture(rng):
    net, theta = of_raw(MIXTURE)
    for _ in range(50):
        raw, y = 3 * rng.normal(size=(1, 9)), 3 * rng.normal(size=1)
        logits, m, s = np.split(raw, 3, axis=1)
        dist = NormalMixture(special.softmax(logits, axis=1), m, 0.01 + np.exp(s))
        np.testing.assert_allclose(net.value(theta, raw, y), -dist.logpdf(y)[0], rtol=1e-10)


def test_scores_of_a_histogram(rng):
    widths = np.array(CRPS[1]["widths"])
    edges = np.r_[0, np.cumsum(widths)]
    for at in (*rng.uniform(0, 40, size=30), 0.0, 7.0, 40.0):
        raw = 3 * rng.normal(size=(1, 40))
        dist, y = Histogram(special.softmax(raw, axis=1), edges), np.interp(at, range(41), edges)
        (net, theta), (other, _) = of_raw(CRPS), of_raw(HISTOGRAM)
        np.testing.assert_allclose(net.value(theta, raw, [at]), dist.crps([y])[0], rtol=1e-10)
        width = widths[min(int(at), 39)]
        value = other.value(theta, raw, [at]) + np.log(width)
        np.testing.assert_allclose(value, -dist.logpdf([y])[0], rtol=1e-10)


def test_one_component_is_a_normal(rng):
    X, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    normal = Network([3, 4, 2], "tanh", loss="normal")
    single = Network([3, 4, 2], "tanh", loss=("mixture", {"components": 1, "floor": 1e-12}))
    theta = normal.init(random_state=0)
    coefs, intercepts = normal.unpack(theta)
    coefs[-1], intercepts[-1] = np.c_[np.zeros((4, 2)), coefs[-1]], np.r_[0, 0, intercepts[-1]]
    wide = single.pack(coefs, intercepts)
    kept = wide.copy()
    np.testing.assert_allclose(single.value(wide, X, y), normal.value(theta, X, y), rtol=1e-9)
    kept[:] = 1
    at = np.concatenate([s.of(np.arange(wide.size)).ravel() for s in single.segments[:2]])
    W, b = (s.of(np.arange(wide.size)) for s in single.segments[2:])
    at = np.r_[at, W[:, 2:].ravel(), b[2:]].astype(int)
    for name in ("hessian", "ggn"):
        ours, theirs = getattr(single, name)(wide, X, y), getattr(normal, name)(theta, X, y)
        np.testing.assert_allclose(ours[np.ix_(at, at)], theirs, rtol=1e-8, atol=1e-9)


def test_components_cannot_collapse():
    """On a target that repeats, -log p is at least log(floor sqrt(2 pi))."""
    net = Network([1, 1], loss=("mixture", {"components": 2, "floor": 0.05}))
    X, y = np.zeros((50, 1)), np.repeat([0.0, 1.0], 25)
    theta = net.init(init="zeros", y=y)
    found = minimize(net.objective(X, y), theta, solver="lbfgs", max_iter=500)
    least = np.log(0.05 * np.sqrt(2 * np.pi)) + np.log(2)  # each has half of the weight
    assert least - 1e-9 <= found.loss < least + 0.1


def bimodal(seed, n=300):
    """Draws of y = 2 s sin(a x) + 0.15 e, with a sign s that x does not tell, and their truth."""
    rng = np.random.default_rng(seed)
    a, share = rng.uniform(1.0, 2.0), rng.uniform(0.3, 0.7)
    x = rng.uniform(-1, 1, size=n)
    mean = 2 * np.sin(a * x)
    y = np.where(rng.random(n) < share, mean, -mean) + 0.15 * rng.normal(size=n)
    truth = NormalMixture(np.tile([share, 1 - share], (n, 1)), np.c_[mean, -mean], [[0.15, 0.15]])
    return x[:, None], y, truth


WAYS = {
    "adam": (Adam(learning_rate_init=0.02, batch_size=50), 100),
    "lbfgs": ("lbfgs", 150),
    "lm": ("lm", 25),
    "newton": ("newton", 25),
    "newton-cg": ("newton-cg", 40),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("loss", ["mixture", "histogram", "histogram_crps"])
def test_solvers_find_two_branches(loss, way):
    """Over drawn problems: from the marginal, most of the way to the truth's own score."""
    solver, max_iter = WAYS[way]
    gained = []
    for seed in range(2):
        X, y, truth = bimodal(seed)
        spec = (loss, {"components": 2, "floor": 1e-3} if loss == "mixture" else {"bins": 8})
        edges = np.linspace(-3, 3, 9)
        targets = y if loss == "mixture" else np.interp(y, edges, range(9))
        net = Network([1, 6, 1], "tanh", loss=spec)
        theta = net.init(random_state=seed, y=targets)
        objective = net.objective(X, targets, alpha=0.02)
        found = minimize(
            objective, theta, solver=solver, max_iter=max_iter, tol=1e-5, random_state=seed
        ).theta
        flat = net.init(init="zeros", y=targets)
        if loss == "mixture":
            best = -truth.logpdf(y).mean()
        elif loss == "histogram":
            shares = np.diff(truth[:, None].cdf(edges))
            best = -np.log(shares[range(len(y)), targets.astype(int)]).mean()
        else:
            best = truth.crps(y).mean() / 0.75  # in widths of a bin
        start, end = (net.value(at, X, targets) for at in (flat, found))
        gained.append((start - end) / (start - best))
    assert min(gained) > 0.5, gained


def test_a_quantile_that_is_met_pulls_nowhere():
    net = Network([1, 1], loss=("quantiles", {"levels": (0.1, 0.5)}))
    theta = net.pack([np.zeros((1, 2))], [[3.0, 0.0]])
    _, grad = net.value_grad(theta, np.zeros((1, 1)), [3.0])
    np.testing.assert_allclose(grad[2:], [0.5, 0.25])  # of the upper one, and through softplus


def test_quantiles_are_trained_by_first_order_solvers():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=1000)
    y = x + np.exp(x - 1) * rng.normal(size=1000)
    net = Network([1, 8, 1], "tanh", loss=("quantiles", {"levels": (0.1, 0.5, 0.9)}))
    for solver, max_iter in (("lbfgs", 300), (Adam(learning_rate_init=0.01, batch_size=50), 100)):
        theta = net.init(random_state=0, y=y)
        objective = net.objective(x[:, None], y)
        theta = minimize(objective, theta, solver=solver, max_iter=max_iter, random_state=0).theta
        raw = net.raw(theta, x[:, None])
        values = np.cumsum(np.c_[raw[:, :1], np.logaddexp(0, raw[:, 1:])], axis=1)
        truth = x[:, None] + np.exp(x - 1)[:, None] * special.ndtri([0.1, 0.5, 0.9])
        assert np.sqrt(np.mean((values - truth) ** 2)) < 0.12
        np.testing.assert_allclose((y[:, None] < values).mean(axis=0), [0.1, 0.5, 0.9], atol=0.03)
    for solver in ("lm", "newton-cg"):
        with pytest.raises(ValueError, match="'quantiles' has no curvature"):
            minimize(net.objective(x[:, None], y), theta, solver=solver)


@each
@pytest.mark.parametrize("weighted", [False, True])
def test_outputs_start_at_the_marginal_distribution(loss, weighted, rng):
    y = np.c_[rng.uniform(0, 40, size=300), rng.normal(20, 3, size=300).clip(0, 40)]
    weight = rng.integers(0, 3, size=300).astype(float) if weighted else None
    net = Network([1, 2], loss=loss)
    raw = net.init(init="zeros", y=y, sample_weight=weight)[-net.n_raw :].reshape(-1, 2)
    rows = np.repeat(np.arange(300), 1 if weight is None else weight.astype(int))
    for j, kept in enumerate(y[rows].T):
        one = raw[:, j]
        if loss in (HISTOGRAM, CRPS):
            shares = np.bincount(kept.astype(int), minlength=40) / kept.size
            np.testing.assert_allclose(special.softmax(one), shares, atol=0.04)
        elif loss == QUANTILES:
            values = np.cumsum(np.r_[one[0], np.logaddexp(0, one[1:])])
            expected = np.quantile(kept, QUANTILES[1]["levels"], method="inverted_cdf")
            np.testing.assert_allclose(values, expected, atol=0.5)
        else:
            dist = NormalMixture([np.full(3, 1 / 3)], [one[3:6]], 0.01 + np.exp([one[6:]]))
            assert len(np.unique(one[3:6])) == 3
            np.testing.assert_allclose(dist.mean(), kept.mean(), atol=0.2 * kept.std())
            np.testing.assert_allclose(dist.std(), kept.std(), rtol=0.1)


@each
def test_targets_that_do_not_vary_have_a_start(loss):
    net = Network([1, 1], loss=loss)
    for y in (np.full(20, 3.0), np.full(1, 3.0)):
        assert np.isfinite(net.init(random_state=0, y=y)).all()


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (("mixture", {"components": 0}), "components of loss 'mixture' must be an integer from 1"),
        (("mixture", {"components": 2.0}), "must be an integer from 1 to 170, got 2.0"),
        (("mixture", {"components": True}), "must be an integer"),
        (("mixture", {"components": 171}), "must be an integer from 1 to 170, got 171"),
        (("mixture", {"floor": 0.0}), "floor of loss 'mixture' must be in"),
        (("histogram", {"bins": 1}), "bins of loss .* must be an integer from 2 to 2048"),
        (("histogram", {"widths": [1, 1]}), "has no parameter 'widths'; it has: bins"),
        (
            ("histogram_crps", {"bins": 3, "widths": [1, 2]}),
            "must be 3 numbers, one for each of the",
        ),
        (("histogram_crps", {"widths": [1, 0, 2]}), "must be 1 to 2048 positive numbers"),
        (("histogram_crps", {"widths": [1, np.nan]}), "must be 1 to 2048 positive numbers"),
        (
            ("quantiles", {"levels": [0.5, 0.1]}),
            "must be 1 to 512 increasing numbers between",
        ),
        (("quantiles", {"levels": [0.5, 1.0]}), "increasing numbers between 0 and 1"),
        (("quantiles", {"levels": []}), "increasing numbers between 0 and 1"),
        (("quantiles", {"levels": "0.5"}), "increasing numbers between 0 and 1"),
        (("quantiles", {"levels": 0.5}), "increasing numbers between 0 and 1"),
    ],
)
def test_bad_parameters(loss, words):
    with pytest.raises(ValueError, match=words):
        Network([2, 1], loss=loss)


def test_parameters_are_settled():
    net = Network([2, 2], loss=("histogram_crps", {"widths": np.array([1, 2, 3])}))
    assert net.n_raw == 6 and net.loss == (
        "histogram_crps",
        {"bins": 3, "widths": (1.0, 2.0, 3.0)},
    )
    assert Network([2, 1], loss=net.loss).loss == net.loss
    assert Network([2, 1], loss="histogram_crps").loss[1]["widths"] == (1.0,) * 20
    assert Network([2, 1], loss="quantiles").n_raw == 5
    assert Network([2, 3], loss="mixture").n_raw == 27


def test_targets_and_predictions(rng):
    net, X = Network([2, 3], loss=("histogram", {"bins": 5})), rng.normal(size=(4, 2))
    theta = net.init(random_state=0)
    y = np.full((4, 3), 5.0)
    assert np.isfinite(net.value(theta, X, y))
    y[2, 1] = 5.5
    with pytest.raises(ValueError, match="from 0 to 5, the number of bins; row 2 of y"):
        net.value(theta, X, y)
    for call in (net.predict, lambda *a: net.input_jacobian(*a, apply_output=True)):
        with pytest.raises(ValueError, match="'histogram' has no point prediction"):
            call(theta, X)
    assert net.raw(theta, X).shape == (4, 15)
