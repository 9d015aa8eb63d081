"""What there is to say of a fit besides how its run ended: whether it beats a constant."""

from __future__ import annotations

import dataclasses
import functools
import warnings

import numpy as np

from fastmlp._constant import best_constant
from fastmlp.estimators import _data
from fastmlp.losses import resolve_loss
from fastmlp.solvers import Result, Status
from fastmlp.solvers._message import LIMITS, TREND

# What the user ended is the user's to judge.
_FROM_OUTSIDE = (Status.CALLBACK, Status.INTERRUPTED, Status.ONE_EPOCH)
# By how much a fit may be worse than a constant before that is said, as a share of the latter.
_MARGIN = 0.01
# tol is not small from this share of a constant's loss on ...
_LARGE_TOL = 0.05
# ... which does not matter to a fit that has left no more of it than this.
_GOOD_FIT = 0.1


class Judge:
    """Adds to a run's result what ``status_`` and the warning say besides.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Whose parameters are recommended.
    network, X, targets
        As for :func:`fastmlp.training.train`.
    data : dict
        ``sample_weight``, ``rows`` and ``scales``, as for that function.
    validation, score
        As for that function.
    """

    def __init__(self, estimator, network, X, targets, data, validation, score):
        self._estimator = estimator
        self._network = network
        self._loss = resolve_loss(network.loss)
        self._X, self._targets, self._data = X, targets, data
        self._validation = validation
        self._score = score

    def __call__(self, result: Result) -> Result:
        if result.status in _FROM_OUTSIDE:
            return result
        urgent = () if result.status is Status.DIVERGED else self._urgent(result)
        return dataclasses.replace(result, urgent=urgent, remarks=self._remarks(result, urgent))

    @functools.cached_property
    def constant(self):
        """Raw output and loss of the best constant for the training rows; None: unknown."""
        targets, weights, rows = self._targets, self._data["sample_weight"], self._data["rows"]
        if rows is not None:
            targets, weights = _data.take(rows, targets, weights)
        guess = self._estimator._marginal(targets, weights)
        return best_constant(self._network, targets, weights, guess)

    def _urgent(self, result):
        if self.constant is None:
            return ()
        sentence = (
            self._tol_is_large(result)
            or self._worse_than_constant(result)
            or self._never_better_in_validation(result)
        )
        return (sentence,) if sentence else ()

    def _worse_than_constant(self, result):
        _, constant = self.constant
        bar = constant + _MARGIN * (1.0 if self._loss.unit_free else constant)
        # The run's loss has the weight decay in it, and an epoch's mean lags: to be looked at only.
        if not (constant != 0 and result.loss > bar) or _is_too_short(result):
            return None
        objective = self._network.objective(
            self._X, self._targets, n_threads=self._estimator.n_threads, **self._data
        )
        loss = objective.value(result.theta)
        if not loss > bar:
            return None
        advice = "Change the solver or its learning rate, or train for longer"
        if not self._estimator.standardize:
            advice = "Pass standardize=True, or scale the data"
        return (
            f"{advice}: the fit is worse than the best constant answer (training loss {loss:.3g}, "
            f"the constant's {constant:.3g})."
        )

    def _tol_is_large(self, result):
        _, constant = self.constant
        tol = self._estimator.tol
        if (
            result.status not in (Status.CONVERGED, Status.NO_IMPROVEMENT)
            or self._loss.is_likelihood  # tol is in nats, whatever the units
            or not tol > _LARGE_TOL * abs(constant)
            or not result.loss > _GOOD_FIT * abs(constant)
            or constant == 0
        ):
            return None
        advice = "Pass a smaller tol"
        if not self._estimator.standardize:
            advice = "Pass standardize=True or a smaller tol"
        return (
            f"{advice}: tol={tol:g} is not small against the loss, {constant:.2g} for the best "
            "constant answer, and the fit may have ended too early."
        )

    def _never_better_in_validation(self, result):
        scores = np.asarray(result.history.get("validation_score", ()), dtype=float)
        if not np.isfinite(scores).any():
            return None
        constant = self._constant_score
        best = np.nanmax(scores)
        if constant is None or not best <= constant:
            return None
        estimator = self._estimator
        if hasattr(estimator, "classes_") and estimator.scoring != "loss":
            advice = 'Pass scoring="loss", or class_weight="balanced"'
        elif estimator.standardize:
            advice = "Change the solver or its learning rate"
        else:
            advice = "Pass standardize=True, or scale the data"
        return (
            f"{advice}: no {result.unit}'s validation score (the best is {best:.4g}) is higher "
            f"than that of a constant answer ({constant:.4g})."
        )

    @functools.cached_property
    def _constant_score(self):
        """The validation score of the best constant; None where that says nothing.

        A scorer of the user's own is called once an epoch, and for nothing else.
        """
        X, targets, weights, rows = self._validation
        known = targets if rows is None else targets[rows]
        if (known == known[0]).all() or not isinstance(self._estimator.scoring, str | None):
            return None
        network = self._network
        coefs, intercepts = network.unpack(np.zeros(network.n_params, network.dtype))
        theta = network.pack(coefs, [*intercepts[:-1], self.constant[0]])
        objective = network.objective(X, targets, sample_weight=weights, rows=rows)
        if self._score is None:
            return -objective.value(theta)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # metrics complain of a constant
            score = float(self._score(theta, objective))
        return score if np.isfinite(score) else None

    def _remarks(self, result, urgent):
        remarks = []
        if result.status is Status.DIVERGED:
            remarks.append("The best parameters by validation score are kept.")
        if result.status in LIMITS:
            remarks.append("Or call fit again with warm_start=True, to go on from here.")
        failed = result.asks and not urgent
        if failed and not self._estimator.standardize:
            remarks.append("If the loss falls slowly, scale the data (standardize=True does).")
        stopped = result.status in (Status.NO_IMPROVEMENT, Status.NO_PROGRESS)
        if stopped and not (self._loss.curved or self._loss.is_custom):
            remarks.append(_beyond_a_kink(result))
        return tuple(remarks)


def _is_too_short(result):
    """Whether a run met a limit before there was anything to judge."""
    return result.status in LIMITS and result.n_iter <= 2 * TREND


def _beyond_a_kink(result):
    may = "The loss has kinks and may not be at its least:"
    if result.unit == "epoch":
        return f"{may} try a smaller learning_rate_init or tol, or a larger n_iter_no_change."
    return f'{may} go on with solver="adam" and a small learning_rate_init, or try a smaller tol.'
