"""Whether a dense Hessian fits, asked before it is computed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

GIB = 2**30
# The Hessian, LAPACK's copy of it, the eigenvectors and LAPACK's workspace.
N_MATRICES = 4
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


def check_hessian_fits(n_params: int) -> None:
    """Raise MemoryError where a Hessian and what its solution takes do not fit in memory."""
    size = 8.0 * n_params**2
    available = available_memory()
    if N_MATRICES * size > available:
        raise MemoryError(
            f"The Hessian of {n_params} parameters takes {size / GIB:.3g} GiB, and solving with it "
            f"{N_MATRICES * size / GIB:.3g} GiB in all; {available / GIB:.3g} GiB are available. "
            "Use solver='lbfgs' instead, which needs no matrix, or a smaller network."
        )
