"""Losses that users write: which solver, which shapes, their derivatives and their curvature."""

import numpy as np
import pytest
from sklearn.base import clone

from fastmlp import MLPClassifier, MLPRegressor, Network
from fastmlp.losses import check_grad
from fastmlp.solvers import LevenbergMarquardt, NewtonCG, minimize


def squared(raw, y):
    error = raw - y.reshape(raw.shape)
    return 0.5 * (error**2).sum(axis=1), error


def cross_entropy(raw, y):
    """Of labels, whatever their number: each column on its own."""
    y = y.reshape(raw.shape)
    return (np.logaddexp(0, raw) - y * raw).sum(axis=1), 1 / (1 + np.exp(-raw)) - y


def softmax_cross_entropy(raw, y):
    shifted = raw - raw.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(y * log_p).sum(axis=1), np.exp(log_p) - y


class Normal:
    """Mean and log standard deviation; its Hessian is indefinite, its Fisher information is not."""

    def value_grad(self, raw, y):
        mean, log_spread = raw.T
        r = (y - mean) * np.exp(-log_spread)
        return r**2 / 2 + log_spread, np.stack([-r * np.exp(-log_spread), 1 - r**2], axis=1)

    def hess(self, raw, y):
        mean, log_spread = raw.T
        s = np.exp(-log_spread)
        r = (y - mean) * s
        Q = np.empty((len(raw), 2, 2))
        Q[:, 0, 0], Q[:, 1, 1] = s**2, 2 * r**2
        Q[:, 0, 1] = Q[:, 1, 0] = 2 * r * s
        return Q

    def curv(self, raw, y):
        Q = np.zeros((len(raw), 2, 2))
        Q[:, 0, 0], Q[:, 1, 1] = np.exp(-2 * raw[:, 1]), 2.0
        return Q


class FisherOnly(Normal):
    hess = None


@pytest.fixture
def data(rng):
    X = rng.uniform(-2, 2, size=(80, 1))
    return X, np.sin(X[:, 0]) + (0.1 + 0.1 * np.abs(X[:, 0])) * rng.normal(size=80)


def test_gauss_newton_takes_curv_and_newton_hess(data):
    X, y = data
    net = Network([1, 3, 2], "tanh", loss=Normal())
    theta = net.init(random_state=0)
    J = net.jacobian(theta, X)
    raw = net.raw(theta, X)
    fisher = np.einsum("nip,nij,njq->pq", J, Normal().curv(raw, y), J) / len(X)
    by_hess = np.einsum("nip,nij,njq->pq", J, Normal().hess(raw, y), J) / len(X)
    assert np.linalg.eigvalsh(by_hess)[0] < -1e-3
    v = np.arange(1.0, net.n_params + 1)
    np.testing.assert_allclose(net.ggn(theta, X, y), fisher, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(net.ggn_mul(theta, X, y, v), fisher @ v, rtol=1e-9, atol=1e-10)
    _, _, together = net.objective(X, y).value_grad_ggn(theta)
    np.testing.assert_allclose(together, fisher, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(net.objective(X, y).ggn_diagonal(theta), np.diag(fisher), rtol=1e-9)
    h = 1e-5
    columns = [
        (net.value_grad(theta + h * e, X, y)[1] - net.value_grad(theta - h * e, X, y)[1]) / (2 * h)
        for e in np.eye(net.n_params)
    ]
    np.testing.assert_allclose(net.hessian(theta, X, y), columns, atol=1e-7)


@pytest.mark.parametrize("loss", [Normal(), FisherOnly()])
@pytest.mark.parametrize("solver", [LevenbergMarquardt(), NewtonCG()])
def test_a_likelihood_trains_by_its_fisher_information(loss, solver, data):
    X, y = data
    net = Network([1, 4, 2], "tanh", loss=loss)
    theta0 = net.init(random_state=0)
    objective = net.objective(X, y, alpha=0.1)
    ours = minimize(objective, theta0, solver=solver, max_iter=200, tol=1e-6)
    peer = minimize(objective, theta0, solver="lbfgs", max_iter=2000, tol=1e-6)
    assert ours.loss < peer.loss + 0.05


def test_without_hess_newton_says_so(data):
    net = Network([1, 3, 2], "tanh", loss=FisherOnly())
    with pytest.raises(ValueError, match=r"no method hess\(raw, y\).*'lbfgs' and 'gd' do without"):
        net.hessian(net.init(0), *data)
    net = Network([1, 3, 2], "tanh", loss=Normal().value_grad)
    with pytest.raises(ValueError, match=r"no method curv\(raw, y\) or hess\(raw, y\)"):
        net.ggn(net.init(0), *data)


@pytest.mark.parametrize(
    ("kind", "loss", "twin"),
    [
        ("binary", cross_entropy, "log_loss"),
        ("multiclass", softmax_cross_entropy, "log_loss"),
        ("multilabel", cross_entropy, "log_loss"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["lbfgs", "gd"])
def test_classifiers(kind, loss, twin, solver, rng):
    X = rng.normal(size=(60, 3))
    codes = np.array([0, 1, 2])[np.argmax(X + 0.3 * rng.normal(size=X.shape), axis=1)]
    y = {
        "binary": np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)],
        "multiclass": np.array(["a", "b", "c"])[codes],
        "multilabel": (X[:, :2] > 0).astype(int),
    }[kind]
    options = {"hidden_layer_sizes": (4,), "activation": "tanh", "solver": solver, "alpha": 0.1}
    options |= {"random_state": 0, "max_iter": 30, "tol": 1e-7, "learning_rate_init": 0.1}

    class Own:
        value_grad = staticmethod(loss)

    expected = MLPClassifier(loss=twin, **options)
    expected.fit(X, y)
    for own in (loss, Own()):
        model = clone(MLPClassifier(loss=own, **options)).fit(X, y)
        np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-6)
        proba = expected.predict_proba(X)
        np.testing.assert_allclose(model.predict_proba(X), proba, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(model.predict(X), expected.predict(X))


@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_mini_batches_say_which_solver(make, solver, rng):
    X, y = rng.normal(size=(20, 2)), np.arange(20) % 2
    with pytest.raises(ValueError, match=f"'{solver}' runs mini-batches.*set solver='lbfgs'"):
        make(loss=squared, solver=solver).fit(X, y)


def test_two_raw_outputs_per_target_say_what_is_missing(data):
    X, y = data
    model = MLPRegressor(loss=Normal(), solver="lbfgs", hidden_layer_sizes=(3,))
    with pytest.raises(ValueError, match=r"raw of shape \(80, 1\).*attribute raws_per_target"):
        model.fit(X, y)


class TwoRaws(Normal):
    """What the native loss is, but for its constant."""

    raws_per_target = 2


def test_raws_per_target_are_those_of_the_native_loss(data):
    X, y = data
    own, native = (Network([1, 3, 1], "tanh", loss=loss) for loss in (TwoRaws(), "normal"))
    assert (own.n_targets, own.n_raw, own.layers) == (1, 2, (1, 3, 1))
    theta, v = native.init(random_state=0), np.arange(1.0, native.n_params + 1)
    np.testing.assert_allclose(own.predict(theta, X), native.raw(theta, X)[:, :1], rtol=1e-14)
    constant = 0.5 * np.log(2 * np.pi)
    assert own.value(theta, X, y) + constant == pytest.approx(native.value(theta, X, y), rel=1e-12)
    for name in ("hessian", "ggn"):
        ours, theirs = (getattr(net, name)(theta, X, y) for net in (own, native))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)
    for name in ("hess_mul", "ggn_mul"):
        ours, theirs = (getattr(net, name)(theta, X, y, v) for net in (own, native))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("solver", ["lbfgs", "lm", "newton-cg"])
def test_raws_per_target_in_an_estimator(solver, data):
    X, y = data
    options = {"hidden_layer_sizes": (4,), "activation": "tanh", "solver": solver, "alpha": 0.1}
    options |= {"max_iter": 300, "standardize": False, "random_state": 0, "tol": 1e-5}
    own = clone(MLPRegressor(loss=TwoRaws(), **options)).fit(X, y)
    native = MLPRegressor(loss="normal", **options).fit(X, y)
    constant = 0.5 * np.log(2 * np.pi)
    assert own.coefs_[-1].shape == (4, 2) and own.n_outputs_ == 1
    assert own.loss_ + constant == pytest.approx(native.loss_, abs=2e-2)
    np.testing.assert_array_equal(own.predict(X), own.network_.predict(own.theta_, X)[:, 0])
    assert own.compile().predict(X[0]) == pytest.approx(own.predict(X[:1])[0], rel=1e-12)


@pytest.mark.parametrize("raws", [0, -1, 1.5, True, "2"])
def test_raws_per_target_is_a_positive_integer(raws):
    class Wrong(Normal):
        raws_per_target = raws

    with pytest.raises(ValueError, match="raws_per_target of a loss must be an integer"):
        Network([1, 3, 1], loss=Wrong())


@pytest.mark.parametrize(
    ("loss", "error", "words"),
    [
        (lambda raw, y: raw[:, 0], TypeError, r"must return a pair.*\(80,\) and \(80, 1\)"),
        (lambda raw, y: None, TypeError, "must return a pair.*got None"),
        (lambda raw, y: (1.0, raw), ValueError, r"shapes \(80,\) and \(80, 1\); got \(\)"),
        (lambda raw, y: (raw[:, 0] * 1j, raw), TypeError, "value must be real; it is complex"),
        (lambda raw, y: (raw[:, 0], raw * 1j), TypeError, "gradient must be real; it is complex"),
        (lambda raw, y: (["a"] * 80, raw), TypeError, "value must be an array of real numbers"),
        (lambda raw, y: ([[1], [2, 3]], raw), TypeError, "value must be an array of real"),
        (lambda raw, y: raw @ y[:3], ValueError, r"failed on raw of shape \(80, 1\) and y of"),
        (lambda raw: raw, ValueError, "failed on raw of shape.*TypeError"),
        (lambda raw, y: (raw[:, 0] * np.nan, raw), ValueError, "not finite at theta0|not finite"),
    ],
)
def test_answers_of_the_wrong_kind(loss, error, words, data):
    X, y = data
    with pytest.raises(error, match=words):
        MLPRegressor(loss=loss, solver="lbfgs", hidden_layer_sizes=(3,)).fit(X, y)


class TestCheckGrad:
    raw = np.random.default_rng(0).normal(size=(6, 2))
    y = np.random.default_rng(1).normal(size=6)

    def test_right_ones_pass(self):
        assert 0 < check_grad(Normal(), self.raw, self.y) < 1e-7
        assert check_grad(squared, self.raw[:, 0], self.y) < 1e-8
        one_hot = np.eye(2)[[0, 1, 0, 1, 1, 0]]
        assert check_grad(softmax_cross_entropy, 30 * self.raw, one_hot) < 1e-6
        tiny = check_grad(lambda raw, y: (1e9 * raw[:, 0] ** 2, 2e9 * raw), self.raw[:, :1], self.y)
        assert tiny < 1e-6

    def test_wrong_ones_are_named(self):
        class Wrong(Normal):
            entry, shift = (3, 1), 1e-3

            def value_grad(self, raw, y):
                value, grad = super().value_grad(raw, y)
                if len(grad) > 3:
                    grad[self.entry] += self.shift
                return value, grad

        with pytest.raises(ValueError, match="gradient is wrong in row 3, column 1: it says"):
            check_grad(Wrong(), self.raw, self.y)

        class WrongHess(Normal):
            def hess(self, raw, y):
                Q = super().hess(raw, y)
                Q[2, 0, 1] *= -1
                return Q

        with pytest.raises(ValueError, match="hess is wrong in row 2, column 0, 1"):
            check_grad(WrongHess(), self.raw, self.y)

        class WrongCurv(Normal):
            def curv(self, raw, y):
                return self.hess(raw, y)

        with pytest.raises(ValueError, match="curv is not positive semi-definite in row"):
            check_grad(WrongCurv(), self.raw, self.y)

        class Lopsided(Normal):
            def curv(self, raw, y):
                Q = super().curv(raw, y)
                Q[4, 0, 1] = 0.3
                return Q

        with pytest.raises(ValueError, match="curv is not symmetric in row 4"):
            check_grad(Lopsided(), self.raw, self.y)

    def test_means_over_rows_are_found(self):
        def mean(raw, y):
            value, grad = squared(raw[:, :1], y)
            return value / len(raw), grad / len(raw)

        with pytest.raises(ValueError, match="depend on this row alone"):
            check_grad(mean, self.raw[:, :1], self.y)

    @pytest.mark.parametrize(
        ("loss", "raw", "error", "words"),
        [
            ("squared_error", raw, TypeError, "'squared_error' is built in"),
            (3, raw, TypeError, "value_grad"),
            (squared, raw[:3], ValueError, "as many rows"),
            (squared, np.empty((6, 0)), ValueError, "raw must have shape"),
            (lambda raw, y: (y / 0 * raw[:, 0], raw), raw, ValueError, "value is .* in row 0"),
            (lambda raw, y: (y, raw * np.nan), raw, ValueError, "is nan in row 0, column 0"),
            (lambda raw, y: y, raw, TypeError, "must return a pair"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_checked(self, loss, raw, error, words):
        with np.errstate(all="ignore"), pytest.raises(error, match=words):
            check_grad(loss, raw, self.y)
