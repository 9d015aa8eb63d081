"""Training on compressed sparse rows, by adam and by lbfgs: milliseconds per epoch or iteration."""

from bench import peers
from bench.cases import SPARSE
from bench.parts import training
from bench.table import title


def run(settings):
    case = SPARSE[0]
    settings.say(
        title(
            f"Sparse: ms per epoch or iteration, {case.n_samples:,} x {case.n_features:,}, "
            f"{case.entries} entries a row, {settings.threads} thread(s)"
        )
    )
    found = [peer.NAME for peer in peers.able(settings.peers, "prepare", case)]
    table = training.table_of(found, {"case": 12})
    settings.say(table.head())
    rows = []
    for case in SPARSE:
        for dtype in settings.dtypes:
            repeats = settings.times(min(settings.repeats, 3))
            row = training.measure("sparse", case, dtype, settings, repeats=repeats)
            rows.append(row)
            settings.say(training.line(table, row, found))
    return rows
