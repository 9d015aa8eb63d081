"""Families of two raw outputs per target, with likelihoods of their own in the table of losses."""

from __future__ import annotations

import numpy as np
from scipy import special

from fastmlp._weighted import average, quantile
from fastmlp.distributions._counts import NegativeBinomial
from fastmlp.distributions._family import (
    LEAST,
    MOST_LOG,
    Family,
    columns,
    moments,
    planar,
    scale_of,
)
from fastmlp.distributions._positive import Beta, Gamma, LogNormal
from fastmlp.distributions._real import Laplace

# Deviations of log y: beyond it a quantile of y is 0 or infinite.
_MOST_LOG_SIGMA = 6.0
# Shapes: between e^-12 and e^30 a distribution is neither all at an edge nor all at its mean.
_LOG_SHAPES = (-12.0, 30.0)


class LaplaceFamily(Family):
    """Laplace distributions: location and log scale are the outputs."""

    name = loss = "laplace"
    raws_per_target = 2
    located = log_scales = True
    std_factor = np.sqrt(2.0)

    def from_raw(self, raw, n_targets):
        loc, log_scale = planar(raw, n_targets)
        return Laplace(loc, scale_of(log_scale))

    def scales(self, raw, n_targets):
        return self.from_raw(raw, n_targets).scale.reshape(len(raw), -1)

    def start(self, y, sample_weight=None):
        loc = quantile(columns(y), 0.5, sample_weight)
        scale = average(np.abs(columns(y) - loc), sample_weight)
        return np.r_[loc, np.log(np.where(scale > 0, scale, 1.0))]


class LogNormalFamily(Family):
    """Of positive targets whose logarithms are normal: their mean and log deviation."""

    name = loss = "lognormal"
    raws_per_target = 2
    support = ("greater than 0", lambda y: y > 0)

    def from_raw(self, raw, n_targets):
        mu, log_sigma = planar(raw, n_targets)
        sigma = scale_of(np.minimum(log_sigma, _MOST_LOG_SIGMA))
        return LogNormal(np.clip(mu, -MOST_LOG, MOST_LOG), sigma)

    def scales(self, raw, n_targets):
        return self.from_raw(raw, n_targets).sigma.reshape(len(raw), -1)

    def start(self, y, sample_weight=None):
        mean, variance = moments(np.log(columns(y)), sample_weight)
        return np.r_[mean, 0.5 * np.log(variance)]


class _ShapedFamily(Family):
    """Of a mean and a shape: the first output leads to the mean, the second is the log shape."""

    raws_per_target = 2

    @staticmethod
    def _shape(log_shape):
        return np.exp(np.clip(log_shape, *_LOG_SHAPES))


class GammaFamily(_ShapedFamily):
    """Gamma distributions: log mean and log shape are the outputs."""

    name = "gamma"
    loss = "gamma_shape"
    support = ("greater than 0", lambda y: y > 0)

    def from_raw(self, raw, n_targets):
        log_mean, log_shape = planar(raw, n_targets)
        shape = self._shape(log_shape)
        return Gamma(shape, np.exp(np.clip(log_mean, -MOST_LOG, MOST_LOG)) / shape)

    def start(self, y, sample_weight=None):
        mean = average(columns(y), sample_weight)
        gap = np.log(mean) - average(np.log(columns(y)), sample_weight)
        gap = np.maximum(gap, LEAST)
        # log a - digamma(a) = gap to 1.5 % (Minka 2002)
        shape = (3 - gap + np.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)
        return np.r_[np.log(mean), np.log(shape)]


class NegativeBinomialFamily(_ShapedFamily):
    """Counts of variance mean + mean^2 / n: log mean and log n are the outputs."""

    name = loss = "negative_binomial"
    support = ("whole numbers of at least 0", lambda y: (y >= 0) & (y == np.floor(y)))

    def from_raw(self, raw, n_targets):
        log_mean, log_n = planar(raw, n_targets)
        return NegativeBinomial(np.exp(np.clip(log_mean, -30, 30)), self._shape(log_n))

    def start(self, y, sample_weight=None):
        mean, variance = moments(y, sample_weight)
        mean = np.maximum(mean, LEAST)
        excess = np.maximum(variance - mean, 0.01 * mean**2)
        return np.r_[np.log(mean), np.log(mean**2 / excess)]


class BetaFamily(_ShapedFamily):
    """On (0, 1): the logit of the mean and the logarithm of the concentration a + b."""

    name = loss = "beta"
    output_activation = "logistic"
    support = ("greater than 0 and less than 1", lambda y: (y > 0) & (y < 1))

    def from_raw(self, raw, n_targets):
        logit, log_concentration = planar(raw, n_targets)
        logit, concentration = np.clip(logit, -30, 30), self._shape(log_concentration)
        return Beta(concentration * special.expit(logit), concentration * special.expit(-logit))

    def start(self, y, sample_weight=None):
        mean, variance = moments(y, sample_weight)
        variance = np.minimum(variance, 0.9 * mean * (1 - mean))
        return np.r_[special.logit(mean), np.log(mean * (1 - mean) / variance - 1)]
