"""How many threads work is worth, how many it may have, and the team that does it.

One table says from how much work on a further thread is worth it; a :class:`Watch` sees while they
work whether they gain anything; :class:`Threads` has what one fit may use.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from fastmlp._core.crew import accompany, gather
from fastmlp._core.team import LARGEST_TEAM, Team
from fastmlp._limiter import limiter


class Worth(NamedTuple):
    """From how many flop on work is worth threads; a multiplication with its addition is two.

    Attributes
    ----------
    per_thread : float
        What each thread has to do in one call.
    least : float
        Less than this in one piece of work is for one thread, unless a number of threads is given.
    """

    per_thread: float
    least: float = 0.0


# By kind of work.
WORTH = {
    # A call of BLAS, whose threads are there. Waking a second one gains from 4 MFLOP of sgemm on,
    # and from 16 of dgemm, of which a sweep holds three.
    "blas": Worth(1e7),
    # A sweep over all rows, whose threads are started for it; in less, some half a millisecond, a
    # busy machine may not give a started thread its turn.
    "sweep": Worth(1.5e6, least=2e7),
    # A batch of an epoch, whose team is there (`python -m bench threads`: 2 threads take 0.6, 1.0
    # and 1.5 times less on 0.03, 1.4 and 4.2 MFLOP a batch). An epoch of less than some ten
    # milliseconds of one core is what a thread waits for its turn on a busy machine.
    "batch": Worth(1.5e6, least=5e8),
    # Matrices and products with them: threads are started, and each keeps tapes of its own.
    "curvature": Worth(4e7),
    # Rows through packed weights: a second thread gains from 1.5 ms on, and takes 0.1 to 0.5 to
    # start.
    "prediction": Worth(5e7),
}
# Of the work above per row and parameter where it is not large products: activations and small
# products are dearer.
FLOP_PER_PARAM = 120.0
# Rows: smaller shares of a batch are not worth a meeting.
LEAST_SHARE = 8
# Shares of a prediction for each thread: one that the machine holds up leaves its next share to
# the others.
SHARES = 4
# Multiplications during which the GIL is not worth giving away to other threads.
BRIEF = 1 << 15

# Seconds of work by which a team and one thread are compared: a few turns of a busy machine's
# scheduler, which gives a core to one thread for three or four milliseconds.
TRIAL = 0.010
LONE_TRIAL = 0.006
# Of work by a team that gained, before it is asked again.
TRUST = 0.5
# What a team has to do more than one thread in the same time.
LEAST_GAIN = 1.1
# The comparisons in a row that a team has to lose: one may be somebody else's fault.
LOST = 2
# A piece of work that takes longer than this gains whatever the scheduler does, and to try it with
# one thread would cost more than it tells.
LONG_PIECE = 0.02


class Watch:
    """One kind of work, in pieces of equal size: periods with a team, short trials with one thread.

    A team that loses is dissolved for good. What is worked out does not depend on it: shares are
    the same, and added up in the same order, whoever does them.

    Attributes
    ----------
    alone : bool
        Whether the next pieces are for one thread.
    dissolved : bool
        Whether all further ones are.
    used : int
        The most threads that a piece was done by, since somebody last set it to 1.
    """

    def __init__(self):
        self.used = 1
        self.dissolved = False
        self.alone = False
        self._losses = 0
        self._team_speed = 0.0
        self._begin(TRIAL)

    def _begin(self, seconds):
        self._wanted, self._seconds, self._pieces = seconds, 0.0, 0.0

    @property
    def seconds_left(self) -> float:
        """After how much more work `note` wants to be told; inf where it does not matter."""
        return math.inf if self.dissolved else max(self._wanted - self._seconds, 0.0)

    def note(self, pieces: float, seconds: float, n_threads: int) -> None:
        """So many pieces of work were done, in the way that ``alone`` says."""
        if not self.alone:
            self.used = max(self.used, n_threads)
        if self.dissolved or pieces <= 0:
            return
        self._pieces += pieces
        self._seconds += seconds
        if self._seconds < self._wanted:
            return
        speed = self._pieces / max(self._seconds, 1e-9)
        if self.alone:
            self._judge(speed)
        elif 1 / speed > LONG_PIECE:
            self._begin(TRUST)
        else:
            self._team_speed, self.alone = speed, True
            self._begin(LONE_TRIAL)

    def _judge(self, lone_speed):
        won = self._team_speed >= LEAST_GAIN * lone_speed
        self._losses = 0 if won else self._losses + 1
        self.alone = self.dissolved = self._losses == LOST
        self._begin(TRUST if won else TRIAL)


class Threads:
    """The threads that the work on some data may have.

    Parameters
    ----------
    n_threads : int, optional
        At most; None: the cores of this process. Small work is done by one.

    Attributes
    ----------
    watches : dict of str to Watch
        By kind of work.
    """

    def __init__(self, n_threads: int | None = None):
        self.n_threads = n_threads
        self.watches: defaultdict[str, Watch] = defaultdict(Watch)
        self._of_parts: Threads | None = None

    def of_parts(self) -> Threads:
        """Those of work on parts of the data, which come and go; their watches stay."""
        if self._of_parts is None:
            self._of_parts = Threads()
        self._of_parts.n_threads = self.n_threads
        return self._of_parts

    def allowed(self) -> int:
        """At most so many."""
        return threads_in_force(self.n_threads or available_cpus())

    def wanted(self, work: str, flops: float, in_all: float | None = None) -> int:
        """How many so many flop in one call are worth, at most those that are allowed.

        Parameters
        ----------
        work : str
            A key of :data:`WORTH`.
        flops : float
            In a call.
        in_all : float, optional
            In all calls of a piece of work; by default it is one call.
        """
        worth = WORTH[work]
        few = (flops if in_all is None else in_all) < worth.least and self.n_threads is None
        n = int(min(flops / worth.per_thread, LARGEST_TEAM))
        return 1 if n < 2 or few else min(n, self.allowed())

    def used(self) -> int:
        """The most that any work had since the last time this was asked."""
        most = 1 if self._of_parts is None else self._of_parts.used()
        for watch in self.watches.values():
            most, watch.used = max(most, watch.used), 1
        return most


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
    return limiter.limit(int(n))


def available_cpus() -> int:
    """Count the cores that this process may use: its affinity mask, and its cgroup's CPU quota.

    A quota of 2.5 cores counts as 2: a third thread would be throttled.
    """
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    return max(1, math.floor(min(cpus, _quota_in(int(time.monotonic())))))


def worth_of_blas(flops: float) -> int:
    """How many threads of BLAS calls of so many flop are worth, at most the cores."""
    n = int(min(flops / WORTH["blas"].per_thread, 1 << 16))
    return 1 if n <= 1 else min(n, available_cpus())


def threads_in_force(n: int) -> int:
    """At most n, and at most what others leave to BLAS.

    So ``threadpoolctl.threadpool_limits``, OPENBLAS_NUM_THREADS and joblib's workers limit the
    project's own threads as they do those of BLAS; blocks of :func:`blas_threads` do not.
    """
    return max(1, min(n, limiter.of_others(), LARGEST_TEAM))


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


def with_team(work, tapes, alone=False, calls_blas=False):
    """work(team) while a thread for every tape but the first assists, or none if alone."""
    team = Team(tapes, LEAST_SHARE)

    def lead():
        try:
            work(team)
        finally:
            team.close()

    with blas_threads(1 if calls_blas else None):
        accompany(lead, [] if alone else team.assistants(), team.close)


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
