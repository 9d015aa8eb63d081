"""Distribution functions that are straight between knots: histograms and sets of quantiles."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._numbers import check_integer, check_real
from fastmlp.distributions import _exchange
from fastmlp.distributions._base import Distribution
from fastmlp.distributions._parameters import LEVEL, check, event, numbers, simplex

TINY = 1e-300  # the scale of a tail that is not there
ROWS_TOGETHER = 1 << 15  # numbers: memory that is asked for anew costs more than arithmetic


class _Piecewise(Distribution):
    """Masses between knots, evenly spread; exponential tails of given mass and scale beyond.

    Families give ``_knots`` (..., k + 1), ``_masses`` (..., k) and ``_tails``: mass and scale of
    the lower one, mass and scale of the upper one.
    """

    def _tails(self):
        return 0.0, TINY, 0.0, TINY

    def _levels(self):
        """The distribution function at the knots: (..., k + 1)."""
        low = self._tails()[0]
        levels = np.cumsum(self._masses, -1) + np.asarray(low)[..., None]
        start = np.broadcast_to(np.asarray(low)[..., None], levels[..., :1].shape)
        return np.concatenate([start, levels], -1)

    def _beyond(self, y):
        """How far y lies below the first knot, and above the last one."""
        knots = self._knots
        return np.maximum(knots[..., 0] - y, 0), np.maximum(y - knots[..., -1], 0)

    def _share(self, y):
        """The share of each piece that lies below y: (..., k)."""
        y = np.asarray(y)[..., None]
        left, width = self._knots[..., :-1], np.diff(self._knots, axis=-1)
        return np.where(width > 0, np.clip((y - left) / width, 0, 1), y >= left)

    def _logpdf(self, y):
        y = np.asarray(y)
        low_mass, low_scale, high_mass, high_scale = self._tails()
        below, above = self._beyond(y)
        at = (y[..., None] >= self._knots[..., 1:-1]).sum(-1)[..., None]
        masses, widths = self._masses, np.diff(self._knots, axis=-1)
        shape = at.shape[:-1] + masses.shape[-1:]
        mass = np.take_along_axis(np.broadcast_to(masses, shape), at, -1)[..., 0]
        width = np.take_along_axis(np.broadcast_to(widths, shape), at, -1)[..., 0]
        inside = np.log(mass) - np.log(width)
        low = np.log(low_mass) - np.log(low_scale) - below / low_scale
        high = np.log(high_mass) - np.log(high_scale) - above / high_scale
        return np.where(below > 0, low, np.where(above > 0, high, inside))

    def _cdf(self, y):
        low_mass, low_scale, high_mass, high_scale = self._tails()
        below, above = self._beyond(y)
        inside = (self._masses * self._share(y)).sum(-1)
        tails = low_mass * np.exp(-below / low_scale) - high_mass * np.expm1(-above / high_scale)
        return inside + tails

    def _ppf(self, q):
        low_mass, low_scale, high_mass, high_scale = self._tails()
        q = np.asarray(q)
        start, width = self._levels()[..., :-1], np.diff(self._knots, axis=-1)
        masses, beyond = self._masses, q[..., None] - start
        share = np.where(masses > 0, np.clip(beyond / masses, 0, 1), beyond > 1e-15)
        y = self._knots[..., 0] + (width * share).sum(-1)
        low = self._knots[..., 0] + low_scale * np.log(q / low_mass)
        high = self._knots[..., -1] - high_scale * np.log((1 - q) / high_mass)
        y = np.where(q < low_mass, low, y)
        return np.where(1 - q < high_mass, high, y)

    def _pieces(self):
        """Middles and widths of the pieces, (k,) where all rows have the same."""
        knots = self._knots
        if knots.size and not any(knots.strides[:-1]):
            knots = knots[(0,) * (knots.ndim - 1)]
        return (knots[..., 1:] + knots[..., :-1]) / 2, np.diff(knots, axis=-1)

    def _expected(self, values):
        """The sum of masses times values of the pieces."""
        return _sums(self._masses, values)

    def _mean(self):
        low_mass, low_scale, high_mass, high_scale = self._tails()
        knots = self._knots
        inside = self._expected(self._pieces()[0])
        low, high = knots[..., 0] - low_scale, knots[..., -1] + high_scale
        return inside + low_mass * low + high_mass * high

    def _var(self):
        low_mass, low_scale, high_mass, high_scale = self._tails()
        knots, mean = self._knots, self._mean()
        middle, width = self._pieces()
        # about the middle of the pieces, which rows may share, then about the mean of each row
        centre = middle.mean(-1, keepdims=True)
        middle, about = middle - centre, mean - centre[..., 0]
        second, mass = self._expected(middle**2 + width**2 / 12), 1 - low_mass - high_mass
        inside = second - 2 * about * self._expected(middle) + about**2 * mass
        low = low_mass * ((knots[..., 0] - low_scale - mean) ** 2 + low_scale**2)
        high = high_mass * ((knots[..., -1] + high_scale - mean) ** 2 + high_scale**2)
        return inside + low + high

    def _mode(self):
        density = self._masses / np.diff(self._knots, axis=-1)
        at = np.argmax(density, -1)[..., None]
        middle = (self._knots[..., 1:] + self._knots[..., :-1]) / 2
        return np.take_along_axis(middle, at, -1)[..., 0]

    def _square_integral(self):
        low_mass, low_scale, high_mass, high_scale = self._tails()
        tails = low_mass**2 / low_scale + high_mass**2 / high_scale
        squares = np.where(self._masses > 0, self._masses**2 / np.diff(self._knots, axis=-1), 0)
        return squares.sum(-1) + tails / 2

    def _crps(self, y):
        """The integral of F^2 up to y and of (1 - F)^2 from there on, piece by piece."""
        share, width, levels = self._share(y), np.diff(self._knots, axis=-1), self._levels()
        at_y = levels[..., :-1] + share * self._masses
        up_to = share * _square_mean(levels[..., :-1], at_y)
        from_there = (1 - share) * _square_mean(1 - at_y, 1 - levels[..., 1:])
        inside = (width * (up_to + from_there)).sum(-1)
        low_mass, low_scale, high_mass, high_scale = self._tails()
        below, above = self._beyond(y)
        return inside + _tail(low_mass, low_scale, below) + _tail(high_mass, high_scale, above)


def _sums(masses, values):
    """Sums of products along the last axis; by blocks of rows where these share the values."""
    if values.ndim > 1 or masses.ndim == 1:
        return (masses * values).sum(-1)
    out = np.empty(masses.shape[:-1])
    step = max(1, ROWS_TOGETHER // masses[:1].size) if masses.size else 1
    for i in range(0, len(masses), step):
        out[i : i + step] = (masses[i : i + step] * values).sum(-1)
    return out


def _square_mean(a, b):
    """The mean of the square of a line from a to b."""
    return (a * a + a * b + b * b) / 3


def _tail(mass, scale, distance):
    """A tail's part of the CRPS, y being a distance out in it (0: not in it)."""
    return distance + mass * scale * (mass / 2 + 2 * np.expm1(-distance / scale))


class Histogram(_Piecewise):
    """Histograms: probabilities of bins, evenly spread within each.

    The CRPS is exact: F is straight between the edges, and F^2 is integrated in closed form.

    Parameters
    ----------
    probas : array-like of shape (..., n_bins)
        Probabilities of the bins; each row sums to 1 (to 1e-4; what is missing by rounding is
        added).
    edges : array-like of shape (n_bins + 1,) or (..., n_bins + 1)
        Increasing edges, shared by all rows or one set for each.
    tail : float, default=0.0
        The probability that lies below the lowest edge, and that above the highest one, in
        exponential tails as wide as the bins beside them; the bins share what is left, by
        ``probas``.

    Raises
    ------
    ValueError
        Probabilities that are negative or do not sum to 1; edges that do not increase; shapes that
        do not fit together.
    TypeError
        An argument is not made of real numbers.

    Examples
    --------
    >>> from fastmlp.distributions import Histogram
    >>> dist = Histogram([[0.2, 0.8], [0.5, 0.5]], edges=[0.0, 1.0, 3.0])
    >>> dist.mean(), dist.pdf([0.5, 2.0]), dist.mode()
    (array([1.7 , 1.25]), array([0.2 , 0.25]), array([2. , 0.5]))
    """

    _events = ("probas", "edges")
    _located = ("edges",)

    def __init__(self, probas: Any, edges: Any, tail: float = 0.0) -> None:
        probas = simplex("probas", event("probas", probas, 1))
        edges = _exchange.check_edges("edges", edges)
        if edges.shape[-1] != probas.shape[-1] + 1:
            raise ValueError(
                f"edges must be one more than the bins: {probas.shape[-1] + 1}, got "
                f"{edges.shape[-1]}."
            )
        self.tail = check_real("tail", tail, "from 0 to below 0.5", lambda v: 0 <= v < 0.5)
        self._set(probas=probas, edges=edges)

    @property
    def _knots(self):
        return self.edges

    @property
    def _masses(self):
        return self.probas * (1 - 2 * self.tail) if self.tail else self.probas

    def _expected(self, values):
        return (1 - 2 * self.tail) * _sums(self.probas, values)

    def _tails(self):
        if not self.tail:
            return super()._tails()
        edges = self.edges
        return (
            self.tail,
            edges[..., 1] - edges[..., 0],
            self.tail,
            edges[..., -1] - edges[..., -2],
        )

    def rebin(self, edges: Any) -> Histogram:
        """A histogram with other bins.

        Parameters
        ----------
        edges : int or array-like of shape (n_bins + 1,)
            New edges, those of all rows; what lies outside is added to the outermost bins. A number
            of bins k keeps every (n_bins / k)-th edge, or the nearest to that.

        Returns
        -------
        Histogram
            Of the same rows.

        Raises
        ------
        ValueError
            More bins than there are, or edges that do not increase.
        TypeError
            Edges that are not real numbers.

        Examples
        --------
        >>> from fastmlp.distributions import Histogram
        >>> dist = Histogram([[0.1, 0.2, 0.3, 0.4]], edges=[0.0, 1.0, 2.0, 3.0, 4.0])
        >>> dist.rebin(2).probas.round(3)
        array([[0.3, 0.7]])
        """
        if np.ndim(edges) == 0:
            n_bins = self.probas.shape[-1]
            k = check_integer("The number of bins", edges, most=n_bins)
            at = np.round(np.linspace(0, n_bins, k + 1)).astype(np.intp)
            return self._map(
                lambda name, value: (
                    value[..., at] if name == "edges" else np.add.reduceat(value, at[:-1], -1)
                )
            )
        probas, edges, _ = self.to_bins(edges)
        return Histogram(probas, edges)

    def _edges(self):
        grid = self._one_grid()
        return self.edges if grid is None else grid

    def _one_grid(self):
        """The edges of all rows, or None where rows have their own."""
        grid = self.edges.reshape(-1, self.edges.shape[-1])[:1]
        shared = not any(self.edges.strides[:-1]) or (self.edges == grid).all()
        return np.array(grid[0]) if shared and len(grid) else None

    def _qp(self):
        edges = self._one_grid()
        if edges is None:
            raise ValueError(
                "qp's histograms share their edges, these rows have their own: rebin(edges) first."
            )
        return "hist", {"bins": edges}, {"pdfs": self.probas / np.diff(edges)}


class Quantiles(_Piecewise):
    """Distributions through given quantiles: straight lines between, exponential tails beyond.

    Each tail holds what the outermost level leaves to it and starts with the density of the piece
    beside it. Rows whose quantiles cross are sorted, which lowers their quantile loss [1]_.

    Parameters
    ----------
    values : array-like of shape (..., k)
        Quantiles; at least two.
    levels : array-like of shape (k,)
        Their levels, increasing, strictly between 0 and 1.

    Raises
    ------
    ValueError
        Levels out of range or order; values that are not finite; shapes that do not fit.
    TypeError
        An argument is not made of real numbers.

    Notes
    -----
    Equal quantiles are a point that holds the probability between them: the distribution function
    and the CRPS know it, the density does not.

    References
    ----------
    .. [1] Chernozhukov, V., Fernandez-Val, I. and Galichon, A. (2010), Quantile and probability
       curves without crossing. Econometrica 78.

    Examples
    --------
    >>> from fastmlp.distributions import Quantiles
    >>> dist = Quantiles([[-1.0, 0.0, 1.0], [0.0, 2.0, 3.0]], levels=[0.1, 0.5, 0.9])
    >>> dist.cdf([0.5, 1.0]), dist.median()
    (array([0.7, 0.3]), array([0., 2.]))
    """

    _events = ("values",)
    _located = ("values",)

    def __init__(self, values: Any, levels: Any) -> None:
        values, levels = event("values", values, 2), numbers("levels", levels)
        check("values", values, ("finite", np.isfinite))
        if levels.shape != values.shape[-1:]:
            raise ValueError(
                f"levels must have shape {values.shape[-1:]}, one for each quantile; got "
                f"{levels.shape}."
            )
        check("levels", levels, LEVEL)
        if not (np.diff(levels) > 0).all():
            raise ValueError("levels must increase strictly.")
        self.levels = levels
        self._set(values=np.sort(values, axis=-1))

    @property
    def _knots(self):
        return self.values

    @property
    def _masses(self):
        return np.diff(self.levels)

    def _levels(self):
        return self.levels

    def _tails(self):
        low, high = self.levels[0], 1 - self.levels[-1]
        width, masses = np.diff(self.values, axis=-1), self._masses
        low_scale = np.maximum(low * width[..., 0] / masses[0], TINY)
        return low, low_scale, high, np.maximum(high * width[..., -1] / masses[-1], TINY)

    def _qp(self):
        return "quant", {"quants": self.levels}, {"locs": self.values}
