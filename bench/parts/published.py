"""Other projects' own benchmarks, run here with the peers at hand, beside what they have published.

Their figures come from their machines and say what is in reach; the peers of the same run say what
this machine makes of it.
"""

from dataclasses import asdict

from bench import peers
from bench.parts import training
from bench.published_cases import PUBLISHED, UNITS, gain
from bench.table import Table, title


def run(settings):
    settings.say(title(f"Published benchmarks: ms per epoch of adam, {settings.threads} thread(s)"))
    training.warm_up(settings)
    asked = [
        each
        for each in PUBLISHED
        if each.dtype in settings.dtypes
        and (not settings.cases or each.case.name in settings.cases)
    ]
    found = [peer.NAME for peer in peers.able(settings.peers, "prepare", patient=False)]
    table = training.table_of(found, {"case": 20})
    settings.say(table.head())
    rows = []
    for each in asked:
        repeats = settings.times(min(settings.repeats, 3))
        row = training.measure("published", each.case, each.dtype, settings, False, repeats)
        rows.append(row)
        settings.say(training.line(table, row, found))
    settings.say(beside(zip(asked, rows, strict=True), settings))
    return rows


def beside(pairs, settings):
    """A line for every figure published: ours in the same unit, and how many times better it is."""
    table = Table(
        [("case", ""), ("unit", ""), ("here", ",.1f"), ("published", ",.1f"), ("better", "x")]
        + [("by", ""), ("threads", "d"), ("machine", "")],
        {"case": 20, "unit": 16, "by": 15, "machine": 26},
    )
    lines, sources = [table.head()], {}
    for each, row in pairs:
        case = each.case.quick() if settings.quick else each.case
        row.facts["published"] = []
        for figure in each.figures:
            ours = UNITS[figure.unit](row.values["fastmlp"], case, row.threads)
            row.facts["published"].append({"here": ours, **asdict(figure)})
            values = [case.name, figure.unit, ours, figure.value]
            values += [gain(ours, figure.value, figure.unit), figure.by, figure.threads]
            lines.append(table.line([*values, figure.machine]))
        sources.setdefault((each.source, each.note), []).append(case.name)
    head = [
        f"\nBeside the figures published: fastmlp here, {settings.threads} thread(s); they on "
        "machines and threads of theirs",
        "better: how many times fastmlp is, machine and all",
    ]
    notes = [
        f"{', '.join(names)}: {'; '.join(filter(None, words))}" for words, names in sources.items()
    ]
    return "\n".join([*head, *lines, "", *notes])
