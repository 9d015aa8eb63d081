"""The command `fastmlp`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.
    """
    parser = argparse.ArgumentParser(
        prog="fastmlp",
        description="Multilayer perceptrons on the CPU, scikit-learn's way.",
    )
    parser.add_argument(
        "--version", action="version", version=f"fastmlp {metadata.version('fastmlp')}"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    commands.add_parser(
        "demo", help="train on scikit-learn's data sets, beside scikit-learn's own networks"
    ).set_defaults(run=_demo)
    commands.add_parser(
        "config", help="show the instruction set, threads, BLAS and versions"
    ).set_defaults(run=_config)
    playground = commands.add_parser(
        "playground", help="watch a network learn, on a page in the browser"
    )
    playground.add_argument("--port", type=int, default=0, help="of 127.0.0.1; one that is free")
    playground.add_argument(
        "--no-browser", dest="browser", action="store_false", help="only print the address"
    )
    playground.set_defaults(run=_playground)
    arguments = vars(parser.parse_args(argv))
    run = arguments.pop("run")
    try:
        run(**arguments)
    except (ImportError, OSError, ValueError) as problem:
        if run is not _playground:
            raise
        print(f"fastmlp playground: {problem}", file=sys.stderr)
        return 1
    return 0


def _demo() -> None:
    from fastmlp.demo import main as demo

    demo()


def _config() -> None:
    from fastmlp.config import show_config

    show_config()


def _playground(port: int, browser: bool) -> None:
    from fastmlp.playground import serve

    serve(port, browser)
