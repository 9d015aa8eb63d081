"""Dense curvature matrices, in float64, by layer pairs.

Let S_(l,m) be, for one row, the second derivative of the loss by perturbations of z_l and z_m
(h_l x h_m), D_l = diag(g'(z_l)) and delta_m = d loss / d z_m. From the output layer down,

    S_(L,L) = Q,   S_(l,m) = D_l W_(l+1) S_(l+1,m)  for l < m,
    S_(l,l) = S_(l,l+1) W_(l+1)' D_l + diag(g''(z_l) o W_(l+1) delta_(l+1)),

and with a~ = (a, 1) the block of the Hessian between W~_l and W~_m (bias rows included), l <= m,

    H[(p, j), (q, n)] = sum over rows of
                        a~_(l-1)[p] (a~_(m-1)[q] S_(l,m)[j, n] + delta_m[n] B[q, j]),

where B = d a_(m-1) / d z_l obeys the same recursion in l as S. Without the terms in delta this is
the generalised Gauss-Newton matrix. The blocks follow Bishop (1992), "Exact calculation of the
Hessian matrix for the multilayer perceptron".

The sum over rows is a matrix product once the factors are paired by what varies with them: (p, q)
against (j, n), and (p, n) against (q, j) for the term in delta. Both factors of the first are
symmetric for l = m, where a quarter of the products is enough. BLAS-3 does the work, no factor is
larger than a layer's width squared, and the cost does not grow with the number of outputs as
J'QJ would. Blocks are accumulated in that order of indices and sorted into H at the end.
"""

from libc.string cimport memcpy, memset

from fastmlp._core cimport kernels
from fastmlp._core.blas cimport gemm
from fastmlp._core.curvature cimport LossCurvature, paired, scale
from fastmlp._core.kernels cimport FM_HESS
from fastmlp._core.network cimport Layers, check_signals
from fastmlp._core.tape cimport Tape64, forward, multiply_back, next_tile, tile_t, tiles

import numpy as np

from fastmlp._sizes import MOST_FOR_BLAS


cdef class Blocks:
    """Workspace for one tile of rows, and the sums over the rows that one thread has seen.

    Parameters
    ----------
    tape : Tape64
        Whose tiles are swept.
    exact : bool
        Whether the terms in delta are needed.
    """
    cdef Tape64 tape
    cdef double[:, ::1] s         # (n_layers, rows x ld): g'(z_l), l = 1 .. L-1
    cdef double[:, ::1] delta     # (n_layers + 1, rows x ld)
    cdef double[:, ::1] c         # (n_layers, rows x ld): g''(z_l) o d loss / d a_l
    cdef double[::1] diagonal     # S_(m,m), laid out [row, n, j]
    cdef double[::1] chain        # S_(l,m) over B, laid out [row, (n, q), j]
    cdef double[::1] spare
    cdef double[::1] products     # [row, (p, q)] or [row, (p, n)]
    cdef double[::1] packed       # [row, (n, j <= n)]
    cdef double[::1] sums         # all blocks
    cdef Py_ssize_t[:, ::1] at    # (n_layers + 1, n_layers + 1): where block (l, m) begins in sums
    cdef Py_ssize_t[:, ::1] at_B  # the same of its term in delta

    def __cinit__(self, Tape64 tape, bint exact):
        cdef Layers layers = tape.layers
        cdef Py_ssize_t L = layers.n_layers, rows = tape.rows, l, m, used = 0
        cdef Py_ssize_t pair = layers.widest, wide = max(layers.widths)
        check_for_blas(layers.widths)
        self.tape = tape
        self.s = np.empty((L, rows * tape.widest))
        self.c = np.empty((L, rows * tape.widest))
        self.delta = np.empty((L + 1, rows * tape.widest))
        self.diagonal = np.empty(rows * pair * pair)
        self.chain = np.empty(rows * 2 * pair * pair)
        self.spare = np.empty(rows * 2 * pair * pair)
        self.products = np.empty(rows * (wide + 1) ** 2)
        self.packed = np.empty(rows * triangle(pair))
        self.at = np.empty((L + 1, L + 1), dtype=np.intp)
        self.at_B = np.empty((L + 1, L + 1), dtype=np.intp)
        for m in range(1, L + 1):
            for l in range(1, m + 1):
                self.at[l, m] = used
                if l == m:
                    used += triangle(layers.width[l - 1] + 1) * triangle(layers.width[l])
                    continue
                used += ((layers.width[l - 1] + 1) * (layers.width[m - 1] + 1) * layers.width[l]
                         * layers.width[m])
                self.at_B[l, m] = used
                if exact:
                    used += ((layers.width[l - 1] + 1) * layers.width[m] * layers.width[l]
                             * layers.width[m - 1])
        self.sums = np.zeros(used)


def check_for_blas(list widths):
    """Raise MemoryError for layers whose pairs of units are more than BLAS can count.

    The matrices that are multiplied have one column per pair, (p, q) or (j, n).
    """
    for m in range(1, len(widths)):
        pairs = [triangle(widths[m - 1] + 1), triangle(widths[m])]
        if m > 1:
            pairs += [
                (max(widths[:m - 1]) + 1) * (max(widths[m - 1], widths[m]) + 1),
                (widths[m] + widths[m - 1]) * max(widths[1:m]),
            ]
        if max(pairs) > MOST_FOR_BLAS:
            raise MemoryError(
                f"a curvature matrix of layers {widths} has {max(pairs)} pairs of units in one "
                f"block, more than BLAS counts ({MOST_FOR_BLAS})"
            )


cdef Py_ssize_t triangle(Py_ssize_t n) noexcept nogil:
    return n * (n + 1) // 2


def accumulate(Blocks b, const double[::1] theta, Py_ssize_t begin, Py_ssize_t end,
               LossCurvature second):
    """Add rows begin .. end to the sums; theta is what the tape holds."""
    cdef tile_t t = tiles(begin, end)
    cdef Py_ssize_t m
    cdef bint exact = second.kind == FM_HESS
    with nogil:
        while next_tile(b.tape, &t):
            forward(b.tape, t.rows, False)
            prepare(b, second, t.start, t.rows, exact)
            for m in range(b.tape.layers.n_layers, 0, -1):
                layer_column(b, b.tape.layers, &theta[0], m, t.rows, exact)
                check_signals(&t.last)


def collect(list parts, Layers layers, double[:, ::1] H, bint exact):
    """H = the sums of all parts."""
    cdef Blocks b = parts[0]
    cdef Py_ssize_t l, m
    for part in parts[1:]:
        np.add(b.sums, (<Blocks> part).sums, out=np.asarray(b.sums))
    with nogil:
        for m in range(1, layers.n_layers + 1):
            sort_diagonal(b, layers, H, m)
            for l in range(1, m):
                sort_block(b, layers, H, l, m, exact)


cdef void prepare(Blocks b, LossCurvature second, Py_ssize_t start, Py_ssize_t rows,
                  bint exact) noexcept nogil:
    """g', and for the exact Hessian delta and g'' o d loss / d a, for every layer; S_(L,L)."""
    cdef Py_ssize_t L = b.tape.layers.n_layers, l, i, k, n, n_raw = b.tape.layers.n_raw
    cdef double *da = b.tape.spare
    if exact:
        second.gradient(b.tape, start, rows)
        memcpy(&b.delta[L, 0], b.tape.delta, rows * b.tape.ld[L] * sizeof(double))
    for l in range(L - 1, 0, -1):
        n = rows * b.tape.ld[l]
        kernels.slope(&b.s[l, 0], b.tape.z[l], b.tape.a[l], n, &b.tape.layers.activation[l - 1])
        if exact:
            multiply_back(b.tape, l + 1, da, &b.delta[l + 1, 0], b.tape.turned[l + 1], NULL, rows)
            kernels.curv(&b.c[l, 0], b.tape.z[l], b.tape.a[l], n,
                         &b.tape.layers.activation[l - 1])
            for i in range(n):
                b.c[l, i] *= da[i]
                b.delta[l, i] = b.s[l, i] * da[i]
    for k in range(n_raw):
        # Q_i e_k for all rows at once; chain holds the unit vectors, spare the products.
        memset(&b.chain[0], 0, rows * n_raw * sizeof(double))
        for i in range(rows):
            b.chain[i * n_raw + k] = 1
        second.mul(&b.spare[0], &b.chain[0], b.tape, start, rows, n_raw)
        for i in range(rows):
            for n in range(n_raw):
                b.diagonal[(i * n_raw + n) * n_raw + k] = b.spare[i * n_raw + n]


cdef void layer_column(Blocks b, Layers layers, const double *theta, Py_ssize_t m,
                       Py_ssize_t rows, bint exact) noexcept nogil:
    """The blocks (l, m) for l = m .. 1, and S_(m-1,m-1) for the next column."""
    cdef Py_ssize_t l, h_m = layers.width[m], h_below = layers.width[m - 1], h, h_up, depth
    cdef bint with_B = exact and m > 1
    cdef double *chain = &b.chain[0]
    cdef double *spare = &b.spare[0]
    cdef double *swap
    memcpy(chain, &b.diagonal[0], rows * h_m * h_m * sizeof(double))
    add_diagonal(b, layers, chain, m, rows)
    for l in range(m - 1, 0, -1):
        h, h_up = layers.width[l], layers.width[l + 1]
        # S_(m,m) enters alone; from the next layer on B rides below it.
        depth = h_m if l == m - 1 or not with_B else h_m + h_below
        gemm(spare, chain, theta + layers.offset[l], rows * depth, h, h_up, False, True, 0, h_up,
             h_up, h)
        scale(spare, &b.s[l, 0], rows, depth, h, h, b.tape.ld[l])
        if l == m - 1:
            next_diagonal(b, layers, theta, spare, l, rows, exact)
            if with_B:
                append_identity(chain, spare, &b.s[l, 0], rows, h_m, h, b.tape.ld[l])
                swap = spare
                spare = chain
                chain = swap
                depth = h_m + h_below
        add_block(b, layers, spare, depth, l, m, rows, with_B)
        swap = chain
        chain = spare
        spare = swap


cdef void append_identity(double *stacked, const double *S, const double *s, Py_ssize_t rows,
                          Py_ssize_t h_m, Py_ssize_t h, Py_ssize_t ld) noexcept nogil:
    """stacked[i] = S[i] (h_m x h) over B[i] = diag(s[i]) (h x h)"""
    cdef Py_ssize_t i, q
    for i in range(rows):
        memcpy(stacked + i * (h_m + h) * h, S + i * h_m * h, h_m * h * sizeof(double))
        memset(stacked + (i * (h_m + h) + h_m) * h, 0, h * h * sizeof(double))
        for q in range(h):
            stacked[(i * (h_m + h) + h_m + q) * h + q] = s[i * ld + q]


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
    scale(&b.diagonal[0], &b.s[l, 0], rows, h, h, h, b.tape.ld[l])
    if exact:
        for i in range(rows):
            for j in range(h):
                b.diagonal[(i * h + j) * h + j] += b.c[l, i * b.tape.ld[l] + j]


cdef void add_diagonal(Blocks b, Layers layers, const double *S, Py_ssize_t m,
                       Py_ssize_t rows) noexcept nogil:
    """Block (m, m): (p, q <= p) against (n, j <= n); S is [row, n, j]."""
    cdef Py_ssize_t h = layers.width[m], f = layers.width[m - 1] + 1
    cdef Py_ssize_t n_left = triangle(f), n_right = triangle(h), i, p, q, n
    cdef const double *a
    cdef double *to
    for i in range(rows):
        a = b.tape.a[m - 1] + i * b.tape.ld[m - 1]
        to = &b.products[i * n_left]
        for p in range(f):
            for q in range(p + 1):
                to[q] = a[p] * a[q]
            to += p + 1
        to = &b.packed[i * n_right]
        for n in range(h):
            memcpy(to, S + (i * h + n) * h, (n + 1) * sizeof(double))
            to += n + 1
    gemm(&b.sums[b.at[m, m]], &b.products[0], &b.packed[0], n_left, n_right, rows, True, False, 1,
         n_left, n_right, n_right)


cdef void add_block(Blocks b, Layers layers, const double *S, Py_ssize_t depth, Py_ssize_t l,
                    Py_ssize_t m, Py_ssize_t rows, bint with_B) noexcept nogil:
    """Block (l, m), l < m: (p, q) against (n, j), and (p, n) against (q, j) for the term in delta.

    S is [row, (n, q), j], B below S.
    """
    cdef Py_ssize_t h = layers.width[l], h_m = layers.width[m], f = layers.width[l - 1] + 1
    cdef Py_ssize_t f_m = layers.width[m - 1] + 1
    paired(&b.products[0], b.tape.a[l - 1], b.tape.ld[l - 1], b.tape.a[m - 1], b.tape.ld[m - 1],
           rows, f, f_m)
    gemm(&b.sums[b.at[l, m]], &b.products[0], S, f * f_m, h_m * h, rows, True, False, 1, f * f_m,
         depth * h, h_m * h)
    if with_B:
        paired(&b.products[0], b.tape.a[l - 1], b.tape.ld[l - 1], &b.delta[m, 0], b.tape.ld[m],
               rows, f, h_m)
        gemm(&b.sums[b.at_B[l, m]], &b.products[0], S + h_m * h, f * h_m, (f_m - 1) * h, rows,
             True, False, 1, f * h_m, depth * h, (f_m - 1) * h)


cdef void sort_diagonal(Blocks b, Layers layers, double[:, ::1] H, Py_ssize_t m) noexcept nogil:
    cdef Py_ssize_t h = layers.width[m], f = layers.width[m - 1] + 1, at = layers.offset[m - 1]
    cdef Py_ssize_t p, q, n, j
    cdef const double *sums = &b.sums[b.at[m, m]]
    for p in range(f):
        for q in range(p + 1):
            for n in range(h):
                for j in range(n + 1):
                    H[at + p * h + n, at + q * h + j] = sums[0]
                    H[at + p * h + j, at + q * h + n] = sums[0]
                    H[at + q * h + n, at + p * h + j] = sums[0]
                    H[at + q * h + j, at + p * h + n] = sums[0]
                    sums += 1


cdef void sort_block(Blocks b, Layers layers, double[:, ::1] H, Py_ssize_t l, Py_ssize_t m,
                     bint exact) noexcept nogil:
    cdef Py_ssize_t h = layers.width[l], h_m = layers.width[m], f = layers.width[l - 1] + 1
    cdef Py_ssize_t f_m = layers.width[m - 1] + 1, row, column, p, q, n, j
    cdef const double *sums = &b.sums[b.at[l, m]]
    cdef const double *sums_B = &b.sums[b.at_B[l, m]] if exact else NULL
    cdef double total
    for p in range(f):
        for j in range(h):
            row = layers.offset[l - 1] + p * h + j
            for q in range(f_m):
                for n in range(h_m):
                    column = layers.offset[m - 1] + q * h_m + n
                    total = sums[((p * f_m + q) * h_m + n) * h + j]
                    if exact and q < f_m - 1:
                        total += sums_B[((p * h_m + n) * (f_m - 1) + q) * h + j]
                    H[row, column] = total
                    H[column, row] = total
