"""Who is trained on which rows, and the members of an estimator that this makes."""

from __future__ import annotations

import time
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, StratifiedShuffleSplit

from fastmlp.solvers import STOP, Status
from fastmlp.threads import available_cpus, blas_threads, each_once, threads_in_force

# Below so many rows everything is judged by five folds, from there on by one split.
ONE_SPLIT_FROM = 20_000
N_FOLDS = 5
HELD_OUT = 0.1
SEEDS = np.iinfo(np.int32).max


class Folds(NamedTuple):
    """Who is trained on which rows."""

    splits: list[tuple[np.ndarray, np.ndarray]]  # trained on, judged by
    judged: np.ndarray  # all rows that are judged by, fold by fold

    @classmethod
    def of(cls, splits) -> Folds:
        """From pairs of rows trained on and judged by."""
        splits = [(np.asarray(trained), np.asarray(judged)) for trained, judged in splits]
        return cls(splits, np.concatenate([judged for _, judged in splits]))


def split(targets, cv, rng):
    """Folds of rows: classes, where targets have one dimension, in equal shares.

    Parameters
    ----------
    targets : ndarray of shape (n,) or (n, n_outputs)
        Codes of classes, or numbers.
    cv : int, iterable of (trained on, judged by), or None
        See :class:`fastmlp.tabular.Race`.
    rng : RandomState

    Returns
    -------
    Folds
    """
    n = len(targets)
    if np.iterable(cv):
        return Folds.of(cv)
    cv = cv or (N_FOLDS if n < ONE_SPLIT_FROM else 1)
    if n < max(cv, 2):
        raise ValueError(f"cv={cv} needs {max(cv, 2)} rows at least; X has n_samples={n}.")
    seed = rng.randint(SEEDS)
    counts = np.zeros(1) if targets.ndim > 1 else np.bincount(targets)
    if cv == 1:
        stratified = counts.min() > 1 and HELD_OUT * n >= len(counts)
        splitter = StratifiedShuffleSplit if stratified else ShuffleSplit
        splitter = splitter(1, test_size=HELD_OUT, random_state=seed)
    elif counts.min() > 0 and counts.max() >= cv:
        splitter = StratifiedKFold(cv, shuffle=True, random_state=seed)
    else:
        splitter = KFold(cv, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer rows than folds
        return Folds.of(splitter.split(np.zeros(n), None if targets.ndim > 1 else targets))


def fit_folds(
    estimator, X, y, splits, answer, seeds, sample_weight=None,
    until=np.inf, n_threads=None, needed=False,
):  # fmt: skip
    """An estimator's members, one trained for each split, several at a time.

    Parameters
    ----------
    estimator : estimator
        Is cloned. Its parameters ``max_time``, ``n_threads``, ``random_state`` and ``callback``
        are set where it has them, also inside of others.
    X, y : ndarray or CSR matrix, ndarray
    splits : list of (ndarray, ndarray)
        Rows trained on, and judged by.
    answer : callable
        ``answer(member, X) -> ndarray``.
    seeds : sequence of int
        Of each member.
    sample_weight : ndarray, optional
    until : float
        When the last one has to be ready, by ``time.perf_counter``.
    n_threads : int, optional
        Threads, at most.
    needed : bool
        Whether members are fitted even where there is no time.

    Returns
    -------
    (list of estimator, list of ndarray) or None
        Members, and the answer of each to the rows that it is judged by; None where time did not
        suffice for all.

    Raises
    ------
    KeyboardInterrupt
        Also where a network answered Ctrl-C by ending with what it had.
    """
    members: list = [None] * len(splits)
    answers: list = [None] * len(splits)
    n_workers = min(len(splits), n_threads or threads_in_force(available_cpus()))
    stopped: list = []

    def watch(iteration, record):
        return STOP if stopped else None

    def one(fold):
        rounds = -(-(len(splits) - fold) // n_workers)  # that are to come, this one included
        seconds = (until - time.perf_counter()) / rounds
        if seconds <= 0 and not needed:
            stopped.append("time")
            return
        trained, judged = splits[fold]
        member = clone(estimator)
        if is_classifier(estimator) and len(np.unique(y[trained])) == 1:
            member = DummyClassifier()  # others refuse a single class
        _set(member, "random_state", int(seeds[fold]))
        _set(member, "n_threads", 1 if n_workers > 1 else n_threads)
        _set(member, "callback", watch)
        _set(member, "max_time", None if seconds == np.inf else max(seconds, 1e-3))
        weights = {} if sample_weight is None else {"sample_weight": sample_weight[trained]}
        member.fit(X[trained], y[trained], **weights)
        _set(member, "callback", None)
        for each in _layers(member):
            if hasattr(each, "callback"):
                each.callback = None
        if str(getattr(each, "status_", "")).startswith(Status.INTERRUPTED.value[:-1]):
            raise KeyboardInterrupt
        members[fold], answers[fold] = member, answer(member, X[judged])

    with warnings.catch_warnings(), blas_threads(1 if n_workers > 1 else n_threads):
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", Status.INTERRUPTED.value[:-1])  # the caller hears of it
        each_once(one, range(len(splits)), n_workers, stopped)
    return None if any(member is None for member in members) else (members, answers)


def settings(estimator, name):
    """The names of all parameters of an estimator, also inside of others, that end in ``name``."""
    return [key for key in estimator.get_params() if key.rpartition("__")[2] == name]


def _set(estimator, name, value):
    estimator.set_params(**dict.fromkeys(settings(estimator, name), value))


def _layers(member):
    """A fitted estimator and what it holds: the network of a pipeline, the fitted regressor."""
    while member is not None:
        yield member
        inner = getattr(member, "regressor_", None)
        member = member[-1] if hasattr(member, "steps") else inner
