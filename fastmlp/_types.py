"""The names that users choose from, for type checkers and the completion of editors.

The rows of the C tables and the registries of solvers and initial weights are repeated here, as a
``Literal`` has to be spelt out (tests/house/test_types.py compares them); other modules read from
here which names they know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

Activation = Literal[
    "identity",
    "logistic",
    "tanh",
    "relu",
    "softplus",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "exp",
]
OutputActivation = Literal[Activation, "softmax"]
ClassifierLoss = Literal["log_loss", "squared_error", "perceptron"]
RegressorLoss = Literal[
    "squared_error",
    "poisson",
    "gamma",
    "absolute_error",
    "huber",
    "quantile",
    "normal",
    "student_t",
    "laplace",
    "lognormal",
    "gamma_shape",
    "negative_binomial",
    "beta",
]
DistributionLoss = Literal[  # whose raw outputs alone make no prediction
    "normal_natural", "mixture", "histogram", "histogram_crps", "quantiles"
]
Loss = Literal[ClassifierLoss, RegressorLoss, DistributionLoss]

Distribution = Literal[
    "normal",
    "student_t",
    "laplace",
    "lognormal",
    "gamma",
    "negative_binomial",
    "beta",
    "poisson",
    "bernoulli",
    "categorical",
    "mixture",
    "histogram",
    "quantiles",
]

Solver = Literal["gd", "sgd", "adam", "lbfgs", "newton", "lm", "newton-cg"]
Init = Literal["glorot", "he", "lecun", "nguyen-widrow", "zeros"]
Schedule = Literal["constant", "invscaling", "adaptive"]
AnySchedule = Literal[Schedule, "cosine", "coslog"]
MomentSchedule = Literal["constant", "cosine", "coslog"]
Scaling = Literal["auto", "identity", "marquardt"]
EvidenceGroups = Literal["layer", "ard"]
PosteriorStructure = Literal["auto", "full", "layer", "diagonal"]
PosteriorWeights = Literal["auto", "all", "last"]
PosteriorStrengths = Literal["single", "layer", "ard"]
Modification = Literal["shift", "saddle-free", "trust-region"]
Curvature = Literal["ggn", "hessian"]
LineSearch = Literal["armijo"]
Differences = Literal["2-point", "3-point", "cs"]

# A name, or a name with parameters: ("leaky_relu", {"eps": 0.1}).
ActivationSpec: TypeAlias = Activation | tuple[Activation, Mapping[str, float]]
OutputSpec: TypeAlias = OutputActivation | tuple[OutputActivation, Mapping[str, float]]
Activations: TypeAlias = ActivationSpec | list[ActivationSpec]


class HasValueGrad(Protocol):
    """A loss of one's own; ``hess``, ``curv`` and ``raws_per_target`` are optional."""

    def value_grad(self, raw: np.ndarray, y: np.ndarray, /) -> tuple[np.ndarray, np.ndarray]:
        """A value per row, (n,), and its gradient by the raw outputs, (n, n_raw)."""


CustomLoss: TypeAlias = (
    HasValueGrad | Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
)


class CustomFamily(HasValueGrad, Protocol):
    """A distribution of one's own: see ``fastmlp.distributions.check_family``."""

    def from_raw(self, raw: np.ndarray, n_targets: int, /) -> Any:
        """A distribution of ``fastmlp.distributions`` for rows of raw outputs."""


LossSpec: TypeAlias = Loss | tuple[Loss, Mapping[str, Any]] | CustomLoss
Start: TypeAlias = Init | tuple[Any, Any]  # (coefs, intercepts)
Verbose: TypeAlias = bool | int | Literal["bar"]
BatchSize: TypeAlias = int | Literal["auto"]
CurvatureRows: TypeAlias = int | Literal["auto"]
RateFactors: TypeAlias = Mapping[str | int, float]  # by segment ("W1") or layer (1)
