"""Hamilton's equations along a network's posterior: stretches of trajectories in one call."""

from libc.math cimport INFINITY, exp, log1p
from libc.string cimport memcpy

from fastmlp._core.tape cimport (
    Tape64,
    backward,
    forward,
    loss,
    next_tile,
    pack_flat,
    tile_t,
    tiles,
    turn,
)

import numpy as np

cdef enum:
    WHOLE, TURNED, DIVERGED, STOPPED    # how a stretch ended


cdef class Stretch:
    """Leaves of a tree, grown one after another from an edge.

    Attributes
    ----------
    q, p, grad : ndarray of shape (n_params,)
        The edge: position, momentum, gradient of the energy. The next call goes on from it.
    p_sum : ndarray of shape (n_params,)
        The sum of the momenta of the leaves.
    chosen : ndarray of shape (n_params,)
        One of the leaves' positions, drawn by their weights.
    log_weight : float
        ln of the sum of the weights.
    accept : float
        The sum of the acceptance probabilities.
    n_leaves : int
    end : int
        WHOLE, TURNED, DIVERGED or STOPPED, as they are numbered from 0.
    """
    cdef readonly object q, p, grad, p_sum, chosen
    cdef public double log_weight, accept
    cdef public Py_ssize_t n_leaves
    cdef public int end

    def __init__(self, q, p, grad):
        self.q, self.p, self.grad = (np.array(v, dtype=np.float64) for v in (q, p, grad))
        self.p_sum, self.chosen = np.zeros_like(self.q), self.q.copy()


def grow(Tape64 tape, Stretch at, const double[::1] held, double precision,
         const double[::1] metric, double step, double H0, const double[::1] log_u, double furthest,
         double[:, ::1] kept, const int[::1] stop):
    """So many leapfrog steps from an edge as log_u has entries, a power of 2.

    The energy is ``precision S(q) + held @ q^2 / 2``, S the sum of the losses.

    Parameters
    ----------
    held, metric : ndarray of shape (n_params,)
        metric @ p^2 / 2 is the kinetic energy.
    step : float
        Negative: backwards in time.
    log_u : ndarray
        Logarithms of uniform numbers, by which a leaf takes the place of the chosen one.
    furthest : float
        H - H0, at which a trajectory has diverged.
    kept : ndarray of shape (2 (1 + log2(n)), n_params)
        Working memory.
    stop : ndarray of int of shape (1,)
        Not 0: end.
    """
    cdef double[::1] q = at.q, p = at.p, grad = at.grad, p_sum = at.p_sum, chosen = at.chosen
    cdef Py_ssize_t n = tape.layers.n_params, leaves = log_u.shape[0], leaf, level, first, i
    cdef double gain, energy, kinetic
    cdef tile_t t = tiles(0, tape.source.n_samples)
    tape.theta = at.q    # read in place where BLAS multiplies
    if not (q.shape[0] == p.shape[0] == grad.shape[0] == n == held.shape[0] == metric.shape[0]
            and kept.shape[1] == n and kept.shape[0] >= 2 * (1 + n_ones(leaves - 1))
            and leaves > 0 and leaves & (leaves - 1) == 0 and stop.shape[0] == 1):
        raise ValueError("arrays of a trajectory are of other sizes than its parameters")
    at.log_weight, at.accept, at.n_leaves, at.end = -INFINITY, 0, 0, WHOLE
    with nogil:
        for leaf in range(leaves):
            if stop[0]:
                at.end = STOPPED
                break
            for i in range(n):
                p[i] -= 0.5 * step * grad[i]
                q[i] += step * metric[i] * p[i]
            energy = precision * sum_and_grad(tape, &q[0], &grad[0], &t)
            kinetic = 0
            for i in range(n):
                energy += 0.5 * held[i] * q[i] * q[i]
                grad[i] = precision * grad[i] + held[i] * q[i]
                p[i] -= 0.5 * step * grad[i]
                kinetic += 0.5 * metric[i] * p[i] * p[i]
                p_sum[i] += p[i]
            at.n_leaves += 1
            gain = H0 - energy - kinetic
            if not gain > -furthest:
                at.end = DIVERGED
                break
            at.accept += exp(min(gain, 0))
            at.log_weight = log_sum(at.log_weight, gain)
            if log_u[leaf] < gain - at.log_weight:
                memcpy(&chosen[0], &q[0], n * sizeof(double))
            # The stretches of 2, 4, ... leaves that begin at an even leaf are kept until they end.
            level = n_ones(leaf >> 1)
            if leaf % 2 == 0:
                memcpy(&kept[2 * level, 0], &p[0], n * sizeof(double))
                memcpy(&kept[2 * level + 1, 0], &p_sum[0], n * sizeof(double))
                continue
            first = level - trailing_ones(leaf) + 1
            while level >= first and at.end == WHOLE:
                if turns(&kept[2 * level, 0], &kept[2 * level + 1, 0], &p[0], &p_sum[0],
                         &metric[0], n):
                    at.end = TURNED
                level -= 1
            if at.end != WHOLE:
                break


cdef double sum_and_grad(Tape64 tape, double *theta, double *grad, tile_t *t) except? -1 nogil:
    """The sum of the losses at theta, and its gradient, over t, whose end stays."""
    cdef double total = 0
    t.start = t.rows = 0
    pack_flat(tape, tape.W, theta, False)
    turn(tape)
    while next_tile(tape, t):
        forward(tape, t.rows, True)
        total += loss(tape, t.rows)
        backward(tape, t.rows, t.start > 0)
    pack_flat(tape, tape.grad, grad, True)
    return total


cdef bint turns(const double *p_first, const double *sum_first, const double *p,
                const double *p_sum, const double *metric, Py_ssize_t n) noexcept nogil:
    """Whether the ends of a stretch come nearer, by the momenta between them."""
    cdef double ahead = 0, behind = 0, between
    cdef Py_ssize_t i
    for i in range(n):
        between = metric[i] * (p_sum[i] - sum_first[i] + 0.5 * (p_first[i] - p[i]))
        behind += p_first[i] * between
        ahead += p[i] * between
    return not (behind > 0 and ahead > 0)


cdef inline double log_sum(double a, double b) noexcept nogil:
    """ln(e^a + e^b)."""
    return a + log1p(exp(b - a)) if a > b else b + log1p(exp(a - b))


cdef inline Py_ssize_t n_ones(Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t n = 0
    while k:
        n += k & 1
        k >>= 1
    return n


cdef inline Py_ssize_t trailing_ones(Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t n = 0
    while k & 1:
        n += 1
        k >>= 1
    return n
