"""What a solver may ask of an objective.

Every solver needs ``value_grad`` and what its protocol names; the parts of :class:`Helpful` it
uses where they are there. ``minimize`` asks once which parts an objective has, by :class:`Adapted`;
solvers find every part on that, None where the objective lacks it.

theta and v have shape (n_params,); so have gradients and products. Matrices are symmetric,
(n_params, n_params). Arrays are the objective's: solvers change none of them, but for matrices of
``value_grad_ggn`` and ``ggn`` in runs with evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from fastmlp.solvers._checks import value_and_grad

Vector = np.ndarray
Matrix = np.ndarray


class Smooth(Protocol):
    """For gd and lbfgs."""

    def value_grad(self, theta: Vector) -> tuple[float, Vector]:
        """The loss and its gradient."""


class Curved(Smooth, Protocol):
    """For newton."""

    def hessian(self, theta: Vector) -> Matrix:
        """The exact Hessian."""


class Squares(Smooth, Protocol):
    """For lm."""

    def ggn(self, theta: Vector) -> Matrix:
        """The Gauss-Newton matrix, positive semi-definite."""


class Products(Smooth, Protocol):
    """For newton-cg, one of the two."""

    def ggn_mul(self, theta: Vector, v: Vector) -> Vector:
        """The Gauss-Newton matrix times v."""

    def hess_mul(self, theta: Vector, v: Vector) -> Vector:
        """The Hessian times v."""


class Sampled(Protocol):
    """For newton-cg and lm on samples of the rows."""

    n_samples: int

    def subset(self, positions: np.ndarray) -> Any:
        """The objective on some of the rows, by integers from 0 to n_samples - 1."""

    def sample(self, size: int, rng: Any) -> Any:
        """The objective as so many rows estimate it, drawn by rng; unbiased."""


class Batched(Protocol):
    """For sgd, adam and adamw."""

    n_samples: int

    def epoch(self, theta: Vector, state: Any, order: np.ndarray, hyper: Any) -> float:
        """Batches of the rows in this order, (n_samples,); theta and state change in place."""


class Gram(Protocol):
    """``G = J' J + D`` by the rows of J, (n_residuals, n_params); D is diagonal."""

    n_residuals: int
    diagonal: Vector

    def kernel(self, damping: float) -> Matrix:
        """``J (D + damping I)^-1 J'``, (n_residuals, n_residuals)."""

    def divide(self, v: Vector, damping: float) -> Vector:
        """``(D + damping I)^-1 v``."""

    def mul(self, v: Vector) -> np.ndarray:
        """``J v``, (n_residuals,)."""

    def transpose_mul(self, u: np.ndarray) -> Vector:
        """``J' u`` for u of shape (n_residuals,)."""


class Helpful(Protocol):
    """What saves work or says more, where an objective has it."""

    n_params: int  # length of theta
    dtype: np.dtype  # of theta
    network: Any  # shown to callbacks
    default_scaling: str  # of lm's damping: "identity" or "marquardt"
    segments: Sequence[Any]  # theta's map, by which rate_factors are named: each has a ``name``

    def value(self, theta: Vector) -> float:
        """The loss."""

    def limited(self, batch_size: int | None, matrices: bool) -> AbstractContextManager:
        """The block of a run, by batches or by all rows; BLAS has the threads that are worth it.

        matrices: whether the solver factorises square ones.
        """

    def value_grad_ggn(self, theta: Vector) -> tuple[float, Vector, Matrix]:
        """The loss, its gradient, the Gauss-Newton matrix."""

    def count_residuals(self, theta: Vector) -> int:
        """Rows of J: where they are fewer than parameters, lm asks for the next."""

    def value_grad_gram(self, theta: Vector) -> tuple[float, Vector, Gram]:
        """The loss, its gradient, the Gauss-Newton matrix by the rows of J."""

    def bend(self, theta: Vector, v: Vector) -> Vector:
        """``J' Q d2 raw / dv2``: how residuals bend along ``theta + t v``."""

    def ggn_diagonal(self, theta: Vector) -> Vector:
        """The diagonal of the Gauss-Newton matrix, a preconditioner of newton-cg."""

    def within(self, lower: Vector, upper: Vector) -> Any:
        """The objective, never asked outside of bounds."""

    def covariance(self, theta: Vector) -> Matrix:
        """Covariance of the parameters at a solution."""


class Evident(Protocol):
    """For lm with evidence, beside :class:`Squares`."""

    n_samples: int
    n_residuals: int
    weight_sum: float  # of the samples
    has_noise: bool  # whether the loss is the likelihood of Gaussian noise of unknown size

    def prior(self, grouping: str) -> Any:
        """Groups for "single", "layer" or "ard"; see :class:`fastmlp.penalties.Prior`."""

    def with_penalty(self, penalty: Any) -> Any:
        """The same data under another penalty."""

    def linear(self, theta: Vector) -> tuple[Any, Callable[[Vector], Vector]] | None:
        """The data as a linear function sees it, and that function's theta -> this one's."""


def _parts_of(*protocols: type) -> tuple[str, ...]:
    """The names of the methods and attributes that protocols declare."""
    names = [n for p in protocols for n in (*vars(p), *vars(p).get("__annotations__", ()))]
    return tuple(dict.fromkeys(name for name in names if not name.startswith("_")))


PARTS = _parts_of(Smooth, Curved, Squares, Products, Sampled, Batched, Helpful, Evident)


class Adapted:
    """An objective with every part that a protocol names; None stands for those it lacks.

    A function ``theta -> (loss, gradient)`` has ``value_grad`` alone. ``value`` is made of it where
    there is no other.

    Parameters
    ----------
    objective : object or callable
        As the user gave it.

    Attributes
    ----------
    is_function : bool
        Whether it is a plain function.
    name : str
        Of its class.
    """

    def __init__(self, objective: Any):
        for part in PARTS:
            setattr(self, part, getattr(objective, part, None))
        self.name = type(objective).__name__
        self.is_function = self.value_grad is None and callable(objective)
        if self.is_function:
            self.value_grad = objective
        if self.value is None:
            self.value = lambda theta: value_and_grad(self.value_grad(theta), theta)[0]

    def lacks(self, parts: Iterable[str]) -> list[str]:
        """Those of the parts that it has not."""
        return [part for part in parts if vars(self)[part] is None]
