"""Threads that have done with a call before it ends, and clean-up that nothing cuts short.

A thread that has assisted waits, without the GIL, for the next that can use it: a new one takes
some hundred microseconds to start. It belongs to one caller at a time; another takes another. None
is there when the process forks.

Python runs the handlers of signals (Ctrl-C) between two bytecodes of the main thread. Compiled
code has no bytecodes: an exception comes out of a call here, or not at all, and each call can be
answered for.
"""

import os
from _thread import start_new_thread

from cpython.exc cimport PyErr_CheckSignals

cdef extern from "bell.h" nogil:
    ctypedef struct fm_bell:
        pass
    int fm_bell_hang(fm_bell *b)
    void fm_bell_drop(fm_bell *b)
    void fm_bell_ring(fm_bell *b)
    bint fm_bell_heard(fm_bell *b)
    bint fm_bell_listen(fm_bell *b)

cdef enum:
    MOST_ATTEMPTS = 1000    # a step that fails by itself has to come to an end, too
    MOST_IDLE = 64          # threads that wait

cdef list idle = []


cdef class Work:
    """What a thread is asked to do."""

    cdef void run(self) noexcept nogil:
        pass


cdef class Call(Work):
    """assist(t); what it raises goes to errors, and stops the others."""
    cdef object assist, stop
    cdef int t
    cdef list errors

    def __cinit__(self, assist, int t, list errors, stop):
        self.assist, self.t, self.errors, self.stop = assist, t, errors, stop

    cdef void run(self) noexcept nogil:
        with gil:
            try:
                self.assist(self.t)
            except BaseException as error:
                note(error, self.errors, self.stop)


cdef class Worker:
    """A thread that does one work after another."""
    cdef fm_bell call, done
    cdef Work work                        # None: it ends

    def __cinit__(self):
        if fm_bell_hang(&self.call) or fm_bell_hang(&self.done):
            raise MemoryError("no room for a thread's locks")

    def __dealloc__(self):
        fm_bell_drop(&self.call)
        fm_bell_drop(&self.done)

    cdef void ask(self, Work work) noexcept:
        self.work = work
        fm_bell_ring(&self.call)


def serve(Worker worker):
    """What a thread does as long as it lives."""
    with nogil:
        while True:
            while not fm_bell_listen(&worker.call):
                pass
            if worker.work is None:
                break
            worker.work.run()
            fm_bell_ring(&worker.done)
    fm_bell_ring(&worker.done)


cdef Worker hired():
    """A thread that waits, or a new one; None where the system has no more to give."""
    try:
        return idle.pop()
    except IndexError:
        pass
    worker = Worker()
    try:
        start_new_thread(serve, (worker,))
    except RuntimeError:
        return None
    return worker


def dismiss():
    """End the threads that wait."""
    cdef Worker worker
    cdef list leaving = []
    while idle:
        worker = idle.pop()
        worker.ask(None)
        leaving.append(worker)
    for worker in leaving:
        with nogil:
            while not fm_bell_listen(&worker.done):
                pass


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=dismiss, after_in_child=idle.clear)


def gather(lead, assist, int n_assistants, stop=None):
    """lead() in this thread; assist(1) .. assist(n_assistants) in others meanwhile.

    Parameters
    ----------
    lead : callable
        Has to do without assistants where the system has no more threads to give.
    assist : callable
        Ends by itself when ``lead`` has ended, or by ``stop``. One that has not begun by then is
        left out: a busy machine may keep a thread waiting.
    n_assistants : int
        At most so many.
    stop : callable, optional
        Tells all to end early; called, in any thread and perhaps several times, where anything
        was raised.

    Raises
    ------
    BaseException
        The first that was raised, here or there, when all have ended.
    """
    cdef list errors = []
    accompany(lead, [Call(assist, t, errors, stop) for t in range(1, n_assistants + 1)], stop,
              errors)


def accompany(lead, list works, stop, list errors=None):
    """`gather` with works of compiled code, which raise nothing and need no GIL."""
    cdef list running = []
    cdef Worker worker
    cdef Work work
    errors = [] if errors is None else errors
    try:
        for work in works:
            worker = hired()
            if worker is None:
                break
            running.append(worker)
            worker.ask(work)
        lead()
    except BaseException as error:
        note(error, errors, stop)
    for worker in running:
        if not fm_bell_heard(&worker.call):
            await_end(worker, errors, stop)
        worker.work = None
        if len(idle) < MOST_IDLE:
            idle.append(worker)
        else:
            worker.ask(None)
    if errors:
        raise errors[0]


cdef await_end(Worker worker, list errors, stop):
    """Wait for the end of the worker's work; handlers of signals run meanwhile."""
    cdef bint done = False
    while not done:
        with nogil:
            done = fm_bell_listen(&worker.done)
        try:
            PyErr_CheckSignals()
        except BaseException as error:
            note(error, errors, stop)


cdef note(error, list errors, stop):
    errors.append(error)
    if stop is None:
        return
    try:
        finish(stop)
    except BaseException as another:
        errors.append(another)


def finish(step):
    """step() to its end, begun again as often as the handler of a signal breaks into it.

    Parameters
    ----------
    step : callable
        May be repeated from any point on.

    Raises
    ------
    BaseException
        What was raised first, at the end.
    """
    cdef int _attempt
    first = None
    for _attempt in range(MOST_ATTEMPTS):
        try:
            step()
            break
        except BaseException as error:
            if first is None:
                first = error
    if first is not None:
        raise first


cdef class Bracket:
    """``with Bracket(enter, leave)``: enter() before the block, leave() after it, to its end.

    leave is called even where something broke into enter, and bears to be repeated.
    """
    cdef object enter, leave

    def __cinit__(self, enter, leave):
        self.enter = enter
        self.leave = leave

    def __enter__(self):
        try:
            self.enter()
        except BaseException:
            finish(self.leave)
            raise

    def __exit__(self, kind, error, traceback):
        finish(self.leave)
        return False


cdef class Attempt:
    """``with Attempt(undo)``: undo(), to its end, if the block raises anything."""
    cdef object undo

    def __cinit__(self, undo):
        self.undo = undo

    def __enter__(self):
        pass

    def __exit__(self, kind, error, traceback):
        if kind is not None:
            finish(self.undo)
        return False
