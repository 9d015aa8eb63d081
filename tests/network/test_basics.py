"""Parameters in and out of theta, initial draws, pickles, and losses written in Python."""

import copy
import pickle

import numpy as np
import pytest
from cases import drawn, relative_error
from sklearn import neural_network

from fastmlp import Network
from fastmlp.solvers import minimize


def test_attributes():
    net = Network([4, 3, 2], "tanh", dtype=np.float32)
    assert net.layers == (4, 3, 2)
    assert (net.n_features, net.n_raw, net.n_params) == (4, 2, 4 * 3 + 3 + 3 * 2 + 2)
    assert net.dtype == np.float32
    assert "4, 3, 2" in repr(net)
    assert "tanh" in repr(net)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_pack_and_unpack(rng, dtype):
    net = Network([4, 3, 2], dtype=dtype)
    coefs = [rng.normal(size=(4, 3)).astype(dtype), rng.normal(size=(3, 2)).astype(dtype)]
    intercepts = [rng.normal(size=3).astype(dtype), rng.normal(size=2).astype(dtype)]
    theta = net.pack(coefs, intercepts)
    assert theta.dtype == dtype
    np.testing.assert_array_equal(theta[:12], coefs[0].ravel())
    np.testing.assert_array_equal(theta[12:15], intercepts[0])
    np.testing.assert_array_equal(theta[15:21], coefs[1].ravel())
    np.testing.assert_array_equal(theta[21:], intercepts[1])
    again, biases = net.unpack(theta)
    for array, original in zip([*again, *biases], [*coefs, *intercepts], strict=True):
        np.testing.assert_array_equal(array, original)
        assert np.shares_memory(array, theta)
    again[0][1, 2] = 7.0
    assert theta[5] == 7.0


def test_pack_refuses_wrong_shapes(rng):
    net = Network([4, 3, 2])
    coefs, intercepts = net.unpack(net.init(random_state=0))
    for wrong in (
        (coefs[:1], intercepts),
        (coefs, intercepts[:1]),
        ([coefs[0].T, coefs[1]], intercepts),
        (coefs, [intercepts[0], intercepts[1][:1]]),
    ):
        with pytest.raises(ValueError, match="coefs|intercepts"):
            net.pack(*wrong)
    with pytest.raises(ValueError, match="theta"):
        net.unpack(np.zeros(3))


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_glorot_is_sklearns(activation, dtype):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(10, 4)).astype(dtype), rng.normal(size=(10, 2)).astype(dtype)
    theirs = neural_network.MLPRegressor(
        hidden_layer_sizes=(5, 3), activation=activation, random_state=7, solver="sgd"
    )
    # with a rate of zero and no momentum the initial draws survive the first epoch
    theirs.set_params(learning_rate_init=1e-300, momentum=0.0, max_iter=1, shuffle=False)
    theirs.fit(X, y)
    net = Network([4, 5, 3, 2], activation, dtype=dtype)
    theta = net.init(random_state=7)
    assert theta.dtype == dtype
    coefs, intercepts = net.unpack(theta)
    for ours, sklearns in zip(
        [*coefs, *intercepts], [*theirs.coefs_, *theirs.intercepts_], strict=True
    ):
        np.testing.assert_array_equal(ours, sklearns)


def test_random_states():
    net = Network([4, 3, 2])
    np.testing.assert_array_equal(net.init(3), net.init(np.random.RandomState(3)))
    shared = np.random.RandomState(3)
    assert not np.array_equal(net.init(shared), net.init(shared))
    assert not np.array_equal(net.init(3), net.init(4))
    assert not np.array_equal(net.init(), net.init())
    from_generator = net.init(np.random.default_rng(3))
    np.testing.assert_array_equal(from_generator, net.init(np.random.default_rng(3)))
    for wrong in ("three", True, 1.0):
        with pytest.raises(TypeError, match=f"random_state must be None.*{wrong!r}"):
            net.init(wrong)
        with pytest.raises(TypeError, match=f"random_state must be None.*{wrong!r}"):
            minimize(lambda t: (t @ t, 2 * t), np.ones(2), random_state=wrong)


@pytest.mark.parametrize(
    ("init", "variance"), [("he", 2 / 400), ("lecun", 1 / 400), ("glorot", 2 / 1000)]
)
def test_init_variance(init, variance):
    net = Network([400, 600, 1], "relu")
    W = net.unpack(net.init(random_state=0, init=init))[0][0]
    # 240,000 draws: the sample variance is within one part in a hundred many times over
    assert abs(W.var() / variance - 1) < 0.02
    assert abs(W.mean()) < 5 * np.sqrt(variance / W.size)


def test_init_from_zeros_and_arrays(rng):
    net = Network([3, 2, 1])
    assert not net.init(init="zeros").any()
    coefs, intercepts = (
        [rng.normal(size=(3, 2)), rng.normal(size=(2, 1))],
        [np.ones(2), np.zeros(1)],
    )
    np.testing.assert_array_equal(net.init(init=(coefs, intercepts)), net.pack(coefs, intercepts))
    with pytest.raises(ValueError, match="Unknown init .xavier.; did you mean .glorot."):
        net.init(init="xavier")


@drawn(range(5))
def test_pickle_and_copy(case):
    net = Network(**case.arguments)
    expected = net.value_grad(case.theta, *case.data)[1]
    for twin in (pickle.loads(pickle.dumps(net)), copy.copy(net), copy.deepcopy(net)):
        assert repr(twin) == repr(net)
        np.testing.assert_array_equal(twin.value_grad(case.theta, *case.data)[1], expected)


class Poisson:
    """The half Poisson deviance over an exponential output, as a user would write it."""

    def value_grad(self, raw, y):
        y, mean = np.reshape(y, raw.shape), np.exp(raw)
        log_y = np.log(np.where(y == 0, 1.0, y))
        return (y * log_y - y * raw - y + mean).sum(axis=1), mean - y

    def hess(self, raw, y):
        return np.exp(raw)[:, :, None] * np.eye(raw.shape[1])


def poisson_data(rng):
    return rng.normal(size=(31, 4)), rng.poisson(2.0, size=(31, 2)).astype(float)


def test_a_custom_loss_equals_the_built_in(rng):
    X, y = poisson_data(rng)
    theirs = Network([4, 6, 2], "tanh", loss=Poisson())
    ours = Network([4, 6, 2], "tanh", loss="poisson")
    theta, v = ours.init(random_state=0), rng.normal(size=ours.n_params)
    extras = {"sample_weight": rng.uniform(size=31), "l2": 0.1}
    for name in ("value", "hessian", "ggn"):
        expected = getattr(ours, name)(theta, X, y, **extras)
        assert relative_error(getattr(theirs, name)(theta, X, y, **extras), expected) < 1e-12
    for name in ("hess_mul", "ggn_mul"):
        expected = getattr(ours, name)(theta, X, y, v, **extras)
        assert relative_error(getattr(theirs, name)(theta, X, y, v, **extras), expected) < 1e-12
    value, grad = theirs.value_grad(theta, X, y, **extras)
    expected_value, expected_grad = ours.value_grad(theta, X, y, **extras)
    assert relative_error(value, expected_value) < 1e-12
    assert relative_error(grad, expected_grad) < 1e-12


@pytest.mark.parametrize("solver", ["gd", "lbfgs", "newton"])
def test_a_custom_loss_trains_by_full_batch_solvers(solver, rng):
    X, y = poisson_data(rng)
    nets = [Network([4, 3, 2], "tanh", loss=loss) for loss in (Poisson(), "poisson")]
    theta0, runs = nets[1].init(random_state=0), []
    for net in nets:
        objective = net.objective(X, y, alpha=0.5)
        runs.append(minimize(objective, theta0, solver=solver, max_iter=10, tol=0.0))
    assert runs[0].loss < nets[1].value(theta0, X, y)
    np.testing.assert_allclose(runs[0].history["loss"], runs[1].history["loss"], rtol=1e-8)


def test_a_custom_loss_may_be_a_function(rng):
    X, y = poisson_data(rng)
    by_function = Network([4, 6, 2], "tanh", loss=Poisson().value_grad)
    built_in = Network([4, 6, 2], "tanh", loss="poisson")
    theta = built_in.init(random_state=0)
    expected = built_in.value_grad(theta, X, y)[1]
    assert relative_error(by_function.value_grad(theta, X, y)[1], expected) < 1e-12
    with pytest.raises(ValueError, match="hess"):
        by_function.hessian(theta, X, y)


def test_a_custom_loss_of_wrong_shape_is_named(rng):
    X, y = poisson_data(rng)
    wrong = [
        lambda raw, y: (0.0, np.zeros_like(raw)),
        lambda raw, y: (np.zeros(len(raw)), np.zeros(len(raw))),
        lambda raw, y: np.zeros(len(raw)),
    ]
    for loss in wrong:
        net = Network([4, 6, 2], loss=loss)
        with pytest.raises((ValueError, TypeError), match="value|grad|loss"):
            net.value_grad(net.init(0), X, y)


def test_custom_targets_are_free(rng):
    """Two raw outputs for one target: a Normal likelihood with its own scale."""

    def normal(raw, y):
        mean, log_scale = raw.T
        r = (y - mean) * np.exp(-log_scale)
        return r**2 / 2 + log_scale, np.stack([-r * np.exp(-log_scale), 1 - r**2], axis=1)

    net = Network([3, 4, 2], "tanh", loss=normal)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    theta, v, h = net.init(random_state=0), rng.normal(size=net.n_params), 1e-5
    ahead, behind = net.value(theta + h * v, X, y), net.value(theta - h * v, X, y)
    slope = net.value_grad(theta, X, y)[1] @ v
    assert abs(slope) > 1e-3
    np.testing.assert_allclose((ahead - behind) / (2 * h), slope, rtol=1e-7)
