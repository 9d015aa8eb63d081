"""Threads that assist, and wait in between for whoever is next."""


cdef class Work:
    cdef void run(self) noexcept nogil
