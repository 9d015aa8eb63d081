"""The one door to the C kernels, and their tables of names.

The instruction set is chosen at import: the best that this CPU has, or the one named by the
environment variable ``FASTMLP_ISA``.
"""

import os

import numpy as np


def available_isas():
    """Instruction sets that run on this machine, best first."""
    names, k = [], 0
    while fm_available()[k] != NULL:
        names.append(fm_available()[k].decode())
        k += 1
    return names


def isa():
    """The instruction set in use."""
    return table.isa.decode()


cdef int choose_table() except -1:
    global table
    wanted = os.environ.get("FASTMLP_ISA") or available_isas()[0]
    table = fm_find(wanted.encode())
    if table == NULL:
        raise ImportError(
            f"FASTMLP_ISA={wanted!r} is unknown or not supported by this CPU; "
            f"available: {', '.join(available_isas())}."
        )
    return 0


choose_table()


def _rows():
    """Rows of activations.def, losses.def, updates.def and functions.def by name."""
    cdef const fm_activation_row *g
    cdef const fm_loss_row *l
    activations, losses, updates, functions = {}, {}, {}, {}
    while (g := fm_activation_at(len(activations))) != NULL:
        activations[g.name.decode()] = {
            "code": len(activations),
            "keeps_z": g.tape.decode() == "FROM_Z",
            "range": g.range.decode(),
            "n_params": g.n_params,
        }
    while (l := fm_loss_at(len(losses))) != NULL:
        losses[l.name.decode()] = {
            "code": len(losses),
            "domain": l.domain.decode(),
            "curved": l.curvature.decode() == "CURVED",
            "n_params": l.n_params,
        }
    while fm_update_at(len(updates)) != NULL:
        updates[fm_update_at(len(updates)).decode()] = len(updates)
    while fm_function_at(len(functions)) != NULL:
        functions[fm_function_at(len(functions)).decode()] = len(functions)
    return activations, losses, updates, functions


ACTIVATIONS, LOSSES, UPDATES, FUNCTIONS = _rows()


cdef void activate(real *a, real *z, const real *bias, Py_ssize_t rows, Py_ssize_t cols,
                   int slopes, const fm_activation_t *g) noexcept nogil:
    if real is float:
        table.f.activate(a, z, bias, rows, cols, slopes, g)
    else:
        table.d.activate(a, z, bias, rows, cols, slopes, g)


cdef void backward(real *delta, real *grad_b, const real *slopes, const real *a,
                   Py_ssize_t rows, Py_ssize_t cols, const fm_activation_t *g) noexcept nogil:
    if real is float:
        table.f.backward(delta, grad_b, slopes, a, rows, cols, g)
    else:
        table.d.backward(delta, grad_b, slopes, a, rows, cols, g)


cdef void slope(real *out, const real *z, const real *a, Py_ssize_t n,
                const fm_activation_t *g) noexcept nogil:
    if real is float:
        table.f.slope(out, z, a, n, g)
    else:
        table.d.slope(out, z, a, n, g)


cdef void curv(real *out, const real *z, const real *a, Py_ssize_t n,
               const fm_activation_t *g) noexcept nogil:
    if real is float:
        table.f.curv(out, z, a, n, g)
    else:
        table.d.curv(out, z, a, n, g)


cdef void output(real *a, const real *raw, Py_ssize_t rows, Py_ssize_t n_raw,
                 const fm_activation_t *g) noexcept nogil:
    if real is float:
        table.f.output(a, raw, rows, n_raw, g)
    else:
        table.d.output(a, raw, rows, n_raw, g)


cdef double loss(real *delta, const real *raw, const real *y, const real *w, Py_ssize_t rows,
                 Py_ssize_t n_raw, const fm_loss_t *loss_) noexcept nogil:
    if real is float:
        return table.f.loss(delta, raw, y, w, rows, n_raw, loss_)
    else:
        return table.d.loss(delta, raw, y, w, rows, n_raw, loss_)


cdef void loss_mul(real *rdelta, const real *rraw, const real *raw, const real *y, const real *w,
                   Py_ssize_t rows, Py_ssize_t n_raw, const fm_loss_t *loss_,
                   int curvature) noexcept nogil:
    if real is float:
        table.f.loss_mul(rdelta, rraw, raw, y, w, rows, n_raw, loss_, curvature)
    else:
        table.d.loss_mul(rdelta, rraw, raw, y, w, rows, n_raw, loss_, curvature)


cdef void loss_root(real *roots, const real *raw, const real *y, const real *w, Py_ssize_t rows,
                    Py_ssize_t n_raw, const fm_loss_t *loss_) noexcept nogil:
    if real is float:
        table.f.loss_root(roots, raw, y, w, rows, n_raw, loss_)
    else:
        table.d.loss_root(roots, raw, y, w, rows, n_raw, loss_)


cdef void loss_root_mul(real *out, const real *z, const real *raw, const real *y, const real *w,
                        Py_ssize_t rows, Py_ssize_t depth, Py_ssize_t n_raw,
                        const fm_loss_t *loss_, real *room) noexcept nogil:
    if real is float:
        table.f.loss_root_mul(out, z, raw, y, w, rows, depth, n_raw, loss_, room)
    else:
        table.d.loss_root_mul(out, z, raw, y, w, rows, depth, n_raw, loss_, room)


cdef double update(real *theta, real *first, real *second, const real *grad, Py_ssize_t n,
                   const fm_update_t *u) noexcept nogil:
    if real is float:
        return table.f.update(theta, first, second, grad, n, u)
    else:
        return table.d.update(theta, first, second, grad, n, u)


cdef void regularise(real *grad, double *sums, const real *theta, Py_ssize_t n, double l2,
                     double scale) noexcept nogil:
    if real is float:
        table.f.regularise(grad, sums, theta, n, l2, scale)
    else:
        table.d.regularise(grad, sums, theta, n, l2, scale)


cdef void column_sums(real *sums, const real *m, Py_ssize_t rows, Py_ssize_t cols) noexcept nogil:
    if real is float:
        table.f.column_sums(sums, m, rows, cols)
    else:
        table.d.column_sums(sums, m, rows, cols)


cdef void gather(real *out, const real *X, const Py_ssize_t *index, Py_ssize_t rows,
                 Py_ssize_t left, Py_ssize_t cols, Py_ssize_t ld, Py_ssize_t row_stride,
                 Py_ssize_t col_stride) noexcept nogil:
    if real is float:
        table.f.gather(out, X, index, rows, left, cols, ld, row_stride, col_stride)
    else:
        table.d.gather(out, X, index, rows, left, cols, ld, row_stride, col_stride)


cdef void gather_csr(real *out, const real *data, const Py_ssize_t *indices,
                     const Py_ssize_t *indptr, const Py_ssize_t *index, Py_ssize_t rows,
                     Py_ssize_t cols, Py_ssize_t ld) noexcept nogil:
    if real is float:
        table.f.gather_csr(out, data, indices, indptr, index, rows, cols, ld)
    else:
        table.d.gather_csr(out, data, indices, indptr, index, rows, cols, ld)


cdef void standardise(real *x, const double *mean, const double *scale, Py_ssize_t rows,
                      Py_ssize_t cols, Py_ssize_t ld) noexcept nogil:
    if real is float:
        table.f.standardise(x, mean, scale, rows, cols, ld)
    else:
        table.d.standardise(x, mean, scale, rows, cols, ld)


cdef int all_finite(const real *x, Py_ssize_t n) noexcept nogil:
    if real is float:
        return table.f.all_finite(x, n)
    else:
        return table.d.all_finite(x, n)


cdef void panel_copy(real *panels, real *m, Py_ssize_t rows, Py_ssize_t cols,
                     int back) noexcept nogil:
    if real is float:
        table.f.panel_copy(panels, m, rows, cols, back)
    else:
        table.d.panel_copy(panels, m, rows, cols, back)


cdef void panel_turn(real *turned, const real *W, Py_ssize_t fan_in,
                     Py_ssize_t fan_out) noexcept nogil:
    if real is float:
        table.f.panel_turn(turned, W, fan_in, fan_out)
    else:
        table.d.panel_turn(turned, W, fan_in, fan_out)


cdef void panel_forward(real *Z, const real *A, const real *W, Py_ssize_t rows, Py_ssize_t fan_in,
                        Py_ssize_t fan_out, Py_ssize_t ldz, Py_ssize_t lda,
                        int relu) noexcept nogil:
    if real is float:
        table.f.panel_forward(Z, A, W, rows, fan_in, fan_out, ldz, lda, relu)
    else:
        table.d.panel_forward(Z, A, W, rows, fan_in, fan_out, ldz, lda, relu)


cdef void panel_delta(real *below, const real *delta, const real *W_turned, const real *gate,
                      Py_ssize_t rows, Py_ssize_t fan_in, Py_ssize_t fan_out,
                      Py_ssize_t ld_below, Py_ssize_t ld_delta) noexcept nogil:
    if real is float:
        table.f.panel_delta(below, delta, W_turned, gate, rows, fan_in, fan_out, ld_below, ld_delta)
    else:
        table.d.panel_delta(below, delta, W_turned, gate, rows, fan_in, fan_out, ld_below, ld_delta)


cdef void panel_grad(real *grad, const real *A, const real *delta, Py_ssize_t rows,
                     Py_ssize_t fan_in, Py_ssize_t fan_out, Py_ssize_t lda, Py_ssize_t ld_delta,
                     int accumulate) noexcept nogil:
    if real is float:
        table.f.panel_grad(grad, A, delta, rows, fan_in, fan_out, lda, ld_delta, accumulate)
    else:
        table.d.panel_grad(grad, A, delta, rows, fan_in, fan_out, lda, ld_delta, accumulate)


cdef double panel_loss(real *delta, const real *raw, const real *y, const real *w, Py_ssize_t rows,
                       Py_ssize_t n_raw, Py_ssize_t ld, const fm_loss_t *loss_) noexcept nogil:
    if real is float:
        return table.f.panel_loss(delta, raw, y, w, rows, n_raw, ld, loss_)
    else:
        return table.d.panel_loss(delta, raw, y, w, rows, n_raw, ld, loss_)


cdef double panel_update(real *theta, real *first, real *second, const real *grad,
                         Py_ssize_t fan_in, Py_ssize_t fan_out,
                         const fm_update_t *u) noexcept nogil:
    if real is float:
        return table.f.panel_update(theta, first, second, grad, fan_in, fan_out, u)
    else:
        return table.d.panel_update(theta, first, second, grad, fan_in, fan_out, u)


cdef void panel_regularise(real *grad, double *sums, const real *theta, Py_ssize_t fan_in,
                           Py_ssize_t fan_out, double l2, double scale) noexcept nogil:
    if real is float:
        table.f.panel_regularise(grad, sums, theta, fan_in, fan_out, l2, scale)
    else:
        table.d.panel_regularise(grad, sums, theta, fan_in, fan_out, l2, scale)


cdef void jacobian_rows(real *strips, real *row, const fm_stretch *layers, Py_ssize_t n_layers,
                        Py_ssize_t n_raw, Py_ssize_t rows, Py_ssize_t first,
                        Py_ssize_t total) noexcept nogil:
    if real is float:
        table.f.jacobian_rows(strips, row, layers, n_layers, n_raw, rows, first, total)
    else:
        table.d.jacobian_rows(strips, row, layers, n_layers, n_raw, rows, first, total)


cdef void gram_add(real *G, const real *strips, Py_ssize_t rows, Py_ssize_t cols,
                   Py_ssize_t share, Py_ssize_t shares) noexcept nogil:
    if real is float:
        table.f.gram_add(G, strips, rows, cols, share, shares)
    else:
        table.d.gram_add(G, strips, rows, cols, share, shares)


cdef void row_forward(real *z, const real *a, const real *W, const real *b, Py_ssize_t fan_in,
                      Py_ssize_t fan_out, int relu) noexcept nogil:
    if real is float:
        table.f.row_forward(z, a, W, b, fan_in, fan_out, relu)
    else:
        table.d.row_forward(z, a, W, b, fan_in, fan_out, relu)


def finite(const real[::1] x):
    """Whether no entry is NaN or infinite."""
    cdef Py_ssize_t n = x.shape[0]
    cdef bint found = True
    if n:
        with nogil:
            found = all_finite(&x[0], n)
    return found


def map_function(str name, real[::1] out, const real[::1] x):
    """out[i] = name(x[i]) with the vector functions of functions.def."""
    cdef int code = FUNCTIONS[name]
    if out.shape[0] != x.shape[0]:
        raise ValueError(f"out has {out.shape[0]} entries, x has {x.shape[0]}.")
    if x.shape[0] == 0:
        return
    if real is float:
        table.f.map(&out[0], &x[0], x.shape[0], code)
    else:
        table.d.map(&out[0], &x[0], x.shape[0], code)


def activation_values(str name, const double[::1] param, real[::1] z):
    """Value, slope and curvature of an activation at z, three arrays like z."""
    cdef fm_activation_t g
    cdef Py_ssize_t n = z.shape[0]
    dtype = np.float32 if real is float else np.float64
    a, s, c = np.empty(n, dtype), np.empty(n, dtype), np.empty(n, dtype)
    cdef real[::1] a_ = a, s_ = s, c_ = c
    if ACTIVATIONS[name]["code"] == FM_softmax:
        raise ValueError("softmax acts on whole rows; it has no value at a point.")
    if param.shape[0] != 2:
        raise ValueError(f"param has 2 entries, got {param.shape[0]}.")
    g.kind = ACTIVATIONS[name]["code"]
    g.param[0], g.param[1] = param[0], param[1]
    if n:
        activate(&a_[0], &z[0], <const real *> NULL, n, 1, False, &g)
        slope(&s_[0], &z[0], &a_[0], n, &g)
        curv(&c_[0], &z[0], &a_[0], n, &g)
    return a, s, c
