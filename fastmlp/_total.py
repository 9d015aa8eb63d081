"""Terms from anywhere: what they must have and answer, and their total.

A term answers ``sums(want, theta, v)`` with a tuple of additive things: no mean, no penalty. What
may be wanted, and what is answered, stands in :data:`SHAPES`.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any

import numpy as np

from fastmlp._gram import Factors
from fastmlp._names import shown
from fastmlp.data import check_rows_index, check_vector

# By what is wanted of a term: the shapes of its sums, n standing for n_params. Curvature is
# float64, value and gradient are of the term's dtype; matrices are symmetric.
SHAPES: dict[str, tuple[str, ...]] = {
    "value": ("",),
    "value_grad": ("", "n"),
    "value_grad_ggn": ("", "n", "nn"),  # all float64
    "value_grad_gram": ("", "n", "factors"),  # G by its factors, see Factors
    "ggn": ("nn",),
    "hessian": ("nn",),
    "ggn_mul": ("n",),  # G v
    "hess_mul": ("n",),
    "bend": ("n",),  # J' Q d2 raw / dv2
    "ggn_diagonal": ("n",),
}
# What every term has.
TERM = ("n_params", "n_samples", "n_residuals", "weight", "dtype", "segments", "sums")


class Total:
    """Terms added up, wherever each of them lives.

    Parameters
    ----------
    parts : sequence of terms
        Parts of the data, for the same theta: each with ``n_params``, ``n_samples``,
        ``n_residuals``, ``weight``, ``dtype``, ``segments`` and ``sums(want, theta, v)``, as
        :class:`NetworkTerm` has them.
    map : callable, default=map
        ``map(function, parts, wants, thetas, vs)``, with the answers in the order of the parts: the
        builtin one, an executor's (terms can be pickled), that of a cluster.

    Raises
    ------
    ValueError
        No parts, or parts of different networks; by ``sums``: a part answers with other shapes than
        :data:`SHAPES`, or with NaN where it is no fault of theta.
    RuntimeError
        By ``sums``: a part failed, or what runs it died.

    Notes
    -----
    A NaN at a trial step is an answer: solvers reject the step. A part that says NaN is asked again
    where all parts were finite before; it is named if it says NaN there, too.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network, terms
    >>> from fastmlp.objective import Objective
    >>> net = Network([2, 3, 1])
    >>> X, y = np.ones((4, 2)), np.zeros(4)
    >>> parts = [net.objective(X[k::2], y[k::2]).term for k in range(2)]
    >>> objective = Objective(terms.Total(parts))
    >>> theta = net.init(random_state=0)
    >>> np.isclose(objective.value(theta), net.value(theta, X, y))
    True
    """

    def __init__(self, parts: Sequence[Any], map: Callable[..., Any] = builtins.map):
        self.parts = list(parts)
        if not self.parts:
            raise ValueError("Total needs at least one part.")
        first = self.parts[0]
        for k, part in enumerate(self.parts):
            check_term(part, self._name(k))
            if part.segments != first.segments or part.dtype != first.dtype:
                raise ValueError(
                    f"All parts must be for the same theta: {self._name(k)} has {part.n_params} "
                    f"parameters of {part.dtype} in {len(part.segments)} segments, the first "
                    f"{first.n_params} of {first.dtype} in {len(first.segments)}."
                )
        self._map = map
        self.n_params, self.dtype, self.segments = first.n_params, first.dtype, first.segments
        self.n_samples = sum(part.n_samples for part in self.parts)
        self.n_residuals = sum(part.n_residuals for part in self.parts)
        self.weight = float(sum(part.weight for part in self.parts))
        self._sound: np.ndarray | None = None  # where all parts were finite last

    def sums(self, want: str, theta: Any, v: Any = None) -> tuple:
        """As :meth:`NetworkTerm.sums`, added up in the order of the parts."""
        theta = check_vector(theta, self.n_params, self.dtype, "theta").copy()
        total: list[Any] = []
        for k, answer in enumerate(self._answers(want, theta, v)):
            if _has_nan(answer):
                self._blame(k, want, theta, v)
            total = [a + b for a, b in zip(total, answer, strict=True)] if total else answer
        if not _has_nan(total):
            self._sound = theta
        return tuple(total)

    def _answers(self, want, theta, v):
        """What the parts say, one after another, of the right shapes."""
        n = len(self.parts)
        answers = iter(())
        for k in range(n):
            try:
                if k == 0:
                    answers = iter(self._map(_ask, self.parts, [want] * n, [theta] * n, [v] * n))
                answer = next(answers)
            except Exception as error:
                died = isinstance(error, BrokenExecutor)
                what = "what runs the parts died before it answered" if died else "it failed"
                raise RuntimeError(
                    f"No {want} of {self._name(k)}: {what}. {type(error).__name__}: {error}"
                ) from error
            yield checked_sums(answer, want, n_params=self.n_params, who=self._name(k))

    def _blame(self, k, want, theta, v):
        """Raise unless the part is finite where all parts were: theta is to blame then."""
        if self._sound is not None and not np.array_equal(self._sound, theta):
            (answer,) = self._map(_ask, self.parts[k : k + 1], [want], [self._sound], [v])
            if not _has_nan(answer):
                return
        raise ValueError(f"{self._name(k)} answers {want} with NaN.")

    def _name(self, k: int) -> str:
        return f"part {k} of {len(self.parts)} (counted from 0)"

    def subset(self, positions: Any) -> Total:
        """The same on some of the rows, by positions in the parts one after another."""
        positions = check_positions(positions, self.n_samples)
        parts, begin = [], 0
        for part in self.parts:
            end = begin + part.n_samples
            inside = positions[(begin <= positions) & (positions < end)] - begin
            if inside.size:
                parts.append(subset_of(part, inside))
            begin = end
        return Total(parts, self._map)

    def rows_that_weigh(self) -> np.ndarray:
        """Positions of the rows but those of weight 0, as far as the parts tell."""
        begins = np.cumsum([0, *(part.n_samples for part in self.parts[:-1])])
        found = zip(begins, map(rows_that_weigh, self.parts), strict=True)
        return np.concatenate([begin + rows for begin, rows in found])


def check_term(term: Any, who: str) -> None:
    """Raise TypeError unless an object has all that a term has."""
    missing = [name for name in TERM if not hasattr(term, name)]
    if missing:
        raise TypeError(f"{who} must have {', '.join(missing)}; {shown(term)} has not.")


def subset_of(term: Any, positions: np.ndarray) -> Any:
    """A term on some of its rows, which one of the user's own need not offer."""
    if not hasattr(term, "subset"):
        raise TypeError(
            f"Samples of the rows need a term that has subset(positions); {shown(term)} has not."
        )
    return term.subset(positions)


def rows_that_weigh(term: Any) -> np.ndarray:
    """Positions of a term's rows but those of weight 0, as far as it tells."""
    own = getattr(term, "rows_that_weigh", None)
    return np.arange(term.n_samples) if own is None else own()


def check_positions(positions: Any, n_samples: int) -> np.ndarray:
    """Positions of rows, from 0 to ``n_samples - 1``."""
    checked = check_rows_index(positions, n_samples, "positions")
    if checked is None:
        raise TypeError("positions must be an array of integers, got None.")
    return checked


def checked_sums(answer: Any, want: str, n_params: int, who: str) -> list:
    """Sums of a term from anywhere, of the right shapes; arrays are copied, to be changed."""
    shapes = {"": (), "n": (n_params,), "nn": (n_params, n_params)}
    expected = [shapes.get(letters, letters) for letters in SHAPES[want]]
    found: Any = shown(answer)
    if isinstance(answer, tuple | list):
        found = [_shape(part) for part in answer]
    if found != expected:
        raise ValueError(f"{who} must answer {want} with sums of shapes {expected}; got {found}.")
    return [part.copy() if isinstance(part, np.ndarray) else part for part in answer]


def _shape(part):
    if isinstance(part, Factors):
        return "factors"
    try:
        part = np.asarray(part)
    except ValueError:  # rows of different lengths
        return "ragged"
    return part.shape if part.dtype.kind in "fiub" else f"{part.dtype}"


def _ask(part, want, theta, v):
    """What a map calls, which may be that of other processes."""
    return part.sums(want, theta, v)


def _has_nan(answer) -> bool:
    return any(np.isnan(part).any() for part in answer if not isinstance(part, Factors))
