"""The evidence lower bound of a network with Normal weights, and its gradient."""

from __future__ import annotations

import numpy as np

from fastmlp import _custom
from fastmlp._core import noisy
from fastmlp._core.kernels import activation_values
from fastmlp._core.values import loss_of
from fastmlp._names import check_choice
from fastmlp.data import as_given
from fastmlp.posteriors._density import check_fixed_noise, check_proper
from fastmlp.segments import WEIGHTS, by_layer

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
        self._whole = None  # all rows as the first layer takes them, once they have been asked for
        self._layers = [_stacked(*layer.values()) for layer in by_layer(self.network.segments)]
        self._activations = [(g.name, _padded(g.values)) for g in self.network._hidden]
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

    def start(self, theta, noise=None):
        """q at trained parameters; ``noise`` where training has estimated it."""
        theta = np.asarray(theta, np.float64)
        term = self._objective.term
        q = np.zeros(2 * self._n + 1)
        q[: self._n] = theta
        if self._open:
            (loss,) = term.sums("value", theta)
            square = 2 * loss / self._n_data if noise is None else noise**2
            q[-1] = 0.5 * np.log(max(square, TINY))
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
            squares = self._by_group(self._relative * (mean**2 + _scales(rho)[1]))
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
        n, (mean, rho, log_noise) = self._n, self.parts(q)
        scale, var = _scales(rho)
        share, d_mean, d_var = self._expected_loss(mean, var, rows, rng)
        by_noise = np.exp(-2 * log_noise)
        precision = self._precision(q)
        n_held = np.count_nonzero(precision)
        grad = np.zeros(q.size)
        grad[:n], grad[n : 2 * n] = d_mean, d_var
        size, log_det, entropy = noisy.divergence(
            grad[:n], grad[n : 2 * n], mean, scale, precision, by_noise, self.weight
        )
        # Flat: the entropy alone, E ln q.
        kl = 0.5 * (size - n_held - log_det) - entropy - (0.5 + HALF_LOG_2PI) * (n - n_held)
        value = share * by_noise + kl / self.weight
        if self._objective.has_noise:
            value += self._n_data / self.weight * (log_noise + HALF_LOG_2PI)
        if self._open:
            grad[-1] = self._n_data / self.weight - 2 * share * by_noise
            if not self._learned:  # the prior's deviations are in units of the noise
                grad[-1] += (n_held - size) / self.weight
        return float(value), grad

    def _expected_loss(self, mean, var, rows, rng):
        """One draw of the mean loss of rows; its gradients in the means and the variances."""
        dtype = self._dtype
        mean, var = mean.astype(dtype, copy=False), var.astype(dtype, copy=False)
        a, y, w, weight = self._rows(rows)
        n = len(a)
        normals = rng.standard_normal(n * sum(shape[1] for _, shape in self._layers), dtype)
        tape, at, z, slope = [], 0, a, None
        for l, (part, shape) in enumerate(self._layers):
            if l:
                name, params = self._activations[l - 1]
                values, slope, _ = activation_values(name, params, z.ravel())
                a, slope = _with_ones(values.reshape(z.shape)), slope.reshape(z.shape)
            W, V = mean[part].reshape(shape), var[part].reshape(shape)
            normal = normals[at : at + n * shape[1]].reshape(n, -1)
            at += normal.size
            squares = a * a
            z, by_var = a @ W, squares @ V
            noisy.perturb(z, by_var, normal, TINY)
            tape.append((part, shape, W, V, a, squares, slope, by_var))
        value, delta = self._loss(z, y, w)
        delta /= dtype.type(weight)
        d_mean, d_var = np.empty(self._n, dtype), np.empty(self._n, dtype)
        for part, shape, W, V, a, squares, slope, by_var in reversed(tape):
            by_var *= delta
            np.matmul(a.T, delta, out=d_mean[part].reshape(shape))
            np.matmul(squares.T, by_var, out=d_var[part].reshape(shape))
            if slope is not None:
                delta = _outer(delta, W[:-1])
                noisy.through(delta, _outer(by_var, V[:-1]), a, slope)
        return value / weight, d_mean, d_var

    def _rows(self, rows):
        """X, dense, scaled and with ones, targets, weights or None, and the sum of these."""
        data = self._data
        if len(rows) == self._objective.n_samples:  # in whatever order
            if self._whole is None:
                self._whole = self._taken(slice(None) if data.index is None else data.index)
            return self._whole
        return self._taken(rows if data.index is None else data.index[rows])

    def _taken(self, at):
        data, X = self._data, self._X[at]
        X = X if isinstance(X, np.ndarray) else X.toarray()
        if data.scales is not None:
            X = (X - data.scales[0]) / data.scales[1]
        w = None if data.w is None else data.w[at]
        weight = float(len(X)) if w is None else max(float(w.sum()), TINY)
        y = np.ascontiguousarray(data.y[at])
        return _with_ones(X.astype(self._dtype, copy=False)), y, w, weight

    def _loss(self, raw, y, w):
        if not self.network._loss.is_custom:
            delta = np.empty_like(raw)
            return loss_of(self.network._layers, raw, y, w, delta), delta
        value, grad = _custom.value_grad(self.network._loss, raw, y)
        w = np.ones(len(raw)) if w is None else w
        return float(w @ value), (w[:, None] * grad).astype(self._dtype)


def check_strengths(objective, strengths: str, noise: float | None) -> None:
    """Raise ValueError for a name that is none, and for noise where there is none."""
    check_choice("strengths", strengths, STRENGTHS)
    check_fixed_noise(objective, noise)


def _stacked(W, b):
    """Where W~ lies in theta, and its shape: W with b below it, as activations end in a one."""
    if W.group != WEIGHTS or W.end != b.at:
        raise ValueError(f"{b.name} does not lie below {W.name}")
    return slice(W.at, b.end), (W.rows + b.rows, W.cols)


def _padded(values):
    """The two numbers that an activation is called with."""
    return np.append(np.array(values, np.float64), np.zeros(2))[:2]


def _with_ones(a):
    """With a last column of ones, which b is multiplied by."""
    out = np.ones((a.shape[0], a.shape[1] + 1), a.dtype)
    out[:, :-1] = a
    return out


def _outer(delta, W):
    """``delta W'``, of a single output without BLAS."""
    return delta * W.T if W.shape[1] == 1 else delta @ W.T


def _scales(rho):
    """Deviations, softplus(rho), and their squares."""
    scale, var = np.empty((2, rho.size))
    noisy.scales(scale, var, rho)
    return scale, var


def _inverse_softplus(x):
    return x + np.log(-np.expm1(-x))
