"""What the page asks for, checked: the names are those in the hash of TensorFlow Playground."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastmlp._names import shown
from fastmlp.activations import HIDDEN_NAMES
from fastmlp.losses import resolve_loss
from fastmlp.playground._problems import CURVE_FEATURES, FEATURES, PROBLEMS

# What TensorFlow Playground calls them in its hash.
ACTIVATIONS = {"linear": "identity", "sigmoid": "logistic"} | {
    name: name for name in HIDDEN_NAMES if name not in {"identity", "logistic"}
}
# loss -> (its output activation, the likelihood that it stands for); by problem
LOSSES = {
    "classification": {
        "log_loss": ("logistic", "Bernoulli: -log p(y), p = sigmoid(z)"),
        "squared_error": ("tanh", "half the squared error on a tanh output, as TensorFlow's page"),
        "perceptron": ("identity", "Rosenblatt's rule: only points on the wrong side count"),
    },
    "regression": {
        "squared_error": ("identity", "Normal, sigma constant: -log p(y) + const"),
        "normal": ("identity", "Normal with its own sigma at each point"),
        "student_t": ("identity", "Student's t: heavy tails, outliers weigh little"),
        "huber": ("identity", "squared near, linear far"),
        "absolute_error": ("identity", "Laplace with a constant scale: the median"),
    },
}
LOSSES["curve"] = LOSSES["regression"]
LOSSES["backprop"] = {"squared_error": ("logistic", "half the squared error, summed over outputs")}
SOLVERS = ("sgd", "momentum", "adam", "gd", "lbfgs", "newton", "newton-cg", "lm")
MINI_BATCH = SOLVERS[:3]  # the others work on all points at once
REGULARIZATIONS = ("none", "L1", "L2")
MOST_LAYERS, MOST_UNITS = 6, 8


class SettingsError(ValueError):
    """Something that the page sent does not do; the message says what does."""


def _one_of(name: str, choices) -> Callable[[Any], str]:
    def check(value):
        if not isinstance(value, str) or value not in choices:
            raise SettingsError(f"{name} is one of {', '.join(choices)}; got {shown(value)}.")
        return value

    return check


def _number(name: str, low: float, high: float) -> Callable[[Any], float]:
    def check(value):
        real = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not real or not low <= value <= high:
            raise SettingsError(f"{name} is a number from {low:g} to {high:g}; got {shown(value)}.")
        return float(value)

    return check


def _whole(name: str, low: int, high: int) -> Callable[[Any], int]:
    number = _number(name, low, high)

    def check(value):
        if number(value) != int(value):
            raise SettingsError(f"{name} is a whole number; got {shown(value)}.")
        return int(value)

    return check


def _flag(name: str) -> Callable[[Any], bool]:
    def check(value):
        if not isinstance(value, bool):
            raise SettingsError(f"{name} is true or false; got {shown(value)}.")
        return value

    return check


def _several(name: str, item: Callable[[Any], Any], most: int, least: int = 0):
    def check(value):
        if not isinstance(value, (list, tuple)) or not least <= len(value) <= most:
            raise SettingsError(
                f"{name} is a list of {least} to {most} entries; got {shown(value)}."
            )
        return tuple(item(entry) for entry in value)

    return check


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "problem": _one_of("problem", PROBLEMS),
    "dataset": _one_of("dataset", [*PROBLEMS["classification"], "own"]),
    "regDataset": _one_of("regDataset", [*PROBLEMS["regression"], "own"]),
    "curveDataset": _one_of("curveDataset", [*PROBLEMS["curve"], "own"]),
    "features": _several("features", _one_of("a feature", FEATURES), len(FEATURES), 1),
    "networkShape": _several(
        "networkShape", _whole("the units of a layer", 1, MOST_UNITS), MOST_LAYERS
    ),
    "activations": _several("activations", _one_of("activation", ACTIVATIONS), MOST_LAYERS),
    "loss": _one_of("loss", {name for known in LOSSES.values() for name in known}),
    "solvers": _several("solvers", _one_of("solver", SOLVERS), len(SOLVERS), 1),
    "learningRate": _number("learningRate", 1e-5, 10),
    "regularization": _one_of("regularization", REGULARIZATIONS),
    "regularizationRate": _number("regularizationRate", 0, 10),
    "batchSize": _whole("batchSize", 1, 5000),
    "percTrainData": _number("percTrainData", 10, 90),
    "noise": _number("noise", 0, 50),
    "seed": _whole("seed", 0, 2**32 - 1),
    "initZero": _flag("initZero"),
}


@dataclass(frozen=True)
class Settings:
    """All that decides a run.

    Attributes
    ----------
    problem : {"classification", "regression", "curve", "backprop"}
        Which kind of task.
    dataset, regDataset, curveDataset : str
        The data set of each kind; "own" for points that the user brought.
    features : tuple of str
        Columns that the network sees.
    networkShape : tuple of int
        Units of each hidden layer.
    activations : tuple of str
        Of each hidden layer; one for all, or one each.
    loss : str
        A row of LOSSES for the problem.
    solvers : tuple of str
        They start together from the same weights.
    learningRate, batchSize : float, int
        Of sgd, momentum and adam; of gd the rate.
    regularization, regularizationRate : str, float
        none, L1 (mini-batch solvers alone) or L2.
    percTrainData, noise : float
        Per cent.
    seed : int
        Of the data, the weights and the order of the batches.
    initZero : bool
        Whether all weights start at zero.
    """

    problem: str = "classification"
    dataset: str = "circle"
    regDataset: str = "reg-plane"
    curveDataset: str = "sine"
    features: tuple[str, ...] = ("x", "y")
    networkShape: tuple[int, ...] = (4, 2)
    activations: tuple[str, ...] = ("tanh",)
    loss: str = "log_loss"
    solvers: tuple[str, ...] = ("adam",)
    learningRate: float = 0.03
    regularization: str = "none"
    regularizationRate: float = 0.0
    batchSize: int = 10
    percTrainData: float = 50.0
    noise: float = 0.0
    seed: int = 1
    initZero: bool = False

    @property
    def data_name(self) -> str:
        """The data set of the present problem."""
        return {
            "classification": self.dataset,
            "regression": self.regDataset,
            "curve": self.curveDataset,
            "backprop": "2-2-2",
        }[self.problem]

    @property
    def hidden(self) -> list[str]:
        """The activation of each hidden layer, by fastmlp's names."""
        names = self.activations or ("tanh",)
        each = (list(names) + [names[-1]] * len(self.networkShape))[: len(self.networkShape)]
        return [ACTIVATIONS[name] for name in each]

    @property
    def as_shares(self) -> bool:
        """Whether the loss wants classes as 0 and 1."""
        return resolve_loss(self.loss).row["targets"] == "UNIT"

    @property
    def l2(self) -> float:
        """The strength of the quadratic penalty."""
        return self.regularizationRate if self.regularization == "L2" else 0.0

    @property
    def l1(self) -> float:
        """The strength of the absolute penalty."""
        return self.regularizationRate if self.regularization == "L1" else 0.0


def settings_of(message: Any) -> Settings:
    """Settings from what a page sent.

    Raises
    ------
    SettingsError
        An unknown name, a value out of range, or choices that do not go together.
    """
    if not isinstance(message, Mapping):
        raise SettingsError(f"settings are names and values; got {shown(message)}.")
    unknown = [name for name in message if name not in _CHECKS]
    if unknown:
        raise SettingsError(
            f"There is no setting {shown(unknown[0])}; known: {', '.join(_CHECKS)}."
        )
    given = {name: _CHECKS[name](value) for name, value in message.items()}
    settings = Settings(**given)
    if settings.loss not in LOSSES[settings.problem]:
        raise SettingsError(
            f"loss {settings.loss!r} is not for {settings.problem}; choose among "
            f"{', '.join(LOSSES[settings.problem])}."
        )
    if settings.problem == "curve" and not set(settings.features) <= set(CURVE_FEATURES):
        raise SettingsError(
            f"A curve has the coordinate x alone: choose among {', '.join(CURVE_FEATURES)}."
        )
    full_batch = [name for name in settings.solvers if name not in MINI_BATCH]
    if settings.l1 and full_batch:
        raise SettingsError(
            f"L1 has a kink, which {', '.join(full_batch)} cannot follow: take L2, or sgd, "
            "momentum or adam."
        )
    curved = [name for name in settings.solvers if name in {"newton", "newton-cg", "lm"}]
    if curved and not resolve_loss(settings.loss).curved:
        raise SettingsError(
            f"{settings.loss} has no curvature for {', '.join(curved)} to use: take sgd, momentum, "
            "adam, gd or lbfgs."
        )
    return settings
