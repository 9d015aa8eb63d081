"""What an earlier fit left for this one: what belongs to the weights goes on, the rest may not.

The best loss or score and the count of epochs without improvement belong to the data, the loss and
the rule of stopping that they were found with, and go on for these alone. The rows set aside stay
aside, as the weights have never seen them; the generator of a seed goes on, so that the rows come
in another order; moments and rates belong to the run.
"""

from __future__ import annotations

import zlib
from dataclasses import replace
from numbers import Integral

import numpy as np
import scipy.sparse as sp

from fastmlp.estimators import _params
from fastmlp.solvers._minibatch_loop import MiniBatchState

_SAMPLE = 8192  # entries of each array whose order a fingerprint knows


def generator(estimator, fresh):
    """The generator of a fit: that of the seed, or where the last fit left it."""
    left = None if fresh else vars(estimator).get("_generator")
    if left is not None and left["seed"] == estimator.random_state:
        return _restored(left["state"])
    return _params.random_state(estimator.random_state)


def left_by(estimator, rng):
    """What the next fit finds of the generator; one that the user holds goes on by itself."""
    seed = estimator.random_state
    if not isinstance(seed, Integral):
        return None
    return {"seed": int(seed), "state": rng.get_state(legacy=False)}


def split_generator(estimator, rng, fresh):
    """The generator of the validation split: a continued fit sets the same rows aside again."""
    left = None if fresh else vars(estimator).get("_split_state")
    if left is not None:
        return _restored(left)
    estimator._split_state = rng.get_state(legacy=False)
    return rng


def _restored(state):
    rng = np.random.RandomState(getattr(np.random, state["bit_generator"])())
    rng.set_state(state)
    return rng


def judges(estimator, solver, data, validation):
    """What the record of a fit belongs to, as numbers that tell two fits apart.

    Parameters
    ----------
    data : tuple
        X, targets, weights and rows that are trained on.
    validation : tuple or None
        The same of the validation data, or the rows that are set aside.
    """
    names = ("loss", "distribution", "alpha", "quantile", "scoring")
    losses = [repr(getattr(estimator, name, None)) for name in names]
    rule = [repr(getattr(estimator, name)) for name in ("tol", "n_iter_no_change")]
    return {
        "objective": fingerprint(*data, *(validation or ()), *losses),
        "rule": fingerprint(repr(solver), *rule),
    }


def old_state(estimator, judged, theta, incremental):
    """The state that a mini-batch solver goes on from: all of it, or what is still true."""
    if estimator._solver_state is None:
        return None
    state = MiniBatchState(**estimator._solver_state)
    if incremental:
        return state
    state = state.restarted()
    left = vars(estimator).get("_judged") or {}
    if left.get("objective") != judged["objective"] or left["theta"] != fingerprint(theta):
        return replace(state, best_loss=np.inf, best_score=-np.inf, no_improvement_count=0)
    return state if left["rule"] == judged["rule"] else replace(state, no_improvement_count=0)


def fingerprint(*parts) -> int:
    """A number that is another one, in all likelihood, for other arrays or words.

    Every entry counts, and the order of some thousands: one pass over the memory.
    """
    code = 0
    for part in parts:
        if part is None or isinstance(part, str):
            code = zlib.crc32(repr(part).encode(), code)
        elif sp.issparse(part):
            code = fingerprint(str(code), part.data, part.indices, part.indptr)
        else:
            code = _of_array(part, code)
    return code


def _of_array(array, code):
    flat = array.ravel(order="K")
    bits = flat.view(f"u{flat.itemsize}")
    total = int(np.add.reduce(bits, dtype=np.uint64))
    code = zlib.crc32(repr((array.shape, array.dtype.str, total)).encode(), code)
    return zlib.crc32(np.ascontiguousarray(bits[:: bits.size // _SAMPLE | 1]), code)
