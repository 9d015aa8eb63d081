"""The map of theta: where the weights and the biases of each layer lie.

What knows that W_l lies before b_l, or that decay holds for weights alone, reads it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from fastmlp._names import shown

WEIGHTS, BIASES = "weights", "biases"


class Segment(NamedTuple):
    """One stretch of theta.

    Attributes
    ----------
    name : str
        "W1", "b1", "W2", ...
    at : int
        Where it begins.
    rows, cols : int
        W_l: fan_in and fan_out; b_l: 1 and fan_out. Row-major.
    group : {"weights", "biases"}
        Decay and the L2 term hold for weights.

    Examples
    --------
    >>> from fastmlp import Network
    >>> Network([2, 1]).segments[1]
    Segment(name='b1', at=2, rows=1, cols=1, group='biases')
    """

    name: str
    at: int
    rows: int
    cols: int
    group: str

    @property
    def layer(self) -> int:
        """From 1."""
        return int(self.name[1:])

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.at + self.rows * self.cols

    def of(self, theta: np.ndarray) -> np.ndarray:
        """The view of theta, (rows, cols), or (cols,) for biases."""
        part = theta[self.at : self.end]
        return part if self.group == BIASES else part.reshape(self.rows, self.cols)


@lru_cache(maxsize=8)
def segments_of(widths: tuple[int, ...]) -> tuple[Segment, ...]:
    """The map of a network of these widths: W1, b1, W2, b2, ..."""
    segments: list[Segment] = []
    at = 0
    for l, (fan_in, fan_out) in enumerate(zip(widths[:-1], widths[1:], strict=True), start=1):
        for name, rows, group in ((f"W{l}", fan_in, WEIGHTS), (f"b{l}", 1, BIASES)):
            segments.append(Segment(name, at, rows, fan_out, group))
            at = segments[-1].end
    return tuple(segments)


def by_layer(segments: Sequence[Segment]) -> list[dict[str, Segment]]:
    """Of each layer its segments by group, in the order of theta."""
    layers: dict[int, dict[str, Segment]] = {}
    for segment in segments:
        layers.setdefault(segment.layer, {})[segment.group] = segment
    return [layers[l] for l in sorted(layers)]


def split(theta: np.ndarray, segments: Sequence[Segment]) -> tuple[list, list]:
    """Views into theta: the weights and the biases of each layer."""
    parts: dict[str, list[np.ndarray]] = {WEIGHTS: [], BIASES: []}
    for segment in segments:
        parts[segment.group].append(segment.of(theta))
    return parts[WEIGHTS], parts[BIASES]


def fill(views: list[np.ndarray], given: Any, what: str) -> None:
    """Write an array for each layer into the views of theta that :func:`split` gave."""
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str | bytes):
        raise TypeError(
            f"{what} must be a list with an array per layer, {len(views)} of them; got "
            f"{shown(given)}."
        )
    if len(given) != len(views):
        raise ValueError(f"{what} must have {len(views)} arrays, got {len(given)}.")
    for l, (array, view) in enumerate(zip(given, views, strict=True)):
        array = np.asarray(array)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{what}[{l}] must hold real numbers, got dtype {array.dtype}.")
        if array.shape != view.shape:
            raise ValueError(f"{what}[{l}] must have shape {view.shape}, got {array.shape}.")
        view[...] = array
