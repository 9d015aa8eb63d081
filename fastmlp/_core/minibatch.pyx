"""One epoch of mini-batches in one call: gather, forward, loss, backward, update."""

from libc.math cimport INFINITY, pow, sqrt
from libc.stdint cimport uint64_t

from fastmlp._core cimport kernels
from fastmlp._core.kernels cimport FM_UPDATE_adam, fm_update_t, fm_flush_begin, fm_flush_end, real
from fastmlp._core.network cimport (
    Layers,
    Source,
    Tape,
    backward_sweep,
    check_signals,
    forward,
    load,
    seconds,
    tiles,
)
from fastmlp._core.panels cimport PanelTape, pack, step, tile_gradient, turn
from fastmlp._core.team cimport Team, team_gradient, team_step

cdef enum:
    ROWS_PER_THREAD = 8    # smaller shares of a batch are not worth a meeting


cdef struct Step:
    # What one batch's step needs besides the data.
    fm_update_t update
    double weight_decay
    double max_norm


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


def epoch(Layers layers, Source source, Tape tape, PanelTape panels, Team team,
          real[::1] theta, real[::1] grad, state, const Py_ssize_t[::1] order, double alpha, hyper,
          int update_code, Progress progress, double most_seconds):
    """Run the batches of ``order`` from ``progress`` on; theta and state are updated in place.

    The layers are swept over BLAS with ``tape`` and ``grad``, or on ``panels`` unless that is
    None; in shares of a team unless that is None. No batch is begun after ``most_seconds``, but
    for the first; in how many pieces an epoch is done makes no difference to its result.

    Losses are those of the batches, L2 term included. A batch whose weights sum to zero is
    skipped.
    """
    cdef real[::1] first = state.first
    cdef real[::1] second = state.second
    cdef real *second_ = NULL if second is None else &second[0]
    cdef const double[::1] rates = hyper.rates
    cdef Py_ssize_t n = order.shape[0], batch_size = hyper.batch_size
    cdef Py_ssize_t batch = progress.batch, begin, rows, counted = progress.counted
    cdef long long t = state.t
    cdef double total = progress.total, last = 0, weight_sum, rate
    cdef double end = INFINITY if most_seconds == INFINITY else seconds() + most_seconds
    cdef uint64_t mode
    cdef bint on_panels = panels is not None
    cdef Step plan
    plan.update.kind = update_code
    plan.update.momentum = hyper.momentum
    plan.update.beta_1, plan.update.beta_2 = hyper.beta_1, hyper.beta_2
    plan.update.epsilon = hyper.epsilon
    plan.weight_decay = hyper.weight_decay
    plan.max_norm = hyper.max_norm
    if on_panels:
        pack_all(layers, panels, &theta[0], &first[0], second_, False)
    try:
        with nogil:
            while batch < progress.n_batches:
                if batch > progress.batch and end < INFINITY and seconds() >= end:
                    break
                begin = batch * batch_size
                rows = min(batch_size, n - begin)
                rate = rates[batch]
                batch += 1
                weight_sum = sum_of_weights(source, &order[begin], rows, &theta[0])
                if weight_sum <= 0:
                    continue
                set_rate(&plan, rate, t + 1)
                mode = fm_flush_begin()
                try:
                    if on_panels:
                        total += rows * panel_batch(layers, source, panels, team, &order[begin],
                                                    rows, n - begin, weight_sum, alpha, &plan,
                                                    &last, &theta[0])
                    else:
                        total += rows * one_batch(layers, source, tape, &theta[0], &grad[0],
                                                  &first[0], second_, &order[begin], rows,
                                                  weight_sum, alpha, &plan, &last)
                finally:
                    fm_flush_end(mode)
                t += 1
                counted += rows
    finally:
        state.t = t
        if on_panels:
            pack_all(layers, panels, &theta[0], &first[0], second_, True)
    progress.batch, progress.counted, progress.total = batch, counted, total


cdef double sum_of_weights(Source source, const Py_ssize_t *index, Py_ssize_t rows,
                           real *dummy) noexcept nogil:
    """The batch's weights added up; dummy fixes the element type."""
    cdef Py_ssize_t i
    cdef double total = 0
    cdef const real *w = <const real *> source.w
    if w == NULL:
        return <double> rows
    for i in range(rows):
        total += w[index[i]]
    return total


cdef void pack_all(Layers layers, PanelTape tape, real *theta, real *first, real *second,
                   int back) noexcept nogil:
    """theta and its moments into panels, or out of them."""
    pack(layers, tape, tape.theta, theta, back)
    pack(layers, tape, tape.first, first, back)
    if second != NULL:
        pack(layers, tape, tape.second, second, back)


cdef void set_rate(Step *plan, double rate, long long t) noexcept nogil:
    """The rate of step t, Adam's bias correction included; the decay goes by the plain rate."""
    cdef fm_update_t *u = &plan.update
    u.decay = rate * plan.weight_decay
    u.rate = rate
    if u.kind == FM_UPDATE_adam:
        u.rate = rate * sqrt(1 - pow(u.beta_2, <double> t)) / (1 - pow(u.beta_1, <double> t))


cdef double panel_batch(Layers layers, Source source, PanelTape tape, Team team,
                        const Py_ssize_t *index, Py_ssize_t rows, Py_ssize_t left,
                        double weight_sum, double alpha, Step *plan, double *last,
                        real *dummy) except? -1 nogil:
    """Gradient over the batch on panels, then one step; returns the batch's loss.

    The index goes on for left >= rows entries, the batches after this one.
    """
    cdef Py_ssize_t start = 0, n
    cdef double value = 0, norm2
    turn(layers, tape, dummy)
    # Clipping needs the norm of the whole gradient before the step: one thread does it all.
    if team is not None and rows >= ROWS_PER_THREAD * team.size and plan.max_norm == INFINITY:
        check_signals(last)
        value = team_gradient(layers, source, tape, team, index, rows, dummy)
        plan.update.l2, plan.update.scale = alpha, 1 / weight_sum
        norm2 = team_step(layers, source, tape, team, &plan.update, dummy)
        return (value + 0.5 * alpha * norm2) / weight_sum
    while start < rows:
        n = min(tape.rows, rows - start)
        check_signals(last)
        value += tile_gradient(layers, source, tape, index + start, n, left - start, start > 0,
                               dummy)
        start += n
    norm2 = step(layers, tape, &plan.update, 1 / weight_sum, alpha, plan.max_norm, dummy)
    return (value + 0.5 * alpha * norm2) / weight_sum


cdef double one_batch(Layers layers, Source source, Tape tape, real *theta,
                      real *grad, real *first, real *second, const Py_ssize_t *index,
                      Py_ssize_t rows, double weight_sum, double alpha, Step *plan,
                      double *last) except? -1 nogil:
    """Gradient over the batch, tile by tile, then one step; returns the batch's loss."""
    cdef Py_ssize_t tile, start, n
    cdef double value = 0
    for tile in range(tiles(rows, tape)):
        start = tile * tape.rows
        n = min(tape.rows, rows - start)
        check_signals(last)
        load(source, tape, index, start, n, layers.n_targets, theta)
        forward(layers, theta, tape, n, True)
        value += kernels.loss(<real *> tape.delta, <const real *> tape.a[layers.n_layers],
                              <const real *> tape.y, <const real *> tape.w, n, layers.n_raw,
                              &layers.loss)
        backward_sweep(layers, theta, grad, tape, n, start > 0)
    cdef double norm2 = apply_step(layers, theta, grad, first, second, weight_sum, alpha, plan)
    return (value + 0.5 * alpha * norm2) / weight_sum


cdef double apply_step(Layers layers, real *theta, real *grad, real *first, real *second,
                       double weight_sum, double alpha, Step *plan) noexcept nogil:
    """One optimiser step, weights and biases in turn; returns ||W||^2 before it."""
    cdef fm_update_t u = plan.update
    cdef double scale = 1 / weight_sum, l2 = alpha, norm2 = 0
    cdef double[2] sums
    cdef Py_ssize_t l, begin, bias, fan_out
    if plan.max_norm < INFINITY:
        sums[0] = sums[1] = 0
        for l in range(layers.n_layers):
            fan_out = layers.width[l + 1]
            begin, bias = layers.offset[l], layers.offset[l + 1] - fan_out
            kernels.regularise(grad + begin, sums, theta + begin, bias - begin, alpha, scale)
            kernels.regularise(grad + bias, sums, theta + bias, fan_out, 0, scale)
        l2 = 0
        scale = 1 if sums[1] <= plan.max_norm * plan.max_norm else plan.max_norm / sqrt(sums[1])
    for l in range(layers.n_layers):
        fan_out = layers.width[l + 1]
        begin, bias = layers.offset[l], layers.offset[l + 1] - fan_out
        u.l2, u.scale, u.decay = l2, scale, plan.update.decay
        norm2 += kernels.update(theta + begin, first + begin, part(second, begin), grad + begin,
                                bias - begin, &u)
        u.l2, u.decay = 0, 0
        kernels.update(theta + bias, first + bias, part(second, bias), grad + bias, fan_out, &u)
    return norm2


cdef inline real *part(real *moments, Py_ssize_t begin) noexcept nogil:
    """The segment that begins there, of moments that an update may not have."""
    return NULL if moments == NULL else moments + begin
