"""What happens to the data before the network sees it: weights, scales, validation split."""

from __future__ import annotations

import math
import numbers

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, check_array

from fastmlp._numbers import check_unmasked
from fastmlp._scales import Moments, stretch


def check_weights(weights, n_samples: int, name: str = "sample_weight", may_vanish: bool = False):
    """Sample weights as a float vector, or None.

    Raises
    ------
    ValueError
        If they are not one finite, non-negative number per sample, or all zero, unless they
        may vanish.
    """
    if weights is None:
        return None
    if isinstance(weights, numbers.Number):
        weights = np.full(n_samples, weights, dtype=np.float64)
    check_unmasked(name, weights)
    weights = check_array(
        weights, ensure_2d=False, dtype=(np.float64, np.float32), input_name=name, order="C"
    )
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got {weights.ndim}D array.")
    if weights.shape != (n_samples,):
        raise ValueError(f"{name}.shape == {weights.shape}, expected {(n_samples,)}!")
    negative = np.flatnonzero(weights < 0)
    if negative.size:
        raise ValueError(
            f"Negative values in data passed to `{name}`: {name}[{negative[0]}] = "
            f"{weights[negative[0]]}."
        )
    if not (may_vanish or weights.any()):
        raise ValueError(f"Sample weights must contain at least one non-zero number ({name}).")
    return weights


def split(n_samples: int, fraction: float, rng, stratify=None, weights=None, balance=None):
    """Rows to train on and rows to validate on, drawn as scikit-learn's MLP draws them.

    Parameters
    ----------
    n_samples : int
    fraction : float
        Of the rows that count: those with a weight.
    rng : RandomState
    stratify : ndarray of shape (n_samples,) or None
        Both parts have its values in equal shares.
    weights : ndarray of shape (n_samples,) or None
    balance : ndarray of shape (n_samples,) or None
        As ``stratify``, where there are enough of each.
    """
    rows = np.arange(n_samples) if weights is None else np.flatnonzero(weights)
    if stratify is not None and len(rows) < n_samples:
        stratify, balance = None, stratify  # as scikit-learn's error would not be of this data
    if balance is not None and _can_be_balanced(balance[rows], fraction):
        stratify = balance
    counted = "" if len(rows) == n_samples else f", {len(rows)} of them with a weight"
    too_small = ValueError(
        "The validation set is too small. Increase 'validation_fraction' or the size of your "
        f"dataset ({n_samples} samples{counted}, validation_fraction={fraction})."
    )
    if counted and len(rows) < 2:
        raise too_small
    train, validation = train_test_split(
        rows,
        random_state=rng,
        test_size=float(fraction),
        stratify=None if stratify is None else stratify[rows],
    )
    if len(validation) < 2:
        raise too_small
    return train, validation


def n_counted(X, weights) -> int:
    """Rows that have a weight."""
    return X.shape[0] if weights is None else int(np.count_nonzero(weights))


def _can_be_balanced(values, fraction):
    """Whether ``train_test_split`` can give both parts some of each value."""
    counts = np.unique(values, return_counts=True)[1]
    n_validation = math.ceil(fraction * len(values))
    room = min(n_validation, len(values) - n_validation)
    return len(counts) > 0 and counts.min() > 1 and room >= len(counts)


def rows_as_given(given, checked, rows=None):
    """Rows of data (None: all), as the user's own frame or series where it is one."""
    if hasattr(given, "iloc") or type(given).__module__.startswith("polars"):
        return given if rows is None else _safe_indexing(given, rows)
    return checked if rows is None else checked[rows]


def take(rows, *arrays):
    """The rows of several arrays, some of which may be None."""
    return tuple(None if array is None else array[rows] for array in arrays)


def learn_scales(estimator, which, data, weights, rows=None) -> None:
    """Set the scales of "x" or "y", by the rows that are trained on; sparse data is not centred."""
    moments = Moments.of(data, weights, rows)
    centred = not sp.issparse(data)
    kept = vars(moments) | {"centred": centred, "stretch": np.ones(data.shape[1])}
    _set_scales(estimator, which, kept, moments.scales(centred))


def follow_scales(estimator, which, data, weights):
    """Let the scales of "x" or "y" follow a further block of rows.

    Returns
    -------
    old, new : tuple (mean, scale)
    ratio : ndarray of shape (n_columns,)
        What the weights of each column are to be stretched by.
    """
    kept = dict(getattr(estimator, f"_{which}_moments"))
    centred, before = kept.pop("centred"), kept.pop("stretch")
    moments = Moments(**kept)
    old = getattr(estimator, f"{which}_mean_"), getattr(estimator, f"{which}_scale_")
    after = moments + Moments.of(data, weights)
    new = after.scales(centred)
    now = stretch(before, old[1], new[1], moments.settled)
    _set_scales(estimator, which, vars(after) | {"centred": centred, "stretch": now}, new)
    return old, new, now / before


def no_scales(estimator, which) -> None:
    """Set the attributes of "x" or "y" that say: not scaled."""
    _set_scales(estimator, which, None, (None, None))


def _set_scales(estimator, which, moments, scales) -> None:
    setattr(estimator, f"_{which}_moments", moments)
    for name, value in zip(("mean", "scale"), scales, strict=True):
        setattr(estimator, f"{which}_{name}_", value)
