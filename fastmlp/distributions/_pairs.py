"""Families of two raw outputs per target, with likelihoods of their own in the table of losses."""

from __future__ import annotations

import numpy as np

from fastmlp._weighted import average, quantile
from fastmlp.distributions._family import MOST_LOG, Family, columns, moments, planar, scale_of
from fastmlp.distributions._positive import LogNormal
from fastmlp.distributions._real import Laplace

# Deviations of log y: beyond it a quantile of y is 0 or infinite.
_MOST_LOG_SIGMA = 6.0


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
