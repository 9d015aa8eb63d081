/* Meeting point of a few threads: the leader calls, everybody works, the leader waits for all.
 * Calls follow each other within microseconds, so that waiting spins before it gives way. */
#ifndef FASTMLP_TEAM_H
#define FASTMLP_TEAM_H

#include <stdatomic.h>

#if defined(_WIN32)
#include <windows.h>
#define fm_give_way() SwitchToThread()
#else
#include <sched.h>
#define fm_give_way() sched_yield()
#endif

#if defined(__x86_64__)
#define fm_relax() __builtin_ia32_pause()
#else
#define fm_relax() ((void)0)
#endif

typedef struct {
    atomic_int call;    /* grows by one with each call; negative: go home */
    atomic_int at_work; /* assistants that have not finished it */
} fm_meeting;

static inline void fm_wait(int *spins) {
    if (++*spins < 2000)
        fm_relax();
    else
        fm_give_way();
}

static inline void fm_meeting_open(fm_meeting *m) {
    atomic_store(&m->call, 0);
    atomic_store(&m->at_work, 0);
}

/* Leader: what was written before is seen by every assistant after fm_meeting_attend. */
static inline void fm_meeting_call(fm_meeting *m, int assistants) {
    atomic_store(&m->at_work, assistants);
    atomic_fetch_add(&m->call, 1);
}

static inline void fm_meeting_await(fm_meeting *m) {
    int spins = 0;
    while (atomic_load(&m->at_work) > 0) fm_wait(&spins);
}

static inline void fm_meeting_close(fm_meeting *m) { atomic_store(&m->call, -1); }

/* Assistant: waits for a call after the last one; 0 when there will be none. */
static inline int fm_meeting_attend(fm_meeting *m, int *last) {
    int spins = 0, call;
    while ((call = atomic_load(&m->call)) == *last) fm_wait(&spins);
    *last = call;
    return call >= 0;
}

static inline void fm_meeting_done(fm_meeting *m) { atomic_fetch_sub(&m->at_work, 1); }

#endif
