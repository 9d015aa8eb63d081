"""A family of one's own, as docs/probabilities.md has it."""

import numpy as np

from fastmlp.distributions import Distribution

EULER = np.euler_gamma


class Gumbel(Distribution):
    """Largest values: floods, gusts."""

    _located = ("loc",)
    _scaled = ("scale",)

    def __init__(self, loc, scale):
        self._set(loc=np.asarray(loc), scale=np.asarray(scale))

    def _logpdf(self, y):
        z = (y - self.loc) / self.scale
        return -z - np.exp(-z) - np.log(self.scale)

    def _cdf(self, y):
        return np.exp(-np.exp(-(y - self.loc) / self.scale))

    def _ppf(self, q):
        return self.loc - self.scale * np.log(-np.log(q))

    def _mean(self):
        return self.loc + EULER * self.scale

    def _var(self):
        return np.pi**2 / 6 * self.scale**2


class GumbelFamily:
    """Location and log scale are the raw outputs."""

    name = "gumbel"
    raws_per_target = 2
    located = True

    def value_grad(self, raw, y):
        loc, log_scale = np.split(raw, 2, axis=1)
        z = (y.reshape(loc.shape) - loc) * np.exp(-log_scale)
        pull = 1 - np.exp(-z)  # d value / d z
        value = (z + np.exp(-z) + log_scale).sum(axis=1)
        return value, np.hstack([-pull * np.exp(-log_scale), 1 - pull * z])

    def curv(self, raw, y):
        """The Fisher information."""
        n, k = len(raw), raw.shape[1] // 2
        inverse = np.exp(-raw[:, k:])
        Q, j = np.zeros((n, 2 * k, 2 * k)), np.arange(k)
        Q[:, j, j] = inverse**2
        Q[:, j, k + j] = Q[:, k + j, j] = -(1 - EULER) * inverse
        Q[:, k + j, k + j] = np.pi**2 / 6 + (1 - EULER) ** 2
        return Q

    def from_raw(self, raw, n_targets):
        loc, scale = raw[:, :n_targets], np.exp(np.clip(raw[:, n_targets:], -14, 300))
        return Gumbel(loc, scale) if n_targets > 1 else Gumbel(loc[:, 0], scale[:, 0])

    def start(self, y, sample_weight):
        y = y.reshape(len(y), -1)
        mean = np.average(y, axis=0, weights=sample_weight)
        var = np.average((y - mean) ** 2, axis=0, weights=sample_weight)
        scale = np.sqrt(6 * var) / np.pi
        return np.r_[mean - EULER * scale, np.log(scale)]
