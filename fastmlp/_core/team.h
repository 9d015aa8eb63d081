/* Meeting point of a few threads: the leader calls, whoever is there takes shares of the work, the
 * leader goes on when all shares are done. Nobody waits for a thread that has not come: the leader
 * takes its share. Calls follow each other within microseconds, so that waiting spins before it
 * gives way. */
#ifndef FASTMLP_TEAM_H
#define FASTMLP_TEAM_H

#include "spin.h"
#include <stdatomic.h>

#if defined(_WIN32)
#include <windows.h>
#define fm_give_way() SwitchToThread()
#else
#include <sched.h>
#define fm_give_way() sched_yield()
#endif

#define FM_MOST_SHARES 64

typedef struct {
    atomic_int call;       /* grows by one with each call; negative: go home */
    atomic_int unfinished; /* shares of this call that are not done */
    atomic_int left;       /* shares that nobody has taken: a hint, one look instead of one each */
    /* The last call in which each share was taken, each on a line of cache of its own. */
    struct {
        atomic_int call;
        char rest_of_line[60];
    } taken[FM_MOST_SHARES];
} fm_meeting;

static inline void fm_wait(int *spins) {
    if (++*spins < FM_SPINS)
        fm_relax();
    else
        fm_give_way();
}

static inline void fm_meeting_open(fm_meeting *m) {
    atomic_store(&m->call, 0);
    atomic_store(&m->unfinished, 0);
    atomic_store(&m->left, 0);
    for (int share = 0; share < FM_MOST_SHARES; share++) atomic_store(&m->taken[share].call, 0);
}

/* Leader: what was written before is seen by whoever takes a share. Returns the call's number. */
static inline int fm_meeting_call(fm_meeting *m, int shares) {
    atomic_store(&m->unfinished, shares);
    atomic_store(&m->left, shares);
    return atomic_fetch_add(&m->call, 1) + 1;
}

/* Whether this share of this call is the caller's to do. One who comes late for a call finds every
 * share of it taken, since there is no further call before they are. */
static inline int fm_meeting_take(fm_meeting *m, int share, int call) {
    int last = call - 1;
    if (!atomic_compare_exchange_strong(&m->taken[share].call, &last, call)) return 0;
    atomic_fetch_sub(&m->left, 1);
    return 1;
}

static inline int fm_meeting_left(fm_meeting *m) { return atomic_load(&m->left); }

static inline void fm_meeting_done(fm_meeting *m) { atomic_fetch_sub(&m->unfinished, 1); }

static inline void fm_meeting_await(fm_meeting *m) {
    int spins = 0;
    while (atomic_load(&m->unfinished) > 0) fm_wait(&spins);
}

static inline void fm_meeting_close(fm_meeting *m) { atomic_store(&m->call, -1); }

/* Assistant: waits for a call after the last one and returns its number, or a negative one when
 * there will be none. */
static inline int fm_meeting_attend(fm_meeting *m, int last) {
    int spins = 0, call;
    while ((call = atomic_load(&m->call)) == last) fm_wait(&spins);
    return call;
}

#endif
