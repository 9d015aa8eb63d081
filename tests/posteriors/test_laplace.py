"""Laplace's approximation beside closed forms and dense NumPy."""

import pickle

import numpy as np
import pytest
from scipy import sparse, special
from sklearn.linear_model import BayesianRidge

import fastmlp._memory
from fastmlp import Network
from fastmlp.posteriors import Laplace
from fastmlp.solvers import LevenbergMarquardt, minimize
from fastmlp.threads import blas_threads

SOLVER = LevenbergMarquardt(evidence="layer")


@pytest.fixture(autouse=True)
def one_thread():
    """For matrices so small: on a busy machine several wait for each other."""
    with blas_threads(1):
        yield


def bent(seed=0, n=60, layers=(2, 5, 1), **network):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, layers[0]))
    net = Network(list(layers), activation="tanh", **network)
    y = np.sin(3 * X[:, :1]) * np.arange(1, layers[-1] + 1) + rng.normal(0, 0.1, (n, layers[-1]))
    return net, X, y


def trained(net, objective, solver=SOLVER, **limits):
    limits = {"max_iter": 50, **limits}
    return minimize(objective, net.init(random_state=0), solver=solver, **limits)


def strengths_by_hand(objective, state, grouping="layer"):
    """alpha D of every parameter, (n_params,)."""
    D = objective.prior(grouping).penalty.diagonal
    alpha = [
        np.broadcast_to(np.reshape(state.strengths[s.name], (-1, 1)), (s.rows, s.cols)).ravel()
        for s in objective.segments
    ]
    return np.concatenate(alpha) * D


def test_a_linear_network_has_bayesian_ridges_posterior():
    """Without the constant, which has a flat prior here, and so takes one row of the data."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 6))
    y = X @ rng.normal(size=6) + 2 + rng.normal(size=50)
    net = Network([6, 1])
    objective = net.objective(X, y)
    solver = LevenbergMarquardt(evidence=True)
    result = minimize(objective, np.full(7, 1e-3), solver=solver, tol=1e-12, max_iter=500)
    posterior = Laplace(strengths="single").fit(objective, result.theta, state=result.state)

    basis = np.linalg.svd(np.ones((50, 1)))[0][:, 1:]  # what is orthogonal to the constant
    flat = dict.fromkeys(("alpha_1", "alpha_2", "lambda_1", "lambda_2"), 0.0)
    ridge = BayesianRidge(fit_intercept=False, tol=1e-14, max_iter=10000, **flat)
    ridge.fit(basis.T @ X, basis.T @ y)
    np.testing.assert_allclose(result.theta[:6], ridge.coef_, rtol=1e-6)
    np.testing.assert_allclose(posterior.noise**-2, ridge.alpha_, rtol=1e-6)
    np.testing.assert_allclose(posterior.evidence.weight_decay, ridge.lambda_, rtol=1e-6)
    unit = np.vstack([np.eye(6), np.zeros(6)])  # raw at x less raw at 0 is x' w
    moves = posterior.modes[0]._factor.divide(np.eye(7))
    cov = moves @ moves.T
    np.testing.assert_allclose(cov[:6, :6], ridge.sigma_, rtol=1e-6, atol=1e-12)
    # at the mean of X the constant's own variance is all there is
    mean, var = posterior.moments(X.mean(axis=0) + unit)
    std = np.sqrt(var[:, 0, 0] - posterior.noise**2 / 50 + posterior.noise**2)
    theirs = ridge.predict(unit, return_std=True)[1]
    np.testing.assert_allclose(std, theirs, rtol=1e-6)
    np.testing.assert_allclose(mean[:6, 0] - mean[6, 0], ridge.coef_, rtol=1e-6)


def test_logistic_regression_as_a_loop_in_numpy_has_it():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 3))
    y = (rng.random(200) < special.expit(X @ [1.0, -2.0, 0.0] + 0.5)).astype(float)
    net = Network([3, 1], loss="log_loss")
    objective = net.objective(X, y)
    solver = LevenbergMarquardt(evidence=True)
    result = minimize(objective, np.full(4, 1e-3), solver=solver, tol=1e-12, max_iter=200)
    posterior = Laplace(strengths="single").fit(objective, result.theta, state=result.state)

    A, held = np.column_stack([X, np.ones(200)]), np.array([1.0, 1, 1, 0])
    w, alpha = np.zeros(4), 1.0
    for _ in range(300):
        p = special.expit(A @ w)
        precision = A.T @ (A * (p * (1 - p))[:, None]) + np.diag(alpha * held)
        w = w - np.linalg.solve(precision, A.T @ (p - y) + alpha * held * w)
        cov = np.linalg.inv(precision)
        alpha = (3 - alpha * np.trace(cov[:3, :3])) / (w[:3] @ w[:3])
    np.testing.assert_allclose(result.theta, w, rtol=1e-4)
    np.testing.assert_allclose(posterior.evidence.weight_decay, alpha, rtol=1e-4)
    mean, var = posterior.moments(X)
    np.testing.assert_allclose(var[:, 0, 0], np.einsum("ni,ij,nj->n", A, cov, A), rtol=1e-4)
    assert posterior.noise == 1.0


@pytest.mark.parametrize("grouping", ["single", "layer", "ard"])
@pytest.mark.parametrize("loss", ["squared_error", "normal", "poisson", "log_loss"])
def test_moments_are_those_of_the_inverse_dense_matrix(loss, grouping):
    net, X, y = bent(layers=(2, 4, 2), loss=loss)
    y = {"poisson": np.round(np.exp(y)), "log_loss": np.eye(2)[1 * (np.abs(X[:, 0]) > 0.5)]}.get(
        loss, y
    )
    rng = np.random.default_rng(0)
    w = rng.uniform(0.5, 2, len(X))
    objective = net.objective(X, y, sample_weight=w)
    solver = LevenbergMarquardt(evidence=True if grouping == "single" else grouping)
    result = trained(net, objective, solver)
    posterior = Laplace(strengths=grouping).fit(objective, result.theta, state=result.state)
    noise = posterior.noise
    assert (noise != 1) == (loss == "squared_error")
    P = w.sum() / noise**2 * net.ggn(result.theta, X, y, sample_weight=w)
    P += np.diag(strengths_by_hand(objective, posterior.evidence, grouping))
    if loss == "log_loss":  # softmax: what changes nothing has a variance of 1
        P[-2:, -2:] += 1
    new = rng.uniform(-2, 2, (7, 2))
    J = net.jacobian(result.theta, new)
    mean, cov = posterior.moments(new)
    np.testing.assert_array_equal(mean, net.raw(result.theta, new))
    np.testing.assert_allclose(cov, J @ np.linalg.inv(P) @ J.transpose(0, 2, 1), rtol=1e-6)
    assert np.abs(cov[:, 0, 1]).max() > 1e-3 * np.abs(cov[:, 0, 0]).max()


@pytest.mark.parametrize("loss", ["squared_error", "normal"])
def test_layers_and_diagonal_are_parts_of_the_whole_matrix(loss):
    net, X, y = bent(layers=(2, 4, 3, 1), loss=loss)
    objective = net.objective(X, y)
    theta = trained(net, objective).theta
    new = np.random.default_rng(0).uniform(-2, 2, (7, 2))
    J = net.jacobian(theta, new)
    G = net.ggn(theta, X, y)
    layer = np.repeat([0, 1, 2], [12, 15, 4 * net.n_raw])
    for structure, kept in (("layer", layer[:, None] == layer), ("diagonal", np.eye(len(theta)))):
        posterior = Laplace(structure).fit(objective, theta)
        P = len(X) / posterior.noise**2 * G * kept
        P += np.diag(strengths_by_hand(objective, posterior.evidence))
        cov = posterior.moments(new)[1]
        np.testing.assert_allclose(cov, J @ np.linalg.inv(P) @ J.transpose(0, 2, 1), rtol=1e-6)


@pytest.mark.parametrize("structure", ["full", "diagonal"])
def test_the_last_layer_is_a_linear_network_on_features(structure):
    net, X, y = bent(layers=(2, 6, 5, 1))
    theta = trained(net, net.objective(X, y)).theta
    posterior = Laplace(structure, weights="last").fit(net.objective(X, y), theta)
    features = Network([2, 6, 5], activation="tanh", output_activation="tanh")
    front, last = theta[: features.n_params], theta[features.n_params :]
    at = features.predict(front, X)
    alone = Laplace(structure).fit(Network([5, 1]).objective(at, y), last)
    new = np.random.default_rng(0).uniform(-2, 2, (7, 2))
    found, wanted = posterior.moments(new), alone.moments(features.predict(front, new))
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)
    assert posterior.log_marginal_likelihood == pytest.approx(alone.log_marginal_likelihood)
    draws = posterior.sample(40, random_state=0)
    assert np.ptp(draws[:, :-6], axis=0).max() == 0 and np.ptp(draws[:, -6:], axis=0).min() > 0
    # behind fixed features networks are linear in what is drawn
    drawn = [net.raw(theta, new) for theta in draws]
    np.testing.assert_allclose(posterior.functions(new, 40, random_state=0), drawn, rtol=1e-9)


@pytest.mark.parametrize("structure", ["full", "layer", "diagonal"])
def test_draws_have_the_moments(structure):
    net, X, y = bent(loss="normal")
    objective = net.objective(X, y)
    result = trained(net, objective)
    posterior = Laplace(structure).fit(objective, result.theta, state=result.state)
    new = np.random.default_rng(0).uniform(-2, 2, (3, 2))
    mean, cov = posterior.moments(new)
    drawn = posterior.functions(new, 20000, random_state=0)
    away = drawn - mean
    sampled = np.einsum("mik,mil->ikl", away, away) / len(away)
    root = np.sqrt(np.einsum("ikk->ik", cov))
    assert np.abs(away.mean(axis=0) / root).max() < 5 / np.sqrt(20000)
    assert np.abs((sampled - cov) / (root[:, :, None] * root[:, None])).max() < 8 / np.sqrt(20000)
    thetas, noise = posterior.draw(5, random_state=1)
    assert thetas.shape == (5, net.n_params) and (noise == 1).all()


def test_marginal_likelihood_of_a_linear_network_is_exact():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(40, 3))
    y = X @ [1.0, 0.5, 0.0] + rng.normal(size=40)
    objective = Network([3, 1]).objective(X, y)
    result = minimize(
        objective, np.full(4, 1e-3), solver=LevenbergMarquardt(evidence=True), tol=1e-12
    )
    posterior = Laplace(strengths="single").fit(objective, result.theta, state=result.state)
    alpha, s2 = posterior.evidence.weight_decay, posterior.noise**2
    C = s2 * np.eye(40) + X @ X.T / alpha
    inverse = np.linalg.inv(C)
    ones = np.ones(40)
    # the constant integrated over a flat prior
    r = inverse - np.outer(inverse @ ones, ones @ inverse) / (ones @ inverse @ ones)
    exact = -0.5 * (y @ r @ y + np.linalg.slogdet(C)[1] + np.log(ones @ inverse @ ones))
    exact -= 0.5 * 39 * np.log(2 * np.pi)
    offset = 0.5 * np.log(2 * np.pi)  # which the evidence leaves out for what has no prior
    assert posterior.log_marginal_likelihood + offset == pytest.approx(exact, rel=1e-6)


def test_strengths_without_a_run_that_estimated_them():
    """Trained by something else: MacKay's formulas hold at the trained parameters."""
    net, X, y = bent()
    objective = net.objective(X, y, alpha=1e-2)
    theta = minimize(objective, net.init(0), solver="lbfgs", max_iter=500).theta
    posterior = Laplace(strengths="single").fit(objective, theta)
    state = posterior.evidence
    D = objective.prior("single").penalty.diagonal
    P = len(X) / state.noise**2 * net.ggn(theta, X, y)
    cov = np.linalg.inv(P + np.diag(state.weight_decay * D))
    effective = len(theta) - state.weight_decay * D @ np.diagonal(cov)
    residuals = net.raw(theta, X) - y
    assert effective == pytest.approx(state.effective_params, rel=1e-3)
    assert state.weight_decay == pytest.approx((effective - 1) / (D @ theta**2), rel=1e-2)
    noise = np.sqrt((residuals**2).sum() / (len(X) - effective))
    assert state.noise == pytest.approx(noise, rel=1e-3)


def test_data_that_are_linear_have_the_posterior_of_a_line():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = X @ [1.0, 2.0, 0.0] + rng.normal(size=40)
    net = Network([3, 4, 1], activation="tanh")
    objective = net.objective(X, y)
    result = trained(net, objective, LevenbergMarquardt(evidence=True), max_iter=300)
    assert result.state.linear
    posterior = Laplace(strengths="single").fit(objective, result.theta, state=result.state)
    line = Network([3, 1]).objective(X, y)
    alone = trained(Network([3, 1]), line, LevenbergMarquardt(evidence=True), tol=1e-9)
    alone = Laplace(strengths="single").fit(line, alone.theta, state=alone.state)
    new = 3 * rng.normal(size=(5, 3))
    np.testing.assert_allclose(posterior.moments(new)[1], alone.moments(new)[1], rtol=1e-3)
    again = pickle.loads(pickle.dumps(posterior))
    for theta in again.sample(3, random_state=0):  # networks that are lines, each another one
        raw = net.raw(theta, new)
        fitted = np.linalg.lstsq(np.column_stack([new, np.ones(5)]), raw, rcond=None)[0]
        assert np.abs(np.column_stack([new, np.ones(5)]) @ fitted - raw).max() < 1e-3
    assert np.ptp([net.raw(theta, new) for theta in again.sample(9, 0)], axis=0).min() > 0.01


def test_several_modes_are_a_mixture():
    net, X, y = bent()
    objective = net.objective(X, y)

    def train(objective, theta, random_state):
        return minimize(objective, theta, solver=SOLVER)

    assert len(Laplace().fit(objective, net.init(0), train=train, random_state=0).modes) == 5
    posterior = Laplace(n_starts=3).fit(objective, net.init(0), train=train, random_state=0)
    assert len(posterior.modes) == 3
    new = np.random.default_rng(0).uniform(-2, 2, (5, 2))
    mixture = posterior.raws(new, 1)
    assert mixture.mean.shape == (3, 5, 1) and np.ptp(mixture.mean, axis=0).max() > 0.01
    mean, cov = posterior.moments(new)
    np.testing.assert_allclose(mean, mixture.mean.mean(axis=0))
    total = (mixture.cov[:, :, 0, 0] + mixture.mean[:, :, 0] ** 2).mean(axis=0) - mean[:, 0] ** 2
    np.testing.assert_allclose(cov[:, 0, 0], total)
    assert posterior.draw(7, 0)[0].shape == (7, net.n_params)
    assert posterior.functions(new, 2, 0).shape == (2, 5, 1)


def test_sparse_rows_and_float32():
    net, X, y = bent()
    X[X < 0] = 0
    theta = trained(net, net.objective(X, y)).theta
    dense = Laplace("layer").fit(net.objective(X, y), theta)
    rows = sparse.csr_array(X)
    found = Laplace("layer").fit(net.objective(rows, y), theta)
    for a, b in zip(dense.moments(X), found.moments(rows), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    net, X, y = bent(dtype=np.float32)
    posterior = Laplace().fit(net.objective(X, y), trained(net, net.objective(X, y)).theta)
    assert np.isfinite(posterior.moments(X)[1]).all()


def test_what_does_not_fit_is_named(monkeypatch):
    monkeypatch.setattr(fastmlp._memory, "available_memory", lambda: 2.0**30)
    net = Network([200, 100, 1], activation="tanh")
    objective = net.objective(np.zeros((3, 200)) + np.eye(3, 200), np.arange(3.0))
    theta = net.init(0)
    with pytest.raises(MemoryError, match=r"20201 parameters takes 3.04 GiB.*structure='layer' or"):
        Laplace("full", "all").fit(objective, theta)
    assert Laplace("diagonal", "all").fit(objective, theta).moments(np.ones((1, 200)))[1] > 0
    posterior = Laplace().fit(objective, theta)  # what is chosen fits
    assert posterior.modes[0].mode.size == 101


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"structure": "kron"}, "structure must be"),
        ({"weights": "first"}, "weights must be"),
        ({"strengths": "unit"}, "strengths must be"),
        ({"n_starts": 0}, "n_starts must be at least 1"),
    ],
)
def test_refusals(arguments, words):
    net, X, y = bent()
    with pytest.raises(ValueError, match=words):
        Laplace(**arguments).fit(net.objective(X, y), net.init(0))
    with pytest.raises(ValueError, match="no curvature"):
        flat = Network([2, 1], loss="absolute_error")
        Laplace().fit(flat.objective(X, y), flat.init(0))
