"""Fixtures that all tests share."""

import _thread
import signal
import time

import numpy as np
import pytest

from fastmlp._core import crew


@pytest.fixture
def rng():
    """A generator that starts alike in every test."""
    return np.random.default_rng(20240229)


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_interrupts():
    """Let tests that send SIGINT do so where a shell has started pytest in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def threads_end():
    """Ask whether there is no thread at work, Python's own or another, that the test has left
    behind.

    One that says it has ended is counted for some microseconds yet.
    """
    crew.dismiss()
    before = _thread._count()

    def ended():
        crew.dismiss()
        limit = time.monotonic() + 10
        while _thread._count() > before and time.monotonic() < limit:
            time.sleep(1e-4)
        return _thread._count() <= before

    return ended
