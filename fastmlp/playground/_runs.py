"""One solver on its way: theta after each iteration, at the pace of the page."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.playground._settings import MINI_BATCH, Settings
from fastmlp.segments import WEIGHTS
from fastmlp.solvers import (
    LBFGS,
    SGD,
    Adam,
    GradientDescent,
    LevenbergMarquardt,
    Newton,
    NewtonCG,
    minimize,
)

# Iterations that a full-batch solver makes in one go, to be shown one by one; seconds it may take.
AHEAD, AHEAD_SECONDS = 200, 0.25


def solver_of(name: str, settings: Settings, n_train: int) -> Any:
    """The solver object that a name on the page stands for."""
    rate, batch = settings.learningRate, min(settings.batchSize, n_train)
    common: dict[str, Any] = {"learning_rate_init": rate, "batch_size": batch}
    if settings.problem == "backprop":  # the lecture keeps the biases
        common["rate_factors"] = {f"b{l}": 0.0 for l in range(1, len(settings.networkShape) + 2)}
    makers = {
        "sgd": lambda: SGD(momentum=0.0, nesterovs_momentum=False, **common),
        "momentum": lambda: SGD(**common),
        "adam": lambda: Adam(**common),
        "gd": lambda: GradientDescent(learning_rate=rate),
        "lbfgs": LBFGS,
        "newton": Newton,
        "newton-cg": NewtonCG,
        "lm": LevenbergMarquardt,
    }
    return makers[name]()


class Run:
    """A solver's way from a common start.

    Parameters
    ----------
    name : str
        One of SOLVERS.
    settings : Settings
        What the page asks for.
    net : Network
        The network.
    X, y : ndarray
        Training data.
    theta : ndarray of shape (n_params,)
        The start.
    """

    def __init__(self, name: str, settings: Settings, net: Any, X, y, theta: np.ndarray):
        self.name = name
        self.solver = solver_of(name, settings, len(X))
        self.is_mini_batch = name in MINI_BATCH
        batch = self.solver.batch_size if self.is_mini_batch else len(X)
        self.objective = net.objective(X, y, alpha=settings.l2 * batch)
        self.threshold = settings.l1 * settings.learningRate * -(-len(X) // batch)
        self.weights = np.zeros(net.n_params, bool)
        for segment in net.segments:
            self.weights[segment.at : segment.end] = segment.group == WEIGHTS
        self.random_state = np.random.RandomState(settings.seed)
        self.theta = theta.copy()
        self.losses: list[float] = [float(self.objective.value(theta))]
        self.seconds: list[float] = [0.0]
        self.message = ""
        self._state: Any = None
        self._ahead: list[tuple[np.ndarray, float, float]] = []

    @property
    def n_iter(self) -> int:
        """Iterations shown so far."""
        return len(self.losses) - 1

    def advance(self, n: int) -> None:
        """Make n iterations more, or as many as there are."""
        for _ in range(n):
            if not self._ahead and not self.message:
                self._work()
            if not self._ahead:
                return
            self.theta, loss, seconds = self._ahead.pop(0)
            self.losses.append(loss)
            self.seconds.append(seconds)

    def move_to(self, theta: np.ndarray) -> None:
        """Go on from weights that the user changed."""
        self.theta, self._ahead, self.message = theta.copy(), [], ""

    def _work(self) -> None:
        before = self.seconds[-1]

        def keep(iteration, record):
            self._ahead.append((record.theta.copy(), record["loss"], before + record["seconds"]))

        try:
            result = minimize(
                self.objective,
                self.theta,
                solver=self.solver,
                max_iter=1 if self.is_mini_batch else AHEAD,
                max_time=np.inf if self.is_mini_batch else AHEAD_SECONDS,
                tol=0.0 if self.is_mini_batch else 1e-10,
                n_iter_no_change=np.inf,
                random_state=self.random_state,
                callback=keep,
                state=self._state if self.is_mini_batch else None,
            )
        except (ValueError, FloatingPointError) as problem:
            self.message = str(problem)
            return
        if self.is_mini_batch:
            self._state = result.state
            self._shrink()
        if not np.isfinite(result.loss) or not np.isfinite(result.theta).all():
            self.message = "Diverged: take a smaller learning rate."
        elif result.status.name not in {"MAX_ITER", "MAX_TIME"} or not self._ahead:
            self.message = result.message

    def _shrink(self) -> None:
        """L1: weights come nearer to zero by a step of its own, and stay there."""
        if self.threshold and self._ahead:
            theta, loss, seconds = self._ahead[-1]
            smaller = np.sign(theta) * np.maximum(np.abs(theta) - self.threshold, 0)
            self._ahead[-1] = np.where(self.weights, smaller, theta), loss, seconds
