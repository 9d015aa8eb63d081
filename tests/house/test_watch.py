"""A team that gains nothing leaves the work to one thread; its results do not depend on that."""

import warnings

import numpy as np
import pytest

import fastmlp.threads
from fastmlp import MLPRegressor, Network
from fastmlp.plan import Plan
from fastmlp.solvers import Adam, minimize
from fastmlp.threads import LONE_TRIAL, LONG_PIECE, TRIAL, TRUST, Watch, Worth


def work(watch, team, lone, seconds):
    """Tell a watch of so many seconds of work; team and lone say how long a piece takes."""
    passed, by_team = 0.0, 0.0
    while passed < seconds:
        piece = lone if watch.alone else team
        by_team += 0.0 if watch.alone else piece
        passed += piece
        watch.note(1, piece, 2)
    return by_team / passed


class TestWatch:
    def test_a_team_that_gains_stays(self):
        watch = Watch()
        assert work(watch, team=1e-4, lone=1.9e-4, seconds=10) > 0.97
        assert not watch.dissolved

    @pytest.mark.parametrize("gain", [0.2, 0.5, 1.0, 1.05])
    def test_one_that_does_not_is_dissolved_soon(self, gain):
        watch = Watch()
        work(watch, team=1e-4 / gain, lone=1e-4, seconds=3 * (TRIAL + LONE_TRIAL))
        assert watch.dissolved and watch.alone and watch.seconds_left == np.inf
        watch.used = 1
        watch.note(1, 1.0, 2)
        assert watch.dissolved and watch.used == 1

    def test_one_disturbance_is_forgiven(self):
        watch = Watch()
        watch.note(10, TRIAL, 2)
        assert watch.alone
        watch.note(100, LONE_TRIAL, 2)
        assert not watch.dissolved and not watch.alone
        assert work(watch, team=1e-4, lone=1.9e-4, seconds=1) > 0.9
        assert not watch.dissolved

    def test_a_neighbour_who_comes_later(self):
        watch = Watch()
        work(watch, team=1e-4, lone=1.9e-4, seconds=3)
        work(watch, team=5e-4, lone=2e-4, seconds=4 * TRUST)
        assert watch.dissolved

    def test_long_pieces_are_not_tried_alone(self):
        watch = Watch()
        assert work(watch, team=2 * LONG_PIECE, lone=100.0, seconds=10) == 1


class Scripted(Watch):
    """A watch that dissolves the team after so many notes."""

    after = 0

    def __init__(self):
        super().__init__()
        self.notes = 0

    @property
    def seconds_left(self):
        return 1e-5  # many pieces in each epoch

    def note(self, pieces, seconds, n_threads):
        self.notes += 1
        self.alone = self.dissolved = self.notes > self.after


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_threads", [2, 3, 5])
def test_the_same_bits_whenever_a_team_dissolves(rng, dtype, n_threads):
    net = Network([6, 33, 17, 2], activation="tanh", dtype=dtype)
    X, y = rng.normal(size=(1003, 6)).astype(dtype), rng.normal(size=(1003, 2)).astype(dtype)
    w = rng.integers(0, 3, 1003).astype(dtype)
    ends, seen = [], set()
    for after in (0, 1, 4, 10**9):
        objective = net.objective(X, y, w, alpha=1e-3, plan=Plan(threads=n_threads))
        watch = Scripted()
        watch.after = after
        objective.term.threads.watches["epoch"] = watch
        solver = Adam(batch_size=100)
        run = minimize(objective, net.init(0), solver=solver, max_iter=4, tol=0, random_state=0)
        ends.append((run.theta, run.history["loss"]))
        seen.add(watch.dissolved)
    assert seen == {True, False} and watch.notes > 4
    for theta, losses in ends[1:]:
        assert np.array_equal(theta, ends[0][0]) and losses == ends[0][1]


@pytest.mark.parametrize("solver", ["lbfgs", "newton", "lm", "newton-cg"])
def test_the_same_bits_in_full_batch_sweeps(monkeypatch, rng, solver):
    net = Network([5, 8, 1], activation="tanh")
    X = rng.normal(size=(501, 5))
    ends = []
    for after in (0, 3, 10**9):
        objective = net.objective(X, np.sin(X[:, 0]), alpha=1e-3, plan=Plan(threads=3))
        monkeypatch.setattr(Scripted, "after", after)
        objective.term.threads.watches.default_factory = Scripted
        ends.append(minimize(objective, net.init(0), solver=solver, max_iter=8, tol=0).theta)
        assert objective.term.threads.watches
    assert np.array_equal(ends[0], ends[1]) and np.array_equal(ends[0], ends[2])


def test_small_epochs_are_for_one_thread_by_default(monkeypatch, rng):
    """An epoch of a few milliseconds: one thread, unless a number is given."""
    monkeypatch.setattr(fastmlp.threads, "available_cpus", lambda: 4)
    monkeypatch.setattr(fastmlp.threads, "threads_in_force", lambda n: n)
    net = Network([30, 100, 1])
    X, y = rng.normal(size=(569, 30)), rng.normal(size=569)
    objective = net.objective(X, y)
    assert objective.term._team_size(200, 569) == 1
    assert objective.term._team_size(200, 10**6) > 1
    objective.n_threads = 2
    assert objective.term._team_size(200, 569) == 2
    assert objective.term._team_size(2, 569) == 1


def test_the_number_of_threads_is_told(monkeypatch, rng):
    monkeypatch.setattr(fastmlp.threads, "threads_in_force", lambda n: n)
    monkeypatch.setitem(fastmlp.threads.WORTH, "batch", Worth(1.0))
    X = rng.normal(size=(300, 4))
    model = MLPRegressor(
        hidden_layer_sizes=(8,), batch_size=100, n_threads=3, max_iter=3, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, X[:, 0])
        assert model.timings_["threads"][0] == 3
        assert len(model.timings_["threads"]) == model.n_iter_
        assert set(model.set_params(n_threads=1).fit(X, X[:, 0]).timings_["threads"]) == {1}
