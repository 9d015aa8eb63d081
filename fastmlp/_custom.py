"""Losses that users write: what they are asked, and what they may answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._names import shown

# Errors that a function raises which expected other shapes.
OF_SHAPES = (ValueError, TypeError, IndexError)


def value_grad(loss: Any, raw: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The value of each row, (n,), and its gradient, (n, n_raw), by the user's function.

    Raises
    ------
    TypeError
        It returned no pair of real arrays.
    ValueError
        It returned other shapes, or failed on these.
    """
    answer = _ask(loss.value_grad, "value_grad(raw, y)", raw, y)
    n = len(raw)
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise TypeError(
            "A loss's value_grad(raw, y) must return a pair, the value of each row and its "
            f"gradient, of shapes ({n},) and {raw.shape}; got {shown(answer)}."
        )
    value = _real(answer[0], "value")
    grad = _real(answer[1], "gradient")
    if value.shape != (n,) or grad.size != raw.size:
        raise ValueError(
            "A loss's value_grad(raw, y) must return a value per row and a gradient like "
            f"raw: shapes ({n},) and {raw.shape}; got {value.shape} and {grad.shape}."
        )
    return value, grad.reshape(raw.shape)


def second(loss: Any, name: str, raw: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``hess`` or ``curv`` of each row by raw, (n, n_raw, n_raw) float64."""
    Q = _real(_ask(getattr(loss, name), f"{name}(raw, y)", raw, y), name)
    shape = (*raw.shape, raw.shape[1])
    if Q.shape != shape:
        raise ValueError(f"A loss's {name}(raw, y) must return shape {shape}, got {Q.shape}.")
    return np.asarray(Q, dtype=np.float64)


def _ask(function, name, raw, y):
    try:
        return function(raw, y)
    except OF_SHAPES as error:
        raise ValueError(
            f"The loss's {name} failed on raw of shape {raw.shape} and y of shape {y.shape}: "
            f"{type(error).__name__}: {error}. raw has a column per target; a loss that takes "
            "several for each says how many in an attribute raws_per_target."
        ) from error


def _real(array, what):
    try:
        array = np.asarray(array)
    except ValueError:  # rows of different lengths
        array = np.empty(0, object)
    if array.dtype.kind == "c":
        raise TypeError(f"A loss's {what} must be real; it is complex ({array.dtype}).")
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"A loss's {what} must be an array of real numbers, got {shown(array)} of dtype "
            f"{array.dtype}."
        )
    return array


def largest_error(loss: Any, raw: np.ndarray, y: np.ndarray, tol: float) -> float:
    """See :func:`fastmlp.losses.check_grad`."""
    value, grad = value_grad(loss, raw, y)
    for what, array in (("value", value), ("gradient", grad)):
        _check_finite(what, array)
    alone, _ = value_grad(loss, raw[-1:], y[-1:])
    if not np.isclose(alone[0], value[-1], rtol=tol, atol=tol):
        raise ValueError(
            "Each row's value must depend on this row alone: that of the last row is "
            f"{value[-1]:.6g}, and {alone[0]:.6g} without the others. Return no sums or means."
        )
    matrices = {name: second(loss, name, raw, y) for name in ("hess", "curv") if _has(loss, name)}
    for name, Q in matrices.items():
        _check_finite(name, Q)
    worst = 0.0
    for k in range(raw.shape[1]):
        h = np.cbrt(np.finfo(np.float64).eps) * np.maximum(1.0, np.abs(raw[:, k]))
        ahead, behind = raw.copy(), raw.copy()
        ahead[:, k] += h
        behind[:, k] -= h
        (v1, g1), (v0, g0) = value_grad(loss, ahead, y), value_grad(loss, behind, y)
        width = ahead[:, k] - behind[:, k]
        slope = (v1 - v0) / width
        worst = max(worst, _compare("gradient", grad[:, k], slope, np.abs(value), (k,), tol))
        if "hess" in matrices:
            bend = (g1 - g0) / width[:, None]
            for j in range(raw.shape[1]):
                entries = matrices["hess"][:, j, k]
                size = np.abs(grad[:, j])
                worst = max(worst, _compare("hess", entries, bend[:, j], size, (j, k), tol))
    if "curv" in matrices:
        _check_semi_definite(matrices["curv"], tol)
    return worst


def _has(loss, name):
    return getattr(loss, name, None) is not None


def _check_finite(what, array):
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        row, *columns = bad[0].tolist()
        where = f", column {', '.join(map(str, columns))}" if columns else ""
        raise ValueError(f"The loss's {what} is {array[tuple(bad[0])]} in row {row}{where}.")


def _compare(what, given, expected, size, columns, tol):
    """The largest error, relative to the sizes of what is compared and differenced."""
    scale = np.maximum(1.0, np.maximum(np.maximum(np.abs(given), np.abs(expected)), size))
    error = np.abs(given - expected) / scale
    row = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    if not error[row] <= tol:
        of = "value" if what == "gradient" else "gradient"
        raise ValueError(
            f"The loss's {what} is wrong in row {row}, column {', '.join(map(str, columns))}: it "
            f"says {given[row]:.6g}, differences of its {of} say {expected[row]:.6g}."
        )
    return float(error[row])


def _check_semi_definite(Q, tol):
    size = np.maximum(1.0, np.abs(Q).max(axis=(1, 2)))
    lopsided = np.abs(Q - Q.transpose(0, 2, 1)).max(axis=(1, 2)) / size
    lowest = np.linalg.eigvalsh(Q)[:, 0] / size
    for wrong, text in ((lopsided > tol, "symmetric"), (lowest < -tol, "positive semi-definite")):
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"The loss's curv is not {text} in row {row}: {Q[row].tolist()}.")
