/* A bell between two threads: one rings, the other hears it, once. Who listens spins for a moment,
 * since calls follow each other closely while somebody works, and then sleeps until it rings. None
 * of this needs the GIL. */
#ifndef FASTMLP_BELL_H
#define FASTMLP_BELL_H

#include "spin.h"
#include <Python.h>
#include <stdatomic.h>

enum { FM_SILENT, FM_RUNG, FM_ASLEEP };

typedef struct {
    atomic_int state;
    PyThread_type_lock bed; /* held; released once for each time that somebody sleeps there */
} fm_bell;

/* 0, or -1 where there is no memory. */
static inline int fm_bell_hang(fm_bell *b) {
    atomic_store(&b->state, FM_SILENT);
    b->bed = PyThread_allocate_lock();
    return b->bed && PyThread_acquire_lock(b->bed, WAIT_LOCK) ? 0 : -1;
}

static inline void fm_bell_drop(fm_bell *b) {
    if (b->bed) PyThread_free_lock(b->bed);
}

/* What was written before is seen by who hears it. */
static inline void fm_bell_ring(fm_bell *b) {
    if (atomic_exchange(&b->state, FM_RUNG) == FM_ASLEEP) PyThread_release_lock(b->bed);
}

/* Whether it had rung. It has not from then on: so who listens hears it, and so who rang takes it
 * back where nobody has heard. */
static inline int fm_bell_heard(fm_bell *b) {
    int rung = FM_RUNG;
    return atomic_compare_exchange_strong(&b->state, &rung, FM_SILENT);
}

/* Whether it was heard; if not, a signal has broken the sleep, or the ring was taken back. */
static inline int fm_bell_listen(fm_bell *b) {
    int silent = FM_SILENT;
    for (int spins = 0; spins < FM_SPINS; spins++) {
        if (fm_bell_heard(b)) return 1;
        fm_relax();
    }
    /* Who comes back from a signal is asleep still, in this state. */
    if (atomic_compare_exchange_strong(&b->state, &silent, FM_ASLEEP) || silent == FM_ASLEEP)
        PyThread_acquire_lock_timed(b->bed, -1, 1);
    return fm_bell_heard(b);
}

#endif
