"""One epoch of mini-batches in one call: gather, forward, loss, backward, update."""

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t

from fastmlp._core.kernels cimport fm_flush_begin, fm_flush_end, real
from fastmlp._core.network cimport check_signals, seconds
from fastmlp._core.step cimport Step, one_step
from fastmlp._core.tape cimport Tape, pack, tape_t, turn
from fastmlp._core.team cimport Team, batch_gradient, team_gradient, team_step


cdef class Progress:
    """How far an epoch of n_batches has come.

    Attributes
    ----------
    batch : int
        The next one.
    """
    cdef readonly Py_ssize_t batch, n_batches
    cdef Py_ssize_t counted               # rows
    cdef double total                     # of their losses

    def __cinit__(self, Py_ssize_t n_batches):
        self.n_batches = n_batches

    @property
    def mean(self):
        """Over rows, of the losses of the batches that were not skipped."""
        return self.total / self.counted if self.counted else 0.0


def epoch(tape_t tape, Team team, theta, state, const Py_ssize_t[::1] order,
          const double[::1] strengths, const double[::1] decays, hyper, int update_code,
          Progress progress, double most_seconds):
    """Run the batches of ``order`` from ``progress`` on; theta and state are updated in place.

    In shares of a team unless that is None. No batch is begun after ``most_seconds``, but for the
    first; in how many pieces an epoch is done makes no difference to its result.

    strengths: L2 of each segment of theta, for each batch divided by the sum of its weights.
    decays: 1 for each whose weights decay, else 0.
    Losses are those of the batches, L2 term included. A batch whose weights sum to zero is
    skipped.
    """
    cdef const double[::1] rates = hyper.rates
    cdef Py_ssize_t n = order.shape[0], batch_size = hyper.batch_size
    cdef Py_ssize_t batch = progress.batch, begin, rows, counted = progress.counted
    cdef long long t = state.t
    cdef double total = progress.total, last = 0, weight_sum
    cdef double end = INFINITY if most_seconds == INFINITY else seconds() + most_seconds
    cdef uint64_t mode
    cdef Step step = Step(update_code, strengths, decays, hyper)
    if team is not None:
        team.step = step
    pack_all(tape, theta, state, False)
    try:
        with nogil:
            turn(tape)
            while batch < progress.n_batches:
                if batch > progress.batch and end < INFINITY and seconds() >= end:
                    break
                begin = batch * batch_size
                rows = min(batch_size, n - begin)
                step.rate(rates[batch], t + 1)
                batch += 1
                step.turns = batch < progress.n_batches
                weight_sum = sum_of_weights(tape, &order[begin], rows)
                if weight_sum <= 0:
                    continue
                mode = fm_flush_begin()
                try:
                    total += rows * one_batch(tape, team, &order[begin], rows, n - begin,
                                              weight_sum, step, &last)
                finally:
                    fm_flush_end(mode)
                t += 1
                counted += rows
    finally:
        state.t = t
        pack_all(tape, theta, state, True)
    progress.batch, progress.counted, progress.total = batch, counted, total


cdef double sum_of_weights(Tape tape, const Py_ssize_t *index, Py_ssize_t rows) noexcept nogil:
    """The batch's weights added up."""
    if tape.source.w == NULL:
        return <double> rows
    if tape.source.w_itemsize == sizeof(float):
        return sum_of(<const float *> tape.source.w, index, rows)
    return sum_of(<const double *> tape.source.w, index, rows)


cdef double sum_of(const real *w, const Py_ssize_t *index, Py_ssize_t rows) noexcept nogil:
    cdef Py_ssize_t i
    cdef double total = 0
    for i in range(rows):
        total += w[index[i]]
    return total


cdef int pack_all(tape_t tape, theta, state, bint back) except -1:
    """theta and its moments where the products find them, or back."""
    pack(tape, tape.W, theta, back)
    pack(tape, tape.first, state.first, back)
    if state.second is not None:
        pack(tape, tape.second, state.second, back)
    return 0


cdef double one_batch(tape_t tape, Team team, const Py_ssize_t *index, Py_ssize_t rows,
                      Py_ssize_t left, double weight_sum, Step step, double *last) except? -1 nogil:
    """Gradient over the batch, then one step; returns the batch's loss.

    The index goes on for left >= rows entries, the batches after this one.
    """
    cdef double value, penalty
    # Clipping needs the norm of the whole gradient before the step: one thread does it all.
    if team is not None and rows >= team.least_batch and step.max_norm == INFINITY:
        check_signals(last)
        value = team_gradient(tape, team, index, rows)
        step.scale(1 / weight_sum, False)
        penalty = team_step(tape, team)
    else:
        value = batch_gradient(tape, index, rows, left, last)
        penalty = one_step(tape, step, 1 / weight_sum)
    return (value + 0.5 * penalty) / weight_sum
