"""Rows of parameters: shapes, indices, and formulas over them in blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np

from fastmlp.distributions._parameters import numbers

BLOCK = 1 << 16  # entries of a temporary that stays in the cache


class Rows:
    """Arrays of parameters of one shape, that of the rows, some with a last axis of their own."""

    # Parameters with a last axis of their own: its entries are components, bins, classes, levels.
    _events: ClassVar[tuple[str, ...]] = ()
    # Parameters that a + b Y shifts and multiplies, and those that it multiplies only.
    _located: ClassVar[tuple[str, ...]] = ()
    _scaled: ClassVar[tuple[str, ...]] = ()

    def _set(self, **parameters: np.ndarray) -> None:
        """Keep float64 parameters, broadcast against each other (views: nothing is copied)."""
        batches = [
            value.shape[:-1] if name in self._events else value.shape
            for name, value in parameters.items()
        ]
        try:
            self._shape = np.broadcast_shapes(*batches)
        except ValueError:
            shapes = ", ".join(f"{name} {value.shape}" for name, value in parameters.items())
            raise ValueError(f"Shapes of parameters do not fit together: {shapes}.") from None
        self._names = tuple(parameters)
        for name, value in parameters.items():
            tail = value.shape[-1:] if name in self._events else ()
            setattr(self, name, np.broadcast_to(value, self._shape + tail))

    def _map(self, change: Callable[[str, np.ndarray], np.ndarray]) -> Self:
        """The same family with changed parameters, unchecked."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        new._set(**{name: change(name, getattr(self, name)) for name in self._names})
        return new

    def _broadcast(self, shape: tuple[int, ...]) -> Self:
        return self._map(
            lambda name, value: np.broadcast_to(
                value, shape + (value.shape[-1:] if name in self._events else ())
            )
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the rows: (n,), (n, n_targets), or () for one row."""
        return self._shape

    @property
    def ndim(self) -> int:
        """The number of dimensions of ``shape``."""
        return len(self._shape)

    @property
    def _width(self) -> int:
        """Numbers of a row that its formulas hold at once."""
        return max([getattr(self, name).shape[-1] for name in self._events], default=1)

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("The distribution of one row has no len().")
        return self._shape[0]

    def __getitem__(self, key: Any) -> Self:
        if not self._shape and not (key is None or key is Ellipsis or isinstance(key, tuple)):
            raise IndexError("The distribution of one row cannot be indexed.")
        key = key if isinstance(key, tuple) else (key,)

        def pick(name, value):
            if name not in self._events:
                return value[key]
            return np.moveaxis(np.moveaxis(value, -1, 0)[(slice(None), *key)], 0, -1)

        return self._map(pick)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of shape {self._shape}>"

    # -- evaluation ------------------------------------------------------------

    def _argument(self, name: str, value: Any) -> np.ndarray:
        value = numbers(name, value)
        if np.isnan(value).any():
            at = np.unravel_index(int(np.argmax(np.isnan(value))), value.shape)
            raise ValueError(f"{name} holds NaN" + (f", first in row {at[0]}." if at else "."))
        return value

    def _result_shape(self, name: str, value: np.ndarray) -> tuple[int, ...]:
        fits = value.ndim <= self.ndim or value.shape[value.ndim - self.ndim :] == self._shape
        try:
            if fits:
                return np.broadcast_shapes(self._shape, value.shape)
        except ValueError:
            pass
        hint = f" For a grid of m values: dist[..., None] and {name} of shape (m,)."
        raise ValueError(
            f"{name} of shape {value.shape} does not fit a distribution of shape {self._shape}."
            + (hint if value.ndim else "")
        )

    def _evaluate(self, formula: str, name: str | None = None, value: Any = None) -> Any:
        """Apply a formula, in blocks of rows that stay in the cache where rows are wide."""
        shape = self._shape if name is None else self._result_shape(name, value)
        with np.errstate(all="ignore"):  # limits are right as they are: log 0, exp(-inf)
            if self._width == 1 or math.prod(shape) * self._width <= BLOCK:
                arguments = () if name is None else (value,)
                found = np.asarray(getattr(self, formula)(*arguments))
                if not shape:
                    return float(found)
                fresh = found.shape == shape and found.flags.owndata
                return found if fresh else np.broadcast_to(found, shape).copy()
            out = np.empty(shape)
            rows = self._broadcast(shape)
            values = None if name is None else np.broadcast_to(value, shape)
            _fill(out, rows, formula, values)
            return out


def _fill(out: np.ndarray, rows: Rows, formula: str, values: np.ndarray | None) -> None:
    inner = math.prod(out.shape[1:]) * rows._width
    step = BLOCK // max(inner, 1)
    if step == 0 and out.ndim > 1:
        for i in range(len(out)):
            _fill(out[i], rows[i], formula, None if values is None else values[i])
        return
    for start in range(0, len(out), max(step, 1)):
        part = slice(start, start + max(step, 1))
        arguments = () if values is None else (values[part],)
        out[part] = getattr(rows[part], formula)(*arguments)
