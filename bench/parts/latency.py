"""One row through a trained network: the ordinary predict, the compiled one, and the peers."""

import numpy as np

from bench import check, peers, timing
from bench.cases import PREDICTIONS, Case
from bench.peers import start
from bench.table import Table, title

# who of us is set beside whom
RATIOS = (
    ("fastmlp", "sklearn"),
    ("fastmlp", "onnxruntime"),
    ("compiled", "onnxruntime"),
    ("compiled", "torch"),
    ("compiled", "numpy"),
)
# a network with next to no arithmetic: what a call costs before it computes
CALL = Case("1-1 (the call)", 1, 1, (), 0, 1, 1)


def run(settings):
    settings.say(title(f"Latency: microseconds for one row, {settings.threads} thread(s)"))
    able = peers.able(settings.peers, "predictor", PREDICTIONS[0])
    names = [peer.NAME for peer in able]
    table = table_of(names)
    settings.say(table.head())
    rows = []
    for case in (CALL, *PREDICTIONS):
        for dtype in settings.dtypes:
            row = measure("latency", case, dtype, able, settings, n_rows=1)
            rows.append(row)
            settings.say(line(table, row, names, 1e6))
    settings.say(
        "wanted: fastmlp 40 times faster than sklearn; compiled 10 times faster than onnxruntime "
        "on the\nfirst two networks, and under 1 microsecond above the arithmetic (the 1-1 network)"
    )
    return rows


def measure(part, case, dtype, able, settings, n_rows):
    """The Row of one network: every peer predicts the same rows with the same weights."""
    coefs, intercepts, rng = start.initial(case, dtype, seed=0)
    x = rng.standard_normal((n_rows, case.n_features)).astype(dtype)
    functions = {}
    for peer in able:
        predict = peer.predictor(case, coefs, intercepts, settings.threads)
        functions[peer.NAME] = lambda predict=predict: predict(x)
    sample = slice(0, n_rows, max(1, n_rows // check.ROWS))
    results = {name: np.array(function())[sample] for name, function in functions.items()}
    expected = check.outputs(case, coefs, intercepts, x[sample])
    row = timing.Row(part, case.name, dtype, settings.threads)
    row.runs = timing.per_call(
        functions, settings.times(settings.repeats), 0.003 if settings.quick else 0.05
    )
    row.values = timing.medians(row.runs)
    row.wrong = check.wrong_outputs(results, expected, dtype)
    row.facts = {"rows": n_rows, "flops": n_rows * case.forward_flops}
    return row


def table_of(names):
    columns = [("network", ""), ("dtype", "")] + [(name, ".2f") for name in names]
    columns += [(f"{ours}/{peer}", "x") for ours, peer in RATIOS if {ours, peer} <= set(names)]
    return Table(columns, {"network": 14})


def line(table, row, names, unit):
    """Times in 1 / ``unit`` seconds, and how many times faster the two of fastmlp are."""
    values = [row.case, row.dtype] + [unit * row.values[name] for name in names]
    values += [row.ratio(peer, ours) for ours, peer in RATIOS if {ours, peer} <= set(names)]
    return table.line(values, [f"WRONG: {reason}" for reason in row.wrong])
