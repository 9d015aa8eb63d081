"""Tables without tuning, beside the usual defaults: `python -m bench.tables`.

    python -m bench.tables                          the sets that packages ship
    python -m bench.tables --data DIR               and the UCI sets and SDSS
    python -m bench.tables --sets yacht digits --splits 2 --data DIR
    python -m bench.tables --json fits.json --print     the tables of what was kept
    python -m bench.tables --leave-out --sets iris  what each ingredient is worth

Nobody is tuned, nothing is chosen on test rows; all methods see the same rows and splits, on one
thread each. The first split of all sets comes first, then the second: a run that is stopped goes on
from --json. Peers and sets that are not there are named at the end. Seconds are of the processor
and of the clock: the former bear a busy machine.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from bench import machine, tables_print, tables_sets
from bench.table import title
from bench.tables_peers import METHODS, Fitted, can, installed
from bench.tables_sets import SETS, rows_of

COVERAGE = 0.9


def judge(model, X, y, classifies, deviation):
    """What is printed: "error" is the one that methods are ranked by."""
    from sklearn.metrics import log_loss

    from fastmlp import metrics

    if classifies:
        proba = model.predict_proba(X)
        return {
            "error": float(np.mean(proba.argmax(axis=1) != y)),
            "log_loss": float(log_loss(y, proba, labels=np.arange(proba.shape[1]))),
            "ece": float(metrics.expected_calibration_error(y, proba)),
        }
    rmse = float(np.sqrt(np.mean((model.predict(X) - y) ** 2)))
    found = {"error": rmse / deviation, "rmse": rmse}
    if hasattr(model.model, "predict_dist"):
        dist = model.model.predict_dist(X)
        found["nll"] = float(metrics.log_score(y, dist))
        found["crps"] = float(metrics.crps(y, dist)) / deviation
        lower, upper = model.model.predict_interval(X, coverage=COVERAGE)
        found["coverage"] = float(np.mean((lower <= y) & (y <= upper)))
    return found


def run(method, data, train, test, seed):
    """One fit, and its figures; of one that ends in an error, its words.

    OSError and ImportError go on: weights or a package that a method needs are not here.
    """
    X, y, rest = rows_of(data.X, train), data.y[train], rows_of(data.X, test)
    start = time.perf_counter(), time.process_time()
    try:
        model = Fitted(method, data.classifies, X, y, seed)
        cpu, seconds = time.process_time() - start[1], time.perf_counter() - start[0]
        rows = rows_of(rest, np.resize(np.arange(len(test)), 1000))
        model.predict(rows)
        start = time.perf_counter(), time.process_time()
        model.predict(rows)
        answer = {
            "predict_cpu": time.process_time() - start[1],
            "predict": time.perf_counter() - start[0],
        }
        found = judge(model, rest, data.y[test], data.classifies, float(data.y.std()))
    except (ValueError, RuntimeError, TypeError) as error:
        return {"failed": f"{type(error).__name__}: {first_line(error)[:200]}"}
    return found | answer | {"cpu": cpu, "seconds": seconds, "rows": len(train)}


def revision():
    """Of this checkout, where git tells."""
    words = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def keep(path, records):
    """Whole or not at all."""
    if path is not None:
        new = path.with_suffix(".new")
        new.write_text(json.dumps(records))
        new.replace(path)


def race(options, records, sets):
    """Fit what is missing; ``records`` grows. Returns who could not take part, and why."""
    absent = {}
    methods = [method for method in options.methods if installed(method)]
    have = {(r["set"], r["method"], r["split"]) for r in records}
    if options.again:
        have = {key for key in have if key[1] not in options.again}
    mine = revision()
    for k in range(options.splits):
        for name, data in sets.items():
            if k >= len(data.splits):
                continue
            train, test = data.splits[k]
            for method in methods:
                key = name, method, k
                if key in have or method in absent or not can(method, data.classifies):
                    continue
                try:
                    found = run(method, data, train, test, seed=k)
                except (OSError, ImportError) as error:
                    absent[method] = first_line(error)
                    continue
                found = {"set": name, "method": method, "split": k, **found, "revision": mine}
                records[:] = [r for r in records if (r["set"], r["method"], r["split"]) != key]
                records.append({**found, "classifies": data.classifies})
                words = "  ".join(
                    f"{key} {value:.4g}" for key, value in found.items() if isinstance(value, float)
                )
                words = found.get("failed", words)
                print(f"{name:13} split {k:2}  {method:20} {words}", flush=True)
                keep(options.json, records)
    return absent


def first_line(error):
    """Of its words."""
    return str(error).strip().partition("\n")[0]


def parser():
    """What may be asked for."""
    found = argparse.ArgumentParser(prog="bench.tables", description=__doc__.splitlines()[0])
    folder = os.environ.get("FASTMLP_DATA")
    found.add_argument("--data", default=folder, help="folder of the data ($FASTMLP_DATA)")
    found.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    found.add_argument("--splits", type=int, default=3, help="the first so many (3)")
    found.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    found.add_argument(
        "--leave-out", nargs="*", choices=("ensemble", "recipe"), metavar="WHAT",
        help="what each ingredient is worth: of the ensemble, of the recipe (both)",
    )  # fmt: skip
    found.add_argument("--json", type=Path, help="keeps every fit; one of before is gone on with")
    found.add_argument("--again", nargs="+", choices=METHODS, help="fits these anew")
    found.add_argument("--print", action="store_true", help="only the tables of --json")
    return found


def main(argv=None):
    """Print a line per fit, and the tables."""
    options = parser().parse_args(argv)
    warnings.simplefilter("ignore")
    sets, missing = {}, []
    for name in options.sets:
        try:
            sets[name] = tables_sets.load(name, options.data)
        except (OSError, ImportError) as error:
            missing.append(f"left out, not here: {name} ({first_line(error)})")
    for key, words in machine.describe(1).items():
        print(f"{key:26} {words}")
    print(tables_print.of_sets(sets), flush=True)
    if options.leave_out is not None:
        from bench import tables_leave_out

        with machine.blas_held_to(1):
            for which in options.leave_out or tables_leave_out.MEASURES:
                print(tables_leave_out.table(which, sets, options.splits))
    else:
        kept = options.json is not None and options.json.exists()
        records = json.loads(options.json.read_text()) if kept else []
        if not options.print:
            with machine.blas_held_to(1):
                absent = race(options, records, sets)
            missing += [f"left out: {method} ({words})" for method, words in absent.items()]
        chosen = [r for r in records if r["set"] in sets and r["method"] in options.methods]
        for name in sets:
            print(tables_print.of_one(chosen, name))
        print(tables_print.verdict(chosen))
        lost = tables_print.lost(chosen)
        if lost:
            print(title("where another is better") + "\n" + lost)
    print("\n".join(missing))
    absent = [method for method in options.methods if not installed(method)]
    if absent:
        print(f"left out, not installed: {', '.join(absent)}")
    return 0


if __name__ == "__main__":
    machine.hold_to(1, [])  # libraries that are loaded from here on
    os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is fetched
    sys.exit(main())
