"""The mini-batch loop: one native call per epoch.

Stop rules and schedules are scikit-learn's, so that a seed gives the same curve.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, get_args

import numpy as np
from numpy.random import RandomState

from fastmlp import _types
from fastmlp._names import check_choice, shown, unknown
from fastmlp._numbers import check_flag, check_integer, check_positive, check_real, is_integer
from fastmlp.solvers._base import Limits, Result, Solver, Status
from fastmlp.solvers._callback import wants_to_stop
from fastmlp.solvers._checks import real_number, validated
from fastmlp.solvers._shuffle import shuffle

# Below this rate scikit-learn's adaptive schedule gives up.
_SMALLEST_RATE = 1e-6
# Schedules over the whole run, t from 0 to 1, as shares of the first rate: half a cosine
# (Loshchilov & Hutter, 2017), and four rises and falls, each twice as long as the last
# (Holzmüller et al., arXiv:2407.04491).
_SHARES = {
    "cosine": lambda t: 0.5 * (1.0 + np.cos(np.pi * t)),
    "coslog": lambda t: 0.5 * (1.0 - np.cos(2.0 * np.pi * np.log2(1.0 + 15.0 * t))),
}
# What validation adds to a record.
SCORES = ("validation_score", "validation_loss")


@dataclass
class MiniBatchState:
    """What a later run needs to go on as if it had never stopped.

    Attributes
    ----------
    update : str
        The update that left the moments; one with another number of moments starts anew.
    first, second : ndarray of shape (n_params,) or None
        Velocity or first moment; second moment, if the update has one.
    t : int
        Steps so far.
    learning_rate : float or None
        The current rate of a schedule that has a memory; None before the first epoch.
    n_epochs : int
        Epochs since the moments began, where a schedule over the whole run stands.
    best_loss, best_score : float
        The bars that an epoch has to clear to count as an improvement.
    no_improvement_count : int
        Epochs since the last improvement.
    n_seen : int
        Samples seen so far (scikit-learn's ``t_``).
    """

    update: str | None = None
    first: np.ndarray | None = None
    second: np.ndarray | None = None
    t: int = 0
    learning_rate: float | None = None
    n_epochs: int = 0
    best_loss: float = np.inf
    best_score: float = -np.inf
    no_improvement_count: int = 0
    n_seen: int = 0

    def restarted(self) -> MiniBatchState:
        """Forget the optimiser's moments and rate, keep the record (a warm start)."""
        return replace(
            self, update=None, first=None, second=None, t=0, learning_rate=None, n_epochs=0
        )


@dataclass
class _Hyper:
    """The hyper-parameters of one native epoch; see ``NetworkObjective.epoch``."""

    update: str
    batch_size: int
    rates: np.ndarray
    max_norm: float
    momentum: float = 0.0
    beta_1: float = 0.0
    beta_2: float = 0.0
    epsilon: float = 0.0
    weight_decay: float = 0.0
    rate_factors: np.ndarray | None = None


@dataclass
class _Run:
    """The moving parts of one run."""

    theta: np.ndarray
    state: MiniBatchState
    limits: Limits
    keys: tuple[str, ...]  # of the history
    start: float = field(default_factory=time.perf_counter)
    records: list[dict[str, Any]] = field(default_factory=list)
    best: np.ndarray | None = None
    loss: float = np.nan

    @property
    def n_iter(self) -> int:
        """Epochs that are done and, with validation data, validated."""
        return len(self.records)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start

    def result(self, status: Status) -> Result:
        theta = self.theta if self.best is None else self.best
        if not np.isfinite(theta).all():
            status = Status.DIVERGED
        history = {key: [record[key] for record in self.records] for key in self.keys}
        return Result(theta, self.loss, self.n_iter, status, history, self.state)


class MiniBatch(Solver):
    """The loop; a subclass says which update and which schedules."""

    needs = ("epoch",)
    mini_batch = True
    n_moments = 1  # as its row in updates.def says
    _schedules: tuple[str, ...] = get_args(_types.MomentSchedule)

    def run(self, objective, theta0, limits, *, rng, callback=None, validation=None, state=None):
        """Minimise ``objective.epoch`` from ``theta0``; see :func:`fastmlp.solvers.minimize`."""
        n_samples = objective.n_samples
        check_flag("shuffle", self.shuffle)
        batch_size = self.batch_size_for(n_samples)
        if not isinstance(self.batch_size, str) and self.batch_size > n_samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                f"clipped (batch_size={shown(self.batch_size)}, {n_samples} samples).",
                stacklevel=2,
            )
        theta = np.array(theta0, dtype=objective.dtype)
        keys = ("loss", "learning_rate", *(SCORES if validation is not None else ()), "seconds")
        run = _Run(theta, self._prepare(theta, state), limits, keys)
        if validation is not None and np.isfinite(run.state.best_score):
            run.best = theta.copy()  # the earlier run's best
        rates = np.empty(-(-n_samples // batch_size))
        norm = np.inf if self.max_norm is None else float(self.max_norm)
        hyper = _Hyper(
            batch_size=batch_size,
            rates=rates,
            max_norm=norm,
            rate_factors=self._factors_of(objective),
            **self._update(),
        )
        order = np.arange(n_samples, dtype=np.intp)
        try:
            while run.n_iter < limits.max_iter:
                if self.shuffle:
                    _shuffle(rng, order)
                self._fill_rates(rates, run.state, limits)
                status = self._epoch(run, objective, order, hyper, callback, validation)
                if status is not None:
                    return run.result(status)
        except KeyboardInterrupt:
            return run.result(Status.INTERRUPTED)
        return run.result(Status.MAX_ITER)

    def _epoch(self, run, objective, order, hyper, callback, validation):
        """One epoch and its verdict: a status to stop with, or None to go on."""
        state, limits = run.state, run.limits
        rate = float(hyper.rates[-1])
        loss = objective.epoch(run.theta, state, order, hyper)
        run.loss = real_number("The loss of epoch(...)", loss)
        state.n_epochs += 1
        state.n_seen += len(order)
        values = {"loss": run.loss, "learning_rate": rate}
        if not np.isfinite(run.loss):
            values |= dict.fromkeys(SCORES, np.nan)
            run.records.append(values | {"seconds": run.seconds})
            return Status.DIVERGED
        if validation is None:
            _count_loss(run)
        else:
            values["validation_score"], values["validation_loss"] = validated(validation, run.theta)
            _count_score(run, values["validation_score"])
        values["seconds"] = run.seconds
        run.records.append(values)
        if limits.progress is not None:
            limits.progress.iteration(run.n_iter, limits.max_iter, values)
        self._end_epoch(state)

        status = None
        if state.no_improvement_count > limits.n_iter_no_change:
            status = self._stop(run, validation is not None)
            if status is None:
                state.no_improvement_count = 0
        if wants_to_stop(callback, run.n_iter, values, run.theta, objective):
            status = status or Status.CALLBACK
        if status is None and values["seconds"] >= limits.max_time:
            status = Status.MAX_TIME
        return status

    def _stop(self, run, validating):
        """What to do when nothing improves any more; an adaptive schedule may go on (None)."""
        if self.learning_rate == "adaptive":
            if run.state.learning_rate > _SMALLEST_RATE:
                run.state.learning_rate /= 5.0
                return None
            return Status.RATE_TOO_SMALL
        return Status.NO_VALIDATION_IMPROVEMENT if validating else Status.NO_IMPROVEMENT

    def _prepare(self, theta, state):
        """A copy of ``state`` for this run, with new moments where it has none that fit."""
        update = self._update()["update"]
        if state is not None and not isinstance(state, MiniBatchState):
            raise TypeError(
                f"state must be None or the state of an earlier {type(self).__name__} run's "
                f"Result, got {shown(state)}."
            )
        state = MiniBatchState() if state is None else replace(state)
        two = self.n_moments == 2
        if state.first is None or (state.second is not None) != two:
            state = state.restarted()
            state.first = np.zeros_like(theta)
            state.second = np.zeros_like(theta) if two else None
        else:
            if state.first.shape != theta.shape:
                raise ValueError(
                    f"The state belongs to {state.first.size} parameters, not to {theta.size}."
                )
            state.first = np.array(state.first, dtype=theta.dtype)
            state.second = np.array(state.second, dtype=theta.dtype) if two else None
        state.update = update
        if state.learning_rate is None:
            state.learning_rate = float(self.learning_rate_init)
        return state

    def _fill_rates(self, rates, state, limits):
        """The learning rate of each batch of the coming epoch."""
        share = _SHARES.get(self.learning_rate)
        if share is not None:
            batches = state.n_epochs * len(rates) + np.arange(len(rates))
            progress = np.minimum(batches / (limits.max_iter * len(rates)), 1.0)
            rates[:] = self.learning_rate_init * share(progress)
        else:
            rates[:] = state.learning_rate

    def _end_epoch(self, state):
        """Move a schedule that depends on the samples seen."""

    def _update(self) -> dict[str, Any]:
        raise NotImplementedError

    def batch_size_for(self, n_samples: int) -> int:
        """Rows of a batch: "auto" is 200, as scikit-learn's, and no batch has more than there are.

        Parameters
        ----------
        n_samples : int

        Returns
        -------
        int

        Raises
        ------
        TypeError, ValueError
            A hyper-parameter makes no sense.

        Examples
        --------
        >>> from fastmlp.solvers import Adam
        >>> Adam().batch_size_for(1000), Adam(batch_size=64).batch_size_for(50)
        (200, 50)
        """
        self._check()
        return int(min(200 if self.batch_size == "auto" else self.batch_size, n_samples))

    def _factors_of(self, objective) -> np.ndarray | None:
        """The factor of the learning rate for each segment of theta; None: 1 for all."""
        if self.rate_factors is None:
            return None
        names = [segment.name for segment in objective.segments]
        layers = [int(name[1:]) for name in names]
        for key in self.rate_factors:
            if isinstance(key, str) and key not in names:
                raise ValueError(unknown(f"segment in {self._title('rate_factors')}", key, names))
            if not isinstance(key, str) and key not in layers:
                raise ValueError(
                    f"{self._title('rate_factors')} names layer {key}; layers are from 1 to "
                    f"{layers[-1]}."
                )
        of_layers = [self.rate_factors.get(layer, 1.0) for layer in layers]
        pairs = zip(names, of_layers, strict=True)
        return np.array([self.rate_factors.get(name, factor) for name, factor in pairs], float)

    def _check(self) -> None:
        """Raise TypeError or ValueError naming the first hyper-parameter that makes no sense."""
        self._positive("learning_rate_init")
        if not isinstance(self.batch_size, str) or self.batch_size != "auto":
            whole = isinstance(self.batch_size, float) and self.batch_size.is_integer()
            check_integer(
                self._title("batch_size"), int(self.batch_size) if whole else self.batch_size
            )
        if self.max_norm is not None:
            self._positive("max_norm")
        check_choice(self._title("learning_rate"), self.learning_rate, self._schedules)
        if self.rate_factors is not None:
            self._check_factors()

    def _check_factors(self) -> None:
        title = self._title("rate_factors")
        if not isinstance(self.rate_factors, Mapping):
            raise TypeError(
                f"{title} must be a dict of segment names or layers and factors, as "
                f"{{'W1': 0.1, 2: 0.0}}, or None; got {shown(self.rate_factors)}."
            )
        for key, factor in self.rate_factors.items():
            if not isinstance(key, str) and not is_integer(key):
                raise TypeError(
                    f"{title} is by segment names ('W1', 'b1') or layers (1, 2, ...); got the key "
                    f"{shown(key)}."
                )
            check_real(f"{title}[{key!r}]", factor, "at least 0 and finite", lambda v: 0 <= v < inf)

    def _title(self, name: str) -> str:
        return f"{name} of {type(self).__name__}"

    def _positive(self, name: str) -> float:
        return check_positive(self._title(name), getattr(self, name))

    def _in(self, name: str, wanted: str, accepts) -> float:
        return check_real(self._title(name), getattr(self, name), wanted, accepts)


def _shuffle(rng, order):
    """Reorder in place by the draws of ``sklearn.utils.shuffle``."""
    bit_generator = getattr(rng, "_bit_generator", None) if type(rng) is RandomState else None
    if bit_generator is None or order.size > 2**32 - 1:
        rng.shuffle(order)
    else:
        shuffle(bit_generator, order)


def _count_loss(run):
    """Count epochs without improvement by the training loss."""
    state = run.state
    improved = run.loss <= state.best_loss - run.limits.tol
    state.no_improvement_count = 0 if improved else state.no_improvement_count + 1
    state.best_loss = min(state.best_loss, run.loss)


def _count_score(run, score):
    """Count them by the validation score, and keep the best parameters.

    A score of NaN is no improvement.
    """
    state = run.state
    missed = not score >= state.best_score + run.limits.tol
    state.no_improvement_count = state.no_improvement_count + 1 if missed else 0
    if score > state.best_score:
        state.best_score = float(score)
        run.best = run.theta.copy()
