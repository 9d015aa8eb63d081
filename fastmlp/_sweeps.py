"""A network's layers bound to data: every sweep over the rows, by as many threads as it is worth.

All results are sums over the rows that count: no weight divides them, no penalty is added. Small
matrices are summed by threads of our own, each over its share of the rows, with BLAS held to one
thread; a large one would cost each thread a copy, and BLAS divides its products well enough.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

from fastmlp._core import gauss_newton as _gauss_newton
from fastmlp._core import hessian as _hessian
from fastmlp._core import minibatch as _minibatch
from fastmlp._core import tape as _tape
from fastmlp._core import values as _values
from fastmlp._core.curvature import HESS
from fastmlp._core.network import Source
from fastmlp._core.tangents import sweep_along
from fastmlp._memory import empty_on_a_line
from fastmlp.plan import Plan, better_sparse, can_stay_sparse, pair_rows, residual_rows
from fastmlp.threads import FLOP_PER_PARAM, Threads, in_threads

# Beyond this many parameters a copy of the matrix per thread is too much.
MOST_PARAMS_PER_COPY = 3000
# The diagonal is exact up to so many raw outputs, each of which costs a backward sweep; of more it
# is estimated by so many sweeps.
MOST_EXACT = 32
DRAWS = 4
# Stored numbers that are divided by their scales at once.
BLOCK = 1 << 16
# Residuals whose rows of J~ are summed at once: four strips of them (gram_body.h) fit the
# first-level cache, and their ends do not fall on the same of its lines, as those of 128 would.
RESIDUALS = 120


class Sweep:
    """Layers bound to data, with the tapes of one element type that serve them.

    Parameters
    ----------
    layers : Layers
        The network's shape.
    dtype : numpy.dtype
        Of theta and the tapes. For float64 the data may be float32: rows are converted tile by
        tile, of a sparse X the stored numbers at once.
    X : ndarray or parts of a CSR matrix
        As ``check_rows`` returns it.
    y, w : ndarray or None
        Targets (n_samples, n_targets) and weights (n_samples,).
    index : ndarray of intp or None
        The rows that count.
    scales : tuple (mean, scale) or None
        As ``check_scales`` returns it: the network sees (X - mean) / scale.
    plan : Plan
        What it leaves open is decided by the sizes.
    threads : Threads
        How many may be used.
    """

    def __init__(
        self,
        layers,
        dtype,
        X,
        y=None,
        w=None,
        index=None,
        scales=None,
        plan=None,
        threads=None,
    ):
        self.layers = layers
        self._can_stay_sparse, self._sparse = can_stay_sparse(X, scales), better_sparse(X, scales)
        self._given = plan or Plan()
        named = self._given.products or ()
        if scales is not None and (self._sparse or (self._can_stay_sparse and "csr" in named)):
            data, indices, *rest = X
            X, scales = (divided(data, scales[1], indices), indices, *rest), None
        if isinstance(X, tuple):
            X = X[0].astype(dtype, copy=False), *X[1:]
        self._X, self._index = X, index
        self.source = Source(X, y, w, scales, index)
        self.n = self.source.n_samples
        self._widths = layers.widths
        self._itemsize = dtype.itemsize
        # the native sweeps of this type, looked up once
        tape = _tape.TAPES[self._itemsize]
        self._hold, self._collect = _tape.hold[tape], _tape.collect[tape]
        self._value_grad, self._raw = _values.value_grad[tape], _values.raw[tape]
        self.epoch = _minibatch.epoch[tape]
        self._plans: dict[str, Plan] = {}
        self._threads = threads or Threads()
        self._kept: dict[tuple, list] = {}

    def plan(self, work: str) -> Plan:
        """How this kind of work is done."""
        if work not in self._plans:
            plan = self._given.for_work(self._widths, self._itemsize, work, self._sparse)
            if plan.products[0] == "csr" and not self._can_stay_sparse:
                raise ValueError("Product 'csr' is for sparse rows that are not centred.")
            self._plans[work] = plan
        return self._plans[work]

    # -- values and gradients ------------------------------------------------------------------

    def raw(self, theta, apply_output):
        """Outputs (n, n_raw) before, or (n, n_targets) after the output activation."""
        cols = self.layers.n_targets if apply_output else self.layers.n_raw
        out = np.empty((self.n, cols), theta.dtype)
        tapes, parts = self._crew(self.plan("rows"), 1)
        self._hold(tapes[0], theta, False)
        self._each(lambda k: self._raw(tapes[k], out, *parts[k], apply_output), parts, "raw")
        return out

    def value_grad(self, theta, grad, worth=1, deltas=None):
        """The sum of the losses, its gradient into grad unless that is None.

        Parameters
        ----------
        worth : int
            How many threads the work is worth.
        deltas : ndarray of shape (n, n_raw), optional
            d loss / d raw of a loss that is not the network's; the sum is 0 then.
        """
        tapes, parts = self._crew(self.plan("rows"), worth)
        values = [0.0] * len(parts)
        backward = grad is not None
        self._hold(tapes[0], theta, backward)

        def work(k):
            rows = None if deltas is None else deltas[slice(*parts[k])]
            values[k] = self._value_grad(tapes[k], *parts[k], backward, rows)

        self._each(work, parts, "value_grad" if backward else "value")
        if backward:
            self._collect(tapes[0], tapes[1:], grad)
        return sum(values)

    def lone_tape(self):
        """What one thread sweeps all rows with."""
        return self._crew(self.plan("rows"), 1)[0][0]

    def batch_tapes(self, batch_size: int, n_threads: int):
        """What an epoch needs: a tape per share of a batch."""
        plan = self.plan("batch")
        count = min(plan.threads or n_threads, batch_size)
        return self._tapes(plan, min(batch_size, plan.tile), count)

    # -- products with matrices, in float64 ----------------------------------------------------

    def along(self, theta, v, second, bends=False) -> np.ndarray:
        """The matrix of ``second`` times v, (n_params,); bends: ``J' Q d2 raw / dv2`` instead."""
        plan = self.plan("curvature")
        worth = self._worth(FLOP_PER_PARAM * self.layers.n_params)
        tapes, parts = self._crew(plan, worth, blas_alone=False)
        first = self._tapes(plan, tapes[0].rows, len(parts), "first")
        other = self._tapes(plan, tapes[0].rows, len(parts), "second") if bends else None
        self._hold(tapes[0], theta, True)
        self._hold(first[0], v, True)

        def work(k):
            sweep_along(tapes[k], first[k], other[k] if bends else None, *parts[k], second)

        self._each(work, parts, "bend" if bends else "product", blas=plan.calls_blas)
        return self._collected(tapes)

    def diagonal(self, theta, second, seed=0) -> np.ndarray:
        """The diagonal of J~' J~.

        Exact up to MOST_EXACT raw outputs. Beyond, an unbiased estimate: the mean over DRAWS draws
        of random signs from ``seed``, the same at every theta. Its relative standard deviation is
        about (2 / (n DRAWS))^(1/2).
        """
        exact = self.layers.n_raw <= MOST_EXACT
        (residuals,) = self._residuals(self._residual_tile(), 1, None if exact else seed)
        self._hold(residuals.tape, theta, True)
        _gauss_newton.diagonal(residuals, second)
        return self._collected([residuals.tape])

    # -- matrices, in float64 ------------------------------------------------------------------

    def pair_matrix(self, theta, second) -> np.ndarray:
        """The exact Hessian or the Gauss-Newton matrix, by layer pairs."""
        plan, layers = self.plan("jacobian"), self.layers
        rows = min(plan.tile, pair_rows(self._widths))
        small = layers.n_params <= MOST_PARAMS_PER_COPY
        worth = self._worth(2.0 * layers.n_params**2) if small else 1
        tapes, parts = self._crew(plan, worth, rows, blas_alone=False)
        exact = second.kind == HESS
        blocks = [_hessian.Blocks(tape, exact) for tape in tapes]
        self._hold(tapes[0], theta, True)
        self._each(
            lambda k: _hessian.accumulate(blocks[k], theta, *parts[k], second),
            parts,
            "matrix",
            blas=True,
        )
        H = np.empty((layers.n_params, layers.n_params))
        _hessian.collect(blocks, layers, H, exact)
        return H

    def row_matrix(self, theta, second):
        """Sum of losses, gradient and Gauss-Newton matrix from rows of J~."""
        n_params, side = self.layers.n_params, _gauss_newton.padded(self.layers.n_params)
        n_threads = self._count(
            self.plan("jacobian"), self._worth(2.0 * self.layers.n_raw * n_params**2)
        )
        together = n_threads > 1 and n_params > MOST_PARAMS_PER_COPY
        rows = min(self.n, self.plan("jacobian").tile, max(1, RESIDUALS // self.layers.n_raw))
        copies = 1 if together else n_threads
        matrices = self._keep(("gram",), copies, lambda _: empty_on_a_line(side * side, float))
        matrices = [matrix.reshape(side, side) for matrix in matrices]
        for matrix in matrices:
            matrix[...] = 0
        size = rows * self.layers.n_raw * side
        strips = self._keep(("strips", rows), copies, lambda _: empty_on_a_line(size, float))
        residuals = self._residuals(
            -(-rows // n_threads) if together else rows, n_threads, work="jacobian"
        )
        self._hold(residuals[0].tape, theta, True)
        for one in residuals:
            _gauss_newton.start_gradient(one)
        build = self._build_together if together else self._build_apart
        value = build(matrices, strips, residuals, rows, second)
        G = np.empty((n_params, n_params))
        _gauss_newton.collect(G, matrices)
        return value, self._collected([one.tape for one in residuals]), G

    def _build_apart(self, matrices, strips, residuals, rows, second):
        """Each thread sums a matrix of its own over its share of the rows."""
        parts = cut(0, self.n, len(residuals))
        values = [0.0] * len(parts)

        def work(k):
            values[k] = _gauss_newton.jacobian_rows(
                strips[k], residuals[k], *parts[k], 0, 0, second, matrices[k]
            )

        self._each(work, parts, "gram")
        return sum(values)

    def _build_together(self, matrices, strips, residuals, rows, second):
        """All threads on one tile of rows: first on its Jacobian, then on parts of one matrix."""
        (matrix,), (strip,) = matrices, strips
        n_threads = len(residuals)
        total = 0.0
        for first in range(0, self.n, rows):
            n = min(rows, self.n - first)
            parts = cut(first, first + n, n_threads)
            values = [0.0] * n_threads

            def fill(k, first=first, n=n, parts=parts, values=values):
                values[k] = _gauss_newton.jacobian_rows(
                    strip, residuals[k], *parts[k], first, n, second
                )

            def add(k, n=n):
                _gauss_newton.add_gram(matrix, strip, residuals[0], n, k, n_threads)

            self._each(fill, parts, "fill")
            total += sum(values)
            self._each(add, parts, "add")
        return total

    def factors(self, theta, second):
        """Sum of losses, its gradient, and per layer (a, delta); the first a may be sparse."""
        n, n_raw, widths = self.n, self.layers.n_raw, self._widths
        sparse = self.plan("curvature").products[0] == "csr"
        if sparse:
            widths = [0, *widths[1:]]
        a = np.empty(n * sum(widths[:-1]))
        deltas = np.empty(n * n_raw * sum(widths[1:]))
        (residuals,) = self._residuals(self._residual_tile(), 1)
        self._hold(residuals.tape, theta, True)
        value = _gauss_newton.factors(a, deltas, residuals, second)
        pairs, at_a, at_delta = [], 0, 0
        for fan_in, fan_out in zip(widths[:-1], widths[1:], strict=True):
            end_a, end_delta = at_a + n * fan_in, at_delta + n * n_raw * fan_out
            pairs.append(
                (a[at_a:end_a].reshape(n, fan_in), deltas[at_delta:end_delta].reshape(-1, fan_out))
            )
            at_a, at_delta = end_a, end_delta
        if sparse:
            data, indices, indptr, shape = self._X
            X = csr_array((data, indices, indptr), shape=shape)
            pairs[0] = X if self._index is None else X[self._index], pairs[0][1]
        return value, self._collected([residuals.tape]), pairs

    def jacobian(self, theta, of_inputs):
        """d raw / d theta, (n, n_raw, n_params), or d raw / d x, (n, n_raw, n_features)."""
        layers = self.layers
        work = "curvature" if of_inputs else "jacobian"
        (residuals,) = self._residuals(self._residual_tile(), 1, work=work)
        self._hold(residuals.tape, theta, True)
        out = np.empty((self.n, layers.n_raw, layers.n_features if of_inputs else layers.n_params))
        if of_inputs:
            _gauss_newton.input_jacobian(residuals, out, theta)
        else:
            _gauss_newton.jacobian(residuals, out)
        return out

    # -- threads and what they work with ---------------------------------------------------------

    def _worth(self, flops_per_row: float) -> int:
        """How many threads a sweep for curvature is worth."""
        return self._threads.wanted("curvature", self.n * flops_per_row)

    def _count(self, plan, worth) -> int:
        return min(plan.threads or worth, self.n)

    def _crew(self, plan, worth, rows=None, blas_alone=True):
        """Tapes and ranges of rows, one for each thread.

        blas_alone: where a layer is multiplied by BLAS, its threads do as well as ours.
        """
        count = self._count(plan, 1 if blas_alone and plan.calls_blas else worth)
        return self._tapes(plan, min(self.n, rows or plan.tile), count), cut(0, self.n, count)

    def _each(self, work, parts, name, blas=True):
        """work(k) for each part, one of which has all threads of BLAS to itself."""
        in_threads(work, len(parts), calls_blas=blas, watch=self._threads.watches[name])

    def _collected(self, tapes) -> np.ndarray:
        out = np.empty(self.layers.n_params)
        self._collect(tapes[0], tapes[1:], out)
        return out

    def _tapes(self, plan, rows, count, of="values"):
        """At least so many tapes, all but the first with its parameters; of tangents, too."""
        source = self.source if of == "values" else None

        def make(kept):
            tape, leader = _tape.TAPES[self._itemsize], kept[0] if kept else None
            return tape(self.layers, source, plan.codes, rows, leader, source is None)

        return self._keep((of, plan.products, rows), count, make)

    def _residual_tile(self) -> int:
        depth = min(self.layers.n_raw, MOST_EXACT)
        return min(self.n, self.plan("curvature").tile, residual_rows(self._widths, depth))

    def _residuals(self, rows, count, seed=None, work="curvature"):
        """Residuals in so many tiles; with a seed, DRAWS random combinations of each row's."""
        plan, layers = self.plan(work), self.layers
        signs = None
        if seed is not None:
            shape = (rows, DRAWS, layers.n_raw)
            bits = np.random.RandomState(seed).randint(2, size=shape, dtype=bool)
            signs = np.where(bits, 1.0, -1.0)
        tapes = self._tapes(plan, rows, count)
        return self._keep(
            ("residuals", plan.products, rows, seed),
            count,
            lambda kept: _gauss_newton.Residuals(tapes[len(kept)], signs),
        )

    def _keep(self, key, count: int, make: Callable):
        """So many objects made by ``make(those there are)``, kept for the next call."""
        kept = self._kept.setdefault(key, [])
        while len(kept) < count:
            kept.append(make(kept))
        return kept[:count]


def cut(begin: int, end: int, count: int) -> list[tuple[int, int]]:
    """Contiguous ranges of nearly the same length."""
    cuts = [begin + (end - begin) * k // count for k in range(count + 1)]
    return list(zip(cuts[:-1], cuts[1:], strict=True))


def divided(data: np.ndarray, scale: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """data / scale[indices] in float64, rounded to the type of data; with little room beside."""
    out = np.empty_like(data)
    for at in range(0, data.size, BLOCK):
        some = slice(at, at + BLOCK)
        np.divide(data[some], scale[indices[some]], out=out[some], casting="same_kind")
    return out
