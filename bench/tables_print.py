"""What `python -m bench.tables` prints of its fits."""

import numpy as np

from bench.table import Table, title
from bench.tables_peers import METHODS, PEERS
from bench.tables_sets import SETS, describe

OURS = METHODS[0]
SHIFT = 0.01  # of the geometric mean: an error of 0 must not win everything
WIDE = {"method": 22}
MOST_SETS = 2 / 3  # a method of fewer is ranked by itself among the others


def of_sets(sets):
    """Rows, columns, text, holes, task, splits and source of each."""
    columns = [
        ("set", ""), ("rows", "d"), ("columns", "d"), ("text", "d"), ("holes", "d"),
        ("task", ""), ("splits", "d"), ("source", ""),
    ]  # fmt: skip
    table = Table(columns, {"set": 13, "task": 10, "source": 34})
    lines = [table.line(describe(name, data)) for name, data in sets.items()]
    return "\n".join([title("sets"), table.head(), *lines])


def _mean(rows, key):
    found = [row[key] for row in rows if key in row]
    return np.mean(found) if found else None


def of_one(records, name):
    """The table of a set."""
    columns = [
        ("method", ""), ("splits", "d"), ("error", ".4f"), ("s.e.", ".4f"), ("RMSE", ".4g"),
        ("log-loss", ".4f"), ("ECE", ".4f"), ("NLL", ".3f"), ("CRPS", ".4f"), ("in 90 %", ".3f"),
        ("cpu s/1K", ".2f"), ("s/1K", ".2f"), ("ms/1K", ".1f"),
    ]  # fmt: skip
    table = Table(columns, WIDE)
    lines = [title(name), table.head()]
    for method in METHODS:
        rows = [r for r in records if (r["set"], r["method"]) == (name, method)]
        failed = [row["failed"] for row in rows if "failed" in row]
        rows = [row for row in rows if "failed" not in row]
        if failed:
            lines.append(f"{method:22}  {failed[0]}")
        if not rows:
            continue
        errors = [row["error"] for row in rows]
        spread = np.std(errors, ddof=1) / np.sqrt(len(errors)) if len(errors) > 1 else None
        keys = "rmse", "log_loss", "ece", "nll", "crps", "coverage"
        figures = [len(rows), np.mean(errors), spread, *(_mean(rows, key) for key in keys)]
        lines.append(table.line([method, *figures, *_seconds(rows)]))
    return "\n".join(lines) if len(lines) > 2 else ""


def _seconds(rows):
    """Seconds of the processor and of the clock per 1,000 rows, milliseconds per 1,000 answers."""
    return [
        np.median([1000 * row["cpu"] / row["rows"] for row in rows]),
        np.median([1000 * row["seconds"] / row["rows"] for row in rows]),
        np.median([1000 * row["predict_cpu"] for row in rows]),
    ]


def errors_of(records, key="error"):
    """Means over the splits that all share: sets, methods, (n_sets, n_methods).

    A fit that ended in an error counts as the worst of its set. nan: no fit.
    """
    found = {(r["set"], r["method"], r["split"]): r.get(key, np.inf) for r in records}
    every = [name for name in SETS if any(r["set"] == name for r in records)]
    has = {m: {s for s, method, _ in found if method == m} for m in METHODS}
    methods = [
        m for m in METHODS if not PEERS[m].pretrained and len(has[m]) > MOST_SETS * len(every)
    ]
    others = [m for m in METHODS if has[m] and m not in methods]
    sets, rows = [], []
    for name in every:
        splits = sorted({k for s, _, k in found if s == name})
        common = [k for k in splits if all((name, m, k) in found for m in methods)]
        if common:
            sets.append(name)
            rows.append([
                np.mean([found.get((name, m, k), np.nan) for k in common]) for m in methods + others
            ])  # fmt: skip
    table = np.array(rows).reshape(len(sets), len(methods + others))
    worst = np.max(table, axis=1, where=np.isfinite(table), initial=0.0)
    table = np.where(np.isinf(table), worst[:, np.newaxis], table)
    return sets, methods, others, table


def _standing(table, place, among):
    """Ranks and normalised errors (0 the best of a set, 1 the worst) of one among others."""
    here = np.isfinite(table[:, place])
    mine = table[here, place][:, np.newaxis]
    rest = table[here][:, [other for other in among if other != place]]
    ranks = 1 + (rest < mine).sum(axis=1) + (rest == mine).sum(axis=1) / 2
    low = np.minimum(rest.min(axis=1), mine[:, 0])
    high = np.maximum(rest.max(axis=1), mine[:, 0])
    normalised = (mine[:, 0] - low) / np.where(high > low, high - low, 1)
    geometric = np.exp(np.log(mine[:, 0] + SHIFT).mean()) - SHIFT
    won = int(np.sum(mine[:, 0] <= low))
    return [int(here.sum()), ranks.mean(), normalised.mean(), geometric, won]


def standings(records, words, key="error"):
    """Mean rank, mean normalised error, geometric mean, sets won, seconds: best rank first."""
    sets, methods, others, table = errors_of(records, key)
    if not sets or len(methods) < 2:
        return ""
    columns = [
        ("method", ""), ("sets", "d"), ("mean rank", ".2f"), ("normalised", ".3f"),
        ("geo. mean", ".4f"), ("best of", "d"), ("cpu s/1K", ".2f"), ("s/1K", ".2f"),
        ("ms/1K", ".1f"),
    ]  # fmt: skip
    printed = Table(columns, WIDE)
    lines = []
    for place, method in enumerate(methods + others):
        standing = _standing(table, place, range(len(methods)))
        rows = [r for r in records if r["method"] == method and "cpu" in r]
        per_set = [[r for r in rows if r["set"] == name] for name in sets]
        if not rows or not standing[0]:
            continue
        costs = np.median([_seconds(each) for each in per_set if each], axis=0)
        mark = method + (" (pre-trained)" if PEERS[method].pretrained else "")
        lines.append((standing[1], printed.line([mark, *standing, *costs])))
    heading = title(f"{words}: {len(sets)} sets")
    return "\n".join([heading, printed.head(), *(line for _, line in sorted(lines))])


def matrix(records, key="error"):
    """A line per set: the error of each method, the best one marked."""
    sets, methods, others, table = errors_of(records, key)
    columns = [("set", ""), *((method, "s") for method in methods + others)]
    printed = Table(columns, {"set": 13} | {m: max(9, len(m)) for m in methods + others})
    lines = []
    for name, row in zip(sets, table, strict=True):
        best = np.nanmin(row)
        cells = [
            "-" if np.isnan(cell) else f"{cell:.4f}{'*' if cell == best else ' '}" for cell in row
        ]
        lines.append(printed.line([name, *cells]))
    return "\n".join([title(f"{key} (* the best)"), printed.head(), *lines])


# What the project set out to reach: RMSE (error where there are classes) at most so much, or at
# most a share of another's.
AIMS = {
    "yacht": (0.8, "RealMLP"), "concrete": (0.8, "RealMLP"), "energy": (0.8, "RealMLP"),
    "wine": (0.57, ""), "boston": (2.2, ""), "protein": (3.7, ""), "digits": (0.009, ""),
    "sdss": (1.0, "RealMLP"),
}  # fmt: skip


def aims(records):
    """Each aim, what was found, and whether it is met."""
    lines = []
    for name, (limit, other) in AIMS.items():
        key = "error" if name == "digits" else "rmse"
        mine = {r["split"]: r[key] for r in records
                if (r["set"], r["method"]) == (name, OURS) and key in r}  # fmt: skip
        theirs = {r["split"]: r[key] for r in records
                  if (r["set"], r["method"]) == (name, other) and key in r}  # fmt: skip
        splits = sorted(set(mine) & set(theirs)) if other else sorted(mine)
        if not splits:
            continue
        found = np.mean([mine[k] for k in splits])
        wanted = limit * np.mean([theirs[k] for k in splits]) if other else limit
        said = f"{limit:g} of {other}'s" if other else ""
        verdict = "met" if found <= wanted else f"missed by {100 * (found / wanted - 1):.0f} %"
        lines.append(
            f"{name:10} {found:8.4f}  wanted {wanted:8.4f} {said:18} {verdict} "
            f"({len(splits)} split{'s' * (len(splits) > 1)})"
        )
    return "\n".join([title("aims: RMSE, or share of errors"), *lines]) if lines else ""


def verdict(records):
    """Ranks over all sets, over each kind, and by log-loss and calibration."""
    classes = [r for r in records if r["classifies"]]
    values = [r for r in records if not r["classifies"]]
    parts = [
        matrix(records),
        standings(records, "all, by error"),
        standings(values, "regression, by RMSE"),
        standings(classes, "classification, by the share of errors"),
        standings(classes, "classification, by log-loss", "log_loss"),
        standings(classes, "classification, by calibration (ECE)", "ece"),
        aims(records),
    ]
    revisions = sorted({r["revision"] for r in records if r["method"] == OURS})
    parts.append(f"\n{OURS} of revision {', '.join(revisions)}" if revisions else "")
    return "\n".join(part for part in parts if part)


def lost(records):
    """Sets on which another is better than ours: by how much."""
    sets, methods, _, table = errors_of(records)
    if OURS not in methods:
        return ""
    mine = table[:, methods.index(OURS)]
    lines = []
    for name, ours, row in zip(sets, mine, table[:, : len(methods)], strict=True):
        best = int(np.argmin(row))
        if row[best] < ours:
            more = 100 * (ours / row[best] - 1) if row[best] > 0 else np.inf
            lines.append(
                (-more, f"{name:13} {methods[best]:22} {row[best]:.4f}, {OURS} {ours:.4f} "
                        f"({more:.0f} % more)")
            )  # fmt: skip
    return "\n".join(line for _, line in sorted(lines))
