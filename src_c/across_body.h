/* As many units as a vector has lanes, side by side: raw output c of all of them is one vector. */

enum { ACROSS = FM_MOST_ACROSS };

/* to[c] holds from[u ld + c] in lane u; lanes without a unit repeat the last one. */
static void to_lanes(vec *to, const real *from, ptrdiff_t units, ptrdiff_t k, ptrdiff_t ld) {
    for (ptrdiff_t c = 0; c < k; c++)
        for (ptrdiff_t u = 0; u < LANES; u++) to[c][u] = from[(u < units ? u : units - 1) * ld + c];
}

static void from_lanes(real *to, const vec *from, ptrdiff_t units, ptrdiff_t k, ptrdiff_t ld) {
    for (ptrdiff_t c = 0; c < k; c++)
        for (ptrdiff_t u = 0; u < units; u++) to[u * ld + c] = from[c][u];
}

/* The weights of units from u on, 0 where there is none. */
static inline vec weights_at(const real *w, ptrdiff_t u, ptrdiff_t left) {
    return w ? load(w + u, left, 0) : select_(before(left), splat(1), splat(0));
}

/* body for units u to u + m - 1, of which `left` are left in all. */
#define FM_UNITS(units, ...)                                                                     \
    for (ptrdiff_t u = 0; u < (units); u += LANES) {                                             \
        const ptrdiff_t left = (units)-u;                                                        \
        const ptrdiff_t m = left < LANES ? left : LANES;                                         \
        __VA_ARGS__                                                                              \
    }
