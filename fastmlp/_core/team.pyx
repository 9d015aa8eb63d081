"""Several threads on the batches of one epoch.

Each thread takes its share of a batch's rows and a gradient of its own; then each takes its share
of the panels, adds up the gradients and makes the step there. The leader is the thread that runs
the epoch; the assistants are Python threads inside `assist`, without the GIL, for as long as the
epoch lasts: none is left behind for a fork to trip over.
"""

from libc.stdint cimport uint64_t

from fastmlp._core cimport kernels
from fastmlp._core.kernels cimport fm_flush_begin, fm_flush_end, fm_update_t, real
from fastmlp._core.network cimport Layers, Source
from fastmlp._core.panels cimport PanelTape, tile_gradient

LARGEST_TEAM = MOST_THREADS

cdef enum:
    GRADIENT
    STEP


cdef class Team:
    """The threads of one epoch.

    Parameters
    ----------
    tapes : list of PanelTape
        One per thread; all but the first were made with the first as their leader.
    """

    def __cinit__(self, list tapes):
        cdef PanelTape tape
        if not 1 < len(tapes) <= MOST_THREADS:
            raise ValueError(f"a team has 2 to {MOST_THREADS} threads, got {len(tapes)}")
        self.tapes = tapes
        self.size = len(tapes)
        for t in range(self.size):
            tape = tapes[t]
            self.grad[t] = tape.grad
        fm_meeting_open(&self.meeting)

    def close(self):
        """Send the assistants home."""
        fm_meeting_close(&self.meeting)


def assist(Layers layers, Source source, Team team, int t, const real[::1] theta):
    """Work as thread t of the team until it is closed; theta gives the element type."""
    cdef PanelTape tape = team.tapes[t]
    cdef int last = 0
    cdef uint64_t mode
    with nogil:
        mode = fm_flush_begin()
        while fm_meeting_attend(&team.meeting, &last):
            share(layers, source, tape, team, t, <real *> &theta[0])
            fm_meeting_done(&team.meeting)
        fm_flush_end(mode)


cdef void share(Layers layers, Source source, PanelTape tape, Team team, int t,
                real *dummy) noexcept nogil:
    """One thread's part of the task at hand."""
    cdef Py_ssize_t start, end, n, first
    cdef double value = 0
    if team.task == STEP:
        team.result[t] = share_of_step(layers, tape, team, t, dummy)
        return
    first = start = team.rows * t // team.size
    end = team.rows * (t + 1) // team.size
    while start < end:
        n = min(tape.rows, end - start)
        value += tile_gradient(layers, source, tape, team.index + start, n, end - start,
                               start > first, dummy)
        start += n
    team.result[t] = value


cdef double share_of_step(Layers layers, PanelTape tape, Team team, int t,
                          real *dummy) noexcept nogil:
    """Gradients added up and the update made on every size-th panel; their ||W||^2 before it."""
    cdef Py_ssize_t l, c, at, n, i, fan_in, fan_out, lanes, width, turn = 0
    cdef int other
    cdef real *grad
    cdef const real *more
    cdef double norm2 = 0
    if real is float:
        lanes = kernels.table.f.padded(2)
    else:
        lanes = kernels.table.d.padded(2)
    for l in range(layers.n_layers):
        fan_in, fan_out = layers.width[l], layers.width[l + 1]
        at = tape.offset[l]
        c = 0
        while c < fan_out:
            width = 1 if fan_out == 1 else 2 * lanes if fan_out - c > lanes else lanes
            n = (fan_in + 1) * width
            if turn % team.size == t:
                grad = <real *> team.grad[0] + at
                for other in range(1, team.size):
                    more = <const real *> team.grad[other] + at
                    for i in range(n):
                        grad[i] += more[i]
                norm2 += kernels.panel_update(
                    <real *> tape.theta + at, <real *> tape.first + at,
                    <real *> tape.second + at, grad, fan_in, width, &team.update)
            turn += 1
            at += n
            c += 2 * lanes
    return norm2


cdef double together(Layers layers, Source source, PanelTape tape, Team team, int task,
                     real *dummy) noexcept nogil:
    """All threads on a task; the sum of what they return."""
    cdef int t
    cdef double total = 0
    team.task = task
    fm_meeting_call(&team.meeting, team.size - 1)
    share(layers, source, tape, team, 0, dummy)
    fm_meeting_await(&team.meeting)
    for t in range(team.size):
        total += team.result[t]
    return total


cdef double team_gradient(Layers layers, Source source, PanelTape tape, Team team,
                          const Py_ssize_t *index, Py_ssize_t rows, real *dummy) noexcept nogil:
    """The loss of a batch; its gradient stays with the threads until the step."""
    team.index, team.rows = index, rows
    return together(layers, source, tape, team, GRADIENT, dummy)


cdef double team_step(Layers layers, Source source, PanelTape tape, Team team, fm_update_t *u,
                      real *dummy) noexcept nogil:
    """One optimiser step from the threads' gradients; returns ||W||^2 before it."""
    team.update = u[0]
    return together(layers, source, tape, team, STEP, dummy)
