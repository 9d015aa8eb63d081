"""Width sweep 10-w-w-10, batch 128: no step between neighbouring widths may be a cliff."""

from dataclasses import replace

from bench import check, peers, timing
from bench.cases import Case
from bench.table import Table, title

COARSE = (16, 20, 24, 40, 48, 56, 72, 80, 96, 112, 144, 160, 192, 224, 256, 320, 384, 448, 512)
FINE = (range(28, 37), range(60, 69), range(124, 133))
CLIFF = 1.3


def widths(quick):
    """All widths that are tried, in order; steps of one near 32, 64 and 128."""
    if quick:
        return [16, 31, 32, 33, 63, 64, 65, 127, 128, 129, 256]
    return sorted({*COARSE, *(w for span in FINE for w in span), 44, 45, 46, 47})


def run(settings):
    able = peers.able(settings.peers, "prepare", patient=False)
    able = [peer for peer in able if peer.NAME in ("fastmlp", "torch", "sklearn")]
    names = [peer.NAME for peer in able]
    settings.say(title("Width sweep: microseconds per batch of 128 rows, 10-w-w-10, adam"))
    rows = []
    for dtype in settings.dtypes:
        table = Table(
            [("width", "d"), ("dtype", "")]
            + [column for name in names for column in ((name, ".1f"), ("step", ".2f"))]
        )
        settings.say(table.head())
        before = None
        for width in widths(settings.quick):
            row = measure(width, dtype, able, settings)
            rows.append(row)
            settings.say(line(table, row, before, names))
            before = row
        settings.say(smoothness(rows, dtype, names))
    return rows


def measure(width, dtype, able, settings):
    """The Row of one width; its times are those of one batch."""
    rows, epochs = (1_280, 1) if settings.quick else (2_560, 4)
    case = Case("sweep", rows, 10, (width, width), 10, 128, epochs)
    X, y = case.data(dtype)
    batches = case.epochs * case.n_samples // case.batch_size

    def preparing(peer, case=case):
        return lambda: peer.prepare(case, X, y, seed=0, threads=settings.threads)

    for peer in able:  # first calls: buffers, threads
        preparing(peer, replace(case, epochs=1))()()
    runs, trained = timing.interleaved(
        {peer.NAME: preparing(peer) for peer in able}, settings.times(settings.repeats)
    )
    runs = {name: [seconds / batches for seconds in times] for name, times in runs.items()}
    losses = {name: check.loss(case, *theta, X, y) for name, theta in trained.items()}
    row = timing.Row("sweep", str(width), dtype, settings.threads, runs=runs)
    # the fastest run: a single slow one must not pass for a cliff
    row.values = {name: min(times) for name, times in runs.items()}
    row.facts = {"width": width, "flops": case.flops_per_row * case.batch_size}
    row.wrong = check.wrong_losses(losses, dtype, begun=0.0)
    return row


def line(table, row, before, names):
    values = [row.facts["width"], row.dtype]
    for name in names:
        step = jump(before, row, name) if before is not None else None
        values += [1e6 * row.values[name], step]
    return table.line(values, [f"WRONG: {reason}" for reason in row.wrong])


def jump(before, row, name):
    """How much slower per operation the wider of two neighbours is, or the narrower one."""
    work = row.facts["flops"] / before.facts["flops"] if apart(before, row) else 1.0
    ratio = row.values[name] / before.values[name]
    return max(ratio / work, 1 / ratio)


def apart(before, row):
    """Whether more than one unit lies between, so that more work must take more time."""
    return row.facts["width"] - before.facts["width"] > 1


def smoothness(rows, dtype, names):
    """The largest jump of each peer, between widths that differ by one, and between all."""
    rows = [row for row in rows if row.dtype == dtype]
    pairs = list(zip(rows, rows[1:], strict=False))
    lines = [f"\nLargest jump, {dtype} (fastmlp promises at most {CLIFF}):"]
    for name in names:
        near = max((jump(a, b, name), b.case) for a, b in pairs if not apart(a, b))
        any_pair = max((jump(a, b, name), b.case) for a, b in pairs)
        lines.append(
            f"  {name:10} {near[0]:.2f} at width {near[1]} in steps of one; "
            f"{any_pair[0]:.2f} at {any_pair[1]} over all, per operation"
        )
    return "\n".join(lines) + "\n"
