"""Full-batch runs: the accepted point, the stop rules, and one flat trial loop.

A full-batch solver is a preset of two parts.

* A **descent** turns what is known at an accepted point into steps. ``query`` is called once per
  accepted point and does the expensive work (a Hessian, a factorisation); ``step(step_size)`` is
  called at every trial and reuses it.
* A **search** chooses ``step_size`` and judges each trial.

There is no inner line-search loop: a rejected trial is one more turn of the only loop. (The idea is
optimistix's: Rader, Lyons, Kidger 2024, arXiv:2402.09983.)
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from fastmlp.solvers._base import Result, Solver, StartError, Status
from fastmlp.solvers._box import Box
from fastmlp.solvers._callback import wants_to_stop
from fastmlp.solvers._checks import validated, value_and_grad

# A trial may overflow; it is rejected then, which is no reason to warn. Nor is a square of zero.
QUIET = {"over": "ignore", "invalid": "ignore", "divide": "ignore", "under": "ignore"}
# The iterations over which a decrease is judged: single ones stumble on a plateau.
JUDGED = 5


@dataclass(frozen=True, slots=True)
class Point:
    """What is known of the objective at one theta."""

    theta: np.ndarray  # (n_params,), of the objective's dtype
    loss: float
    grad: np.ndarray  # (n_params,), float64 whatever theta is
    box: Box | None = None

    @property
    def free_grad(self) -> np.ndarray:
        """The gradient; zero where it pushes against a bound."""
        return self.grad if self.box is None else self.box.free(self.theta, self.grad)

    @property
    def grad_norm(self) -> float:
        """Largest absolute entry of the gradient, as far as bounds leave it free."""
        return float(np.max(np.abs(self.free_grad)))

    @property
    def finite(self) -> bool:
        return bool(np.isfinite(self.loss) and np.isfinite(self.grad).all())


class Run:
    """The state of one run: the accepted point, the records of the iterations, the stop rules."""

    def __init__(self, objective, theta0, limits, callback, validation, rng=None, box=None):
        self.objective = objective
        self.box = box
        self.limits = limits
        self.rng = rng
        self.point = Point(theta0, np.nan, np.full(theta0.shape, np.nan))
        self.least_decrease = 0.0  # of the loss in an iteration, relative to it; 0: any will do
        self._callback = callback
        self._validation = validation
        self._records = []
        self._best_theta = None
        self._best_score = -np.inf
        self._no_improvement_count = 0
        self._start_time = time.perf_counter()

    @property
    def n_iter(self) -> int:
        return len(self._records)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._start_time

    @property
    def out_of_time(self) -> bool:
        return self.seconds > self.limits.max_time

    def evaluate(self, theta) -> Point:
        """The objective at ``theta``; it is not asked where theta itself is not finite."""
        if not np.isfinite(theta).all():
            return Point(theta, np.nan, np.full(theta.shape, np.nan))
        with np.errstate(**QUIET):
            answer = self.objective.value_grad(theta)
        return Point(theta, *value_and_grad(answer, theta), self.box)

    def start(self, start: Point | None = None) -> Point:
        """The first point, evaluated here unless it is given; it has to be finite."""
        if start is None:
            start = self.evaluate(self.point.theta)
        if not start.finite:
            raise StartError(
                "The loss or its gradient is not finite at theta0: "
                f"loss = {start.loss}, {np.count_nonzero(~np.isfinite(start.grad))} of "
                f"{start.grad.size} gradient entries are not finite. Scale the data or start "
                "nearer to zero."
            )
        self.point = start
        return start

    def advance(self, trial: Point, **more: float) -> Status | None:
        """Accept ``trial``: one iteration is done. Returns why the run should end, if it should."""
        record = {"loss": trial.loss, "grad_norm": trial.grad_norm, **more}
        if self._validation is not None:
            score, loss = validated(self._validation, trial.theta)
            record["validation_score"], record["validation_loss"] = score, loss
            self._compare_with_best(record["validation_score"], trial.theta)
        record["seconds"] = self.seconds
        self.point = trial
        self._records.append(record)
        if self.limits.progress is not None:
            self.limits.progress.iteration(self.n_iter, self.limits.max_iter, record)
        if wants_to_stop(self._callback, self.n_iter, record, trial.theta, self.objective):
            return Status.CALLBACK
        if self._no_improvement_count > self.limits.n_iter_no_change:
            return Status.NO_VALIDATION_IMPROVEMENT
        return Status.TOO_SLOW if self._is_slow else None

    @property
    def _is_slow(self) -> bool:
        """Whether the loss has all but rested; under strengths that change it may also rise."""
        if not self.least_decrease > 0 or self.n_iter <= JUDGED:
            return False
        before, now = self._records[-1 - JUDGED]["loss"], self.point.loss
        return abs(before - now) <= JUDGED * self.least_decrease * abs(now)

    def _compare_with_best(self, score, theta):
        # scikit-learn's rule, but for a score of NaN, which is no improvement.
        missed = not score >= self._best_score + self.limits.tol
        self._no_improvement_count = self._no_improvement_count + 1 if missed else 0
        if score > self._best_score:
            self._best_score = score
            self._best_theta = theta

    def out_of_limits(self) -> Status | None:
        """MAX_ITER or MAX_TIME where one is reached; whether it has converged the solver knows."""
        if self.n_iter >= self.limits.max_iter:
            return Status.MAX_ITER
        return Status.MAX_TIME if self.out_of_time else None

    def result(self, status: Status, keys: tuple[str, ...]) -> Result:
        """The outcome; ``keys`` are the history's, which are there even without an iteration."""
        if self._validation is not None:
            keys = (*keys, "validation_score", "validation_loss")
        return Result(
            theta=self.point.theta if self._best_theta is None else self._best_theta,
            loss=self.point.loss,
            n_iter=self.n_iter,
            status=status,
            history={key: [record[key] for record in self._records] for key in keys},
            grad_norm=self.point.grad_norm,
        )


class FullBatchSolver(Solver):
    """Base of the full-batch solvers: ``_solve`` moves ``run`` on and says why it stopped."""

    history_keys: tuple[str, ...] = ("loss", "grad_norm", "step_size", "seconds")

    def run(
        self, objective, theta0, limits, *, rng, callback, validation, state, box=None
    ) -> Result:
        if state is not None:
            raise ValueError(f"{type(self).__name__} keeps no state between runs; pass state=None.")
        run = Run(objective, theta0, limits, callback, validation, rng, box)
        try:
            status = self._solve(run)
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
        return run.result(status, self.history_keys)

    def _solve(self, run: Run) -> Status:
        raise NotImplementedError


def descend(run: Run, descent, search) -> Status:
    """Propose a step, evaluate the trial, accept or reject it, until there is a reason to stop.

    Parameters
    ----------
    run : Run
        Moved on in place.
    descent : object
        ``query(objective, point)`` returns False where it finds no finite curvature,
        ``step(step_size)`` the displacement, and ``decrement`` is the decrease of the loss that
        the model at hand promises: small at convergence, like the gradient (zero: no model).
        ``assembles`` says whether a query takes as long as many evaluations: none is begun when
        the time is up.
    search : object
        ``step_size``, for the next trial; ``judge(point, step, trial)`` returns whether to accept
        and sets ``step_size`` anew; ``after_rejection`` is the status to stop with, or None.

    Returns
    -------
    Status
    """
    tol = run.limits.tol
    run.start()
    accepted, status = True, None
    while status is None:
        point = run.point
        if accepted:
            if not descent.query(run.objective, point):
                return Status.DIVERGED
            if point.grad_norm <= tol and descent.decrement <= tol:
                return Status.CONVERGED
        step_size = search.step_size
        with np.errstate(**QUIET):
            step = descent.step(step_size)
            theta = (point.theta + step).astype(point.theta.dtype, copy=False)
        if np.array_equal(theta, point.theta):
            return Status.NO_PROGRESS
        trial = run.evaluate(theta)
        accepted = search.judge(point, step, trial)
        status = run.advance(trial, step_size=step_size) if accepted else search.after_rejection
        if status is None:
            status = run.out_of_limits()
            if (
                status is not None
                and not (status is Status.MAX_TIME and descent.assembles)
                and run.point.grad_norm <= tol
                and descent.query(run.objective, run.point)
                and descent.decrement <= tol
            ):
                status = Status.CONVERGED
    return status
