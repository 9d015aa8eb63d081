"""Who is trained on which rows, and the members of an estimator that this makes."""

from __future__ import annotations

import time
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.utils.validation import has_fit_parameter

from fastmlp._memory import GIB, SMALL, available_memory
from fastmlp.solvers import STOP, Status
from fastmlp.tabular._read import is_missing
from fastmlp.threads import available_cpus, blas_threads, each_once, threads_in_force

# Below so many rows everything is judged by five folds, from there on by one split.
ONE_SPLIT_FROM = 20_000
N_FOLDS = 5
HELD_OUT = 0.1
SEEDS = np.iinfo(np.int32).max
MANY = 1 << 16  # copies of what is small
# What may be late is tried on one of so many rows first, on so many rows and entries at least.
TRIED, FEWEST_ROWS, FEWEST_ENTRIES = 20, 50, 5000
FEWEST_FOR_ITERATION = 2000  # rows, on which an iteration takes more than what comes before it


class Folds(NamedTuple):
    """Who is trained on which rows."""

    splits: list[tuple[np.ndarray, np.ndarray]]  # trained on, judged by
    judged: np.ndarray  # all rows that are judged by, fold by fold

    @classmethod
    def of(cls, splits) -> Folds:
        """From pairs of rows trained on and judged by."""
        splits = [(np.asarray(trained), np.asarray(judged)) for trained, judged in splits]
        return cls(splits, np.concatenate([judged for _, judged in splits]))


def split(targets, cv, rng, groups=None):
    """Folds of rows: classes, where targets have one dimension, in equal shares.

    Parameters
    ----------
    targets : ndarray of shape (n,) or (n, n_outputs)
        Codes of classes, or numbers.
    cv : int, iterable of (trained on, judged by), or None
        See :class:`fastmlp.tabular.Race`.
    rng : RandomState
    groups : ndarray of shape (n,), optional
        Rows of one group stay together.

    Returns
    -------
    Folds
    """
    n = len(targets)
    if np.iterable(cv):
        return Folds.of(cv)
    cv = cv or (N_FOLDS if n < ONE_SPLIT_FROM else 1)
    units, name = (n, "rows") if groups is None else (len(np.unique(groups)), "groups")
    if units < max(cv, 2):
        given = f"n_samples={n}" if groups is None else f"{units} {name}"
        raise ValueError(f"cv={cv} needs {max(cv, 2)} {name} at least; X has {given}.")
    classifies = targets.ndim == 1
    counts = np.bincount(targets) if classifies else np.zeros(1)
    drawn = {"random_state": rng.randint(SEEDS)}
    if cv == 1:
        stratified = counts.min() > 1 and HELD_OUT * n >= len(counts)
        kind = StratifiedShuffleSplit if stratified else ShuffleSplit
        kind = kind if groups is None else GroupShuffleSplit
        splitter = kind(1, test_size=HELD_OUT, **drawn)
    else:
        stratified = counts.min() > 0 and counts.max() >= cv
        if groups is None:
            kind = StratifiedKFold if stratified else KFold
        else:
            kind = StratifiedGroupKFold if stratified else GroupKFold
        splitter = kind(cv, shuffle=True, **drawn)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer rows than folds
        return Folds.of(splitter.split(np.zeros(n), targets if classifies else None, groups))


def check_groups(groups, n_samples):
    """A label for each row, or None."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n_samples,):
        raise ValueError(f"groups.shape == {groups.shape}, expected {(n_samples,)}!")
    if any(map(is_missing, groups.tolist())):
        raise ValueError("groups contains missing labels: each row belongs to a group.")
    try:
        np.unique(groups)
    except TypeError as problem:
        raise TypeError(
            f"groups has labels of types that have no common order: {problem}."
        ) from None
    return groups


def fit_folds(
    estimator, X, y, splits, answer, seeds, sample_weight=None,
    until=np.inf, n_threads=None, needed=False, check=None, scales=None,
):  # fmt: skip
    """An estimator's members, one trained for each split, several at a time.

    Parameters
    ----------
    estimator : estimator
        Is cloned. Its parameters ``max_time``, ``n_threads``, ``random_state`` and ``callback``
        are set where it has them, also inside of others. Of one without ``max_time`` no fold begins
        for which the time of the longest before is not left, or, of the first, what a fit to some
        of its rows foretells. Of others none begins where time does not suffice for one iteration
        of each, as far as one on a twentieth of the rows foretells.
    X, y : ndarray or CSR matrix, ndarray
    splits : list of (ndarray, ndarray)
        Rows trained on, and judged by.
    answer : callable
        ``answer(member, X) -> ndarray``.
    seeds : sequence of int
        Of each member.
    sample_weight : ndarray, optional
        For estimators that take them.
    until : float
        When the last one has to be ready, by ``time.perf_counter``.
    n_threads : int, optional
        Threads, at most.
    needed : bool
        Whether members are fitted even where there is no time.
    check : callable, optional
        ``check(fold, answer)`` after each fold; what it raises ends the others, too.
    scales : list, optional
        For each fold the value of the estimator's parameters ``scale``.

    Returns
    -------
    (list of estimator, list of ndarray) or None
        Members, and the answer of each to the rows that it is judged by; None where time did not
        suffice for all.

    Raises
    ------
    MemoryError
        There is no room for a copy of the rows trained on; where there is for one, fits take turns.
    KeyboardInterrupt
        Also where a network answered Ctrl-C by ending with what it had.
    """
    members: list = [None] * len(splits)
    answers: list = [None] * len(splits)
    n_workers = min(len(splits), n_threads or threads_in_force(available_cpus()))
    n_workers = min(n_workers, _copies_that_fit(X, max(len(trained) for trained, _ in splits)))
    stopped: list = []
    hears = bool(settings(estimator, "max_time"))
    longest = [0.0]  # of the folds of one that does not hear of time

    def one(fold):
        rounds = -(-(len(splits) - fold) // n_workers)  # that are to come, this one included
        seconds = (until - time.perf_counter()) / rounds
        if seconds <= longest[0] and not needed:
            stopped.append("time")
            return
        began = time.perf_counter()

        def watch(iteration, record):  # also of what came before the network: its encoding
            late = time.perf_counter() >= began + seconds
            return STOP if stopped or late else None

        trained, judged = splits[fold]
        member = clone(estimator)
        if is_classifier(estimator) and len(np.unique(y[trained])) == 1:
            member = DummyClassifier()  # others refuse a single class
        _set(member, "random_state", int(seeds[fold]))
        _set(member, "n_threads", 1 if n_workers > 1 else n_threads)
        if scales is not None:
            _set(member, "scale", scales[fold])
        _set(member, "callback", watch)
        _set(member, "max_time", None if seconds == np.inf else max(seconds, 1e-3))
        member.fit(X[trained], y[trained], **_weights(member, sample_weight, trained))
        _set(member, "callback", None)
        for each in _layers(member):
            if hasattr(each, "callback"):
                each.callback = None
        if str(getattr(each, "status_", "")).startswith(Status.INTERRUPTED.value[:-1]):
            raise KeyboardInterrupt
        members[fold], answers[fold] = member, answer(member, X[judged])
        if not hears:
            longest[0] = max(longest[0], time.perf_counter() - began)
        if check is not None:
            check(fold, answers[fold])

    with warnings.catch_warnings(), blas_threads(1 if n_workers > 1 else n_threads):
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", Status.INTERRUPTED.value[:-1])  # the caller hears of it
        if not needed and until < np.inf:
            rounds = -(-len(splits) // n_workers)
            foretold = _foretold(estimator, X, y, splits[0][0], hears)
            if not hears:
                longest[0] = foretold
            elif rounds * foretold > until - time.perf_counter():
                return None
        each_once(one, range(len(splits)), n_workers, stopped)
    return None if any(member is None for member in members) else (members, answers)


def _foretold(estimator, X, y, rows, hears):
    """Seconds of a fit to these rows, or of one iteration: in proportion to those of some rows."""
    fewest = FEWEST_FOR_ITERATION if hears else max(FEWEST_ROWS, FEWEST_ENTRIES // X.shape[1])
    step = min(TRIED, len(rows) // fewest)
    if step < (TRIED if hears else 2):
        return 0.0
    member = clone(estimator)
    if hears:
        _set(member, "max_iter", 1)
    _set(member, "n_threads", 1)
    began = time.perf_counter()
    try:
        member.fit(X[rows[::step]], y[rows[::step]])
    except ValueError:  # they lack something: a class
        return 0.0
    return step * (time.perf_counter() - began)


def _copies_that_fit(X, n_rows):
    """How many copies of so many rows of X there is room for."""
    stored = X.data.nbytes + X.indices.nbytes if hasattr(X, "indices") else X.nbytes
    each = stored * n_rows / max(X.shape[0], 1)
    if each < SMALL:
        return MANY
    copies = int(available_memory() / each)
    if copies < 1:
        raise MemoryError(
            f"A fit needs a copy of {n_rows} rows of X, {each / GIB:.3g} GiB; "
            f"{available_memory() / GIB:.3g} GiB are available."
        )
    return copies


def settings(estimator, name):
    """The names of all parameters of an estimator, also inside of others, that end in ``name``."""
    return [key for key in estimator.get_params() if key.rpartition("__")[2] == name]


def _set(estimator, name, value):
    estimator.set_params(**dict.fromkeys(settings(estimator, name), value))


def _weights(estimator, sample_weight, rows):
    """What ``fit`` is given of weights: a pipeline's last step takes them, under its own name."""
    inner = getattr(estimator, "regressor", estimator)
    name, last = inner.steps[-1] if hasattr(inner, "steps") else ("", inner)
    if sample_weight is None or not has_fit_parameter(last, "sample_weight"):
        return {}
    return {f"{name}__sample_weight" if name else "sample_weight": sample_weight[rows]}


def _layers(member):
    """A fitted estimator and what it holds: the network of a pipeline, the fitted regressor."""
    while member is not None:
        yield member
        inner = getattr(member, "regressor_", None)
        member = member[-1] if hasattr(member, "steps") else inner
