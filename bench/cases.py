"""What is timed: data, network, batch size, epochs; and what the project promises for each."""

from dataclasses import dataclass, replace

import numpy as np

ACTIVATIONS = (
    "identity logistic tanh relu softplus leaky_relu elu selu gelu silu mish".split()
)  # fmt: skip
SKLEARN_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")


@dataclass(frozen=True)
class Case:
    """One training problem; ``n_classes`` of 0 stands for a regression with ``n_targets``."""

    name: str
    n_samples: int
    n_features: int
    hidden: tuple[int, ...]
    n_classes: int
    batch_size: int
    epochs: int
    activation: str = "relu"
    alpha: float = 1e-4
    rate: float = 1e-3
    n_targets: int = 1
    shuffle: bool = True
    solver: str = "adam"
    entries: int = 0  # of a row of compressed sparse rows; 0: X is dense

    @property
    def layers(self):
        """Widths from the features to the raw outputs."""
        return (self.n_features, *self.hidden, self.n_classes or self.n_targets)

    @property
    def n_batches(self):
        """Of one epoch."""
        return -(-self.n_samples // self.batch_size)

    @property
    def n_params(self):
        """Weights and biases."""
        return sum((m + 1) * k for m, k in zip(self.layers, self.layers[1:], strict=False))

    @property
    def flops_per_row(self):
        """Of the matrix products: forward, weight gradient, delta (not of X)."""
        products = [m * k for m, k in zip(self.layers, self.layers[1:], strict=False)]
        if self.entries:
            products[0] = self.entries * self.layers[1]
        return 2 * (3 * sum(products) - products[0])

    @property
    def flops(self):
        """Of the matrix products of one epoch."""
        return self.n_samples * self.flops_per_row

    @property
    def forward_flops(self):
        """Of one row's prediction."""
        return 2 * sum(m * k for m, k in zip(self.layers, self.layers[1:], strict=False))

    def quick(self):
        """The same shapes on fewer rows, for a look at whether the bench still runs."""
        columns = min(self.n_features, 2_000) if self.entries else self.n_features
        n_samples = min(self.n_samples, 10 * self.batch_size)
        return replace(self, n_samples=n_samples, n_features=columns, epochs=2)

    def data(self, dtype):
        """X of shape (n_samples, n_features), y of (n_samples,), or (n_samples, n_targets)."""
        if self.name == "digits":
            from sklearn.datasets import load_digits

            X, y = load_digits(return_X_y=True)
            X, y = X[: self.n_samples] / 16, y[: self.n_samples]
            return X.astype(dtype), y
        rng = np.random.default_rng(0)
        if self.entries:
            X = self._sparse(rng)
        else:
            X = rng.standard_normal((self.n_samples, self.n_features))
        scores = X @ rng.standard_normal((self.n_features, self.layers[-1]))
        if self.n_classes:
            y = scores.argmax(axis=1)
            y[: self.n_classes] = np.arange(self.n_classes)  # a class that never wins is there, too
            return X.astype(dtype), y
        y = np.tanh(scores / np.sqrt(self.n_features)) + 0.1 * rng.standard_normal(scores.shape)
        return X.astype(dtype), (y if self.n_targets > 1 else y[:, 0]).astype(dtype)

    def _sparse(self, rng):
        """Compressed sparse rows of so many entries each."""
        from scipy import sparse

        shape = self.n_samples, self.n_features
        columns = np.sort(rng.integers(self.n_features, size=(self.n_samples, self.entries)))
        values = rng.standard_normal(columns.size)
        indptr = self.entries * np.arange(self.n_samples + 1)
        X = sparse.csr_matrix((values, columns.ravel(), indptr), shape=shape)
        X.sum_duplicates()
        return X


CASES = (
    Case("tiny", 5_000, 5, (10, 10), 0, 32, 30),
    Case("digits", 1_797, 64, (100,), 10, 32, 40),
    Case("tab64", 20_000, 20, (64, 64), 0, 128, 5),
    Case("tab256", 50_000, 50, (256, 256), 0, 256, 2),
    Case("wide", 20_000, 784, (512, 512), 10, 256, 2),
)

SPARSE = (
    Case("sparse adam", 20_000, 20_000, (100,), 0, 200, 2, entries=10),
    Case("sparse lbfgs", 20_000, 20_000, (100,), 0, 200, 20, entries=10, solver="lbfgs"),
)

PREDICTIONS = (
    Case("5-10-10-1", 1, 5, (10, 10), 0, 1, 1),
    Case("20-64-64-1", 1, 20, (64, 64), 0, 1, 1),
    Case("50-256-256-1", 1, 50, (256, 256), 0, 1, 1),
)

# how many times faster than the peer the project wants to be, in the order of CASES; 1 thread
TORCH = (150, 35, 14, 2.2, 1.35)
PROMISES = {
    ("sklearn", "float32"): (120, 35, 14, 3.3, 2.4),
    ("sklearn", "float64"): (80, 25, 10, 2.5, 2),
    ("torch", "float32"): TORCH,
    ("torch", "float64"): TORCH,
    ("torch.compile", "float32"): (1, 1, 1, 1, 1),
    ("torch.compile", "float64"): (1, 1, 1, 1, 1),
}
GEMM_PROMISES = {"tab64": 0.65, "tab256": 0.78, "wide": 0.85}


def promise(case, peer, dtype):
    """The ratio promised; between the cases, by the logarithm of the operations in a batch.

    None where nothing is promised for this peer.
    """
    ratios = PROMISES.get((peer, dtype))
    if ratios is None:
        return None
    works = [np.log(each.flops_per_row * each.batch_size) for each in CASES]
    return float(
        np.exp(np.interp(np.log(case.flops_per_row * case.batch_size), works, np.log(ratios)))
    )


def random_cases(seed, n=20, quick=False):
    """Shapes drawn from ``seed``: depth 1-4, widths 4-512, batches 16-512, every activation."""
    rng = np.random.default_rng(seed)
    extra = rng.choice(SKLEARN_ACTIVATIONS, size=max(0, n - len(ACTIVATIONS)))
    activations = rng.permutation([*ACTIVATIONS, *extra])[:n]

    def draw(low, high, size=None):
        return np.exp(rng.uniform(np.log(low), np.log(high + 1), size)).astype(int)

    cases = []
    for activation in activations:
        hidden = tuple(int(w) for w in draw(4, 512, rng.integers(1, 5)))
        batch = int(draw(16, 512))
        case = Case(
            "",
            n_samples=10_000,
            n_features=int(draw(4, 512)),
            hidden=hidden,
            n_classes=int(rng.choice([0, 10])),
            batch_size=batch,
            epochs=4,
            activation=str(activation),
        )
        work = (1e8 if quick else 4e9) / case.flops_per_row
        rows = int(np.clip(work, (4 if quick else 8) * batch, 1_000 if quick else 10_000))
        name = f"{'-'.join(map(str, case.layers))} {activation} b{batch}"
        cases.append(replace(case, name=name, n_samples=rows))
    return cases
