"""Randomly drawn networks and data, shared by the tests; every draw is seeded by its caller."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import reference

HIDDEN = [name for name in reference.ACTIVATIONS if name != "exp"]
PARAMETERS = {"leaky_relu": {"eps": 0.1}, "elu": {"alpha": 0.7}}
LOSS_PARAMETERS = {
    "huber": {"epsilon": 0.8},
    "quantile": {"quantile": 0.3},
    "student_t": {"df": 2.5, "beta": 1.0},
    "laplace": {"beta": 0.0},
    "mixture": {"components": 2, "floor": 0.2},
    "histogram": {"bins": 5},
    "histogram_crps": {"bins": 4, "widths": (0.5, 2.0, 1.0, 0.25)},
    "quantiles": {"levels": (0.2, 0.7)},
}


def draw_targets(rng, loss, output_activation, n_samples, n_targets, bins=20):
    """Targets inside the domain of the loss, in the form that Network takes."""
    shape = (n_samples, n_targets)
    if loss == "log_loss" and output_activation == "softmax":
        return rng.integers(n_targets, size=n_samples)
    if loss == "log_loss":
        return rng.integers(2, size=shape).astype(float)
    if loss == "poisson":
        return rng.poisson(1.5, size=shape).astype(float)
    if loss == "negative_binomial":
        return rng.negative_binomial(2, 0.4, size=shape).astype(float)
    if loss == "beta":
        return rng.beta(2.0, 3.0, size=shape)
    if loss in ("gamma", "lognormal", "gamma_shape"):
        return rng.gamma(2.0, size=shape) + 0.05
    if loss.startswith("histogram"):
        return rng.uniform(0, bins, size=shape)
    if loss == "perceptron":
        return rng.choice([-1.0, 1.0], size=shape)
    return rng.normal(size=shape)


@dataclass
class Case:
    """Arguments of a Network, and a point and data to evaluate it at."""

    arguments: dict
    theta: np.ndarray
    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray
    l2: float
    v: np.ndarray
    twin: reference.Reference = field(repr=False)

    def __str__(self):
        """What a failing test's id says: loss, output, hidden activations, sizes."""
        hidden = [name for name, _ in self.twin.hidden]
        words = [self.twin.loss[0], self.twin.output[0], *hidden]
        sizes = "-".join(map(str, self.arguments["layers"]))
        return f"{' '.join(words)} {sizes} of {len(self.X)}"

    @property
    def data(self):
        return self.X, self.y

    @property
    def extras(self):
        return {"sample_weight": self.sample_weight, "l2": self.l2}


def with_parameters(name, table, rng):
    """The bare name, or half of the time the name with its non-default parameters."""
    return (name, table[name]) if name in table and rng.random() < 0.5 else name


def draw_case(seed, pair=None, hidden=None, n_samples=None, widest=9, deepest=3):
    """Draw layers, activations, (loss, output activation), parameters, data and weights."""
    rng = np.random.default_rng(seed)
    loss, output = pair or reference.PAIRS[rng.integers(len(reference.PAIRS))]
    depth = int(rng.integers(deepest + 1)) if hidden is None else max(1, int(rng.integers(4)))
    n_targets = int(rng.integers(2, 5)) if output == "softmax" else int(rng.integers(1, 5))
    layers = [*(int(width) for width in rng.integers(1, widest + 1, size=depth + 1)), n_targets]
    names = [hidden or HIDDEN[rng.integers(len(HIDDEN))] for _ in range(depth)]
    arguments = {
        "layers": layers,
        "activation": [with_parameters(name, PARAMETERS, rng) for name in names],
        "output_activation": with_parameters(output, PARAMETERS, rng),
        "loss": with_parameters(loss, LOSS_PARAMETERS, rng),
    }
    twin = reference.Reference(**arguments)
    n_samples = n_samples or int(rng.integers(1, 12))
    sample_weight = rng.uniform(0.2, 2.0, size=n_samples)
    sample_weight[1::3] = 0.0
    scale = [
        rng.normal(size=(fan_in, fan_out)) * 1.2 / np.sqrt(fan_in)
        for fan_in, fan_out in twin.shapes
    ]
    offsets = [0.5 * rng.normal(size=fan_out) for _, fan_out in twin.shapes]
    return Case(
        arguments=arguments,
        theta=twin.pack(scale, offsets),
        X=rng.normal(size=(n_samples, layers[0])),
        y=draw_targets(rng, loss, output, n_samples, n_targets, reference.raws_of(*twin.loss)),
        sample_weight=sample_weight,
        l2=float(rng.choice([0.0, 0.3])),
        v=rng.normal(size=twin.n_params),
        twin=twin,
    )


def drawn(seeds, draw=draw_case, **options):
    """Parametrize a test with ``case``: one for each seed, which its id names and describes."""
    cases = [(seed, draw(seed, **options)) for seed in seeds]
    named = [pytest.param(case, id=f"seed {seed}: {case}") for seed, case in cases]
    return pytest.mark.parametrize("case", named)


def relative_error(actual, expected):
    """Largest deviation, relative to the largest entry of what is expected."""
    expected = np.asarray(expected, dtype=float)
    scale = np.abs(expected).max(initial=0)
    scale = scale if scale > 1e-15 else 1.0  # less is what is left of numbers of order one
    return np.abs(np.asarray(actual, dtype=float) - expected).max(initial=0) / scale
