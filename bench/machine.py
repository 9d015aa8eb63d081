"""The machine: its cores, its BLAS, and how fast that multiplies matrices."""

import contextlib
import os
import platform
import time

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NPROC",  # XLA sizes its pool by these two
    "PJRT_NPROC",
)


def cpus():
    """The cores that this process may run on, as a list of numbers; empty where unknown."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def hold_to(threads, of):
    """Hold every library that is loaded from now on to ``threads``, on as many cores.

    The cores are the last of the list: interrupts tend to visit the first.
    """
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    if of:
        os.sched_setaffinity(0, of[-threads:])


@contextlib.contextmanager
def blas_held_to(threads):
    """The same for the BLAS libraries that are loaded already."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        yield


def gemm_speed(dtype, quick=False, rounds=3):
    """The best GFLOP/s of a square matrix product over n = 512..2048: the machine's own limit."""
    import numpy as np

    best = 0.0
    for n in (512, 768) if quick else (512, 768, 1024, 1536, 2048):
        rng = np.random.default_rng(0)
        a, b = (rng.standard_normal((n, n)).astype(dtype) for _ in range(2))
        c = np.empty_like(a)
        for _ in range(rounds + 1):
            start = time.perf_counter()
            np.matmul(a, b, out=c)
            best = max(best, 2 * n**3 / (time.perf_counter() - start))
    return best / 1e9


def versions(packages):
    """Of the packages that have been imported already."""
    import sys

    found = {name: getattr(sys.modules.get(name), "__version__", None) for name in packages}
    return {name: version for name, version in found.items() if version}


def blas_kernels():
    """One string per BLAS and OpenMP library loaded: version, kernel, threads."""
    from threadpoolctl import threadpool_info

    described = []
    for pool in threadpool_info():
        words = [pool["internal_api"], pool.get("version"), pool.get("architecture")]
        words.append(f"({pool['num_threads']} thread{'s' * (pool['num_threads'] != 1)})")
        described.append(" ".join(word for word in words if word))
    return sorted(set(described))


def describe(threads):
    """Versions, processor, kernels, as a dict of strings."""
    from fastmlp._core import kernels

    return {
        "processor": f"{processor()}, {len(cpus()) or os.cpu_count()} in use",
        "python": f"{platform.python_version()} {platform.machine()}",
        **versions(("fastmlp", "numpy", "scipy", "sklearn", "torch", "jax", "onnxruntime")),
        "fastmlp's instruction set": kernels.isa(),
        "libraries": "; ".join(blas_kernels()),
        "threads": str(threads),
        "load": load(),
    }


def processor():
    """Its name, where the system tells."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown processor"


def load():
    """The load average of the last minute: timings on a busy machine mean little."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
