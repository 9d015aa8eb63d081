"""Threads that end before their caller goes on: with signals, or without a thread to be had."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings

import numpy as np
import pytest

from fastmlp import MLPRegressor, Network, _limiter, threads
from fastmlp._core import crew
from fastmlp.plan import Plan
from fastmlp.solvers import minimize

SECONDS = 60

interrupts = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="no interval timers on this system"
)


class InterruptedError(Exception):
    """What the handler of these tests raises: none is lost among others."""


@pytest.fixture
def no_threads(monkeypatch):
    """A machine that gives no further thread."""

    def refuse(function, arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(crew, "start_new_thread", refuse)


@pytest.fixture
def storm():
    """Signals at short, changing intervals, whose handler raises; yields the switch."""

    def raise_(signum, frame):
        raise InterruptedError

    before = signal.signal(signal.SIGALRM, raise_)
    try:
        yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class TestFinish:
    def test_begun_again_until_it_is_done(self):
        calls = []

        def step():
            calls.append(1)
            if len(calls) < 4:
                raise KeyboardInterrupt(len(calls))

        with pytest.raises(KeyboardInterrupt, match="1"):
            crew.finish(step)
        assert len(calls) == 4

    def test_a_fault_of_its_own_comes_to_an_end(self):
        with pytest.raises(ZeroDivisionError):
            crew.finish(lambda: 1 / 0)

    def test_leave_is_called_where_enter_was_broken_off(self):
        seen = []

        def enter():
            seen.append("enter")
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), crew.Bracket(enter, lambda: seen.append("leave")):
            seen.append("block")
        assert seen == ["enter", "leave"]

    def test_undone_only_after_an_error(self):
        undone = []
        with crew.Attempt(lambda: undone.append(1)):
            pass
        assert not undone
        with pytest.raises(KeyError), crew.Attempt(lambda: undone.append(1)):
            raise KeyError
        assert undone == [1]


class TestTheLimitOnBlas:
    """Whatever is raised at whatever point of its clean-up, the limit ends with its block."""

    @pytest.mark.parametrize("nth", range(6))
    def test_interrupted_at_any_call(self, monkeypatch, nth):
        limiter = _limiter.limiter
        with threads.blas_threads(1):
            pass  # finds the libraries
        before = [library.get_num_threads() for library in limiter._shared]
        real, calls, armed = _limiter._set_threads, [], []

        def break_off(library, n):
            if armed:
                calls.append(1)
                if len(calls) == nth + 1:
                    raise KeyboardInterrupt
            real(library, n)
            if armed and len(calls) == nth:
                calls.append(0)
                raise KeyboardInterrupt

        monkeypatch.setattr(_limiter, "_set_threads", break_off)
        with pytest.raises(KeyboardInterrupt):
            with threads.blas_threads(1):
                armed.append(True)
            raise KeyboardInterrupt  # where it was not called so often
        monkeypatch.undo()
        assert [library.get_num_threads() for library in limiter._shared] == before
        assert not limiter._requests and limiter._originals is None

    @interrupts
    def test_a_storm_of_signals(self, storm):
        limiter = _limiter.limiter
        with threads.blas_threads(1):
            pass
        before = [library.get_num_threads() for library in limiter._shared]
        rng = np.random.default_rng(0)
        caught, end = 0, time.monotonic() + 2
        while time.monotonic() < end:
            try:
                try:
                    storm(rng.uniform(1e-6, 2e-4))
                    while True:
                        with threads.blas_threads(1):
                            pass
                finally:
                    storm(0)
            except InterruptedError:
                caught += 1
            assert not limiter._requests and limiter._originals is None
        assert [library.get_num_threads() for library in limiter._shared] == before
        assert caught > 20


class TestGather:
    @interrupts
    def test_no_thread_outlives_it_in_a_storm_of_signals(self, storm):
        """The handler breaks in between any two lines; every assistant has ended by then."""
        rng = np.random.default_rng(1)
        at_work, lock = [0], threading.Lock()

        def assist(t):
            with lock:
                at_work[0] += 1
            time.sleep(1e-4)
            with lock:
                at_work[0] -= 1

        def lead():
            for _ in range(100):
                pass

        caught, end = 0, time.monotonic() + 2
        while time.monotonic() < end:
            try:
                try:
                    storm(rng.uniform(1e-6, 5e-4))
                    while True:
                        crew.gather(lead, assist, 3)
                finally:
                    storm(0)
            except InterruptedError:
                caught += 1
            assert at_work == [0]
        assert caught > 20

    def test_an_error_of_an_assistant_stops_the_leader(self):
        stopped = threading.Event()

        def assist(t):
            raise KeyError("assistant")

        with pytest.raises(KeyError, match="assistant"):
            crew.gather(lambda: stopped.wait(SECONDS), assist, 2, stopped.set)
        assert stopped.is_set()

    def test_the_first_error_is_raised(self):
        stopped = threading.Event()

        def assist(t):
            stopped.wait(SECONDS)
            raise KeyError

        def lead():
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            crew.gather(lead, assist, 2, stopped.set)

    def test_each_item_once(self):
        seen = []
        threads.each_once(seen.append, iter(range(1000)), 4)
        assert sorted(seen) == list(range(1000))

    def test_nothing_is_drawn_after_an_error(self):
        drawn = []

        def items():
            for k in range(10**6):
                drawn.append(k)
                yield k

        def work(k):
            if k == 3:
                raise KeyError

        with pytest.raises(KeyError):
            threads.each_once(work, items(), 2)
        assert len(drawn) < 10**6


class TestNoThreadToBeHad:
    """What threads would do is done by those that there are, in the end by one."""

    @pytest.mark.parametrize("solver", ["adam", "lbfgs", "lm", "newton", "newton-cg"])
    def test_solvers(self, no_threads, rng, solver):
        net = Network([4, 6, 1], activation="tanh")
        X = rng.normal(size=(300, 4))
        objective = net.objective(X, np.sin(X[:, 0]), alpha=1e-3, plan=Plan(threads=3))
        theta = minimize(objective, net.init(0), solver=solver, max_iter=5, random_state=0).theta
        assert np.isfinite(theta).all()

    def test_predictions_and_starts(self, no_threads, rng):
        X = rng.normal(size=(20_000, 4))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = MLPRegressor(
                hidden_layer_sizes=(8,), n_starts=3, n_threads=3, max_iter=2, random_state=0
            ).fit(X[:100], X[:100, 0])
        assert len(model.starts_) == 3
        predictor = model.compile()
        assert np.array_equal(predictor.outputs(X, n_threads=2), predictor.outputs(X))


def test_work_after_the_main_thread_has_ended():
    """Schedulers and consumers start a thread and leave the main one."""
    script = textwrap.dedent("""
        import os, threading, time, warnings
        import numpy as np
        from fastmlp import MLPRegressor
        warnings.simplefilter("ignore")
        X = np.random.RandomState(0).standard_normal((20_000, 20))
        model = MLPRegressor(
            hidden_layer_sizes=(64, 64), max_iter=1, random_state=0, n_threads=2
        )
        model.fit(X[:200], X[:200, 0])

        def serve():
            threading.main_thread().join()
            model.predict(X)
            model.compile().outputs(X, n_threads=2)
            several = MLPRegressor(hidden_layer_sizes=(3,), max_iter=1, n_starts=3, n_threads=2)
            several.fit(X[:50], X[:50, 0])
            print("served", flush=True)
            os._exit(0)

        threading.Thread(target=serve).start()
    """)
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2"},
    )
    assert done.stdout.strip() == "served", done.stderr
