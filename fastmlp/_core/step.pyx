"""One step of an optimiser on the parameters of a tape.

The parameters of a layer are strips, each of so many weights with the biases of its columns behind
them: a panel is one, and so is a W~ that BLAS multiplies. Of a layer of sparse rows a share is some
of the features.
"""

from libc.math cimport INFINITY, pow, sqrt
from libc.stdlib cimport calloc, free

from fastmlp._core cimport kernels
from fastmlp._core.csr cimport regularise_rows, update_rows
from fastmlp._core.kernels cimport FM_UPDATE_adam
from fastmlp._core.tape cimport CSR, PANELS


cdef class Step:
    """What an optimiser does to each segment of theta: W_1, b_1, W_2, ...

    Parameters
    ----------
    code : int
        Of the update, by ``kernels.UPDATES``.
    strengths : ndarray of shape (n_segments,)
        L2 strength of each.
    hyper
        As ``NetworkObjective.epoch`` takes it.
    """

    def __cinit__(self, int code, const double[::1] strengths, hyper):
        cdef fm_update_t *u
        cdef Py_ssize_t k, n_segments = strengths.shape[0]
        self.segment = <fm_update_t *> calloc(n_segments, sizeof(fm_update_t))
        if not self.segment:
            raise MemoryError("no room for the steps of the segments")
        self.n_segments, self.strengths = n_segments, strengths
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
            u.decay = 0 if k % 2 else factor * rate * self.weight_decay

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
            regularise(tape, l, tape.grad[l], tape.W[l], sums, &step.segment[2 * l - 2])
        step.scale(1 if sums[1] <= step.max_norm ** 2 else step.max_norm / sqrt(sums[1]), True)
    return share_of_step(tape, step, &tape.own_grad, 0, 1)


cdef double share_of_step(tape_t tape, Step step, void **grads, int share,
                          int shares) noexcept nogil:
    """The step from as many gradients as there are shares, added up, on one share of the strips;
    returns twice their penalty."""
    cdef Py_ssize_t l, turn = 0
    cdef double penalty = 0
    for l in range(1, tape.layers.n_layers + 1):
        penalty += update(tape, l, tape.W[l], tape.first[l], tape.second[l],
                          &step.segment[2 * l - 2], &step.strengths[2 * l - 2], grads, share,
                          shares, &turn)
    return penalty


cdef double update(Tape tape, Py_ssize_t l, real *W, real *first, real *second, fm_update_t *u,
                   const double *strengths, void **grads, int share, int shares,
                   Py_ssize_t *turn) noexcept nogil:
    """One layer's part of `share_of_step`; its strips are taken in turn with all others.

    u, strengths: of weights, and of biases.
    """
    cdef Py_ssize_t at = 0, c = 0, fan_in = tape.layers.width[l - 1], width, n
    cdef double penalty = 0
    cdef const real *grad
    if tape.product[l] == CSR:
        return update_rows(tape.sparse, W, first, second, u, strengths, <real ***> grads, share,
                           shares)
    while c < tape.layers.width[l]:
        width = strip_width(tape, l, c)
        n = fan_in * width
        if turn[0] % shares == share:
            grad = added_up(<real ***> grads, shares, l, at, n + width)
            penalty += strengths[0] * kernels.update(W + at, first + at, part(second, at), grad, n,
                                                     &u[0])
            at += n
            penalty += strengths[1] * kernels.update(W + at, first + at, part(second, at),
                                                     grad + n, width, &u[1])
            at -= n
        turn[0] += 1
        at += n + width
        c += width
    return penalty


cdef Py_ssize_t strip_width(Tape tape, Py_ssize_t l, Py_ssize_t c) noexcept nogil:
    """Of the strip that begins at column c, padding included."""
    cdef Py_ssize_t fan_out = tape.layers.width[l]
    if fan_out == 1 or tape.product[l] != PANELS:
        return fan_out
    return 2 * tape.lanes if fan_out - c > tape.lanes else tape.lanes


cdef const real *added_up(real ***grads, int shares, Py_ssize_t l, Py_ssize_t at,
                          Py_ssize_t n) noexcept nogil:
    """n entries of layer l's gradient, which the first share takes in from all others."""
    cdef Py_ssize_t i
    cdef int other
    cdef real *grad = grads[0][l] + at
    cdef const real *more
    for other in range(1, shares):
        more = grads[other][l] + at
        for i in range(n):
            grad[i] += more[i]
    return grad


cdef inline real *part(real *moments, Py_ssize_t at) noexcept nogil:
    """From there on, of moments that an update may not have."""
    return NULL if moments == NULL else moments + at


cdef void regularise(Tape tape, Py_ssize_t l, real *grad, const real *W, double *sums,
                     fm_update_t *u) noexcept nogil:
    """grad = (grad + l2 theta) scale, by u of weights and of biases; sums[1] += |grad|^2."""
    cdef Py_ssize_t at = 0, c = 0, width, n
    if tape.product[l] == CSR:
        regularise_rows(tape.sparse, grad, W, sums, u)
        return
    while c < tape.layers.width[l]:
        width = strip_width(tape, l, c)
        n = tape.layers.width[l - 1] * width
        kernels.regularise(grad + at, sums, W + at, n, u[0].l2, u[0].scale)
        at += n
        kernels.regularise(grad + at, sums, W + at, width, u[1].l2, u[1].scale)
        at += width
        c += width
