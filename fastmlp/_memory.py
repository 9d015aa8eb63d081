"""Memory: whether parameters and matrices fit, asked before they are made; aligned vectors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

GIB = 2**30
LINE = 64  # bytes of a line of cache
# Matrices at a time: what is asked for with the sums that it is sorted from; for a solver also
# LAPACK's copy, the eigenvectors and LAPACK's workspace.
TO_ASSEMBLE, TO_SOLVE = 2, 4
# Vectors at a time: the parameters as they are drawn, their copy, the gradient, a solver's own.
TO_TRAIN = 4
# So little is never refused, and not asked for.
SMALL = GIB / 16
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def available_memory() -> float:
    """Bytes that this process can still get; infinity where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        available = 1024.0 * int(fields["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        try:
            available = float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, OSError, ValueError):
            available = np.inf
    for path in CGROUP_LIMITS:
        try:
            available = min(available, float(path.read_text()))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return available


WITHOUT_MATRIX = (
    "hess_mul and ggn_mul give products without it, solver='lbfgs' and 'newton-cg' train without "
    "it; or use a smaller network."
)


def check_matrices_fit(n_params: int, n_matrices: int, advice: str = WITHOUT_MATRIX) -> None:
    """Raise MemoryError where so many float64 matrices, n_params square, are more than there is.

    Parameters
    ----------
    n_params : int
        Side of the matrix that is asked for.
    n_matrices : int
        It and the copies that its making or what follows takes.
    advice : str
        What else there is to do, in a sentence.
    """
    size = 8.0 * n_params**2
    if n_matrices * size <= SMALL:
        return
    available = available_memory()
    if n_matrices * size > available:
        raise MemoryError(
            f"A curvature matrix of {n_params} parameters takes {size / GIB:.3g} GiB, and what is "
            f"done with it {n_matrices * size / GIB:.3g} GiB in all; {available / GIB:.3g} GiB are "
            f"available. {advice}"
        )


def check_parameters_fit(widths: tuple[int, ...]) -> None:
    """Raise MemoryError where the parameters of a network, and what trains them, cannot be held.

    Parameters
    ----------
    widths : tuple of int
        n_features, hidden widths, n_raw.
    """
    n_params = sum((a + 1) * b for a, b in zip(widths[:-1], widths[1:], strict=True))
    size = 8.0 * n_params
    if TO_TRAIN * size <= SMALL:
        return
    available = available_memory()
    if TO_TRAIN * size > available:
        raise MemoryError(
            f"A network of {'-'.join(map(str, widths))} units has {n_params:,} parameters: "
            f"{size / GIB:.3g} GiB, and {TO_TRAIN * size / GIB:.3g} GiB with what a solver "
            f"keeps at least; {available / GIB:.3g} GiB are available. Use fewer units or features."
        )


def empty_on_a_line(size: int, dtype: Any) -> np.ndarray:
    """A vector that begins where a line of cache does; NumPy's own memory need not."""
    itemsize = np.dtype(dtype).itemsize
    room = np.empty(size + LINE // itemsize, dtype)
    first = -room.ctypes.data % LINE // itemsize
    return room[first : first + size]


def on_a_line(v: np.ndarray) -> np.ndarray:
    """A copy of a vector that begins where a line of cache does."""
    copy = empty_on_a_line(v.size, v.dtype)
    copy[...] = v
    return copy
