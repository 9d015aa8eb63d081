"""One solver on its way: theta after each iteration, at the pace of the page."""

from __future__ import annotations

import time
from contextlib import nullcontext
from threading import Semaphore, Thread
from typing import Any

import numpy as np

from fastmlp.playground._settings import MINI_BATCH, Settings
from fastmlp.segments import WEIGHTS
from fastmlp.solvers import (
    LBFGS,
    SGD,
    STOP,
    Adam,
    GradientDescent,
    LevenbergMarquardt,
    Newton,
    NewtonCG,
    minimize,
)

MOST = 10**9  # iterations of a full-batch solver
REFUSED = (ValueError, FloatingPointError)  # what a solver says of a loss that it cannot follow


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

    _steps: Steps | None = None

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
        self._options = {
            "solver": self.solver,
            "n_iter_no_change": np.inf,
            "random_state": np.random.RandomState(settings.seed),
        }
        self.theta = theta.copy()
        self.losses: list[float] = [float(self.objective.value(theta))]
        self.seconds: list[float] = [0.0]
        self.message = ""
        self._state: Any = None
        self._limited = self.objective.limited
        if not self.is_mini_batch:  # BLAS is limited while it works, not while it waits
            self.objective.limited = lambda *_: nullcontext()

    @property
    def n_iter(self) -> int:
        """Iterations shown so far."""
        return len(self.losses) - 1

    def advance(self, n: int) -> None:
        """Make n iterations more, or as many as there are."""
        for _ in range(n):
            if self.message:
                return
            began = time.perf_counter()
            step = self._epoch() if self.is_mini_batch else self._iteration()
            if step is not None:
                self.theta, loss = step
                self.losses.append(loss)
                self.seconds.append(self.seconds[-1] + time.perf_counter() - began)
                if not np.isfinite(loss) or not np.isfinite(self.theta).all():
                    self.message = "Diverged: take a smaller learning rate."

    def move_to(self, theta: np.ndarray) -> None:
        """Go on from weights that the user changed."""
        self.theta, self.message = theta.copy(), ""
        self._leave()

    def _epoch(self) -> tuple[np.ndarray, float] | None:
        try:
            result = minimize(
                self.objective, self.theta, max_iter=1, tol=0.0, state=self._state, **self._options
            )
        except REFUSED as problem:
            self.message = str(problem)
            return None
        self._state = result.state
        return self._shrunk(result.theta), float(result.history["loss"][-1])

    def _iteration(self) -> tuple[np.ndarray, float] | None:
        if self._steps is None:
            options = {"max_iter": MOST, "tol": 1e-10, **self._options}
            self._steps = Steps(self.objective, self.theta, options)
        with self._limited(None, True):
            step = next(self._steps, None)
        if step is None:
            self.message = self._steps.message
        return step

    def _leave(self) -> None:
        if self._steps is not None:
            self._steps.close()
            self._steps = None

    def __del__(self):
        self._leave()

    def _shrunk(self, theta: np.ndarray) -> np.ndarray:
        """L1: weights come nearer to zero by a step of its own, and stay there."""
        smaller = np.sign(theta) * np.maximum(np.abs(theta) - self.threshold, 0)
        return np.where(self.weights, smaller, theta)


class Steps:
    """`minimize` one iteration at a time, in a thread that waits in between.

    A full-batch solver keeps no state between runs: a run that is cut into pieces is another one.
    """

    def __init__(self, objective: Any, theta: np.ndarray, options: dict[str, Any]):
        self._asked, self._answered = Semaphore(0), Semaphore(0)
        self._step: tuple[np.ndarray, float] | None = None
        self._closed = self._over = False
        self.message = ""
        work = Thread(target=self._run, args=(objective, theta, options), name="playground")
        work.daemon = True
        work.start()

    def __iter__(self):
        return self

    def __next__(self) -> tuple[np.ndarray, float]:
        if not self._over:
            self._asked.release()
            self._answered.acquire()
        if self._step is None:
            raise StopIteration
        return self._step

    def close(self) -> None:
        """Let the thread end."""
        self._closed = True
        self._asked.release()

    def _run(self, objective, theta, options) -> None:
        self._asked.acquire()
        try:
            if not self._closed:
                self.message = minimize(objective, theta, callback=self._show, **options).message
        except REFUSED as problem:
            self.message = str(problem)
        except Exception as problem:
            self.message = f"It ended by a mistake of the program: {problem!r}"
            raise
        finally:
            self._step, self._over = None, True
            self._answered.release()

    def _show(self, iteration, record):
        self._step = record.theta.copy(), float(record["loss"])
        self._answered.release()
        self._asked.acquire()
        return STOP if self._closed else None
