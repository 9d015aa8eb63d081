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
    n_segments : int
    code : int
        Of the update, by ``kernels.UPDATES``.
    alpha : float
        L2 strength of the weights.
    hyper
        As ``NetworkObjective.epoch`` takes it.
    """

    def __cinit__(self, Py_ssize_t n_segments, int code, double alpha, hyper):
        cdef fm_update_t *u
        cdef Py_ssize_t k
        self.segment = <fm_update_t *> calloc(n_segments, sizeof(fm_update_t))
        if not self.segment:
            raise MemoryError("no room for the steps of the segments")
        self.n_segments, self.alpha = n_segments, alpha
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

    cdef void scale(self, double scale, double alpha) noexcept nogil:
        """The gradient of the step is (grad + alpha theta) scale, that of biases grad scale."""
        cdef Py_ssize_t k
        for k in range(self.n_segments):
            self.segment[k].l2 = 0 if k % 2 else alpha
            self.segment[k].scale = scale


cdef double one_step(tape_t tape, Step step, double scale) noexcept nogil:
    """A step from the tape's gradient times scale; returns ||W||^2 before it."""
    cdef Py_ssize_t l
    cdef double[2] sums
    step.scale(scale, step.alpha)
    if step.max_norm < INFINITY:
        sums[0] = sums[1] = 0
        for l in range(1, tape.layers.n_layers + 1):
            regularise(tape, l, tape.grad[l], tape.W[l], sums, step.alpha, scale)
        step.scale(1 if sums[1] <= step.max_norm ** 2 else step.max_norm / sqrt(sums[1]), 0)
    return share_of_step(tape, step, &tape.own_grad, 0, 1)


cdef double share_of_step(tape_t tape, Step step, void **grads, int share,
                          int shares) noexcept nogil:
    """The step from as many gradients as there are shares, added up, on one share of the strips;
    returns ||W||^2 of these."""
    cdef Py_ssize_t l, turn = 0
    cdef double norm2 = 0
    for l in range(1, tape.layers.n_layers + 1):
        norm2 += update(tape, l, tape.W[l], tape.first[l], tape.second[l],
                        &step.segment[2 * l - 2], grads, share, shares, &turn)
    return norm2


cdef double update(Tape tape, Py_ssize_t l, real *W, real *first, real *second, fm_update_t *u,
                   void **grads, int share, int shares, Py_ssize_t *turn) noexcept nogil:
    """One layer's part of `share_of_step`; its strips are taken in turn with all others.

    u: what is done to weights, and to biases.
    """
    cdef Py_ssize_t at = 0, c = 0, fan_in = tape.layers.width[l - 1], width, n
    cdef double norm2 = 0
    cdef const real *grad
    if tape.product[l] == CSR:
        return update_rows(tape.sparse, W, first, second, u, <real ***> grads, share, shares)
    while c < tape.layers.width[l]:
        width = strip_width(tape, l, c)
        n = fan_in * width
        if turn[0] % shares == share:
            grad = added_up(<real ***> grads, shares, l, at, n + width)
            norm2 += kernels.update(W + at, first + at, part(second, at), grad, n, &u[0])
            kernels.update(W + at + n, first + at + n, part(second, at + n), grad + n, width, &u[1])
        turn[0] += 1
        at += n + width
        c += width
    return norm2


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


cdef void regularise(Tape tape, Py_ssize_t l, real *grad, const real *W, double *sums, double l2,
                     double scale) noexcept nogil:
    """grad = (grad + l2 W) scale, of biases without l2; sums[0] += ||W||^2, sums[1] += |grad|^2."""
    cdef Py_ssize_t at = 0, c = 0, width, n
    cdef double norm2
    if tape.product[l] == CSR:
        regularise_rows(tape.sparse, grad, W, sums, l2, scale)
        return
    while c < tape.layers.width[l]:
        width = strip_width(tape, l, c)
        n = tape.layers.width[l - 1] * width
        kernels.regularise(grad + at, sums, W + at, n, l2, scale)
        norm2 = sums[0]
        kernels.regularise(grad + at + n, sums, W + at + n, width, 0, scale)
        sums[0] = norm2
        at += n + width
        c += width
