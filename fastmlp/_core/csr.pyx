"""The gradient of a first layer of sparse rows, kept as rows for the features that occur.

A batch meets few of many features. Row 0 is the gradient of the biases, feature j has row place[j],
none if that is 0, and place[fan_in] is the number of the last row. Of all others the loss has no
gradient: an optimiser moves them by their L2 term and their moments alone.
"""

from libc.string cimport memcpy, memset

from fastmlp._core cimport kernels

cdef enum:
    QUIET = 2048    # entries of an empty gradient that are updated at once


cdef SparseGrad sparse_grad(Py_ssize_t fan_in, Py_ssize_t fan_out, size_t itemsize) noexcept nogil:
    """Its sizes; it takes (fan_in + 1) ld entries at most."""
    cdef SparseGrad g
    g.fan_in, g.fan_out, g.ld = fan_in, fan_out, kernels.padded(fan_out, itemsize)
    g.places = ((fan_in + 1) * sizeof(Py_ssize_t) + 63) & ~<size_t> 63
    return g


cdef Py_ssize_t *places(SparseGrad g, const real *grad) noexcept nogil:
    """The numbers of the rows, which lie before them."""
    return <Py_ssize_t *> (<char *> grad - g.places)


cdef void clear_rows(SparseGrad g, real *grad) noexcept nogil:
    """No feature has occurred."""
    memset(places(g, grad), 0, (g.fan_in + 1) * sizeof(Py_ssize_t))
    memset(grad, 0, g.ld * sizeof(real))


cdef Py_ssize_t new_row(SparseGrad g, Py_ssize_t *place, Py_ssize_t j) noexcept nogil:
    place[g.fan_in] += 1
    place[j] = place[g.fan_in]
    return place[j]


cdef void fill_rows(SparseGrad g, real *grad) noexcept nogil:
    """A row of zeros for every feature that has none."""
    cdef Py_ssize_t j
    cdef Py_ssize_t *place = places(g, grad)
    for j in range(g.fan_in):
        if place[j] == 0:
            memset(grad + new_row(g, place, j) * g.ld, 0, g.ld * sizeof(real))


cdef void add_rows(SparseGrad g, real *grad, const real *other) noexcept nogil:
    """grad += other"""
    cdef Py_ssize_t i, j
    cdef Py_ssize_t *place = places(g, grad)
    cdef const Py_ssize_t *from_ = places(g, other)
    for i in range(g.fan_out):
        grad[i] += other[i]
    for j in range(g.fan_in):
        if from_[j] == 0:
            continue
        if place[j] == 0:
            memcpy(grad + new_row(g, place, j) * g.ld, other + from_[j] * g.ld,
                   g.ld * sizeof(real))
        else:
            for i in range(g.fan_out):
                grad[place[j] * g.ld + i] += other[from_[j] * g.ld + i]


cdef void spread_rows(SparseGrad g, real *flat, const real *grad) noexcept nogil:
    """Laid out as theta: (fan_in + 1) rows of fan_out, the biases last."""
    cdef Py_ssize_t j
    cdef const Py_ssize_t *place = places(g, grad)
    for j in range(g.fan_in):
        if place[j]:
            memcpy(flat + j * g.fan_out, grad + place[j] * g.ld, g.fan_out * sizeof(real))
        else:
            memset(flat + j * g.fan_out, 0, g.fan_out * sizeof(real))
    memcpy(flat + g.fan_in * g.fan_out, grad, g.fan_out * sizeof(real))


cdef real *added_up(SparseGrad g, real ***grads, int shares, Py_ssize_t j) noexcept nogil:
    """Row j of the first layer's gradients, the biases for j = fan_in, or NULL; all are added to
    the first that has it."""
    cdef Py_ssize_t i, at = 0
    cdef int k
    cdef real *sums = NULL
    cdef const real *more
    for k in range(shares):
        if j < g.fan_in:
            at = places(g, grads[k][1])[j]
            if at == 0:
                continue
        more = grads[k][1] + at * g.ld
        if sums == NULL:
            sums = <real *> more
        else:
            for i in range(g.fan_out):
                sums[i] += more[i]
    return sums


cdef double update_rows(SparseGrad g, real *W, real *first, real *second, const fm_update_t *u,
                        const fm_update_t *u_biases, double l2, double l2_biases, real ***grads,
                        int share, int shares) noexcept nogil:
    """One share of the features, from as many gradients as there are shares, added up; the biases
    with the last. Returns twice the penalty before it."""
    cdef Py_ssize_t j, begin = g.fan_in * share // shares, end = g.fan_in * (share + 1) // shares
    cdef Py_ssize_t quiet = begin         # features from here on have met no gradient
    cdef double norm2 = 0
    cdef real[QUIET] zeros
    cdef const real *grad
    memset(zeros, 0, sizeof(zeros))
    for j in range(begin, end):
        grad = added_up(g, grads, shares, j)
        if grad == NULL:
            continue
        norm2 += update_quiet(W, first, second, zeros, quiet * g.fan_out, j * g.fan_out, u)
        norm2 += update(W, first, second, grad, j * g.fan_out, g.fan_out, u)
        quiet = j + 1
    norm2 += update_quiet(W, first, second, zeros, quiet * g.fan_out, end * g.fan_out, u)
    if share + 1 == shares:
        grad = added_up(g, grads, shares, g.fan_in)
        return l2 * norm2 + l2_biases * update(W, first, second, grad, g.fan_in * g.fan_out,
                                               g.fan_out, u_biases)
    return l2 * norm2


cdef double update_quiet(real *W, real *first, real *second, const real *zeros, Py_ssize_t begin,
                         Py_ssize_t end, const fm_update_t *u) noexcept nogil:
    """Entries begin .. end, of which the loss has no gradient."""
    cdef Py_ssize_t n
    cdef double norm2 = 0
    while begin < end:
        n = min(end - begin, QUIET)
        norm2 += update(W, first, second, zeros, begin, n, u)
        begin += n
    return norm2


cdef inline double update(real *W, real *first, real *second, const real *grad, Py_ssize_t at,
                          Py_ssize_t n, const fm_update_t *u) noexcept nogil:
    return kernels.update(W + at, first + at, NULL if second == NULL else second + at, grad, n, u)


cdef void regularise_rows(SparseGrad g, real *grad, const real *W, double *sums,
                          const fm_update_t *u, const fm_update_t *u_biases) noexcept nogil:
    """grad = (grad + l2 theta) scale, for every feature; sums[1] += |grad|^2."""
    cdef Py_ssize_t j
    cdef const Py_ssize_t *place = places(g, grad)
    fill_rows(g, grad)
    for j in range(g.fan_in):
        kernels.regularise(grad + place[j] * g.ld, sums, W + j * g.fan_out, g.fan_out, u.l2,
                           u.scale)
    kernels.regularise(grad, sums, W + g.fan_in * g.fan_out, g.fan_out, u_biases.l2,
                       u_biases.scale)
