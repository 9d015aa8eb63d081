"""Families: from the raw outputs of a network to the distributions of its rows.

One class per family, and one row of ``FAMILIES``: the loss that trains it, its raw outputs, its
targets, where it starts. Nothing here knows a network: a loss is a name that networks understand.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import special

from fastmlp._names import shown, unknown
from fastmlp._numbers import check_positive, check_real
from fastmlp._weighted import average, quantile
from fastmlp.distributions._base import Distribution
from fastmlp.distributions._classes import Bernoulli, Categorical
from fastmlp.distributions._counts import Poisson
from fastmlp.distributions._family import (
    LEAST,
    LEAST_SCALE,
    MOST_LOG,
    Family,
    columns,
    moments,
    planar,
    scale_of,
)
from fastmlp.distributions._pairs import (
    BetaFamily,
    GammaFamily,
    LaplaceFamily,
    LogNormalFamily,
    NegativeBinomialFamily,
)
from fastmlp.distributions._real import Normal, StudentT
from fastmlp.distributions._shaped import HistogramFamily, MixtureFamily, QuantilesFamily
from fastmlp.distributions._special import softplus

MOST_CLASSES = 1000
MOST_STEPS = 30


class NormalFamily(Family):
    """Normal distributions, whose scale is an output, or one learned number, or a given one.

    Parameters
    ----------
    scale : {"row", "constant"} or float, default="row"
        "row": sigma(x), an output of the network. "constant": one number for each target, the
        least squares' root mean square residual: on the validation data where there are some; the
        solver's own estimate where it has one (evidence). A number: known, in the units of y, and
        the loss is then squared error in units of it.
    parametrization : {"moments", "natural"}, default="moments"
        Of "row": mean and log sigma, or eta1 = mean / sigma^2 and r with
        1 / sigma^2 = softplus(r), in which the log-likelihood is concave.
    beta : float in [0, 1], default=0.5
        Of "row" and "moments": the power of its variance that a row's gradient is multiplied by in
        mini-batches (Seitzer et al., 2022); 0 is the plain likelihood, by which the mean is hardly
        learned where sigma is large.

    Attributes
    ----------
    of_rows, natural : bool
        Whether the scale is an output; whether parameters are natural.
    """

    name = "normal"
    located = True

    def __init__(
        self, scale: Any = "row", parametrization: str = "moments", beta: float = 0.5
    ) -> None:
        if parametrization not in ("moments", "natural"):
            raise ValueError(
                "parametrization of distribution 'normal' must be 'moments' or 'natural', got "
                f"{shown(parametrization)}."
            )
        if isinstance(scale, str):
            if scale not in ("row", "constant"):
                raise ValueError(
                    "scale of distribution 'normal' must be 'row', 'constant' or a positive "
                    f"number, got {shown(scale)}."
                )
        else:
            self.unit = check_positive("scale of distribution 'normal'", scale)
        beta = check_real("beta of distribution 'normal'", beta, "in [0, 1]", lambda v: 0 <= v <= 1)
        self.natural = parametrization == "natural"
        if self.natural and scale != "row":
            raise ValueError(
                "parametrization='natural' is for scale='row'; a scale that is no output has "
                f"none: got scale={shown(scale)}."
            )
        self.of_rows = isinstance(scale, str) and scale == "row"
        self.needs_residuals = isinstance(scale, str) and scale == "constant"
        self._sigma = np.ones(1)  # in units of the network, where it is no output
        self.raws_per_target = 2 if self.of_rows else 1
        self.log_scales = not self.natural
        self.loss = "squared_error"
        if self.of_rows:
            self.loss = "normal_natural" if self.natural else ("normal", {"beta": beta})
            self.std_factor = None if self.natural else 1.0

    def from_raw(self, raw, n_targets):
        parts = planar(raw, n_targets)
        if not self.of_rows:
            sigma = self._sigma[0] if n_targets == 1 else self._sigma
            return Normal(parts[0], sigma)
        if not self.natural:
            return Normal(parts[0], scale_of(parts[1]))
        eta, r = parts
        log_precision = np.where(r < -40, r, np.log(softplus(np.maximum(r, -40))))
        log_precision = np.maximum(log_precision, -MOST_LOG)
        return Normal(eta * np.exp(-log_precision), scale_of(-0.5 * log_precision))

    def start(self, y, sample_weight=None):
        mean, variance = moments(y, sample_weight)
        if not self.of_rows:
            return mean
        if not self.natural:
            return np.r_[mean, 0.5 * np.log(variance)]
        precision = 1 / variance
        # softplus^-1(p) = p + ln(1 - e^-p)
        return np.r_[mean * precision, precision + np.log(-np.expm1(-precision))]

    def complete(self, raw, y, sample_weight=None, noise=None):
        if not self.needs_residuals:
            return self
        if noise is not None:
            return self._with(_sigma=np.array([max(noise, LEAST_SCALE)]))
        sigma = np.sqrt(average((columns(y) - raw) ** 2, sample_weight))
        return self._with(_sigma=np.maximum(sigma, LEAST_SCALE))

    def scales(self, raw, n_targets):
        return self.from_raw(raw, n_targets).scale.reshape(len(raw), -1)


class StudentTFamily(Family):
    """Student's t distributions of ``df`` degrees of freedom: location and log scale are outputs.

    Parameters
    ----------
    df : float, default=4
    """

    name = "student_t"
    raws_per_target = 2
    located = log_scales = True

    def __init__(self, df: float = 4.0) -> None:
        self._df = check_positive("df of distribution 'student_t'", df)
        self.loss = (self.name, {"df": self._df})
        self.std_factor = np.sqrt(self._df / (self._df - 2)) if self._df > 2 else None

    def from_raw(self, raw, n_targets):
        loc, log_scale = planar(raw, n_targets)
        return StudentT(self._df, loc, scale_of(log_scale))

    def scales(self, raw, n_targets):
        return self.from_raw(raw, n_targets).scale.reshape(len(raw), -1)

    def start(self, y, sample_weight=None):
        """By the EM algorithm (Lange, Little & Taylor 1989), from the median on."""
        spread = np.sqrt(moments(y, sample_weight)[1])
        y, w = columns(y), np.ones(1) if sample_weight is None else sample_weight[:, None]
        loc = quantile(y, 0.5, sample_weight)
        scale = quantile(np.abs(y - loc), 0.5, sample_weight) / special.stdtrit(self._df, 0.75)
        for _ in range(MOST_STEPS):
            scale = np.where(scale > LEAST_SCALE * spread, scale, spread)
            counted = w * (self._df + 1) / (self._df + ((y - loc) / scale) ** 2)
            loc = (counted * y).sum(axis=0) / counted.sum(axis=0)
            scale = np.sqrt(average(counted / w.mean() * (y - loc) ** 2))
        return np.r_[loc, np.log(np.where(scale > LEAST_SCALE * spread, scale, spread))]


class PoissonFamily(Family):
    """Poisson distributions; the logarithm of the mean is the output."""

    name = "poisson"
    loss = "poisson"
    support = ("whole numbers of at least 0", lambda y: (y >= 0) & (y == np.floor(y)))

    def from_raw(self, raw, n_targets):
        return Poisson(np.exp(np.clip(planar(raw, n_targets)[0], -MOST_LOG, MOST_LOG)))

    def start(self, y, sample_weight=None):
        return np.log(np.maximum(average(columns(y), sample_weight), LEAST))


class BernoulliFamily(Family):
    """Of the values 0 and 1; the logit of 1 is the output."""

    name = "bernoulli"
    loss = "log_loss"
    output_activation = "logistic"
    support = ("0 or 1", lambda y: (y == 0) | (y == 1))

    def from_raw(self, raw, n_targets):
        return Bernoulli(special.expit(planar(raw, n_targets)[0]))

    def start(self, y, sample_weight=None):
        return special.logit(np.clip(average(columns(y), sample_weight), LEAST, 1 - LEAST))


class CategoricalFamily(Family):
    """A probability for each value that y has: numbers that are ordered, as grades are."""

    name = "categorical"
    loss = "log_loss"
    output_activation = "softmax"
    _values: np.ndarray | None = None

    @property
    def support(self):
        if self._values is None:
            return ("finite", np.isfinite)
        values = self._values
        return (f"one of the {len(values)} values that y has in fit", lambda y: np.isin(y, values))

    def learn(self, y, sample_weight=None):
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(
                f"distribution 'categorical' has one target, and y has {y.shape[1]} columns: fit a "
                "model for each."
            )
        values = np.unique(np.asarray(y, np.float64))
        if not 2 <= len(values) <= MOST_CLASSES:
            what = "all the same" if len(values) == 1 else f"{len(values)} different ones"
            raise ValueError(
                "distribution 'categorical' has a probability for each value of y, of which there "
                f"must be 2 to {MOST_CLASSES}: they are {what}."
            )
        return self._with(_values=values)

    def encode(self, y):
        return np.searchsorted(self._values, y.ravel()).astype(np.intp)

    def n_outputs(self, n_targets):
        if self._values is None:
            raise ValueError("distribution 'categorical' has to learn its values from y.")
        return len(self._values)

    def from_raw(self, raw, n_targets):
        # what is not finite makes NaN, which is refused
        with np.errstate(invalid="ignore", under="ignore"):
            p = special.softmax(np.asarray(raw, np.float64), axis=1)
        return Categorical(p, self._values)

    def start(self, y, sample_weight=None):
        count = np.bincount(y, sample_weight, len(self._values))
        return np.log(np.maximum(count / count.sum(), LEAST))


class CustomFamily(Family):
    """What a user's own object does, and defaults for what it leaves out.

    Parameters
    ----------
    custom : object
        See :func:`fastmlp.distributions.check_family`.
    """

    def __init__(self, custom: Any) -> None:
        self.custom = self.loss = custom
        self.name = str(getattr(custom, "name", type(custom).__name__))
        self.raws_per_target = getattr(custom, "raws_per_target", 1)
        self.located = bool(getattr(custom, "located", False))

    @property
    def support(self):
        return getattr(self.custom, "support", Family.support)

    def from_raw(self, raw, n_targets):
        dist = self.custom.from_raw(raw, n_targets)
        shape = (len(raw),) if n_targets == 1 else (len(raw), n_targets)
        if not isinstance(dist, Distribution) or dist.shape != shape:
            raise TypeError(
                f"from_raw(raw, n_targets) of {self.name} must return a distribution of "
                f"fastmlp.distributions of shape {shape}, got {shown(dist)}."
            )
        return dist

    def start(self, y, sample_weight=None):
        n_targets = 1 if y.ndim == 1 else y.shape[1]
        n_raw = self.raws_per_target * n_targets
        if not hasattr(self.custom, "start"):
            return np.zeros(n_raw)
        raw = np.asarray(self.custom.start(y, sample_weight), np.float64)
        if raw.shape != (n_raw,) or not np.isfinite(raw).all():
            raise ValueError(
                f"start(y, sample_weight) of {self.name} must return {n_raw} finite raw outputs, "
                f"{self.raws_per_target} for each target; got {shown(raw)}."
            )
        return raw


FAMILIES: dict[str, type[Family]] = {
    kind.name: kind
    for kind in (
        NormalFamily,
        StudentTFamily,
        LaplaceFamily,
        LogNormalFamily,
        GammaFamily,
        NegativeBinomialFamily,
        BetaFamily,
        PoissonFamily,
        BernoulliFamily,
        CategoricalFamily,
        MixtureFamily,
        HistogramFamily,
        QuantilesFamily,
    )
}


def resolve_family(spec: Any) -> Family:
    """A family from a name, a pair (name, {parameter: value}) or an object of the user's.

    Parameters
    ----------
    spec : str, tuple or object
        What ``MLPDistributionRegressor(distribution=)`` takes.

    Returns
    -------
    Family
        With ``loss``, ``raws_per_target``, ``from_raw``, ``start``, ``located``, ``support``.

    Raises
    ------
    TypeError
        The spec is none of them, or an object without ``value_grad`` and ``from_raw``.
    ValueError
        An unknown name or parameter, or a value out of its range.

    Examples
    --------
    >>> from fastmlp.distributions import resolve_family
    >>> family = resolve_family(("student_t", {"df": 10}))
    >>> family.from_raw([[0.0, 0.0], [1.0, 0.5]], n_targets=1).median()
    array([0., 1.])
    """
    if isinstance(spec, Family):
        return spec
    name, parameters = spec, {}
    if isinstance(spec, tuple) and len(spec) == 2:
        name, parameters = spec
    if isinstance(name, str) and isinstance(parameters, Mapping):
        if name not in FAMILIES:
            raise ValueError(unknown("distribution", name, FAMILIES))
        kind = FAMILIES[name]
        known = tuple(inspect.signature(kind).parameters)
        foreign = [key for key in parameters if key not in known]
        if foreign:
            raise ValueError(
                f"distribution {name!r} has no parameter {shown(foreign[0])}; it has: "
                f"{', '.join(known) or 'none'}."
            )
        return kind(**parameters)
    callables = [getattr(spec, method, None) for method in ("value_grad", "from_raw")]
    if isinstance(spec, type) or not all(map(callable, callables)):
        raise TypeError(
            "distribution is a name, (name, {parameter: value}), or an object with value_grad(raw, "
            f"y) -> (value, grad) and from_raw(raw, n_targets); got {shown(spec)}."
        )
    return CustomFamily(spec)
