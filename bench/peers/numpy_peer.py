"""A well-written NumPy MLP: relu, adam, every buffer allocated once, theta one flat vector."""

import numpy as np

NAME = "numpy"


class Network:
    """Buffers of one training run, and views into the flat theta and gradient."""

    def __init__(self, case, dtype, seed):
        self.case, self.rng = case, np.random.RandomState(seed)
        self.shapes = list(zip(case.layers, case.layers[1:], strict=False))
        n_params = sum((fan_in + 1) * fan_out for fan_in, fan_out in self.shapes)
        self.theta, self.grad = np.zeros(n_params, dtype), np.zeros(n_params, dtype)
        self.first, self.second = np.zeros(n_params, dtype), np.zeros(n_params, dtype)
        self.scratch = np.empty((2, n_params), dtype)
        self.coefs, self.intercepts = self.views(self.theta)
        self.d_coefs, self.d_intercepts = self.views(self.grad)
        for W, b in zip(self.coefs, self.intercepts, strict=True):
            bound = np.sqrt(6 / sum(W.shape))
            W[...] = self.rng.uniform(-bound, bound, W.shape)
            b[...] = self.rng.uniform(-bound, bound, b.shape)
        self.a = [np.empty((case.batch_size, width), dtype) for width in case.layers]
        self.delta = [np.empty((case.batch_size, width), dtype) for width in case.layers]
        self.on = [np.empty((case.batch_size, width), bool) for width in case.layers]
        self.t = 0

    def views(self, flat):
        coefs, intercepts, start = [], [], 0
        for fan_in, fan_out in self.shapes:
            stop = start + fan_in * fan_out
            coefs.append(flat[start:stop].reshape(fan_in, fan_out))
            intercepts.append(flat[stop : stop + fan_out])
            start = stop + fan_out
        return coefs, intercepts

    def step(self, X, y, rows):
        """One batch; returns its loss."""
        n, last = len(rows), len(self.coefs)
        a = [buffer[:n] for buffer in self.a]
        delta = [buffer[:n] for buffer in self.delta]
        np.take(X, rows, axis=0, out=a[0])
        for layer in range(last):
            np.matmul(a[layer], self.coefs[layer], out=a[layer + 1])
            a[layer + 1] += self.intercepts[layer]
            if layer < last - 1:
                np.maximum(a[layer + 1], 0, out=a[layer + 1])
        loss = self.output_delta(delta[last], a[last], y[rows])
        l2 = self.case.alpha / n
        for layer in reversed(range(last)):
            np.matmul(a[layer].T, delta[layer + 1], out=self.d_coefs[layer])
            self.d_coefs[layer] += l2 * self.coefs[layer]
            np.sum(delta[layer + 1], axis=0, out=self.d_intercepts[layer])
            if layer:
                np.matmul(delta[layer + 1], self.coefs[layer].T, out=delta[layer])
                np.greater(a[layer], 0, out=self.on[layer][:n])
                delta[layer] *= self.on[layer][:n]
        loss += l2 / 2 * sum(float(np.vdot(W, W)) for W in self.coefs)
        self.adam()
        return loss

    def output_delta(self, delta, raw, y):
        """delta = d (mean loss) / d raw; raw is used up."""
        if not self.case.n_classes:
            np.subtract(raw, y[:, None], out=delta)
            loss = float(np.vdot(delta, delta)) / (2 * len(y))
        else:
            raw -= raw.max(axis=1, keepdims=True)
            np.exp(raw, out=delta)
            sums = delta.sum(axis=1, keepdims=True)
            index = np.arange(len(y))
            loss = float((np.log(sums[:, 0]) - raw[index, y]).mean())
            delta /= sums
            delta[index, y] -= 1
        delta /= len(y)
        return loss

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
        n, size, losses = len(X), self.case.batch_size, []
        order = np.arange(n)
        for _ in range(self.case.epochs):
            shuffled = np.arange(n)
            self.rng.shuffle(shuffled)
            order = order[shuffled]
            total = 0.0
            for start in range(0, n, size):
                rows = order[start : start + size]
                total += self.step(X, y, rows) * len(rows)
            losses.append(total / n)
        return losses


def prepare(case, X, y, seed, threads):
    network = Network(case, X.dtype, seed)
    return lambda: network.train(X, y)
