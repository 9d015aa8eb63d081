"""Strengths in groups: against scikit-learn, and against MacKay's formulas written out in NumPy."""

import numpy as np
import pytest
from drawn_problems import CURVED, of_a_kind
from fastmlp._core.kernels import LOSSES
from sklearn.linear_model import ARDRegression, BayesianRidge

from fastmlp import MLPClassifier, MLPRegressor, Network
from fastmlp.objective import Objective
from fastmlp.solvers import LevenbergMarquardt, minimize
from fastmlp.solvers._evidence import MOST
from fastmlp.solvers._laplace import DenseLaplace, DualLaplace

ARD = LevenbergMarquardt(evidence="ard")
LAYER = LevenbergMarquardt(evidence="layer")


def run(net, X, y, solver, seed=0, max_iter=300, tol=1e-9, **more):
    objective = net.objective(X, y, **more)
    return minimize(objective, net.init(seed), solver=solver, max_iter=max_iter, tol=tol)


def drawn_line(seed):
    """Some slopes that matter, some that are zero, and noise."""
    rng = np.random.default_rng(seed)
    n, n_features = int(rng.integers(60, 200)), int(rng.integers(4, 12))
    slopes = rng.normal(size=n_features) * (rng.uniform(size=n_features) < 0.6)
    slopes[0] = 1.0
    X = rng.normal(size=(n, n_features))
    noise = rng.uniform(0.2, 1.0)
    return X, 0.7 + X @ slopes + noise * rng.normal(size=n), slopes


def without_level(X, y):
    """The same regression with its bias integrated out over a flat prior: a row less."""
    n = len(y)
    basis = np.linalg.eigh(np.eye(n) - 1 / n)[1][:, 1:]
    return basis.T @ X, basis.T @ y


@pytest.mark.parametrize("seed", range(12))
def test_a_linear_network_is_scikit_learns_ard_regression(seed):
    X, y, _ = drawn_line(seed)
    result = run(Network([X.shape[1], 1]), X, y, ARD)
    peer = ARDRegression(
        alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0, threshold_lambda=1e9, fit_intercept=False,
        max_iter=3000, tol=1e-12,
    ).fit(*without_level(X, y))  # fmt: skip
    strengths = np.array(result.state.strengths["W1"])
    determined = np.zeros(X.shape[1])
    kept = peer.lambda_ < 1e9  # it drops the others
    determined[kept] = 1 - peer.lambda_[kept] * np.diagonal(peer.sigma_)
    matter = determined > 0.5
    assert matter.any() and strengths.size == X.shape[1]
    assert result.state.noise**-2 == pytest.approx(peer.alpha_, rel=1e-3)
    np.testing.assert_allclose(strengths[matter], peer.lambda_[matter], rtol=5e-3)
    np.testing.assert_allclose(result.theta[:-1], peer.coef_, atol=2e-3)
    assert result.state.effective_params == pytest.approx(1 + determined.sum(), abs=0.05)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("evidence", [True, "layer"])
def test_one_strength_is_scikit_learns_bayesian_ridge(seed, evidence):
    X, y, _ = drawn_line(seed)
    result = run(Network([X.shape[1], 1]), X, y, LevenbergMarquardt(evidence=evidence))
    peer = BayesianRidge(
        alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0, fit_intercept=False, max_iter=3000,
        tol=1e-13, compute_score=True,
    ).fit(*without_level(X, y))  # fmt: skip
    assert result.state.noise**-2 == pytest.approx(peer.alpha_, rel=1e-5)
    assert result.state.strengths["W1"] == pytest.approx(peer.lambda_, rel=1e-4)
    np.testing.assert_allclose(result.theta[:-1], peer.coef_, atol=1e-5)
    # integrated over the line: the density of the mean of n draws is sqrt(n) that of the bias
    expected = peer.scores_[-1] - 0.5 * np.log(len(y)) - 0.5 * np.log(2 * np.pi)
    assert result.state.log_evidence == pytest.approx(expected, abs=1e-4)


def test_features_that_say_nothing_are_found():
    """Relevances of pure noise are below those of what matters; their weights are near zero."""
    right, shrunk = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n, n_noise = int(rng.integers(80, 200)), int(rng.integers(1, 5))
        X = rng.normal(size=(n, 2 + n_noise))
        X = X[:, rng.permutation(2 + n_noise)]
        rate = rng.uniform(1, 2, 2)
        y = np.sin(rate[0] * X[:, 0]) + np.tanh(rate[1] * X[:, 1])
        y += rng.uniform(0.1, 0.3) * rng.normal(size=n)
        net = Network([2 + n_noise, 6, 1], activation="tanh")
        result = run(net, X, y, ARD, max_iter=200, tol=1e-5)
        relevance = result.state.relevance
        right += (relevance[:2, None] > relevance[2:]).ravel().tolist()
        norms = np.linalg.norm(net.unpack(result.theta)[0][0], axis=1)
        shrunk += (norms[2:] < 0.3 * norms[:2].min()).tolist()
    assert np.mean(right) >= 0.95, right
    assert np.mean(shrunk) >= 0.9, shrunk


class LogisticEvidence:
    """Logistic or Poisson regression with a strength per feature, by the book: plain NumPy."""

    def __init__(self, X, y, loss):
        design = np.column_stack([X, np.ones(len(X))])
        p = design.shape[1]
        theta, self.alpha = np.zeros(p), np.ones(p - 1)
        for _ in range(500):
            for _ in range(20):  # Newton to the most probable parameters
                z = design @ theta
                mean = 1 / (1 + np.exp(-z)) if loss == "log_loss" else np.exp(z)
                variance = mean * (1 - mean) if loss == "log_loss" else mean
                prior = np.append(self.alpha, 0.0)
                A = design.T @ (variance[:, None] * design) + np.diag(prior)
                theta = theta - np.linalg.solve(A, design.T @ (mean - y) + prior * theta)
            determined = 1 - self.alpha * np.diagonal(np.linalg.inv(A))[:-1]
            new = np.minimum(determined / theta[:-1] ** 2, 1e8)
            if np.allclose(np.log(new), np.log(self.alpha), atol=1e-10):
                break
            self.alpha = new
        z = design @ theta
        if loss == "log_loss":
            likelihood = np.sum(y * z - np.logaddexp(0, z))
        else:  # half the deviance
            likelihood = -np.sum(np.where(y > 0, y * (np.log(np.maximum(y, 1)) - z), 0) - y)
            likelihood -= np.exp(z).sum()
        self.theta, self.effective = theta, 1 + determined.sum()
        self.log_evidence = (
            likelihood
            - 0.5 * self.alpha @ theta[:-1] ** 2
            + 0.5 * np.log(self.alpha).sum()
            - 0.5 * np.linalg.slogdet(A)[1]
        )


@pytest.mark.parametrize("loss", ["log_loss", "poisson"])
@pytest.mark.parametrize("seed", range(6))
def test_generalised_linear_models_by_the_book(loss, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(600, 4))
    z = 0.3 + X @ [1.0, -0.8, 0.6, 0.0]
    if loss == "log_loss":
        y = (rng.uniform(size=600) < 1 / (1 + np.exp(-z))).astype(float)
    else:
        y = rng.poisson(np.exp(z)).astype(float)
    expected = LogisticEvidence(X, y, loss)
    state = run(Network([4, 1], loss=loss), X, y, ARD, max_iter=500).state
    assert state.noise == 1.0
    assert (expected.alpha[:3] < 100).all()
    np.testing.assert_allclose(state.strengths["W1"][:3], expected.alpha[:3], rtol=2e-3)
    assert state.effective_params == pytest.approx(expected.effective, abs=0.02)
    assert state.log_evidence == pytest.approx(expected.log_evidence, abs=0.02)


@pytest.mark.parametrize("evidence", ["layer", "ard"])
def test_the_fixed_point_of_a_network_and_its_laplace_approximation(evidence):
    """Forward pass, Jacobian, strengths, noise and log evidence, all written out in NumPy."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(150, 2))
    y = np.sin(3 * X[:, 0]) + 0.1 * rng.normal(size=150)
    net = Network([2, 4, 1], activation="tanh")
    result = run(net, X, y, LevenbergMarquardt(evidence=evidence), max_iter=2000, tol=1e-10)
    state, theta = result.state, result.theta
    assert not state.linear

    def outputs(theta):
        hidden = np.tanh(X @ theta[:8].reshape(2, 4) + theta[8:12])
        return hidden @ theta[12:16] + theta[16]

    steps = 1e-6 * np.eye(17)
    J = np.array([(outputs(theta + d) - outputs(theta - d)) / 2e-6 for d in steps]).T
    groups = [slice(0, 4), slice(4, 8)] if evidence == "ard" else [slice(0, 8)]
    groups += [slice(8, 12), slice(12, 16)]
    strengths = np.concatenate(
        [np.atleast_1d(state.strengths[name]) for name in ("W1", "b1", "W2")]
    )
    relative = np.ones(17)
    relative[12:16], relative[16] = 1 / y.var(), 0
    precision = np.zeros(17)
    for group, alpha in zip(groups, strengths, strict=True):
        precision[group] = alpha * relative[group]
    A = J.T @ J / state.noise**2 + np.diag(precision)
    determined = 1 - precision * np.diagonal(np.linalg.inv(A))
    assert state.effective_params == pytest.approx(determined.sum(), abs=0.02)
    residuals = outputs(theta) - y
    noise2 = residuals @ residuals / (150 - determined.sum())
    assert state.noise**2 == pytest.approx(noise2, rel=1e-3)
    for k, (group, alpha) in enumerate(zip(groups, strengths, strict=True)):
        shape = determined[:16].sum() if group == slice(12, 16) else 0.0  # fan-in: 4
        norm2 = relative[group] @ theta[group] ** 2
        expected = (determined[group].sum() + 2 * shape) / (norm2 + 2 * shape / 4)
        if determined[group].sum() > 0.01:  # else at its bound, or on the way there
            assert alpha == pytest.approx(expected, rel=0.01), k
    log_prior = 0.5 * np.sum(
        np.log(precision[:16] / (2 * np.pi)) - precision[:16] * theta[:16] ** 2
    )
    log_likelihood = -75 * np.log(2 * np.pi * noise2) - 0.5 * residuals @ residuals / noise2
    laplace = 0.5 * 17 * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(A)[1]
    expected = log_likelihood + log_prior + laplace - 0.5 * np.log(2 * np.pi)  # of the flat bias
    assert state.log_evidence == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("evidence", [True, "layer", "ard"])
@pytest.mark.parametrize("loss", CURVED)
def test_every_curved_loss(loss, evidence):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = of_a_kind(LOSSES[loss]["targets"], 2 * np.sin(X[:, 0]), rng)
    net = Network([3, 5, 1], activation="tanh", loss=loss)
    result = run(net, X, y, LevenbergMarquardt(evidence=evidence), max_iter=200, tol=1e-5)
    state = result.state
    assert np.isfinite(result.theta).all() and np.isfinite(state.log_evidence)
    strengths = np.concatenate([np.atleast_1d(s) for s in state.strengths.values()])
    assert np.isfinite(strengths).all() and (strengths[:-1] > 0).all() and strengths[-1] == 0
    assert 1 < state.effective_params < net.n_params
    if evidence == "ard":
        # what a loss has beside a location is learned from all features, too
        located = net.n_raw == 2 and LOSSES[loss]["targets"] == "REAL"
        times = 3 if net.n_raw == 1 else 1.3 if located else 0.5
        assert state.relevance[0] > times * state.relevance[1:].max()


def test_several_classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = np.digitize(X[:, 0] + 0.3 * rng.normal(size=300), [-0.5, 0.5])
    model = MLPClassifier(
        hidden_layer_sizes=(5,), activation="tanh", solver=ARD, standardize=True, random_state=0
    ).fit(X, y)
    relevance = model.evidence_.relevance
    assert relevance[0] > 3 * relevance[1:].max()


def test_a_column_of_zeros_has_a_large_finite_strength():
    """Nothing on the data's side holds its weights: the bound does, and nothing else suffers."""
    X, y, _ = drawn_line(0)
    X[:, 1] = 0
    for layers in ([X.shape[1], 1], [X.shape[1], 4, 1]):
        result = run(Network(layers, activation="tanh"), X, y, ARD, max_iter=100, tol=1e-6)
        strengths = np.array(result.state.strengths["W1"])
        assert np.isfinite(strengths).all() and np.isfinite(result.state.log_evidence)
        assert strengths[1] == strengths.max() > 1e3 * np.median(strengths)
        assert strengths[1] < 10 * MOST * len(y) / result.state.noise**2


def test_estimators_report_strengths_by_segment_and_relevance_by_feature():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    y = np.sin(2 * X[:, 1]) + 0.1 * rng.normal(size=120)
    model = MLPRegressor(
        hidden_layer_sizes=(4,), activation="tanh", solver=ARD, random_state=0, max_iter=500
    )
    state = model.fit(X, y).evidence_
    assert list(state.strengths) == ["W1", "b1", "W2", "b2"]
    assert len(state.strengths["W1"]) == 3 and state.strengths["b2"] == 0.0
    assert np.argmax(state.relevance) == 1
    by_layer = model.set_params(solver=LAYER).fit(X, y).evidence_
    assert isinstance(by_layer.strengths["W1"], float) and by_layer.relevance is None
    one = model.set_params(solver=LevenbergMarquardt(evidence=True)).fit(X, y).evidence_
    assert len({one.strengths[name] for name in ("W1", "b1", "W2")}) == 1


def test_goes_on_from_a_state():
    X, y, _ = drawn_line(3)
    net = Network([X.shape[1], 1])
    objective = net.objective(X, y)
    first = minimize(objective, net.init(0), solver=ARD, max_iter=300, tol=1e-9)
    again = minimize(objective, first.theta, solver=ARD, state=first.state, max_iter=1)
    assert again.state.noise == pytest.approx(first.state.noise, rel=1e-6)
    before, after = (np.array(r.state.strengths["W1"]) for r in (first, again))
    np.testing.assert_allclose(after[before < 100], before[before < 100], rtol=1e-4)
    assert (after[before >= 100] >= 100).all()


def test_a_state_of_other_groups():
    """One strength goes for many, and not the other way round."""
    X, _, _ = drawn_line(3)
    y = np.sin(2 * X[:, 0])
    net = Network([X.shape[1], 3, 1], activation="tanh")
    objective = net.objective(X, y)
    by_layer, by_feature = (
        minimize(objective, net.init(0), solver=solver, max_iter=40) for solver in (LAYER, ARD)
    )
    assert not by_layer.state.linear and not by_feature.state.linear
    again = minimize(objective, by_layer.theta, solver=ARD, state=by_layer.state, max_iter=2)
    assert len(again.state.strengths["W1"]) == X.shape[1]
    with pytest.raises(ValueError, match=rf"state has {X.shape[1]} strengths of W1, where 1 are"):
        minimize(objective, by_feature.theta, solver=LAYER, state=by_feature.state)


def test_refusals():
    X, y, _ = drawn_line(0)
    net = Network([X.shape[1], 1])
    objective = net.objective(X, y)
    with pytest.raises(ValueError, match="evidence must be True, False, 'layer' or 'ard', got 'a"):
        minimize(objective, net.init(0), solver=LevenbergMarquardt(evidence="automatic"))
    whole = objective.prior
    for part in ("index", "typical"):

        def wrong(grouping, part=part):
            prior = whole(grouping)
            if part == "typical":
                return prior._replace(typical=np.zeros(2))
            prior.penalty.groups = prior.penalty.groups._replace(index=np.zeros(3, int))
            return prior

        objective.prior = wrong
        sizes = {"index": f"groups of 3 parameters and {X.shape[1]}", "typical": "2 typical"}[part]
        with pytest.raises(ValueError, match=f"{sizes} .*expected"):
            minimize(objective, net.init(0), solver=ARD)


class Asked:
    """An objective with or without the rows of its square root, and without a linear function."""

    linear = None

    def __init__(self, objective, by_rows):
        self._objective, self._by_rows = objective, by_rows
        if not by_rows:
            self.value_grad_gram = None

    def __getattr__(self, name):
        return getattr(self._objective, name)

    def with_penalty(self, penalty):
        return Asked(self._objective.with_penalty(penalty), self._by_rows)


def few_rows(n_outputs, loss="squared_error"):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(15, 4))
    y = np.sin(X[:, :n_outputs]) * [1.0, 30.0][:n_outputs] + 0.1 * rng.normal(size=(15, n_outputs))
    if loss == "log_loss":
        y = (y > 0).astype(float)
    net = Network([4, 12, n_outputs], activation="tanh", loss=loss)
    assert 15 * n_outputs < net.n_params
    return net, net.objective(X, y, sample_weight=rng.uniform(0.5, 2, 15))


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("grouping", ["single", "layer", "ard"])
def test_fewer_residuals_than_parameters_say_the_same(grouping, n_outputs):
    """Determined parameters of each group and the determinant, by J'J and by J J'."""
    net, objective = few_rows(n_outputs)
    theta = net.init(0)
    prior = objective.prior(grouping)
    rng = np.random.default_rng(0)
    penalty = prior.penalty.with_strengths(10 ** rng.uniform(-4, 1, len(prior.typical)))
    data = objective.with_penalty(prior.penalty.with_strengths(0.0))
    metric = np.where(prior.penalty.diagonal > 0, prior.penalty.diagonal, 0.3)
    dense = DenseLaplace(data.ggn(theta))
    dual = DualLaplace(data.value_grad_gram(theta)[2], metric)
    answers = []
    for laplace in (dense, dual):
        laplace.hold(np.ones(net.n_params))  # takes the place of an earlier one
        laplace.hold(penalty.diagonal)
        shares, log_det = laplace.weigh()
        answers.append((np.bincount(prior.penalty.groups.index + 1, shares)[1:], log_det))
    (by_matrix, log_det), (by_rows, log_det_by_rows) = answers
    assert 0.1 < by_matrix.sum() < 15 * n_outputs
    np.testing.assert_allclose(by_rows, by_matrix, rtol=1e-6, atol=1e-8)
    assert log_det_by_rows == pytest.approx(log_det, rel=1e-8)
    J = np.array([dual.gram.mul(unit) for unit in np.eye(net.n_params)]).T
    expected = J @ np.diag(1 / (penalty.diagonal + 0.2 * metric)) @ J.T
    np.testing.assert_allclose(dual.gram.kernel(0.2), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(J.T @ J + np.diag(penalty.diagonal), dense.G, atol=1e-10)


@pytest.mark.parametrize("evidence", [True, "layer", "ard"])
@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
def test_fewer_residuals_than_parameters_take_the_same_path(loss, evidence):
    net, objective = few_rows(1, loss)
    solver = LevenbergMarquardt(evidence=evidence)
    by_rows, by_matrix = (
        minimize(Asked(objective, rows), net.init(0), solver=solver, max_iter=15)
        for rows in (True, False)
    )
    np.testing.assert_allclose(by_rows.theta, by_matrix.theta, rtol=1e-4, atol=1e-5)
    for key in ("loss", "effective_params", "log_evidence"):
        np.testing.assert_allclose(by_rows.history[key], by_matrix.history[key], rtol=1e-4)


def test_many_parameters_and_few_rows_need_no_matrix(monkeypatch):
    def refused(self, theta):
        raise AssertionError("a matrix of all parameters")

    net, objective = few_rows(2)
    monkeypatch.setattr(Objective, "value_grad_ggn", refused)
    monkeypatch.setattr(Objective, "ggn", refused)
    asked = Asked(objective, True)
    assert minimize(asked, net.init(0), solver=ARD, max_iter=5).n_iter == 5
