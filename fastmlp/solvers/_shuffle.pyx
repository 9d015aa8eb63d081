"""The order of an epoch's rows: Fisher and Yates's shuffle with NumPy's draws."""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport uint32_t

cdef extern from *:
    """
    #include <stdint.h>
    /* As numpy/random/bitgen.h declares it: what a BitGenerator's capsule points to. */
    typedef struct {
        void *state;
        uint64_t (*next_uint64)(void *);
        uint32_t (*next_uint32)(void *);
        double (*next_double)(void *);
        uint64_t (*next_raw)(void *);
    } fm_bitgen_t;
    """
    ctypedef struct fm_bitgen_t:
        void *state
        uint32_t (*next_uint32)(void *) noexcept nogil


def shuffle(bit_generator, Py_ssize_t[::1] x):
    """Shuffle x in place as ``RandomState.shuffle`` does, from the same draws.

    Position i, from the last down, is swapped with one drawn from 0..i: 32 bits, masked to the
    bits of i, until one is at most i. A rejected draw swaps i with itself, so that the processor
    has no branch to guess.

    Parameters
    ----------
    bit_generator : numpy.random.BitGenerator
        Is left in the state in which NumPy would leave it; its lock is held meanwhile.
    x : ndarray of intp, contiguous, of fewer than 2**32 entries
    """
    cdef fm_bitgen_t *draws
    cdef Py_ssize_t i = x.shape[0] - 1, j, taken
    cdef uint32_t mask = 1
    if i < 1:
        return
    if i > <Py_ssize_t> 0xffffffff:
        raise ValueError(f"x has {i + 1} entries; 2**32 is the limit.")
    draws = <fm_bitgen_t *> PyCapsule_GetPointer(bit_generator.capsule, "BitGenerator")
    while mask < i:
        mask = 2 * mask + 1
    with bit_generator.lock, nogil:
        while i > 0:
            if i <= mask >> 1:
                mask >>= 1
            j = draws.next_uint32(draws.state) & mask
            taken = j <= i
            j = i + (j - i) * taken
            x[i], x[j] = x[j], x[i]
            i -= taken
