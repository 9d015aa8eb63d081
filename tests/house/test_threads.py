"""The limit on BLAS threads: overlapping, nested, failing, forked."""

import argparse
import math
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import threadpoolctl
from forked import needs_fork, run_forked

from fastmlp import Network, _limiter, threads
from fastmlp.solvers import minimize
from fastmlp.threads import WORTH, available_cpus, blas_threads, worth_of_blas

SECONDS = 60  # no step here takes one; the limit is there for a deadlock


def in_force():
    """Return the number of threads of each BLAS library in this process."""
    blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
    return [library.get_num_threads() for library in blas.lib_controllers]


@pytest.fixture(autouse=True)
def four_threads():
    """Start from four BLAS threads, whatever the machine has, and demand them back."""
    with threadpoolctl.threadpool_limits(4, user_api="blas"):
        before = in_force()
        assert before and set(before) <= {1, 4}  # a BLAS built without threads stays at 1
        if set(before) == {1}:
            pytest.skip("this BLAS has no threads")
        yield
        assert in_force() == before


def test_limit_and_restoration():
    before = in_force()
    with blas_threads(1):
        assert set(in_force()) == {1}
    assert in_force() == before


def test_none_leaves_blas_alone():
    before = in_force()
    with blas_threads(None):
        assert in_force() == before


def test_never_raised():
    before = in_force()
    with blas_threads(64):
        assert in_force() == before
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        with blas_threads(3):
            assert max(in_force()) == 2
        assert max(in_force()) == 2


def test_nested_strictest_wins():
    with blas_threads(2):
        assert max(in_force()) == 2
        with blas_threads(3):
            assert max(in_force()) == 2
        with blas_threads(1):
            assert max(in_force()) == 1
        assert max(in_force()) == 2


def test_exception_restores():
    before = in_force()
    with pytest.raises(KeyError), blas_threads(2), blas_threads(1):
        raise KeyError
    assert in_force() == before


@pytest.mark.parametrize("n", [0, -1])
def test_refuses_less_than_one(n):
    with pytest.raises(ValueError, match="at least 1"), blas_threads(n):
        pass


@pytest.mark.parametrize("first_out", ["first in", "second in"])
def test_overlap_in_two_threads(first_out):
    before = in_force()
    entered = {name: threading.Event() for name in "ab"}
    leave = {name: threading.Event() for name in "ab"}

    def fit(name, n):
        with blas_threads(n):
            entered[name].set()
            assert leave[name].wait(SECONDS)

    a, b = (threading.Thread(target=fit, args=args) for args in (("a", 1), ("b", 2)))
    a.start()
    assert entered["a"].wait(SECONDS)
    b.start()
    assert entered["b"].wait(SECONDS)
    assert max(in_force()) == 1
    if first_out == "first in":
        leave["a"].set()
        a.join(SECONDS)
        assert max(in_force()) == 2  # b's own limit, no longer a's
        leave["b"].set()
        b.join(SECONDS)
    else:
        leave["b"].set()
        b.join(SECONDS)
        assert max(in_force()) == 1
        leave["a"].set()
        a.join(SECONDS)
    assert in_force() == before


def test_many_threads_at_random():
    before = in_force()
    too_many = []

    def fit(seed):
        for n in np.random.default_rng(seed).integers(1, 4, size=20):
            with blas_threads(int(n)):
                if max(in_force()) > n:
                    too_many.append(n)

    threads = [threading.Thread(target=fit, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert not too_many
    assert in_force() == before


class FakeBlas:
    """A BLAS with one number of threads for the process, or with one for each thread."""

    def __init__(self, per_thread):
        self.internal_api = "openblas"
        self.threading_layer = "openmp" if per_thread else "pthreads"
        self.numbers = threading.local() if per_thread else argparse.Namespace()

    def get_num_threads(self):
        return getattr(self.numbers, "n", 8)

    def set_num_threads(self, n):
        self.numbers.n = n


@pytest.mark.parametrize("per_thread", [False, True])
def test_per_thread_limits_stay_in_their_thread(monkeypatch, per_thread):
    blas = FakeBlas(per_thread)
    limiter = _limiter.Limiter()
    monkeypatch.setattr(limiter, "_shared", [] if per_thread else [blas])
    monkeypatch.setattr(limiter, "_per_thread", [blas] if per_thread else [])
    assert _limiter._is_per_thread(blas) == per_thread
    seen = {}

    def other():
        with limiter.limit(2):
            seen["inside"] = blas.get_num_threads()
        seen["after"] = blas.get_num_threads()

    with limiter.limit(3):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(SECONDS)
        assert blas.get_num_threads() == 3
        with limiter.limit(5):
            assert blas.get_num_threads() == 3
    assert blas.get_num_threads() == 8
    assert seen == {"inside": 2, "after": 8 if per_thread else 3}


def multiply():
    """Use BLAS with as many threads as it may have."""
    a = np.ones((512, 512))
    assert (a @ a)[0, 0] == 512


def child_fit():
    before = in_force()
    with blas_threads(1):
        assert set(in_force()) == {1}
        multiply()
    multiply()
    assert in_force() == before


@needs_fork
class TestFork:
    def test_after_blas_was_used(self):
        multiply()
        run_forked(child_fit)
        multiply()

    def test_inside_a_block(self):
        before = in_force()

        def child():
            assert max(in_force()) == 2
            child_fit()

        with blas_threads(2):
            multiply()
            run_forked(child)
            assert max(in_force()) == 2
        assert in_force() == before

    def test_child_leaves_its_parents_block(self):
        before = in_force()
        read_end, write_end = os.pipe()
        with blas_threads(1):
            pid = os.fork()
        if pid == 0:  # in the child, out of the block
            os.write(write_end, b"restored" if in_force() == before else b"limited")
            os._exit(0)
        os.waitpid(pid, 0)
        assert os.read(read_end, 100) == b"restored"

    def test_while_other_threads_enter_and_leave(self):
        before = in_force()
        stop = threading.Event()

        def fits():
            while not stop.is_set():
                with blas_threads(1):
                    pass

        def child():  # the requests of the other threads died with them
            with blas_threads(3):
                assert max(in_force()) == 3
            assert in_force() == before

        threads = [threading.Thread(target=fits) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                run_forked(child)
        finally:
            stop.set()
            for thread in threads:
                thread.join(SECONDS)


def test_worth_of_blas(monkeypatch):
    monkeypatch.setattr(threads, "available_cpus", lambda: 4)
    assert worth_of_blas(0) == worth_of_blas(1e6) == 1
    assert worth_of_blas(WORTH["blas"].per_thread * 2) == 2
    assert worth_of_blas(math.inf) == 4
    monkeypatch.setattr(threads, "available_cpus", lambda: 1)
    assert worth_of_blas(1e15) == 1


def test_own_blocks_limit_blas_and_not_the_team(four_threads):
    assert threads.threads_in_force(8) == 4
    with blas_threads(1):
        assert in_force() == [1] * len(in_force())
        assert threads.threads_in_force(8) == 4
        with threadpoolctl.threadpool_limits(3, user_api="blas"):
            assert threads.threads_in_force(8) == 3
    assert threads.threads_in_force(8) == 4


class Seen:
    """A squared error in Python that notes how many threads BLAS has when it is asked."""

    def __init__(self):
        self.threads = set()

    def value_grad(self, raw, y):
        self.threads.update(in_force())
        return 0.5 * (raw[:, 0] - y) ** 2, raw - y[:, None]

    def hess(self, raw, y):
        return np.ones((len(raw), 1, 1))


@pytest.mark.parametrize("solver", ["lbfgs", "lm", "newton-cg"])
def test_a_run_of_small_calls_holds_blas_to_one_thread(four_threads, solver):
    """Also without an estimator; n_threads says otherwise."""
    X = np.linspace(-1, 1, 46).reshape(-1, 1)
    for n_threads, expected in ((None, 1), (3, 3)):
        loss = Seen()
        net = Network([1, 4, 1], "tanh", loss=loss)
        objective = net.objective(X, np.sin(3 * X[:, 0]), n_threads=n_threads)
        assert minimize(objective, net.init(0), solver=solver, max_iter=2).n_iter == 2
        assert loss.threads == {expected}
    assert set(in_force()) == {4}


def test_available_cpus(monkeypatch):
    assert 1 <= available_cpus() <= os.cpu_count()
    for quota in (1.9, 0.2):
        monkeypatch.setattr(threads, "_cgroup_quota", lambda quota=quota: quota)
        threads._quota_in.cache_clear()
        assert available_cpus() == 1
    threads._quota_in.cache_clear()


def test_the_quota_is_read_once_a_second(monkeypatch):
    read = []
    monkeypatch.setattr(threads, "_cgroup_quota", lambda: read.append(1) or 1.0)
    threads._quota_in.cache_clear()
    for now in (7.1, 7.2, 7.9, 8.0, 8.5):
        monkeypatch.setattr(threads, "time", SimpleNamespace(monotonic=lambda now=now: now))
        available_cpus()
    threads._quota_in.cache_clear()
    assert len(read) == 2


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        ("0::/", {}, math.inf),
        ("0::/job", {"job/cpu.max": "250000 100000"}, 2.5),
        ("0::/job/step", {"job/cpu.max": "100000 100000", "job/step/cpu.max": "max 100000"}, 1.0),
        ("0::/host/path", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/job", {"job/cpu.max": "max 100000"}, math.inf),
        (
            "4:memory:/m\n3:cpu,cpuacct:/job",
            {"cpu/job/cpu.cfs_quota_us": "300000", "cpu/job/cpu.cfs_period_us": "100000"},
            3.0,
        ),
        (
            "3:cpu:/",
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            math.inf,
        ),
    ],
)
def test_cgroup_quota(tmp_path, membership, files, quota):
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (tmp_path / "membership").write_text(membership + "\n")
    assert threads._cgroup_quota(tmp_path / "membership", tmp_path / "cgroup") == quota


def test_no_cgroup_at_all(tmp_path):
    assert threads._cgroup_quota(tmp_path / "none", tmp_path) == math.inf


def test_an_interrupt_waits_until_all_have_ended():
    together, ended = threading.Barrier(3), []

    def work(k):
        together.wait(SECONDS)
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.2)
        ended.append(k)

    with pytest.raises(KeyboardInterrupt):
        threads.in_threads(work, 3)
    assert len(ended) == 2


DAEMON = """
import atexit
import threading

atexit.register(lambda: print(len(limiter._requests)))  # the first to be registered comes last

import numpy as np
from fastmlp import Network
from fastmlp._limiter import limiter
from fastmlp.solvers import {solver}, minimize

X = np.random.default_rng(0).normal(size=(2000, 20))
net = Network([20, 40, 1])
objective, begun = net.objective(X, X[:, 0]), threading.Event()
options = dict(max_iter=10**6, tol=0, max_time=60, callback=lambda *_: begun.set())

def fit():
    minimize(objective, net.init(0), solver={solver}(), **options)

threading.Thread(target=fit, daemon=True).start()
begun.wait()
"""


@pytest.mark.parametrize("solver", ["LevenbergMarquardt", "Adam"])
def test_a_daemon_s_fit_ends_before_the_process_does(solver):
    """OpenBLAS, which is unloaded last, would wait for its own threads that work for it."""
    command = [sys.executable, "-P", "-c", DAEMON.format(solver=solver)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
