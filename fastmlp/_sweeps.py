"""Sweeps over rows of data, bound to layers: engines, tiles and threads are chosen here."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._arrays import fits_panels, panel_rows, tile_rows
from fastmlp._assembly import cut
from fastmlp._core import curvature as _curvature
from fastmlp._core import network as _sweeps
from fastmlp._core import panels as _panels
from fastmlp._core.crew import gather
from fastmlp._core.team import Team, assist
from fastmlp._threads import in_threads


class Sweep:
    """Layers bound to data of one element type, with the tape that serves them.

    Parameters
    ----------
    layers : Layers
        The network's shape.
    X : ndarray or parts of a CSR matrix
        As ``check_rows`` returns it.
    y, w : ndarray or None
        Targets (n_samples, n_targets) and weights (n_samples,).
    index : ndarray of intp or None
        The rows that count.
    scales : tuple (mean, scale) or None
        As ``check_scales`` returns it: the network sees (X - mean) / scale.
    """

    def __init__(self, layers, X, y=None, w=None, index=None, scales=None):
        self.layers = layers
        self.source = _sweeps.Source(X, y, w, scales)
        self._itemsize = (X[0] if isinstance(X, tuple) else X).itemsize
        self._n = index.size if index is not None else self.source.n_samples
        self._index = index
        self.gathers = index is not None or not self.source.direct
        self._tapes: dict[int, Any] = {}
        self._batch: tuple[tuple[int, int], tuple] | None = None
        self._order: np.ndarray | None = None
        self._panels: list[_panels.PanelTape] = []

    def batch_tapes(self, batch_size: int, n_threads: int):
        """What an epoch needs: a tape for BLAS and none in panels, or None and one per thread."""
        key = (batch_size, n_threads)
        if self._batch is None or self._batch[0] != key:
            widths = tuple(self.layers.widths)
            if fits_panels(widths, self._itemsize):
                rows = min(batch_size, panel_rows(widths, self._itemsize))
                leader = _panels.PanelTape(self.layers, rows, self._itemsize)
                others = [
                    _panels.PanelTape(self.layers, rows, self._itemsize, leader)
                    for _ in range(n_threads - 1)
                ]
                tapes = (None, [leader, *others])
            else:
                rows = min(batch_size, tile_rows(widths, self._itemsize))
                tapes = (_sweeps.Tape(self.layers, rows, self._itemsize, True), [])
            self._batch = (key, tapes)
        return self._batch[1]

    def tape_and_index(self, most: int | None = None):
        """The tape, kept for the next call, and the index for a sweep over all rows."""
        rows = min(self._n, most or tile_rows(tuple(self.layers.widths), self._itemsize))
        if rows not in self._tapes:
            self._tapes = {rows: _sweeps.Tape(self.layers, rows, self._itemsize, self.gathers)}
        return self._tapes[rows], self._index

    def raw(self, theta, n, columns, apply_output):
        """Raw outputs (n, n_raw), or predictions (n, n_targets)."""
        out = np.empty((n, columns), theta.dtype)
        tape, index = self.tape_and_index()
        _sweeps.raw(self.layers, self.source, tape, theta, out, index, apply_output)
        return out

    def value_grad(self, theta, grad, n, n_threads=1, watch=None):
        """The sum of the losses; its gradient into grad unless that is None."""
        widths = tuple(self.layers.widths)
        if fits_panels(widths, self._itemsize, whole=True):
            return self._panel_value_grad(theta, grad, n, n_threads, watch)
        tape, index = self.tape_and_index()
        return _sweeps.value_grad(self.layers, self.source, tape, theta, grad, index, n)

    def _panel_value_grad(self, theta, grad, n, n_threads, watch):
        rows = min(n, panel_rows(tuple(self.layers.widths), self._itemsize))
        if self._order is None:
            self._order = np.arange(n, dtype=np.intp) if self._index is None else self._index
        while len(self._panels) < n_threads:
            self._panels.append(_panels.PanelTape(self.layers, rows, self._itemsize))
        grads = [
            grad,
            *(None if grad is None else np.empty_like(grad) for _ in range(1, n_threads)),
        ]
        values = [0.0] * n_threads
        parts = cut(0, n, n_threads)

        def work(k):
            begin, end = parts[k]
            values[k] = _panels.value_grad(
                self.layers,
                self.source,
                self._panels[k],
                theta,
                grads[k],
                self._order[begin:end],
            )

        in_threads(work, n_threads, watch=watch)
        if grad is not None:
            for part in grads[1:]:
                grad += part
        return sum(values)

    def backprop(self, theta, grad, delta):
        """The gradient for given d loss / d raw into grad."""
        tape, index = self.tape_and_index()
        _sweeps.backprop(self.layers, self.source, tape, theta, grad, delta, index)

    def jacobian(self, theta, out, of_inputs):
        """d raw / d theta, or d raw / d x, into out."""
        tape, index = self.tape_and_index(256)
        _curvature.jacobian(self.layers, self.source, tape, theta, out, index, of_inputs)


def with_team(work, layers, source, panels, theta, alone=False):
    """work(team) while a thread for every tape but the first assists, or none if alone."""
    team = Team(panels)

    def lead():
        try:
            work(team)
        finally:
            team.close()

    def assistant(t):
        assist(layers, source, team, t, theta)

    gather(lead, assistant, 0 if alone else team.size - 1, team.close)
