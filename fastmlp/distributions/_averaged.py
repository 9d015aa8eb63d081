"""Averages of distributions: what several models, or draws of one, say together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.distributions._base import Distribution
from fastmlp.distributions._classes import Bernoulli, Categorical
from fastmlp.distributions._mixture import NEWTON_STEPS, NormalMixture, log_gap
from fastmlp.distributions._parameters import event, simplex
from fastmlp.distributions._piecewise import Histogram
from fastmlp.distributions._real import Normal

# Integrals over y go from one of these quantiles of the members to the next, of five at most.
_MOST_ENDS = 5
_LEVELS = [1e-9, 1e-7, 1e-5, 1e-3, 0.01, 0.05, 0.2, 0.5]
_LEVELS += [1 - level for level in _LEVELS[-2::-1]]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_MODE_STEPS = 80
_QP_BINS = 400
_MOST_VALUES = 20_000  # of a count that are added up one by one; more are nearly continuous


class Averaged(Distribution):
    """The average of k distributions of any families: ``p(y) = sum_i w_i p_i(y)``.

    :func:`average` makes it, and something simpler where averages stay in a family.

    Parameters
    ----------
    members : sequence of Distribution
        Of one shape; all discrete or none.
    weights : array-like of shape (k,), optional
        At least 0, with the sum 1; equal by default.

    Raises
    ------
    ValueError
        No members, or ones that do not go together; weights that are no probabilities of theirs.
    TypeError
        Members that are no distributions.

    Examples
    --------
    >>> from fastmlp.distributions import Averaged, Poisson
    >>> dist = Averaged([Poisson([1.0, 2.0]), Poisson([3.0, 4.0])])
    >>> dist.mean(), dist.var()
    (array([2., 3.]), array([3., 4.]))
    """

    def __init__(self, members: Sequence[Distribution], weights: Any = None) -> None:
        self.members, self.weights = check_members(members, weights)
        self._shape = self.members[0].shape
        self.discrete = self.members[0].discrete
        self._names = ()

    def _map(self, change):
        return self._of(member._map(change) for member in self.members)

    def _of(self, members):
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        new.members = list(members)
        new._shape = new.members[0].shape
        return new

    def _broadcast(self, shape):
        return self._of(member._broadcast(shape) for member in self.members)

    def __getitem__(self, key):
        return self._of(member[key] for member in self.members)

    @property
    def _width(self):
        return max(member._width for member in self.members)

    def affine(self, shift: Any = 0.0, scale: Any = 1.0) -> Distribution:
        """As :meth:`Distribution.affine`, where all members can be shifted and scaled.

        Parameters
        ----------
        shift : array-like, default=0.0
            Finite; broadcasts against ``shape``.
        scale : array-like, default=1.0
            Positive.

        Returns
        -------
        Averaged

        Raises
        ------
        ValueError
            As that of the members.
        TypeError
            An argument is not made of real numbers.

        Examples
        --------
        >>> from fastmlp.distributions import Averaged, StudentT
        >>> dist = Averaged([StudentT(3, [0.0], 1.0), StudentT(3, [2.0], 1.0)])
        >>> dist.affine(1.0, 10.0).mean()
        array([11.])
        """
        return self._of(member.affine(shift, scale) for member in self.members)

    def _sum(self, formula, *arguments):
        parts = (getattr(member, formula)(*arguments) for member in self.members)
        return sum(w * part for w, part in zip(self.weights, parts, strict=True))

    def _pdf(self, y):
        return self._sum("_pdf", y)

    def _cdf(self, y):
        return self._sum("_cdf", y)

    def _logpdf(self, y):
        parts = np.stack(
            np.broadcast_arrays(
                *(
                    np.log(w) + member._logpdf(y)
                    for w, member in zip(self.weights, self.members, strict=True)
                )
            )
        )
        largest = parts.max(0)
        largest = np.where(np.isfinite(largest), largest, 0)
        return np.log(np.exp(parts - largest).sum(0)) + largest

    def _mean(self):
        return self._sum("_mean")

    def _var(self):
        mean = self._mean()
        return sum(
            w * (member._var() + (member._mean() - mean) ** 2)
            for w, member in zip(self.weights, self.members, strict=True)
        )

    def _mode(self):
        """The highest of the members' modes, and on from there by steps that halve."""
        places = np.stack(
            np.broadcast_arrays(*(np.asarray(m._mode(), np.float64) for m in self.members))
        )
        best = np.stack([self._logpdf(place) for place in places]).argmax(0)
        y = np.take_along_axis(places, best[None], 0)[0]
        height, step = self._logpdf(y), (places.max(0) - places.min(0)) / 4
        for _ in range(_MODE_STEPS):
            if self.discrete:
                step = np.maximum(np.floor(step), 1)
            trials = np.stack([y - step, y + step])
            heights = np.stack([self._logpdf(trial) for trial in trials])
            up = heights.argmax(0)[None]
            trial, reached = (np.take_along_axis(part, up, 0)[0] for part in (trials, heights))
            better = reached > height
            y, height = np.where(better, trial, y), np.where(better, reached, height)
            step = np.where(better, step, step / 2)
        return y

    def _qp(self):
        if self.discrete:
            return super()._qp()
        edges = self.ppf(_LEVELS[0]).min(), self.ppf(_LEVELS[-1]).max()
        probas, edges, _ = self.to_bins(np.linspace(*edges, _QP_BINS + 1))
        return "hist", {"bins": edges}, {"pdfs": probas / np.diff(edges)}

    def _integral(self, integrand):
        """Of a function of y over all that has probability; for discrete families its sum."""
        each = [np.stack([m._ppf(np.array(level)) for m in self.members]) for level in _LEVELS]
        if self.discrete:
            first = np.min(each[0], axis=0)
            width = np.max(each[-1], axis=0) - first
            wide = width > _MOST_VALUES
            most = np.max(np.where(wide, 0, width), initial=0)
            added = sum(integrand(first + k) for k in range(int(most) + 1))
            if not wide.any():
                return added
        few = np.unique(np.linspace(0, len(self.members) - 1, _MOST_ENDS).astype(int))
        ends = np.sort(np.concatenate([np.sort(found, axis=0)[few] for found in each]), axis=0)
        total = 0.0
        for low, high in zip(ends[:-1], ends[1:], strict=True):
            for node, weight in zip(_NODES, _WEIGHTS, strict=True):
                y = low + (high - low) * (1 + node) / 2
                y = np.round(y) if self.discrete else y
                part = weight / 2 * (high - low) * integrand(y)
                total = total + np.where(high > low, part, 0.0)
        return np.where(wide, total, added) if self.discrete else total

    def _square_integral(self):
        each = [member._square_integral() for member in self.members]
        poles = np.any(np.isinf(np.broadcast_arrays(*each)), axis=0)
        return np.where(poles, np.inf, self._integral(lambda y: self._pdf(y) ** 2))

    def _crps(self, y):
        """The mean of the members' less the integral of the variance of F(y) among them."""

        def variance(y):
            each = [m._cdf(y) for m in self.members]
            mean = sum(w * part for w, part in zip(self.weights, each, strict=True))
            return sum(w * (p - mean) ** 2 for w, p in zip(self.weights, each, strict=True))

        return self._sum("_crps", y) - self._integral(variance)

    def _sample(self, rng, shape):
        uniform, level = rng.random(shape), np.cumsum(self.weights)
        out = self.members[0]._sample(rng, shape)
        for member, below in zip(self.members[1:], level[:-1], strict=True):
            out = np.where(uniform > below, member._sample(rng, shape), out)
        return out

    def _ppf(self, q):
        """Between the least and the largest quantile of the members."""
        each = np.stack(np.broadcast_arrays(*(member._ppf(q) for member in self.members)))
        low, high = each.min(0), each.max(0)
        return self._between(np.asarray(q), low, high)

    def _between(self, q, low, high):
        if self.discrete:
            low = low - 1  # below it: cdf(low) < q <= cdf(high)
            while (wide := high - low > 1).any():
                middle = np.floor((low + high) / 2)
                wide &= (middle > low) & (middle < high)
                if not wide.any():
                    break
                reached = self._cdf(middle) >= q
                high = np.where(wide & reached, middle, high)
                low = np.where(wide & ~reached, middle, low)
            return high
        limit = np.where(q == 1, high, low)
        finite = np.isfinite(low) & np.isfinite(high)
        y = np.where(finite, _middle(low, high), 0.0)
        going = finite & (high > low)
        for _ in range(NEWTON_STEPS):
            reached = self._cdf(y)
            gap = reached - q
            low, high = np.where(gap < 0, y, low), np.where(gap < 0, high, y)
            trial = y - log_gap(reached, q) / self._pdf(y)
            trial = np.where((trial > low) & (trial < high), trial, _middle(low, high))
            moves = np.abs(trial - y) > 4e-16 * (np.abs(low) + np.abs(high))
            y, going = np.where(going & (gap != 0), trial, y), going & moves & (gap != 0)
            if not going.any():
                break
        return np.where(finite, y, limit)


def _middle(low, high):
    """Halfway, or the geometric mean where the quantiles' orders of magnitude differ."""
    ratio = high / low
    apart = (ratio > 16) | ((ratio > 0) & (ratio < 1 / 16))
    size = np.sqrt(np.abs(low)) * np.sqrt(np.abs(high))
    return np.where(apart, np.copysign(size, high), low + (high - low) / 2)


def check_members(members, weights):
    """A list of distributions that go together, and their weights."""
    members = list(members)
    wrong = [member for member in members if not isinstance(member, Distribution)]
    if wrong:
        raise TypeError(
            f"Members must be distributions of fastmlp.distributions, got {wrong[0]!r}."
        )
    if not members:
        raise ValueError("An average needs at least one distribution.")
    kinds = {(member.shape, member.discrete) for member in members}
    if len(kinds) > 1:
        raise ValueError(
            "Distributions of one average must have one shape, and be discrete or not together; "
            f"got {', '.join(map(repr, members[:5]))}."
        )
    k = len(members)
    given = np.full(k, 1 / k) if weights is None else event("weights", weights, 1)
    if given.shape != (k,):
        raise ValueError(f"weights must have shape ({k},), one for each; got {given.shape}.")
    given = simplex("weights", given)
    members = [member for member, w in zip(members, given, strict=True) if w > 0]
    return members, given[given > 0]


def average(members: Sequence[Distribution], weights: Any = None) -> Distribution:
    """The average of distributions: of their densities, not of their parameters.

    Parameters
    ----------
    members : sequence of Distribution
        Of one shape; all discrete or none.
    weights : array-like of shape (k,), optional
        At least 0, with the sum 1; equal by default.

    Returns
    -------
    Distribution
        Normals and their mixtures become a mixture; Bernoulli and categorical distributions, and
        histograms of the same bins, stay such; all others are an :class:`Averaged`.

    Raises
    ------
    ValueError
        No members, or ones that do not go together; weights that are no probabilities of theirs.
    TypeError
        Members that are no distributions.

    Examples
    --------
    >>> from fastmlp.distributions import Normal, average
    >>> average([Normal([0.0], 1.0), Normal([2.0], 1.0)])
    <NormalMixture of shape (1,)>
    """
    members, weights = check_members(members, weights)
    first = members[0]
    if len(members) == 1:
        return first
    kinds = {type(member) for member in members}
    if kinds <= {Normal, NormalMixture}:
        parts = [_components(m, w) for m, w in zip(members, weights, strict=True)]
        return NormalMixture(*(np.concatenate(part, axis=-1) for part in zip(*parts, strict=True)))
    mean = {Bernoulli: ("p",), Categorical: ("p", "values"), Histogram: ("probas", "edges")}
    if kinds == {type(first)} and type(first) in mean:
        name, *same = mean[type(first)]
        if all(np.array_equal(getattr(m, s), getattr(first, s)) for m in members for s in same):
            p = sum(w * getattr(m, name) for m, w in zip(members, weights, strict=True))
            return first._map(lambda key, value: p if key == name else value)
    return Averaged(members, weights)


def _components(dist, weight):
    """Weights, means and scales of the components, (..., k) each."""
    if isinstance(dist, Normal):
        loc, scale = dist.loc[..., None], dist.scale[..., None]
        return np.full(loc.shape, weight), loc, scale
    return weight * dist.weights, dist.loc, dist.scale
