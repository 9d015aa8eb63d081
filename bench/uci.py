"""The published splits of the UCI regression data: `python -m bench.uci --data DIR`.

DIR holds boston, concrete, energy, protein, wine and yacht.npz: X, y, and the index arrays
train[k], test[k] of the published splits (or its folder uci does; $FASTMLP_DATA is the default).
One configuration serves all sets; whatever is chosen is chosen by five folds of the training rows.
A line is printed, and with --json kept, for every method, set and split as it comes; `--json` of an
earlier run goes on with what is missing. Compared with the published columns is one bell per row
(Student-t or Normal); mixtures and histograms stand apart, since narrow spikes on integer targets
win without knowing x. "fresh" leaves out test rows that also stand in the training part.
"""

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from bench.table import Table, title
from bench.uci_methods import METHODS, OTHER_SHAPES, available
from bench.uci_published import GOALS, TABLE
from fastmlp import metrics

SETS = tuple(GOALS)


def load(folder, name):
    """X, y and the list of (train, test)."""
    folder = Path(folder)
    path = next(p for p in (folder / f"{name}.npz", folder / "uci" / f"{name}.npz") if p.exists())
    with np.load(path) as file:
        X, y = file["X"].astype(float), file["y"].astype(float).ravel()
        return X, y, list(zip(file["train"], file["test"], strict=True))


def repeated(X, y, train, test):
    """Which test rows also stand in the training part, features and target."""
    rows = {row.tobytes() for row in np.column_stack([X, y])[train]}
    return np.array([row.tobytes() in rows for row in np.column_stack([X, y])[test]])


def judge(y, dist):
    """Root mean squared error, minus the mean log-likelihood, CRPS."""
    rmse = float(np.sqrt(np.mean((dist.mean() - y) ** 2)))
    return rmse, metrics.log_score(y, dist), metrics.crps(y, dist)


def run(method, X, y, train, test):
    """One fit, judged in the target's own units."""
    start = time.perf_counter(), time.process_time()
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        model = METHODS[method](X[train], y[train])
    seconds, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
    dist = model(X[test])
    new = ~repeated(X, y, train, test)
    return {
        "all": judge(y[test], dist),
        "fresh": judge(y[test][new], dist[new]),
        "repeated": int(np.sum(~new)),
        "seconds": seconds,
        "cpu": cpu,
    }


def summary(records, name):
    """The table of a set: its methods, then the published columns."""
    table = Table(
        [
            ("method", ""), ("splits", "d"), ("RMSE", ".3f"), ("s.e.", ".3f"), ("NLL", ".3f"),
            ("s.e. ", ".3f"), ("CRPS", ".4f"), ("NLL fresh", ".3f"), ("s a fit", ".1f"),
        ],
        {"method": 26},
    )  # fmt: skip
    lines = [title(f"{name}: NLL to beat {GOALS[name]}"), table.head()]
    found = [(m, [r for r in records if (r["set"], r["method"]) == (name, m)]) for m in METHODS]
    for method, rows in found:
        if not rows:
            continue
        every, fresh = (np.array([row[key] for row in rows]) for key in ("all", "fresh"))
        error = every.std(axis=0, ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else [None] * 3
        mean = every.mean(axis=0)
        seconds = np.median([row["cpu"] for row in rows])
        mark = " (other shape)" if method in OTHER_SHAPES else ""
        lines.append(
            table.line(
                [method + mark, len(rows), mean[0], error[0], mean[1], error[1], mean[2]]
                + [fresh.mean(axis=0)[1], seconds]
            )
        )
    for column, sets in TABLE.items():
        if name in sets:
            rmse, nll = sets[name]
            lines.append(table.line([column, 20, rmse, None, nll, None, None, None, None]))
    return "\n".join(lines)


def verdict(records):
    """On how many sets each method of one bell per row beats every column."""
    lines = []
    for method in METHODS:
        scores = {
            name: np.mean(
                [r["all"][1] for r in records if (r["set"], r["method"]) == (name, method)]
            )
            for name in SETS
            if any((r["set"], r["method"]) == (name, method) for r in records)
        }
        if scores and method not in OTHER_SHAPES:
            won = [name for name, score in scores.items() if score < GOALS[name]]
            lines.append(f"{method}: better than every column on {len(won)} of {len(scores)} sets")
    return "\n".join(lines)


def main(argv=None):
    """Print a line per fit, and the tables."""
    parser = argparse.ArgumentParser(prog="bench.uci", description=__doc__.splitlines()[0])
    folder = os.environ.get("FASTMLP_DATA")
    parser.add_argument("--data", default=folder, help="folder of the data ($FASTMLP_DATA)")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--splits", type=int, default=20, help="the first so many (20)")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=["committee"])
    parser.add_argument("--json", type=Path, help="keeps every fit; one of before is gone on with")
    options = parser.parse_args(argv)
    if not options.data:
        parser.error("say where the data are: --data DIR, or FASTMLP_DATA")
    kept = options.json is not None and options.json.exists()
    records = json.loads(options.json.read_text()) if kept else []
    have = {(r["set"], r["method"], r["split"]) for r in records}
    for name in options.sets:
        X, y, splits = load(options.data, name)
        for k, (train, test) in enumerate(splits[: options.splits]):
            for method in options.methods:
                if (name, method, k) in have or not available(method):
                    continue
                found = run(method, X, y, train, test)
                records.append({"set": name, "method": method, "split": k, **found})
                rmse, nll, crps = found["all"]
                print(
                    f"{name:9} split {k:2}  {method:26} RMSE {rmse:7.3f}  NLL {nll:7.3f}  "
                    f"CRPS {crps:7.4f}  {found['repeated']:3} repeated rows  "
                    f"{found['cpu']:6.1f} s of the processor",
                    flush=True,
                )
                if options.json is not None:
                    options.json.write_text(json.dumps(records))
        print(summary(records, name), "\n", flush=True)
    print(verdict(records))
    for method in options.methods:
        if not available(method):
            print(f"left out, not installed: {method}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
