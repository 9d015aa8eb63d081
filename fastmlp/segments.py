"""The map of theta: where the weights and the biases of each layer lie.

What knows that W_l lies before b_l, or that decay holds for weights alone, reads it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

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
