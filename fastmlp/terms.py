"""What data contribute to a loss: sums over rows, which may be added up from anywhere.

A term answers ``sums(want, theta, v)`` with a tuple of additive things: no mean, no penalty. What
may be wanted, and what is answered, stands in :data:`SHAPES`.
"""

from __future__ import annotations

import builtins
import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any

import numpy as np

from fastmlp import _custom
from fastmlp._core import curvature as _curvature
from fastmlp._core import minibatch as _minibatch
from fastmlp._core import trajectory as _trajectory
from fastmlp._core.kernels import UPDATES
from fastmlp._gram import Factors
from fastmlp._names import shown
from fastmlp._sweeps import Sweep
from fastmlp.data import Data, check_rows_index, check_vector
from fastmlp.plan import Plan, plan_of
from fastmlp.segments import WEIGHTS
from fastmlp.threads import Threads, blas_threads, with_team, worth_of_blas

# By what is wanted of a term: the shapes of its sums, n standing for n_params. Curvature is
# float64, value and gradient are of the term's dtype; matrices are symmetric.
SHAPES: dict[str, tuple[str, ...]] = {
    "value": ("",),
    "value_grad": ("", "n"),
    "value_grad_ggn": ("", "n", "nn"),  # all float64
    "value_grad_gram": ("", "n", "factors"),  # G by its factors, see Factors
    "ggn": ("nn",),
    "hessian": ("nn",),
    "ggn_mul": ("n",),  # G v
    "hess_mul": ("n",),
    "bend": ("n",),  # J' Q d2 raw / dv2
    "ggn_diagonal": ("n",),
}
# What every term has.
TERM = ("n_params", "n_samples", "n_residuals", "weight", "dtype", "segments", "sums")


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
        self._sweep = self._sweep_over(data)

    def __getstate__(self) -> tuple:
        return self.network, self.data, self._plan, self.threads.n_threads

    def __setstate__(self, state: tuple) -> None:
        *parts, n_threads = state
        self.__init__(*parts, Threads(n_threads))

    def _targets(self, data):
        """What the kernels read of y."""
        return data.y

    def _sweep_over(self, data):
        return Sweep(
            self.network._layers,
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
        return self._sweep if self.dtype == np.float64 else self._sweep_over(self.data.wide())

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
        positions = check_rows_index(positions, self.n_samples, "positions")
        if positions is None:
            raise TypeError("positions must be an array of integers, got None.")
        data = self.data.take(positions)
        return type(self)(self.network, data, self._plan, self.threads.of_parts())

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


class Total:
    """Terms added up, wherever each of them lives.

    Parameters
    ----------
    parts : sequence of terms
        Parts of the data, for the same theta: each with ``n_params``, ``n_samples``,
        ``n_residuals``, ``weight``, ``dtype``, ``segments`` and ``sums(want, theta, v)``, as
        :class:`NetworkTerm` has them.
    map : callable, default=map
        ``map(function, parts, wants, thetas, vs)``, with the answers in the order of the parts: the
        builtin one, an executor's (terms can be pickled), that of a cluster.

    Raises
    ------
    ValueError
        No parts, or parts of different networks; by ``sums``: a part answers with other shapes than
        :data:`SHAPES`, or with NaN where it is no fault of theta.
    RuntimeError
        By ``sums``: a part failed, or what runs it died.

    Notes
    -----
    A NaN at a trial step is an answer: solvers reject the step. A part that says NaN is asked again
    where all parts were finite before; it is named if it says NaN there, too.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network, terms
    >>> from fastmlp.objective import Objective
    >>> net = Network([2, 3, 1])
    >>> X, y = np.ones((4, 2)), np.zeros(4)
    >>> parts = [net.objective(X[k::2], y[k::2]).term for k in range(2)]
    >>> objective = Objective(terms.Total(parts))
    >>> theta = net.init(random_state=0)
    >>> np.isclose(objective.value(theta), net.value(theta, X, y))
    True
    """

    def __init__(self, parts: Sequence[Any], map: Callable[..., Any] = builtins.map):
        self.parts = list(parts)
        if not self.parts:
            raise ValueError("Total needs at least one part.")
        first = self.parts[0]
        for k, part in enumerate(self.parts):
            check_term(part, self._name(k))
            if part.segments != first.segments or part.dtype != first.dtype:
                raise ValueError(
                    f"All parts must be for the same theta: {self._name(k)} has {part.n_params} "
                    f"parameters of {part.dtype} in {len(part.segments)} segments, the first "
                    f"{first.n_params} of {first.dtype} in {len(first.segments)}."
                )
        self._map = map
        self.n_params, self.dtype, self.segments = first.n_params, first.dtype, first.segments
        self.n_samples = sum(part.n_samples for part in self.parts)
        self.n_residuals = sum(part.n_residuals for part in self.parts)
        self.weight = float(sum(part.weight for part in self.parts))
        self._sound: np.ndarray | None = None  # where all parts were finite last

    def sums(self, want: str, theta: Any, v: Any = None) -> tuple:
        """As :meth:`NetworkTerm.sums`, added up in the order of the parts."""
        theta = check_vector(theta, self.n_params, self.dtype, "theta").copy()
        total: list[Any] = []
        for k, answer in enumerate(self._answers(want, theta, v)):
            if _has_nan(answer):
                self._blame(k, want, theta, v)
            total = [a + b for a, b in zip(total, answer, strict=True)] if total else answer
        if not _has_nan(total):
            self._sound = theta
        return tuple(total)

    def _answers(self, want, theta, v):
        """What the parts say, one after another, of the right shapes."""
        n = len(self.parts)
        answers = iter(())
        for k in range(n):
            try:
                if k == 0:
                    answers = iter(self._map(_ask, self.parts, [want] * n, [theta] * n, [v] * n))
                answer = next(answers)
            except Exception as error:
                died = isinstance(error, BrokenExecutor)
                what = "what runs the parts died before it answered" if died else "it failed"
                raise RuntimeError(
                    f"No {want} of {self._name(k)}: {what}. {type(error).__name__}: {error}"
                ) from error
            yield checked_sums(answer, want, n_params=self.n_params, who=self._name(k))

    def _blame(self, k, want, theta, v):
        """Raise unless the part is finite where all parts were: theta is to blame then."""
        if self._sound is not None and not np.array_equal(self._sound, theta):
            (answer,) = self._map(_ask, self.parts[k : k + 1], [want], [self._sound], [v])
            if not _has_nan(answer):
                return
        raise ValueError(f"{self._name(k)} answers {want} with NaN.")

    def _name(self, k: int) -> str:
        return f"part {k} of {len(self.parts)} (counted from 0)"

    def subset(self, positions: Any) -> Total:
        """The same on some of the rows, by positions in the parts one after another."""
        positions = check_rows_index(positions, self.n_samples, "positions")
        if positions is None:
            raise TypeError("positions must be an array of integers, got None.")
        parts, begin = [], 0
        for part in self.parts:
            end = begin + part.n_samples
            inside = positions[(begin <= positions) & (positions < end)] - begin
            if inside.size:
                parts.append(subset_of(part, inside))
            begin = end
        return Total(parts, self._map)


def check_term(term: Any, who: str) -> None:
    """Raise TypeError unless an object has all that a term has."""
    missing = [name for name in TERM if not hasattr(term, name)]
    if missing:
        raise TypeError(f"{who} must have {', '.join(missing)}; {shown(term)} has not.")


def subset_of(term: Any, positions: np.ndarray) -> Any:
    """A term on some of its rows, which one of the user's own need not offer."""
    if not hasattr(term, "subset"):
        raise TypeError(
            f"Samples of the rows need a term that has subset(positions); {shown(term)} has not."
        )
    return term.subset(positions)


def rows_that_weigh(term: Any) -> np.ndarray:
    """Positions of a term's rows but those of weight 0, as far as it tells."""
    if isinstance(term, Total):
        found, begin = [], 0
        for part in term.parts:
            found.append(begin + rows_that_weigh(part))
            begin += part.n_samples
        return np.concatenate(found)
    w = term.data.selected[1] if isinstance(term, NetworkTerm) else None
    return np.arange(term.n_samples) if w is None else np.flatnonzero(w)


def checked_sums(answer: Any, want: str, n_params: int, who: str) -> list:
    """Sums of a term from anywhere, of the right shapes; arrays are copied, to be changed."""
    shapes = {"": (), "n": (n_params,), "nn": (n_params, n_params)}
    expected = [shapes.get(letters, letters) for letters in SHAPES[want]]
    found: Any = shown(answer)
    if isinstance(answer, tuple | list):
        found = [_shape(part) for part in answer]
    if found != expected:
        raise ValueError(f"{who} must answer {want} with sums of shapes {expected}; got {found}.")
    return [part.copy() if isinstance(part, np.ndarray) else part for part in answer]


def _shape(part):
    if isinstance(part, Factors):
        return "factors"
    try:
        part = np.asarray(part)
    except ValueError:  # rows of different lengths
        return "ragged"
    return part.shape if part.dtype.kind in "fiub" else f"{part.dtype}"


def _ask(part, want, theta, v):
    """What a map calls, which may be that of other processes."""
    return part.sums(want, theta, v)


def _has_nan(answer) -> bool:
    return any(np.isnan(part).any() for part in answer if not isinstance(part, Factors))
