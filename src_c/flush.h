/* Denormals become zero inside the training loops: they carry no information there and cost a
 * hundred cycles each on many CPUs. Set and restored per thread; the caller's mode is kept. */
#ifndef FASTMLP_FLUSH_H
#define FASTMLP_FLUSH_H

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
static inline uint64_t fm_flush_begin(void) {
    unsigned int mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040u); /* FTZ and DAZ */
    return mode;
}
static inline void fm_flush_end(uint64_t mode) { _mm_setcsr((unsigned int)mode); }
#elif defined(__aarch64__)
static inline uint64_t fm_flush_begin(void) {
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" : : "r"(mode | (UINT64_C(1) << 24))); /* FZ */
    return mode;
}
static inline void fm_flush_end(uint64_t mode) {
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
}
#else
static inline uint64_t fm_flush_begin(void) { return 0; }
static inline void fm_flush_end(uint64_t mode) { (void)mode; }
#endif

#endif
