"""Distributions in other people's forms: bins, qp's tables; and the score by quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from fastmlp.distributions._parameters import check, event

if TYPE_CHECKING:
    from fastmlp.distributions._base import Distribution

N_BINS = 200
TAIL = 1e-6
MOST_VALUES = 10_000


def check_edges(name: str, edges: Any, least: int = 2) -> np.ndarray:
    """Finite edges that increase along the last axis.

    Raises
    ------
    ValueError
        They do not, or are fewer than ``least``.
    TypeError
        They are not numbers.
    """
    edges = event(name, edges, least)
    check(name, edges, ("finite", np.isfinite))
    if not (np.diff(edges) > 0).all():
        raise ValueError(f"{name} must increase strictly along the last axis.")
    return edges


def edges(dist: Distribution) -> np.ndarray:
    """Edges for a distribution that has none: (n_bins + 1,) if discrete, else one set a row."""
    if dist.discrete:
        if 0 in dist.shape:
            return np.array([-0.5, 0.5])
        low, high = np.min(dist.ppf(TAIL)), np.max(dist.ppf(1 - TAIL))
        if not high - low <= MOST_VALUES:
            raise ValueError(
                f"The rows' values reach from {low:g} to {high:g}, too many for a bin each: give "
                "edges."
            )
        return np.arange(low, high + 2) - 0.5
    # Levels evenly spaced in their logit: even in y for a logistic distribution, and so narrow
    # where the density is high and wide in tails, whatever the family.
    reach = -special.logit(TAIL)
    found = dist.quantiles(special.expit(np.linspace(-reach, reach, N_BINS + 1)))
    for at in range(
        N_BINS
    ):  # a pole, or a point with probability: quantiles that floats hold equal
        after = np.nextafter(found[..., at], np.inf)
        found[..., at + 1] = np.maximum(found[..., at + 1], after)
    return found


def bins(dist: Distribution, edges: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The probabilities between edges, those beyond added to the outermost; edges; midpoints."""
    edges = check_edges("edges", edges)
    if edges.ndim > 1 and edges.shape[:-1] != dist.shape:
        raise ValueError(
            f"edges must have shape (n_bins + 1,) or that of the rows {dist.shape} with n_bins + 1 "
            f"at its end, got {edges.shape}."
        )
    levels = np.atleast_1d(dist[..., None].cdf(edges))
    levels[..., 0], levels[..., -1] = 0, 1
    return np.diff(levels), edges, (edges[..., 1:] + edges[..., :-1]) / 2


def qp_tables(dist: Distribution) -> dict[str, dict[str, np.ndarray]]:
    """The tables of a qp.Ensemble."""
    if dist.ndim > 1:
        raise ValueError(f"qp has one target; take dist[:, j] of shape {dist.shape}.")
    dist = dist if dist.ndim else dist[None]
    name, shared, rows = dist._qp()
    meta = {"pdf_name": np.array([name.encode()]), "pdf_version": np.array([0])}
    meta |= {key: np.atleast_2d(value) for key, value in shared.items()}
    return {"meta": meta, "data": {key: np.array(value) for key, value in rows.items()}}


def crps_by_quantiles(dist: Distribution, y: np.ndarray) -> np.ndarray:
    """Twice the integral over the levels q of the quantile loss (1{y < y_q} - q) (y_q - y).

    Both sides of F(y) are integrated by Gauss's rule, after a substitution whose nodes crowd
    towards the ends, where quantiles may be infinite.
    """
    x, weight = np.polynomial.legendre.leggauss(64)
    x, weight = (x + 1) / 2, weight / 2
    crowded = x**4 * (35 - 84 * x + 70 * x**2 - 20 * x**3)
    weight = weight * 140 * (x * (1 - x)) ** 3
    middle = np.clip(dist._cdf(y), 0, 1)
    total = np.zeros(np.broadcast_shapes(dist.shape, np.shape(y)))
    for node, w in zip(crowded, weight, strict=True):
        below, above = middle * node, (1 - middle) * node
        low = np.where(below > 0, dist._ppf(below), y)
        high = np.where(above > 0, dist._ppf(1 - above), y)
        total += w * (middle * below * (y - low) + (1 - middle) * above * (high - y))
    return 2 * total
