"""What a step of mean-field variational inference does entry by entry, each in one pass.

Layer by layer ``z = m + s e`` with e ~ N(0, 1), m = a W and s^2 = (a * a) V: the products are
BLAS's, by NumPy. What comes between them is here, and Adam's step of q = (means, rho, ln noise).
"""

from libc.math cimport exp, expm1, log, log1p, sqrt

from fastmlp._core.kernels cimport real

cdef enum:
    FURTHEST = 700  # e^rho ends beyond 709; softplus(rho) is rho long before


def perturb(real[:, ::1] z, real[:, ::1] var, const real[:, ::1] white, double least):
    """z += s e, and d z / d s^2 = e / (2 s) in place of s^2, with ``least`` added to it."""
    cdef Py_ssize_t i, n = z.shape[0] * z.shape[1]
    cdef real *z_
    cdef real *v
    cdef const real *e
    cdef real s, floor = <real> least
    if not (var.shape[0] == white.shape[0] == z.shape[0]
            and var.shape[1] == white.shape[1] == z.shape[1]):
        raise ValueError("z, var and white are of different shapes")
    if n == 0:
        return
    z_, v, e = &z[0, 0], &var[0, 0], &white[0, 0]
    with nogil:
        for i in range(n):
            s = <real> sqrt(v[i] + floor)
            z_[i] += s * e[i]
            v[i] = <real> 0.5 * e[i] / s


def through(real[:, ::1] delta, const real[:, ::1] by_var, const real[:, ::1] a,
            const real[:, ::1] slope):
    """``(delta + 2 a by_var) slope``, in delta: d loss / d z below; a has a last column more."""
    cdef Py_ssize_t i, j, n = delta.shape[0], k = delta.shape[1]
    if not (by_var.shape[0] == a.shape[0] == slope.shape[0] == n
            and by_var.shape[1] == slope.shape[1] == a.shape[1] - 1 == k):
        raise ValueError("delta, by_var, a and slope are of different shapes")
    with nogil:
        for i in range(n):
            for j in range(k):
                delta[i, j] = (delta[i, j] + 2 * a[i, j] * by_var[i, j]) * slope[i, j]


def scales(double[::1] scale, double[::1] var, const double[::1] rho):
    """softplus(rho), and its square."""
    cdef Py_ssize_t i
    if not scale.shape[0] == var.shape[0] == rho.shape[0]:
        raise ValueError("scale, var and rho are of different lengths")
    with nogil:
        for i in range(rho.shape[0]):
            scale[i] = log1p(exp(min(rho[i], <double> FURTHEST)))
            var[i] = scale[i] * scale[i]


def divergence(double[::1] d_mean, double[::1] d_scale, const double[::1] mean,
               const double[::1] scale, const double[::1] precision, double by_loss,
               double weight):
    """Sums of KL(q || prior), and its share of the gradient.

    Parameters
    ----------
    d_mean, d_scale : ndarray of shape (n,)
        d loss / d mean, d loss / d var; then the gradients in mean and rho of
        ``by_loss loss + KL / weight``.
    precision : ndarray of shape (n,)
        Of the prior; 0: flat.

    Returns
    -------
    size, log_det, entropy : float
        Sums of ``precision (mean^2 + scale^2)``, of ln precision where there is one, of ln scale.
    """
    cdef Py_ssize_t i, n = mean.shape[0]
    cdef double size = 0, log_det = 0, entropy = 0, m, s, p
    if not (d_mean.shape[0] == d_scale.shape[0] == scale.shape[0] == precision.shape[0] == n):
        raise ValueError("gradients, means, scales and precisions are of different lengths")
    with nogil:
        for i in range(n):
            m, s, p = mean[i], scale[i], precision[i]
            size += p * (m * m + s * s)
            log_det += log(p) if p > 0 else 0
            entropy += log(s)
            d_mean[i] = by_loss * d_mean[i] + p * m / weight
            d_scale[i] = 2 * by_loss * s * d_scale[i] + (p * s - 1 / s) / weight
            d_scale[i] *= -expm1(-s)  # d softplus / d rho
    return size, log_det, entropy


def take_step(double[::1] q, double[::1] first, double[::1] second, const double[::1] grad,
              double rate, double beta_1, double beta_2, double epsilon):
    """One of the steps of Adam, ``rate`` with the correction of the moments in it."""
    cdef Py_ssize_t i
    cdef double g
    if not q.shape[0] == first.shape[0] == second.shape[0] == grad.shape[0]:
        raise ValueError("q, its moments and the gradient are of different lengths")
    with nogil:
        for i in range(q.shape[0]):
            g = grad[i]
            first[i] += (1 - beta_1) * (g - first[i])
            second[i] += (1 - beta_2) * (g * g - second[i])
            q[i] -= rate * first[i] / (sqrt(second[i]) + epsilon)
