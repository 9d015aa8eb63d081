"""What every solver shares: parameters, the limits of a run, its status and its result."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from fastmlp.solvers._message import LIMITS, LINEAR, Status, sentence
from fastmlp.solvers._progress import Progress


@dataclass(frozen=True)
class Limits:
    """When a run has to end, whatever the solver.

    Parameters
    ----------
    max_iter : int, default=200
        Iterations (full batch) or epochs (mini-batch).
    tol : float, default=1e-4
        Full batch: largest absolute entry of the gradient at convergence. Mini-batch: the
        improvement that counts as one.
    n_iter_no_change : int or inf, default=10
        Epochs without improvement that are borne.
    max_fun : int, default=15000
        Evaluations of the loss (L-BFGS).
    max_time : float, default=inf
        Seconds.
    verbose : bool, int or "bar", default=False
        Print a line per iteration, or show a bar.
    progress : Progress, optional
        What prints it.

    Examples
    --------
    >>> from fastmlp.solvers import Limits
    >>> Limits(max_iter=50).tol
    0.0001
    """

    max_iter: int = 200
    tol: float = 1e-4
    n_iter_no_change: float = 10
    max_fun: int = 15000
    max_time: float = np.inf
    verbose: bool | int | str = False
    progress: Progress | None = field(default=None, compare=False, repr=False)


@dataclass
class Result:
    """The outcome of a run.

    Attributes
    ----------
    theta : ndarray of shape (n_params,)
        The parameters: the last accepted ones, or the best by validation score if the run had
        validation data.
    loss : float
        The loss at the end of training (mini-batch: the mean over the last epoch).
    n_iter : int
        Iterations or epochs made.
    status : Status
        Why the run ended.
    history : dict of str to list
        One entry per iteration: ``loss``, ``seconds`` and whatever the solver adds.
    state : object or None
        What a later run needs to go on as if it had never stopped (mini-batch solvers).
    grad_norm : float
        Full batch: the largest absolute entry of the gradient in the end; else NaN.
    solver, unit, limits : str, str, Limits or None
        The solver's class, what it calls an iteration, and what it had to keep to.
    urgent, remarks : tuple of str
        What else was seen: sentences before the message that ask for something to be done, and
        sentences after it.
    cov : ndarray of shape (n_params, n_params) or None
        Covariance of the parameters, for a :func:`fastmlp.solvers.least_squares_objective`:
        ``(J'J)^-1 ||r||^2 / (m - n_params)`` at ``theta``, the pseudo-inverse where J'J is
        singular; infinite where there are no more residuals than parameters. None for others, and
        beyond 1000 parameters, where the objective's ``covariance(theta)`` gives it.

    Examples
    --------
    >>> from fastmlp.solvers import minimize
    >>> result = minimize(lambda t: (float(t @ t), 2 * t), [3.0])
    >>> result.status.name, sorted(result.history)
    ('CONVERGED', ['grad_norm', 'loss', 'seconds'])
    """

    theta: np.ndarray = field(repr=False)
    loss: float
    n_iter: int
    status: Status
    history: dict[str, list] = field(default_factory=dict, repr=False)
    state: Any = field(default=None, repr=False)
    grad_norm: float = np.nan
    solver: str = field(default="", repr=False)
    unit: str = field(default="iteration", repr=False)
    limits: Limits | None = field(default=None, repr=False)
    urgent: tuple[str, ...] = field(default=(), repr=False)
    remarks: tuple[str, ...] = field(default=(), repr=False)
    cov: np.ndarray | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """The fields, the status by its name, as formats without enumerations can hold it."""
        return vars(self) | {"status": self.status.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if isinstance(self.status, str):
            self.status = Status[self.status]

    @property
    def std_err(self) -> np.ndarray | None:
        """Standard errors of the parameters, (n_params,): the roots of ``cov``'s diagonal."""
        return None if self.cov is None else np.sqrt(np.diagonal(self.cov))

    @property
    def message(self) -> str:
        """How the run ended, in sentences; the first words are what to do, if anything is."""
        linear = (LINEAR,) if getattr(self.state, "linear", False) else ()
        return " ".join([*self.urgent, sentence(self), *linear, *self.remarks])

    @property
    def asks(self) -> bool:
        """Whether the message asks the user to do something."""
        failed = self.status in {*LIMITS, Status.DIVERGED} or (
            self.status is Status.NO_PROGRESS and self.solver == "LBFGS"
        )
        return failed or bool(self.urgent)

    @property
    def merit(self) -> float:
        """What the best of several runs has most of; minus infinity where it is not finite.

        The highest validation score; without validation the evidence, where the solver estimates
        it; else minus the loss.
        """
        if "validation_score" in self.history:
            merit = np.nanmax([-np.inf, *self.history["validation_score"]])
        else:
            merit = getattr(self.state, "log_evidence", -self.loss)
        return merit if np.isfinite(merit) and np.isfinite(self.theta).all() else -np.inf


class StartError(ValueError):
    """The loss or its gradient is not finite where a run is to begin."""


class Parameters:
    """Objects that hold hyper-parameters, as scikit-learn's ``clone`` and searches ask for them.

    A subclass stores each argument of its ``__init__`` verbatim under its own name.
    """

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Hyper-parameters by name, as scikit-learn's ``clone`` and ``GridSearchCV`` ask for.

        Parameters
        ----------
        deep : bool, default=True
            Without effect, as no hyper-parameter has some of its own.

        Returns
        -------
        dict of str to object

        Examples
        --------
        >>> from fastmlp.solvers import GradientDescent
        >>> GradientDescent().get_params()
        {'learning_rate': 0.1, 'line_search': None}
        """
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **params: Any) -> Self:
        """Change hyper-parameters by name.

        Parameters
        ----------
        **params
            Hyper-parameters of ``__init__``. A run looks at their values.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            An unknown name.

        Examples
        --------
        >>> from fastmlp.solvers import GradientDescent
        >>> GradientDescent().set_params(learning_rate=0.5)
        GradientDescent(learning_rate=0.5, line_search=None)
        """
        for name, value in params.items():
            if name not in self._names():
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}; it has {self._names()}."
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({arguments})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.get_params() == other.get_params()

    __hash__ = None


class Solver(Parameters):
    """Base of the solver objects: hyper-parameters only, none of them changed by a run.

    A subclass stores each argument of its ``__init__`` verbatim under its own name, declares in
    ``needs`` the methods that it calls on an objective, and implements ``run``.
    """

    needs: tuple[str, ...] = ("value_grad",)
    # Whether ``run`` goes through the rows in batches, by ``objective.epoch``.
    mini_batch = False
    # Whether ``run`` takes ``box``, bounds on theta.
    takes_bounds = False

    def run(self, objective, theta0, limits, *, rng, callback, validation, state) -> Result:
        """Minimise ``objective`` from ``theta0``; see :func:`fastmlp.solvers.minimize`."""
        raise NotImplementedError
