"""Several threads on the batches of one epoch.

The rows of a batch are cut into shares, each with a gradient of its own; then the panels are: each
share adds up the gradients and makes the step there. Any thread of the team may do any share, so
that sums come out the same, bit by bit, however many threads there are: an assistant that the
machine holds up, or has not started, is not waited for. The leader is the thread that runs the
epoch; the assistants are Python threads inside `assist`, without the GIL, for as long as the epoch
lasts: none is left behind for a fork to trip over.
"""

from libc.stdint cimport uint64_t

from fastmlp._core cimport kernels
from fastmlp._core.kernels cimport fm_flush_begin, fm_flush_end, fm_update_t, real
from fastmlp._core.network cimport Layers, Source
from fastmlp._core.panels cimport PanelTape, tile_gradient

LARGEST_TEAM = FM_MOST_SHARES

cdef enum:
    GRADIENT
    STEP


cdef class Team:
    """The shares of an epoch's batches.

    Parameters
    ----------
    tapes : list of PanelTape
        One per share; all but the first were made with the first as their leader.
    """

    def __cinit__(self, list tapes):
        cdef PanelTape tape
        if not 1 < len(tapes) <= LARGEST_TEAM:
            raise ValueError(f"a team has 2 to {LARGEST_TEAM} shares, got {len(tapes)}")
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
    cdef int call = 0
    cdef uint64_t mode
    with nogil:
        mode = fm_flush_begin()
        while True:
            call = fm_meeting_attend(&team.meeting, call)
            if call < 0:
                break
            take_shares(layers, source, tape, team, t, call, <real *> &theta[0])
        fm_flush_end(mode)


cdef void take_shares(Layers layers, Source source, PanelTape tape, Team team, int t, int call,
                      real *dummy) noexcept nogil:
    """Thread t's share of the task at hand, whose data its cache may hold; then what is left."""
    cdef int k, share
    for k in range(team.size):
        if k > 0 and fm_meeting_left(&team.meeting) == 0:
            return
        share = (t + k) % team.size
        if fm_meeting_take(&team.meeting, share, call):
            if team.task == STEP:
                team.result[share] = share_of_step(layers, tape, team, share, dummy)
            else:
                team.result[share] = share_of_gradient(layers, source, tape, team, share, dummy)
            fm_meeting_done(&team.meeting)


cdef double share_of_gradient(Layers layers, Source source, PanelTape tape, Team team, int share,
                              real *dummy) noexcept nogil:
    """Loss and gradient of one share of the batch's rows, by the activations of any tape."""
    cdef Py_ssize_t n
    cdef Py_ssize_t first = team.rows * share // team.size, start = first
    cdef Py_ssize_t end = team.rows * (share + 1) // team.size
    cdef double value = 0
    cdef void *own = tape.grad
    tape.grad = team.grad[share]
    while start < end:
        n = min(tape.rows, end - start)
        value += tile_gradient(layers, source, tape, team.index + start, n, end - start,
                               start > first, dummy)
        start += n
    tape.grad = own
    return value


cdef double share_of_step(Layers layers, PanelTape tape, Team team, int share,
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
            if turn % team.size == share:
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
    """All shares of a task; the sum of what they return."""
    cdef int share
    cdef double total = 0
    team.task = task
    take_shares(layers, source, tape, team, 0, fm_meeting_call(&team.meeting, team.size), dummy)
    fm_meeting_await(&team.meeting)
    for share in range(team.size):
        total += team.result[share]
    return total


cdef double team_gradient(Layers layers, Source source, PanelTape tape, Team team,
                          const Py_ssize_t *index, Py_ssize_t rows, real *dummy) noexcept nogil:
    """The loss of a batch; its gradient stays in shares until the step."""
    team.index, team.rows = index, rows
    return together(layers, source, tape, team, GRADIENT, dummy)


cdef double team_step(Layers layers, Source source, PanelTape tape, Team team, fm_update_t *u,
                      real *dummy) noexcept nogil:
    """One optimiser step from the shares' gradients; returns ||W||^2 before it."""
    team.update = u[0]
    return together(layers, source, tape, team, STEP, dummy)
