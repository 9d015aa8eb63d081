"""The oracle: every formula of the library, once more, in naive float64 NumPy.

Nothing here is optimised and nothing is shared with the product. A value that looks slow or
clumsy is meant to: the second derivatives, say, are carried forward row by row, parameter pair by
parameter pair, so that they share no idea with the product's tangent and backward sweeps.
"""

import math

import numpy as np

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
erfc = np.vectorize(math.erfc, otypes=[float])


# --- activations: z -> (value, slope, curv), elementwise ----------------------------------------


def sigma(z):
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def identity(z):
    return z, np.ones_like(z), np.zeros_like(z)


def logistic(z):
    s, slope = sigma(z), sigma(z) * sigma(-z)
    return s, slope, slope * (sigma(-z) - s)


def tanh(z):
    t = np.tanh(z)
    slope = 4 * sigma(2 * z) * sigma(-2 * z)
    return t, slope, -2 * t * slope


def relu(z):
    return np.maximum(z, 0), np.where(z > 0, 1.0, 0.0), np.zeros_like(z)


def softplus(z):
    return np.logaddexp(0, z), sigma(z), sigma(z) * sigma(-z)


def leaky_relu(z, eps=0.01):
    return eps * z + (1 - eps) * np.maximum(z, 0), np.where(z > 0, 1.0, eps), np.zeros_like(z)


def elu(z, alpha=1.0):
    low = np.minimum(z, 0)
    e = alpha * np.exp(low)
    return (
        np.where(z > 0, z, alpha * np.expm1(low)),
        np.where(z > 0, 1.0, e),
        np.where(z > 0, 0.0, e),
    )


def selu(z):
    value, slope, curv = elu(z, SELU_ALPHA)
    return SELU_SCALE * value, SELU_SCALE * slope, SELU_SCALE * curv


def gelu(z):
    cdf = 0.5 * erfc(-z / math.sqrt(2))
    pdf = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return z * cdf, cdf + z * pdf, (2 - z**2) * pdf


def silu(z):
    s, ds, dds = logistic(z)
    return z * s, s + z * ds, 2 * ds + z * dds


def mish(z):
    softened, s, ds = softplus(z)
    t, dt, ddt = tanh(softened)
    dt, ddt = dt * s, ddt * s * s + dt * ds
    return z * t, t + z * dt, 2 * dt + z * ddt


def exp(z):
    e = np.exp(z)
    return e, e, e


ACTIVATIONS = {
    f.__name__: f
    for f in (
        identity,
        logistic,
        tanh,
        relu,
        softplus,
        leaky_relu,
        elu,
        selu,
        gelu,
        silu,
        mish,
        exp,
    )
}


def softmax(z):
    """Probabilities (n, k), Jacobian (n, k, k) and second derivatives (n, k, k, k)."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    eye = np.eye(z.shape[1])
    # d p_j / d z_k = p_j (d_jk - p_k), and once more by z_m
    gap = eye - p[:, None, :]
    jac = p[:, :, None] * gap
    second = p[:, :, None, None] * (gap[:, :, :, None] * gap[:, :, None, :] - jac[:, None, :, :])
    return p, jac, second


def output(name, raw, **params):
    """Any output activation as (value, Jacobian, second derivatives), elementwise or not."""
    if name == "softmax":
        return softmax(raw)
    value, slope, curv = ACTIVATIONS[name](raw, **params)
    k = raw.shape[1]
    jac, second = np.zeros((*raw.shape, k)), np.zeros((*raw.shape, k, k))
    for j in range(k):
        jac[:, j, j], second[:, j, j, j] = slope[:, j], curv[:, j]
    return value, jac, second


# --- losses of the prediction p: (value, first, second, expected) elementwise --------------------
# "expected" is the nonnegative second derivative that the Gauss-Newton matrix uses.


def squared_error(p, y):
    one = np.ones_like(p)
    return (p - y) ** 2 / 2, p - y, one, one


def absolute_error(p, y):
    zero = np.zeros_like(p)
    return np.abs(p - y), np.sign(p - y), zero, zero


def huber(p, y, epsilon=1.35):
    r = p - y
    inside = np.abs(r) <= epsilon
    second = np.where(inside, 1.0, 0.0)
    value = np.where(inside, r**2 / 2, epsilon * (np.abs(r) - epsilon / 2))
    return value, np.where(inside, r, epsilon * np.sign(r)), second, second


def quantile(p, y, quantile=0.5):
    r, zero = y - p, np.zeros_like(p)
    first = np.where(r > 0, -quantile, np.where(r < 0, 1 - quantile, 0.0))
    return np.where(r > 0, quantile * r, (quantile - 1) * r), first, zero, zero


def perceptron(p, y):
    zero = np.zeros_like(p)
    return np.maximum(0, -y * p), np.where(y * p <= 0, -y, 0.0), zero, zero


def xlogy(x, y):
    return np.where(x == 0, 0.0, x * np.log(np.where(x == 0, 1.0, y)))


def poisson(p, y):
    return xlogy(y, y / p) - y + p, 1 - y / p, y / p**2, y / p**2


def gamma(p, y):
    # not convex in p: the Fisher information E[2y/p^3 - 1/p^2] = 1/p^2 takes the Hessian's place
    return y / p - np.log(y / p) - 1, (p - y) / p**2, 2 * y / p**3 - 1 / p**2, 1 / p**2


LOSSES = {
    f.__name__: f
    for f in (squared_error, absolute_error, huber, quantile, perceptron, poisson, gamma)
}


# --- likelihoods of two raw outputs per target, m and s: mostly a location and a log scale --------
# (value, (l_m, l_s), (l_mm, l_ms, l_ss), expected (l_mm, l_ms, l_ss)) elementwise


def normal(m, s, y):
    variance, r = np.exp(2 * s), y - m
    value = 0.5 * np.log(2 * np.pi) + s + r**2 / (2 * variance)
    grad = (-r / variance, 1 - r**2 / variance)
    hess = (1 / variance, 2 * r / variance, 2 * r**2 / variance)
    return value, grad, hess, (1 / variance, np.zeros_like(m), np.full_like(m, 2.0))


def student_t(m, s, y, df=4.0):
    variance, r = np.exp(2 * s), y - m
    constant = math.lgamma(df / 2) - math.lgamma((df + 1) / 2) + 0.5 * math.log(df * math.pi)
    total = df * variance + r**2
    value = constant + s + (df + 1) / 2 * np.log(total / (df * variance))
    grad = (-(df + 1) * r / total, 1 - (df + 1) * r**2 / total)
    hess = (
        (df + 1) * (df * variance - r**2) / total**2,
        2 * (df + 1) * r * df * variance / total**2,
        2 * (df + 1) * r**2 * df * variance / total**2,
    )
    zero = np.zeros_like(m)
    fisher = ((df + 1) / (df + 3) / variance, zero, np.full_like(m, 2 * df / (df + 3)))
    return value, grad, hess, fisher


def laplace(m, s, y):
    b, size, sign, zero = np.exp(s), np.abs(y - m), np.sign(y - m), np.zeros_like(m)
    grad, hess = (-sign / b, 1 - size / b), (zero, sign / b, size / b)
    return size / b + np.log(2 * b), grad, hess, (1 / b**2, zero, np.ones_like(m))


def lognormal(m, s, y):
    value, *derivatives = normal(m, s, np.log(y))
    return value + np.log(y), *derivatives


def normal_natural(m, s, y):
    # by the precision P = softplus(s), in which the density is exp(m y - P y^2 / 2) / Z
    P, dP, ddP = softplus(s)
    mean, variance = m / P, 1 / P
    value = P * (y - mean) ** 2 / 2 - np.log(P / (2 * np.pi)) / 2
    by_P = (y**2 - mean**2 - variance) / 2
    information = (variance, -mean * variance, mean**2 * variance + variance**2 / 2)
    fisher = (information[0], information[1] * dP, information[2] * dP**2)
    return value, (mean - y, by_P * dP), (*fisher[:2], fisher[2] + by_P * ddP), fisher


lgamma = np.vectorize(math.lgamma, otypes=[float])


def digamma(x):
    """By recurrence, and Stirling's series from 20 on."""
    x, total = np.array(x, dtype=float), 0.0
    for _ in range(20):
        total, x = np.where(x < 20, total - 1 / x, total), np.where(x < 20, x + 1, x)
    tail = 1 / 12 - (1 / 120 - (1 / 252 - 1 / (240 * x**2)) / x**2) / x**2
    return total + np.log(x) - 1 / (2 * x) - tail / x**2


def trigamma(x):
    x, total = np.array(x, dtype=float), 0.0
    for _ in range(20):
        total, x = np.where(x < 20, total + 1 / x**2, total), np.where(x < 20, x + 1, x)
    tail = 1 / 6 - (1 / 30 - (1 / 42 - (1 / 30 - 5 / (66 * x**2)) / x**2) / x**2) / x**2
    return total + 1 / x + 1 / (2 * x**2) + tail / x**3


def gamma_shape(m, s, y):
    a, ratio = np.exp(s), y * np.exp(-m)
    value = lgamma(a) - a * (s - m) - (a - 1) * np.log(y) + a * ratio
    by_s = a * (digamma(a) - s + m - 1 - np.log(y) + ratio)
    information = a**2 * trigamma(a) - a
    cross = a * (1 - ratio)
    hess = (a * ratio, cross, by_s + information)
    return value, (cross, by_s), hess, (a, np.zeros_like(a), information)


def negative_binomial(m, s, y):
    n, mu = np.exp(s), np.exp(m)
    total = n + mu
    value = lgamma(n) + lgamma(y + 1) - lgamma(n + y) + (n + y) * np.log(total) - n * s - y * m
    by_n = digamma(n) - digamma(n + y) + np.log(total / n) + (y - mu) / total
    by_nn = trigamma(n) - trigamma(n + y) + 1 / total - 1 / n - (y - mu) / total**2
    cross = n * mu * (mu - y) / total**2
    hess = (n * mu * (n + y) / total**2, cross, n * by_n + n**2 * by_nn)
    # that of n has no closed form: its limits for large and small means, and between them
    large = n**2 * trigamma(n) - n
    information = large / (1 + np.sqrt(2 * n * (n + 1) * large) / mu) ** 2
    fisher = (n * mu / total, np.zeros_like(n), information)
    return value, (n * (mu - y) / total, n * by_n), hess, fisher


def beta(m, s, y):
    p, q, c = sigma(m), sigma(-m), np.exp(s)
    a, b = c * p, c * q
    value = lgamma(a) + lgamma(b) - lgamma(c) - (a - 1) * np.log(y) - (b - 1) * np.log(1 - y)
    by_a, by_b = digamma(a) - digamma(c) - np.log(y), digamma(b) - digamma(c) - np.log(1 - y)
    aa, bb, ab = trigamma(a) - trigamma(c), trigamma(b) - trigamma(c), -trigamma(c)
    da, db = (a * q, a), (-a * q, b)  # of a and b by m and s
    grad = tuple(by_a * da[k] + by_b * db[k] for k in (0, 1))
    fisher = tuple(
        aa * da[j] * da[k] + bb * db[j] * db[k] + ab * (da[j] * db[k] + db[j] * da[k])
        for j, k in ((0, 0), (0, 1), (1, 1))
    )
    second_a = (a * q * (q - p), a * q, a)
    second_b = (-a * q * (q - p), -a * q, b)
    hess = tuple(fisher[k] + by_a * second_a[k] + by_b * second_b[k] for k in range(3))
    return value, grad, hess, fisher


LIKELIHOODS = {
    f.__name__: f
    for f in (
        normal,
        student_t,
        laplace,
        lognormal,
        normal_natural,
        gamma_shape,
        negative_binomial,
        beta,
    )
}
# those of a location and a log scale, whose rows are discounted in mini-batches: beta's default
DISCOUNTS = dict.fromkeys(("normal", "student_t", "laplace", "lognormal"), 0.5)


# --- losses of many raw outputs: raw (n, k) of one target, y (n,) ---------------------------------
# (value (n,), grad (n, k), hess (n, k, k), curv (n, k, k))


def mixture(raw, y, components=3, floor=1e-6):
    """-log of a sum, with curv the complete data's information given the responsibilities."""
    n, c = len(raw), components
    p, jac, _ = softmax(raw[:, :c])
    m, s = raw[:, c : 2 * c], raw[:, 2 * c :]
    sigma = floor + np.exp(s)
    z = (y[:, None] - m) / sigma
    terms = np.log(p) - np.log(sigma) - z**2 / 2 - np.log(2 * np.pi) / 2
    top = terms.max(axis=1, keepdims=True)
    value = -(top[:, 0] + np.log(np.exp(terms - top).sum(axis=1)))
    r = np.exp(terms + value[:, None])
    # u_c = log p_c N_c, by raw: first (n, c, 3c) and second (n, c, 3c, 3c) derivatives
    rise = np.exp(s) / sigma  # d log sigma / ds, whose own derivative is rise (1 - rise)
    du, d2u = np.zeros((n, c, 3 * c)), np.zeros((n, c, 3 * c, 3 * c))
    for i in range(c):
        j, k = c + i, 2 * c + i
        du[:, i, :c] = np.eye(c)[i] - p
        d2u[:, i, :c, :c] = -jac
        du[:, i, j], du[:, i, k] = z[:, i] / sigma[:, i], (z[:, i] ** 2 - 1) * rise[:, i]
        d2u[:, i, j, j] = -1 / sigma[:, i] ** 2
        d2u[:, i, j, k] = d2u[:, i, k, j] = -2 * z[:, i] * rise[:, i] / sigma[:, i]
        bend = rise[:, i] * (1 - rise[:, i])
        d2u[:, i, k, k] = -2 * (z[:, i] * rise[:, i]) ** 2 + (z[:, i] ** 2 - 1) * bend
    mean = np.einsum("nc,nca->na", r, du)
    square = np.einsum("nc,nca,ncb->nab", r, du, du) - mean[:, :, None] * mean[:, None, :]
    hess = -np.einsum("nc,ncab->nab", r, d2u) - square
    curv = np.zeros((n, 3 * c, 3 * c))
    curv[:, :c, :c] = jac
    curv[:, c:, c:] = diagonal(np.concatenate([r / sigma**2, 2 * r * rise**2], axis=1))
    return value, -mean, hess, curv


def histogram(raw, y, bins=20):
    chosen = np.eye(bins)[np.minimum(y, bins - 1).astype(int)]
    p, jac, _ = softmax(raw)
    return -np.log((p * chosen).sum(axis=1)), p - chosen, jac, jac


def histogram_crps(raw, y, bins=20, widths=None):
    """int (F - [x > y])^2 dx, by Simpson's rule on either side of y, exact for squares of lines."""
    widths = np.ones(bins) if widths is None else np.asarray(widths, float)
    p, jac, second = softmax(raw)
    up_to = np.tril(np.ones((bins, bins)))  # the distribution function at upper edges
    value, slope = np.zeros(len(raw)), np.zeros((len(raw), bins))
    bend = np.zeros((len(raw), bins, bins))
    for i in range(bins):
        t = np.clip(y - i, 0, 1)
        below = up_to[i] - np.eye(bins)[i]
        for start, stop, step in ((0 * t, t, 0.0), (t, 1 + 0 * t, 1.0)):
            for at, share in ((start, 1 / 6), ((start + stop) / 2, 4 / 6), (stop, 1 / 6)):
                row = below + at[:, None] * np.eye(bins)[i]  # F there = row @ p
                error = (row * p).sum(axis=1) - step
                weight = widths[i] * share * (stop - start)
                value += weight * error**2
                slope += (2 * weight * error)[:, None] * row
                bend += (2 * weight)[:, None, None] * row[:, :, None] * row[:, None, :]
    curv = np.einsum("nja,njk,nkb->nab", jac, bend, jac)
    hess = curv + np.einsum("nj,njab->nab", slope, second)
    return value, np.einsum("nj,nja->na", slope, jac), hess, curv


def quantiles(raw, y, levels=(0.05, 0.25, 0.5, 0.75, 0.95)):
    gap, slope, bend = softplus(raw)
    gap[:, 0], slope[:, 0], bend[:, 0] = raw[:, 0], 1.0, 0.0
    value, first = np.zeros(len(raw)), np.zeros_like(raw)
    for c, level in enumerate(levels):
        v, d, _, _ = quantile(gap[:, : c + 1].sum(axis=1), y, level)
        value += v
        first[:, : c + 1] += d[:, None]
    return value, first * slope, diagonal(first * bend), np.zeros((*raw.shape, raw.shape[1]))


MANY = {f.__name__: f for f in (mixture, histogram, histogram_crps, quantiles)}


def raws_of(loss, params):
    """Raw outputs for each target."""
    if loss == "mixture":
        return 3 * params.get("components", 3)
    if loss == "quantiles":
        return len(params.get("levels", (0.05, 0.25, 0.5, 0.75, 0.95)))
    return params.get("bins", 20) if loss in MANY else 1 + (loss in LIKELIHOODS)


OUTPUTS = {  # canonical ones
    "log_loss": "logistic",
    "beta": "logistic",
    **dict.fromkeys(("poisson", "gamma", "lognormal", "gamma_shape", "negative_binomial"), "exp"),
}
FLAT_LOSSES = ("absolute_error", "quantile", "perceptron", "quantiles")  # no curvature anywhere
POSITIVE = ("exp", "softplus", "logistic", "softmax")
PAIRS = (
    [("log_loss", "logistic"), ("log_loss", "softmax")]
    + [(loss, name) for loss in ("poisson", "gamma") for name in POSITIVE]
    + [(loss, OUTPUTS.get(loss, "identity")) for loss in (*LIKELIHOODS, *MANY)]
    + [
        (loss, name)
        for loss in ("squared_error", "absolute_error", "huber", "quantile", "perceptron")
        for name in (*ACTIVATIONS, "softmax")
    ]
)


def diagonal(values):
    return values[:, :, None] * np.eye(values.shape[1])


def loss_terms(loss, activation, raw, y, loss_params=None, activation_params=None):
    """Per row: value (n,), grad (n, k), hess (n, k, k) and curv (n, k, k), all in raw space."""
    loss_params, activation_params = loss_params or {}, activation_params or {}
    if (loss, activation) == ("log_loss", "logistic"):
        p, slope, _ = logistic(raw)
        hess = diagonal(slope)
        value = y * np.logaddexp(0, -raw) + (1 - y) * np.logaddexp(0, raw)
        return value.sum(axis=1), p - y, hess, hess
    if (loss, activation) == ("log_loss", "softmax"):
        p, jac, _ = softmax(raw)
        top = raw.max(axis=1, keepdims=True)
        log_p = raw - top - np.log(np.exp(raw - top).sum(axis=1, keepdims=True))
        total = y.sum(axis=1)
        value = -np.where(y == 0, 0.0, y * log_p).sum(axis=1)
        hess = total[:, None, None] * jac
        return value, total[:, None] * p - y, hess, hess
    if (loss, activation) == ("poisson", "exp"):
        mean = np.exp(raw)
        hess = diagonal(mean)
        return (xlogy(y, y) - y * raw - y + mean).sum(axis=1), mean - y, hess, hess
    if (loss, activation) == ("gamma", "exp"):
        ratio = y * np.exp(-raw)
        hess = diagonal(ratio)
        return (ratio - np.log(y) + raw - 1).sum(axis=1), 1 - ratio, hess, hess
    if loss in LIKELIHOODS:
        return likelihood_terms(LIKELIHOODS[loss], raw, y, loss_params)
    if loss in MANY:
        return many_terms(MANY[loss], raw, y, loss_params)
    p, jac, second = output(activation, raw, **activation_params)
    value, first, curved, expected = LOSSES[loss](p, y, **loss_params)
    grad = np.einsum("nj,njk->nk", first, jac)
    hess = np.einsum("nj,njk,njm->nkm", curved, jac, jac)
    hess = hess + np.einsum("nj,njkm->nkm", first, second)
    curv = np.einsum("nj,njk,njm->nkm", expected, jac, jac)
    return value.sum(axis=1), grad, hess, curv


def likelihood_terms(likelihood, raw, y, params):
    """``loss_terms`` of a likelihood: raw k of target j is column k n_targets + j of raw."""
    n, k = raw.shape
    T = k // 2
    value, grad, second, expected = likelihood(raw[:, :T], raw[:, T:], y, **params)
    hess, curv = np.zeros((n, k, k)), np.zeros((n, k, k))
    for j in range(T):
        hess[:, j, j], hess[:, T + j, T + j] = second[0][:, j], second[2][:, j]
        hess[:, j, T + j] = hess[:, T + j, j] = second[1][:, j]
        curv[:, j, j], curv[:, T + j, T + j] = expected[0][:, j], expected[2][:, j]
        curv[:, j, T + j] = curv[:, T + j, j] = expected[1][:, j]
    return value.sum(axis=1), np.concatenate(grad, axis=1), hess, curv


def many_terms(loss, raw, y, params):
    """``loss_terms`` of a loss of many raw outputs per target, one target after the other."""
    n, width = raw.shape
    T = y.shape[1]
    value, grad = np.zeros(n), np.zeros((n, width))
    hess, curv = np.zeros((n, width, width)), np.zeros((n, width, width))
    for j in range(T):
        v, grad[:, j::T], hess[:, j::T, j::T], curv[:, j::T, j::T] = loss(
            raw[:, j::T], y[:, j], **params
        )
        value += v
    return value, grad, hess, curv


# --- the network ---------------------------------------------------------------------------------


def split(spec):
    """'name' or ('name', {param: value}) as a (name, params) pair."""
    return (spec, {}) if isinstance(spec, str) else (spec[0], dict(spec[1]))


class Reference:
    """The twin of ``fastmlp.Network``: same arguments, same method names, float64 throughout."""

    def __init__(self, layers, activation="relu", output_activation=None, loss="squared_error"):
        self.layers = tuple(layers)
        self.n_targets = self.layers[-1]
        n_hidden = len(self.layers) - 2
        if isinstance(activation, list):
            self.hidden = [split(spec) for spec in activation]
        else:
            self.hidden = [split(activation)] * n_hidden
        self.loss = split(loss)
        self.n_raw = self.n_targets * raws_of(*self.loss)
        if output_activation is None:
            output_activation = OUTPUTS.get(self.loss[0], "identity")
            if self.loss[0] == "log_loss" and self.n_raw > 1:
                output_activation = "softmax"
        self.output = split(output_activation)
        widths = (*self.layers[:-1], self.n_raw)
        self.shapes = list(zip(widths[:-1], widths[1:], strict=True))
        self.n_params = sum(fan_in * fan_out + fan_out for fan_in, fan_out in self.shapes)

    def unpack(self, theta):
        coefs, intercepts, start = [], [], 0
        for fan_in, fan_out in self.shapes:
            stop = start + fan_in * fan_out
            coefs.append(np.array(theta[start:stop], dtype=float).reshape(fan_in, fan_out))
            intercepts.append(np.array(theta[stop : stop + fan_out], dtype=float))
            start = stop + fan_out
        return coefs, intercepts

    def pack(self, coefs, intercepts):
        pairs = zip(coefs, intercepts, strict=True)
        return np.concatenate([np.r_[np.ravel(W), np.ravel(b)] for W, b in pairs])

    def is_weight(self):
        """1 where theta holds a weight, 0 where it holds a bias."""
        ones = [np.ones(shape) for shape in self.shapes]
        return self.pack(ones, [np.zeros(fan_out) for _, fan_out in self.shapes])

    def targets(self, y):
        y = np.asarray(y)
        if y.ndim == 1 and self.output[0] == "softmax" and self.loss[0] == "log_loss":
            return np.eye(self.n_raw)[y.astype(int)]
        return y.reshape(len(y), -1).astype(float)

    def activate(self, layer, z):
        name, params = self.hidden[layer]
        return ACTIVATIONS[name](z, **params)

    def forward(self, theta, X):
        """Lists of z and a per layer; a[0] is X and the last z is raw."""
        zs, activations = [], [np.asarray(X, dtype=float)]
        coefs, intercepts = self.unpack(theta)
        for layer, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
            zs.append(activations[-1] @ W + b)
            if layer < len(coefs) - 1:
                activations.append(self.activate(layer, zs[-1])[0])
        return zs, activations

    def raw(self, theta, X):
        return self.forward(theta, X)[0][-1]

    def predict(self, theta, X):
        location = self.raw(theta, X)[:, : self.n_targets]
        return output(self.output[0], location, **self.output[1])[0]

    def terms(self, raw, y):
        (loss, loss_params), (name, params) = self.loss, self.output
        loss_params = {key: value for key, value in loss_params.items() if key != "beta"}
        return loss_terms(loss, name, raw, self.targets(y), loss_params, params)

    def value(self, theta, X, y, sample_weight=None, l2=0.0):
        return self.value_grad(theta, X, y, sample_weight, l2)[0]

    def value_grad(self, theta, X, y, sample_weight=None, l2=0.0, mini_batch=False):
        zs, activations = self.forward(theta, X)
        weight = share(sample_weight, len(zs[-1]))
        value, delta, _, _ = self.terms(zs[-1], y)
        penalised = theta * self.is_weight()
        total = np.sum(weight * np.where(weight == 0, 0.0, value)) + l2 / 2 * np.sum(penalised**2)
        delta = np.where(weight[:, None] == 0, 0.0, weight[:, None] * delta)
        if mini_batch and self.loss[0] in DISCOUNTS:
            power = self.loss[1].get("beta", DISCOUNTS[self.loss[0]])
            delta = delta * np.tile(np.exp(2 * power * zs[-1][:, self.n_targets :]), 2)
        coefs, _ = self.unpack(theta)
        d_coefs, d_intercepts = [None] * len(coefs), [None] * len(coefs)
        for layer in reversed(range(len(coefs))):
            d_coefs[layer] = activations[layer].T @ delta
            d_intercepts[layer] = delta.sum(axis=0)
            if layer > 0:
                delta = (delta @ coefs[layer].T) * self.activate(layer - 1, zs[layer - 1])[1]
        return total, self.pack(d_coefs, d_intercepts) + l2 * penalised

    def row_jets(self, theta, x):
        """d raw / d theta (k, P) and d2 raw / d theta2 (k, P, P) of one row, carried forward."""
        n_params = self.n_params
        a = np.asarray(x, dtype=float)
        da, dda = np.zeros((len(a), n_params)), np.zeros((len(a), n_params, n_params))
        coefs, intercepts = self.unpack(theta)
        start = 0
        for layer, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
            fan_in, fan_out = W.shape
            z, dz, ddz = a @ W + b, W.T @ da, np.einsum("ij,ipq->jpq", W, dda)
            for j in range(fan_out):
                for i in range(fan_in):
                    w = start + i * fan_out + j
                    dz[j, w] += a[i]
                    ddz[j, w, :] += da[i]
                    ddz[j, :, w] += da[i]
                dz[j, start + fan_in * fan_out + j] += 1
            start += (fan_in + 1) * fan_out
            a, da, dda = z, dz, ddz
            if layer < len(coefs) - 1:
                a, slope, curv = self.activate(layer, z)
                da = slope[:, None] * dz
                dda = slope[:, None, None] * ddz + np.einsum("j,jp,jq->jpq", curv, dz, dz)
        return da, dda

    def jacobian(self, theta, X):
        return np.array([self.row_jets(theta, x)[0] for x in X])

    def input_jacobian(self, theta, X):
        rows = []
        coefs, _ = self.unpack(theta)
        for x in X:
            zs, _ = self.forward(theta, x[None, :])
            jac = np.eye(len(x))
            for layer, W in enumerate(coefs):
                jac = W.T @ jac
                if layer < len(coefs) - 1:
                    jac = self.activate(layer, zs[layer])[1][0][:, None] * jac
            rows.append(jac)
        return np.array(rows)

    def hessian(self, theta, X, y, sample_weight=None, l2=0.0):
        return self._curvature(theta, X, y, sample_weight, l2, exact=True)

    def ggn(self, theta, X, y, sample_weight=None, l2=0.0):
        return self._curvature(theta, X, y, sample_weight, l2, exact=False)

    def _curvature(self, theta, X, y, sample_weight, l2, exact):
        _, grad, hess, curv = self.terms(self.raw(theta, X), y)
        weight = share(sample_weight, len(grad))
        total = l2 * np.diag(self.is_weight())
        for i in np.flatnonzero(weight):
            d, dd = self.row_jets(theta, X[i])
            if exact:
                row = d.T @ hess[i] @ d + np.einsum("k,kpq->pq", grad[i], dd)
            else:
                row = d.T @ curv[i] @ d
            total = total + weight[i] * row
        return total

    def hess_mul(self, theta, X, y, v, sample_weight=None, l2=0.0):
        return self.hessian(theta, X, y, sample_weight, l2) @ v

    def ggn_mul(self, theta, X, y, v, sample_weight=None, l2=0.0):
        return self.ggn(theta, X, y, sample_weight, l2) @ v


def share(sample_weight, n_samples):
    """Sample weights that sum to one."""
    if sample_weight is None:
        sample_weight = np.ones(n_samples)
    return np.asarray(sample_weight, dtype=float) / np.sum(sample_weight, dtype=float)
