"""The oracle against finite differences, SciPy and scikit-learn: it must not be wrong itself."""

import numpy as np
import pytest
import reference
from cases import HIDDEN, draw_case, draw_targets, drawn, relative_error
from epochs import hyper
from reference import ACTIVATIONS, PAIRS, Reference, loss_terms, output
from reference_epoch import epoch, update
from scipy import special, stats
from sklearn import metrics, neural_network
from sklearn._loss import loss as loss_module
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import _stochastic_optimizers as optimizers

from fastmlp.distributions import Histogram

GRID = np.concatenate([np.linspace(-6, 6, 241) + 0.0137, [-30.0, -15.0, 15.0, 30.0]])


def derivative(f, x, h=1e-3):
    """Fourth-order central difference of f along every entry of x at once, or of a scalar x."""
    return (f(x - 2 * h) - 8 * f(x - h) + 8 * f(x + h) - f(x + 2 * h)) / (12 * h)


def directional(f, x, v, h=1e-3):
    return derivative(lambda t: f(x + t * v), 0.0, h)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_derivatives(name):
    value, slope, curv = ACTIVATIONS[name](GRID)
    scale = 1 + np.abs(value)
    assert (
        np.max(np.abs(derivative(lambda z: ACTIVATIONS[name](z)[0], GRID) - slope) / scale) < 1e-9
    )
    assert np.max(np.abs(derivative(lambda z: ACTIVATIONS[name](z)[1], GRID) - curv) / scale) < 1e-9


KINKED = ("relu", "leaky_relu", "elu", "selu")

INDEPENDENT = {
    "logistic": special.expit,
    "softplus": lambda z: -special.log_expit(-z),
    "gelu": lambda z: z * special.ndtr(z),
    "silu": lambda z: z * special.expit(z),
    "mish": lambda z: z * np.tanh(np.log1p(np.exp(z))),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(z)),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_activation_values(name):
    np.testing.assert_allclose(ACTIVATIONS[name](GRID)[0], INDEPENDENT[name](GRID), rtol=1e-12)


def test_activation_parameters_and_kinks():
    zero = np.zeros(1)
    assert reference.relu(zero)[1] == 0
    assert reference.leaky_relu(zero, eps=0.25)[1] == 0.25
    assert reference.leaky_relu(np.array([-2.0]), eps=0.25)[0] == -0.5
    np.testing.assert_allclose(reference.elu(np.array([-1.0]), alpha=2.0)[0], 2 * np.expm1(-1))
    assert reference.absolute_error(zero, zero)[1] == 0
    assert reference.quantile(zero, zero)[1] == 0
    assert reference.perceptron(zero, np.array([1.0]))[1] == -1


def test_softmax_agrees_with_scipy():
    raw = np.random.default_rng(0).normal(size=(5, 4)) * 3
    p, jac, second = output("softmax", raw)
    np.testing.assert_allclose(p, special.softmax(raw, axis=1), rtol=1e-13)
    for k in range(4):
        e = np.eye(4)[k]
        np.testing.assert_allclose(
            directional(lambda r: output("softmax", r)[0], raw, e), jac[:, :, k], atol=1e-10
        )
        np.testing.assert_allclose(
            directional(lambda r: output("softmax", r)[1], raw, e), second[:, :, :, k], atol=1e-10
        )


@pytest.mark.parametrize(("loss", "name"), PAIRS)
def test_loss_derivatives(loss, name):
    rng = np.random.default_rng(1)
    n, n_targets = 40, 3
    twin = Reference([1, n_targets], loss=loss, output_activation=name)
    k = twin.n_raw
    # a third to a scale: no density so narrow that differences of it do not converge
    raw = rng.normal(size=(n, k)) * (0.5 if loss in reference.MANY else 1.5)
    y = twin.targets(draw_targets(rng, loss, name, n, n_targets))
    _, grad, hess, curv = loss_terms(loss, name, raw, y)
    assert np.abs(grad).max() > 0.1
    kinked = loss in (*reference.FLAT_LOSSES, "huber", "laplace") or name in KINKED
    h = 1e-6 if kinked else 1e-3
    for j in range(k):
        e = np.eye(k)[j]
        slope = directional(lambda r: loss_terms(loss, name, r, y)[0], raw, e, h)
        np.testing.assert_allclose(slope, grad[:, j], rtol=1e-7, atol=1e-8)
        turn = directional(lambda r: loss_terms(loss, name, r, y)[1], raw, e, h)
        np.testing.assert_allclose(turn, hess[:, :, j], rtol=1e-7, atol=1e-8)
    assert np.linalg.eigvalsh(curv).min() > -1e-12
    if np.linalg.eigvalsh(hess).min() < -1e-9:
        # of one raw output, only another output activation makes a loss non-convex
        assert loss in {**reference.LIKELIHOODS, **reference.MANY} or name != "identity"


expit = special.expit


def plus(s):
    return -special.log_expit(-np.asarray(s))


LIKELIHOODS = [
    ("normal", {}, lambda m, s, **_: stats.norm(m, np.exp(s))),
    ("student_t", {"df": 4.0}, lambda m, s, df: stats.t(df, m, np.exp(s))),
    ("student_t", {"df": 0.7}, lambda m, s, df: stats.t(df, m, np.exp(s))),
    ("laplace", {}, lambda m, s: stats.laplace(m, np.exp(s))),
    ("lognormal", {}, lambda m, s: stats.lognorm(np.exp(s), scale=np.exp(m))),
    ("gamma_shape", {}, lambda m, s: stats.gamma(np.exp(s), scale=np.exp(m - s))),
    ("beta", {}, lambda m, s: stats.beta(np.exp(s) * expit(m), np.exp(s) * expit(-m))),
    ("negative_binomial", {}, lambda m, s: stats.nbinom(np.exp(s), expit(s - m))),
    ("normal_natural", {}, lambda m, s: stats.norm(m / plus(s), 1 / np.sqrt(plus(s)))),
]
ids = [f"{name}-{params.get('df', '')}" for name, params, _ in LIKELIHOODS]


@pytest.mark.parametrize(("name", "params", "family"), LIKELIHOODS, ids=ids)
def test_likelihoods_agree_with_scipy(name, params, family):
    """Planar: the location of target j is raw column j, its log scale column n_targets + j."""
    rng = np.random.default_rng(9)
    raw, y = rng.normal(size=(50, 6)), draw_targets(rng, name, None, 50, 3)
    value = loss_terms(name, "identity", raw, y, params)[0]
    dist = family(raw[:, :3], raw[:, 3:], **params)
    log_density = (dist.logpmf if name == "negative_binomial" else dist.logpdf)(y)
    np.testing.assert_allclose(value, -log_density.sum(axis=1), rtol=1e-11)


def test_many_raw_outputs_agree_with_distributions():
    """Raw output c of target j is column c n_targets + j."""
    rng = np.random.default_rng(3)
    raw = rng.normal(size=(40, 24))
    logits, m, s = (part.reshape(40, 4, 2).swapaxes(1, 2) for part in np.split(raw, 3, axis=1))
    y, share = 2 * rng.normal(size=(40, 2)), special.softmax(logits, axis=-1)
    density = (share * stats.norm(m, 0.3 + np.exp(s)).pdf(y[:, :, None])).sum(axis=-1)
    params = {"components": 4, "floor": 0.3}
    value = loss_terms("mixture", "identity", raw, y, params)[0]
    np.testing.assert_allclose(value, -np.log(density).sum(axis=1), rtol=1e-12)

    at, widths = rng.uniform(0, 12, size=(40, 2)), rng.uniform(0.2, 2.0, size=12)
    edges = np.r_[0, np.cumsum(widths)]
    p = special.softmax(raw.reshape(40, 12, 2).swapaxes(1, 2), axis=-1)
    dist, y = Histogram(p, edges), np.interp(at, np.arange(13), edges)
    params = {"bins": 12, "widths": widths}
    value = loss_terms("histogram_crps", "identity", raw, at, params)[0]
    np.testing.assert_allclose(value, dist.crps(y).sum(axis=1), rtol=1e-12)
    value = loss_terms("histogram", "identity", raw, at, {"bins": 12})[0]
    spread = np.log(widths)[at.astype(int)]
    np.testing.assert_allclose(value - -dist.logpdf(y).sum(axis=1), -spread.sum(axis=1), rtol=1e-9)

    levels, y = np.arange(1, 13) / 13, rng.normal(size=(40, 2))
    above = np.logaddexp(0, raw.reshape(40, 12, 2))
    above[:, 0] = raw[:, :2]
    values = np.cumsum(above, axis=1)
    pinballs = sum(
        metrics.mean_pinball_loss(y.ravel(), values[:, c].ravel(), alpha=q)
        for c, q in enumerate(levels)
    )
    value = loss_terms("quantiles", "identity", raw, y, {"levels": levels})[0]
    np.testing.assert_allclose(value.mean(), 2 * pinballs, rtol=1e-12)


@pytest.mark.parametrize(("name", "params", "family"), LIKELIHOODS, ids=ids)
@pytest.mark.parametrize("raw", [(0.3, -1.2), (-2.0, 0.9)])
def test_fisher_information_is_the_expected_hessian(name, params, family, raw):
    """By quadrature over y, at equal steps of its probability (the midpoint rule); of a density
    with a kink, the expected square of the gradient, which is the same."""
    n = 200_000
    if name == "beta":
        raw = (raw[0], raw[1] + 3)  # or quantiles round to 1
    y = family(*raw, **params).ppf((np.arange(n) + 0.5) / n)
    _, grad, hess, curv = loss_terms(name, "identity", np.tile(raw, (n, 1)), y[:, None], params)
    if name == "laplace":
        hess = grad[:, :, None] * grad[:, None, :]
    rtol = np.full((2, 2), 2e-4)
    if name == "negative_binomial":
        rtol[1, 1] = 0.6  # an approximation, of which more in tests/network/test_likelihoods.py
    error = np.abs(hess.mean(axis=0) - curv[0])
    assert (error <= rtol * np.abs(curv[0]) + 2e-4 * np.abs(curv).max()).all()


def test_losses_agree_with_sklearn():
    rng = np.random.default_rng(2)
    raw = rng.normal(size=(50, 1))
    for loss, name, cls in [
        ("squared_error", "identity", loss_module.HalfSquaredError()),
        ("absolute_error", "identity", loss_module.AbsoluteError()),
        ("quantile", "identity", loss_module.PinballLoss(quantile=0.3)),
        ("huber", "identity", loss_module.HuberLoss(delta=0.8)),
        ("log_loss", "logistic", loss_module.HalfBinomialLoss()),
        ("poisson", "exp", loss_module.HalfPoissonLoss()),
        ("gamma", "exp", loss_module.HalfGammaLoss()),
    ]:
        y = draw_targets(rng, loss, name, 50, 1)
        params = {"quantile": {"quantile": 0.3}, "huber": {"epsilon": 0.8}}.get(loss, {})
        value, grad, _, _ = loss_terms(loss, name, raw, y, params)
        constant = cls.constant_to_optimal_zero(y[:, 0])
        np.testing.assert_allclose(
            value,
            cls.loss(y[:, 0], raw[:, 0]) + constant * (loss in ("poisson", "gamma")),
            atol=1e-12,
        )
        np.testing.assert_allclose(grad[:, 0], cls.gradient(y[:, 0], raw[:, 0]), atol=1e-12)


def test_cross_entropy_agrees_with_sklearn():
    rng = np.random.default_rng(6)
    raw, codes = 3 * rng.normal(size=(50, 4)), rng.integers(4, size=50)
    value, grad, _, _ = loss_terms("log_loss", "softmax", raw, np.eye(4)[codes])
    theirs = loss_module.HalfMultinomialLoss(n_classes=4)
    np.testing.assert_allclose(value, theirs.loss(codes.astype(float), raw), rtol=1e-12)
    np.testing.assert_allclose(grad, theirs.gradient(codes.astype(float), raw), atol=1e-14)


def test_deviances_agree_with_sklearn():
    rng = np.random.default_rng(3)
    raw = rng.normal(size=(50, 1))
    for loss, deviance in [
        ("poisson", metrics.mean_poisson_deviance),
        ("gamma", metrics.mean_gamma_deviance),
    ]:
        y = draw_targets(rng, loss, "exp", 50, 1)
        value = loss_terms(loss, "exp", raw, y)[0].mean()
        np.testing.assert_allclose(2 * value, deviance(y[:, 0], np.exp(raw[:, 0])), rtol=1e-12)
        through_softplus = loss_terms(loss, "softplus", raw, y)[0].mean()
        np.testing.assert_allclose(
            2 * through_softplus, deviance(y[:, 0], np.log1p(np.exp(raw[:, 0]))), rtol=1e-12
        )


def smooth_case(seed):
    """A drawn case without kinks, so that differences of its gradient converge."""
    smooth = ["logistic", "tanh", "softplus", "gelu", "silu", "mish", "identity"]
    pairs = [
        pair
        for pair in PAIRS
        if pair[0] not in (*reference.FLAT_LOSSES, "huber")
        and pair[1] in (*smooth, "exp", "softmax")
    ]
    rng = np.random.default_rng(seed)
    pair, hidden = pairs[seed % len(pairs)], smooth[rng.integers(len(smooth))]
    return draw_case(seed, pair=pair, hidden=hidden)


@drawn(range(20), smooth_case)
def test_gradient_and_curvature(case):
    net, v = case.twin, case.v
    value, grad = net.value_grad(case.theta, *case.data, **case.extras)
    assert np.isfinite(value)
    assert np.abs(grad).max() > 1e-6
    slope = directional(lambda theta: net.value(theta, *case.data, **case.extras), case.theta, v)
    np.testing.assert_allclose(grad @ v, slope, rtol=1e-6, atol=1e-8)

    jac = net.jacobian(case.theta, case.X)
    turn = directional(lambda theta: net.raw(theta, case.X), case.theta, v, 1e-4)
    assert relative_error(jac @ v, turn) < 1e-7
    direction = np.random.default_rng(0).normal(size=case.X.shape)
    turn = directional(lambda X: net.raw(case.theta, X), case.X, direction, 1e-4)
    product = np.einsum("nkf,nf->nk", net.input_jacobian(case.theta, case.X), direction)
    assert relative_error(product, turn) < 1e-7

    hess = net.hessian(case.theta, *case.data, **case.extras)
    turn = directional(
        lambda theta: net.value_grad(theta, *case.data, **case.extras)[1], case.theta, v, 1e-4
    )
    assert relative_error(hess @ v, turn) < 1e-6
    np.testing.assert_allclose(hess, hess.T, atol=1e-12 * np.abs(hess).max())

    ggn = net.ggn(case.theta, *case.data, **case.extras)
    assert np.linalg.eigvalsh(ggn).min() > -1e-10 * np.abs(ggn).max()


def test_backprop_agrees_with_forward_jets():
    case = draw_case(7, hidden="tanh")
    net = case.twin
    _, grad = net.value_grad(case.theta, *case.data)
    _, loss_grad, _, _ = net.terms(net.raw(case.theta, case.X), case.y)
    expected = np.einsum("nk,nkp->p", loss_grad, net.jacobian(case.theta, case.X)) / len(case.X)
    np.testing.assert_allclose(grad, expected, rtol=1e-10, atol=1e-12)


def test_draws_are_spread():
    cases = [draw_case(seed) for seed in range(600)]
    assert {len(case.arguments["layers"]) for case in cases} == {2, 3, 4, 5}
    assert {case.twin.loss[0] for case in cases} == {loss for loss, _ in PAIRS}
    assert {case.twin.output[0] for case in cases} == {name for _, name in PAIRS}
    assert {name for case in cases for name, _ in case.twin.hidden} == set(HIDDEN)
    assert {width for case in cases for width in case.arguments["layers"]} == set(range(1, 10))
    assert len({case.X.shape[0] for case in cases}) == 11


@pytest.mark.parametrize("name", ["sgd", "nesterov", "adam"])
def test_updates_agree_with_sklearn(name):
    rng = np.random.default_rng(4)
    theta, step = rng.normal(size=6), hyper(name, 6, 7)
    theirs = [theta.copy()]
    if name == "adam":
        optimizer = optimizers.AdamOptimizer(theirs, 0.05, step.beta_1, step.beta_2, step.epsilon)
    else:
        optimizer = optimizers.SGDOptimizer(
            theirs, 0.05, "constant", step.momentum, name == "nesterov"
        )
    first, second = np.zeros(6), np.zeros(6)
    for t in range(1, 8):
        grad = rng.normal(size=6)
        optimizer.update_params(theirs, [grad])
        theta, first, second = update(theta, grad, first, second, t, 0.05, step, np.ones(6))
        np.testing.assert_allclose(theta, theirs[0], rtol=1e-13, atol=1e-15)


def test_epoch_agrees_with_sklearn():
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(22, 3)), rng.normal(size=22)
    theirs = neural_network.MLPRegressor(
        hidden_layer_sizes=(4,),
        activation="tanh",
        batch_size=5,
        max_iter=1,
        shuffle=False,
        random_state=0,
        alpha=0.1,
    )
    theirs.set_params(solver="sgd", learning_rate_init=0.05)
    with pytest.warns(ConvergenceWarning):
        after = theirs.fit(X, y)
    net = Reference([3, 4, 1], activation="tanh")
    draws = np.random.RandomState(0)
    coefs, intercepts = [], []
    for fan_in, fan_out in net.shapes:
        bound = np.sqrt(6 / (fan_in + fan_out))
        coefs.append(draws.uniform(-bound, bound, (fan_in, fan_out)))
        intercepts.append(draws.uniform(-bound, bound, fan_out))
    theta = net.pack(coefs, intercepts)
    step = hyper("nesterov", 5, 5, rates=np.full(5, 0.05))
    zero = np.zeros_like(theta)
    theta, _, _, _, loss = epoch(net, theta, zero, zero, 0, X, y, np.arange(22), step, alpha=0.1)
    np.testing.assert_allclose(loss, after.loss_curve_[0], rtol=1e-12)
    np.testing.assert_allclose(theta, net.pack(after.coefs_, after.intercepts_), rtol=1e-11)
