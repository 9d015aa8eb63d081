"""What ``verbose`` prints: a table with a line per iteration, or a bar."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any

import numpy as np

# Entries of an iteration's record, in the order of the columns: heading and format.
COLUMNS = {
    "loss": ("loss", "{:.6g}"),
    "validation_score": ("score", "{:.6g}"),
    "validation_loss": ("val. loss", "{:.6g}"),
    "learning_rate": ("rate", "{:.3g}"),
    "grad_norm": ("gradient", "{:.3g}"),
    "step_size": ("step", "{:.3g}"),
    "damping": ("damping", "{:.3g}"),
    "radius": ("radius", "{:.3g}"),
    "seconds": ("seconds", "{:.2f}"),
}
WIDTH = 10


class Progress:
    """One run's lines on the screen; a run of several starts has one of each start.

    Parameters
    ----------
    verbose : bool, int or "bar"
        What the user asked for, and not False.
    score : str
        The name of the validation score.
    unit : str
        What an iteration is called.
    brief : bool
        A single iteration: one line, without a heading.
    """

    def __init__(self, verbose, score="score", unit="epoch", brief=False):
        self.verbose = verbose
        self.score = score
        self.unit, self.brief = unit, brief
        self.start: int | None = None
        self._shared = _Shared()
        self._best = -np.inf
        self._bar: Any = None

    def of_start(self, start: int) -> Progress:
        """The lines of one of several starts, counted from 1, below the same heading."""
        one = Progress(self.verbose, self.score, self.unit, self.brief)
        one.start, one._shared = start, self._shared
        return one

    def begin_again(self, why: str) -> None:
        """Say that iterations are counted anew, and why."""
        self._best = -np.inf
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        with self._shared.lock:
            print(why, flush=True)

    def iteration(self, number: int, total: int, record: dict[str, float]) -> None:
        """Show one iteration; ``total`` is the most there may be."""
        merit = record.get("validation_score", -record["loss"])
        best = bool(merit > self._best)
        self._best = max(self._best, merit) if np.isfinite(merit) else self._best
        if self.verbose == "bar":
            self._move_bar(number, total, record)
            return
        if self.brief:
            shown = ", ".join(
                f"{self._heading(key)} = {text.format(record[key])}"
                for key, (_, text) in COLUMNS.items()
                if key in record
            )
            print(shown, flush=True)
            return
        keys = [key for key in COLUMNS if key in record]
        widths = [max(WIDTH, len(self._heading(key))) for key in keys]
        cells = [
            f"{COLUMNS[key][1].format(record[key]):>{width}}"
            for key, width in zip(keys, widths, strict=True)
        ]
        lead = [] if self.start is None else [f"{self.start:>5}"]
        line = "  ".join([*lead, f"{number:>9}", *cells])
        with self._shared.lock:
            if not self._shared.headed:
                self._shared.headed = True
                lead = [] if self.start is None else ["start"]
                headings = [
                    f"{self._heading(key):>{width}}"
                    for key, width in zip(keys, widths, strict=True)
                ]
                print("  ".join([*lead, f"{self.unit:>9}", *headings, "best"]))
            print(f"{line}  {'*' if best else ''}".rstrip(), flush=True)

    def close(self, message: str) -> None:
        """End with the reason for stopping."""
        if self._bar is not None:
            self._bar.close()
        if not self.brief:
            lead = "" if self.start is None else f"Start {self.start}: "
            with self._shared.lock:
                print(f"{lead}{message}", flush=True)

    def _heading(self, key):
        return self.score if key == "validation_score" else COLUMNS[key][0]

    def _move_bar(self, number, total, record):
        if self._bar is None:
            name = self.unit if self.start is None else f"start {self.start}, {self.unit}"
            self._bar = make_bar(name, total, self.start)
        shown = {"loss": f"{record['loss']:.4g}"}
        if "validation_score" in record:
            shown[self.score] = f"{record['validation_score']:.4g}"
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(1)


class _Shared:
    """What the starts of one fit share: the heading, and who writes."""

    def __init__(self):
        self.lock = threading.Lock()
        self.headed = False


class _PlainBar:
    """A line that is written over, where tqdm is not installed."""

    def __init__(self, name, total):
        self._name, self._total, self._number, self._postfix = name, total, 0, ""

    def set_postfix(self, shown, refresh):
        self._postfix = "".join(f", {key} {value}" for key, value in shown.items())

    def update(self, n):
        self._number += n
        text = f"{self._name} {self._number} of {self._total}{self._postfix}"
        sys.stderr.write(f"\r{text:<79}")
        sys.stderr.flush()

    def close(self):
        sys.stderr.write("\n")


def make_bar(name, total, start):
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:
        return _PlainBar(name, total)
    return tqdm(total=total, desc=name, leave=True, position=0 if start is None else start - 1)


def progress_of(verbose: Any, unit: str) -> Progress | None:
    """The lines that ``verbose`` asks for; None for none."""
    if isinstance(verbose, Progress):
        verbose.unit = unit
        return verbose
    if isinstance(verbose, str) and verbose != "bar":
        raise ValueError(f"verbose must be True, False, an integer or 'bar', got {verbose!r}.")
    return Progress(verbose, unit=unit) if verbose else None
