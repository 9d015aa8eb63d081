"""The mutations that `python tests/kernels/mutation.py` tries: (file, text, changed text).

Each text occurs exactly once in its file. One or two for every kernel and every sweep: a sign, an
index, a factor, a condition.
"""

ACTIVATIONS = "src_c/activations_body.h"
LOSSES = "src_c/losses_body.h"
PAIRS = "src_c/likelihoods_body.h"
SHAPES = "src_c/shapes_body.h"
SPECIAL = "src_c/special_body.h"
MANY = "src_c/many_body.h"
MIXTURE = "src_c/mixture_body.h"
HISTOGRAM = "src_c/histogram_body.h"
QUANTILES = "src_c/quantiles_body.h"
MATH = "src_c/math_body.h"
UPDATES = "src_c/updates_body.h"
ARRAYS = "src_c/arrays_body.h"
SIMD = "src_c/simd_body.h"
SOFTMAX = "src_c/softmax_body.h"
ROOTS = "src_c/roots_body.h"
TAPE = "fastmlp/_core/tape.pyx"
VALUES = "fastmlp/_core/values.pyx"
CSR = "src_c/csr_body.h"
CSR_GRAD = "fastmlp/_core/csr.pyx"
TEAM = "fastmlp/_core/team.pyx"
STEP = "fastmlp/_core/step.pyx"
LOSS_CURVATURE = "fastmlp/_core/curvature.pyx"
PENALTIES = "fastmlp/penalties.py"
PREDICTOR = "fastmlp/_core/predictor.pyx"
GAUSS_NEWTON = "fastmlp/_core/gauss_newton.pyx"
TANGENTS = "fastmlp/_core/tangents.pyx"
GRAM = "src_c/gram_body.h"
HESSIAN = "fastmlp/_core/hessian.pyx"
MINIBATCH = "fastmlp/_core/minibatch.pyx"
PANELS = "src_c/panels_body.h"
TURN = "src_c/turn_body.h"
ROW = "src_c/row_body.h"
ROW_SWEEP = "fastmlp/_core/row.pyx"

MUTATIONS = [
    (CSR, "acc[v] += x[k] * load(w", "acc[v] += load(w"),
    (CSR, "c + LANES <= cols ? c : cols - LANES", "c + LANES <= cols ? c : cols - 1 - LANES"),
    (CSR, "const int met = *at > 0;", "const int met = 0;"),
    (
        CSR,
        "csr_add(grad, 1, delta, fan_out, accumulate || r > 0)",
        "csr_add(grad, 1, delta, fan_out, 0)",
    ),
    (CSR_GRAD, "        quiet = j + 1\n", "        quiet = j\n"),
    (CSR_GRAD, "                sums[i] += more[i]", "                sums[i] = more[i]"),
    (CSR_GRAD, "            memset(flat + j * g.fan_out, 0,", "            memset(flat, 0,"),
    (ACTIVATIONS, "(void)z, (void)p; return a * (1 - a); }", "(void)z, (void)p; return a; }"),
    (ACTIVATIONS, "a * (1 - a) * (1 - 2 * a)", "a * (1 - a) * (1 - a)"),
    (ACTIVATIONS, "return -2 * a * (1 - a * a); }", "return 2 * a * (1 - a * a); }"),
    (ACTIVATIONS, "return select_(z <= 0, splat(0), z); }", "return z; }"),
    (ACTIVATIONS, "return l.s * l.r;", "return l.s * l.s;"),
    (ACTIVATIONS, "select_(z <= 0, p[0] * z, z)", "select_(z <= 0, p[1] * z, z)"),
    (
        ACTIVATIONS,
        "select_(a > 0, splat(1), splat(p[0]))",
        "select_(a >= 0, splat(1), splat(p[0]))",
    ),
    (ACTIVATIONS, "{select_(z > 0, z, p[0] * below)", "{select_(z > 0, z, below)"),
    (ACTIVATIONS, "select_(z > 0, splat(1), p[0] * e)};", "select_(z > 0, splat(1), e)};"),
    (ACTIVATIONS, "return (2 - z * z) *", "return (1 - z * z) *"),
    (ACTIVATIONS, "cdf + z * (NORMAL_PEAK * e)};", "cdf};"),
    (ACTIVATIONS, "s * (1 + z * rest)};", "s * (1 + z * s)};"),
    (
        ACTIVATIONS,
        "return l.s * l.r * (2 + z * (l.r - l.s));",
        "return l.s * l.r * (2 - z * (l.r - l.s));",
    ),
    (ACTIVATIONS, "(1 - 2 * m.t * m.e) / (1 + m.e)", "(1 - m.t * m.e) / (1 + m.e)"),
    (
        ACTIVATIONS,
        "    else\n        values(a, z, b, g);",
        "    else\n        value(a, z, b.whole * LANES, g);",
    ),
    (
        ACTIVATIONS,
        "        values_and_slopes(a, z, b, g);",
        "        values(a, z, b, g);",
    ),
    (ACTIVATIONS, "store(z + i, g.slope, k);", "store(z + i, g.value, k);"),
    (ACTIVATIONS, "select_(z > 0, e * s, 1 - s);", "select_(z < 0, e * s, 1 - s);"),
    (LOSSES, "return (point){vmax(raw, 0) - y * raw +", "return (point){vmax(raw, 0) +"),
    (
        LOSSES,
        "return (point){y_log_y(y) - y * raw - y + mu, mu - y, mu, mu};",
        "return (point){y_log_y(y) - y * raw - y + mu, mu - y, y, mu};",
    ),
    (LOSSES, "{ratio - vlog(y) + raw - 1, 1 - ratio,", "{ratio - vlog(y) + raw, 1 - ratio,"),
    (
        LOSSES,
        "(point){(real)0.5 * r * r, r, splat(1), splat(1)}",
        "(point){r * r, r, splat(1), splat(1)}",
    ),
    (
        LOSSES,
        "(2 * ratio - 1) * inverse * inverse, inverse * inverse",
        "(2 * ratio - 1) * inverse * inverse, ratio * inverse * inverse",
    ),
    (LOSSES, "const ivec inside = size <= p[0];", "const ivec inside = size < 2 * p[0];"),
    (
        LOSSES,
        "select_(r > 0, splat(1 - p[0]), splat(-p[0]))",
        "select_(r > 0, splat(p[0]), splat(p[0] - 1))",
    ),
    (LOSSES, "select_(r == 0, r, side)", "side"),
    (LOSSES, "select_(margin > 0, splat(0), -y)", "select_(margin >= 0, splat(0), -y)"),
    (LOSSES, "second += t.grad * load(e->curv", "second -= t.grad * load(e->curv"),
    (LOSSES, "second = second * g1 * g1;", "second = second * g1;"),
    (PAIRS, "return (real)0.91893853320467274178;", "return 0;"),
    (PAIRS, ".ms = 2 * z * inverse", ".ms = z * inverse"),
    (PAIRS, ".s = 1 - square", ".s = square - 1"),
    (PAIRS, "raised *= (h + (real)0.5) / h", "raised *= h / (h + (real)0.5)"),
    (PAIRS, "(1.0 / 640))", "(1.0 / 64))"),
    (PAIRS, "select_(alone, size - 1, square)", "square"),
    (PAIRS, "1 / (1 + 1 / square), d = 1 / (x + 1 / x)", "square * rest, d = x * rest"),
    (PAIRS, "(df / (df + 3))", "(df / (df + 1))"),
    (PAIRS, "vmax(given, LEAST_LOG_SCALE)", "given"),
    (PAIRS, "select_(free, out_s, splat(0))", "out_s"),
    (PAIRS, "b->s[i] = raw[at + n_targets]", "b->s[i] = raw[at + 1]"),
    (LOSSES, "load(delta + c, ld - c, 0) - t)", "load(delta + c, ld - c, 0) + t)"),
    (LOSSES, "select_(w != 0, w * x, splat(0))", "w * x"),
    (LOSSES, "select_(w != 0, w * x, splat(0))", "select_(w != 0, x, splat(0))"),
    (LOSSES, "inner += delta[c] * t.grad[0];", "inner += t.grad[0];"),
    (LOSSES, "rdelta[c] = w * a[c] * (rraw[c] - shift - p_r);", "rdelta[c] = w * a[c] * rraw[c];"),
    (LOSSES, "q += rp * (t.grad[0] - p_g) - a[c] * rp_g;", "q += rp * (t.grad[0] - p_g);"),
    (LOSSES, "b->w[i] = w ? w[(first + i) / n_raw] : 1;", "b->w[i] = w ? w[first / n_raw] : 1;"),
    (LOSSES, "if (row[c] > row[top]) top = c;", "if (row[c] < row[top]) top = c;"),
    (ROOTS, ": d == top ? others : 1 - p[d]", ": 1 - p[d]"),
    (ROOTS, "(j != d ? -p[j] :", "(j != d ? -p[d] :"),
    (ROOTS, "splat(w * p_k * p_k) *", "splat(w * p_k) *"),
    (ROOTS, "d == col ? root : 0", "d == 0 ? root : 0"),
    (MATH, "const vec r = (x - k * LN2_HIGH) - k * LN2_LOW;", "const vec r = x - k * LN2_HIGH;"),
    (MATH, "return (p * s + s) * power_of_two(n - half)", "return (p * s + s) * s"),
    (MATH, "vec y = vlog(u) + c / u;", "vec y = vlog(u);"),
    (MATH, "return vcopysign(e / (e + 2), x);", "return e / (e + 2);"),
    (MATH, "select_(x < 0, 2 - outer, outer)", "outer"),
    (UPDATES, "> smallest ? (real)u->epsilon : smallest;", "> 0 ? (real)u->epsilon : 0;"),
    (UPDATES, "t = keep * t + (momentum * m - rate * g)", "t = keep * t + momentum * m"),
    (
        UPDATES,
        "m = momentum * m - rate * g; t = keep * t + m)",
        "m = momentum * m - rate * g; t = t + m)",
    ),
    (
        UPDATES,
        "const vec v = b2 * load(second + i, k, 0) + c2 * (g * g);",
        "const vec v = b2 * load(second + i, k, 0) + c1 * (g * g);",
    ),
    (UPDATES, "m = b1 * m + c1 * g;", "m = b1 * m + c2 * g;"),
    (UPDATES, "over_root(rate * m, v, epsilon)", "over_root(rate * m, v + epsilon, smallest)"),
    (ARRAYS, "out[r * ld + c] = from[c * col_stride];", "out[r * ld + c] = from[c];"),
    (ARRAYS, "out[r * ld + indices[k]] += data[k];", "out[r * ld + indices[k]] = data[r];"),
    (TAPE, "rows, fan_out, fan_in + 1, False", "rows, fan_out, fan_in, False"),
    (
        TAPE,
        "fan_in + 1, fan_out, rows, True, False, accumulate,",
        "fan_in + 1, fan_out, rows, True, False, 0,",
    ),
    (TAPE, "a[i * ld] = value", "a[i * ld] = 0"),
    (TAPE, "        clear_padding(z, rows, fan_out, tape.ld[l])\n", ""),
    (TAPE, "            tape.turned[l] = tape.W[l]\n", "            pass\n"),
    (TAPE, "other.grad[l], tape.size[l], tape.size[l])", "other.grad[l], 0, tape.size[l])"),
    (VALUES, "backward(tape, t.rows, t.start > begin)", "backward(tape, t.rows, False)"),
    (VALUES, "given += t.rows * tape.layers.n_raw", "given += 0"),
    (TAPE, "    if source.mean != NULL:\n", "    if source.mean != NULL and not source.sparse:\n"),
    (TAPE, "tape.order[i] = t.start + i", "tape.order[i] = i"),
    (PENALTIES, "return 0.5 * penalise(", "return penalise("),
    (PENALTIES, "* self._layout.factors", "* 1.0"),
    (PENALTIES, "np.where(groups < 0, 0.0, relative[ends - 1])", "relative[ends - 1]"),
    (VALUES, "n, strengths[k], 1)", "n, 1, 1)"),
    (VALUES, "total += strengths[k] * sums[0]", "total += sums[0]"),
    (
        TANGENTS,
        "slope[i] * rbelow[i] + r.z[l - 1][i] * below[i]",
        "slope[i] * rbelow[i] - r.z[l - 1][i] * below[i]",
    ),
    (
        TANGENTS,
        "multiply_grad(tape, l, tape.grad[l], r.a[l - 1], delta, rows, True)",
        "pass",
    ),
    (STEP, "grads[other][l] + at, block, end - at)", "grads[other][l], block, end - at)"),
    (ARRAYS, "load(sum + i, k, 0) + load(more + i, k, 0)", "load(more + i, k, 0)"),
    (TEAM, "backward(tape, n, start > 0)", "backward(tape, n, False)"),
    (GRAM, "store(row + j, a[p] * load(d + j", "store(row + j, a[0] * load(d + j"),
    (GRAM, "d[0] * load(a + p, fan_in + 1 - p, 0)", "d[0] * load(a + p, fan_in - p, 0)"),
    (GRAM, "ptrdiff_t end = (n + 2) % 3 + 1;", "ptrdiff_t end = n % 3 + 1;"),
    (GRAM, "if (group % shares != share) continue;", "if (group % shares == share) continue;"),
    (LOSS_CURVATURE, "total += self.given_Q", "total -= self.given_Q"),
    (LOSS_CURVATURE, "m[j] *= factors[j]", "m[j] *= factors[0]"),
    (LOSS_CURVATURE, "        factors += ld_factors\n", ""),
    (TANGENTS, "rz[i] += tape.spare[i]", "pass"),
    (TANGENTS, "rrz[i] = 2 * rrz[i]", "rrz[i] = rrz[i]"),
    (TANGENTS, "curv[i] * rz[i] * rz[i] + slope", "slope"),
    (TANGENTS, "set_last(tape, l, r.a[l], rows, 0)", "set_last(tape, l, r.a[l], rows, 1)"),
    (
        HESSIAN,
        "total += sums_B[((p * h_m + n) * (f_m - 1) + q) * h + j]",
        "total -= sums_B[((p * h_m + n) * (f_m - 1) + q) * h + j]",
    ),
    (LOSS_CURVATURE, "out[q] = left[p] * right[q]", "out[q] = left[q] * right[q]"),
    (
        HESSIAN,
        "H[at + q * h + j, at + p * h + n] = sums[0]",
        "H[at + q * h + n, at + p * h + n] = sums[0]",
    ),
    (
        HESSIAN,
        "b.diagonal[(i * h + j) * h + j] += b.c[l, i * b.tape.ld[l] + j]",
        "b.diagonal[(i * h + j) * h + j] += b.c[l, j]",
    ),
    (
        MINIBATCH,
        "return (value + 0.5 * penalty) / weight_sum\n",
        "return value / weight_sum + 0.5 * penalty\n",
    ),
    (MINIBATCH, "    turn(tape)\n", "    pass\n"),
    (STEP, "step.max_norm / sqrt(sums[1])", "step.max_norm / sums[1]"),
    (STEP, "if step.turns and l > 1 else", "if step.turns and l > 2 else"),
    (STEP, "if strip.biases == 0 else left - fan_out", "if strip.biases == 0 else left"),
    (STEP, "l2 = 0 if penalised else", "l2 ="),
    (STEP, "* self.weight_decay * self.decays[k]", "* self.weight_decay"),
    (STEP, "u.rate = factor * rate", "u.rate = rate"),
    (STEP, "rate_factors[k] == 0:", "rate_factors[k] < 0:"),
    (PANELS, "accumulate ? acc[v] + load(at, left, 0) : acc[v]", "acc[v]"),
    (PANELS, "if (mode == GATE && !(gate[r * ldc] > 0)) x = 0;", ""),
    (PANELS, "const vec x = d[r * ldd] * load(w", "const vec x = d[0] * load(w"),
    (PANELS, "x += load(c, LANES, 0);", "x -= load(c, LANES, 0);"),
    (
        PANELS,
        "if (mode == RELU) x = select_(x <= 0, splat(0), x);",
        "if (mode == RELU) x = select_(x >= 0, splat(0), x);",
    ),
    (PANELS, "LANES, 0) > 0, x, splat(0));", "LANES, 0) >= 0, x, splat(0));"),
    (PANELS, "taller = (end - begin) % tiles;", "taller = 0;"),
    (
        PANELS,
        "begin + block < m ? begin + block : m,",
        "begin + block < m ? begin + block - 1 : m,",
    ),
    (PANELS, "relu ? select_(t <= 0, splat(0), t) : t", "t"),
    (TURN, "i++) to[j * ld_to + i] = from[i * ld + j];\n}", "i++) to[j * ld_to + i] = 0;\n}"),
    (TURN, "to[j * ld_to + i] = from[i * ld + j];\n    for", "to[j * ld_to + i] = 0;\n    for"),
    (TURN, "r[1], 2, 6, 3, 7);", "r[1], 2, 7, 3, 6);"),
    (PANELS, "A[r * a_row] : lower[(r - 6) * a_row]", "A[r * a_row] : lower[(r - 7) * a_row]"),
    (PANELS, "out[o * width + i] = 0;", "out[o * width + i] = 1;"),
    (SOFTMAX, "row_end(p, last, n, ld, 0) * inverse[r]", "load(p + last, ld - last, 0)"),
    (SOFTMAX, "load(p + c, LANES, 0) * inverse[r]", "load(p + c, LANES, 0) * inverse[0]"),
    (SOFTMAX, "highest ? (real)-INFINITY : 0", "0"),
    (SOFTMAX, "higher(x, across[i])", "lower(x, across[i])"),
    (
        SOFTMAX,
        "rows_across(sum + r, from, last, n, ld, 0)",
        "rows_across(sum + r, from, 0, n, ld, 0)",
    ),
    (TURN, "q[r] = joined(q[r], part, highest);", "q[r] = joined(q[r], part, 0);"),
    (ROW, "for (; k < depth; k++)\n#pragma", "for (; k < depth - 1; k++)\n#pragma"),
    (ROW, "t += acc[c][v];", "t -= acc[c][v];"),
    (ROW, "const real t = b[0] + row_dot", "const real t = row_dot"),
    (ROW, "{load(b, cols, 0), splat(0)", "{splat(0), splat(0)"),
    (ROW, "c = fan_out - LANES;", "break;"),
    (ROW, "k++) row_add(z, a + k,", "k++) row_add(z, a,"),
    (ROW_SWEEP, "            spare = <real *> a\n", "            pass\n"),
    (ARRAYS, "- mean[c]) / scale[c]);", "- mean[c]) * scale[c]);"),
    (ARRAYS, "real *const restrict row = x + r * ld;", "real *const restrict row = x + r * cols;"),
    (
        ROW_SWEEP,
        "kernels.standardise(scaled, mean, scale,",
        "kernels.standardise(scaled, mean, mean,",
    ),
    (PREDICTOR, "mean, scale, rows, width, ld)", "mean, scale, rows, width - 1, ld)"),
    (PREDICTOR, "* scale[c] + mean[c])", "* scale[c] - mean[c])"),
    (ROW_SWEEP, "    if not kernels.all_finite(a, layers.n_features):", "    if False:"),
    (MINIBATCH, "if weight_sum <= 0:", "if weight_sum < 0:"),
    (MINIBATCH, "step.rate(rates[batch], t + 1)", "step.rate(rates[batch], t + 2)"),
    (
        STEP,
        "sqrt(1 - pow(u.beta_2, <double> t)) / (1 - pow(u.beta_1, <double> t))",
        "sqrt(1 - pow(u.beta_2, <double> t)) / (1 - pow(u.beta_2, <double> t))",
    ),
    (PAIRS, "vmin(vabs(r) * inverse, MOST_SCALES)", "vmin(vabs(r), MOST_SCALES)"),
    (PAIRS, "select_(r == 0, r, vcopysign(inverse, r))", "vcopysign(inverse, r)"),
    (PAIRS, "t.value += log_y;", "t.value -= log_y;"),
    (PAIRS, "(off * (y + mean) - 1)", "(off * (y - mean) - 1)"),
    (PAIRS, "slope * slope * (m * mean + (real)0.5)", "slope * slope * (m * mean + 1)"),
    (PAIRS, ".root_ms = -mean * slope * vsqrt(P),", ".root_ms = mean * slope * vsqrt(P),"),
    (PAIRS, "vexp(vmin((real)(2 * beta) * s, EXP_SAFE))", "vexp(vmin((real)beta * s, EXP_SAFE))"),
    (PAIRS, "at[0] *= factor[i], at[n_targets] *= factor[i];", "at[0] *= factor[i];"),
    (SHAPES, "g.stirling - (real)0.5 * s + log_y", "g.stirling + (real)0.5 * s + log_y"),
    (SHAPES, ".ss = excess - (g.P - g.T),", ".ss = excess - g.P,"),
    (SHAPES, "n * grow + (g.P - share * h.P)", "n * grow + (g.P - h.P)"),
    (
        SHAPES,
        "y / (1 + ratio) + (g.T - share * share * h.T)",
        "y / (1 + ratio) + (g.T - share * h.T)",
    ),
    (SHAPES, "vsqrt(2 * n * (n + 1) * g.T)", "vsqrt(2 * n * n * g.T)"),
    (SHAPES, ".m = pull - q * A.P + p * B.P,", ".m = pull - q * A.P - p * B.P,"),
    (SHAPES, "spread * (1 + (q - p) * gap)", "spread * (1 + (p - q) * gap)"),
    (SHAPES, "q * q * A.T + p * p * B.T", "q * A.T + p * B.T"),
    (SHAPES, "(q * A.T - p * B.T) / root_m", "(q * A.T + p * B.T) / root_m"),
    (SPECIAL, "(x - (real)0.5) * (l - 1)", "(x + (real)0.5) * (l - 1)"),
    (SPECIAL, "select_(tiny, x * (1 + x),", "select_(tiny, x * (1 - x),"),
    (SPECIAL, "- DIGAMMA_ZERO_REST)", "+ DIGAMMA_ZERO_REST)"),
    (SPECIAL, "numerator * r + product, numerator)", "numerator * r, numerator)"),
    (
        SPECIAL,
        "square * ((real)0.5 + y * POLY(square, trigamma",
        "square * (y * POLY(square, trigamma",
    ),
    (SPECIAL, "1 - low + low * low * vtrigamma(next)", "1 + low + low * low * vtrigamma(next)"),
    (MIXTURE, "vexp(-above) * higher(l.s, l.r)", "vexp(-above) * l.s"),
    (
        MIXTURE,
        "weighted(weight, -t.r * t.z * t.inverse)",
        "weighted(weight, t.r * t.z * t.inverse)",
    ),
    (MIXTURE, "t.r * (1 - t.z * t.z) * t.up", "t.r * (1 - t.z * t.z)"),
    (MIXTURE, "(t.z * t.z - 1) * t.up * rx[2 * n + c]", "(t.z * t.z + 1) * t.up * rx[2 * n + c]"),
    (MIXTURE, "rr = t.r * (change[c] - drift);", "rr = t.r * change[c];"),
    (MIXTURE, "(rr + t.r * t.held * rx[2 * n + c])", "(rr - t.r * t.held * rx[2 * n + c])"),
    (MIXTURE, "(size * of[c].up)[0] * (real)1.41421356237309504880", "(size * of[c].up)[0]"),
    (
        HISTOGRAM,
        "return y >= 1 ? (y < (real)k ? (ptrdiff_t)y : k - 1) : 0;",
        "return y >= 1 ? (y < (real)k ? (ptrdiff_t)y : k - 2) : 0;",
    ),
    (HISTOGRAM, "out[bin] -= weight;", "out[bin] -= 1;"),
    (HISTOGRAM, "rest * (c * c + d * (c + d))", "rest * (c * c + d * (c - d))"),
    (HISTOGRAM, "store(slopes + i, by_b - sums, k);", "store(slopes + i, by_b + sums, k);"),
    (
        HISTOGRAM,
        "store(rslopes + i, third * (a + 2 * b) - sums, k);",
        "store(rslopes + i, third * (2 * a + b) - sums, k);",
    ),
    (
        HISTOGRAM,
        "load(rp + i, k, 0) * g - load(p + i, k, 0) * change",
        "load(rp + i, k, 0) * g + load(p + i, k, 0) * change",
    ),
    (HISTOGRAM, "2 * (h + above) / 3 - below * below", "2 * (h + above) / 3 + below * below"),
    (QUANTILES, "select_(r == 0, r, side)", "side"),
    (
        QUANTILES,
        "c ? slopes[c] * vlogistic_pair(x[c]).s : slopes[c]",
        "slopes[c] * vlogistic_pair(x[c]).s",
    ),
    (QUANTILES, "slopes[c] * l.s * l.r * rx[c]", "slopes[c] * l.s * l.s * rx[c]"),
]
