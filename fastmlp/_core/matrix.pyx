"""Dense curvature matrices, in float64, by layer pairs.

Let S_(l,m) be, for one row, the second derivative of the loss by perturbations of z_l and z_m
(h_l x h_m), D_l = diag(g'(z_l)) and delta_m = d loss / d z_m. From the output layer down,

    S_(L,L) = Q,   S_(l,m) = D_l W_(l+1) S_(l+1,m)  for l < m,
    S_(l,l) = S_(l,l+1) W_(l+1)' D_l + diag(g''(z_l) o W_(l+1) delta_(l+1)),

and with a~ = (a, 1) the block of the Hessian between W~_l and W~_m (bias rows included), l <= m,

    H[(p, j), (q, n)] = sum over rows of a~_(l-1)[p] (a~_(m-1)[q] S_(l,m)[j, n] + delta_m[n] B[q, j]),

where B = d a_(m-1) / d z_l obeys the same recursion in l as S. Without the terms in delta this is
the generalised Gauss-Newton matrix. The blocks follow Bishop (1992), "Exact calculation of the
Hessian matrix for the multilayer perceptron"; the sum over rows is a matrix product, so that
BLAS-3 does the work, and its cost does not grow with the number of outputs as J'QJ would.
"""

from libc.string cimport memcpy, memset

from fastmlp._core cimport kernels
from fastmlp._core.blas cimport gemm
from fastmlp._core.curvature cimport Second
from fastmlp._core.kernels cimport FM_HESS
from fastmlp._core.network cimport Layers, Source, Tape, check_signals, first_of, forward, load, tiles

import numpy as np


cdef class Blocks:
    """Scratch for one tile of rows."""
    cdef Py_ssize_t rows
    cdef double[:, ::1] a         # (n_layers, rows x (width + 1)): a~_0 .. a~_(L-1)
    cdef double[:, ::1] s         # (n_layers, rows x width): g'(z_l), l = 1 .. L-1
    cdef double[:, ::1] delta     # (n_layers + 1, rows x width)
    cdef double[:, ::1] c         # (n_layers, rows x width): g''(z_l) o d loss / d a_l
    cdef double[::1] diagonal     # S_(m,m), laid out [row, n, j]
    cdef double[::1] chain        # S_(l,m) over B, laid out [row, (n, q), j]
    cdef double[::1] spare
    cdef double[::1] products     # R_j: [row, (q, n)]

    def __cinit__(self, Layers layers, Py_ssize_t rows):
        cdef Py_ssize_t L = layers.n_layers, l, wide = 0, pair = 0, block = 0
        for l in range(L + 1):
            wide = max(wide, layers.width[l])
        for l in range(1, L + 1):
            pair = max(pair, layers.width[l])
            block = max(block, (layers.width[l - 1] + 1) * layers.width[l])
        self.rows = rows
        self.a = np.empty((L, rows * (wide + 1)))
        self.s = np.empty((L, rows * wide))
        self.c = np.empty((L, rows * wide))
        self.delta = np.empty((L + 1, rows * wide))
        self.diagonal = np.empty(rows * pair * pair)
        self.chain = np.empty(rows * 2 * pair * pair)
        self.spare = np.empty(rows * 2 * pair * pair)
        self.products = np.empty(rows * block)


def tile_rows(Layers layers):
    """Rows per tile: the scratch stays within some megabytes."""
    cdef Py_ssize_t l, pair = 1, block = 1
    for l in range(1, layers.n_layers + 1):
        pair = max(pair, layers.width[l])
        block = max(block, (layers.width[l - 1] + 1) * layers.width[l])
    return max(1, min(256, (1 << 20) // (5 * pair * pair + block)))


def matrix(Layers layers, Source source, Tape tape, const double[::1] theta, double[:, ::1] H,
           const Py_ssize_t[::1] index, Py_ssize_t n, double weight_sum, double l2,
           Second second):
    """H = the exact Hessian or the GGN of the mean loss over n rows, plus l2 on weights."""
    cdef Py_ssize_t L = layers.n_layers, tile, start, rows, l, m, i, k, P = layers.n_params
    cdef const Py_ssize_t *rows_of = first_of(index)
    cdef Blocks b = Blocks(layers, tape.rows)
    cdef bint exact = second.curvature == FM_HESS
    cdef double last = 0
    H[:, :] = 0
    with nogil:
        for tile in range(tiles(n, tape)):
            start = tile * tape.rows
            rows = min(tape.rows, n - start)
            check_signals(&last)
            load(source, tape, rows_of, start, rows, layers.n_raw, <double *> NULL)
            forward(layers, &theta[0], tape, rows)
            prepare(b, layers, &theta[0], tape, second, start, rows, exact)
            for m in range(L, 0, -1):
                layer_column(b, layers, &theta[0], H, m, rows, exact)
                check_signals(&last)
        for l in range(L):
            for i in range(layers.offset[l], layers.offset[l + 1]):
                for k in range(i):
                    if k < layers.offset[l]:
                        H[i, k] = H[k, i] / weight_sum
                        H[k, i] = H[i, k]
                    else:
                        H[i, k] = 0.5 * (H[i, k] + H[k, i]) / weight_sum
                        H[k, i] = H[i, k]
                H[i, i] /= weight_sum
                if i < layers.offset[l + 1] - layers.width[l + 1]:
                    H[i, i] += l2


cdef void prepare(Blocks b, Layers layers, const double *theta, Tape tape, Second second,
                  Py_ssize_t start, Py_ssize_t rows, bint exact) noexcept nogil:
    """a~, g', and for the exact Hessian delta and g'' o d loss / d a, for every layer; S_(L,L)."""
    cdef Py_ssize_t L = layers.n_layers, l, i, k, h, stride, n_raw = layers.n_raw
    cdef double *da = &b.spare[0]
    for l in range(L):
        h = layers.width[l]
        stride = tape.stride if l == 0 else h
        for i in range(rows):
            memcpy(&b.a[l, i * (h + 1)], <const double *> tape.a[l] + i * stride,
                   h * sizeof(double))
            b.a[l, i * (h + 1) + h] = 1
        if l > 0:
            kernels.slope(&b.s[l, 0], <const double *> tape.z[l], <const double *> tape.a[l],
                          rows * h, &layers.activation[l - 1])
    if exact:
        second.gradient(&b.delta[L, 0], layers, tape, start, rows)
        for l in range(L - 1, 0, -1):
            h = layers.width[l]
            gemm(da, &b.delta[l + 1, 0], theta + layers.offset[l], rows, h, layers.width[l + 1],
                 False, True, 0, layers.width[l + 1], layers.width[l + 1], h)
            kernels.curv(&b.c[l, 0], <const double *> tape.z[l], <const double *> tape.a[l],
                         rows * h, &layers.activation[l - 1])
            for i in range(rows * h):
                b.c[l, i] *= da[i]
                b.delta[l, i] = b.s[l, i] * da[i]
    for k in range(n_raw):
        # Q_i e_k for all rows at once; chain holds the unit vectors, spare the products.
        memset(&b.chain[0], 0, rows * n_raw * sizeof(double))
        for i in range(rows):
            b.chain[i * n_raw + k] = 1
        second.mul(&b.spare[0], &b.chain[0], layers, tape, start, rows)
        for i in range(rows):
            for l in range(n_raw):
                b.diagonal[(i * n_raw + l) * n_raw + k] = b.spare[i * n_raw + l]


cdef void layer_column(Blocks b, Layers layers, const double *theta, double[:, ::1] H,
                       Py_ssize_t m, Py_ssize_t rows, bint exact) noexcept nogil:
    """The blocks (l, m) for l = m .. 1, and S_(m-1,m-1) for the next column."""
    cdef Py_ssize_t l, i, n, h_m = layers.width[m], h_below = layers.width[m - 1], h, h_up, depth
    cdef bint with_B = exact and m > 1
    cdef double *chain = &b.chain[0]
    cdef double *spare = &b.spare[0]
    cdef double *swap
    memcpy(chain, &b.diagonal[0], rows * h_m * h_m * sizeof(double))
    block(b, layers, H, chain, h_m, m, m, rows, False)
    for l in range(m - 1, 0, -1):
        h, h_up = layers.width[l], layers.width[l + 1]
        # S_(m,m) enters alone; from the next layer on B rides below it.
        depth = h_m if l == m - 1 or not with_B else h_m + h_below
        gemm(spare, chain, theta + layers.offset[l], rows * depth, h, h_up, False, True, 0, h_up,
             h_up, h)
        if l == m - 1:
            scale_depth(spare, &b.s[l, 0], rows, h_m, h)
            next_diagonal(b, layers, theta, spare, l, rows, exact)
            if with_B:
                append_identity(chain, spare, &b.s[l, 0], rows, h_m, h)
                swap = spare
                spare = chain
                chain = swap
                # the stacked result is in what is now spare
                depth = h_m + h_below
        else:
            scale_depth(spare, &b.s[l, 0], rows, depth, h)
        block(b, layers, H, spare, depth, l, m, rows, with_B)
        swap = chain
        chain = spare
        spare = swap


cdef void scale_depth(double *S, const double *s, Py_ssize_t rows, Py_ssize_t depth,
                      Py_ssize_t h) noexcept nogil:
    """S[i, d, j] *= s[i, j]"""
    cdef Py_ssize_t i, d, j
    for i in range(rows):
        for d in range(depth):
            for j in range(h):
                S[(i * depth + d) * h + j] *= s[i * h + j]


cdef void append_identity(double *stacked, const double *S, const double *s, Py_ssize_t rows,
                          Py_ssize_t h_m, Py_ssize_t h) noexcept nogil:
    """stacked[i] = S[i] (h_m x h) over B[i] = diag(s[i]) (h x h)"""
    cdef Py_ssize_t i, q
    for i in range(rows):
        memcpy(stacked + i * (h_m + h) * h, S + i * h_m * h, h_m * h * sizeof(double))
        memset(stacked + (i * (h_m + h) + h_m) * h, 0, h * h * sizeof(double))
        for q in range(h):
            stacked[(i * (h_m + h) + h_m + q) * h + q] = s[i * h + q]


cdef void next_diagonal(Blocks b, Layers layers, const double *theta, const double *S,
                        Py_ssize_t l, Py_ssize_t rows, bint exact) noexcept nogil:
    """S_(l,l) from S = S_(l,l+1), laid out [row, n, j]."""
    cdef Py_ssize_t i, n, j, h = layers.width[l], h_up = layers.width[l + 1]
    cdef double *turned = &b.products[0]
    for i in range(rows):
        for n in range(h_up):
            for j in range(h):
                turned[(i * h + j) * h_up + n] = S[(i * h_up + n) * h + j]
    gemm(&b.diagonal[0], turned, theta + layers.offset[l], rows * h, h, h_up, False, True, 0,
         h_up, h_up, h)
    scale_depth(&b.diagonal[0], &b.s[l, 0], rows, h, h)
    if exact:
        for i in range(rows):
            for j in range(h):
                b.diagonal[(i * h + j) * h + j] += b.c[l, i * h + j]


cdef void block(Blocks b, Layers layers, double[:, ::1] H, const double *S, Py_ssize_t depth,
                Py_ssize_t l, Py_ssize_t m, Py_ssize_t rows, bint with_B) noexcept nogil:
    """Add the tile's part of the block between layers l and m; S is [row, (n, q), j]."""
    cdef Py_ssize_t h = layers.width[l], h_m = layers.width[m], f_m = layers.width[m - 1]
    cdef Py_ssize_t f = layers.width[l - 1], P = layers.n_params, size = (f_m + 1) * h_m
    cdef Py_ssize_t i, j, q, n
    cdef double *R
    cdef const double *S_i
    cdef const double *a_i
    cdef const double *delta_i
    cdef double a, beta_q
    for j in range(h):
        for i in range(rows):
            R = &b.products[i * size]
            S_i = S + i * depth * h + j
            a_i = &b.a[m - 1, i * (f_m + 1)]
            # the bias row of R is S itself; the others are multiples of it
            for n in range(h_m):
                R[f_m * h_m + n] = S_i[n * h]
            for q in range(f_m):
                a = a_i[q]
                for n in range(h_m):
                    R[q * h_m + n] = a * R[f_m * h_m + n]
            if with_B:
                delta_i = &b.delta[m, i * h_m]
                for q in range(f_m):
                    beta_q = S_i[(h_m + q) * h]
                    for n in range(h_m):
                        R[q * h_m + n] += beta_q * delta_i[n]
        gemm(&H[layers.offset[l - 1] + j, layers.offset[m - 1]], &b.a[l - 1, 0], &b.products[0],
             f + 1, size, rows, True, False, 1, f + 1, size, h * P)
