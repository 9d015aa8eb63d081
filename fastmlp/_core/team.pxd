"""Several threads on the batches of one epoch."""

from fastmlp._core.kernels cimport fm_update_t, real
from fastmlp._core.network cimport Layers, Source
from fastmlp._core.panels cimport PanelTape

cdef extern from "team.h" nogil:
    ctypedef struct fm_meeting:
        pass
    enum:
        FM_MOST_SHARES
    void fm_meeting_open(fm_meeting *m)
    int fm_meeting_call(fm_meeting *m, int shares)
    int fm_meeting_take(fm_meeting *m, int share, int call)
    int fm_meeting_left(fm_meeting *m)
    void fm_meeting_done(fm_meeting *m)
    void fm_meeting_await(fm_meeting *m)
    void fm_meeting_close(fm_meeting *m)
    int fm_meeting_attend(fm_meeting *m, int last)


cdef class Team:
    cdef readonly int size                # shares of each batch
    cdef readonly list tapes              # one per share; the leader's is the first
    cdef fm_meeting meeting
    cdef int task
    cdef const Py_ssize_t *index          # the batch at hand
    cdef Py_ssize_t rows
    cdef fm_update_t update
    cdef void *grad[FM_MOST_SHARES]
    cdef double result[FM_MOST_SHARES]


cdef double team_gradient(Layers layers, Source source, PanelTape tape, Team team,
                          const Py_ssize_t *index, Py_ssize_t rows, real *dummy) noexcept nogil
cdef double team_step(Layers layers, Source source, PanelTape tape, Team team, fm_update_t *u,
                      real *dummy) noexcept nogil
