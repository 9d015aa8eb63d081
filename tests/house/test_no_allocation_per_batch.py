"""An epoch allocates as often with a thousand batches as with ten: inside the loop never."""

import os
import shutil
import subprocess
import sys

import pytest

# Counts the calls and hands them on to glibc. Those from within `others` are counted apart: BLAS
# may allocate per product (OpenBLAS's kernels for AVX-512 do), which is not ours to forbid.
COUNTER = """
#include <stddef.h>
#include <stdint.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
long allocations, allocations_by_others;
uintptr_t others[64][2];  /* address ranges; 0, 0 ends them */

static void count(uintptr_t caller)
{
    for (int i = 0; i < 64 && others[i][1]; i++)
        if (others[i][0] <= caller && caller < others[i][1]) {
            __atomic_add_fetch(&allocations_by_others, 1, __ATOMIC_RELAXED);
            return;
        }
    __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
}

#define COUNT count((uintptr_t)__builtin_return_address(0))
void *malloc(size_t n) { return COUNT, __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return COUNT, __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return COUNT, __libc_realloc(p, n); }
void *memalign(size_t a, size_t n) { return COUNT, __libc_memalign(a, n); }
void *aligned_alloc(size_t a, size_t n) { return COUNT, __libc_memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) { return COUNT, !(*p = __libc_memalign(a, n)); }
"""

CHILD = """
import ctypes
import os
from types import SimpleNamespace
import numpy as np
import scipy.linalg
import threadpoolctl
from fastmlp import Network
from fastmlp.plan import Plan

this = ctypes.CDLL(None)
allocations = ctypes.c_long.in_dll(this, "allocations")
by_others = ctypes.c_long.in_dll(this, "allocations_by_others")
others = (ctypes.c_size_t * 2 * 64).in_dll(this, "others")

blas = {{os.path.realpath(library["filepath"]) for library in threadpoolctl.threadpool_info()}}
with open("/proc/self/maps") as maps:
    fields = [line.split(maxsplit=5) for line in maps]
found = [row[0].split("-") for row in fields if len(row) == 6 and row[5].strip() in blas]
assert len(found) <= 64
for i, ends in enumerate(found):
    others[i][:] = [int(end, 16) for end in ends]

def counted(call):
    before = allocations.value, by_others.value
    call()
    return allocations.value - before[0], by_others.value - before[1]

# The counter sees what an extension allocates.
assert counted(lambda: [np.empty(4096) for _ in range(100)])[0] >= 100

rng = np.random.default_rng(0)
net = Network({layers}, activation={activation!r}, dtype=np.{dtype})
X = rng.normal(size=(32_000, net.n_features)).astype(net.dtype)
plan = Plan({products!r}, threads={n_threads})
objective = net.objective(X, X[:, :net.n_raw], sample_weight=np.ones(len(X)), plan=plan)
theta = net.init(random_state=0)
state = SimpleNamespace(first=np.zeros_like(theta), second=np.zeros_like(theta), t=0)

def epoch(n_batches):
    hyper = SimpleNamespace(
        update="adam", batch_size=32, rates=np.full(n_batches, 1e-3), max_norm={max_norm},
        momentum=0.0, beta_1=0.9, beta_2=0.999, epsilon=1e-8, weight_decay=0.0,
        rate_factors=None,
    )
    order = rng.permutation(32 * n_batches)
    return counted(lambda: objective.epoch(theta, state, order, hyper))

epoch(10)
few, many = min(epoch(10) for _ in range(5)), min(epoch(1000) for _ in range(5))
assert np.isfinite(theta).all() and state.t == 10 + 5 * 1010
print(few[0], many[0], "of BLAS:", few[1], many[1])
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
    "BLAS": {"products": "blas"},
    "both": {"products": ("blas", "panels", "panels")},
}


@pytest.mark.parametrize("case", CASES)
def test_no_allocation_per_batch(case, counter):
    settings = {
        "layers": [7, 20, 12, 3],
        "activation": "relu",
        "dtype": "float64",
        "n_threads": 1,
        "max_norm": "np.inf",
        "products": "panels",
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
    few, many = map(int, done.stdout.split()[:2])
    # A thousand batches take a few more objects (rates, order) that are large enough for malloc.
    assert many - few < 20, done.stdout
