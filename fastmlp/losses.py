"""The Python face of losses.def: names, parameters, domains, targets; losses of the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp import _custom
from fastmlp._core.kernels import LOSSES
from fastmlp.activations import OUTPUT_NAMES, Activation, Interval, named, resolve, settle
from fastmlp.data import plain

# loss: parameter -> (default, interval of its values)
PARAMETERS: dict[str, dict[str, tuple[float, Interval]]] = {
    "huber": {"epsilon": (1.35, Interval(0, np.inf, "neither"))},
    "quantile": {"quantile": (0.5, Interval(0, 1, "neither"))},
}

NAMES = tuple(LOSSES)

# The output activation that each loss is evaluated together with, in raw space.
_CANONICAL = {"poisson": "exp", "gamma": "exp"}

# Ranges of an output activation that lie within a loss's domain of predictions.
_WITHIN = {
    "REAL": {"REAL", "POSITIVE", "UNIT"},
    "POSITIVE": {"POSITIVE", "UNIT"},
    "UNIT": {"UNIT"},
}


@dataclass(frozen=True)
class Loss:
    """A loss with its parameters, or one that the user wrote.

    Attributes
    ----------
    name : str
        A row of ``losses.def``, or "custom".
    params : dict of str to float
        ``epsilon`` of "huber" (> 0, default 1.35), ``quantile`` of "quantile" (in (0, 1),
        default 0.5).
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
    params: Mapping[str, float] = field(default_factory=dict)
    value_grad: Callable | None = None
    hess: Callable | None = None
    curv: Callable | None = None
    custom: Any = None

    @property
    def raws_per_target(self) -> int:
        """Raw outputs that belong to one column of the targets."""
        return 1

    @property
    def code(self) -> int:
        """The row's number in the C table; -1 for a custom loss."""
        return -1 if self.is_custom else LOSSES[self.name]["code"]

    @property
    def is_custom(self) -> bool:
        """Whether the user wrote it."""
        return self.name == "custom"

    @property
    def curved(self) -> bool:
        """Whether it has a second derivative other than zero."""
        if self.is_custom:
            return self.hess is not None or self.curv is not None
        return LOSSES[self.name]["curved"]

    @property
    def values(self) -> tuple[float, ...]:
        """The parameters in the order of the C table."""
        return tuple(self.params.values())

    @property
    def spec(self) -> Any:
        """What a user would write for it."""
        if self.is_custom:
            return self.custom
        return (self.name, dict(self.params)) if self.params else self.name


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
        return Loss(name, settle(name, params, PARAMETERS.get(name, {}), "loss"))
    value_grad = getattr(spec, "value_grad", spec)
    if not callable(value_grad) or isinstance(spec, type):
        raise TypeError(
            "loss is a name, (name, {parameter: value}), or an object with a method "
            f"value_grad(raw, y) -> (value, grad); got {spec!r}."
        )
    return Loss(
        "custom",
        value_grad=value_grad,
        hess=getattr(spec, "hess", None),
        curv=getattr(spec, "curv", None),
        custom=spec,
    )


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


def resolve_output(spec: Any, loss: Loss, n_raw: int) -> Activation:
    """The output activation: the loss's canonical one for None; else one within its domain."""
    if spec is None:
        if loss.name == "log_loss":
            return resolve("softmax" if n_raw > 1 else "logistic", OUTPUT_NAMES)
        return resolve(_CANONICAL.get(loss.name, "identity"), OUTPUT_NAMES)
    output = resolve(spec, OUTPUT_NAMES, "output_activation")
    if output.name == "softmax" and n_raw < 2:
        raise ValueError("output_activation 'softmax' needs at least 2 outputs, got 1.")
    domain = "REAL" if loss.is_custom else LOSSES[loss.name]["domain"]
    if output.range not in _WITHIN[domain]:
        fitting = [
            name for name in OUTPUT_NAMES if resolve(name, OUTPUT_NAMES).range in _WITHIN[domain]
        ]
        raise ValueError(
            f"loss {loss.name!r} needs predictions that output_activation {output.name!r} does "
            f"not stay within; fitting ones are {', '.join(fitting)}."
        )
    return output


def check_targets(
    y: Any, loss: Loss, output: Activation, n: int, n_targets: int, dtype
) -> np.ndarray:
    """Targets as the kernels read them: (n, n_targets), contiguous, within the loss's domain.

    A custom loss gets its targets as they are, with n rows.
    """
    y = np.asarray(y)
    if y.ndim == 0 or y.shape[0] != n:
        raise ValueError(f"y must have as many rows as X: {n}, got shape {y.shape}.")
    if loss.is_custom:
        return y
    if y.dtype.kind not in "fiub":
        raise ValueError(f"y must be numeric for loss {loss.name!r}, got dtype {y.dtype}.")
    if y.ndim == 1 and n_targets > 1 and loss.name == "log_loss" and output.name == "softmax":
        return _one_hot(y, n_targets, dtype)
    if y.shape not in {(n, n_targets)} | ({(n,)} if n_targets == 1 else set()):
        raise ValueError(
            f"y must have shape ({n}, {n_targets}), one column per target; got {y.shape}."
        )
    y = y.reshape(n, n_targets)
    if not np.isfinite(y).all():
        raise ValueError(f"y holds NaN or infinity, first in row {_first(~np.isfinite(y))}.")
    wrong, rule = None, ""
    if loss.name == "log_loss":
        wrong, rule = (y < 0) | (y > 1), "from 0 to 1"
    elif loss.name == "poisson":
        wrong, rule = y < 0, "at least 0"
    elif loss.name == "gamma":
        wrong, rule = y <= 0, "greater than 0"
    elif loss.name == "perceptron":
        wrong, rule = np.abs(y) != 1, "+1 or -1"
    if wrong is not None and wrong.any():
        row = _first(wrong)
        raise ValueError(
            f"Targets of loss {loss.name!r} must be {rule}; row {row} of y is {y[row].tolist()}."
        )
    if loss.name == "log_loss" and output.name == "softmax":
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
