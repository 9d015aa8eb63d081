"""A function in a forked child."""

import multiprocessing

import pytest

SECONDS = 60  # no step takes one; the limit is there for a deadlock

needs_fork = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)


def run_forked(target):
    """Run `target` in a forked child and fail if it hangs or fails."""
    child = multiprocessing.get_context("fork").Process(target=target)
    child.start()
    child.join(SECONDS)
    if child.is_alive():
        child.kill()
        pytest.fail("the forked child hangs")
    assert child.exitcode == 0
