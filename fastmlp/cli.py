"""The command `fastmlp`."""

from __future__ import annotations

import argparse
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
    parser.parse_args(argv).run()
    return 0


def _demo() -> None:
    from fastmlp.demo import main as demo

    demo()


def _config() -> None:
    from fastmlp.config import show_config

    show_config()
