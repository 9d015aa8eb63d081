"""fastmlp beside its peers, in one process run, on the same data, from the same weights.

    python -m bench                              every part
    python -m bench --quick                      small data, one repeat: does it run? (< 2 minutes)
    python -m bench training latency --json results.json --plots plots
    python -m bench training --cases tiny wide --dtype float32 --threads 2

A wrong answer fails the run (exit code 1), however fast. See README.md beside this file.
"""

import argparse
import importlib.util
import json
import secrets
import sys
import time
import warnings

from bench import machine, parts
from bench.peers import MODULES as PEERS
from bench.settings import Settings

DTYPES = ("float32", "float64")
QUICK = "QUICK RUN, to see that all runs and agrees: its figures and verdicts mean nothing."


def arguments(argv):
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts.NAMES)}")
    parser.add_argument("--quick", action="store_true", help="small data, one repeat")
    parser.add_argument("--dtype", choices=[*DTYPES, "both"], default="both")
    parser.add_argument("--threads", type=int, default=1, help="of BLAS and OpenMP (1)")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each peer (5)")
    parser.add_argument(
        "--cases", nargs="+", default=[], metavar="CASE", help="of training, published"
    )
    parser.add_argument("--peers", nargs="+", metavar="PEER", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--seed", type=int, help="of the random shapes (drawn and printed)")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--plots", metavar="DIR", help="draw the PNGs there (needs matplotlib)")
    options = parser.parse_args(argv)
    options.parts = options.parts or list(parts.NAMES)
    for given, known, what in (
        (options.parts, parts.NAMES, "part"),
        (options.peers or [], PEERS, "peer"),
    ):
        unknown = sorted(set(given) - set(known))
        if unknown:
            parser.error(f"unknown {what} {', '.join(unknown)}; known: {', '.join(known)}")
    if options.threads < 1 or options.repeats < 1:
        parser.error("--threads and --repeats are at least 1")
    if options.plots and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plots needs matplotlib, which is not installed")
    return options


def prepare(options):
    """Settings and reasons for the peers left out; libraries are loaded from here on only."""
    cpus = machine.cpus()
    machine.hold_to(options.threads, cpus)
    from bench import peers
    from bench.cases import CASES
    from bench.published_cases import PUBLISHED

    known = [case.name for case in (*CASES, *(each.case for each in PUBLISHED))]
    unknown = sorted(set(options.cases) - set(known))
    if unknown:
        sys.exit(f"unknown case {', '.join(unknown)}; known: {', '.join(known)}")
    names = None if options.peers is None else dict.fromkeys(["fastmlp", *options.peers])
    found, missing = peers.load(names)
    if "fastmlp" not in [peer.NAME for peer in found]:
        sys.exit(f"fastmlp itself cannot be imported: {missing}")
    found, left_out = without_slow(found, options)
    settings = Settings(
        quick=options.quick,
        repeats=options.repeats,
        threads=options.threads,
        seed=secrets.randbelow(10**6) if options.seed is None else options.seed,
        dtypes=DTYPES if options.dtype == "both" else (options.dtype,),
        cases=tuple(options.cases),
        peers=found,
        cpus=cpus,
    )
    return settings, missing + left_out


def without_slow(found, options):
    """Peers that compile for long go from a quick run, and from one where they do not build."""
    kept, left_out = [], []
    for peer in found:
        reason = None
        if getattr(peer, "SLOW_START", False):
            if options.quick:
                reason = "compiles for too long for --quick"
            elif set(options.parts) & {"training", "latency", "batch"}:
                reason = trouble(peer, options.threads)
        if reason is None:
            kept.append(peer)
        else:
            left_out.append(f"{peer.NAME}: {reason}")
    return kept, left_out


def trouble(peer, threads):
    """Why a peer cannot predict one row, or None if it can."""
    from bench.cases import PREDICTIONS
    from bench.peers import start

    case = PREDICTIONS[0]
    coefs, intercepts, rng = start.initial(case, "float32", seed=0)
    try:
        x = rng.standard_normal((1, case.n_features)).astype("float32")
        peer.predictor(case, coefs, intercepts, threads)(x)
    except Exception as error:  # whatever a compiler may say
        return f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}"
    return None


def main(argv=None):
    options = arguments(argv)
    settings, missing = prepare(options)
    from sklearn.exceptions import ConvergenceWarning

    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    rows, begin = [], time.perf_counter()
    with machine.blas_held_to(settings.threads):
        settings.gemm = {
            dtype: machine.gemm_speed(dtype, settings.quick) for dtype in settings.dtypes
        }
        about = machine.describe(settings.threads) | {
            f"{dtype} gemm": f"{speed:.1f} GFLOP/s" for dtype, speed in settings.gemm.items()
        }
        for key, value in about.items():
            settings.say(f"{key + ':':26} {value}")
        for reason in missing:
            settings.say(f"left out: {reason}")
        if settings.quick:
            settings.say(QUICK)
        for name in options.parts:
            started = time.perf_counter()
            rows += importlib.import_module(f"bench.parts.{name}").run(settings)
            settings.say(f"({name} took {time.perf_counter() - started:.0f} s)")
            if options.json:  # after each part: a later one may be interrupted
                write(options.json, about, settings, missing, rows)
    if options.plots:
        from bench import plots

        for path in plots.draw(rows, settings.gemm, options.plots):
            settings.say(f"drawn: {path}")
    return verdict(rows, time.perf_counter() - begin, settings)


def write(path, about, settings, missing, rows):
    """Everything that was measured, as JSON."""
    results = {
        "machine": about,
        "left_out": missing,
        "gemm": settings.gemm,
        "seed": settings.seed,
        "quick": settings.quick,
        "rows": [row.as_dict() for row in rows],
    }
    with open(path, "w") as file:
        json.dump(results, file, indent=1)


def verdict(rows, seconds, settings):
    """The last words, and the exit code."""
    wrong = [(row, reason) for row in rows for reason in row.wrong]
    if settings.quick:
        settings.say(f"\n{QUICK}")
    settings.say(f"\n{len(rows)} rows in {seconds:.0f} s, load average now {machine.load()}")
    for row, reason in wrong:
        settings.say(f"WRONG: {' '.join(map(str, row.key))}: {reason}")
    settings.say("all answers agree" if not wrong else f"{len(wrong)} wrong answers")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
