"""Threads that end before their caller goes on: with signals, or without a thread to be had."""

import _thread
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from forked import needs_fork, run_forked

from fastmlp import MLPRegressor, Network, _limiter, threads
from fastmlp._core import crew
from fastmlp.plan import Plan
from fastmlp.solvers import Adam, minimize

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

    crew.dismiss()
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

    def test_one_that_has_not_begun_is_not_waited_for(self, monkeypatch):
        crew.dismiss()
        held_back, seen = [], []
        monkeypatch.setattr(crew, "start_new_thread", lambda *call: held_back.append(call))
        crew.gather(lambda: seen.append("lead"), seen.append, 1)
        assert seen == ["lead"]
        monkeypatch.undo()
        _thread.start_new_thread(*held_back[0])
        begun = threading.Event()
        crew.gather(lambda: begun.wait(SECONDS), lambda t: begun.set(), 1)
        assert begun.is_set()

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


def fitted(threads=2, seed=0):
    """theta after some epochs in shares."""
    net = Network([4, 6, 1], activation="tanh")
    X = np.random.default_rng(0).normal(size=(300, 4))
    objective = net.objective(X, np.sin(X[:, 0]), plan=Plan(threads=threads))
    adam = Adam(batch_size=100)
    return minimize(objective, net.init(seed), solver=adam, max_iter=30, random_state=seed).theta


class TestWaiting:
    """Threads wait for the next call, and are in nobody's way."""

    @pytest.fixture
    def started(self, monkeypatch):
        """The threads that were started, none of which waits at first."""
        crew.dismiss()
        started = []

        def start(function, arguments):
            started.append(function)
            return _thread.start_new_thread(function, arguments)

        monkeypatch.setattr(crew, "start_new_thread", start)
        return started

    def test_a_fit_starts_each_thread_once(self, started):
        fitted(threads=3)
        assert len(started) == 2
        fitted(threads=3)
        threads.each_once(abs, range(100), 3)
        assert len(started) == 2

    def test_each_caller_has_its_own(self, started):
        together = threading.Barrier(6)

        def call(_):
            crew.gather(lambda: together.wait(SECONDS), lambda t: together.wait(SECONDS), 1)

        for _ in range(2):
            with ThreadPoolExecutor(3) as pool:
                list(pool.map(call, range(3)))
        assert len(started) == 3

    def test_fits_side_by_side_come_out_as_alone(self):
        alone = [fitted(seed=seed) for seed in range(4)]
        with ThreadPoolExecutor(4) as pool:
            for theta, expected in zip(
                pool.map(lambda seed: fitted(seed=seed), range(4)), alone, strict=True
            ):
                assert np.array_equal(theta, expected)

    @needs_fork
    def test_none_is_there_when_the_process_forks(self, started):
        expected = fitted()
        before = len(started)
        assert before == 1

        def child():
            assert np.array_equal(fitted(), expected)
            assert len(started) == before + 1

        run_forked(child)
        assert np.array_equal(fitted(), expected)
        assert len(started) == before + 1

    @needs_fork
    def test_a_fork_while_others_work(self):
        expected, stop = fitted(), threading.Event()

        def fits():
            while not stop.is_set():
                fitted()

        others = [threading.Thread(target=fits) for _ in range(2)]
        for thread in others:
            thread.start()
        try:
            for _ in range(5):
                run_forked(lambda: np.testing.assert_array_equal(fitted(), expected))
        finally:
            stop.set()
            for thread in others:
                thread.join(SECONDS)

    def test_the_interpreter_ends_while_some_wait(self):
        script = textwrap.dedent("""
            import numpy as np
            from fastmlp import Network
            from fastmlp.plan import Plan
            from fastmlp.solvers import Adam, minimize
            net = Network([4, 6, 1])
            X = np.random.default_rng(0).normal(size=(300, 4))
            objective = net.objective(X, X[:, 0], plan=Plan(threads=3))
            solver = Adam(batch_size=100)
            minimize(objective, net.init(0), solver=solver, max_iter=10, random_state=0)
            print("done", flush=True)
        """)
        done = subprocess.run(
            [sys.executable, "-P", "-c", script],
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert (done.stdout.strip(), done.returncode) == ("done", 0), done.stderr


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
