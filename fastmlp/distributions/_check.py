"""Whether a family of one's own is what it says: one law after the other, by numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from fastmlp import _custom
from fastmlp._numbers import check_integer, check_positive
from fastmlp.distributions._base import Distribution
from fastmlp.distributions._families import CustomFamily, Family, resolve_family
from fastmlp.distributions._parameters import numbers

ROWS = 8  # that are drawn
NODES = 24  # of Gauss's rule between two quantiles that stand next to each other
PIECES = 8  # between two LEVELS: densities with a pole span decades there
# Between them a density is integrated: even steps in the middle, decades of tails.
LEVELS = np.r_[10.0 ** np.arange(-9, -1), np.arange(0.1, 0.91, 0.1)]
LEVELS = np.r_[LEVELS, 1 - 10.0 ** np.arange(-2, -10, -1.0)]
RESOLVED = 1e-6
MOST_VALUES = 10_000
# Moments are judged where the tails beyond a millionth hold less than this share of them.
TAIL = 0.01


def check_family(
    family: Any,
    raw: Any = None,
    y: Any = None,
    tol: float = 1e-5,
    random_state: Any = 0,
) -> float:
    """Check a family of one's own, by the laws that ``MLPDistributionRegressor`` relies on.

    A family is an object with

    - ``value_grad(raw, y)``, which returns minus the log-density of each row, (n,), whole, and its
      gradient by the raw outputs, (n, n_raw): a loss of one's own, see
      :func:`fastmlp.losses.check_grad`; and for curvature ``hess`` or ``curv``;
    - ``from_raw(raw, n_targets)``, which returns a distribution of this module or a class derived
      from :class:`Distribution`, of shape (n,) for one target and (n, n_targets) for several. Raw
      output k of target j is column ``k * n_targets + j``;

    and, where the defaults do not do,

    - ``raws_per_target`` (1), and a ``name`` for errors (that of the class);
    - ``start(y, sample_weight)`` (zeros): the raw outputs, (n_raw,), where output biases start,
      those of the distribution of all targets together;
    - ``located`` (False): whether targets may be standardised; the distributions must then have
      ``affine``: their classes say in ``_located`` and ``_scaled`` which parameters are shifted and
      multiplied, and which only multiplied;
    - ``support`` (finite numbers): a pair of words for the rule, and a function of y that returns
      the mask of targets that keep it.

    Parameters
    ----------
    family : object, str or tuple
        The object; or what ``MLPDistributionRegressor(distribution=)`` takes besides, whose
        distributions are then checked, but not their derivatives.
    raw : array-like of shape (n, raws_per_target), default=None
        Raw outputs to look at; None: eight rows of standard normal numbers.
    y : array-like of shape (n,), default=None
        Targets; None: drawn from the distributions.
    tol : float, default=1e-5
        The error that is borne, relative to what is compared where that is larger than 1.
    random_state : None, int, Generator or RandomState, default=0
        For what is drawn.

    Returns
    -------
    float
        The largest error.

    Raises
    ------
    ValueError
        A law does not hold: the text says which, in which row, and by how much. In turn: shapes;
        derivatives are those that differences find; the value is minus ``logpdf``; ``cdf`` is the
        integral of ``pdf``, from 0 to 1, and ``ppf`` its inverse; ``mean`` and ``var`` are its
        moments; several targets are independent ones; ``affine`` is a change of units; ``start``
        has its shape; drawn targets are within the support.
    TypeError
        ``family`` is none, or ``from_raw`` returns no distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.distributions import Gamma, check_family
    >>> class Exponential:
    ...     support = "at least 0", lambda y: y >= 0
    ...
    ...     def value_grad(self, raw, y):  # p(y) = exp(-y / mean) / mean, mean = exp(raw)
    ...         scaled = y.reshape(raw.shape) * np.exp(-raw)
    ...         return (scaled + raw).sum(axis=1), 1 - scaled
    ...
    ...     def from_raw(self, raw, n_targets):
    ...         return Gamma(a=1.0, scale=np.exp(raw if n_targets > 1 else raw[:, 0]))
    ...
    ...     def start(self, y, sample_weight):
    ...         return np.atleast_1d(np.log(np.average(y, axis=0, weights=sample_weight)))
    >>> check_family(Exponential()) < 1e-6
    True
    """
    family = resolve_family(family)
    tol = check_positive("tol", tol)
    rng = np.random.default_rng(random_state if raw is None or y is None else 0)
    if y is not None:
        y = numbers("y", y)
        family = family.learn(y)
    raw = _raw_of(family, raw, rng)
    n = len(raw)
    dist = family.from_raw(raw, 1)
    y = dist.sample(random_state=rng)[0] if y is None else y
    if y.shape != (n,):
        raise ValueError(f"y must have shape ({n},), one target for each row; got {y.shape}.")
    family.check(y)
    error = 0.0
    if isinstance(family, CustomFamily):
        error = _check_loss(family, raw, y, dist, tol)
    error = max(error, *(_check_row(dist[i], i, tol) for i in range(n)))
    _check_several(family, raw, y, dist, tol)
    if family.located:
        moved = dist.affine(3.0, 2.0).logpdf(3.0 + 2.0 * y) + np.log(2.0)
        _compare("affine(3, 2).logpdf(3 + 2 y) + ln 2", moved, "logpdf(y)", dist.logpdf(y), tol)
    for weights in (None, np.arange(1.0, n + 1)):
        family.start(family.encode(y), weights)
        if isinstance(family, CustomFamily):
            family.start(np.c_[y, y], weights)
    return error


def _raw_of(family: Family, raw: Any, rng) -> np.ndarray:
    n_raw = check_integer("raws_per_target", family.raws_per_target) * family.n_outputs(1)
    if raw is None:
        return rng.normal(size=(ROWS, n_raw))
    raw = numbers("raw", raw)
    raw = raw.reshape(-1, 1) if raw.ndim == 1 else raw
    if raw.ndim != 2 or raw.shape[1] != n_raw or not len(raw):
        raise ValueError(f"raw must have shape (n, {n_raw}), got {raw.shape}.")
    return raw


def _check_loss(family: CustomFamily, raw, y, dist: Distribution, tol: float) -> float:
    """Derivatives, and the value against the density."""
    error = _custom.largest_error(family.custom, raw, y, tol)
    value, _ = _custom.value_grad(family.custom, raw, y)
    return max(error, _compare("value_grad's value", value, "-logpdf", -dist.logpdf(y), tol))


def _check_row(dist: Distribution, row: int, tol: float) -> float:
    """The density, its integral, quantiles and moments of one row."""
    if dist.discrete:
        places, mass = _values(dist)
        middle = dist.cdf(places)
        parts, increments = mass[1:], np.diff(middle)
        weights = mass
    else:
        ends = dist.ppf(LEVELS)
        # Near the end of a support, floats stand too far apart to tell quantiles from each other.
        apart = np.diff(ends) > RESOLVED * np.abs(ends[1:])
        middle = (LEVELS[:-1] > 0.05) & (LEVELS[1:] < 0.95)
        if (np.diff(ends) < 0).any() or not apart[middle].all():
            raise ValueError(f"ppf does not increase in row {row}: {ends}.")
        told = np.r_[True, apart] & np.r_[apart, True]
        back = dist.cdf(ends)[told]
        _compare(f"cdf(ppf(q)) in row {row}", back, "q", LEVELS[told], tol)
        nodes, weight = np.polynomial.legendre.leggauss(NODES)
        ends = dist.ppf(_finer(LEVELS))
        width = np.diff(ends)[:, None]
        places = (ends[:-1, None] + width * (nodes + 1) / 2).reshape(len(LEVELS) - 1, -1)
        share = np.reshape(weight * width / 2, places.shape)
        density = dist.pdf(places)
        weights = np.multiply(density, share, where=share > 0, out=np.zeros_like(share))
        parts, increments = weights.sum(axis=1)[apart], np.diff(LEVELS)[apart]
    worst = _compare(f"pdf, integrated, in row {row}", parts, "cdf's part", increments, tol, 1e-6)
    _check_moments(dist, row, places, weights)
    return worst


def _finer(levels):
    """PIECES steps between two levels, even ones of the logit."""
    at = np.arange((len(levels) - 1) * PIECES + 1) / PIECES
    finer = special.expit(np.interp(at, np.arange(len(levels)), special.logit(levels)))
    finer[::PIECES] = levels
    return finer


def _values(dist: Distribution):
    """The values of a discrete row, all but the last millionth of them, and their probabilities."""
    low, high = dist.ppf(1e-7), dist.ppf(1 - 1e-7)
    places = np.arange(low, min(high, low + MOST_VALUES) + 1)
    return places, dist.pdf(places)


def _check_moments(dist: Distribution, row: int, places, weights) -> None:
    mean, var = dist.mean(), dist.var()
    for name, given, integrand in (
        ("mean", mean, places),
        ("var", var, (places - mean) ** 2),
    ):
        if not np.isfinite(given):
            continue
        parts = (weights * integrand).reshape(len(places), -1).sum(axis=1)
        size = np.abs(weights * integrand).sum()
        tails = 0.0 if dist.discrete else np.abs(parts[[0, 1, 2, -3, -2, -1]]).sum()
        unit = max(size, np.sqrt(var) if np.isfinite(var) else 0.0)
        if tails < TAIL * size and not abs(given - parts.sum()) <= TAIL * unit:
            raise ValueError(
                f"{name}() is {given:.6g} in row {row}, and {parts.sum():.6g} by the density."
            )


def _check_several(family: Family, raw, y, dist: Distribution, tol: float) -> None:
    """Two targets: those of one, by planar columns."""
    if family.n_outputs(2) != 2:
        return  # one target only
    both = np.stack([raw, raw[::-1]], axis=2).reshape(len(raw), -1)
    pair = family.from_raw(both, 2)
    expected = np.c_[dist.logpdf(y), dist[::-1].logpdf(y)]
    given = pair.logpdf(np.c_[y, y])
    _compare("logpdf of two targets", given, "that of one", expected, tol)
    if isinstance(family, CustomFamily):
        value, _ = _custom.value_grad(family.custom, both, np.c_[y, y])
        _compare("value of two targets", value, "their sum", -expected.sum(axis=1), tol)


def _compare(what: str, given, of: str, expected, tol: float, least: float = 1.0) -> float:
    """The largest error, relative where more than ``least``; ValueError if it is too large."""
    given, expected = np.broadcast_arrays(given, expected)
    same = given == expected  # infinite ones, too
    with np.errstate(invalid="ignore"):
        error = np.abs(given - expected) / np.maximum(least, np.abs(expected))
    error = np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))
    at = np.unravel_index(int(np.argmax(error)), error.shape)
    if not error[at] <= tol:
        raise ValueError(
            f"{what} is {given[at]:.6g} at {', '.join(map(str, at))}, and {of} {expected[at]:.6g}."
        )
    return float(error[at])
