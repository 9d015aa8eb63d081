"""From a fitted estimator to outputs: packed weights, kept while these stay as they are."""

from __future__ import annotations

import functools
import itertools
import operator
import weakref

import numpy as np
import scipy.sparse as sp

from fastmlp._arrays import fits_panels
from fastmlp._core.row import outputs_of_row
from fastmlp._names import shown
from fastmlp._threads import default_threads, threads_in_force
from fastmlp.network import Network
from fastmlp.predictor import Predictor
from fastmlp.training import predict

# A thread that is started for one call needs so many times the work of one that BLAS has ready:
# a second one gains from 1.5 ms of work (measured), and is started in 0.1 to 0.5.
_WORTH_STARTING = 5

# estimator -> _Kept. Outside of the estimators, whose state stays plain and is not changed by
# predicting.
_kept = weakref.WeakKeyDictionary()


class _Kept:
    """What is kept of an estimator from one prediction to the next.

    Attributes
    ----------
    network : Network
    layers : Layers
        The network's.
    activations, out_activation : list, object
        The fitted attributes that the network was made of.
    packed : tuple or None
        For many rows: a Predictor, the ``_coefs`` and ``_intercepts`` that it packs, and the
        vector that these are views of (None if they are not). Set as a whole, since other threads
        may read it meanwhile.
    """

    __slots__ = ("activations", "layers", "network", "out_activation", "packed")

    def __init__(self, estimator):
        self.activations, self.out_activation = estimator.activations_, estimator.out_activation_
        self.network = _network_of(estimator)
        self.layers = self.network._layers
        self.packed = None


def plain_output(estimator, X):
    """Outputs for an exact ndarray of the right type and width; None where that is not sure.

    Finiteness is checked on the way; everything else is left to scikit-learn's validators, which
    also raise the errors.
    """
    kept = _kept.get(estimator)
    state = estimator.__dict__
    if (
        kept is None
        or type(X) is not np.ndarray
        or state.get("activations_") is not kept.activations
        or state.get("out_activation_") is not kept.out_activation
        or "_coefs" not in state
        or "_intercepts" not in state
        or "feature_names_in_" in state
    ):
        return None
    mean, scale = state["x_mean_"], state["x_scale_"]
    row = outputs_of_row(kept.layers, state["_coefs"], state["_intercepts"], X, mean, scale)
    if row is not None or not _fits(kept.network, X):
        return row
    predictor = _predictor_of(estimator, kept)
    if predictor is None:
        return None
    try:
        return predictor.outputs(X, n_threads=_threads(estimator, kept.network, X))
    except ValueError:
        return None


def _fits(network, X):
    """Whether an ndarray has rows of the network's type and width."""
    return X.ndim == 2 and X.size and X.dtype == network.dtype and X.shape[1] == network.n_features


def x_scales(estimator):
    """Mean and scale of the features; None: they reach the network as they are."""
    return None if estimator.x_mean_ is None else (estimator.x_mean_, estimator.x_scale_)


def output(estimator, X):
    """Outputs for checked data, dense or CSR."""
    kept = _kept[estimator] = _kept_of(estimator)
    coefs, intercepts = fitted_arrays(estimator)
    scales = x_scales(estimator)
    if not sp.issparse(X):
        if X.shape[0] == 1:
            row = outputs_of_row(kept.layers, coefs, intercepts, X, *(scales or ()))
            if row is not None:
                return row
        predictor = _predictor_of(estimator, kept)
        if predictor is not None:
            return predictor.outputs(X, n_threads=_threads(estimator, kept.network, X))
    theta = _as_theta(kept.network, coefs, intercepts)
    return predict(kept.network, theta, X, scales, estimator.n_threads)


def compiled(estimator, decision, classes, threshold):
    """A Predictor with the scales of inputs and targets."""
    network = _network_of(estimator)
    loss = estimator._fitted_loss()
    named = isinstance(loss, str | tuple)
    y_mean = getattr(estimator, "y_mean_", None)
    return Predictor(
        network,
        network.pack(*fitted_arrays(estimator)),
        decision,
        classes,
        threshold,
        names=getattr(estimator, "feature_names_in_", None),
        loss=loss if named else getattr(loss, "__name__", type(loss).__name__),
        x_scales=x_scales(estimator),
        y_scales=None if y_mean is None else (y_mean, estimator.y_scale_),
    )


def _kept_of(estimator):
    """What is kept already, or anew if the estimator's network is another one now."""
    kept = _kept.get(estimator)
    if kept is None or _network_of(estimator) is not kept.network:
        kept = _Kept(estimator)
    kept.activations, kept.out_activation = estimator.activations_, estimator.out_activation_
    return kept


def _predictor_of(estimator, kept):
    """The packed network, packed anew if its arrays changed.

    None if these are another network's by now, or if BLAS serves them better.
    """
    coefs, intercepts = estimator._coefs, estimator._intercepts
    arrays = (*coefs, *intercepts) if type(coefs) is type(intercepts) is list else ()
    scales = x_scales(estimator)
    predictor, packed, theta = kept.packed or (None, (), None)
    if theta is not None and len(arrays) == len(packed):
        if all(map(operator.is_, arrays, packed)) and predictor._packed.holds(theta, scales):
            return predictor
    coefs, intercepts = fitted_arrays(estimator)
    if not _made_for(kept.network, coefs, intercepts):
        return None
    if not fits_panels(kept.network.layers, kept.network.dtype.itemsize):
        return None
    theta = _as_theta(kept.network, coefs, intercepts)
    if predictor is None or not predictor._packed.holds(theta, scales):
        predictor = Predictor(kept.network, theta, x_scales=scales)
    kept.packed = predictor, arrays, theta if theta.base is not None else None
    return predictor


def _threads(estimator, network, X):
    """As many threads as the work is worth, at most ``n_threads``."""
    wanted = default_threads(2.0 * X.shape[0] * network.n_params / _WORTH_STARTING)
    if estimator.n_threads is not None:
        wanted = min(wanted, estimator.n_threads)
    return 1 if wanted == 1 else threads_in_force(wanted)


def fitted_arrays(estimator):
    """``_coefs`` and ``_intercepts`` as two lists of arrays that make a network.

    Raises
    ------
    ValueError
        They are what a user has made of them, and do not.
    """
    lists = []
    for what, ndim in (("coefs_", 2), ("intercepts_", 1)):
        given = getattr(estimator, f"_{what.removesuffix('_')}")
        if not isinstance(given, (list, tuple)):
            raise ValueError(f"{what} must be a list of arrays, got {shown(given)}.")
        lists.append([np.asarray(array) for array in given])
        for l, array in enumerate(lists[-1]):
            if array.ndim != ndim or array.dtype.kind not in "fiub" or not array.size:
                raise ValueError(
                    f"{what}[{l}] must be a {ndim}-D array of numbers, got shape {array.shape}, "
                    f"dtype {array.dtype}."
                )
    coefs, intercepts = lists
    fan_outs = [W.shape[1] for W in coefs]
    fits = coefs and [W.shape[0] for W in coefs[1:]] == fan_outs[:-1]
    if not fits or [b.size for b in intercepts] != fan_outs:
        raise ValueError(
            f"coefs_ of shapes {[W.shape for W in coefs]} and intercepts_ of shapes "
            f"{[b.shape for b in intercepts]} do not make a network."
        )
    return coefs, intercepts


def fitted_dtype(estimator):
    """The type that the network reckons in."""
    dtype = fitted_arrays(estimator)[0][0].dtype
    return dtype if dtype in (np.float32, np.float64) else np.dtype(np.float64)


def _network_of(estimator):
    """The network that the estimator's arrays make."""
    coefs, _ = fitted_arrays(estimator)
    layers = (*(coef.shape[0] for coef in coefs), coefs[-1].shape[1])
    activations = tuple(
        one if isinstance(one, str) else (one[0], tuple(one[1].items()))
        for one in estimator.activations_
    )
    return _network(layers, activations, estimator.out_activation_, fitted_dtype(estimator))


@functools.lru_cache(maxsize=64)
def _network(layers, activations, output_activation, dtype):
    """A network to predict with; outside of the estimators, whose state stays plain."""
    return Network(
        layers,
        activation=[one if isinstance(one, str) else (one[0], dict(one[1])) for one in activations],
        output_activation=output_activation,
        dtype=dtype,
    )


def _made_for(network, coefs, intercepts):
    """Whether arrays have the shapes and the type of a network's parameters."""
    shapes = [*zip(network.layers, network.layers[1:], strict=False)]
    return (
        [W.shape for W in coefs] == shapes
        and [b.shape for b in intercepts] == [shape[1:] for shape in shapes]
        and all(part.dtype == network.dtype for part in (*coefs, *intercepts))
    )


def _address(array):
    return array.__array_interface__["data"][0]


def _as_theta(network, coefs, intercepts):
    """The parameters as one vector: without a copy while they are still the views fit made."""
    base = coefs[0].base
    if isinstance(base, np.ndarray) and base.ndim == 1 and _made_for(network, coefs, intercepts):
        at = _address(coefs[0])
        first = (at - _address(base)) // base.itemsize
        theta = base[first : first + network.n_params]
        found = theta.size == network.n_params and theta.flags.c_contiguous
        if found and _address(theta) == at:
            for part in itertools.chain.from_iterable(zip(coefs, intercepts, strict=True)):
                if part.base is not base or not part.flags.c_contiguous or _address(part) != at:
                    break
                at += part.nbytes
            else:
                return theta
    return network.pack(coefs, intercepts)
