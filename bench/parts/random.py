"""Training of networks whose shapes are drawn when it runs; geometric means of the ratios."""

import numpy as np

from bench import peers
from bench.cases import random_cases
from bench.parts import training
from bench.table import title


def run(settings):
    cases = random_cases(settings.seed, 2 if settings.quick else 20, settings.quick)
    settings.say(title(f"Random shapes: ms per epoch of adam, drawn from --seed {settings.seed}"))
    training.warm_up(settings)
    found = [peer.NAME for peer in peers.able(settings.peers, "prepare", patient=False)]
    table = training.table_of(found, {"case": max(len(case.name) for case in cases)})
    settings.say(table.head())
    rows = []
    for case in cases:
        for dtype in settings.dtypes:
            repeats = settings.times(min(settings.repeats, 3))
            row = training.measure("random", case, dtype, settings, False, repeats)
            rows.append(row)
            settings.say(training.line(table, row, found))
    for dtype in settings.dtypes:
        settings.say(means([row for row in rows if row.dtype == dtype], found, dtype))
    return rows


def means(rows, found, dtype):
    """Geometric means of the ratios, and of the ratios by what neighbouring cases promise."""
    lines = [
        f"\n{dtype}, geometric means over the shapes that a peer can train; at gemm: what matrix "
        "products alone\nwould reach at this machine's GEMM speed:"
    ]
    for name in found:
        ratios = [row.ratio(name) for row in rows if name in row.values]
        if name == "fastmlp" or not ratios:
            continue
        words = f"  {name:14} {geometric(ratios):8.2f}x over {len(ratios)} shapes"
        promised = [row.facts["promises"][name] for row in rows if name in row.values]
        if None not in promised:
            fractions = [row.facts["gemm_fraction"] for row in rows if name in row.values]
            share = geometric(np.divide(ratios, promised))
            words += (
                f", {100 * share:.0f} % of what the neighbouring cases promise (wanted: 85 %; "
                f"at gemm: {100 * share / geometric(fractions):.0f} %)"
            )
        lines.append(words)
    return "\n".join(lines)


def geometric(ratios):
    return float(np.exp(np.mean(np.log(ratios))))
