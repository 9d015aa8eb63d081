"""Curvature matrices of a network's loss, built by as many threads as the work is worth.

Small matrices are summed by threads of our own, each over its share of the rows, with BLAS held to
one thread; a large one would cost each thread a copy, and BLAS divides its products well enough.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastmlp._arrays import empty_on_a_line, fits_panels
from fastmlp._core import curvature as _curvature
from fastmlp._core import gauss_newton as _gauss_newton
from fastmlp._core import matrix as _matrix
from fastmlp._core import tangents as _tangents
from fastmlp._core.network import Tape
from fastmlp._threads import in_threads

# A thread of our own has to have this many multiplications to be worth its start.
WORK_PER_THREAD = 2e7
# Beyond this many parameters a copy of the matrix per thread is too much.
MOST_PARAMS_PER_COPY = 3000
# What a sweep along a direction does per row and parameter, in the same unit: small products and
# activations are dearer than large products.
WORK_PER_PARAM = 60.0
# Rows of a tile where only vectors are summed.
VECTOR_ROWS = 256
# The diagonal is exact up to so many raw outputs, each of which costs a backward sweep; of more it
# is estimated by so many sweeps.
MOST_EXACT = 32
DRAWS = 4
# Residuals whose rows of J~ are summed at once: four strips of them (gram_body.h) fit the
# first-level cache, and their ends do not fall on the same of its lines, as those of 128 would.
RESIDUALS = 120


class CurvatureSweep:
    """Layers bound to float64 data, with what one assembly after another can reuse.

    Parameters
    ----------
    sweep : Sweep
        Layers and float64 data.
    n : int
        How many rows count.
    allowed_threads : callable
        ``allowed_threads()`` is how many threads may be used, asked where several are worth it.
    watches : mapping
        A Watch for each kind of work, by name.
    """

    def __init__(self, sweep, n, allowed_threads, watches):
        self._sweep = sweep
        self._layers = sweep.layers
        self._source = sweep.source
        self._index, self._gathers = sweep.tape_and_index()[1], sweep.gathers
        self._n = n
        self._allowed_threads = allowed_threads
        self._watches = watches
        self._order: np.ndarray | None = None
        self._kept: dict[tuple, list] = {}

    def product(self, theta, v, second) -> np.ndarray:
        """The exact Hessian or the Gauss-Newton matrix times v."""
        if second.curvature == _curvature.GGN and fits_panels(tuple(self._layers.widths), 8):
            return self._along(_tangents.ggn_mul, theta, v, second)
        layers = self._layers
        rows = min(self._n, VECTOR_ROWS)
        parts = self._ranges(WORK_PER_PARAM * layers.n_params)
        tapes = self._tapes(len(parts), rows)
        sums = np.zeros((len(parts), layers.n_params))

        def work(k):
            _curvature.product(
                sums[k], layers, self._source, tapes[k], theta, v, self._index, *parts[k], second
            )

        in_threads(work, len(parts), calls_blas=True, watch=self._watches["product"])
        return sums.sum(axis=0)

    def matrix(self, theta, second) -> np.ndarray:
        """The exact Hessian or the Gauss-Newton matrix, by layer pairs."""
        layers = self._layers
        exact = second.curvature == _curvature.HESS
        rows = min(self._n, _matrix.tile_rows(layers))
        parts = self._ranges(float(layers.n_params) ** 2, copies=True)
        blocks = [_matrix.Blocks(layers, rows, exact) for _ in parts]
        tapes = self._tapes(len(parts), rows)

        def work(k):
            begin, end = parts[k]
            _matrix.accumulate(
                blocks[k], layers, self._source, tapes[k], theta, self._index, begin, end, second
            )

        in_threads(work, len(parts), calls_blas=True, watch=self._watches["matrix"])
        H = np.empty((layers.n_params, layers.n_params))
        _matrix.collect(blocks, layers, H, exact)
        return H

    def panel_matrix(self, theta, second):
        """Sum of losses, gradient and Gauss-Newton matrix from rows of J~."""
        layers = self._layers
        n_params, side = layers.n_params, _gauss_newton.padded(layers.n_params)
        n_threads = self._n_threads(float(layers.n_raw) * n_params**2)
        together = n_threads > 1 and n_params > MOST_PARAMS_PER_COPY
        rows = min(self._n, max(1, RESIDUALS // layers.n_raw))
        matrices = self._keep(
            ("gram",), 1 if together else n_threads, lambda: empty_on_a_line(side * side, float)
        )
        matrices = [matrix.reshape(side, side) for matrix in matrices]
        for matrix in matrices:
            matrix[...] = 0
        strips = self._keep(
            ("strips", rows),
            1 if together else n_threads,
            lambda: empty_on_a_line(rows * layers.n_raw * side, float),
        )
        grads = np.zeros((n_threads, n_params))
        build = self._build_together if together else self._build_apart
        values = build(matrices, strips, grads, rows, theta, second)
        G = np.empty((n_params, n_params))
        _gauss_newton.collect(G, matrices)
        return sum(values), grads.sum(axis=0), G

    def _build_apart(self, matrices, strips, grads, rows, theta, second):
        """Each thread sums a matrix of its own over its share of the rows."""
        parts = cut(0, self._n, len(grads))
        workspace = self._workspace(rows, len(parts))
        values = [0.0] * len(parts)

        def work(k):
            values[k] = _gauss_newton.accumulate(
                matrices[k],
                strips[k],
                grads[k],
                self._layers,
                self._source,
                workspace[k],
                theta,
                self._every,
                *parts[k],
                second,
            )

        in_threads(work, len(parts), watch=self._watches["gram"])
        return values

    def _build_together(self, matrices, strips, grads, rows, theta, second):
        """All threads on one tile of rows: first on its Jacobian, then on parts of one matrix."""
        n_threads = len(grads)
        workspace = self._workspace(-(-rows // n_threads), n_threads)
        values = []
        for first in range(0, self._n, rows):
            end = min(first + rows, self._n)
            parts = cut(first, end, n_threads)
            tile = [0.0] * n_threads

            def fill(k, first=first, end=end, parts=parts, tile=tile):
                tile[k] = _gauss_newton.jacobian_rows(
                    strips[0],
                    grads[k],
                    self._layers,
                    self._source,
                    workspace[k],
                    theta,
                    self._every,
                    *parts[k],
                    first,
                    end - first,
                    second,
                )

            def add(k, first=first, end=end):
                _gauss_newton.add_gram(
                    matrices[0], strips[0], self._layers, end - first, k, n_threads
                )

            in_threads(fill, n_threads, watch=self._watches["fill"])
            values += tile
            in_threads(add, n_threads, watch=self._watches["add"])
        return values

    def bend(self, theta, v, second) -> np.ndarray:
        """``J' Q d2 raw / dv2``, (n_params,)."""
        return self._along(_tangents.bend, theta, v, second)

    def _along(self, sweep, theta, v, second) -> np.ndarray:
        """A sweep along v on panels, its rows divided among threads; (n_params,)."""
        parts = self._ranges(WORK_PER_PARAM * self._layers.n_params)
        workspace = self._workspace(min(self._n, VECTOR_ROWS), len(parts))
        sums = np.zeros((len(parts), self._layers.n_params))

        def work(k):
            sweep(
                sums[k],
                self._layers,
                self._source,
                workspace[k],
                theta,
                v,
                self._every,
                *parts[k],
                second,
            )

        in_threads(work, len(parts), watch=self._watches[sweep.__name__])
        return sums.sum(axis=0)

    def factors(self, theta, second):
        """Sum of losses, its gradient, and per layer (a, delta)."""
        layers, n = self._layers, self._n
        widths = layers.widths
        rows = min(n, VECTOR_ROWS)
        a = np.empty(n * sum(widths[:-1]))
        deltas = np.empty(n * layers.n_raw * sum(widths[1:]))
        grad = np.zeros(layers.n_params)
        (workspace,) = self._workspace(rows, 1)
        value = _gauss_newton.factors(
            a, deltas, grad, layers, self._source, workspace, theta, self._every, second
        )
        pairs, at_a, at_delta = [], 0, 0
        for fan_in, fan_out in zip(widths[:-1], widths[1:], strict=True):
            end_a, end_delta = at_a + n * fan_in, at_delta + n * layers.n_raw * fan_out
            pairs.append(
                (a[at_a:end_a].reshape(n, fan_in), deltas[at_delta:end_delta].reshape(-1, fan_out))
            )
            at_a, at_delta = end_a, end_delta
        return value, grad, pairs

    def diagonal(self, theta, second, seed=0) -> np.ndarray:
        """The diagonal of J~' J~.

        Exact up to MOST_EXACT raw outputs. Beyond, an unbiased estimate: the mean over DRAWS draws
        of random signs from ``seed``, the same at every theta. Its relative standard deviation is
        about (2 / (n DRAWS))^(1/2).
        """
        layers = self._layers
        rows = min(self._n, VECTOR_ROWS)
        if layers.n_raw <= MOST_EXACT:
            (workspace,) = self._workspace(rows, 1)
        else:
            (workspace,) = self._keep(
                ("signs", rows, seed), 1, lambda: signed_workspace(layers, rows, seed)
            )
        out = np.zeros(layers.n_params)
        _gauss_newton.diagonal(out, layers, self._source, workspace, theta, self._every, second)
        return out

    @property
    def _every(self) -> np.ndarray:
        """The rows that count, as an array in any case."""
        if self._order is None:
            self._order = np.arange(self._n, dtype=np.intp) if self._index is None else self._index
        return self._order

    def _n_threads(self, work_per_row: float) -> int:
        """How many threads the work is worth, at most those that are allowed."""
        worth = int(self._n * work_per_row / WORK_PER_THREAD)
        return 1 if worth <= 1 else min(worth, self._allowed_threads())

    def _ranges(self, work_per_row: float, copies: bool = False) -> list[tuple[int, int]]:
        """The rows, cut into one contiguous range per thread."""
        alone = copies and self._layers.n_params > MOST_PARAMS_PER_COPY
        return cut(0, self._n, 1 if alone else self._n_threads(work_per_row))

    def _workspace(self, rows, count):
        return self._keep(
            ("workspace", rows), count, lambda: _gauss_newton.Workspace(self._layers, rows)
        )[:count]

    def _tapes(self, count, rows):
        return self._keep(("tape", rows), count, lambda: Tape(self._layers, rows, 8, self._gathers))

    def _keep(self, key, count: int, make: Callable):
        """At least ``count`` objects made by ``make``, kept for the next call."""
        kept = self._kept.setdefault(key, [])
        while len(kept) < count:
            kept.append(make())
        return kept


def signed_workspace(layers, rows, seed):
    """A workspace that sweeps DRAWS random combinations of each row's residuals."""
    bits = np.random.RandomState(seed).randint(2, size=(rows, DRAWS, layers.n_raw), dtype=bool)
    return _gauss_newton.Workspace(layers, rows, np.where(bits, 1.0, -1.0))


def cut(begin: int, end: int, count: int) -> list[tuple[int, int]]:
    """Contiguous ranges of nearly the same length."""
    cuts = [begin + (end - begin) * k // count for k in range(count + 1)]
    return list(zip(cuts[:-1], cuts[1:], strict=True))
