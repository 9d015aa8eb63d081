"""One step of an optimiser on the parameters of a tape.

The parameters of a layer are strips, each of so many weights with the biases of its columns behind
them: a panel is one. A W~ that BLAS multiplies is cut into strips of weights, the last of which has
all biases. Of a layer of sparse rows a share is some of the features.
"""

from libc.math cimport INFINITY, pow, sqrt
from libc.stdlib cimport calloc, free

from fastmlp._core cimport kernels
from fastmlp._core.csr cimport regularise_rows, update_rows
from fastmlp._core.kernels cimport FM_UPDATE_adam
from fastmlp._core.tape cimport CSR, PANELS

cdef enum:
    STRIP = 1 << 14    # weights of a strip of a W~ that BLAS multiplies
    # Entries of several gradients that are added up, and updated while they are close and the next
    # ones come.
    BLOCK = 1 << 10

cdef class Step:
    """What an optimiser does to each segment of theta, by its number in the map.

    Parameters
    ----------
    code : int
        Of the update, by ``kernels.UPDATES``.
    strengths, decays : ndarray of shape (n_segments,)
        L2 strength of each; 1 where weights decay, else 0.
    hyper
        As ``NetworkObjective.epoch`` takes it.
    """

    def __cinit__(self, int code, const double[::1] strengths, const double[::1] decays, hyper):
        cdef fm_update_t *u
        cdef Py_ssize_t k, n_segments = strengths.shape[0]
        self.segment = <fm_update_t *> calloc(n_segments, sizeof(fm_update_t))
        if not self.segment:
            raise MemoryError("no room for the steps of the segments")
        self.n_segments, self.strengths, self.decays = n_segments, strengths, decays
        self.weight_decay, self.max_norm = hyper.weight_decay, hyper.max_norm
        self.rate_factors = hyper.rate_factors
        for k in range(n_segments):
            u = &self.segment[k]
            u.kind = code
            u.momentum, u.beta_1, u.beta_2 = hyper.momentum, hyper.beta_1, hyper.beta_2
            u.epsilon = hyper.epsilon
            if self.rate_factors is not None and self.rate_factors[k] == 0:
                u.momentum = 0            # or what it has gathered would move on

    def __dealloc__(self):
        free(self.segment)

    cdef void rate(self, double rate, long long t) noexcept nogil:
        """The rate of step t, Adam's bias correction included; the decay goes by the plain rate."""
        cdef fm_update_t *u
        cdef Py_ssize_t k
        cdef double factor = 1
        cdef double correction = 1
        if self.segment[0].kind == FM_UPDATE_adam:
            u = &self.segment[0]
            correction = sqrt(1 - pow(u.beta_2, <double> t)) / (1 - pow(u.beta_1, <double> t))
        for k in range(self.n_segments):
            if self.rate_factors is not None:
                factor = self.rate_factors[k]
            u = &self.segment[k]
            u.rate = factor * rate * correction
            u.decay = factor * rate * self.weight_decay * self.decays[k]

    cdef void scale(self, double scale, bint penalised) noexcept nogil:
        """The gradient of the step is (grad + strength theta) scale, or grad scale if it holds the
        penalty's."""
        cdef Py_ssize_t k
        for k in range(self.n_segments):
            self.segment[k].l2 = 0 if penalised else self.strengths[k]
            self.segment[k].scale = scale


cdef double one_step(tape_t tape, Step step, double scale) noexcept nogil:
    """A step from the tape's gradient times scale; returns twice the penalty before it."""
    cdef Py_ssize_t l
    cdef double[2] sums
    step.scale(scale, False)
    if step.max_norm < INFINITY:
        sums[0] = sums[1] = 0
        for l in range(1, tape.layers.n_layers + 1):
            regularise(tape, l, tape.grad[l], tape.W[l], sums, step)
        step.scale(1 if sums[1] <= step.max_norm ** 2 else step.max_norm / sqrt(sums[1]), True)
    return share_of_step(tape, step, &tape.own_grad, 0, 1)


cdef double share_of_step(tape_t tape, Step step, void **grads, int share,
                          int shares) noexcept nogil:
    """The step from as many gradients as there are shares, added up, on one share of the strips,
    which are turned, too; returns twice their penalty."""
    cdef Py_ssize_t l, turn = 0
    cdef double penalty = 0
    for l in range(1, tape.layers.n_layers + 1):
        turned = tape.turned[l] if step.turns and l > 1 else NULL
        penalty += update(tape, l, tape.W[l], turned, tape.first[l], tape.second[l], step, grads,
                          share, shares, &turn)
    return penalty


cdef double update(Tape tape, Py_ssize_t l, real *W, real *turned, real *first, real *second,
                   Step step, void **grads, int share, int shares,
                   Py_ssize_t *turn) noexcept nogil:
    """One layer's part of `share_of_step`; its strips are taken in turn with all others."""
    cdef strip_t strip
    cdef Py_ssize_t weights = tape.layers.weights[l], biases = tape.layers.biases[l]
    cdef const fm_update_t *u = step.segment
    cdef double l2 = step.strengths[weights], l2_biases = step.strengths[biases]
    cdef Py_ssize_t at, fan_in = tape.layers.width[l - 1], fan_out = tape.layers.width[l]
    cdef double penalty = 0
    if tape.product[l] == CSR:
        return update_rows(tape.sparse, W, first, second, &u[weights], &u[biases], l2, l2_biases,
                           <real ***> grads, share, shares)
    strip.end = strip.column = strip.biases = 0
    while next_strip(tape, l, &strip):
        turn[0] += 1
        if turn[0] % shares != share:
            continue
        at = strip.end - strip.weights - strip.biases
        penalty += l2 * moved(W, first, second, <real ***> grads, shares, l, at, strip.weights,
                              &u[weights])
        penalty += l2_biases * moved(W, first, second, <real ***> grads, shares, l,
                                     at + strip.weights, strip.biases, &u[biases])
        if turned != NULL and tape.product[l] == PANELS:
            kernels.panel_turn(turned, W, fan_in, fan_out, strip.column,
                               strip.column + strip.biases)
    return penalty


cdef struct strip_t:
    Py_ssize_t column             # its first, of a panel
    Py_ssize_t weights, biases    # entries
    Py_ssize_t end                # in W~ as it is multiplied


cdef inline bint next_strip(Tape tape, Py_ssize_t l, strip_t *strip) noexcept nogil:
    """The strip of layer l that begins where this one ends, padding included; whether there is
    one."""
    cdef Py_ssize_t left = tape.size[l] - strip.end, fan_out = tape.layers.width[l], fan_in
    if left == 0:
        return False
    if tape.product[l] == PANELS:
        fan_in = tape.layers.width[l - 1]
        strip.column += strip.biases
        strip.biases = fan_out
        if fan_out > 1:
            strip.biases = 2 * tape.lanes if fan_out - strip.column > tape.lanes else tape.lanes
        strip.weights = fan_in * strip.biases
    else:
        strip.biases = fan_out if left - fan_out <= STRIP else 0
        strip.weights = STRIP if strip.biases == 0 else left - fan_out
    strip.end += strip.weights + strip.biases
    return True


cdef double moved(real *W, real *first, real *second, real ***grads, int shares, Py_ssize_t l,
                  Py_ssize_t at, Py_ssize_t n, const fm_update_t *u) noexcept nogil:
    """n entries of layer l from there on, by the gradients of all shares, which the first takes in;
    the sum of squares before it."""
    cdef Py_ssize_t end = at + n, block
    cdef int other
    cdef double norm2 = 0
    cdef real *grad = grads[0][l]
    while at < end:
        block = end - at if shares == 1 else min(end - at, BLOCK)
        for other in range(1, shares):
            kernels.add(grad + at, grads[other][l] + at, block, end - at)
        norm2 += kernels.update(W + at, first + at, part(second, at), grad + at, block, u)
        at += block
    return norm2


cdef inline real *part(real *moments, Py_ssize_t at) noexcept nogil:
    """From there on, of moments that an update may not have."""
    return NULL if moments == NULL else moments + at


cdef void regularise(Tape tape, Py_ssize_t l, real *grad, const real *W, double *sums,
                     Step step) noexcept nogil:
    """grad = (grad + l2 theta) scale; sums[1] += |grad|^2."""
    cdef strip_t strip
    cdef const fm_update_t *u = &step.segment[tape.layers.weights[l]]
    cdef const fm_update_t *u_biases = &step.segment[tape.layers.biases[l]]
    if tape.product[l] == CSR:
        regularise_rows(tape.sparse, grad, W, sums, u, u_biases)
        return
    strip.end = strip.column = strip.biases = 0
    while next_strip(tape, l, &strip):
        kernels.regularise(grad, sums, W, strip.weights, u.l2, u.scale)
        grad, W = grad + strip.weights, W + strip.weights
        kernels.regularise(grad, sums, W, strip.biases, u_biases.l2, u_biases.scale)
        grad, W = grad + strip.biases, W + strip.biases
