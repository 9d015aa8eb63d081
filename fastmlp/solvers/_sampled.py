"""The Gauss-Newton matrix from some of the rows; loss and gradient from all."""

from __future__ import annotations

import copy
import math

from fastmlp._names import shown
from fastmlp._numbers import check_integer

NEEDS = ("sample", "n_samples", "n_residuals", "value_grad_ggn")
# Residuals per parameter that "auto" draws: of a matrix from so many the eigenvalues are those of
# the whole within a factor of two (Marchenko and Pastur 1967), and damping makes up for that.
PER_PARAM = 5
# Samples of more than this share of the rows save too little.
MOST_SHARE = 0.5


def rows_of_curvature(curvature_rows, objective, n_params: int) -> int | None:
    """How many rows are drawn for G; None: all count.

    Parameters
    ----------
    curvature_rows : int, "auto" or None
        As :class:`LevenbergMarquardt` takes it.
    objective : Adapted
        What is minimised.
    n_params : int
        Length of theta.
    """
    if curvature_rows is None:
        return None
    auto = isinstance(curvature_rows, str)
    if auto and curvature_rows != "auto":
        raise ValueError(
            f"curvature_rows must be None, 'auto' or an integer, got {shown(curvature_rows)}."
        )
    rows = None if auto else check_integer("curvature_rows", curvature_rows)
    missing = objective.lacks(NEEDS)
    if missing:
        raise TypeError(
            f"curvature_rows needs an objective that has {', '.join(missing)}, as "
            f"Network.objective makes it; {objective.name} has not."
        )
    most = objective.n_samples
    if rows is None:
        rows = math.ceil(PER_PARAM * n_params * objective.n_samples / objective.n_residuals)
        most *= MOST_SHARE
    return rows if rows < most else None


def with_sampled_curvature(objective, n_rows: int, rng):
    """The objective with G, J and the bend of residuals from rows drawn anew at each point.

    Byrd, Chin, Neveitt and Nocedal, On the use of stochastic Hessian information in optimization
    methods for machine learning, SIAM J. Optim. 21, 977 (2011).

    Parameters
    ----------
    objective : Adapted
        With what :data:`NEEDS` names.
    n_rows : int
        Rows of a draw, fewer than there are.
    rng : RandomState or Generator
        Draws them.

    Returns
    -------
    Adapted
    """
    other = copy.copy(objective)
    drawn = objective

    def together(name):
        def ask(theta):
            nonlocal drawn
            loss, grad = objective.value_grad(theta)
            drawn = objective.sample(n_rows, rng)
            return loss, grad, getattr(drawn, name)(theta)[2]

        return ask

    other.value_grad_ggn = together("value_grad_ggn")
    if objective.value_grad_gram is not None:
        other.value_grad_gram = together("value_grad_gram")
        n_residuals = objective.n_residuals * n_rows // objective.n_samples
        other.count_residuals = lambda theta: n_residuals
    if objective.bend is not None:
        other.bend = lambda theta, v: drawn.bend(theta, v)
    return other
