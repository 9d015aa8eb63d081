"""The Python face of losses.def: names, parameters, domains, targets; losses of the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp import _custom
from fastmlp._core.kernels import LOSSES
from fastmlp._names import shown
from fastmlp._numbers import Count, Interval, Sequence, check_unmasked, is_integer
from fastmlp.activations import OUTPUT_NAMES, Activation, named, resolve, settle
from fastmlp.data import plain

NAMES = tuple(LOSSES)

# By the kind of a parameter in losses.def: its default, and the domain of its values. A row has no
# room for a sequence: quartiles and what lies well outside; None: as many ones.
_DOMAINS: dict[str, Callable[[float, float, float], tuple[Any, Any]]] = {
    "REAL": lambda default, low, high: (default, Interval(low, high, "neither")),
    "DISCOUNT": lambda default, low, high: (default, Interval(low, high, "both")),
    "COUNT": lambda default, low, high: (int(default), Count(int(low), int(high))),
    "LEVELS": lambda _, __, most: ((0.05, 0.25, 0.5, 0.75, 0.95), Sequence(int(most), *_LEVELS)),
    "WIDTHS": lambda _, __, most: (None, Sequence(int(most), *_WIDTHS)),
}
_LEVELS = (
    "increasing numbers between 0 and 1",
    lambda q: (np.diff(q) > 0).all() and 0 < q[0] and q[-1] < 1,
)
_WIDTHS = "positive numbers", lambda h: (h > 0).all()

# loss: parameter -> (default, domain of its values)
PARAMETERS: dict[str, dict[str, tuple[Any, Any]]] = {
    loss: {
        name: _DOMAINS[kind](default, low, high)
        for name, (kind, default, low, high) in row["parameters"].items()
    }
    for loss, row in LOSSES.items()
}

# Ranges of an output activation that lie within a loss's domain of predictions.
_WITHIN = {
    "NONE": {"REAL"},
    "REAL": {"REAL", "POSITIVE", "UNIT"},
    "POSITIVE": {"POSITIVE", "UNIT"},
    "UNIT": {"UNIT"},
}

# What losses say of their targets, by these and the raw outputs of each: which are wrong, and the
# rule in words.
_TARGETS: dict[str, tuple[Callable[[np.ndarray, int], np.ndarray], str]] = {
    "UNIT": (lambda y, _: (y < 0) | (y > 1), "from 0 to 1"),
    "COUNT": (lambda y, _: y < 0, "at least 0"),
    "POSITIVE": (lambda y, _: y <= 0, "greater than 0"),
    "OPEN": (lambda y, _: (y <= 0) | (y >= 1), "greater than 0 and less than 1"),
    "WHOLE": (lambda y, _: (y < 0) | (y != np.floor(y)), "whole numbers of at least 0"),
    "SIGN": (lambda y, _: np.abs(y) != 1, "+1 or -1"),
    "BINS": (lambda y, k: (y < 0) | (y > k), "from 0 to {}, the number of bins"),
}

# What holds for every loss that a user wrote.
_CUSTOM_ROW = {
    "code": -1,
    "targets": "ANY",
    "domain": "REAL",
    "canonical": "identity",
    "forms": "BOTH",
    "constant": "UNKNOWN",
    "noise": "FIXED",
    "counted": False,
}


@dataclass(frozen=True)
class Loss:
    """A loss with its parameters, or one that the user wrote.

    Attributes
    ----------
    name : str
        A row of ``losses.def``, or "custom".
    params : dict of str to float, int or tuple of float
        Its parameters: their defaults and ranges stand in ``losses.def``.
    raws_per_target : int
        Raw outputs for each column of the targets: raw k of target j is column
        ``k * n_targets + j``. The prediction is the output activation of the first, but for losses
        whose domain is "NONE".
    value_grad : callable, optional
        Custom: ``value_grad(raw, y) -> (value, grad)`` on arrays of shapes (n,) and (n, n_raw).
    hess : callable, optional
        Custom: ``hess(raw, y)`` of shape (n, n_raw, n_raw), the second derivative by raw.
    curv : callable, optional
        Custom: ``curv(raw, y)`` of the same shape, positive semi-definite, for Gauss-Newton
        matrices: the Fisher information, say, where ``hess`` is indefinite. By default ``hess``.
    custom : object, optional
        What the user gave.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    raws_per_target: int = 1
    value_grad: Callable | None = None
    hess: Callable | None = None
    curv: Callable | None = None
    custom: Any = None

    @property
    def code(self) -> int:
        """The row's number in the C table; -1 for a custom loss."""
        return self.row["code"]

    @property
    def row(self) -> Mapping[str, Any]:
        """Its row of ``losses.def``, by the names of the columns."""
        return _CUSTOM_ROW if self.is_custom else LOSSES[self.name]

    @property
    def is_custom(self) -> bool:
        """Whether the user wrote it."""
        return self.name == "custom"

    @property
    def curved(self) -> bool:
        """Whether it has a second derivative other than zero."""
        if self.is_custom:
            return self.hess is not None or self.curv is not None
        return self.row["curvature"] != "FLAT"

    @property
    def shiftable(self) -> bool:
        """Whether targets may be any numbers, so that mean and scale can be taken off them."""
        return self.row["targets"] == "REAL"

    @property
    def unit_free(self) -> bool:
        """Whether differences of it do not depend on the unit of the targets."""
        return self.row["targets"] == "POSITIVE" or self.is_likelihood

    @property
    def is_likelihood(self) -> bool:
        """Whether it is minus the logarithm of a density with a scale of its own."""
        return self.raws_per_target > 1 and self.row["noise"] != "SCORE"

    @property
    def located(self) -> bool:
        """Whether it is a density of targets less a location, which is the first raw output."""
        row = self.row
        return self.is_likelihood and row["targets"] == row["domain"] == "REAL"

    @property
    def predicts(self) -> bool:
        """Whether the first raw output of a target is a prediction."""
        return self.row["domain"] != "NONE"

    @property
    def values(self) -> tuple[float, ...]:
        """The parameters that are numbers, in the order of the C table."""
        return tuple(v for v in self.params.values() if not isinstance(v, tuple))

    @property
    def table(self) -> np.ndarray | None:
        """The parameter that is a sequence, one number for each raw output of a target."""
        (found,) = [v for v in self.params.values() if isinstance(v, tuple)] or [None]
        return None if found is None else np.array(found)

    @property
    def spec(self) -> Any:
        """What a user would write for it."""
        if self.is_custom:
            return self.custom
        parameters = self.row["parameters"]
        usual = {key: value for key, (kind, value, *_) in parameters.items() if kind == "DISCOUNT"}
        params = {key: v for key, v in self.params.items() if v != usual.get(key)}
        return (self.name, params) if params else self.name


def resolve_loss(spec: Any) -> Loss:
    """A Loss from a name, a pair (name, {parameter: value}), or an object of the user's.

    Raises
    ------
    TypeError
        The spec is none of them.
    ValueError
        An unknown name or parameter, or a value out of its range.
    """
    if isinstance(spec, Loss):  # a pickle or a caller may have put anything into it
        if not spec.is_custom:
            spec = spec.name, spec.params
        elif spec.custom is not None:
            spec = spec.custom
    if isinstance(spec, (str, tuple)):
        name, params = named(spec, NAMES, "loss")
        return _built_in(name, params)
    value_grad = getattr(spec, "value_grad", spec)
    if not callable(value_grad) or isinstance(spec, type):
        raise TypeError(
            "loss is a name, (name, {parameter: value}), or an object with a method "
            f"value_grad(raw, y) -> (value, grad); got {spec!r}."
        )
    raws = getattr(spec, "raws_per_target", 1)
    if not is_integer(raws) or raws < 1:
        raise ValueError(
            f"raws_per_target of a loss must be an integer of at least 1, got {shown(raws)}."
        )
    return Loss(
        "custom",
        raws_per_target=int(raws),
        value_grad=value_grad,
        hess=getattr(spec, "hess", None),
        curv=getattr(spec, "curv", None),
        custom=spec,
    )


def _built_in(name: str, params: Mapping[str, Any]) -> Loss:
    row, kinds = LOSSES[name], PARAMETERS[name]
    raws = row["raws"]
    if not row["counted"]:
        return Loss(name, settle(name, params, kinds, "loss"), raws)
    count, *others = kinds
    sized = [key for key in others if isinstance(kinds[key][1], Sequence)]
    for key in sized:  # a sequence says how many there are
        given = params.get(key)
        if count not in params and given is not None and given in kinds[key][1]:
            params = {count: len(list(given)), **params}
    settled = settle(name, params, kinds, "loss")
    n = settled[count] if isinstance(settled[count], int) else len(settled[count])
    for key in sized:
        settled[key] = (1.0,) * n if settled[key] is None else settled[key]
        if len(settled[key]) != n:
            raise ValueError(
                f"{key} of loss {name!r} must be {n} numbers, one for each of the {count}; got "
                f"{len(settled[key])}."
            )
    return Loss(name, settled, raws * n)


def targets_of(spec: Any) -> str:
    """Which targets a loss takes, by its name, as ``losses.def`` says; "ANY" for all else."""
    row = LOSSES.get(spec) if isinstance(spec, str) else None
    return _CUSTOM_ROW["targets"] if row is None else row["targets"]


def check_grad(loss: Any, raw: Any, y: Any, tol: float = 1e-5) -> float:
    """Compare the derivatives of a loss of one's own with central differences.

    Parameters
    ----------
    loss : object or callable
        With ``value_grad(raw, y)``, or that function itself; ``hess`` is compared, too, and
        ``curv`` has to be symmetric and positive semi-definite, where the loss has them.
    raw : array-like of shape (n,) or (n, n_raw)
        Outputs of a network to look at, away from kinks of the loss.
    y : array-like of n rows
        Targets.
    tol : float, default=1e-5
        The error that is borne, relative to what is compared where that is larger than 1.

    Returns
    -------
    float
        The largest error.

    Raises
    ------
    ValueError
        A derivative is wrong, in a row and column that the text names; a value or derivative is not
        finite or of another shape; a row's value depends on other rows.
    TypeError
        ``loss`` is none of one's own, or returns no pair of real arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.losses import check_grad
    >>> def log_cosh(raw, y):
    ...     error = raw[:, 0] - y
    ...     return np.log(np.cosh(error)), np.tanh(error)[:, None]
    >>> check_grad(log_cosh, [0.5, -1.0, 2.0], np.array([1.0, 0.0, 0.0])) < 1e-8
    True
    """
    loss = resolve_loss(loss)
    if not loss.is_custom:
        raise TypeError(f"check_grad is for a loss of one's own; {loss.name!r} is built in.")
    raw = np.array(raw, dtype=np.float64)
    raw = raw.reshape(-1, 1) if raw.ndim == 1 else raw
    y = np.asarray(y)
    if raw.ndim != 2 or raw.size == 0 or y.ndim == 0 or len(y) != len(raw):
        raise ValueError(
            "raw must have shape (n, n_raw) and y as many rows; got shapes "
            f"{raw.shape} and {y.shape}."
        )
    return _custom.largest_error(loss, raw, y, tol)


def resolve_output(spec: Any, loss: Loss, n_targets: int) -> Activation:
    """The output activation: the loss's canonical one for None; else one within its domain."""
    row = loss.row
    if spec is None:
        several = row["canonical"] == "logistic" and n_targets > 1 and loss.raws_per_target == 1
        return resolve("softmax" if several else row["canonical"], OUTPUT_NAMES)
    output = resolve(spec, OUTPUT_NAMES, "output_activation")
    if output.name == "softmax" and n_targets < 2:
        raise ValueError("output_activation 'softmax' needs at least 2 outputs, got 1.")
    if output.range not in _WITHIN[row["domain"]]:
        fitting = [
            name
            for name in OUTPUT_NAMES
            if resolve(name, OUTPUT_NAMES).range in _WITHIN[row["domain"]]
        ]
        raise ValueError(
            f"loss {loss.name!r} needs predictions that output_activation {output.name!r} does "
            f"not stay within; fitting ones are {', '.join(fitting)}."
        )
    if loss.raws_per_target > 1 and not loss.is_custom and output.name != row["canonical"]:
        raise ValueError(
            f"loss {loss.name!r} is a function of raw outputs, with output_activation "
            f"{row['canonical']!r} alone; got {output.name!r}."
        )
    return output


def check_targets(
    y: Any, loss: Loss, output: Activation, n: int, n_targets: int, dtype
) -> np.ndarray:
    """Targets as the kernels read them: (n, n_targets), contiguous, within the loss's domain.

    A custom loss gets its targets as they are, with n rows.
    """
    check_unmasked("y", y)
    y = np.asarray(y)
    if y.ndim == 0 or y.shape[0] != n:
        raise ValueError(f"y must have as many rows as X: {n}, got shape {y.shape}.")
    if loss.is_custom:
        return y
    if y.dtype.kind not in "fiub":
        raise ValueError(f"y must be numeric for loss {loss.name!r}, got dtype {y.dtype}.")
    shares = loss.row["targets"] == "UNIT" and output.name == "softmax"
    if y.ndim == 1 and shares:
        return _one_hot(y, n_targets, dtype)
    if y.shape not in {(n, n_targets)} | ({(n,)} if n_targets == 1 else set()):
        raise ValueError(
            f"y must have shape ({n}, {n_targets}), one column per target; got {y.shape}."
        )
    y = y.reshape(n, n_targets)
    if not np.isfinite(y).all():
        raise ValueError(f"y holds NaN or infinity, first in row {_first(~np.isfinite(y))}.")
    is_wrong, rule = _TARGETS.get(loss.row["targets"], (None, ""))
    if is_wrong is not None and (wrong := is_wrong(y, loss.raws_per_target)).any():
        row, rule = _first(wrong), rule.format(loss.raws_per_target)
        raise ValueError(
            f"Targets of loss {loss.name!r} must be {rule}; row {row} of y is {y[row].tolist()}."
        )
    if shares:
        off = np.abs(y.sum(axis=1, dtype=np.float64) - 1) > 1e-3
        if off.any():
            row = _first(off)
            raise ValueError(
                "Each row of y must be a distribution over the classes (sum 1) under softmax; "
                f"row {row} is {y[row].tolist()}."
            )
    with np.errstate(over="ignore"):
        cast = plain(y, dtype)
    if not np.isfinite(cast).all():
        row = _first(~np.isfinite(cast))
        raise ValueError(
            f"y holds values too large for {np.dtype(dtype).name}; row {row} is {y[row].tolist()}."
        )
    return cast


def _one_hot(codes: np.ndarray, n_classes: int, dtype) -> np.ndarray:
    whole = codes if codes.dtype.kind in "iub" else np.floor(codes)
    if not (codes.min() >= 0 and codes.max() < n_classes and np.array_equal(codes, whole)):
        row = _first((codes < 0) | (codes >= n_classes) | (codes != whole))
        raise ValueError(
            f"Class codes must be integers from 0 to {n_classes - 1}; row {row} of y is "
            f"{codes[row]}."
        )
    y = np.zeros((codes.shape[0], n_classes), dtype)
    y[np.arange(codes.shape[0]), codes.astype(np.intp)] = 1
    return y


def _first(mask: np.ndarray) -> int:
    """The first row in which a mask holds anywhere."""
    return int(np.argmax(mask.reshape(mask.shape[0], -1).any(axis=1)))
