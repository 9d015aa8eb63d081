"""Several threads on the batches of one epoch."""

from fastmlp._core.step cimport Step
from fastmlp._core.tape cimport tape_t

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
    cdef Py_ssize_t least_batch           # rows; fewer are not shared
    cdef readonly list tapes              # one per share; the leader's is the first
    cdef fm_meeting meeting
    cdef int task
    cdef const Py_ssize_t *index          # the batch at hand
    cdef Py_ssize_t rows
    cdef Step step
    cdef void *grad[FM_MOST_SHARES]       # of each tape, by layer
    cdef double result[FM_MOST_SHARES]


cdef double batch_gradient(tape_t tape, const Py_ssize_t *index, Py_ssize_t rows,
                           Py_ssize_t left, double *last) except? -1 nogil
cdef double team_gradient(tape_t tape, Team team, const Py_ssize_t *index,
                          Py_ssize_t rows) noexcept nogil
cdef double team_step(tape_t tape, Team team) noexcept nogil
