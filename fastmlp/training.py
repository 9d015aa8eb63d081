"""One fit: network x data x solver -> theta, status, history. No scikit-learn here."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fastmlp._core.team import LARGEST_TEAM
from fastmlp.solvers import STOP, Record, Result, Status, minimize
from fastmlp.solvers._base import Solver
from fastmlp.solvers._fixed_points import best_run
from fastmlp.solvers._progress import Progress
from fastmlp.threads import WORTH, Threads, blas_threads, each_once, worth_of_blas


def train(
    network,
    X,
    y,
    *,
    solver: Solver,
    theta0: np.ndarray,
    sample_weight: np.ndarray | None = None,
    alpha: float = 0.0,
    rows: np.ndarray | None = None,
    scales: tuple[np.ndarray, np.ndarray] | None = None,
    validation: tuple | None = None,
    score: Callable[[np.ndarray, Any], float] | None = None,
    callback: Callable[[int, Record], Any] | None = None,
    one_epoch: bool = False,
    state: Any = None,
    n_threads: int | None = None,
    judge: Callable[[Result], Result] | None = None,
    **limits: Any,
) -> Result:
    """Train a network.

    Parameters
    ----------
    network : Network
        What to train.
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Samples.
    y : ndarray
        Targets as the network takes them.
    solver : Solver
        How to train it.
    theta0 : ndarray of shape (n_params,)
        Where to start; not modified.
    sample_weight : ndarray of shape (n_samples,), optional
        Weights of the samples.
    alpha : float
        L2 strength; divided by the sum of the weights, of each batch or of all samples.
    rows : ndarray of int, optional
        The rows of X that are trained on; all of them by default. X is not copied.
    scales : tuple (mean, scale), optional
        The network sees (X - mean) / scale, here and in the validation data.
    validation : tuple (X, y, sample_weight, rows), optional
        Data that the best parameters are chosen by, and the rows of it that count (None: all).
    score : callable, optional
        ``score(theta, objective)``, objective being that of the validation data; to be maximised
        over the iterations. By default minus the (unpenalised) validation loss.
    callback : callable, optional
        ``callback(iteration, record)``; see :func:`fastmlp.solvers.minimize`.
    one_epoch : bool
        End after one iteration, whatever the limits say.
    state : object, optional
        ``Result.state`` of the run to be continued.
    n_threads : int, optional
        Threads for BLAS, and the most that epochs and sweeps use; by default as many as the work
        is worth.
    judge : callable, optional
        ``judge(result)`` returns the result with what else there is to say about it.
    **limits
        ``max_iter``, ``tol``, ``n_iter_no_change``, ``max_fun``, ``max_time``, ``verbose`` and
        ``random_state`` of :func:`fastmlp.solvers.minimize`.

    Returns
    -------
    Result
        Its history has a column ``threads``: the most that worked at an iteration.
    """
    objective = network.objective(
        X,
        y,
        sample_weight=sample_weight,
        alpha=alpha,
        rows=rows,
        scales=scales,
        n_threads=n_threads,
    )
    threads: list[int] = []

    def noting(iteration, record):
        threads.append(objective.threads_used())
        answer = None if callback is None else callback(iteration, record)
        return STOP if one_epoch else answer

    result = minimize(
        objective,
        theta0,
        solver=solver,
        callback=noting,
        validation=validation and _validator(network, validation, scales, score, n_threads),
        state=state,
        **limits,
    )
    # The last iteration of an interrupted run, or a run of the solver's own, may not be reported.
    n_iter = len(result.history["loss"])
    threads += (threads[-1:] or [1]) * (n_iter - len(threads))
    result.history["threads"] = threads[:n_iter]
    if one_epoch and result.status not in (Status.DIVERGED, Status.INTERRUPTED):
        result = dataclasses.replace(result, status=Status.ONE_EPOCH)
    if judge is not None:
        result = judge(result)
    if isinstance(limits.get("verbose"), Progress):
        limits["verbose"].close(result.message)
    return result


def train_starts(
    network,
    X,
    y,
    *,
    starts: Iterable[tuple[np.ndarray, np.random.RandomState]],
    n_starts: int,
    max_time: float = np.inf,
    callback: Callable[[int, Record], Any] | None = None,
    in_turn: bool = False,
    n_threads: int | None = None,
    **fit: Any,
) -> tuple[int, list[Result]]:
    """Train a network from several initial points, in parallel, and say which end is the best.

    What ends one start ends all of them with the iteration at hand, and no other is begun: the
    time, the callback, Ctrl-C, an error.

    Parameters
    ----------
    network, X, y, callback, n_threads, **fit
        As for :func:`train`; the callback is called from several threads.
    starts : iterable of (ndarray of shape (n_params,), RandomState)
        Initial points and what is random after them, drawn one by one as they are needed.
    n_starts : int
        How many ``starts`` has.
    max_time : float
        Seconds for all of them together.
    in_turn : bool
        One start after the other: where a score cannot be asked for by several threads at once.

    Returns
    -------
    best : int
        The start with the highest validation score; without validation, with the highest evidence
        where the solver estimates it; else with the lowest loss.
    results : list of Result
        Of every start that was begun. After Ctrl-C all of them have the status INTERRUPTED.
    """
    begin = time.perf_counter()
    results: dict[int, Result] = {}
    stopped: list[Any] = []
    n_workers = 1 if in_turn else min(n_starts, n_threads or Threads().allowed(), LARGEST_TEAM)

    def in_time():
        for start in enumerate(starts):
            if start[0] > 0 and time.perf_counter() - begin >= max_time:
                return
            yield start

    def stop(iteration, record):
        if stopped:
            return STOP
        return None if callback is None else callback(iteration, record)

    verbose = fit.pop("verbose", False)

    def one(start):
        k, (theta, random_state) = start
        result = train(
            network,
            X,
            y,
            theta0=theta,
            random_state=random_state,
            callback=stop,
            max_time=max(0.0, max_time - (time.perf_counter() - begin)),
            n_threads=n_threads if n_workers == 1 else 1,
            verbose=verbose.of_start(k + 1) if isinstance(verbose, Progress) else verbose,
            **fit,
        )
        if result.status is Status.INTERRUPTED and np.array_equal(result.theta, theta):
            raise KeyboardInterrupt  # there is nothing to keep
        results[k] = result
        if result.status in (Status.CALLBACK, Status.INTERRUPTED):
            stopped.append(result.status)

    try:
        # One limit for all of them: no start has to change it.
        with blas_threads(None if n_workers == 1 else 1):
            each_once(one, in_time(), n_workers, stopped)
    except KeyboardInterrupt:
        if not results:
            raise
        stopped.append(Status.INTERRUPTED)
    ends = [results[k] for k in sorted(results)]
    if Status.INTERRUPTED in stopped:
        ends = [dataclasses.replace(end, status=Status.INTERRUPTED) for end in ends]
    return best_run(ends), ends


def predict(network, theta, X, scales=None, n_threads: int | None = None) -> np.ndarray:
    """Outputs of the network, (n_samples, n_raw), with as many threads as the work is worth."""
    flops = 2.0 * X.shape[0] * network.n_params
    if n_threads is None and flops < WORTH["blas"].per_thread:
        return network.predict(theta, X, scales)
    with blas_threads(n_threads or worth_of_blas(flops)):
        return network.predict(theta, X, scales)


def _validator(network, validation, scales, score, n_threads):
    """The (score, loss) of theta on validation data; the score is maximised."""
    X, y, sample_weight, rows = validation
    try:
        objective = network.objective(
            X, y, sample_weight=sample_weight, rows=rows, scales=scales, n_threads=n_threads
        )
    except ValueError as error:
        raise ValueError(f"Validation data: {error}") from error

    def validate(theta):
        loss = float(objective.value(theta))
        return (-loss if score is None else float(score(theta, objective))), loss

    return validate
