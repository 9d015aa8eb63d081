"""Fixtures that all tests share."""

import signal

import numpy as np
import pytest


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
