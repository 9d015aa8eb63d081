"""Two revisions beside each other: every row of both, the ratio, and what has become slower.

    python -m bench.compare OLD.json NEW.json
    python -m bench.compare --run OLD/bin/python NEW/bin/python [--rounds 3] [-- PART ... --quick]

The second form runs this checkout's bench for fastmlp alone in two environments, in turns, so that
a machine that slows down slows both. Exit code 1 if something is slower by more than --limit.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.table import Table
from bench.timing import Row, medians

ROOT = Path(__file__).parents[1]
DEFAULT = ["training", "latency", "batch", "--dtype", "both"]


def arguments(argv):
    if "--" in argv:
        at = argv.index("--")
        argv, bench = argv[:at], argv[at + 1 :]
    else:
        bench = DEFAULT
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", help="results.json, or with --run an interpreter")
    parser.add_argument("new", help="the same for the newer revision")
    parser.add_argument("--run", action="store_true", help="old and new are interpreters")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each environment (3)")
    parser.add_argument("--peer", default="fastmlp", help="whose times (fastmlp)")
    parser.add_argument("--limit", type=float, default=0.05, help="that counts as slower (0.05)")
    options = parser.parse_args(argv)
    options.bench = bench
    return options


def rows_of(results):
    """key -> Row of what --json has written."""
    rows = [Row(**row) for row in results["rows"]]
    return {row.key: row for row in rows}


def merged(runs):
    """The rows of several runs of one environment as one: all their times, medians of them."""
    rows = runs[0]
    for others in runs[1:]:
        for key, row in others.items():
            for peer, times in row.runs.items():
                rows[key].runs.setdefault(peer, []).extend(times)
    for row in rows.values():
        row.values = row.values | medians(row.runs)
    return rows


def run(pythons, rounds, bench):
    """Rows of each interpreter, run in turns."""
    seen = {python: [] for python in pythons}
    for _ in range(rounds):
        for python in pythons:
            seen[python].append(run_once(python, bench))
    return [merged(seen[python]) for python in pythons]


def run_once(python, bench):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        command = [python, "-m", "bench", *bench, "--json", str(path)]
        if "--peers" not in bench:
            command += ["--peers", "fastmlp", "compiled", "numpy"]
        # a path to either revision would serve both
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        if not path.exists():
            sys.exit(f"{' '.join(command)} has failed:\n{done.stdout}{done.stderr}")
        print(f"ran {python}", file=sys.stderr)
        return rows_of(json.loads(path.read_text()))


def compare(old, new, peer, limit):
    """(the table's text, the rows that are slower, the keys that only one of them has)."""
    keys = [
        key for key in old if key in new and peer in old[key].values and peer in new[key].values
    ]
    width = max((len(key[1]) for key in keys), default=4)
    table = Table(
        [("part", ""), ("case", ""), ("dtype", ""), ("threads", "d"), ("old", ".4g")]
        + [("new", ".4g"), ("unit", ""), ("old/new", "x")],
        {"part": 9, "case": width, "threads": 7, "unit": 5},
    )
    lines, slower = [table.head()], []
    for key in keys:
        before, after = old[key].values[peer], new[key].values[peer]
        notes = []
        if after > before * (1 + limit):
            slower.append(key)
            notes = [f"WORSE by {100 * (after / before - 1):.0f} %"]
        if new[key].wrong:
            slower.append(key)
            notes.append("WRONG")
        ratio = before / after if after else None
        unit, scale = ("ms", 1e3) if old[key].unit == "s" else ("MB", 2**-20)
        values = [*key, scale * before, scale * after, unit, ratio]
        lines.append(table.line(values, notes))
    return "\n".join(lines), slower, sorted(set(old) ^ set(new))


def main(argv=None):
    options = arguments(sys.argv[1:] if argv is None else argv)
    if options.run:
        old, new = run((options.old, options.new), options.rounds, options.bench)
    else:
        results = [json.loads(Path(path).read_text()) for path in (options.old, options.new)]
        for key in ("processor", "libraries", "threads"):
            values = [each["machine"].get(key) for each in results]
            if values[0] != values[1]:
                print(f"not the same {key}: {values[0]} / {values[1]}")
        old, new = map(rows_of, results)
    words, slower, lonely = compare(old, new, options.peer, options.limit)
    print(words)
    if lonely:
        print(f"{len(lonely)} rows are in one of the two only")
    print(f"{len(slower)} rows are worse by more than {100 * options.limit:.0f} %, or wrong")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
