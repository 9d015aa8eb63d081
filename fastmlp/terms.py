"""What data contribute to a loss: sums over their rows, no mean and no penalty."""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import Any

import numpy as np

from fastmlp import _custom
from fastmlp._core import curvature as _curvature
from fastmlp._core import minibatch as _minibatch
from fastmlp._core import trajectory as _trajectory
from fastmlp._core.kernels import UPDATES
from fastmlp._gram import Factors
from fastmlp._sweeps import Sweep
from fastmlp._total import SHAPES, Total, check_positions
from fastmlp.data import Data, check_vector
from fastmlp.plan import Plan, plan_of
from fastmlp.segments import WEIGHTS
from fastmlp.threads import Threads, blas_threads, with_team, worth_of_blas

__all__ = ["SHAPES", "CustomTerm", "NetworkTerm", "Total"]


class NetworkTerm:
    """The losses of a network on rows of data, added up.

    It keeps working memory, so that one term serves one solver at a time. It can be pickled.

    Parameters
    ----------
    network : Network
        Whose outputs.
    data : Data
        Rows as :func:`fastmlp.data.check_data` returns them.
    plan : Plan, optional
        How they are swept; what it leaves open is decided by the sizes.
    threads : Threads, optional
        How many may be used; by default the cores of this process.

    Attributes
    ----------
    n_params, n_samples, n_residuals : int
        Length of theta; rows that count; rows of the square root of the Gauss-Newton matrix,
        samples times raw outputs.
    weight : float
        The sum of the weights of the samples.
    dtype : numpy.dtype
        Of theta and of the gradient.
    segments : tuple of Segment
        The map of theta.
    threads : Threads
        How many may be used.
    """

    def __init__(
        self, network, data: Data, plan: Plan | None = None, threads: Threads | None = None
    ):
        self.threads = threads or Threads()
        self.network, self.data = network, data
        self.dtype, self.n_params = network.dtype, network.n_params
        self.segments = network.segments
        self.n_samples, self.weight = data.n_samples, data.weight
        self.n_residuals = self.n_samples * network.n_raw
        self._plan = plan_of(plan, network._layers.widths)
        self._blas_threads = 1  # in the run at hand, where the rows are swept by BLAS
        self._sweep = self._sweep_in(self.dtype)

    def __getstate__(self) -> tuple:
        return self.network, self.data, self._plan, self.threads.n_threads

    def __setstate__(self, state: tuple) -> None:
        *parts, n_threads = state
        self.__init__(*parts, Threads(n_threads))

    def _targets(self, data):
        """What the kernels read of y."""
        return data.y

    def _sweep_in(self, dtype):
        data = self.data
        return Sweep(
            self.network._layers,
            dtype,
            data.X,
            self._targets(data),
            data.w,
            data.index,
            data.scales,
            self._plan,
            self.threads,
        )

    @functools.cached_property
    def _wide(self) -> Sweep:
        """The sweep over the data in float64."""
        wide = np.dtype(np.float64)
        return self._sweep if self.dtype == wide else self._sweep_in(wide)

    def plan(self, work: str) -> Plan:
        """How the rows are swept for this kind of work; see :meth:`fastmlp.plan.Plan.for_work`."""
        return self._sweep.plan(work)

    def sums(self, want: str, theta: Any, v: Any = None) -> tuple:
        """Sums over the rows at theta.

        Parameters
        ----------
        want : str
            A key of :data:`SHAPES`.
        theta : array-like of shape (n_params,)
            Parameters.
        v : array-like of shape (n_params,), optional
            The vector of a product or of a bend.

        Returns
        -------
        tuple of float, ndarray or Factors
            Of these shapes, the caller's to change.

        Raises
        ------
        ValueError
            A wrong shape; the loss has no curvature, or is a function that gives none.
        """
        theta = check_vector(theta, self.n_params, self.dtype, "theta")
        if want == "value":
            return (self._value_grad(theta, None),)
        if want == "value_grad":
            grad = np.empty(self.n_params, self.dtype)
            return self._value_grad(theta, grad), grad
        if want == "value_grad_ggn" and self.plan("curvature").matrix == "pairs":
            value, grad = self.sums("value_grad", theta)
            return value, grad.astype(np.float64, copy=False), *self.sums("ggn", theta)
        wide = theta.astype(np.float64, copy=False)
        kind = _curvature.HESS if want in ("hessian", "hess_mul") else _curvature.GGN
        second, sweep = self._second(kind, wide), self._wide
        if want in ("hessian", "ggn"):
            return (sweep.pair_matrix(wide, second),)
        if want == "ggn_diagonal":
            return (sweep.diagonal(wide, second),)
        if want == "value_grad_ggn":
            return self._complete(theta, *sweep.row_matrix(wide, second))
        if want == "value_grad_gram":
            value, grad, pairs = sweep.factors(wide, second)
            return self._complete(theta, value, grad, Factors(pairs))
        v = check_vector(v, self.n_params, np.dtype(np.float64), "v")
        return (sweep.along(wide, v, second, bends=want == "bend"),)

    def _value_grad(self, theta, grad, deltas=None):
        """The sum of the losses; its gradient into grad unless that is None."""
        flops = (2.0 if grad is None else 6.0) * self.n_samples * self.n_params
        worth = self.threads.wanted("sweep", flops)
        return self._sweep.value_grad(theta, grad, worth, deltas)

    def _second(self, kind, wide):
        """The loss's second derivative, as the sweeps ask for it."""
        loss = self.network._loss
        if kind == _curvature.GGN and not loss.curved:
            raise ValueError(
                f"loss {loss.name!r} has no curvature: its second derivative is zero wherever it "
                "exists, and so is the Gauss-Newton matrix. Use a first-order solver."
            )
        return _curvature.LossCurvature(kind)

    def _complete(self, theta, value, *others):
        """A sum of losses that came with curvature, and what came with it."""
        return value, *others

    def raw(self, theta: np.ndarray) -> np.ndarray:
        """Raw outputs for the rows that count, (n_samples, n_raw)."""
        return self._sweep.raw(theta, False)

    def predict(self, theta: Any) -> np.ndarray:
        """Outputs of the network for the rows that count, (n_samples, n_targets)."""
        theta = check_vector(theta, self.n_params, self.dtype, "theta")
        return self._sweep.raw(theta, True)

    def subset(self, positions: Any) -> NetworkTerm:
        """The same on some of the rows, by positions from 0 to ``n_samples - 1``."""
        data = self.data.take(check_positions(positions, self.n_samples))
        return type(self)(self.network, data, self._plan, self.threads.of_parts())

    def rows_that_weigh(self) -> np.ndarray:
        """Positions of the rows but those of weight 0."""
        _, w = self.data.selected
        return np.arange(self.n_samples) if w is None else np.flatnonzero(w)

    def like(self, network) -> NetworkTerm:
        """The same data of another network."""
        plan = dataclasses.replace(self._plan, products=None)
        return type(self)(network, self.data, plan, Threads(self.threads.n_threads))

    def twin(self, factors: np.ndarray | None = None, wide: bool = False) -> NetworkTerm:
        """The same with working memory of its own; see :meth:`NetworkObjective.twin`."""
        network, data = self.network, self.data
        if wide and self.dtype != np.float64:
            network, data = network.wide(), data.wide()
        if factors is not None:
            data = data.reweighted(factors)
        return type(self)(network, data, self._plan, Threads(self.threads.n_threads))

    def grow(self, stretch, held, precision, metric, step, H0, log_u, furthest, kept, stop) -> None:
        """A stretch of a trajectory in one native call, by one thread; float64 alone.

        See :func:`fastmlp._core.trajectory.grow`.
        """
        tape = self._sweep.lone_tape()
        _trajectory.grow(
            tape, stretch, held, precision, metric, step, H0, log_u, furthest, kept, stop
        )

    # -- threads -------------------------------------------------------------------------------

    def limited(self, batch_size: int | None = None, matrices: bool = False):
        """A block for a run, in which BLAS has as many threads as its calls are worth.

        Parameters
        ----------
        batch_size : int, optional
            Rows of a batch, if it is by batches.
        matrices : bool, default=False
            Whether square matrices are factorised.
        """
        widths, itemsize = self.network._layers.widths, self.dtype.itemsize
        rows = min(Plan("blas").for_work(widths, itemsize, "rows").tile, self.n_samples)
        flops = 6.0 * min(rows, batch_size or rows) * self.n_params
        if matrices:
            flops = max(flops, self.n_params**3 / 3)
        n = self.threads.n_threads or worth_of_blas(flops)
        by_blas = self.plan("rows" if batch_size is None else "batch").calls_blas
        self._blas_threads = min(n, self.threads.allowed()) if by_blas else 1
        return blas_threads(n)

    def threads_used(self) -> int:
        """The most threads that any work had since the last time this was asked."""
        return max(self._blas_threads, self.threads.used())

    # -- mini-batches --------------------------------------------------------------------------

    def epoch(self, theta, state, order, hyper, strengths: np.ndarray) -> float:
        """All batches of an epoch, by what is checked; see :meth:`NetworkObjective.epoch`.

        strengths: L2 of each segment, divided by the sum of the weights of each batch.
        """
        if self.data.index is not None:
            order = self.data.index[order]
        batch_size = hyper.batch_size
        tapes = self._sweep.batch_tapes(batch_size, self._team_size(batch_size, order.size))
        progress = _minibatch.Progress(len(hyper.rates))

        def batches(team=None, most_seconds=np.inf):
            self._sweep.epoch(
                tapes[0],
                team,
                theta,
                state,
                order,
                strengths,
                self._decays,
                hyper,
                UPDATES[hyper.update]["code"],
                progress,
                most_seconds,
            )

        if len(tapes) < 2:
            batches()
        else:
            self._together(batches, progress, tapes)
        return progress.mean

    @functools.cached_property
    def _decays(self) -> np.ndarray:
        """1 for segments of weights, which decay, and 0 for others, (n_segments,)."""
        return np.array([float(segment.group == WEIGHTS) for segment in self.segments])

    def _team_size(self, batch_size: int, n_rows: int) -> int:
        """Shares of each batch of an epoch over so many rows."""
        flops = 6.0 * self.n_params
        return self.threads.wanted("batch", flops * batch_size, in_all=flops * n_rows)

    def _together(self, batches, progress, tapes) -> None:
        """An epoch in shares, by a team or by this thread, as the watch will have it."""
        watch = self.threads.watches["epoch"]
        while progress.batch < progress.n_batches:
            before, start = progress.batch, time.perf_counter()
            with_team(
                functools.partial(batches, most_seconds=watch.seconds_left),
                tapes,
                alone=watch.alone,
                calls_blas=self.plan("batch").calls_blas,
            )
            watch.note(progress.batch - before, time.perf_counter() - start, n_threads=len(tapes))


class CustomTerm(NetworkTerm):
    """The same for a loss that the user wrote, asked once for all rows."""

    def _targets(self, data):
        return None

    def _value_grad(self, theta, grad, deltas=None):
        value, deltas = self._ask(self.raw(theta))
        if grad is not None:
            super()._value_grad(theta, grad, np.ascontiguousarray(deltas, self.dtype))
        return value

    def _ask(self, raw):
        """The sum of the losses and w_i dl/draw."""
        y, _ = self.data.selected
        value, grad = _custom.value_grad(self.network._loss, raw, y)
        return float(self._shares @ value), self._shares[:, None] * grad

    @functools.cached_property
    def _shares(self):
        _, w = self.data.selected
        return np.ones(self.n_samples) if w is None else w.astype(np.float64)

    def _complete(self, theta, value, *others):
        return self._value_grad(theta, None), *others

    def _second(self, kind, wide):
        loss = self.network._loss
        given = "curv" if kind == _curvature.GGN and loss.curv is not None else "hess"
        if getattr(loss, given) is None:
            also = "curv(raw, y) or " if kind == _curvature.GGN else ""
            raise ValueError(
                f"The loss has no method {also}hess(raw, y) -> (n, n_raw, n_raw), which this "
                "curvature needs; the solvers 'lbfgs' and 'gd' do without."
            )
        raw = self._wide.raw(wide, False)
        _, delta = self._ask(raw)
        Q = self._shares[:, None, None] * _custom.second(loss, given, raw, self.data.selected[0])
        root = None
        if kind == _curvature.GGN:
            root = upward_root(Q)
            Q = np.einsum("ikj,ikl->ijl", root, root)
        delta = np.ascontiguousarray(delta, np.float64)
        return _curvature.LossCurvature(kind, delta, np.ascontiguousarray(Q), root)

    def epoch(self, theta, state, order, hyper, strengths):
        """Mini-batches run without Python: a loss written in it has none."""
        raise ValueError(
            "A loss written in Python works with the full-batch solvers: lbfgs and gd, with "
            "hess or curv also newton, lm and newton-cg; mini-batches run without Python."
        )


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
