"""Would the tests notice? Changes one sign, index or factor at a time and runs them.

    python tests/kernels/mutation.py                     every mutation
    python tests/kernels/mutation.py losses adam         those whose file or text contains a word
    python tests/kernels/mutation.py --list

Copies the tree to a temporary folder, applies one mutation, rebuilds there with
``python setup.py build_ext --inplace`` (the build requirements must be installed) and runs the
numeric tests until the first failure. A mutation that no test notices survives: exit status 1. The
unchanged copy has to pass first. Takes about half a minute per mutation.
"""

import argparse
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mutations import MUTATIONS

ROOT = Path(__file__).resolve().parents[2]
TESTS = [
    "tests/kernels/test_kernels.py",
    "tests/network/test_worked_example.py",
    "tests/network/test_derivatives.py",
    "tests/network/test_extremes.py",
    "tests/network/test_basics.py",
    "tests/network/test_laws.py",
    "tests/network/test_likelihoods.py",
    "tests/network/test_many.py",
    "tests/network/test_laws_epoch.py",
    "tests/network/test_inputs.py",
    "tests/network/test_plans.py",
    "tests/network/test_predictor.py",
    "tests/network/test_gauss_newton.py",
]
LEFT_OUT = shutil.ignore_patterns(".git", "dist", "*.egg-info", "__pycache__", ".pytest_cache")


def run(command, tree):
    """Exit status and output of a command inside the copied tree."""
    env = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def build(tree):
    """None, or what the compiler said."""
    status, output = run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], tree)
    return None if status == 0 else output


def places(source, text):
    """Where a text stands in a source, however its tokens are spaced and broken into lines."""
    tokens = re.findall(r"\w+|[^\w\s]", text)
    return list(re.finditer(r"\s*".join(map(re.escape, tokens)), source))


def stale(mutations):
    """Those whose text does not occur exactly once."""
    return [m for m in mutations if len(places((ROOT / m[0]).read_text(), m[1])) != 1]


def prepare(tree, tests):
    """A built copy of the source tree, with a build script that has less to do per mutation."""
    shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
    script = (tree / "setup.py").read_text()
    for old, new in (
        ("depends=HEADERS + LINKED", "depends=(HEADERS if name in LINKED else []) + LINKED"),
        ("extra_compile_args=COMMON_FLAGS", 'extra_compile_args=["-O0"]'),  # only the kernels fast
    ):
        assert old in script, old
        script = script.replace(old, new)
    (tree / "setup.py").write_text(script)
    run([sys.executable, "setup.py", "-q", "egg_info"], tree)
    return build(tree) or first_failure(tree, tests)


def first_failure(tree, tests):
    """The name of the first failing test, or None if all pass."""
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no"]
    status, output = run([*pytest, *tests], tree)
    if status == 0:
        return None
    failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split(" - ")[0] if failed else f"pytest ended with status {status}"


def try_one(tree, mutation, tests):
    """Apply, build, test, undo; returns the verdict as a string."""
    path, old, new = mutation
    original = (tree / path).read_text()
    (place,) = places(original, old)
    (tree / path).write_text(original[: place.start()] + new + original[place.end() :])
    for untested in tree.glob("build/temp*/src_c/kernels_*.o"):
        if not untested.stem.startswith(f"kernels_{isa(tree)}_"):
            os.utime(untested)  # other instruction sets stay as they were built: less to wait for
    try:
        if (errors := build(tree)) is not None:
            return "does not build: " + errors.strip().splitlines()[-1]
        failure = first_failure(tree, tests)
        return f"killed by {failure}" if failure else "SURVIVED"
    finally:
        (tree / path).write_text(original)


@functools.cache
def isa(tree):
    """The instruction set that the tests run on."""
    code = "from fastmlp._core import kernels; print(kernels.isa())"
    return run([sys.executable, "-c", code], tree)[1].strip()


def verdicts(mutations, tests=TESTS):
    """Yield (mutation, verdict) for each, in one copied tree."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        if (errors := prepare(tree, tests)) is not None:
            sys.exit(f"the unchanged tree fails: {errors}")
        for mutation in mutations:
            yield mutation, try_one(tree, mutation, tests)


def selected(words):
    return [m for m in MUTATIONS if not words or any(word in " ".join(m) for word in words)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "words", nargs="*", help="only mutations whose file or text has one of them"
    )
    parser.add_argument("--list", action="store_true", help="print them and stop")
    options = parser.parse_args()
    chosen = selected(options.words)
    for path, old, _ in stale(MUTATIONS):  # shows at once, not after an hour
        sys.exit(f"{path}: {old!r} does not occur exactly once")
    if options.list:
        print("\n".join(f"{path}: {old!r} -> {new!r}" for path, old, new in chosen))
        return 0
    survivors = 0
    for (path, old, new), verdict in verdicts(chosen):
        survivors += not verdict.startswith("killed")
        print(f"{path}: {old!r} -> {new!r}: {verdict}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} killed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
