"""Several threads on the batches of one epoch.

The rows of a batch are cut into shares, each with a gradient of its own; then the panels are: each
share adds up the gradients and makes the step there. Any thread of the team may do any share, so
that sums come out the same, bit by bit, however many threads there are: an assistant that the
machine holds up, or has not woken, is not waited for. The leader is the thread that runs the epoch;
the assistants are threads of the crew inside `assist`, without the GIL, for as long as the epoch
lasts.
"""

from libc.stdint cimport uint64_t

from fastmlp._core cimport kernels
from fastmlp._core.crew cimport Work
from fastmlp._core.kernels cimport fm_flush_begin, fm_flush_end
from fastmlp._core.network cimport check_signals
from fastmlp._core.step cimport share_of_step
from fastmlp._core.tape cimport (
    Tape,
    Tape32,
    Tape64,
    backward,
    forward,
    load,
    loss,
    tape_t,
    use,
)

LARGEST_TEAM = FM_MOST_SHARES

cdef enum:
    GRADIENT
    STEP


cdef class Team:
    """The shares of an epoch's batches.

    Parameters
    ----------
    tapes : list of Tape
        One per share; all but the first were made with the first as their leader.
    least_rows : int
        At least 1: of a share; smaller batches are for one thread.
    """

    def __cinit__(self, list tapes, Py_ssize_t least_rows):
        cdef Tape tape
        if not 1 < len(tapes) <= LARGEST_TEAM:
            raise ValueError(f"a team has 2 to {LARGEST_TEAM} shares, got {len(tapes)}")
        self.tapes = tapes
        self.size = len(tapes)
        self.least_batch = least_rows * self.size
        for t in range(self.size):
            tape = tapes[t]
            self.grad[t] = tape.own_grad
        fm_meeting_open(&self.meeting)

    def assistants(self):
        """A work for each share but the first."""
        return [Assistant(self, t) for t in range(1, self.size)]

    def close(self):
        """Let the assistants go."""
        fm_meeting_close(&self.meeting)


cdef class Assistant(Work):
    """Thread t of a team, until that is closed, with a tape of its own."""
    cdef Team team
    cdef Tape tape
    cdef int t

    def __cinit__(self, Team team, int t):
        self.team, self.tape, self.t = team, team.tapes[t], t

    cdef void run(self) noexcept nogil:
        if self.tape.itemsize == sizeof(float):
            assist(<Tape32> self.tape, self.team, self.t)
        else:
            assist(<Tape64> self.tape, self.team, self.t)


cdef void assist(tape_t tape, Team team, int t) noexcept nogil:
    cdef int call = 0
    cdef uint64_t mode = fm_flush_begin()
    while True:
        call = fm_meeting_attend(&team.meeting, call)
        if call < 0:
            break
        take_shares(tape, team, t, call)
    fm_flush_end(mode)


cdef void take_shares(tape_t tape, Team team, int t, int call) noexcept nogil:
    """Thread t's share of the task at hand, whose data its cache may hold; then what is left."""
    cdef int k, share
    for k in range(team.size):
        if k > 0 and fm_meeting_left(&team.meeting) == 0:
            return
        share = (t + k) % team.size
        if fm_meeting_take(&team.meeting, share, call):
            if team.task == STEP:
                team.result[share] = share_of_step(tape, team.step, team.grad, share, team.size)
            else:
                team.result[share] = share_of_gradient(tape, team, share)
            fm_meeting_done(&team.meeting)


cdef void discount(tape_t tape, Py_ssize_t rows) noexcept nogil:
    """After `loss`, in mini-batches alone: delta as the loss's discount has it."""
    cdef Py_ssize_t L = tape.layers.n_layers
    if tape.layers.discount > 0:
        kernels.discount(tape.delta, tape.a[L], rows, tape.layers.n_targets, tape.ld[L],
                         tape.layers.discount)


cdef double batch_gradient(tape_t tape, const Py_ssize_t *index, Py_ssize_t rows,
                           Py_ssize_t left, double *last) except? -1 nogil:
    """The loss of rows by index, whose gradient is left in the tape; the index goes on for
    left >= rows entries. last: when signals were looked at; NULL where nobody may."""
    cdef Py_ssize_t start = 0, n
    cdef double value = 0
    while start < rows:
        n = min(tape.rows, rows - start)
        if last != NULL:
            check_signals(last)
        load(tape, index + start, n, left - start)
        forward(tape, n, True)
        value += loss(tape, n)
        discount(tape, n)
        backward(tape, n, start > 0)
        start += n
    return value


cdef double share_of_gradient(tape_t tape, Team team, int share) noexcept nogil:
    """Loss and gradient of one share of the batch's rows, by the activations of any tape."""
    cdef Py_ssize_t first = team.rows * share // team.size
    cdef Py_ssize_t rows = team.rows * (share + 1) // team.size - first
    cdef double value
    use(&tape.grad, team.grad[share])
    value = batch_gradient(tape, team.index + first, rows, rows, NULL)
    use(&tape.grad, tape.own_grad)
    return value


cdef double together(tape_t tape, Team team, int task) noexcept nogil:
    """All shares of a task; the sum of what they return."""
    cdef int share
    cdef double total = 0
    team.task = task
    take_shares(tape, team, 0, fm_meeting_call(&team.meeting, team.size))
    fm_meeting_await(&team.meeting)
    for share in range(team.size):
        total += team.result[share]
    return total


cdef double team_gradient(tape_t tape, Team team, const Py_ssize_t *index,
                          Py_ssize_t rows) noexcept nogil:
    """The loss of a batch; its gradient stays in shares until the step."""
    team.index, team.rows = index, rows
    return together(tape, team, GRADIENT)


cdef double team_step(tape_t tape, Team team) noexcept nogil:
    """The team's step from the shares' gradients; returns twice the penalty before it."""
    return together(tape, team, STEP)
