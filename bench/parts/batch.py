"""Prediction for 100,000 rows at once."""

from bench import peers
from bench.cases import PREDICTIONS
from bench.parts import latency
from bench.table import title

ROWS = 100_000


def run(settings):
    n_rows = 4_000 if settings.quick else ROWS
    settings.say(title(f"Batch prediction: ms for {n_rows:,} rows, {settings.threads} thread(s)"))
    able = peers.able(settings.peers, "predictor", PREDICTIONS[0])
    names = [peer.NAME for peer in able]
    table = latency.table_of(names)
    settings.say(table.head())
    rows = []
    for case in PREDICTIONS[1:]:
        for dtype in settings.dtypes:
            row = latency.measure("batch", case, dtype, able, settings, n_rows)
            rows.append(row)
            settings.say(latency.line(table, row, names, 1e3))
    settings.say("wanted: fastmlp 2.5 and 1.3 times faster than sklearn, and ahead of onnxruntime")
    return rows
