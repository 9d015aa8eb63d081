"""A network's loss on given data as a function of theta: what solvers minimise."""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from typing import Any

import numpy as np

from fastmlp import _custom
from fastmlp._arrays import (
    check_rows,
    check_rows_index,
    check_scales,
    check_vector,
    check_weights,
    n_rows,
)
from fastmlp._assembly import CurvatureSweep
from fastmlp._core import minibatch as _minibatch
from fastmlp._core.kernels import UPDATES
from fastmlp._core.team import LARGEST_TEAM
from fastmlp._hyper import MOST, check_fields, check_hyper
from fastmlp._numbers import check_integer, check_strength
from fastmlp._sweeps import Sweep, with_team
from fastmlp._threads import available_cpus, threads_in_force
from fastmlp._watch import Watch
from fastmlp.curvature import CurvedObjective
from fastmlp.losses import check_targets
from fastmlp.penalties import L2, weights

# What a thread has to do in a sweep over all rows to be worth its start, and in a batch of an
# epoch to be worth a meeting (`python -m bench threads`: 2 threads take 0.6, 1.0 and 1.5 times
# less on 0.03, 1.4 and 4.2 MFLOP a batch).
FLOPS_PER_THREAD = 1.5e6
BATCH_FLOPS_PER_THREAD = 1.5e6
# An epoch of less, some ten milliseconds of one core, is for one thread unless a number is given:
# on a busy machine a thread waits that long for its turn.
EPOCH_FLOPS = 5e8
# The same for a sweep over all rows, which starts its threads anew.
SWEEP_FLOPS = 2e7


class NetworkObjective(CurvedObjective):
    """The loss of a network on data, by theta; made by :meth:`fastmlp.Network.objective`.

    ``value = sum_i w_i l_i / sum_i w_i + l2/2 ||W||^2`` with l2 = alpha / sum_i w_i. It holds
    working memory, so one objective serves one solver at a time.

    Attributes
    ----------
    n_params : int
        Length of theta.
    n_samples : int
        Rows that count: those of ``rows``, or of X.
    dtype : numpy.dtype
        Of theta and of the gradient; curvature is float64.
    n_threads : int or None
        Threads, at most; None: the cores of this process. Small work is done by one.
    most_threads : int or None
        A further limit; None: the number of threads of BLAS that is in force.
    """

    n_threads: int | None = None
    most_threads: int | None = None

    def __init__(
        self, network, X, y, sample_weight=None, *, alpha=0.0, l2=None, rows=None, scales=None
    ):
        self._network = network
        self.dtype = network.dtype
        self.n_params = network.n_params
        X = check_rows(X, network.n_features, self.dtype)
        n = n_rows(X)
        self._y = check_targets(y, network._loss, network._output, n, network.n_targets, self.dtype)
        self._w = check_weights(sample_weight, n, self.dtype)
        self._index = check_rows_index(rows, n)
        self._scales = check_scales(scales, network.n_features)
        self.n_samples = n if self._index is None else self._index.size
        self._X = X
        self._alpha = check_strength(alpha, "alpha")
        counted = self._w if rows is None or self._w is None else self._w[self._index]
        self._weight_sum = (
            float(self.n_samples) if counted is None else float(counted.sum(dtype=np.float64))
        )
        if self._weight_sum <= 0:
            raise ValueError("sample_weight sums to zero over the rows: none would count.")
        self._l2 = self._alpha / self._weight_sum if l2 is None else check_strength(l2, "l2")
        self._sweep = Sweep(
            network._layers, X, self._kernel_targets(), self._w, self._index, self._scales
        )
        self._sweep64: Sweep | None = self._sweep if self.dtype == np.float64 else None
        self._workspace: np.ndarray | None = None
        self._curvature_sweep: CurvatureSweep | None = None
        # By kind of work; those of the subsets outlive them.
        self._watches: defaultdict[str, Watch] = defaultdict(Watch)
        self._watches_of_subsets: defaultdict[str, Watch] = defaultdict(Watch)

    @property
    def network(self):
        """The network whose loss it is."""
        return self._network

    def _kernel_targets(self):
        return None if self._network._loss.is_custom else self._y

    # -- value and gradient ----------------------------------------------------------------

    @functools.cached_property
    def penalty(self) -> L2:
        """The L2 term."""
        return L2(weights(self._network.segments), self._l2)

    def _penalised(self, theta, value: float, *sums: np.ndarray) -> tuple:
        """The mean of sums over the data, with the L2 term: value, gradient, matrix."""
        mean = value / self._weight_sum + self.penalty.value(theta)
        for array in sums:
            array *= 1 / self._weight_sum
        if sums:
            self.penalty.add_to(sums[0], theta)
        for matrix in sums[1:]:
            matrix.reshape(-1)[:: self.n_params + 1] += self.penalty.diagonal
        return (mean, *sums)

    def value(self, theta: Any) -> float:
        """The loss at theta, an array of shape (n_params,)."""
        theta = self._check_theta(theta)
        if self._network._loss.is_custom:
            value, _ = self._custom(theta)
        else:
            value = self._sweep_value_grad(theta, None)
        return self._penalised(theta, value)[0]

    def value_grad(self, theta: Any) -> tuple[float, np.ndarray]:
        """The loss and its gradient, of shape (n_params,)."""
        theta = self._check_theta(theta)
        grad = np.empty(self.n_params, self.dtype)
        if self._network._loss.is_custom:
            value, delta = self._custom(theta)
            self._sweep.backprop(theta, grad, delta)
        else:
            value = self._sweep_value_grad(theta, grad)
        return self._penalised(theta, value, grad)

    def predict(self, theta: Any) -> np.ndarray:
        """Outputs of the network for the rows that count, (n_samples, n_outputs)."""
        theta = self._check_theta(theta)
        return self._sweep.raw(theta, self.n_samples, self._network.n_targets, True)

    def _sweep_value_grad(self, theta, grad):
        flops = (2.0 if grad is None else 6.0) * self.n_samples * self.n_params
        n_threads = int(flops / FLOPS_PER_THREAD)
        if n_threads < 2 or (self.n_threads is None and flops < SWEEP_FLOPS):
            n_threads = 1
        else:
            n_threads = min(n_threads, self._allowed_threads(), self.n_samples)
        return self._sweep.value_grad(
            theta,
            grad,
            self.n_samples,
            n_threads,
            self._watches["value" if grad is None else "value_grad"],
        )

    def _allowed_threads(self) -> int:
        """Threads that an epoch or a sweep over all rows may use."""
        wanted = self.n_threads or available_cpus()
        return min(wanted, self.most_threads or threads_in_force(wanted), LARGEST_TEAM)

    def threads_used(self) -> int:
        """The most threads of our own that any work had since the last time this was asked."""
        watches = [*self._watches.values(), *self._watches_of_subsets.values()]
        most = max((watch.used for watch in watches), default=1)
        for watch in watches:
            watch.used = 1
        return most

    def _custom(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """The sum of a user's loss and w_i dl/draw."""
        raw = self._sweep.raw(theta, self.n_samples, self._network.n_raw, False)
        y, w = self._selected()
        value, grad = _custom.value_grad(self._network._loss, raw, y)
        share = np.ones(self.n_samples) if w is None else w.astype(np.float64)
        return float(share @ value), np.ascontiguousarray(share[:, None] * grad, self.dtype)

    def _selected(self):
        """Targets and weights of the rows that count."""
        if self._index is None:
            return self._y, self._w
        return self._y[self._index], None if self._w is None else self._w[self._index]

    # -- mini-batches ----------------------------------------------------------------------

    def epoch(self, theta: np.ndarray, state: Any, order: np.ndarray, hyper: Any) -> float:
        """All mini-batches of one epoch in one native call; theta and state change in place.

        Parameters
        ----------
        theta : ndarray of shape (n_params,), contiguous, of this objective's dtype
            Parameters.
        state : object
            ``first`` and ``second`` (arrays like theta; second may be None but for "adam") and
            ``t``, the number of steps so far.
        order : ndarray of intp
            Positions from 0 to n_samples - 1 in the order of the visit.
        hyper : object
            ``update`` ("sgd", "nesterov", "adam"), ``batch_size``, ``rates`` (float64, one per
            batch), ``momentum``, ``beta_1``, ``beta_2``, ``epsilon``, ``weight_decay``
            (decoupled; weights only) and ``max_norm`` (of the gradient; inf for none).

        Returns
        -------
        float
            The mean over rows of the batches' losses, with their L2 terms, as scikit-learn's
            ``loss_``.

        Raises
        ------
        TypeError, ValueError
            Something of this is missing, of another kind or out of range; nothing has changed then.
        """
        if self._network._loss.is_custom:
            raise ValueError(
                "A loss written in Python works with the full-batch solvers: lbfgs and gd, with "
                "hess or curv also newton, lm and newton-cg; mini-batches run without Python."
            )
        check_fields(state, "state", ("first", "second", "t"))
        check_integer("state.t", state.t, 0, MOST)
        for what, array in (("theta", theta), ("state.first", state.first)):
            self._check_in_place(array, what)
        if state.second is not None:
            self._check_in_place(state.second, "state.second")
        elif getattr(hyper, "update", None) == "adam":
            raise ValueError("state.second must be an array like theta for update 'adam'.")
        order = check_rows_index(order, self.n_samples, "order")
        if order is None:
            raise TypeError("order must be an array of integers, got None.")
        check_hyper(hyper, order.size)
        batch_size = hyper.batch_size
        if self._index is not None:
            order = self._index[order]
        tape, panels = self._sweep.batch_tapes(batch_size, self._team_size(batch_size, order.size))
        if self._workspace is None and not panels:
            self._workspace = np.empty(self.n_params, self.dtype)
        layers, source = self._network._layers, self._sweep.source
        progress = _minibatch.Progress(len(hyper.rates))

        def batches(team=None, most_seconds=np.inf):
            _minibatch.epoch(
                layers,
                source,
                tape,
                panels[0] if panels else None,
                team,
                theta,
                theta if panels else self._workspace,  # panels bring their own gradient
                state,
                order,
                self._alpha,
                hyper,
                UPDATES[hyper.update],
                progress,
                most_seconds,
            )

        if len(panels) < 2:
            batches()
        else:
            self._together(batches, progress, panels, theta)
        return progress.mean

    def _team_size(self, batch_size: int, n_rows: int) -> int:
        """Shares of each batch of an epoch over so many rows."""
        wanted = int(6.0 * batch_size * self.n_params / BATCH_FLOPS_PER_THREAD)
        if wanted < 2 or (self.n_threads is None and 6.0 * n_rows * self.n_params < EPOCH_FLOPS):
            return 1
        return min(wanted, self._allowed_threads())

    def _together(self, batches, progress, panels, theta) -> None:
        """An epoch in shares, by a team or by this thread, as the watch will have it."""
        watch = self._watches["epoch"]
        while progress.batch < progress.n_batches:
            before, start = progress.batch, time.perf_counter()
            with_team(
                functools.partial(batches, most_seconds=watch.seconds_left),
                self._network._layers,
                self._sweep.source,
                panels,
                theta,
                alone=watch.alone,
            )
            watch.note(progress.batch - before, time.perf_counter() - start, n_threads=len(panels))

    def _check_in_place(self, array: Any, what: str) -> None:
        fits = (
            isinstance(array, np.ndarray)
            and array.shape == (self.n_params,)
            and array.dtype == self.dtype
            and array.flags.carray
        )
        if not fits:
            raise ValueError(
                f"{what} must be a writeable, aligned, contiguous array of shape "
                f"({self.n_params},) and dtype {self.dtype}, changed in place."
            )

    def _wide_sweep(self) -> Sweep:
        """The sweep over the data in float64."""
        if self._sweep64 is None:
            X = self._X
            y, w = self._kernel_targets(), self._w
            self._sweep64 = Sweep(
                self._network._layers,
                (X[0].astype(np.float64), *X[1:]) if isinstance(X, tuple) else X.astype(float),
                None if y is None else y.astype(np.float64),
                None if w is None else w.astype(np.float64),
                self._index,
                self._scales,
            )
        return self._sweep64

    def _check_theta(self, theta: Any) -> np.ndarray:
        return check_vector(theta, self.n_params, self.dtype, "theta")
