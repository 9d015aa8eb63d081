"""Seconds per epoch of adam for each case, dtype and peer; every final loss is compared."""

from bench import check, peers, timing
from bench.cases import CASES, GEMM_PROMISES, promise
from bench.peers import start
from bench.table import Table, title


def run(settings):
    settings.say(title(f"Training: ms per epoch of adam, {settings.threads} thread(s)"))
    warm_up(settings)
    found = [peer.NAME for peer in peers.able(settings.peers, "prepare")]
    table = table_of(found)
    settings.say(
        "/peer: how many times longer the peer takes; gemm %: share of the machine's own GEMM"
    )
    settings.say(table.head())
    rows = []
    for case in CASES:
        if settings.cases and case.name not in settings.cases:
            continue
        for dtype in settings.dtypes:
            row = measure("training", case, dtype, settings)
            rows.append(row)
            settings.say(line(table, row, found))
    settings.say(wanted(rows, found))
    return rows


def warm_up(settings):
    """Imports and first calls, untimed."""
    case = CASES[0].quick()
    for dtype in settings.dtypes:
        X, y = case.data(dtype)
        for peer in peers.able(settings.peers, "prepare", case, patient=False):
            peer.prepare(case, X, y, seed=0, threads=settings.threads)()


def measure(part, case, dtype, settings, patient=True, repeats=None):
    """The Row of one case: every peer trains the same network on the same batches."""
    case = case.quick() if settings.quick else case
    X, y = case.data(dtype)

    def preparing(peer):
        return lambda: peer.prepare(case, X, y, seed=0, threads=settings.threads)

    able = peers.able(settings.peers, "prepare", case, patient)
    runs, trained = timing.interleaved(
        {peer.NAME: preparing(peer) for peer in able}, repeats or settings.times(settings.repeats)
    )
    runs = {name: [seconds / case.epochs for seconds in times] for name, times in runs.items()}
    losses = {name: check.loss(case, *theta, X, y) for name, theta in trained.items()}
    begun = check.loss(case, *start.initial(case, X.dtype, 0)[:2], X, y)
    row = timing.Row(part, case.name, dtype, settings.threads, runs=runs)
    row.values = timing.medians(runs)
    row.wrong = check.wrong_losses(losses, dtype, begun)
    speed = case.flops / row.values["fastmlp"] / 1e9
    row.facts = {
        "losses": losses,
        "flops": case.flops,
        "gemm_fraction": speed / settings.gemm[dtype],
        "promises": {name: promise(case, name, dtype) for name in runs},
    }
    return row


def table_of(found, widths=()):
    others = [name for name in found if name != "fastmlp"]
    return Table(
        [("case", ""), ("dtype", "")]
        + [(name, ".3f") for name in found]
        + [(f"/{name}", "x") for name in others]
        + [("gemm %", ".1f"), ("loss", ".6f")],
        widths,
    )


def line(table, row, found):
    """Milliseconds of all, how many times faster than each, the share of GEMM, the loss."""
    values = [row.case, row.dtype]
    values += [1e3 * row.values[name] if name in row.values else None for name in found]
    values += [row.ratio(name) for name in found if name != "fastmlp"]
    values += [100 * row.facts["gemm_fraction"], row.facts["losses"]["fastmlp"]]
    return table.line(values, notes(row))


def notes(row):
    """What follows the last column: wrong answers, peers that were faster."""
    slower = [f"SLOWER than {name}" for name in row.values if row.ratio(name) < 1]
    alone = ["nobody to check against"] if len(row.values) == 1 else []
    return [f"WRONG: {reason}" for reason in row.wrong] + slower + alone


def wanted(rows, found):
    """Ratios beside those promised, and those of an engine that does nothing but its products."""
    rows = [row for row in rows if row.threads == 1]
    names = [name for name in ("sklearn", "torch", "torch.compile") if name in found]
    table = Table(
        [("case", ""), ("dtype", "")]
        + [
            column
            for name in names
            for column in ((f"/{name}", "x"), ("wanted", "x"), ("at gemm", "x"))
        ]
        + [("gemm %", ".1f"), ("wanted", ".0f"), ("all", "")]
    )
    lines = [
        "",
        "Beside the promises; at gemm: what matrix products alone would reach at this machine's "
        "GEMM speed",
        table.head(),
    ]
    for row in rows:
        reached, values = [], [row.case, row.dtype]
        fraction = row.facts["gemm_fraction"]
        for name in names:
            ratio, least = row.ratio(name), row.facts["promises"].get(name)
            values += [ratio, least, ratio and ratio / fraction]
            reached.append(ratio is None or least is None or ratio >= least)
        share = GEMM_PROMISES.get(row.case) if row.dtype == "float32" else None
        values += [100 * fraction, share and 100 * share]
        reached.append(share is None or fraction >= share)
        lines.append(table.line([*values, "reached" if all(reached) else "missed"]))
    return "\n".join(lines) if rows else ""
