"""What is timed: data, network, batch size, epochs."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Case:
    """One training problem; ``n_classes`` of 0 stands for a regression with one output."""

    name: str
    n_samples: int
    n_features: int
    hidden: tuple[int, ...]
    n_classes: int
    batch_size: int
    epochs: int
    alpha: float = 1e-4
    rate: float = 1e-3

    @property
    def layers(self):
        """Widths from the features to the raw outputs."""
        return (self.n_features, *self.hidden, self.n_classes or 1)

    @property
    def flops(self):
        """Of the matrix products of one epoch: forward, weight gradient, delta (not of X)."""
        products = [m * k for m, k in zip(self.layers, self.layers[1:], strict=False)]
        return 2 * self.n_samples * (3 * sum(products) - products[0])

    def quick(self):
        """The same shapes on fewer rows, for a look at whether the bench still runs."""
        return replace(self, n_samples=min(self.n_samples, 20 * self.batch_size), epochs=3)

    def data(self, dtype):
        """X of shape (n_samples, n_features), y of shape (n_samples,)."""
        if self.name == "digits":
            from sklearn.datasets import load_digits

            X, y = load_digits(return_X_y=True)
            X, y = X[: self.n_samples] / 16, y[: self.n_samples]
            return X.astype(dtype), y
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.n_samples, self.n_features))
        scores = X @ rng.standard_normal((self.n_features, self.n_classes or 1))
        if self.n_classes:
            return X.astype(dtype), scores.argmax(axis=1)
        y = np.tanh(scores[:, 0] / np.sqrt(self.n_features)) + 0.1 * rng.standard_normal(len(X))
        return X.astype(dtype), y.astype(dtype)


CASES = [
    Case("tiny", 5_000, 5, (10, 10), 0, 32, 20),
    Case("digits", 1_797, 64, (100,), 10, 32, 20),
    Case("tab64", 20_000, 20, (64, 64), 0, 128, 5),
    Case("tab256", 50_000, 50, (256, 256), 0, 256, 2),
    Case("wide", 20_000, 784, (512, 512), 10, 256, 2),
]
