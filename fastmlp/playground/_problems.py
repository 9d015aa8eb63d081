"""Data to learn: TensorFlow Playground's, by its formulas, and curves of one variable.

Points lie in the square from -6 to 6. Classes are -1 and 1. ``noise`` goes from 0 to 0.5, as there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

REACH = 6.0  # the page shows -REACH .. REACH
RADIUS = 5.0

Points = tuple[np.ndarray, np.ndarray]


def circle(rng: np.random.Generator, n: int, noise: float) -> Points:
    """A disc inside a ring."""
    inside = np.arange(n) < n // 2
    r = np.where(inside, rng.uniform(0, 0.5, n), rng.uniform(0.7, 1, n)) * RADIUS
    angle = rng.uniform(0, 2 * np.pi, n)
    X = np.column_stack([r * np.sin(angle), r * np.cos(angle)])
    seen = X + rng.uniform(-RADIUS, RADIUS, (n, 2)) * noise
    return X, np.where(np.hypot(*seen.T) < 0.5 * RADIUS, 1.0, -1.0)


def xor(rng: np.random.Generator, n: int, noise: float) -> Points:
    """Four quarters, opposite ones of a class."""
    X = rng.uniform(-5, 5, (n, 2))
    X += np.where(X > 0, 0.3, -0.3)
    seen = X + rng.uniform(-5, 5, (n, 2)) * noise
    return X, np.where(seen[:, 0] * seen[:, 1] >= 0, 1.0, -1.0)


def corners(rng: np.random.Generator, n: int, noise: float) -> Points:
    """The table of XOR as four clouds: two lines keep the classes apart."""
    corner = np.arange(n) % 4
    signs = np.where(np.column_stack([corner % 2 == 0, corner < 2]), 1.0, -1.0)
    return 2.5 * signs + rng.normal(0, 0.4 + 4 * noise, (n, 2)), signs.prod(axis=1)


def gauss(rng: np.random.Generator, n: int, noise: float) -> Points:
    """Two round clouds."""
    y = np.where(np.arange(n) < n // 2, 1.0, -1.0)
    variance = 0.5 + 7 * noise
    return 2 * y[:, None] + rng.normal(0, np.sqrt(variance), (n, 2)), y


def spiral(rng: np.random.Generator, n: int, noise: float) -> Points:
    """Two arms that turn round each other."""
    half = n // 2
    y = np.where(np.arange(n) < half, 1.0, -1.0)
    k = np.concatenate([np.arange(half) / max(half, 1), np.arange(n - half) / max(n - half, 1)])
    r, t = 5 * k, 1.75 * k * 2 * np.pi + np.where(y > 0, 0, np.pi)
    X = np.column_stack([r * np.sin(t), r * np.cos(t)])
    return X + rng.uniform(-1, 1, (n, 2)) * noise, y


def plane(rng: np.random.Generator, n: int, noise: float) -> Points:
    """The sum of both coordinates."""
    X = rng.uniform(-REACH, REACH, (n, 2))
    seen = X + rng.uniform(-REACH, REACH, (n, 2)) * noise
    return X, np.clip(seen.sum(axis=1) / 10, -1, 1)


def hills(rng: np.random.Generator, n: int, noise: float) -> Points:
    """Three hills and three hollows."""
    X = rng.uniform(-REACH, REACH, (n, 2))
    seen = X + rng.uniform(-REACH, REACH, (n, 2)) * noise
    centres = [[-4, 2.5], [0, 2.5], [4, 2.5], [-4, -2.5], [0, -2.5], [4, -2.5]]
    signs = np.array([1, -1, 1, -1, 1, -1])
    far = np.linalg.norm(seen[:, None] - np.array(centres), axis=2)
    heights = signs * np.clip(1 - far / 2, 0, 1)
    return X, heights[np.arange(n), np.abs(heights).argmax(axis=1)]


def sine(rng: np.random.Generator, n: int, noise: float) -> Points:
    """A wave under even noise."""
    x = rng.uniform(-5, 5, n)
    return x[:, None], np.sin(x) + rng.normal(0, 0.05 + noise, n)


def funnel(rng: np.random.Generator, n: int, noise: float) -> Points:
    """A wave whose noise grows from left to right: a task for sigma(x)."""
    x = rng.uniform(-5, 5, n)
    return x[:, None], np.sin(x) + rng.normal(0, 1, n) * (0.02 + noise) * (x + 6) / 6


def gap(rng: np.random.Generator, n: int, noise: float) -> Points:
    """A wave that is seen on both sides only, with nothing in between."""
    x = rng.uniform(1.5, 5, n) * rng.choice([-1.0, 1.0], n)
    return x[:, None], np.sin(x) + rng.normal(0, 0.05 + noise, n)


def step(rng: np.random.Generator, n: int, noise: float) -> Points:
    """A jump at 0: smooth units approach it as they grow in number."""
    x = rng.uniform(-5, 5, n)
    return x[:, None], np.where(x > 0, 0.8, -0.8) + rng.normal(0, 0.05 + noise, n)


def by_hand(rng: np.random.Generator, n: int, noise: float) -> Points:
    """The one sample of the lecture's 2-2-2 network: two inputs, two targets."""
    return np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])


# Its weights: W1, b1, W2, b2, as theta holds them.
BY_HAND_START = (0.15, 0.25, 0.20, 0.30, 0.35, 0.35, 0.40, 0.50, 0.45, 0.55, 0.60, 0.60)

# problem -> data set -> (maker, points)
PROBLEMS: dict[str, dict[str, tuple[Callable[..., Points], int]]] = {
    "classification": {
        "circle": (circle, 500),
        "xor": (xor, 500),
        "corners": (corners, 200),
        "gauss": (gauss, 500),
        "spiral": (spiral, 500),
    },
    "regression": {"reg-plane": (plane, 1200), "reg-gauss": (hills, 1200)},
    "curve": {"sine": (sine, 120), "funnel": (funnel, 240), "gap": (gap, 80), "step": (step, 120)},
    "backprop": {"2-2-2": (by_hand, 1)},
}

# feature -> its function of the point; names as in the hash of TensorFlow Playground
FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "x": lambda X: X[:, 0],
    "y": lambda X: X[:, 1],
    "xSquared": lambda X: X[:, 0] ** 2,
    "ySquared": lambda X: X[:, 1] ** 2,
    "xTimesY": lambda X: X[:, 0] * X[:, 1],
    "sinX": lambda X: np.sin(X[:, 0]),
    "sinY": lambda X: np.sin(X[:, 1]),
    "cosX": lambda X: np.cos(X[:, 0]),
    "cosY": lambda X: np.cos(X[:, 1]),
}
# Those of a curve, which has one coordinate.
CURVE_FEATURES = ("x", "xSquared", "sinX", "cosX")
# How "copy as Python" writes them.
FEATURE_CODE = {
    "x": "X[:, 0]",
    "y": "X[:, 1]",
    "xSquared": "X[:, 0] ** 2",
    "ySquared": "X[:, 1] ** 2",
    "xTimesY": "X[:, 0] * X[:, 1]",
    "sinX": "np.sin(X[:, 0])",
    "sinY": "np.sin(X[:, 1])",
    "cosX": "np.cos(X[:, 0])",
    "cosY": "np.cos(X[:, 1])",
}


def inputs(X: np.ndarray, features: tuple[str, ...]) -> np.ndarray:
    """The columns that the network sees, (n, len(features)), of points (n, 1) or (n, 2)."""
    return np.column_stack([FEATURES[name](X) for name in features])
