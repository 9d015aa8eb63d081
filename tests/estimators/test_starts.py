"""Several starts are one fit: what ends one of them ends them all."""

import signal
import threading
import time
import warnings

import numpy as np
import pytest

import fastmlp
from fastmlp import MLPRegressor, Network
from fastmlp.solvers import Status

FOR_EVER = {"max_iter": 10**8, "tol": 0.0, "n_iter_no_change": np.inf}


@pytest.fixture
def data(rng):
    X = rng.normal(size=(200, 3))
    return X, np.sin(X[:, 0])


def fit(data, **options):
    options = {"hidden_layer_sizes": (4,), "random_state": 0, "n_starts": 3} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MLPRegressor(**options).fit(*data)


@pytest.mark.parametrize("n_starts", [2**31, 10**400])
def test_a_number_beyond_all_counting_is_refused(data, n_starts):
    with pytest.raises(ValueError, match=r"n_starts=.* must be an integer from 1 to 2147483647"):
        fit(data, n_starts=n_starts, max_time=1e-9, max_iter=1)


def scorer(model, X, y):
    return 0.0


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("options", [{}, {"scoring": scorer, "early_stopping": True}])
def test_the_time_is_that_of_all_starts(data, n_threads, options):
    """Ten million starts: as many as there is time for, each drawn when its turn comes."""
    start = time.perf_counter()
    model = fit(data, n_starts=10**7, max_time=0.3, n_threads=n_threads, **(FOR_EVER | options))
    assert time.perf_counter() - start < 30  # of one start after the other it would be a month
    assert 1 <= len(model.starts_) <= n_threads
    assert all("stopped after max_time=0" in start["status"] for start in model.starts_)


def test_short_starts_share_the_time(data):
    model = fit(data, n_starts=10**7, max_time=0.3, max_iter=1)
    assert 2 < len(model.starts_) < 10**6
    few = fit(data, n_starts=2, max_iter=1)
    for start, again in zip(few.starts_, model.starts_, strict=False):
        assert np.array_equal(start["theta"], again["theta"])


def test_starts_are_drawn_when_their_turn_comes(data, monkeypatch):
    drawn = []
    init = Network.init

    def counted(self, *args, **options):
        drawn.append(1)
        return init(self, *args, **options)

    monkeypatch.setattr(Network, "init", counted)
    fit(data, n_starts=10**7, max_time=1e-9, n_threads=2)
    assert len(drawn) <= 3


def test_a_callback_that_stops_one_stops_all(data):
    seen = []

    def callback(epoch, record):
        seen.append(epoch)
        return fastmlp.STOP if epoch == 5 else None

    model = fit(data, callback=callback, n_threads=2, n_starts=10**7, **FOR_EVER)
    assert len(model.starts_) <= 2
    assert {start["status"] for start in model.starts_} == {Status.CALLBACK.value}


@pytest.mark.parametrize("where", ["callback", "scoring"])
def test_an_error_in_one_ends_all(data, where, threads_end):
    calls = []

    def fail(*arguments):
        calls.append(1)
        if len(calls) == 20:
            raise ZeroDivisionError
        return None if where == "callback" else 0.0

    options = {where: fail, "early_stopping": where == "scoring"}
    with pytest.raises(ZeroDivisionError):
        fit(data, n_starts=10**7, n_threads=2, **options, **FOR_EVER)
    assert threads_end()


def test_an_interrupt_ends_all_and_keeps_what_there_is(data):
    def callback(epoch, record):
        if epoch == 5 and threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)

    model = fit(data, callback=callback, n_starts=10**7, n_threads=2, **FOR_EVER)
    assert Status.INTERRUPTED.value[:-1] in model.status_
    assert all(Status.INTERRUPTED.value[:-1] in start["status"] for start in model.starts_)
    assert np.isfinite(model.predict(data[0])).all()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers on this system")
@pytest.mark.parametrize("options", [{"n_starts": 3}, {"early_stopping": True, "n_starts": 1}])
def test_interrupted_at_any_moment(data, options, threads_end):
    """From the first microsecond on: the fit ends, with its threads, and is whole or not there."""
    rng = np.random.default_rng(0)
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    keywords = {"hidden_layer_sizes": (4,), "random_state": 0, "n_threads": 2} | FOR_EVER | options
    fitted = 0
    try:
        for _ in range(150):
            model = MLPRegressor(**keywords)
            try:
                signal.setitimer(signal.ITIMER_REAL, float(rng.uniform(1e-5, 1e-2)))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model.fit(*data)
                    fitted += 1
            except KeyboardInterrupt:
                pass
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert threads_end()
            if hasattr(model, "coefs_"):
                lengths = {len(column) for column in model.history_.values()}
                assert lengths == {model.n_iter_} == {len(model.loss_curve_)}
                assert Status.INTERRUPTED.value[:-1] in model.status_
            else:
                assert set(vars(model)) == set(MLPRegressor().get_params())
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert fitted > 10


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "lm"])
@pytest.mark.parametrize("when", [1, 3])
def test_interrupted_in_a_validation(data, solver, when):
    calls = []

    def score(model, X, y):
        calls.append(1)
        if len(calls) == when:
            raise KeyboardInterrupt
        return 0.0

    X, y = data
    model = MLPRegressor(
        hidden_layer_sizes=(4,), solver=solver, scoring=score, random_state=0, max_iter=9
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y, X_val=X[:20], y_val=y[:20])
    except KeyboardInterrupt:
        assert when == 1 and not hasattr(model, "coefs_")
    else:
        assert Status.INTERRUPTED.value[:-1] in model.status_
        assert {len(column) for column in model.history_.values()} == {when - 1} == {model.n_iter_}
