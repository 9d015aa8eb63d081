"""A well-written NumPy MLP: every buffer allocated once, theta one flat vector, adam in place."""

import numpy as np

from bench.cases import SKLEARN_ACTIVATIONS as ACTIVATIONS  # noqa: F401
from bench.peers import start

NAME = "numpy"
PREDICTED_AT_ONCE = 1024  # rows whose activations stay in the cache


def activate(name, a):
    """The activation, in place."""
    if name == "relu":
        np.maximum(a, 0, out=a)
    elif name == "tanh":
        np.tanh(a, out=a)
    elif name == "logistic":
        np.negative(a, out=a)
        np.exp(a, out=a)
        a += 1
        np.reciprocal(a, out=a)


def multiply_slope(name, delta, a, scratch):
    """Multiply delta by the activation's slope, computed from its value a."""
    if name == "relu":
        np.greater(a, 0, out=scratch)
    elif name == "tanh":
        np.multiply(a, a, out=scratch)
        np.subtract(1, scratch, out=scratch)
    elif name == "logistic":
        np.subtract(1, a, out=scratch)
        scratch *= a
    if name != "identity":
        delta *= scratch


class Network:
    """Buffers of one training run, and views into the flat theta and gradient."""

    def __init__(self, case, dtype, seed):
        coefs, intercepts, self.rng = start.initial(case, dtype, seed)
        self.case = case
        self.shapes = list(zip(case.layers, case.layers[1:], strict=False))
        n_params = sum((fan_in + 1) * fan_out for fan_in, fan_out in self.shapes)
        self.theta, self.grad = np.zeros(n_params, dtype), np.zeros(n_params, dtype)
        self.first, self.second = np.zeros(n_params, dtype), np.zeros(n_params, dtype)
        self.scratch = np.empty((2, n_params), dtype)
        self.coefs, self.intercepts = self.views(self.theta)
        self.d_coefs, self.d_intercepts = self.views(self.grad)
        for view, drawn in zip([*self.coefs, *self.intercepts], [*coefs, *intercepts], strict=True):
            view[...] = drawn
        self.a = [np.empty((case.batch_size, width), dtype) for width in case.layers]
        self.delta = [np.empty((case.batch_size, width), dtype) for width in case.layers]
        self.slope = [np.empty((case.batch_size, width), dtype) for width in case.layers]
        self.t = 0

    def views(self, flat):
        coefs, intercepts, begin = [], [], 0
        for fan_in, fan_out in self.shapes:
            stop = begin + fan_in * fan_out
            coefs.append(flat[begin:stop].reshape(fan_in, fan_out))
            intercepts.append(flat[stop : stop + fan_out])
            begin = stop + fan_out
        return coefs, intercepts

    def step(self, X, y, rows):
        """One batch."""
        n, last = len(rows), len(self.coefs)
        a = [buffer[:n] for buffer in self.a]
        delta = [buffer[:n] for buffer in self.delta]
        np.take(X, rows, axis=0, out=a[0], mode="clip")  # "raise" would buffer
        for layer in range(last):
            np.matmul(a[layer], self.coefs[layer], out=a[layer + 1])
            a[layer + 1] += self.intercepts[layer]
            if layer < last - 1:
                activate(self.case.activation, a[layer + 1])
        self.output_delta(delta[last], a[last], y[rows])
        l2 = self.case.alpha / n
        for layer in reversed(range(last)):
            np.matmul(a[layer].T, delta[layer + 1], out=self.d_coefs[layer])
            self.d_coefs[layer] += l2 * self.coefs[layer]
            np.sum(delta[layer + 1], axis=0, out=self.d_intercepts[layer])
            if layer:
                np.matmul(delta[layer + 1], self.coefs[layer].T, out=delta[layer])
                multiply_slope(self.case.activation, delta[layer], a[layer], self.slope[layer][:n])
        self.adam()

    def output_delta(self, delta, raw, y):
        """delta = d (mean loss) / d raw; raw is used up."""
        if not self.case.n_classes:
            np.subtract(raw, y.reshape(raw.shape), out=delta)
        else:
            raw -= raw.max(axis=1, keepdims=True)
            np.exp(raw, out=delta)
            delta /= delta.sum(axis=1, keepdims=True)
            delta[np.arange(len(y)), y] -= 1
        delta /= len(y)

    def adam(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.t += 1
        rate = self.case.rate * np.sqrt(1 - beta_2**self.t) / (1 - beta_1**self.t)
        step, root = self.scratch
        self.first *= beta_1
        np.multiply(self.grad, 1 - beta_1, out=step)
        self.first += step
        self.second *= beta_2
        np.multiply(self.grad, self.grad, out=step)
        step *= 1 - beta_2
        self.second += step
        np.sqrt(self.second, out=root)
        root += epsilon
        np.divide(self.first, root, out=step)
        step *= rate
        self.theta -= step

    def train(self, X, y):
        for order in start.orders(self.case, self.rng, len(X)):
            for begin in range(0, len(X), self.case.batch_size):
                self.step(X, y, order[begin : begin + self.case.batch_size])
        return self.coefs, self.intercepts


def prepare(case, X, y, seed, threads):
    network = Network(case, X.dtype, seed)
    return lambda: network.train(X, y)


def predictor(case, coefs, intercepts, threads):
    size, dtype = PREDICTED_AT_ONCE, coefs[0].dtype
    buffers = [np.empty((size, width), dtype) for width in case.layers[1:-1]]

    def predict(X):
        out = np.empty((len(X), case.layers[-1]), dtype)
        for begin in range(0, len(X), size):
            a = X[begin : begin + size]
            for W, b, buffer in zip(coefs[:-1], intercepts[:-1], buffers, strict=True):
                a = np.matmul(a, W, out=buffer[: len(a)])
                a += b
                activate(case.activation, a)
            part = out[begin : begin + size]
            np.matmul(a, coefs[-1], out=part)
            part += intercepts[-1]
        return out

    return predict
