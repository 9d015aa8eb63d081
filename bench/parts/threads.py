"""Two threads against one for every case, beside two independent matrix products side by side."""

from bench import children
from bench.cases import CASES
from bench.table import Table, title
from bench.timing import Row, medians

WANTED = {"tab256": 1.7, "wide": 1.7}


def run(settings):
    settings.say(title("Threads: ms per epoch of fastmlp with n_threads of 1, 2 and None"))
    if len(settings.cpus) < 2:
        settings.say("left out: this process has one core only")
        return []
    rows = []
    for dtype in settings.child_dtypes:
        limit = side_by_side(dtype, settings)
        settings.say(f"{dtype}: two independent GEMM processes reach {limit:.2f}x of one")
        table = Table(
            [("case", ""), ("dtype", "")]
            + [(name, ".3f") for name in ("1 thread", "2 threads", "default")]
            + [("2 to 1", "x"), ("default to 1", "x"), ("wanted", "x")]
        )
        settings.say(table.head())
        for case in CASES:
            if settings.cases and case.name not in settings.cases:
                continue
            row = measure(case, dtype, settings)
            rows.append(row)
            row.facts["gemm_side_by_side"] = limit
            least = min(WANTED.get(case.name, 1.0), 0.9 * limit)
            seconds = [row.values[name] for name in ("1", "2", "None")]
            gains = [seconds[0] / each for each in seconds[1:]]
            values = [case.name, dtype, *(1e3 * each for each in seconds), *gains, least]
            settings.say(table.line(values, row.wrong))
    return rows


def measure(case, dtype, settings):
    """The Row of one case, from a process whose libraries have been loaded with two threads."""
    answer = children.call(
        "epochs",
        {
            "case": case.name,
            "dtype": dtype,
            "quick": settings.quick,
            "repeats": settings.times(settings.repeats),
        },
        threads=2,
        cpus=settings.cpus[-2:],
    )
    row = Row("threads", case.name, dtype, 2, runs=answer["runs"], wrong=answer["wrong"])
    row.values = medians(row.runs)
    return row


def side_by_side(dtype, settings):
    """How much two one-thread GEMM processes do together, one of them alone being 1."""
    seconds = 0.3 if settings.quick else 2.0
    pair = [[cpu] for cpu in settings.cpus[-2:]]
    question = {"dtype": dtype, "seconds": seconds}
    (alone,) = children.calls("gemm", question, [pair[0]])
    together = children.calls("gemm", question, pair)
    return sum(each["gflops"] for each in together) / alone["gflops"]
