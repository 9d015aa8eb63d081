/* Waiting for a moment. */
#ifndef FASTMLP_SPIN_H
#define FASTMLP_SPIN_H

#if defined(__x86_64__)
#define fm_relax() __builtin_ia32_pause()
#else
#define fm_relax() ((void)0)
#endif

enum { FM_SPINS = 2000 }; /* some 20 to 100 microseconds */

#endif
