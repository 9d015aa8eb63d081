"""A Gauss-Newton matrix under a prior: its determinant, and how much data determine.

With G = J'J + M, M diagonal, parameter i is determined by the data to the share 1 - M_i (G^-1)_ii.
"""

from __future__ import annotations

import numpy as np

from fastmlp.solvers._cholesky import factor, inverse, inverse_diagonal, solve

EPS = np.finfo(np.float64).eps


class DenseLaplace:
    """By the matrix itself, which changes in place.

    Parameters
    ----------
    G : ndarray of shape (n_params, n_params)
        Of the data alone.
    """

    def __init__(self, G):
        self.G = G
        self.finite = bool(np.isfinite(G).all())
        self._diagonal = G.reshape(-1)[:: G.shape[0] + 1]
        self.diagonal = self._diagonal.copy()  # of the data alone
        self._held = np.zeros(G.shape[0])

    def hold(self, strengths):
        """M, in place of the last one."""
        self._diagonal += strengths - self._held
        self._held = strengths

    def factor(self):
        """L with L L' = G + M, lower, in Fortran's order; None: it is not positive definite."""
        return factor(self.G, self._held.size * EPS * self.diagonal.max())

    def weigh(self):
        """The shares, (n_params,), and log det G: NaN where it is not positive definite."""
        L = self.factor()
        if L is None:
            return np.ones(self._held.size), np.nan
        log_det = 2 * float(np.sum(np.log(np.diagonal(L))))
        return 1 - self._held * inverse_diagonal(L), log_det


class BlockLaplace:
    """By blocks on the diagonal of the matrix, which change in place; the rest counts as zero.

    Parameters
    ----------
    blocks : list of ndarray of shape (size, size)
        Of the data alone, for stretches of theta one after another.
    """

    def __init__(self, blocks):
        self.blocks = [DenseLaplace(block) for block in blocks]
        self.finite = all(block.finite for block in self.blocks)
        self.diagonal = np.concatenate([block.diagonal for block in self.blocks])
        ends = np.cumsum([block.diagonal.size for block in self.blocks]).tolist()
        self.parts = [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]

    def hold(self, strengths):
        """M, in place of the last one."""
        for part, block in zip(self.parts, self.blocks, strict=True):
            block.hold(strengths[part])

    def weigh(self):
        """As :meth:`DenseLaplace.weigh`."""
        shares, log_dets = zip(*(block.weigh() for block in self.blocks), strict=True)
        return np.concatenate(shares), sum(log_dets)


class DiagonalLaplace:
    """By its diagonal alone.

    Parameters
    ----------
    diagonal : ndarray of shape (n_params,)
        Of the data alone.
    """

    def __init__(self, diagonal):
        self.diagonal = diagonal
        self.finite = bool(np.isfinite(diagonal).all())
        self._held = np.zeros_like(diagonal)

    def hold(self, strengths):
        """M, in place of the last one."""
        self._held = strengths

    def total(self):
        """Of data and M, (n_params,), positive."""
        return self.diagonal + self._held + EPS * self.diagonal.max()

    def weigh(self):
        """As :meth:`DenseLaplace.weigh`."""
        total = self.total()
        return 1 - self._held / total, float(np.log(total).sum())


class DualLaplace:
    """By the products of the rows of J, of which there are fewer than parameters.

    With K = I + J_p M_p^-1 J_p', p the parameters that have a prior and f those that have none,
    S = J_f' K^-1 J_f and R = K^-1 - K^-1 J_f S^-1 J_f' K^-1,

        det G = det M_p det K det S,    1 - M_i (G^-1)_ii = (J_p' R J_p)_ii / M_i.

    Parameters
    ----------
    gram : fastmlp._gram.Gram
        Of the data alone.
    metric : ndarray of shape (n_params,)
        What the damping is in units of.
    """

    def __init__(self, gram, metric):
        self.gram, self._metric = gram, metric
        self.diagonal = gram.diagonal
        self.finite = bool(np.isfinite(self.diagonal).all())

    def hold(self, strengths):
        """M, in place of the last one."""
        self._held = strengths
        self.gram = self.gram.under(strengths, self._metric)

    def weigh(self):
        """The shares, spread evenly over rows of the weights, and log det G."""
        held = self._held
        flat = np.flatnonzero(held == 0)
        J_f = np.array([self.gram.mul(np.eye(1, held.size, i)[0]) for i in flat]).T
        kernel = self.gram.kernel(0.0)
        L = factor(kernel, 1 + kernel.shape[0] * EPS * kernel.diagonal().max())
        if L is None:
            return np.ones(held.size), np.nan
        log_det = float(np.sum(np.log(held[held > 0])))
        log_det += 2 * float(np.sum(np.log(np.diagonal(L))))
        R = inverse(L)
        if flat.size:
            solved = solve(L, J_f)
            S = J_f.T @ solved
            S.reshape(-1)[:: flat.size + 1] += held.size * EPS * self.diagonal.max()
            log_det += np.linalg.slogdet(S)[1]
            R -= solved @ np.linalg.solve(S, solved.T)
        return self.gram.determined(R), log_det
