"""The evidence lower bound of a network with Normal weights, and its gradient."""

from __future__ import annotations

import numpy as np
from scipy import special

from fastmlp import _custom
from fastmlp._core.kernels import activation_values
from fastmlp._core.values import loss_of
from fastmlp._names import unknown
from fastmlp.data import as_given
from fastmlp.posteriors._density import check_fixed_noise, check_proper

STRENGTHS = ("fixed", "single", "layer", "ard")
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)
# Deviations of parameters of a loss without curvature, at the start.
FIRST_SCALE = 0.05
TINY = 1e-30


class Bound:
    """Minus the lower bound over the sum of weights W, at q = (means, rho, ln noise).

    ``E[S] / (W noise^2) + N / W ln noise + KL / W``: S the sum of the losses, N the data in its
    units, deviations softplus(rho). Strengths that are not fixed are those of the largest bound
    given q, each as if one more parameter had the typical precision (1 where there is none).

    Parameters
    ----------
    objective : NetworkObjective
    noise : float or None
        None: the last entry of q counts.
    strengths : str
        "fixed", or how they are grouped.

    Attributes
    ----------
    weight : float
        W.
    strengths : ndarray of shape (n_groups,)
        Of the groups.
    """

    def __init__(self, objective, noise: float | None, strengths: str):
        self.network, self._data = objective.network, objective.term.data
        self._objective = objective
        self._dtype = objective.dtype
        self._n = objective.n_params
        self.weight = float(objective.weight_sum)
        self._n_data = self.weight * objective.n_residuals / objective.n_samples
        self._noise = noise
        self._open = objective.has_noise and noise is None
        self._X = as_given(self._data.X)
        self._learned = strengths != "fixed"
        if self._learned:
            prior = objective.prior(strengths)
            self._index, self._relative = prior.penalty.groups.index, prior.penalty.diagonal
            self._n_groups = len(prior.penalty.groups.names)
            self._sizes = self._by_group(np.ones(self._n))
            self._typical = np.where(prior.typical > 0, prior.typical, 1.0)
            self.strengths = self._typical.copy()
        else:
            self.strengths = np.empty(0)
            self._ridge = self.weight * objective.penalty.diagonal
            check_proper(objective, self._ridge)

    def parts(self, q):
        """Means, rho, ln noise."""
        n = self._n
        log_noise = q[-1] if self._open else np.log(self._noise or 1.0)
        return q[:n], q[n : 2 * n], log_noise

    def start(self, theta):
        """q at trained parameters."""
        theta = np.asarray(theta, np.float64)
        term = self._objective.term
        q = np.zeros(2 * self._n + 1)
        q[: self._n] = theta
        if self._open:
            (loss,) = term.sums("value", theta)
            q[-1] = 0.5 * np.log(max(2 * loss / self._n_data, TINY))
        q[self._n : 2 * self._n] = -np.inf  # no deviation yet
        self.renew(q)
        precision = self._precision(q)
        scale = FIRST_SCALE
        if self.network._loss.curved:
            data = term.sums("ggn_diagonal", theta)[0] * np.exp(-2 * self.parts(q)[2])
            scale = np.maximum(data + precision, TINY) ** -0.5
        elif precision.any():
            scale = np.minimum(scale, np.where(precision > 0, precision, 1.0) ** -0.5)
        q[self._n : 2 * self._n] = _inverse_softplus(np.full(self._n, scale))
        self.renew(q)
        return q

    def renew(self, q):
        """The strengths of the largest bound, given q."""
        if self._learned:
            mean, rho, _ = self.parts(q)
            squares = self._by_group(self._relative * (mean**2 + special.softplus(rho) ** 2))
            self.strengths = (self._sizes + 1) / (squares + 1 / self._typical)

    def _by_group(self, v):
        return np.bincount(self._index + 1, v, self._n_groups + 1)[1:]

    def _precision(self, q):
        """Of the prior of each parameter; 0 where it is flat."""
        if self._learned:
            return np.append(self.strengths, 0.0)[self._index] * self._relative
        return self._ridge * np.exp(-2 * self.parts(q)[2])

    def value_grad(self, q, rows, rng):
        """The value by some of the rows, and its gradient at fixed draws, strengths held.

        Parameters
        ----------
        q : ndarray of shape (2 n_params + 1,)
        rows : ndarray of int
            Positions among the rows that count.
        rng : numpy.random.Generator
        """
        mean, rho, log_noise = self.parts(q)
        scale = special.softplus(rho)
        share, d_mean, d_var = self._expected_loss(mean, scale**2, rows, rng)
        by_noise = np.exp(-2 * log_noise)
        precision = self._precision(q)
        held = precision > 0
        size = precision * (mean**2 + scale**2)
        # Flat: the entropy alone, E ln q.
        divergence = 0.5 * (size - np.log(np.where(held, precision, 1.0))).sum()
        divergence -= np.log(scale).sum() + 0.5 * held.sum()
        divergence -= (0.5 + HALF_LOG_2PI) * (~held).sum()
        value = share * by_noise + divergence / self.weight
        grad = np.zeros_like(q)
        grad[: self._n] = by_noise * d_mean + precision * mean / self.weight
        d_scale = 2 * by_noise * scale * d_var + (precision * scale - 1 / scale) / self.weight
        grad[self._n : 2 * self._n] = d_scale * special.expit(rho)
        if self._objective.has_noise:
            value += self._n_data / self.weight * (log_noise + HALF_LOG_2PI)
        if self._open:
            grad[-1] = self._n_data / self.weight - 2 * share * by_noise
            if not self._learned:  # the prior's deviations are in units of the noise
                grad[-1] += (held.sum() - size.sum()) / self.weight
        return float(value), grad

    def _expected_loss(self, mean, var, rows, rng):
        """One draw of the mean loss of rows; its gradients in the means and the variances."""
        dtype = self._dtype
        mean, var = mean.astype(dtype, copy=False), var.astype(dtype, copy=False)
        segments = self.network.segments
        a, y, w, weight = self._rows(rows)
        tape = []
        z = a
        for l, (W, b) in enumerate(zip(segments[::2], segments[1::2], strict=True)):
            slope = None
            if l:
                g = self.network._hidden[l - 1]
                param = np.zeros(2)
                param[: len(g.values)] = g.values
                a, slope, _ = (
                    x.reshape(z.shape) for x in activation_values(g.name, param, z.ravel())
                )
            squares = a * a
            spread = np.sqrt(squares @ W.of(var) + b.of(var) + dtype.type(TINY))
            normal = rng.standard_normal(spread.shape, dtype)
            z = a @ W.of(mean) + b.of(mean) + spread * normal
            tape.append((W, b, a, squares, slope, normal / (2 * spread)))
        value, delta = self._loss(np.ascontiguousarray(z), y, w)
        d_mean, d_var = np.empty(self._n), np.empty(self._n)
        delta = delta / dtype.type(weight)
        for W, b, a, squares, slope, half in reversed(tape):
            spread_delta = delta * half
            W.of(d_mean)[...], b.of(d_mean)[...] = a.T @ delta, delta.sum(0)
            W.of(d_var)[...], b.of(d_var)[...] = squares.T @ spread_delta, spread_delta.sum(0)
            if slope is not None:
                below = delta @ W.of(mean).T + 2 * a * (spread_delta @ W.of(var).T)
                delta = below * slope
        return value / weight, d_mean, d_var

    def _rows(self, rows):
        """X, dense and scaled, targets, weights or None, and the sum of these."""
        data = self._data
        at = rows if data.index is None else data.index[rows]
        X = self._X[at]
        X = X if isinstance(X, np.ndarray) else X.toarray()
        if data.scales is not None:
            X = ((X - data.scales[0]) / data.scales[1]).astype(self._dtype)
        w = None if data.w is None else data.w[at]
        weight = float(len(rows)) if w is None else max(float(w.sum()), TINY)
        return np.ascontiguousarray(X), data.y[at], w, weight

    def _loss(self, raw, y, w):
        if not self.network._loss.is_custom:
            delta = np.empty_like(raw)
            return loss_of(self.network._layers, raw, np.ascontiguousarray(y), w, delta), delta
        value, grad = _custom.value_grad(self.network._loss, raw, y)
        w = np.ones(len(raw)) if w is None else w
        return float(w @ value), (w[:, None] * grad).astype(self._dtype)


def check_strengths(objective, strengths: str, noise: float | None) -> None:
    """Raise ValueError for a name that is none, and for noise where there is none."""
    if strengths not in STRENGTHS:
        raise ValueError(unknown("strengths", strengths, STRENGTHS))
    check_fixed_noise(objective, noise)


def _inverse_softplus(x):
    return x + np.log(-np.expm1(-x))
