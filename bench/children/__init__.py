"""Measurements that need a process of their own: `python -m bench.children.NAME QUESTION`.

A child reads a JSON object from its command line and prints one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench import machine

ROOT = Path(__file__).parents[2]


def call(name, question, threads, cpus):
    """One child's answer."""
    return finish(begin(name, question, threads, cpus))


def calls(name, question, cpus):
    """The answers of children that run at the same time, one thread each, on the cores given."""
    return [finish(child) for child in [begin(name, question, 1, each) for each in cpus]]


def begin(name, question, threads, cpus):
    """Start a child; its libraries load with so many threads."""
    limits = {variable: str(threads) for variable in machine.THREAD_VARIABLES}
    question = json.dumps({**question, "threads": threads, "cpus": cpus})
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", f"bench.children.{name}", question],
        cwd=ROOT,
        env={**os.environ, **limits},
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(child):
    """Wait for a child; its answer is the last line that it prints."""
    try:
        words, _ = child.communicate()
    except BaseException:
        child.kill()
        child.wait()
        raise
    if child.returncode:
        raise RuntimeError(f"{' '.join(child.args[2:5])} ended with {child.returncode}")
    return json.loads(words.splitlines()[-1])


def question():
    """What this child is asked; it moves to its cores first."""
    asked = json.loads(sys.argv[1])
    machine.hold_to(asked["threads"], asked["cpus"])
    return asked


def answer(**values):
    """Tell the parent."""
    print(json.dumps(values))
