"""``coefs_`` and ``intercepts_`` of an estimator: its network's weights, in the units of X and y.

The network is trained on standardized data where ``standardize`` is set, and ``_coefs`` and
``_intercepts`` belong to that. What users and other tools read has the scales folded in.
"""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np

from fastmlp._scales import rescaled

_ADVICE = (
    "coefs_ and intercepts_ are computed from the standardized network (standardize=True) and "
    "cannot be edited in place. Change a copy and assign it as a whole: "
    "coefs = [W.copy() for W in model.coefs_]; ...; model.coefs_ = coefs"
)

# estimator -> (what was folded, coefs, intercepts). Outside of the estimators, whose state reading
# does not change.
_folded: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class Scales(NamedTuple):
    """x = (X - x_mean) / x_scale goes in, y = output * y_scale + y_mean comes out.

    Each of shape (n_features,) or (n_outputs,); None where nothing is to be done.
    """

    x_mean: np.ndarray | None
    x_scale: np.ndarray | None
    y_mean: np.ndarray | None
    y_scale: np.ndarray | None


class FoldedArray(np.ndarray):
    """A read-only array whose errors say what to do; copies and what is computed are plain."""

    def __setitem__(self, key, value):
        if not self.flags.writeable:
            raise ValueError(_ADVICE)
        super().__setitem__(key, value)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **keywords):
        if out is not None:
            if any(isinstance(a, FoldedArray) and not a.flags.writeable for a in out):
                raise ValueError(_ADVICE)
            keywords["out"] = tuple(map(_plain, out))
        result = getattr(ufunc, method)(*map(_plain, inputs), **keywords)
        return out[0] if out is not None and len(out) == 1 else result

    def copy(self, order="C"):
        """A plain copy, to be edited."""
        return _plain(self).copy(order)

    def __deepcopy__(self, memo):
        return self.copy()

    def __repr__(self):
        return repr(_plain(self))

    def __reduce_ex__(self, protocol):
        return _plain(self).__reduce_ex__(protocol)


class FoldedList(list):
    """The list of them, which cannot be changed either."""

    def _refuse(self, *args, **keywords):
        raise TypeError(_ADVICE)

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = pop = remove = clear = sort = reverse = _refuse

    def __reduce_ex__(self, protocol):
        return list, (list(self),)


def scales_of(estimator) -> Scales | None:
    """The scales between the estimator's data and its network's, or None."""
    state = vars(estimator)
    names = Scales._fields if estimator._folds_y else Scales._fields[:2]
    scales = Scales(*(state.get(f"{name}_") for name in names), *(None,) * (4 - len(names)))
    return None if scales.x_mean is None and scales.y_mean is None else scales


def fold(coefs, intercepts, scales: Scales) -> tuple[list, list]:
    """Weights and biases for data as they are, in float64, from those for scaled data."""
    coefs, intercepts = _float64(coefs), _float64(intercepts)
    if scales.x_mean is not None:
        coefs[0] = coefs[0] / scales.x_scale[:, np.newaxis]
        intercepts[0] = intercepts[0] - scales.x_mean @ coefs[0]
    if scales.y_mean is not None:
        coefs[-1], intercepts[-1] = rescaled(
            coefs[-1], intercepts[-1], scales.y_scale, scales.y_mean
        )
    return coefs, intercepts


def unfold(coefs, intercepts, scales: Scales) -> tuple[list, list]:
    """What ``fold`` was given, in float64."""
    coefs, intercepts = _float64(coefs), _float64(intercepts)
    if scales.y_mean is not None:
        coefs[-1], intercepts[-1] = rescaled(
            coefs[-1], intercepts[-1], 1 / scales.y_scale, -scales.y_mean / scales.y_scale
        )
    if scales.x_mean is not None:
        intercepts[0] = intercepts[0] + scales.x_mean @ coefs[0]
        coefs[0] = coefs[0] * scales.x_scale[:, np.newaxis]
    return coefs, intercepts


def in_users_units(estimator) -> tuple[Any, Any]:
    """``coefs_`` and ``intercepts_``: the lists themselves, or folded ones, kept for the next call.

    Raises
    ------
    AttributeError
        If the estimator has no weights.
    """
    coefs, intercepts = estimator._coefs, estimator._intercepts
    scales = scales_of(estimator)
    if scales is None:
        return coefs, intercepts
    sources = (*coefs, *intercepts, *scales)
    kept = _folded.get(estimator)
    if kept is None or not _same(kept[0], sources):
        folded = (FoldedList(map(_read_only, part)) for part in fold(coefs, intercepts, scales))
        kept = _folded[estimator] = (sources, *folded)
    return kept[1:]


class FittedWeights:
    """The attributes ``coefs_`` and ``intercepts_``; an estimator inherits them from here."""

    _folds_y = True  # whether they are in the units of y, too

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weights of each layer, (n_in, n_out), in the units of X and y."""
        return _read(self, "coefs_")

    @coefs_.setter
    def coefs_(self, coefs) -> None:
        _write(self, "coefs_", coefs)

    @coefs_.deleter
    def coefs_(self) -> None:
        _delete(self, "coefs_")

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of each layer, (n_out,), in the units of X and y."""
        return _read(self, "intercepts_")

    @intercepts_.setter
    def intercepts_(self, intercepts) -> None:
        _write(self, "intercepts_", intercepts)

    @intercepts_.deleter
    def intercepts_(self) -> None:
        _delete(self, "intercepts_")

    def __setstate__(self, state):
        """Take a pickled state, also one that keeps the weights under their public names."""
        state = dict(state)
        for name, own in _OWN.items():
            if name in state:
                state[own] = state.pop(name)
        super().__setstate__(state)


# The public attribute and where its values are kept, on the network's scale.
_OWN = {"coefs_": "_coefs", "intercepts_": "_intercepts"}


def _read(estimator, name):
    own = _OWN[name]
    if own not in vars(estimator):
        raise AttributeError(f"{type(estimator).__name__!r} object has no attribute {name!r}")
    if scales_of(estimator) is None:
        return vars(estimator)[own]
    return in_users_units(estimator)[list(_OWN).index(name)]


def _write(estimator, name, arrays):
    scales = scales_of(estimator)
    if scales is None or not all(own in vars(estimator) for own in _OWN.values()):
        vars(estimator)[_OWN[name]] = arrays
        return
    shown = dict(zip(_OWN, in_users_units(estimator), strict=True))
    arrays = _float64(arrays)
    shapes, wanted = [[a.shape for a in part] for part in (arrays, shown[name])]
    if shapes != wanted:
        raise ValueError(
            f"{name} must have the shapes {wanted}, as the fitted scales belong to this network; "
            f"got {shapes}."
        )
    shown[name] = arrays
    parts = unfold(*shown.values(), scales)
    dtype = estimator._coefs[0].dtype
    for own, part in zip(_OWN.values(), parts, strict=True):
        vars(estimator)[own] = [np.ascontiguousarray(a, dtype) for a in part]


def _delete(estimator, name):
    try:
        del vars(estimator)[_OWN[name]]
    except KeyError:
        raise AttributeError(name) from None


def _float64(arrays):
    return [np.asarray(array, dtype=np.float64) for array in arrays]


def _read_only(array):
    view = array.view(FoldedArray)
    view.flags.writeable = False
    return view


def _plain(array):
    return array.view(np.ndarray) if isinstance(array, FoldedArray) else array


def _same(kept, sources):
    return len(kept) == len(sources) and all(a is b for a, b in zip(kept, sources, strict=True))
