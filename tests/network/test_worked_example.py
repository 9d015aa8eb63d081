"""The slides' 2-2-2 network, followed by hand: every number to the digits they state."""

import numpy as np
import pytest
import reference

from fastmlp import Network

X, Y = np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])
# column j holds the weights that feed unit j: w1, w2 feed h1 and w5, w6 feed o1
COEFS = [np.array([[0.15, 0.25], [0.20, 0.30]]), np.array([[0.40, 0.50], [0.45, 0.55]])]
INTERCEPTS = [np.array([0.35, 0.35]), np.array([0.60, 0.60])]
DIGITS = 0.5e-9


@pytest.fixture
def net():
    return Network(
        [2, 2, 2], activation="logistic", output_activation="logistic", loss="squared_error"
    )


@pytest.fixture
def theta(net):
    return net.pack(COEFS, INTERCEPTS)


def close(actual, stated):
    np.testing.assert_allclose(actual, stated, rtol=0, atol=DIGITS)


def test_forward_and_loss(net, theta):
    close(net.raw(theta, X)[0, 0], 1.105905967)
    close(net.predict(theta, X), [[0.751365070, 0.772928465]])
    close(net.value(theta, X, Y), 0.298371109)


def test_one_gradient_step(net, theta):
    grad = net.value_grad(theta, X, Y)[1]
    d_coefs, _ = net.unpack(grad)
    close(d_coefs[1][0, 0], 0.082167041)
    coefs = [W - 0.5 * dW for W, dW in zip(COEFS, d_coefs, strict=True)]  # the biases are kept
    close(coefs[1].T.ravel(), [0.358916480, 0.408666186, 0.511301270, 0.561370121])
    close(coefs[0].T.ravel(), [0.149780716, 0.199561432, 0.249751144, 0.299502287])


def test_trace(net, theta):
    trace = net.trace(theta, X[0], Y[0])
    assert set(trace) == {"z", "a", "raw", "loss", "slope", "delta", "grad_W", "grad_b"}
    close(trace["a"][0], X[0])
    close(trace["z"][1], [0.3775, 0.3925])
    close(trace["a"][1][0], 0.593269992)
    close(trace["z"][2][0], 1.105905967)
    close(trace["a"][2], [0.751365070, 0.772928465])
    close(trace["raw"], trace["z"][2])
    close(trace["loss"], 0.298371109)
    a1, a2 = trace["a"][1], trace["a"][2]
    close(trace["slope"][1], a1 * (1 - a1))
    close(trace["slope"][2], a2 * (1 - a2))
    close(trace["delta"][2], (a2 - Y[0]) * a2 * (1 - a2))
    close(trace["delta"][1], (COEFS[1] @ trace["delta"][2]) * a1 * (1 - a1))
    close(trace["grad_W"][2][0, 0], 0.082167041)
    d_coefs, d_intercepts = net.unpack(net.value_grad(theta, X, Y)[1])
    for layer in (1, 2):
        close(trace["grad_W"][layer], d_coefs[layer - 1])
        close(trace["grad_b"][layer], d_intercepts[layer - 1])


def test_trace_prints_a_table(net, theta):
    table = str(net.trace(theta, X[0], Y[0]))
    for number in ("0.3775", "0.593269992", "1.105905967", "0.75136507", "0.772928465"):
        assert number in table
    for number in ("0.298371109", "0.082167041"):
        assert number in table
    for name in ("a[0]", "z[1]", "a[2]", "loss", "delta[1]", "slope[2]", "grad_W[2]", "grad_b[1]"):
        assert name in table
    assert max(len(line) for line in table.splitlines()) <= 100


def test_trace_of_other_networks(rng):
    for layers, loss, y in [
        ([3, 2], "log_loss", np.array(1)),
        ([3, 4, 2, 1], "squared_error", np.array([0.5])),
    ]:
        net = Network(layers, "tanh", loss=loss)
        theta, x = net.init(random_state=0), rng.normal(size=3)
        trace = net.trace(theta, x, y)
        value, grad = net.value_grad(theta, x[None], y.reshape(1, -1) if y.ndim else y[None])
        np.testing.assert_allclose(trace["loss"], value, rtol=1e-12)
        d_coefs, _ = net.unpack(grad)
        for layer, d_coef in enumerate(d_coefs, start=1):
            np.testing.assert_allclose(trace["grad_W"][layer], d_coef, rtol=1e-10, atol=1e-14)
        assert str(trace)


def test_a_trace_is_the_forward_pass_layer_by_layer(rng):
    names, layers = ["relu", "tanh", "elu"], [3, 4, 5, 2, 3]
    net = Network(layers, names, "softmax", "log_loss")
    theta, x = net.init(random_state=0), rng.normal(size=3)
    trace = net.trace(theta, x, 1)
    a = x
    for l, (W, b) in enumerate(zip(*net.unpack(theta), strict=True), start=1):
        z = a @ W + b
        np.testing.assert_allclose(trace["z"][l], z, rtol=1e-13)
        if l < len(layers) - 1:
            a, slope, _ = reference.ACTIVATIONS[names[l - 1]](z)
            np.testing.assert_allclose(trace["slope"][l], slope, rtol=1e-13)
        else:
            a = np.exp(z) / np.exp(z).sum()
        np.testing.assert_allclose(trace["a"][l], a, rtol=1e-13)
    np.testing.assert_array_equal(trace["raw"], trace["z"][4])
    assert set(trace["slope"]) == {1, 2, 3}
