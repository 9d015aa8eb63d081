"""An epoch allocates as often with a thousand batches as with ten: inside the loop never."""

import os
import shutil
import subprocess
import sys

import pytest

# Counts the calls and hands them on to glibc.
COUNTER = """
#include <stddef.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
long allocations;
#define COUNT __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED)
void *malloc(size_t n) { return COUNT, __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return COUNT, __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return COUNT, __libc_realloc(p, n); }
void *memalign(size_t a, size_t n) { return COUNT, __libc_memalign(a, n); }
void *aligned_alloc(size_t a, size_t n) { return COUNT, __libc_memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { return COUNT, !(*p = __libc_memalign(a, n)); }
"""

CHILD = """
import ctypes
from types import SimpleNamespace
import numpy as np
from fastmlp import Network, _arrays, objective as objectives

allocations = ctypes.c_long.in_dll(ctypes.CDLL(None), "allocations")
_arrays._PANEL_BYTES = {panel_bytes}
objectives.BATCH_FLOPS_PER_THREAD = 1.0
rng = np.random.default_rng(0)
net = Network({layers}, activation={activation!r}, dtype=np.{dtype})
X = rng.normal(size=(32_000, net.n_features)).astype(net.dtype)
objective = net.objective(X, X[:, :net.n_raw], sample_weight=np.ones(len(X)))
objective.most_threads = {n_threads}
theta = net.init(random_state=0)
state = SimpleNamespace(first=np.zeros_like(theta), second=np.zeros_like(theta), t=0)

def epoch(n_batches):
    hyper = SimpleNamespace(
        update="adam", batch_size=32, rates=np.full(n_batches, 1e-3), max_norm={max_norm},
        momentum=0.0, beta_1=0.9, beta_2=0.999, epsilon=1e-8, weight_decay=0.0,
    )
    order = rng.permutation(32 * n_batches)
    before = allocations.value
    objective.epoch(theta, state, order, hyper)
    return allocations.value - before

epoch(10)
few, many = min(epoch(10) for _ in range(5)), min(epoch(1000) for _ in range(5))
assert np.isfinite(theta).all() and state.t == 10 + 5 * 1010
print(few, many)
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    compiler = os.environ.get("CC", "cc").split()
    if not sys.platform.startswith("linux") or shutil.which(compiler[0]) is None:
        pytest.skip("needs Linux and a C compiler")
    source = tmp_path_factory.mktemp("counter") / "counter.c"
    source.write_text(COUNTER)
    library = source.with_suffix(".so")
    built = subprocess.run(
        [*compiler, "-shared", "-fPIC", "-O1", "-fno-builtin", str(source), "-o", str(library)],
        capture_output=True,
        text=True,
    )
    if built.returncode:
        pytest.skip(f"no counter of allocations here: {built.stderr}")
    return library


CASES = {
    "panels": {},
    "team": {"n_threads": 2},
    "clipped": {"max_norm": 1.0},
    "gelu": {"activation": "gelu", "dtype": "float32"},
    "BLAS": {"panel_bytes": 0},
}


@pytest.mark.parametrize("case", CASES)
def test_no_allocation_per_batch(case, counter):
    settings = {
        "layers": [7, 20, 12, 3],
        "activation": "relu",
        "dtype": "float64",
        "n_threads": 1,
        "max_norm": "np.inf",
        "panel_bytes": 2 << 20,
    } | CASES[case]
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD.format(**settings)],
        env={**os.environ, "LD_PRELOAD": str(counter)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if "allocations" in done.stderr and "undefined symbol" in done.stderr:
        pytest.skip("this C library does not let its allocator be counted")
    assert done.returncode == 0, done.stderr
    few, many = map(int, done.stdout.split())
    # A thousand batches take a few more objects (rates, order) that are large enough for malloc.
    assert many - few < 20, (few, many)
