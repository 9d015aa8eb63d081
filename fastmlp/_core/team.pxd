"""Several threads on the batches of one epoch."""

from fastmlp._core.kernels cimport fm_update_t, real
from fastmlp._core.network cimport Layers, Source
from fastmlp._core.panels cimport PanelTape

cdef enum:
    MOST_THREADS = 64

cdef extern from "team.h" nogil:
    ctypedef struct fm_meeting:
        pass
    void fm_meeting_open(fm_meeting *m)
    void fm_meeting_call(fm_meeting *m, int assistants)
    void fm_meeting_await(fm_meeting *m)
    void fm_meeting_close(fm_meeting *m)
    int fm_meeting_attend(fm_meeting *m, int *last)
    void fm_meeting_done(fm_meeting *m)


cdef class Team:
    cdef readonly int size                # threads, the leader among them
    cdef readonly list tapes              # one per thread; the leader's is the first
    cdef fm_meeting meeting
    cdef int task
    cdef const Py_ssize_t *index          # the batch at hand
    cdef Py_ssize_t rows
    cdef fm_update_t update
    cdef void *grad[MOST_THREADS]
    cdef double result[MOST_THREADS]


cdef double team_gradient(Layers layers, Source source, PanelTape tape, Team team,
                          const Py_ssize_t *index, Py_ssize_t rows, real *dummy) noexcept nogil
cdef double team_step(Layers layers, Source source, PanelTape tape, Team team, fm_update_t *u,
                      real *dummy) noexcept nogil
