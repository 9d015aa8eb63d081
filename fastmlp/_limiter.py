"""The one limit on BLAS that overlapping fits share.

Most BLAS libraries keep one number of threads for the whole process. Two fits that overlap in two
Python threads would each save and restore it, and the one that leaves last may restore the
other's limit for good. So there is one limiter per process: it counts the requests in force,
applies the strictest, and puts the original back when the last one leaves. Libraries that keep
a number for each thread (MKL, OpenBLAS on OpenMP) are limited in the calling thread alone.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import math
import os
import threading
import time
from collections.abc import Iterable
from typing import NamedTuple

import threadpoolctl

from fastmlp._core.crew import Bracket

# For a thread to come back from compiled code, at the end of the process.
MOST_SECONDS = 10.0


class Request(NamedTuple):
    """A limit in force: on how many threads, who asked, and what it had to itself before."""

    n: int
    thread: int
    before: list[int]  # threads of the libraries that keep a number for each thread


class Limiter:
    """The number of BLAS threads of this process, as a function of the requests in force.

    The lock is reentrant: a signal handler or a finaliser may run inside it and start a fit.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._requests: dict[object, Request] = {}
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
            self._requests[token] = Request(n, threading.get_ident(), before)
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
        strictest = _strictest(self._requests.values())
        for library, original in zip(self._shared, self._originals, strict=True):
            _set_threads(library, min(original, strictest))

    def of_others(self) -> int:
        """The smallest number of threads that any BLAS of this process has but for requests."""
        with self._lock:
            if self._shared is None:
                self._find_libraries()
            requests = list(self._requests.values())
            mine = [request for request in requests if request.thread == threading.get_ident()]
            numbers = _without(self._shared, self._originals, requests)
            numbers += _without(self._per_thread, mine[0].before if mine else None, mine)
            return min(numbers, default=1 << 16)

    def end_others(self) -> None:
        """Let the runs of other threads end with SystemExit, as soon as they are back in Python.

        OpenBLAS, unloaded while a daemon thread's call is with its threads, waits for them for
        ever: what it tells them, to end, is overwritten when they have done that call.
        """
        mine, limit = threading.get_ident(), time.monotonic() + MOST_SECONDS
        with self._lock:
            others = {token: r.thread for token, r in self._requests.items() if r.thread != mine}
        for thread in set(others.values()):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread), ctypes.py_object(SystemExit)
            )
        while not others.keys().isdisjoint(list(self._requests)) and time.monotonic() < limit:
            time.sleep(1e-3)

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


def _strictest(requests: Iterable[Request]) -> float:
    return min((request.n for request in requests), default=math.inf)


def _without(libraries: list, before: list[int] | None, requests: list[Request]) -> list[int]:
    """Threads of libraries that had so many before these requests, as if there were none.

    A number that the requests did not leave there was set by somebody else since.
    """
    numbers = [library.get_num_threads() for library in libraries]
    if before is None:
        return numbers
    strictest = _strictest(requests)
    pairs = zip(numbers, before, strict=True)
    return [first if number == min(first, strictest) else number for number, first in pairs]


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


limiter = Limiter()
atexit.register(limiter.end_others)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=limiter.before_fork,
        after_in_parent=limiter.after_fork_in_parent,
        after_in_child=limiter.after_fork_in_child,
    )
