"""Functions of single numbers that are linear or cubic between knots, for many columns at once."""

ctypedef fused real:
    float
    double


def encode(const double[:, :] X, const double[::1] edges, const Py_ssize_t[::1] starts,
           const unsigned char[::1] holes, real[:, ::1] out):
    """Piecewise-linear encoding: see :class:`fastmlp.tabular.PiecewiseLinearEncoder`.

    Parameters
    ----------
    X : (n, n_features)
        NaN where a number is missing.
    edges : (n_edges,)
        Of all columns, one after another; each column's increase.
    starts : (n_features + 1,)
        Where those of each column begin, and the end.
    holes : (n_features,)
        Whether a column has one more that says where numbers are missing.
    out : (n, n_features_out)
        Written.
    """
    cdef Py_ssize_t i, j, k, t, at, bins, half, left, n_out = 0
    cdef double x, edge, part
    if starts.shape[0] != X.shape[1] + 1 or holes.shape[0] != X.shape[1]:
        raise ValueError("starts and holes have an entry for each column")
    if starts[0] != 0 or starts[X.shape[1]] != edges.shape[0]:
        raise ValueError("starts are places in edges")
    for j in range(X.shape[1]):
        if starts[j + 1] < starts[j]:
            raise ValueError("starts increase")
        n_out += max(starts[j + 1] - starts[j] - 1, 0) + (holes[j] != 0)
    if out.shape[0] != X.shape[0] or out.shape[1] != n_out:
        raise ValueError(f"out has not the shape ({X.shape[0]}, {n_out})")
    with nogil:
        for i in range(X.shape[0]):
            at = 0
            for j in range(X.shape[1]):
                x = X[i, j]
                bins = max(starts[j + 1] - starts[j] - 1, 0)
                for k in range(bins):
                    out[i, at + k] = 0
                if bins > 0 and x == x:
                    t, left = starts[j], bins
                    while left > 1:  # edges[t] <= x < edges[t + left], but beyond the ends
                        half = left // 2
                        if x >= edges[t + half]:
                            t += half
                            left -= half
                        else:
                            left = half
                    edge = 0.5 * edges[t]  # of halves no difference is infinite
                    part = (0.5 * x - edge) / (0.5 * edges[t + 1] - edge)
                    t -= starts[j]
                    for k in range(t):
                        out[i, at + k] = 1
                    out[i, at + t] = <real> (0.0 if part < 0.0 else 1.0 if part > 1.0 else part)
                at += bins
                if holes[j]:
                    out[i, at] = x != x
                    at += 1


def sums(const double[:, :] X, const double[:, ::1] knots, const double[:, :, ::1] pieces,
         double[::1] out):
    """Add cubic polynomials of each column of X, chosen by its knots, to ``out``.

    Parameters
    ----------
    X : (n, n_columns)
    knots : (n_columns, n_knots)
        Increasing.
    pieces : (n_columns, n_knots + 1, 4)
        Coefficients of the powers of the distance from the knot before, in the first piece from the
        first knot.
    out : (n,)
    """
    cdef Py_ssize_t i, j, k, n_columns = X.shape[1], n_knots = knots.shape[1]
    cdef double total, distance
    if (knots.shape[0] != n_columns or pieces.shape[0] != n_columns or n_knots < 1
            or pieces.shape[1] != n_knots + 1 or pieces.shape[2] != 4
            or out.shape[0] != X.shape[0]):
        raise ValueError("X, knots, pieces and out do not go together")
    with nogil:
        for i in range(X.shape[0]):
            total = 0.0
            for j in range(n_columns):
                k = 0
                while k < n_knots and X[i, j] >= knots[j, k]:
                    k += 1
                distance = X[i, j] - knots[j, max(k - 1, 0)]
                total += pieces[j, k, 0] + distance * (
                    pieces[j, k, 1] + distance * (
                        pieces[j, k, 2] + distance * pieces[j, k, 3]))
            out[i] += total
