"""Peak memory of a fit above its data, in processes of their own; X may not be copied."""

from bench import children
from bench.table import Table, title
from bench.timing import Row

MB = 1 << 20
ROOM = 64 * MB


def scenarios(quick):
    """Name, rows, features, hidden widths, early stopping, memmap."""
    n = 20_000 if quick else 1_000_000
    yield "many rows", n, 100, (16,), False, False
    yield "early stopping", n, 100, (16,), True, False
    yield "many weights", 2_000, 784, (256, 256) if quick else (2048, 2048), False, False
    yield "memmap", n, 100, (16,), False, True


def run(settings):
    settings.say(title("Memory while training: MB above the data, adam"))
    table = Table(
        [("scenario", ""), ("dtype", ""), ("X", ".1f"), ("theta", ".1f")]
        + [("fastmlp", ".1f"), ("limit", ".1f"), ("sklearn", ".1f"), ("verdict", "")],
        {"scenario": 14},
    )
    settings.say(table.head())
    rows = []
    for scenario in scenarios(settings.quick):
        for dtype in settings.child_dtypes:
            row = measure(*scenario, dtype, settings)
            if row is None:
                settings.say("left out: this system does not tell the peak memory (/proc)")
                return rows
            rows.append(row)
            settings.say(line(table, row))
    return rows


def measure(name, n, n_features, hidden, early_stopping, memmap, dtype, settings):
    """The Row of one scenario, one process for each library; None where it cannot be measured."""
    question = {
        "n_samples": n,
        "n_features": n_features,
        "hidden": hidden,
        "dtype": dtype,
        "early_stopping": early_stopping,
        "memmap": memmap,
    }
    row = Row("memory", name, dtype, settings.threads, unit="bytes")
    wanted = ("fastmlp", "sklearn")
    for peer in (peer.NAME for peer in settings.peers if peer.NAME in wanted):
        answer = children.call(
            "memory", question | {"module": peer}, settings.threads, settings.cpus
        )
        if answer["above"] is None:
            return None
        row.values[peer] = answer["above"]
        row.runs[peer] = [answer["above"]]
        row.facts |= {"X": answer["X"], "theta": answer["theta"]}
    # gradient, two moments, the best theta, two packed copies and theta itself
    row.facts["limit"] = 7 * row.facts["theta"] + 16 * n + ROOM
    return row


def line(table, row):
    sizes = [row.facts["X"], row.facts["theta"], row.values["fastmlp"], row.facts["limit"]]
    sizes = [size / MB for size in sizes]
    theirs = row.values["sklearn"] / MB if "sklearn" in row.values else None
    verdict = "within" if row.values["fastmlp"] <= row.facts["limit"] else "OVER"
    if row.facts["X"] <= row.facts["limit"] and row.case != "many weights":
        verdict += ", but so would be a copy of X"
    return table.line([row.case, row.dtype, *sizes, theirs, verdict])
