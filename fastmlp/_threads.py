"""How many threads a fit may use, and the one limit on BLAS that overlapping fits share.

Most BLAS libraries keep one number of threads for the whole process. Two fits that overlap in two
Python threads would each save and restore it, and the one that leaves last may restore the
other's limit for good. So there is one limiter per process: it counts the requests in force,
applies the strictest, and puts the original back when the last one leaves. Libraries that keep
a number for each thread (MKL, OpenBLAS on OpenMP) are limited in the calling thread alone.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import threadpoolctl

from fastmlp._core.crew import Bracket, gather
from fastmlp._core.team import LARGEST_TEAM
from fastmlp._watch import Watch

# Below this many floating-point operations per thread and call, waking a second thread costs more
# than it saves (measured: sgemm gains from 4 MFLOP, dgemm from 16, of which a sweep holds three).
FLOPS_PER_THREAD = 1e7


class _Request(NamedTuple):
    """A limit in force: on how many threads, who asked, and what it had to itself before."""

    n: int
    thread: int
    before: list[int]  # threads of the libraries that keep a number for each thread


class _BlasLimiter:
    """The number of BLAS threads of this process, as a function of the requests in force.

    The lock is reentrant: a signal handler or a finaliser may run inside it and start a fit.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._requests: dict[object, _Request] = {}
        self._originals: list[int] | None = (
            None  # of the shared libraries, while there are requests
        )
        self._shared: list | None = None
        self._per_thread: list = []

    def _find_libraries(self) -> None:
        import scipy.linalg  # noqa: F401  (loads the BLAS that the compiled core calls)

        blas = threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers
        self._per_thread = [library for library in blas if _is_per_thread(library)]
        self._shared = [library for library in blas if not _is_per_thread(library)]

    def limit(self, n: int) -> Bracket:
        """A block in which no BLAS has more than n threads."""
        token = object()
        return Bracket(
            functools.partial(self._enter, token, n), functools.partial(self._leave, token)
        )

    def _enter(self, token: object, n: int) -> None:
        with self._lock:
            if self._shared is None:
                self._find_libraries()
            if self._originals is None:
                self._originals = [library.get_num_threads() for library in self._shared]
            before = [library.get_num_threads() for library in self._per_thread]
            self._requests[token] = _Request(n, threading.get_ident(), before)
            self._apply()
            for library, threads in zip(self._per_thread, before, strict=True):
                _set_threads(library, min(n, threads))

    def _leave(self, token: object) -> None:
        """Withdraw a request; one that Ctrl-C kept from being made counts as withdrawn.

        Whatever a signal's handler breaks off here is done by the next call.
        """
        with self._lock:
            request = self._requests.get(token)
            if request is not None:
                for library, threads in zip(self._per_thread, request.before, strict=True):
                    _set_threads(library, threads)
                self._requests.pop(token)
            if self._originals is not None:
                self._apply()
                if not self._requests:
                    self._originals = None

    def _apply(self) -> None:
        strictest = min((request.n for request in self._requests.values()), default=math.inf)
        for library, original in zip(self._shared, self._originals, strict=True):
            _set_threads(library, min(original, strictest))

    def in_force(self) -> int:
        """The smallest number of threads that any BLAS of this process has now."""
        with self._lock:
            if self._shared is None:
                self._find_libraries()
            libraries = [*self._shared, *self._per_thread]
            return min((library.get_num_threads() for library in libraries), default=1 << 16)

    def before_fork(self) -> None:
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Keep the requests of the one thread that lives on; those of the others died with them.

        BLAS itself is not called here: the next request, or its end, sets its number right.
        """
        self._lock = threading.RLock()
        survivor = threading.get_ident()
        self._requests = {
            token: request
            for token, request in self._requests.items()
            if request.thread == survivor
        }


def _is_per_thread(library) -> bool:
    """Tell whether threadpoolctl sets this library's number for the calling thread alone."""
    return library.internal_api == "mkl" or (
        library.internal_api == "openblas" and library.threading_layer == "openmp"
    )


def _set_threads(library, n: int) -> None:
    """Set a library's number of threads, whichever thread set it last.

    threadpoolctl lets one thread at a time control OpenBLAS and ignores all others. That would
    lose the limit, or its end, of overlapping fits; here the limiter arbitrates.
    """
    if library.get_num_threads() == n:
        return
    give_up_control = getattr(library, "clear_controlling_thread", None)
    if give_up_control is None:
        library.set_num_threads(n)
        return
    give_up_control(force=True)
    try:
        library.set_num_threads(n)
    finally:
        give_up_control(force=True)


_limiter = _BlasLimiter()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_limiter.before_fork,
        after_in_parent=_limiter.after_fork_in_parent,
        after_in_child=_limiter.after_fork_in_child,
    )


def blas_threads(n: int | None) -> contextlib.AbstractContextManager:
    """Let BLAS use at most `n` threads inside the block.

    Where blocks overlap, nested or in several Python threads, the strictest holds, and it holds
    for the whole process. None raises the number above what it was when the first block was
    entered; when the last one is left, that number is back, in whatever order they end.

    Parameters
    ----------
    n : int or None
        At least 1. None leaves BLAS alone.

    Raises
    ------
    ValueError
        If `n` is below 1.
    """
    if n is None:
        return contextlib.nullcontext()
    if n < 1:
        raise ValueError(f"The number of threads must be at least 1, got {n}.")
    return _limiter.limit(int(n))


def available_cpus() -> int:
    """Count the cores that this process may use: its affinity mask, and its cgroup's CPU quota.

    A quota of 2.5 cores counts as 2: a third thread would be throttled.
    """
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    return max(1, math.floor(min(cpus, _quota_in(int(time.monotonic())))))


def default_threads(flops_per_call: float) -> int:
    """Choose a number of threads: one for small work, at most the cores of this process.

    Parameters
    ----------
    flops_per_call : float
        Floating-point operations of one native sweep (forward and backward over one batch or
        one tile of rows): about 6 * rows * n_params.

    Returns
    -------
    int
        At least 1.
    """
    wanted = int(min(flops_per_call / FLOPS_PER_THREAD, 1 << 16))
    return 1 if wanted <= 1 else min(wanted, available_cpus())


def threads_in_force(n: int) -> int:
    """At most n, and at most the limit that is in force for BLAS, whoever set it.

    So ``threadpoolctl.threadpool_limits``, OPENBLAS_NUM_THREADS and joblib's workers limit the
    project's own threads as they do those of BLAS.
    """
    return max(1, min(n, _limiter.in_force(), LARGEST_TEAM))


def in_threads(
    work: Callable[[int], None],
    count: int,
    n_threads: int | None = None,
    *,
    calls_blas: bool = False,
    watch: Watch | None = None,
) -> None:
    """work(0) .. work(count - 1), by several threads: each takes the next that nobody has taken.

    This thread is one of them; where there is no other to be had, it does them all.

    Parameters
    ----------
    work : callable
        Releases the GIL for most of its time.
    count : int
        At least 1.
    n_threads : int, optional
        As many as there are pieces by default, and at most ``LARGEST_TEAM``.
    calls_blas : bool
        Whether BLAS has to be held to one thread meanwhile.
    watch : Watch, optional
        Is told of the call as of one piece, and may want it done by this thread alone.

    Raises
    ------
    BaseException
        The first that a call of ``work`` raised, when all have ended; pieces that nobody had
        taken by then are left undone.
    """
    if count == 1:
        work(0)
        return
    n_threads = min(count if n_threads is None else n_threads, count, LARGEST_TEAM)
    alone = n_threads == 1 or (watch is not None and watch.alone)
    start = time.perf_counter()
    with blas_threads(1 if calls_blas else None):
        each_once(work, range(count), 1 if alone else n_threads)
    if watch is not None:
        watch.note(1, time.perf_counter() - start, n_threads)


def each_once(
    work: Callable[[Any], None],
    items: Iterable,
    n_threads: int,
    stopped: list | None = None,
) -> None:
    """work(item) for each of the items, which are drawn as they are needed, by several threads.

    Parameters
    ----------
    work : callable
        As for :func:`in_threads`.
    items : iterable
        Asked by one thread at a time.
    n_threads : int
        At least 1, this one among them.
    stopped : list, optional
        Of no entries. It has some as soon as anything was raised, and whoever appends to it ends
        it all: nothing further is drawn.

    Raises
    ------
    BaseException
        The first that was raised, when all have ended.
    """
    items, drawing, nothing = iter(items), threading.Lock(), object()
    stopped = [] if stopped is None else stopped

    def take(thread=0):
        while not stopped:
            with drawing:
                item = next(items, nothing)
            if item is nothing:
                return
            work(item)

    gather(take, take, n_threads - 1, functools.partial(stopped.append, True))


@functools.lru_cache(maxsize=1)
def _quota_in(second: int) -> float:
    """The quota, read once a second at most: it takes half a millisecond."""
    return _cgroup_quota()


def _cgroup_quota(
    membership: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> float:
    """Return the tightest CPU quota over this process's cgroup and its ancestors, in cores.

    Infinite where there is none. Both hierarchies are read: version 2 (`cpu.max`) and version 1
    (`cpu.cfs_quota_us`). Inside a container the path may be the host's; its ancestors, in the end
    the root of the mount, still hold the container's quota.
    """
    quota = math.inf
    for line in _read(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mount, read_quota = root, _quota_v2
        elif "cpu" in controllers.split(","):
            mount, read_quota = root / "cpu", _quota_v1
        else:
            continue
        group = mount / path.lstrip("/")
        for folder in (group, *group.parents):
            quota = min(quota, read_quota(folder))
            if folder == mount:
                break
    return quota


def _quota_v2(folder: Path) -> float:
    match _read(folder / "cpu.max").split():
        case [limit, period] if limit != "max":
            return int(limit) / int(period)
    return math.inf


def _quota_v1(folder: Path) -> float:
    limit, period = (_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    return int(limit) / int(period) if limit and period and int(limit) > 0 else math.inf


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
