"""Time one epoch of adam: fastmlp beside its peers, on the same data, from the same weights.

    python bench/run.py                     every case, float32 and float64
    python bench/run.py --quick             small data, one repeat: does it run?
    python bench/run.py tiny wide --repeats 7 --json results.json

Each peer trains the same network on the same batches; where the losses of the last epoch differ,
the case has failed, however fast. Times are medians over the repeats, peers interleaved.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
import warnings

TOLERANCE = {"float64": 1e-6, "float32": 2e-3}


def arguments(argv):
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help="names of cases; all of them by default")
    parser.add_argument("--quick", action="store_true", help="small data, one repeat")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs per peer (5)")
    parser.add_argument("--threads", type=int, default=1, help="threads of BLAS and OpenMP (1)")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"], choices=TOLERANCE)
    parser.add_argument("--json", metavar="FILE", help="also write every figure there")
    return parser.parse_args(argv)


def gemm_speed(dtype, sizes=(512, 1024)):
    """The best GFLOP/s of a square matrix product: the machine's own limit."""
    import numpy as np

    best = 0.0
    for n in sizes:
        a, b, c = (np.ones((n, n), dtype) for _ in range(3))
        for _ in range(4):
            start = time.perf_counter()
            np.matmul(a, b, out=c)
            best = max(best, 2 * n**3 / (time.perf_counter() - start))
    return best / 1e9


def machine(threads):
    """Versions, processor and BLAS kernels, as a dict of strings."""
    import numpy
    import scipy
    import sklearn
    from threadpoolctl import threadpool_info

    import fastmlp

    blas = {
        f"{pool['internal_api']} {pool.get('version')} {pool.get('architecture', '')}".strip()
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    }
    return {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "sklearn": sklearn.__version__,
        "fastmlp": getattr(fastmlp, "__version__", "?"),
        "isa": instruction_set(),
        "blas": "; ".join(sorted(blas)),
        "threads": str(threads),
    }


def instruction_set():
    from fastmlp._core import kernels

    return kernels.isa()


def time_case(case, dtype, peers, gemm_limit, options):
    """One row of the table: median seconds per epoch, losses, ratios."""
    case = case.quick() if options.quick else case
    X, y = case.data(dtype)
    runs, losses = {peer.NAME: [] for peer in peers}, {}
    for _ in range(1 if options.quick else options.repeats):
        for peer in peers:
            train = peer.prepare(case, X, y, seed=0, threads=options.threads)
            start = time.perf_counter()
            curve = train()
            runs[peer.NAME].append((time.perf_counter() - start) / case.epochs)
            losses[peer.NAME] = float(curve[-1])
    seconds = {name: statistics.median(times) for name, times in runs.items()}
    return {
        "case": case.name,
        "dtype": dtype,
        "seconds": seconds,
        "losses": losses,
        "ratios": {name: each / seconds["fastmlp"] for name, each in seconds.items()},
        "same_loss": disagreement(losses) < TOLERANCE[dtype],
        "gemm_fraction": case.flops / seconds["fastmlp"] / 1e9 / gemm_limit,
    }


def warm_up(case, peers, dtypes):
    """Imports and first calls, untimed."""
    for dtype in dtypes:
        X, y = case.data(dtype)
        for peer in peers:
            peer.prepare(case, X, y, seed=0, threads=1)()


def disagreement(losses):
    """Largest relative distance of a peer's loss from that of scikit-learn (or of the first)."""
    expected = losses.get("sklearn", next(iter(losses.values())))
    return max(abs(loss / expected - 1) for loss in losses.values())


def header(names):
    others = [name for name in names if name != "fastmlp"]
    columns = [f"{'case':8}", f"{'dtype':8}"] + [f"{name + ' ms':>12}" for name in names]
    columns += [f"{'vs ' + name:>11}" for name in others] + [f"{'gemm %':>7}", f"{'loss':>10}"]
    return "".join(columns)


def line(row, names):
    others = [name for name in names if name != "fastmlp"]
    columns = [f"{row['case']:8}", f"{row['dtype']:8}"]
    columns += [f"{1e3 * row['seconds'][name]:12.3f}" for name in names]
    columns += [f"{row['ratios'][name]:10.2f}x" for name in others]
    columns += [f"{100 * row['gemm_fraction']:7.1f}", f"{row['losses']['fastmlp']:10.6f}"]
    columns += ["" if row["same_loss"] else "  LOSSES DIFFER"]
    columns += [f"  SLOWER than {name}" for name in others if row["ratios"][name] < 1]
    return "".join(columns)


def main(argv=None):
    options = arguments(argv)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)  # read by the libraries when they load
    import peers
    from cases import CASES
    from threadpoolctl import threadpool_limits

    unknown = set(options.cases) - {case.name for case in CASES}
    if unknown:
        sys.exit(f"unknown case {sorted(unknown)}; known: {[case.name for case in CASES]}")
    found, missing = peers.load()
    names = [peer.NAME for peer in found]
    if "fastmlp" not in names:
        sys.exit(f"fastmlp itself cannot be imported: {missing}")
    warnings.filterwarnings("ignore", category=UserWarning)  # "did not converge"
    rows = []
    with threadpool_limits(options.threads):
        limits = {dtype: gemm_speed(dtype) for dtype in options.dtypes}
        about = machine(options.threads)
        about |= {f"{dtype} gemm": f"{speed:.0f} GFLOP/s" for dtype, speed in limits.items()}
        print("  ".join(f"{key}: {value}" for key, value in about.items()))
        for reason in missing:
            print(f"left out: {reason}")
        print(header(names), flush=True)
        warm_up(CASES[0].quick(), found, options.dtypes)
        for case in (case for case in CASES if not options.cases or case.name in options.cases):
            for dtype in options.dtypes:
                rows.append(time_case(case, dtype, found, limits[dtype], options))
                print(line(rows[-1], names), flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"machine": about, "rows": rows}, file, indent=1)
    return 0 if all(row["same_loss"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
