"""Checks of constructor parameters, with messages that name the value and what is expected."""

from __future__ import annotations

import inspect
import numbers
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import numpy as np
from sklearn.utils import check_random_state

from fastmlp import _types, initialisation
from fastmlp._names import quoted, shown, suggestion
from fastmlp._numbers import Interval, is_integer
from fastmlp._sizes import integers
from fastmlp.solvers import SOLVERS
from fastmlp.solvers._base import Solver

SCHEDULES = get_args(_types.Schedule)
# The flat parameters of an estimator that belong to its solver.
FLAT = {
    "sgd": (
        "learning_rate_init",
        "learning_rate",
        "power_t",
        "momentum",
        "nesterovs_momentum",
        "batch_size",
        "shuffle",
    ),
    "adam": ("learning_rate_init", "beta_1", "beta_2", "epsilon", "batch_size", "shuffle"),
}


class InvalidParameterError(ValueError, TypeError):
    """A parameter of an estimator has a value that it cannot have."""


class Rule(NamedTuple):
    """What a parameter may be: a test, the words for it, and the names among the values."""

    accepts: Callable[[Any], bool]
    wanted: str
    names: tuple[str, ...] = ()


def real(low: float, high: float = np.inf, closed: str = "left") -> Rule:
    """A finite number in an interval whose ends belong to it as ``closed`` says."""
    interval = Interval(low, high, closed)
    return Rule(interval.__contains__, f"a number in {interval}")


def integer(low: int, high: int | None = None) -> Rule:
    """An integer of at least ``low``, and at most ``high``."""
    if high is not None:
        return Rule(
            lambda value: is_integer(value) and low <= value <= high,
            f"an integer from {low} to {high}",
        )
    return Rule(lambda value: is_integer(value) and value >= low, f"an integer >= {low}")


def one_of(*names: str) -> Rule:
    """One of some names."""
    words = ", ".join(map(repr, names))
    return Rule(lambda value: isinstance(value, str) and value in names, f"one of {words}", names)


def either(*rules: Rule) -> Rule:
    """Anything that one of the rules accepts."""
    return Rule(
        lambda value: any(rule.accepts(value) for rule in rules),
        " or ".join(rule.wanted for rule in rules),
        tuple(name for rule in rules for name in rule.names),
    )


BOOLEAN = Rule(lambda value: isinstance(value, bool | np.bool_), "True or False")
NONE = Rule(lambda value: value is None, "None")
INFINITY = Rule(lambda value: isinstance(value, numbers.Real) and value == np.inf, "np.inf")
CALLABLE = Rule(callable, "a function")
VERBOSE = either(BOOLEAN, integer(0), one_of("bar"))
SOLVER = either(
    one_of(*SOLVERS),
    Rule(lambda value: isinstance(value, Solver), "a solver object from fastmlp.solvers"),
)
RANDOM_STATE = Rule(
    lambda value: (
        value is None
        or isinstance(value, np.random.RandomState | np.random.Generator)
        or (is_integer(value) and 0 <= value < 2**32)
    ),
    "None, an integer in [0, 2**32), a numpy.random.RandomState or Generator",
)
CUSTOM_LOSS = Rule(
    lambda value: is_custom_loss(value), "an object with value_grad(raw, y), or that function"
)
INIT = either(
    one_of(*initialisation.NAMES),
    Rule(
        lambda value: (
            isinstance(value, list | tuple)
            and len(value) == 2
            and all(isinstance(part, list | tuple) for part in value)
        ),
        "a pair (coefs, intercepts) of lists of arrays",
    ),
)
SCORING = either(NONE, Rule(lambda v: isinstance(v, str), "'loss', a scorer's name"), CALLABLE)

RULES = {
    "solver": SOLVER,
    "alpha": real(0),
    "batch_size": either(one_of("auto"), integer(1)),
    "learning_rate": one_of(*SCHEDULES),
    "learning_rate_init": real(0, closed="neither"),
    "power_t": real(0),
    "max_iter": integer(1),
    "shuffle": BOOLEAN,
    "random_state": RANDOM_STATE,
    "tol": real(0),
    "verbose": VERBOSE,
    "warm_start": BOOLEAN,
    "momentum": real(0, 1, closed="both"),
    "nesterovs_momentum": BOOLEAN,
    "early_stopping": BOOLEAN,
    "validation_fraction": real(0, 1),
    "beta_1": real(0, 1),
    "beta_2": real(0, 1),
    "epsilon": real(0, closed="neither"),
    "n_iter_no_change": either(integer(1), INFINITY),
    "max_fun": integer(1),
    "init": INIT,
    "standardize": BOOLEAN,
    "scoring": SCORING,
    "callback": either(NONE, CALLABLE),
    "max_time": either(NONE, real(0, closed="neither")),
    "n_threads": either(NONE, integer(1)),
    "n_starts": integer(1, 2**31 - 1),
}


def check_rules(estimator, rules: dict[str, Rule]) -> None:
    """Raise InvalidParameterError for the first of these parameters that breaks its rule."""
    for name, rule in rules.items():
        value = getattr(estimator, name)
        if not rule.accepts(value):
            meant = suggestion(value[0] if is_named(value) else value, rule.names)
            hint = "" if meant is None else f" Did you mean {quoted(meant)}?"
            if isinstance(value, type) and issubclass(value, Solver):
                hint = f" Did you mean {value.__name__}()?"
            elif name in ("loss", "distribution") and (is_integer(value) or integers(value)):
                hint = f" Did you mean hidden_layer_sizes={shown(value)}?"
            raise InvalidParameterError(
                f"{type(estimator).__name__}: {name}={shown(value)} is not valid; it must be "
                f"{rule.wanted}.{hint}"
            )


def check_params(estimator, extra: dict[str, Rule]) -> None:
    """Raise InvalidParameterError for the first parameter of an estimator that breaks its rule."""
    check_rules(estimator, {**RULES, **extra})
    given = estimator._trained_by
    if is_custom_loss(getattr(estimator, given)) and is_mini_batch(estimator.solver):
        raise InvalidParameterError(
            f"{type(estimator).__name__}: a {given} of your own needs a solver that sees all rows "
            f"at once, and {shown(estimator.solver)} runs mini-batches without Python: set "
            "solver='lbfgs' (or 'gd'; with hess or curv also 'newton', 'lm' and 'newton-cg')."
        )


def hidden_sizes(value) -> list[int]:
    """Sizes of the hidden layers as a list; a single integer stands for one layer."""
    sizes = [int(value)] if is_integer(value) else integers(value)
    if sizes is None:
        raise InvalidParameterError(
            f"hidden_layer_sizes={shown(value)} is not valid; it must be a positive integer, or a "
            "list, tuple, range or 1-D array of them (empty for a single layer of neurons)."
        )
    if any(size <= 0 for size in sizes):
        raise InvalidParameterError(f"hidden_layer_sizes must be > 0, got {shown(sizes)}.")
    return sizes


def is_named(value) -> bool:
    """Whether a value is a pair (name, parameters)."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], dict)
    )


def is_custom_loss(value) -> bool:
    """Whether a loss is the user's: an object with ``value_grad``, or a function."""
    given = getattr(value, "value_grad", value)
    return callable(given) and not isinstance(value, type)


def is_mini_batch(solver) -> bool:
    """Whether a solver, by name or object, goes through the data in mini-batches."""
    known = SOLVERS.get(solver) if isinstance(solver, str) else solver
    return getattr(known, "mini_batch", False)


def random_state(value):
    """What scikit-learn draws from; a Generator gives the seed, and goes on by it."""
    if isinstance(value, np.random.Generator):
        return np.random.RandomState(value.integers(2**32, size=4, dtype=np.uint32))
    return check_random_state(value)


def warn_of_ignored(estimator, solver, why) -> None:
    """Warn of flat parameters that are not at their defaults beside a solver that has its own."""
    defaults = inspect.signature(type(estimator).__init__).parameters
    own = solver.get_params()
    for name in dict.fromkeys(FLAT["sgd"] + FLAT["adam"]):
        value = getattr(estimator, name)
        if name not in defaults or value == defaults[name].default:
            continue
        there = "learning_rate" if name not in own and name == "learning_rate_init" else name
        kind = type(solver).__name__
        advice = f"write {kind}({there}={shown(value)})" if there in own else f"{kind} has none"
        warnings.warn(
            f"{type(estimator).__name__}: {name}={shown(value)} is ignored, since {why}: {advice}.",
            UserWarning,
            stacklevel=5,
        )


def make_solver(estimator, name: str | None = None) -> Solver:
    """The solver of an estimator: its own object, or one made of its flat parameters.

    ``name`` stands for the solver that the estimator has chosen itself.
    """
    solver = name or estimator.solver
    if isinstance(solver, Solver):
        why = "solver is an object, which brings its own parameters"
        warn_of_ignored(estimator, solver, why)
        return solver
    if name is not None and name not in FLAT:
        why = f"solver={estimator.solver!r} goes through so few rows at once"
        warn_of_ignored(estimator, SOLVERS[name](), why)
    if solver == "gd":
        return SOLVERS["gd"](learning_rate=estimator.learning_rate_init)
    return SOLVERS[solver](**{name: getattr(estimator, name) for name in FLAT.get(solver, ())})
