"""Curvature matrices of a network's loss, built by as many threads as the work is worth.

Small matrices are summed by threads of our own, each over its share of the rows, with BLAS held to
one thread; a large one would cost each thread a copy, and BLAS divides its products well enough.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from fastmlp._core import curvature as _curvature
from fastmlp._core import gauss_newton as _gauss_newton
from fastmlp._core import matrix as _matrix
from fastmlp._core.network import Tape
from fastmlp._threads import available_cpus, blas_threads

# A thread of our own has to have this many multiplications to be worth its start.
WORK_PER_THREAD = 2e7
# Beyond this many parameters a copy of the matrix per thread is too much.
MOST_PARAMS_PER_COPY = 1500
# Rows of a tile where only vectors are summed.
VECTOR_ROWS = 256


class CurvatureSweep:
    """Layers bound to float64 data, with what one assembly after another can reuse.

    Parameters
    ----------
    sweep : Sweep
        Layers and float64 data.
    n : int
        How many rows count.

    Attributes
    ----------
    n_threads : int or None
        At most this many threads; None: the cores of this process.
    """

    def __init__(self, sweep, n):
        self._sweep = sweep
        self._layers = sweep.layers
        self._source = sweep.source
        self._index = sweep.tape_and_index()[1]
        self._n = n
        self.n_threads: int | None = None
        self._kept: dict[tuple, list] = {}

    def product(self, theta, v, second, weight_sum) -> np.ndarray:
        """The exact Hessian or the Gauss-Newton matrix times v, without the l2 term."""
        return self._summed(_curvature.product, theta, v, second) / weight_sum

    def matrix(self, theta, second, weight_sum, l2) -> np.ndarray:
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

        in_threads(work, len(parts))
        H = np.empty((layers.n_params, layers.n_params))
        _matrix.collect(blocks, layers, H, weight_sum, l2, exact)
        return H

    def panel_matrix(self, theta, second, weight_sum, l2):
        """Sum of losses, gradient and Gauss-Newton matrix from rows of J~; None: indefinite."""
        layers = self._layers
        n_params = layers.n_params
        rows = min(self._n, _gauss_newton.panel_rows(layers))
        parts = self._ranges(float(layers.n_raw) * n_params**2, copies=True)
        tapes = self._tapes(len(parts), rows)
        scratch = self._keep(
            ("panel", rows), len(parts), lambda: _gauss_newton.Scratch(layers, rows, True)
        )
        matrices = [np.zeros((n_params, n_params)) for _ in parts]
        grads = np.zeros((len(parts), n_params))
        values = [0.0] * len(parts)

        def work(k):
            begin, end = parts[k]
            values[k] = _gauss_newton.accumulate(
                matrices[k],
                grads[k],
                layers,
                self._source,
                tapes[k],
                scratch[k],
                theta,
                self._index,
                begin,
                end,
                second,
            )

        in_threads(work, len(parts))
        if None in values:
            return None
        G, grad = matrices[0], grads.sum(axis=0)
        for other in matrices[1:]:
            G += other
        _gauss_newton.collect(G, grad, layers, theta, weight_sum, l2)
        return sum(values), grad, G

    def bend(self, theta, v, second, weight_sum) -> np.ndarray:
        """``J' Q d2 raw / dv2 / weight_sum``, (n_params,)."""
        return self._summed(_gauss_newton.bend, theta, v, second) / weight_sum

    def _summed(self, function, theta, v, second) -> np.ndarray:
        """A sweep along v, its rows divided among threads; (n_params,)."""
        layers = self._layers
        rows = min(self._n, VECTOR_ROWS)
        parts = self._ranges(20.0 * layers.n_params)
        tapes = self._tapes(len(parts), rows)
        sums = np.zeros((len(parts), layers.n_params))

        def work(k):
            function(
                sums[k], layers, self._source, tapes[k], theta, v, self._index, *parts[k], second
            )

        in_threads(work, len(parts))
        return sums.sum(axis=0)

    def factors(self, theta, second):
        """Sum of losses, its gradient, and per layer (a, delta); None: indefinite."""
        layers, n = self._layers, self._n
        widths = layers.widths
        rows = min(n, VECTOR_ROWS)
        a = np.empty(n * sum(widths[:-1]))
        deltas = np.empty(n * layers.n_raw * sum(widths[1:]))
        grad = np.zeros(layers.n_params)
        (scratch,) = self._keep(
            ("delta", rows), 1, lambda: _gauss_newton.Scratch(layers, rows, False)
        )
        value = _gauss_newton.factors(
            a,
            deltas,
            grad,
            layers,
            self._source,
            self._tapes(1, rows)[0],
            scratch,
            theta,
            self._index,
            n,
            second,
        )
        if value is None:
            return None
        pairs, at_a, at_delta = [], 0, 0
        for fan_in, fan_out in zip(widths[:-1], widths[1:], strict=True):
            end_a, end_delta = at_a + n * fan_in, at_delta + n * layers.n_raw * fan_out
            pairs.append(
                (a[at_a:end_a].reshape(n, fan_in), deltas[at_delta:end_delta].reshape(-1, fan_out))
            )
            at_a, at_delta = end_a, end_delta
        return value, grad, pairs

    def diagonal(self, theta, second) -> np.ndarray | None:
        """The diagonal of J~' J~, not divided by the weights; None: indefinite."""
        layers = self._layers
        rows = min(self._n, VECTOR_ROWS)
        out = np.zeros(layers.n_params)
        (scratch,) = self._keep(
            ("delta", rows), 1, lambda: _gauss_newton.Scratch(layers, rows, False)
        )
        definite = _gauss_newton.diagonal(
            out,
            layers,
            self._source,
            self._tapes(1, rows)[0],
            scratch,
            theta,
            self._index,
            self._n,
            second,
        )
        return out if definite else None

    def _ranges(self, work_per_row: float, copies: bool = False) -> list[tuple[int, int]]:
        """The rows, cut into one contiguous range per thread."""
        n_threads = 1
        worth = int(self._n * work_per_row / WORK_PER_THREAD)
        if worth > 1 and not (copies and self._layers.n_params > MOST_PARAMS_PER_COPY):
            n_threads = min(worth, self.n_threads or available_cpus())
        cuts = np.linspace(0, self._n, n_threads + 1).astype(int)
        return list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))

    def _tapes(self, count, rows):
        gathers = self._index is not None
        return self._keep(("tape", rows), count, lambda: Tape(self._layers, rows, 8, gathers))

    def _keep(self, key, count: int, make: Callable):
        """At least ``count`` objects made by ``make``, kept for the next call."""
        kept = self._kept.setdefault(key, [])
        while len(kept) < count:
            kept.append(make())
        return kept


def in_threads(work: Callable[[int], None], count: int) -> None:
    """work(0) .. work(count - 1), each in a thread; the first in this one, where Ctrl-C arrives."""
    if count == 1:
        work(0)
        return
    errors = []

    def guarded(k):
        try:
            work(k)
        except BaseException as error:
            errors.append(error)

    with blas_threads(1):
        others = [threading.Thread(target=guarded, args=(k,)) for k in range(1, count)]
        for thread in others:
            thread.start()
        try:
            work(0)
        finally:
            for thread in others:
                thread.join()
    if errors:
        raise errors[0]
