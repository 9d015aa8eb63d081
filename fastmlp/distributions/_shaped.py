"""Families whose shape is learned: mixtures of normals, histograms, sets of quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._marginal import log_shares, spread_normals, stacked_quantiles
from fastmlp._names import check_choice, shown
from fastmlp._numbers import check_integer, check_real
from fastmlp.distributions import _exchange
from fastmlp.distributions._family import (
    LEAST_SCALE,
    MOST_LOG,
    Family,
    columns,
    moments,
    resolution,
)
from fastmlp.distributions._mixture import NormalMixture
from fastmlp.distributions._parameters import LEVEL, check, numbers
from fastmlp.distributions._piecewise import ROWS_TOGETHER, Histogram, Quantiles
from fastmlp.distributions._special import softplus

MOST_COMPONENTS, MOST_BINS, MOST_LEVELS = 170, 2048, 512  # of the losses
LEVELS = (0.025, *(k / 20 for k in range(1, 20)), 0.975)
# Of the targets' standard deviation: the narrowest component.
LEAST_FLOOR = 1e-3


def _blocks(raw: np.ndarray, n_targets: int) -> np.ndarray:
    """Raw outputs of each target, (n, k) or (n, n_targets, k)."""
    parts = np.asarray(raw).reshape(len(raw), -1, n_targets)
    return parts[..., 0] if n_targets == 1 else parts.swapaxes(1, 2)


def _softmax(logits: np.ndarray) -> np.ndarray:
    """Along the last axis, in float64; a copy, made by rows that stay in caches."""
    p = np.empty(logits.shape)
    step = max(1, ROWS_TOGETHER // logits[:1].size) if logits.size else 1
    with np.errstate(under="ignore"):
        for i in range(0, len(p), step):
            part = logits[i : i + step].astype(np.float64)
            part -= part.max(axis=-1, keepdims=True)
            np.exp(part, out=part)
            np.divide(part, part.sum(axis=-1, keepdims=True), out=p[i : i + step])
    return p


def _of_columns(start, y, sample_weight):
    """Planar raw outputs from those of each column."""
    parts = [start(j, column, sample_weight) for j, column in enumerate(columns(y).T)]
    return np.ravel(parts, order="F")


class MixtureFamily(Family):
    """Mixtures of normals: the logits of the weights, the means, the logarithms of the scales.

    Parameters
    ----------
    components : int, default=3
    floor : float, default=None
        The least scale, in standard deviations of y: a component on a target that repeats would
        shrink without end. None: 0.001, or half the smallest gap between targets where half of the
        rows or more share their target with others.
    """

    name = "mixture"
    located = True

    def __init__(self, components: int = 3, floor: float | None = None) -> None:
        what = f"of distribution {self.name!r}"
        self._components = check_integer(f"components {what}", components, 1, MOST_COMPONENTS)
        self._given = None
        if floor is not None:
            words = f"None or from {LEAST_SCALE:g} to 10"
            self._given = check_real(
                f"floor {what}", floor, words, lambda v: LEAST_SCALE <= v <= 10
            )
        self.raws_per_target = 3 * self._components
        self._floor = LEAST_FLOOR if self._given is None else self._given

    @property
    def loss(self):
        return self.name, {"components": self._components, "floor": self._floor}

    def learn(self, y, sample_weight=None):
        if self._given is not None:
            return self
        floors = [LEAST_FLOOR]
        for column, variance in zip(columns(y).T, moments(y, sample_weight)[1], strict=True):
            floors.append(min(0.5 * resolution(column) / np.sqrt(variance), 1.0))
        return self._with(_floor=float(max(floors)))

    def from_raw(self, raw, n_targets):
        logits, loc, log_scale = np.split(_blocks(raw, n_targets), 3, axis=-1)
        scale = self._floor + np.exp(np.clip(log_scale.astype(np.float64), -MOST_LOG, MOST_LOG))
        return NormalMixture(_softmax(logits), loc, scale)

    def start(self, y, sample_weight=None):
        return _of_columns(
            lambda _, column, w: spread_normals(column, self._components, self._floor, w),
            y,
            sample_weight,
        )


class HistogramFamily(Family):
    """Histograms over ordered bins, the logits of which are the outputs.

    Bins cover the targets of the training rows. Beyond, there is an exponential tail on either
    side, with the probability 1 / (n + 1) that a further target lies there.

    Parameters
    ----------
    bins : int, default=40
    loss : {"log", "crps"}, default="log"
        What trains it: minus the log-density, or the continuous ranked probability score, by which
        a bin close by is a smaller error than one far off.
    edges : {"mass", "width"} or array-like of shape (bins + 1,), default="mass"
        Bins of equal mass over the training targets, or of equal width, or given edges, in the
        units of y. With "crps" several targets need "width".
    """

    name = "histogram"

    def __init__(self, bins: int = 40, loss: str = "log", edges: Any = "mass") -> None:
        what = f"of distribution {self.name!r}"
        check_choice(f"loss {what}", loss, ("log", "crps"))
        self._score, self._rule, self._edges = loss, edges, None
        if isinstance(edges, str):
            check_choice(f"edges {what}", edges, ("mass", "width"))
            self._bins = check_integer(f"bins {what}", bins, 2, MOST_BINS)
        else:
            self._edges = np.atleast_2d(_exchange.check_edges(f"edges {what}", edges))
            self._bins = self._edges.shape[-1] - 1
            if self._edges.shape[0] != 1 or not 2 <= self._bins <= MOST_BINS:
                raise ValueError(
                    f"edges {what} must be those of 2 to {MOST_BINS} bins, got shape "
                    f"{np.shape(edges)}."
                )
        self.raws_per_target, self._tail = self._bins, 0.0

    @property
    def loss(self):
        if self._score == "log":
            return "histogram", {"bins": self._bins}
        widths = np.full(self._bins, 1.0)
        if self._edges is not None:
            widths = np.diff(self._edges[0])
        return "histogram_crps", {"bins": self._bins, "widths": tuple(widths / widths.sum())}

    def learn(self, y, sample_weight=None):
        y = columns(y)
        if self._score == "crps" and y.shape[1] > 1 and not self._rule_is("width"):
            raise ValueError(
                "distribution 'histogram' with loss='crps' needs edges='width' for several "
                f"targets: y has {y.shape[1]} columns, got edges={shown(self._rule)}."
            )
        edges = self._edges
        if isinstance(self._rule, str):
            edges = np.stack([self._edges_of(column, sample_weight) for column in y.T])
        n = len(y) if sample_weight is None else np.count_nonzero(sample_weight)
        return self._with(_edges=edges, _tail=1 / (max(n, 2) + 1))

    def _rule_is(self, rule):
        return isinstance(self._rule, str) and self._rule == rule

    def _edges_of(self, y, sample_weight):
        """Each value's mass is spread as far as half-way to the next ones."""
        w = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        values, at = np.unique(y[w > 0], return_inverse=True)
        if len(values) == 1:
            return values[0] + np.linspace(-0.5, 0.5, self._bins + 1) * max(1.0, abs(values[0]))
        middle = (values[1:] + values[:-1]) / 2
        ends = 1.5 * values[[0, -1]] - 0.5 * values[[1, -2]]
        if self._rule == "width":
            return np.linspace(*ends, self._bins + 1)
        mass = np.cumsum(np.bincount(at.ravel(), w[w > 0]))
        knots, shares = np.r_[ends[0], middle, ends[1]], np.r_[0, mass / mass[-1]]
        return np.interp(np.linspace(0, 1, self._bins + 1), shares, knots)

    def encode(self, y):
        """Coordinates among the bins; what lies outside counts as at the end."""
        at = np.arange(self._bins + 1.0)
        parts = [
            np.interp(column, self._edges[j if len(self._edges) > 1 else 0], at)
            for j, column in enumerate(columns(y).T)
        ]
        return np.stack(parts, axis=1).reshape(np.shape(y))

    def from_raw(self, raw, n_targets):
        if self._edges is None:
            raise ValueError("distribution 'histogram' has to learn its bins from y: pass edges.")
        edges = self._edges if n_targets > 1 else self._edges[0]
        return Histogram(_softmax(_blocks(raw, n_targets)), edges, tail=self._tail)

    def start(self, y, sample_weight=None):
        return _of_columns(lambda _, column, w: log_shares(column, self._bins, w), y, sample_weight)


class QuantilesFamily(Family):
    """Quantiles that never cross, by their quantile losses; the distribution goes through them.

    The loss has no curvature: solvers of first order train it.

    Parameters
    ----------
    levels : array-like of shape (k,)
        Increasing, between 0 and 1, at least two; by default 0.025, 0.05, 0.1, ..., 0.95, 0.975.
    """

    name = "quantiles"
    located = True

    def __init__(self, levels: Any = LEVELS) -> None:
        what = f"levels of distribution {self.name!r}"
        levels = numbers(what, levels)
        if levels.ndim != 1 or not 2 <= len(levels) <= MOST_LEVELS:
            raise ValueError(f"{what} must be 2 to {MOST_LEVELS} numbers, got {shown(levels)}.")
        check(what, levels, LEVEL)
        if not (np.diff(levels) > 0).all():
            raise ValueError(f"{what} must increase strictly, got {shown(levels.tolist())}.")
        self._levels = tuple(levels.tolist())
        self.loss = self.name, {"levels": self._levels}
        self.raws_per_target = len(self._levels)

    def from_raw(self, raw, n_targets):
        values = np.array(_blocks(raw, n_targets), np.float64)
        values[..., 1:] = np.maximum(softplus(values[..., 1:]), LEAST_SCALE)
        return Quantiles(np.cumsum(values, axis=-1), self._levels)

    def start(self, y, sample_weight=None):
        return _of_columns(
            lambda _, column, w: stacked_quantiles(column, self._levels, w), y, sample_weight
        )
