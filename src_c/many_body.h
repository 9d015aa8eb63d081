/* Losses of many raw outputs per target, k = loss->raws: raw output c of target j is column
 * c n_targets + j. A target and its k raw outputs are a unit; each loss here works on units whose raw
 * outputs lie side by side, `ld` from one unit to the next:
 *
 *   loss_NAME   the gradient and the sum of values, as the kernel `loss`; whole vectors where ld
 *               leaves room for them
 *   mul_NAME    the second derivative times tangents, as the kernel `loss_mul`, ld = k
 *   root_NAME   lays out the root of FM_GGN's of one unit
 *   along_NAME  that root times a vector */

enum { MANY = FM_MOST_BINS };
_Static_assert(FM_MOST_ACROSS <= MANY, "units of any loss fit the same buffers");

/* The root of a unit's curvature, times sqrt(w): outputs of a softmax with the sum of all but the
 * highest, the factors of its columns, and what else a loss has. */
typedef struct {
    real p[MANY], sizes[MANY], more[MANY];
    real others;
    ptrdiff_t top;
} unit_root;

static void lay_out_softmax(unit_root *R, const real *raw, ptrdiff_t n) {
    real log_sum;
    softmax(R->p, &log_sum, raw, 1, n, n);
    R->top = highest_entry(R->p, n), R->others = 0;
    for (ptrdiff_t c = 0; c < n; c++) R->others += c == R->top ? 0 : R->p[c];
}

/* out = w J r, J = diag(p) - p p'; r is counted from its value at the highest p, see
 * softmax_mul_row. */
static void through_softmax(real *out, const real *p, const real *r, real w, ptrdiff_t top,
                            ptrdiff_t n) {
    const real shift = r[top];
    vec mean = splat(0);
    FM_EACH(n, mean += load(p + i, k, 0) * (load(r + i, k, 0) - shift););
    const vec centre = splat(shift + (real)sum_of(mean, LANES));
    FM_EACH(n, store(out + i, w * load(p + i, k, 0) * (load(r + i, k, 0) - centre), k););
}

#include "histogram_body.h"

#include "across_body.h"

#include "mixture_body.h"

#include "quantiles_body.h"

/* ---- by the rows of losses.def -------------------------------------------------------------- */

#define FM_MANY_CASE(name, task, ...)                                                            \
    case FM_LOSS_##name: task##_##name(__VA_ARGS__); break;

/* Units that lie as they should: the value, and the gradient or, with tangents, the product. */
static double units(real *out, const real *rraw, const real *raw, const real *y, const real *w,
                    ptrdiff_t n, ptrdiff_t ld, const fm_loss_t *loss, int exact) {
    double value = 0;
    if (!rraw) switch (loss->kind) {
#define OF_MANY(name) FM_MANY_CASE(name, value = loss, out, raw, y, w, n, ld, loss)
#include "families.h"
        }
    else
        switch (loss->kind) {
#define OF_MANY(name) FM_MANY_CASE(name, mul, out, rraw, raw, y, w, n, loss, exact)
#include "families.h"
        }
    return value;
}

/* A block of units out of rows of several targets. */
typedef struct {
    real raw[MANY], rraw[MANY], out[MANY], w[MANY];
} gathered;

/* units[u, c] = rows[row, c n_targets + target], and back. */
static void take_units(real *units, const real *rows, ptrdiff_t ld, ptrdiff_t first, ptrdiff_t n,
                       ptrdiff_t k, ptrdiff_t n_targets) {
    for (ptrdiff_t u = first; u < first + n; u++)
        for (ptrdiff_t c = 0; c < k; c++)
            *units++ = rows[u / n_targets * ld + c * n_targets + u % n_targets];
}

static void put_units(real *rows, const real *units, ptrdiff_t ld, ptrdiff_t first, ptrdiff_t n,
                      ptrdiff_t k, ptrdiff_t n_targets) {
    for (ptrdiff_t u = first; u < first + n; u++)
        for (ptrdiff_t c = 0; c < k; c++)
            rows[u / n_targets * ld + c * n_targets + u % n_targets] = *units++;
}

static double many(real *out, const real *rraw, const real *raw, const real *y, const real *w,
                   ptrdiff_t rows, ptrdiff_t n_raw, ptrdiff_t ld, const fm_loss_t *loss,
                   int exact) {
    const ptrdiff_t k = loss->raws, n_targets = n_raw / k;
    if (n_targets == 1 && (!rraw || ld == k))
        return units(out, rraw, raw, y, w, rows, ld, loss, exact);
    gathered b;
    double value = 0;
    FM_BLOCKS(first, n, rows * n_targets, MANY / k, {
        take_units(b.raw, raw, ld, first, n, k, n_targets);
        if (rraw) take_units(b.rraw, rraw, ld, first, n, k, n_targets);
        for (ptrdiff_t u = 0; u < n; u++) b.w[u] = w ? w[(first + u) / n_targets] : 1;
        value += units(b.out, rraw ? b.rraw : NULL, b.raw, y + first, b.w, n, k, loss, exact);
        put_units(out, b.out, ld, first, n, k, n_targets);
    });
    return value;
}

static void lay_out_root(unit_root *R, const real *raw, real y, real w, const fm_loss_t *loss) {
    switch (loss->kind) {
#define OF_MANY(name) FM_MANY_CASE(name, root, R, raw, y, w, loss)
#include "families.h"
    }
}

static void along_root(real *out, const real *z, const unit_root *R, const fm_loss_t *loss) {
    switch (loss->kind) {
#define OF_MANY(name) FM_MANY_CASE(name, along, out, z, R, loss)
#include "families.h"
    }
}

/* out[row, d, :] = R z[row, d, :]; without z, that of the identity: the columns of R. */
static void many_root(real *out, const real *z, const real *raw, const real *y, const real *w,
                      ptrdiff_t rows, ptrdiff_t depth, ptrdiff_t n_raw, const fm_loss_t *loss) {
    const ptrdiff_t k = loss->raws, n_targets = n_raw / k;
    unit_root R;
    real unit[MANY], result[MANY];
    for (ptrdiff_t u = 0; u < rows * n_targets; u++) {
        const ptrdiff_t row = u / n_targets, target = u % n_targets;
        take_units(unit, raw, n_raw, u, 1, k, n_targets);
        lay_out_root(&R, unit, y[u], w ? w[row] : 1, loss);
        for (ptrdiff_t d = 0; d < depth; d++) {
            const ptrdiff_t at = (row * depth + d) * n_raw + target;
            for (ptrdiff_t c = 0; c < k; c++)
                unit[c] = z ? z[at + c * n_targets] : d == c * n_targets + target;
            along_root(result, unit, &R, loss);
            for (ptrdiff_t c = 0; c < k; c++) out[at + c * n_targets] = result[c];
        }
    }
}
