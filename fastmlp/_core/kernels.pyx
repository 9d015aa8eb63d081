"""The one door to the C kernels, and their tables of names.

The instruction set is chosen at import: the best that this CPU has, or the one named by the
environment variable ``FASTMLP_ISA``.
"""

import os

import numpy as np


def available_isas():
    """Instruction sets that run on this machine, best first."""
    names = []
    while fm_table_at(len(names)) != NULL:
        names.append(fm_table_at(len(names)).isa.decode())
    return names


def isa():
    """The instruction set in use."""
    return table.isa.decode()


cdef int choose_table() except -1:
    global table
    names = available_isas()
    wanted = os.environ.get("FASTMLP_ISA") or names[0]
    if wanted not in names:
        raise ImportError(
            f"FASTMLP_ISA={wanted!r} is unknown or not supported by this CPU; "
            f"available: {', '.join(names)}."
        )
    table = fm_table_at(names.index(wanted))
    return 0


choose_table()


def _rows():
    """Rows of activations.def, losses.def, updates.def and functions.def by name."""
    cdef const fm_activation_row *g
    cdef const fm_loss_row *l
    cdef const fm_update_row *u
    activations, losses, updates, functions = {}, {}, {}, {}
    while (g := fm_activation_at(len(activations))) != NULL:
        activations[g.name.decode()] = {
            "code": len(activations),
            "keeps_z": g.tape.decode() == "FROM_Z",
            "range": g.range.decode(),
            "n_params": g.n_params,
        }
    while (l := fm_loss_at(len(losses))) != NULL:
        losses[l.name.decode()] = {
            "code": len(losses),
            "raws": l.raws,
            "counted": bool(l.counted),
            "targets": l.targets.decode(),
            "domain": l.domain.decode(),
            "curvature": l.curvature.decode(),
            "canonical": l.canonical.decode(),
            "forms": l.forms.decode(),
            "constant": l.constant.decode(),
            "noise": l.noise.decode(),
            "parameters": {
                l.parameters[k].name.decode(): (
                    l.parameters[k].kind.decode(), l.parameters[k].value,
                    l.parameters[k].low, l.parameters[k].high,
                )
                for k in range(2) if l.parameters[k].name != NULL
            },
        }
    while (u := fm_update_at(len(updates))) != NULL:
        updates[u.name.decode()] = {"code": len(updates), "n_moments": u.n_moments}
    while fm_function_at(len(functions)) != NULL:
        functions[fm_function_at(len(functions)).decode()] = len(functions)
    return activations, losses, updates, functions


ACTIVATIONS, LOSSES, UPDATES, FUNCTIONS = _rows()


def finite(const real[::1] x):
    """Whether no entry is NaN or infinite."""
    cdef Py_ssize_t n = x.shape[0]
    cdef bint found = True
    if n:
        with nogil:
            found = all_finite(&x[0], n)
    return found


def map_function(str name, real[::1] out, const real[::1] x):
    """out[i] = name(x[i]) with the vector functions of functions.def."""
    cdef int code = FUNCTIONS[name]
    if out.shape[0] != x.shape[0]:
        raise ValueError(f"out has {out.shape[0]} entries, x has {x.shape[0]}.")
    if x.shape[0] == 0:
        return
    map(&out[0], &x[0], x.shape[0], code)


def activation_values(str name, const double[::1] param, real[::1] z):
    """Value, slope and curvature of an activation at z, three arrays like z."""
    cdef fm_activation_t g
    cdef Py_ssize_t n = z.shape[0]
    dtype = np.float32 if real is float else np.float64
    a, s, c = np.empty(n, dtype), np.empty(n, dtype), np.empty(n, dtype)
    cdef real[::1] a_ = a, s_ = s, c_ = c
    if ACTIVATIONS[name]["code"] == FM_softmax:
        raise ValueError("softmax acts on whole rows; it has no value at a point.")
    if param.shape[0] != 2:
        raise ValueError(f"param has 2 entries, got {param.shape[0]}.")
    g.kind = ACTIVATIONS[name]["code"]
    g.param[0], g.param[1] = param[0], param[1]
    if n:
        activate(&a_[0], &z[0], 1, n, n, False, &g)
        slope(&s_[0], &z[0], &a_[0], n, &g)
        curv(&c_[0], &z[0], &a_[0], n, &g)
    return a, s, c
