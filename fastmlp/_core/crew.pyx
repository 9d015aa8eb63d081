"""Threads that have ended before their caller goes on, and clean-up that nothing cuts short.

Python runs the handlers of signals (Ctrl-C) between two bytecodes of the main thread. Compiled
code has no bytecodes: an exception comes out of a call here, or not at all, and each call can be
answered for.
"""

from _thread import allocate_lock, start_new_thread

cdef enum:
    MOST_ATTEMPTS = 1000    # a step that fails by itself has to come to an end, too


def gather(lead, assist, int n_assistants, stop=None):
    """lead() in this thread; assist(1) .. assist(n_assistants) in threads of their own meanwhile.

    Parameters
    ----------
    lead : callable
        Has to do without assistants where the system has no more threads to give.
    assist : callable
        Ends by itself when ``lead`` has ended, or by ``stop``.
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
    cdef list running = []
    cdef int t
    try:
        for t in range(1, n_assistants + 1):
            done = allocate_lock()
            done.acquire()
            try:
                start_new_thread(guarded, (assist, t, done, errors, stop))
            except RuntimeError:
                break
            running.append(done)
        lead()
    except BaseException as error:
        note(error, errors, stop)
    for done in running:
        while True:
            try:
                done.acquire()
                break
            except BaseException as error:
                note(error, errors, stop)
    if errors:
        raise errors[0]


def guarded(assist, int t, done, list errors, stop):
    """assist(t), whose end is told by done."""
    try:
        assist(t)
    except BaseException as error:
        note(error, errors, stop)
    done.release()


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
