"""What the parameters cost: an L2 term with a strength for each group of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from fastmlp._core.values import penalise
from fastmlp.segments import BIASES, WEIGHTS, Segment, by_layer


class Groups(NamedTuple):
    """Parameters by what they have in common.

    Attributes
    ----------
    names : tuple of str
        Of the groups.
    index : ndarray of shape (n_params,)
        The number of each parameter's group; -1: it is in none.
    """

    names: tuple[str, ...]
    index: np.ndarray


def weights(segments: Sequence[Segment]) -> Groups:
    """One group, "weights": all weights and no biases."""
    index = np.full(segments[-1].end, -1)
    for segment in segments:
        if segment.group == WEIGHTS:
            index[segment.at : segment.end] = 0
    return Groups((WEIGHTS,), index)


def by_segment(segments: Sequence[Segment]) -> Groups:
    """A group for each segment, by its name."""
    sizes = [segment.end - segment.at for segment in segments]
    names = tuple(segment.name for segment in segments)
    return Groups(names, np.repeat(np.arange(len(segments)), sizes))


def by_feature(segments: Sequence[Segment]) -> Groups:
    """A group for each row of W1, "W1[0]", "W1[1]", ..., and for each of the other segments."""
    names: list[str] = []
    sizes: list[int] = []
    for s in segments:
        by_row = s.layer == 1 and s.group == WEIGHTS
        part = [f"{s.name}[{row}]" for row in range(s.rows)] if by_row else [s.name]
        names += part
        sizes += len(part) * [(s.end - s.at) // len(part)]
    return Groups(tuple(names), np.repeat(np.arange(len(names)), sizes))


class _Layout(NamedTuple):
    """Stretches of theta that have one strength each, whatever that is."""

    ends: np.ndarray
    lengths: np.ndarray
    groups: np.ndarray  # -1: none
    factors: np.ndarray  # of their groups' strengths


class L2:
    """``1/2 sum_i strength_i theta_i^2``, strength_i being that of the group of theta_i.

    Parameters
    ----------
    groups : Groups
        Which parameters share a strength. Those in no group cost nothing.
    strengths : float or array-like of shape (n_groups,)
        Finite, >= 0; one number is for all groups.
    relative : ndarray of shape (n_params,), optional
        Finite factors >= 0 of the strengths within groups; 1 by default.

    Raises
    ------
    ValueError
        Not one strength for each group, or one that is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network, penalties
    >>> penalty = penalties.L2(penalties.weights(Network([2, 1]).segments), 0.5)
    >>> penalty.value(np.array([1.0, 2.0, 3.0]))
    1.25
    """

    def __init__(self, groups: Groups, strengths: Any, relative: np.ndarray | None = None):
        given = np.asarray(strengths, dtype=np.float64)
        n_groups = len(groups.names)
        if given.shape not in ((), (n_groups,)):
            raise ValueError(
                f"strengths must be one number or one for each of {n_groups} groups, "
                f"{_some(groups.names)}; got shape {given.shape}."
            )
        strengths = given if given.shape else np.full(n_groups, given)
        # also where one is NaN
        if not (strengths.min(initial=0) >= 0 and strengths.max(initial=0) < np.inf):
            k = int(np.argmin(np.isfinite(strengths) & (strengths >= 0)))
            raise ValueError(
                f"Strengths must be finite and at least 0; that of {groups.names[k]} is "
                f"{strengths[k]}."
            )
        self.groups = groups
        self.strengths = strengths
        self.relative = relative

    def with_strengths(self, strengths: Any) -> L2:
        """The same groups with other strengths."""
        other = L2(self.groups, strengths, self.relative)
        other._layout = self._layout
        return other

    @cached_property
    def diagonal(self) -> np.ndarray:
        """Strength of each parameter, (n_params,): the diagonal of the Hessian."""
        return np.repeat(self._stretches[1], self._layout.lengths)

    @cached_property
    def _costs(self) -> bool:
        return bool(self.strengths.any())

    @cached_property
    def _layout(self) -> _Layout:
        index = self.groups.index
        relative = np.ones(index.size) if self.relative is None else self.relative
        changes = (index[1:] != index[:-1]) | (relative[1:] != relative[:-1])
        ends = np.append(np.flatnonzero(changes) + 1, index.size)
        groups = index[ends - 1]
        factors = np.where(groups < 0, 0.0, relative[ends - 1])
        return _Layout(ends, np.diff(ends, prepend=0), groups, factors)

    @cached_property
    def _stretches(self) -> tuple[np.ndarray, np.ndarray]:
        """Where stretches of one strength end, and their strengths."""
        strengths = self.strengths if self.strengths.size else np.zeros(1)  # groups are -1 then
        return self._layout.ends, strengths[self._layout.groups] * self._layout.factors

    def value(self, theta: np.ndarray) -> float:
        """What theta, (n_params,), costs."""
        return self.add_to(np.zeros_like(theta), theta) if self._costs else 0.0

    def add_to(self, grad: np.ndarray, theta: np.ndarray) -> float:
        """What theta costs; its gradient there, or its Hessian times theta, is added in place."""
        if not self._costs:
            return 0.0
        return 0.5 * penalise(grad, np.ascontiguousarray(theta, grad.dtype), *self._stretches)

    def squares(self, theta: np.ndarray) -> np.ndarray:
        """``sum theta_i^2`` of each group, with the factors within groups, (n_groups,)."""
        squares = np.square(theta, dtype=np.float64)
        if self.relative is not None:
            squares *= self.relative
        counts = np.bincount(self.groups.index + 1, squares, len(self.groups.names) + 1)
        return counts[1:]


class Prior(NamedTuple):
    """Normal densities around zero, whose precisions the evidence finds group by group.

    Attributes
    ----------
    penalty : L2
        With strengths of 1. Where a parameter is in no group its density is flat.
    typical : ndarray of shape (n_groups,)
        Precisions to be expected; 0: any will do.
    segments : dict of str to tuple of int
        The numbers of the groups in each segment of theta; none where the density is flat.
    """

    penalty: L2
    typical: np.ndarray
    segments: dict[str, tuple[int, ...]]


def prior(
    segments: Sequence[Segment], grouping: str = "single", variance: np.ndarray | None = None
) -> Prior:
    """The prior of all parameters but the biases of the outputs.

    These set the level of the targets. Behind a hidden layer an output's weights are in the units
    of its targets. The scale of a layer's weights and that of those behind it make up for each
    other where units are nearly linear, and data say little about their quotient: weights behind
    units have a typical precision, their fan-in, which makes sums as large as what they are for
    (Neal 1996), where they do not share the strength of the first layer.

    Parameters
    ----------
    segments : sequence of Segment
        The map of theta.
    grouping : {"single", "layer", "ard"}, default="single"
        One strength; one for each segment; or as this, and one for the row of each feature in W1.
    variance : ndarray of shape (n_raw,), optional
        Of the targets that the outputs are in the units of: strengths are relative to its inverse.
    """
    *others, last = by_layer(segments)
    level = last[BIASES]
    names, index = by_feature(segments) if grouping == "ard" else by_segment(segments)
    if grouping == "single":
        names, index = ("all",), np.zeros(segments[-1].end, int)
    else:
        k = index[level.at]
        names = names[:k] + names[k + 1 :]
        index[index > k] -= 1
    index[level.at : level.end] = -1
    relative = None
    if others and variance is not None:
        relative = np.ones(segments[-1].end)
        last[WEIGHTS].of(relative)[...] = 1 / variance
    parts = {s.name: np.unique(index[s.at : s.end]).tolist() for s in segments}
    typical = np.zeros(len(names))
    if grouping != "single":
        for layer in (*others, last)[1:]:
            typical[parts[layer[WEIGHTS].name]] = layer[WEIGHTS].rows
    return Prior(
        L2(Groups(names, index), 1.0, relative),
        typical,
        {name: tuple(k for k in part if k >= 0) for name, part in parts.items()},
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names if len(names) < 8 else (*names[:4], "...", names[-1]))
