"""The second-order half of a network's objective: Hessians, Gauss-Newton matrices, products."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import _custom
from fastmlp._arrays import as_given, check_rows_index, check_vector, take_rows
from fastmlp._assembly import CurvatureSweep
from fastmlp._core import curvature as _curvature
from fastmlp._linear import linear_theta

# Rows of the Jacobian cost n_raw n_params^2 each, sums by layer pairs about n_params^2 however
# many outputs there are, but with more done outside of BLAS: worth it from here on.
MOST_PANEL_COST = 3.0


class CurvedObjective:
    """What :class:`fastmlp.objective.NetworkObjective` knows of second derivatives."""

    @property
    def n_residuals(self) -> int:
        """Rows of the square root of the Gauss-Newton matrix: samples times raw outputs."""
        return self.n_samples * self._network.n_raw

    def count_residuals(self, theta: Any) -> int:
        """:attr:`n_residuals`, in the form in which solvers ask: theta does not matter here."""
        return self.n_residuals

    @property
    def l2(self) -> float:
        """Strength of the L2 term, ``l2/2 ||W||^2``."""
        return self._l2

    @property
    def weight_sum(self) -> float:
        """The sum of the weights of the samples."""
        return self._weight_sum

    @property
    def has_noise(self) -> bool:
        """Whether the loss is the likelihood of Gaussian noise of unknown size."""
        return self._network._loss.name == "squared_error"

    @property
    def decayed(self) -> np.ndarray:
        """Mask (n_params,) of the parameters that the L2 term holds for: weights, not biases."""
        return self.penalty.groups.index == 0

    @property
    def shrinking(self) -> np.ndarray:
        """Relative strengths (n_params,) of a prior around zero; 0: it does not suit.

        Zero for the biases of the outputs, which set the level of the targets. Behind a hidden
        layer an output's weights are in the units of its targets: theirs is 1 / variance of these,
        where the loss has noise.
        """
        strengths = np.ones(self.n_params)
        n_raw = self._network.n_raw
        at = self.n_params - n_raw
        strengths[at:] = 0.0
        layers = self._network.layers
        if self.has_noise and len(layers) > 2:
            y, w = self._selected()
            mean = np.average(y, axis=0, weights=w)
            variance = np.average(np.square(y - mean, dtype=np.float64), axis=0, weights=w)
            variance[variance <= np.finfo(np.float64).tiny] = 1.0
            strengths[at - layers[-2] * n_raw : at] = np.tile(1 / variance, layers[-2])
        return strengths

    def linear(self, theta: Any):
        """The same data as a linear function sees it, and that function as this network's theta.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            What units have that the linear function does not need.

        Returns
        -------
        objective : NetworkObjective
            Of a network without hidden layers.
        as_network : callable
            Its theta -> this network's.
        None
            In place of both, where the network is linear or has too few units to be so.
        """
        network = self._network
        if len(network.layers) == 2 or min(network.layers[1:-1]) < network.n_raw:
            return None
        line = network.without_hidden_layers()
        objective = type(self)(
            line,
            as_given(self._X),
            self._y,
            self._w,
            l2=self._l2,
            rows=self._index,
            scales=self._scales,
        )
        objective.n_threads, objective.most_threads = self.n_threads, self.most_threads

        def as_network(line_theta):
            (coef,), (intercept,) = line.unpack(line_theta)
            raw = objective._sweep.raw(line_theta, self.n_samples, network.n_raw, False)
            reach = float(np.abs(raw - intercept).max())
            return linear_theta(network, theta, coef, intercept, reach)

        return objective, as_network

    # -- matrices ------------------------------------------------------------------------------

    def hessian(self, theta: Any) -> np.ndarray:
        """The exact Hessian, (n_params, n_params) float64."""
        return self._matrix(theta, _curvature.HESS)

    def ggn(self, theta: Any) -> np.ndarray:
        """The generalised Gauss-Newton matrix, (n_params, n_params) float64.

        ``J' Q J``, Q positive semi-definite: of a custom loss's ``hess`` the part that curves
        upwards.
        """
        return self._matrix(theta, _curvature.GGN)

    def value_grad_ggn(self, theta: Any) -> tuple[float, np.ndarray, np.ndarray]:
        """The loss, its gradient and the Gauss-Newton matrix, all float64."""
        if self._network.n_raw < MOST_PANEL_COST:
            wide, sweep, second = self._curved(theta, _curvature.GGN)
            self._check_room()
            value, grad, G = self._penalised(wide, *sweep.panel_matrix(wide, second))
            return self._complete(theta, value), grad, G
        value, grad = self.value_grad(theta)
        return value, grad.astype(np.float64, copy=False), self.ggn(theta)

    def _complete(self, theta, value) -> float:
        """The value that came with a matrix; a custom loss is asked."""
        return self.value(theta) if self._network._loss.is_custom else value

    def _matrix(self, theta: Any, kind: int) -> np.ndarray:
        theta, sweep, second = self._curved(theta, kind)
        self._check_room()
        return self._penalised(theta, 0.0, np.zeros(self.n_params), sweep.matrix(theta, second))[2]

    def _check_room(self) -> None:
        try:
            np.empty((self.n_params, self.n_params))
        except (MemoryError, ValueError):  # the latter for what no address reaches
            raise MemoryError(
                f"A curvature matrix of {self.n_params} parameters takes "
                f"{self.n_params**2 * 8 / 2**30:.1f} GiB, more than there is; hess_mul and "
                "ggn_mul give products without it, 'newton-cg' and 'lbfgs' train without it."
            ) from None

    # -- products ------------------------------------------------------------------------------

    def hess_mul(self, theta: Any, v: Any) -> np.ndarray:
        """The Hessian times v, (n_params,) float64, without the matrix."""
        return self._product(theta, v, _curvature.HESS)

    def ggn_mul(self, theta: Any, v: Any) -> np.ndarray:
        """The Gauss-Newton matrix times v, (n_params,) float64, without the matrix."""
        return self._product(theta, v, _curvature.GGN)

    def _product(self, theta: Any, v: Any, kind: int) -> np.ndarray:
        theta, sweep, second = self._curved(theta, kind)
        v = check_vector(v, self.n_params, np.dtype(np.float64), "v")
        return self._penalised(v, 0.0, sweep.product(theta, v, second))[1]

    def bend(self, theta: Any, v: Any) -> np.ndarray:
        """``J' Q d2 raw / dv2``, (n_params,) float64: how the outputs bend along ``theta + t v``.

        The Gauss-Newton product of an acceleration a with ``G a = -bend`` cancels it to second
        order (Transtrum and Sethna 2012).
        """
        theta, sweep, second = self._curved(theta, _curvature.GGN)
        v = check_vector(v, self.n_params, np.dtype(np.float64), "v")
        return sweep.bend(theta, v, second) / self._weight_sum

    def ggn_diagonal(self, theta: Any) -> np.ndarray:
        """The diagonal of :meth:`ggn` without the matrix, (n_params,) float64.

        Exact up to 32 raw outputs; beyond, an unbiased estimate from a few backward sweeps with
        random signs, the same ones every time (Chapelle and Erhan 2011).
        """
        theta, sweep, second = self._curved(theta, _curvature.GGN)
        return sweep.diagonal(theta, second) / self._weight_sum + self.penalty.diagonal

    def value_grad_gram(self, theta: Any) -> tuple[float, np.ndarray, Gram]:
        """The loss, its gradient, and the Gauss-Newton matrix as a :class:`Gram`, without P x P."""
        wide, sweep, second = self._curved(theta, _curvature.GGN)
        value, grad, pairs = sweep.factors(wide, second)
        value, grad = self._penalised(wide, value, grad)
        return self._complete(theta, value), grad, Gram(pairs, self._weight_sum, self._l2)

    # -- parts of the data -----------------------------------------------------------------------

    def subset(self, positions: np.ndarray):
        """The same loss, L2 term included, on some of the rows.

        Parameters
        ----------
        positions : array-like of int
            From 0 to ``n_samples - 1``, at least one.

        Returns
        -------
        NetworkObjective

        Raises
        ------
        TypeError, ValueError
            The positions are no integers, out of range or none.
        """
        positions = check_rows_index(positions, self.n_samples, "positions")
        if positions is None:
            raise TypeError("positions must be an array of integers, got None.")
        rows = positions if self._index is None else self._index[positions]
        weights = None if self._w is None else self._w[rows]
        X = take_rows(self._X, rows)
        part = type(self)(
            self._network, X, self._y[rows], weights, l2=self._l2, scales=self._scales
        )
        part.n_threads, part.most_threads = self.n_threads, self.most_threads
        part._watches = self._watches_of_subsets
        return part

    def _curved(self, theta: Any, kind: int):
        """Theta and sweep in float64 and the loss's second derivative."""
        loss = self._network._loss
        if kind == _curvature.GGN and not loss.curved and not loss.is_custom:
            raise ValueError(
                f"loss {loss.name!r} has no curvature: its second derivative is zero wherever it "
                "exists, and so is the Gauss-Newton matrix. Use a first-order solver."
            )
        given = "curv" if kind == _curvature.GGN and loss.curv is not None else "hess"
        if loss.is_custom and getattr(loss, given) is None:
            also = "curv(raw, y) or " if kind == _curvature.GGN else ""
            raise ValueError(
                f"The loss has no method {also}hess(raw, y) -> (n, n_raw, n_raw), which this "
                "curvature needs; the solvers 'lbfgs' and 'gd' do without."
            )
        theta = self._check_theta(theta).astype(np.float64, copy=False)
        if self._curvature_sweep is None:
            self._curvature_sweep = CurvatureSweep(
                self._wide_sweep(), self.n_samples, self._allowed_threads, self._watches
            )
        if not loss.is_custom:
            return theta, self._curvature_sweep, _curvature.Second(kind)
        n_raw = self._network.n_raw
        raw = self._wide_sweep().raw(theta, self.n_samples, n_raw, False)
        y, w = self._selected()
        share = np.ones(self.n_samples) if w is None else w.astype(np.float64)
        delta = _custom.value_grad(loss, raw, y)[1].astype(np.float64)
        Q = share[:, None, None] * _custom.second(loss, given, raw, y)
        root = None
        if kind == _curvature.GGN:
            root = upward_root(Q)
            Q = np.einsum("ikj,ikl->ijl", root, root)
        second = _curvature.Second(
            kind, np.ascontiguousarray(share[:, None] * delta), np.ascontiguousarray(Q), root
        )
        return theta, self._curvature_sweep, second


def upward_root(Q: np.ndarray) -> np.ndarray:
    """In row k column k of R_i: R_i R_i' is Q_i without its negative eigenvalues.

    Parameters
    ----------
    Q : ndarray of shape (n, k, k)
        Symmetric.

    Returns
    -------
    ndarray of shape (n, k, k)
    """
    if Q.shape[1] == 1:
        return np.sqrt(np.maximum(Q, 0))
    if not np.isfinite(Q).all():
        return np.full_like(Q, np.nan)
    eigenvalues, basis = np.linalg.eigh(Q)
    root = basis * np.sqrt(np.maximum(eigenvalues, 0))[:, None, :]
    return np.ascontiguousarray(root.transpose(0, 2, 1))


class Gram:
    """A Gauss-Newton matrix G = J' J + l2 D by the rows of J, which are never formed.

    Row (i, k) of J holds for layer l the outer product of a~_(l-1) and delta_l, over the square
    root of the sum of weights; D is the identity on weights and zero on biases. Products of two
    rows need the products of their a and delta alone.

    Attributes
    ----------
    n_residuals : int
        Rows of J.
    """

    def __init__(self, pairs, weight_sum, l2):
        self._pairs = pairs
        self._l2 = l2
        self._scale = 1 / weight_sum
        self.n_residuals = pairs[0][1].shape[0]
        self._depth = self.n_residuals // pairs[0][0].shape[0]
        self._weights, self._biases = self._products()

    def _repeated(self, rows):
        """Something per sample as something per residual."""
        return rows if self._depth == 1 else np.repeat(rows, self._depth, axis=0)

    def _products(self):
        weights = np.zeros((self.n_residuals, self.n_residuals))
        biases = np.zeros_like(weights)
        for a, delta in self._pairs:
            by_delta = delta @ delta.T
            biases += by_delta
            by_a = a @ a.T
            if self._depth > 1:
                by_a = np.kron(by_a, np.ones((self._depth, self._depth)))
            by_delta *= by_a
            weights += by_delta
        weights *= self._scale
        biases *= self._scale
        return weights, biases

    @property
    def diagonal(self) -> np.ndarray:
        """Of G, (n_params,)."""
        parts = []
        for a, delta in self._pairs:
            squares = delta**2
            weights = self._scale * (self._repeated(a**2).T @ squares) + self._l2
            parts += [weights.ravel(), self._scale * squares.sum(axis=0)]
        return np.concatenate(parts)

    def kernel(self, damping: float) -> np.ndarray:
        """``J (l2 D + damping I)^-1 J'``, (n_residuals, n_residuals)."""
        return self._weights / (self._l2 + damping) + self._biases / damping

    def divide(self, v: np.ndarray, damping: float) -> np.ndarray:
        """``(l2 D + damping I)^-1 v``, (n_params,)."""
        out, at = np.empty_like(v), 0
        for a, delta in self._pairs:
            bias = at + a.shape[1] * delta.shape[1]
            end = bias + delta.shape[1]
            out[at:bias] = v[at:bias] / (self._l2 + damping)
            out[bias:end] = v[bias:end] / damping
            at = end
        return out

    def mul(self, v: np.ndarray) -> np.ndarray:
        """``J v``, (n_residuals,)."""
        out, at = np.zeros(self.n_residuals), 0
        for a, delta in self._pairs:
            fan_in, fan_out = a.shape[1], delta.shape[1]
            bias = at + fan_in * fan_out
            rz = a @ v[at:bias].reshape(fan_in, fan_out) + v[bias : bias + fan_out]
            out += np.einsum("ij,ij->i", self._repeated(rz), delta)
            at = bias + fan_out
        return np.sqrt(self._scale) * out

    def transpose_mul(self, u: np.ndarray) -> np.ndarray:
        """``J' u``, (n_params,)."""
        parts = []
        for a, delta in self._pairs:
            weighted = u[:, None] * delta
            if self._depth > 1:
                weights = self._repeated(a).T @ weighted
            else:
                weights = a.T @ weighted
            parts += [weights.ravel(), weighted.sum(axis=0)]
        return np.sqrt(self._scale) * np.concatenate(parts)
