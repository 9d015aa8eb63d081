"""The published splits of the UCI regression data: `python -m bench.uci --data DIR`.

DIR holds boston, concrete, energy, protein, wine and yacht.npz: X, y, and the index arrays
train[k], test[k] of the published splits (or its folder uci does; $FASTMLP_DATA is the default).
One configuration serves all sets; whatever is chosen is chosen by five folds of the training rows.
The committee's candidates were settled with split 0 in sight: "but 0" leaves that split out.
A line is printed, and with --json kept, for every method, set and split as it comes; `--json` of an
earlier run goes on with what is missing. Compared with the published columns is one bell per row
(Student-t or Normal); mixtures, histograms and quantiles stand apart, since narrow spikes on
integer targets win without knowing x. "fresh" leaves out test rows that also stand in the training
part.
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
from bench.uci_methods import METHODS, MOST_ROWS, OTHER_SHAPES, available
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
            ("s.e. ", ".3f"), ("but 0", ".3f"), ("s.e.  ", ".3f"), ("CRPS", ".4f"),
            ("NLL fresh", ".3f"), ("s a fit", ".1f"),
        ],
        {"method": 26},
    )  # fmt: skip
    lines = [title(f"{name}: NLL to beat {GOALS[name]}"), table.head()]
    for method in METHODS:
        rows = chosen(records, name, method)
        if not rows:
            continue
        (rmse, rmse_error), (nll, nll_error), (crps, _) = (score(rows, k) for k in range(3))
        later = score([row for row in rows if row["split"]], 1)
        fresh = np.mean([row["fresh"][1] for row in rows])
        seconds = np.median([row["cpu"] for row in rows])
        mark = " (other shape)" if method in OTHER_SHAPES else ""
        figures = [rmse, rmse_error, nll, nll_error, *later, crps, fresh, seconds]
        lines.append(table.line([method + mark, len(rows), *figures]))
    for column, sets in TABLE.items():
        if name in sets:
            rmse, nll = sets[name]
            lines.append(table.line([column, 20, rmse, None, nll, *[None] * 6]))
    return "\n".join(lines)


def chosen(records, name, method):
    """The fits of a method on a set."""
    return [r for r in records if (r["set"], r["method"]) == (name, method)]


def score(rows, k):
    """Mean and standard error over splits of RMSE, NLL or CRPS (k = 0, 1, 2)."""
    values = [row["all"][k] for row in rows]
    mean = np.mean(values) if values else None
    return mean, np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else None


def verdict(records):
    """On how many sets each method of one bell per row beats every column, also but for split 0."""
    lines = []
    for method in METHODS:
        if method in OTHER_SHAPES:
            continue
        parts = []
        for first in (0, 1):
            rows = {
                name: [r for r in chosen(records, name, method) if r["split"] >= first]
                for name in SETS
            }
            scores = {name: score(found, 1)[0] for name, found in rows.items() if found}
            won = [name for name, nll in scores.items() if nll < GOALS[name]]
            parts.append(f"{len(won)} of {len(scores)}")
        if not parts[0].endswith(" 0"):
            lines.append(
                f"{method}: better than every column on {parts[0]} sets; but 0, {parts[1]}"
            )
    return "\n".join(lines)


def draw(path, records):
    """NLL of every method and column, a panel for each set.

    The line is the best column from scratch, arrows are beyond the panel, and what is not one bell
    per row is hollow.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 8.4), layout="constrained")
    names = [m for m in METHODS if any(r["method"] == m for r in records)]
    columns = [c for c, sets in TABLE.items() if any(nll is not None for _, nll in sets.values())]
    heights = {row: k for k, row in enumerate([*names, *columns][::-1])}
    for axes, name in zip(figure.subplots(2, 3, sharey=True).flat, SETS, strict=True):
        found = {c: (TABLE[c].get(name, (None, None))[1], None) for c in columns}
        found |= {m: score(chosen(records, name, m), 1) for m in names}
        found = {row: each for row, each in found.items() if each[0] is not None}
        goal = GOALS[name]
        reach = np.clip(1.3 * np.median([abs(nll - goal) for nll, _ in found.values()]), 0.2, 1.3)
        axes.axvline(goal, color="black", lw=1)
        for row, (nll, error) in found.items():
            colour = "0.6" if row in TABLE or "run here" in row else "C3"
            far = abs(nll - goal) > reach
            at = goal + np.clip(nll - goal, -reach, reach)
            axes.errorbar(
                at, heights[row], xerr=None if far else error, capsize=2, ms=6, clip_on=False,
                fmt="o" if not far else ">" if nll > goal else "<", color=colour,
                mfc="none" if row in OTHER_SHAPES else colour,
            )  # fmt: skip
        axes.set(title=name, xlim=(goal - reach, goal + reach), xlabel="NLL")
        axes.set_yticks(list(heights.values()), list(heights))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, lw=0.5)
    figure.savefig(path, dpi=110)


def main(argv=None):
    """Print a line per fit, and the tables."""
    parser = argparse.ArgumentParser(prog="bench.uci", description=__doc__.splitlines()[0])
    folder = os.environ.get("FASTMLP_DATA")
    parser.add_argument("--data", default=folder, help="folder of the data ($FASTMLP_DATA)")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--splits", type=int, default=20, help="the first so many (20)")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=["committee"])
    parser.add_argument("--json", type=Path, help="keeps every fit; one of before is gone on with")
    parser.add_argument("--plots", type=Path, help="folder of the picture")
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
                large = len(train) > MOST_ROWS.get(method, np.inf)
                if (name, method, k) in have or large or not available(method):
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
        elif method in MOST_ROWS:
            print(f"left out beyond {MOST_ROWS[method]} rows: {method}")
    if options.plots is not None:
        options.plots.mkdir(parents=True, exist_ok=True)
        draw(options.plots / "uci.png", records)
    return 0


if __name__ == "__main__":
    sys.exit(main())
