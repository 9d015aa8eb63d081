"""From a fitted estimator to outputs: packed weights, kept while these stay as they are."""

from __future__ import annotations

import dataclasses
import weakref

import numpy as np
import scipy.sparse as sp

from fastmlp._core.row import outputs_of_row
from fastmlp._names import shown
from fastmlp.network import Network
from fastmlp.plan import Plan
from fastmlp.predictor import Predictor
from fastmlp.threads import Threads
from fastmlp.training import predict

# estimator -> _Kept. Outside of the estimators, whose state stays plain and is not changed by
# predicting.
_kept = weakref.WeakKeyDictionary()


class _Kept:
    """What is kept of an estimator from one prediction to the next.

    Attributes
    ----------
    network : Network
    shape : tuple
        What the network was made of.
    activations, out_activation : list, object
        The estimator's own.
    packs : bool
        Whether the network fits the caches, on panels.
    predictor : Predictor or None
        For many rows; of weights that may have changed since.
    """

    __slots__ = ("activations", "network", "out_activation", "packs", "predictor", "shape")

    def __init__(self, estimator, shape):
        self.shape, self.network = shape, _network(*shape)
        widths, itemsize = self.network._layers.widths, self.network.dtype.itemsize
        self.packs = not Plan().for_work(widths, itemsize, "prediction").calls_blas
        self.predictor = None
        self.look_at(estimator)

    def look_at(self, estimator):
        self.activations, self.out_activation = estimator.activations_, estimator.out_activation_


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
    layers = kept.network._layers
    row = outputs_of_row(layers, state["_coefs"], state["_intercepts"], X, mean, scale)
    if row is not None or not _fits(kept.network, X):
        return row
    if not kept.packs:
        return None
    try:
        if not _is_packed(estimator, kept):
            if _shape_of(estimator) != kept.shape:
                return None
            _pack(estimator, kept)
        return _by_pack(estimator, kept, X)
    except (TypeError, ValueError):
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
            layers = kept.network._layers
            row = outputs_of_row(layers, coefs, intercepts, X, *(scales or ()))
            if row is not None:
                return row
        if kept.packs:
            return _packed_output(estimator, kept, X)
    theta = kept.network.pack(coefs, intercepts)
    return predict(kept.network, theta, X, scales, estimator.n_threads)


def packed_network(estimator):
    """The network that predicts, and its parameters."""
    network = _network(*_shape_of(estimator))
    return network, network.pack(*fitted_arrays(estimator))


def compiled(estimator, decision, classes, threshold):
    """A Predictor with the scales of inputs and targets."""
    network, theta = packed_network(estimator)
    loss = estimator._fitted_loss()
    named = isinstance(loss, str | tuple)
    y_mean = getattr(estimator, "y_mean_", None)
    return Predictor(
        network,
        theta,
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
    kept, shape = _kept.get(estimator), _shape_of(estimator)
    if kept is None or shape != kept.shape:
        return _Kept(estimator, shape)
    kept.look_at(estimator)
    return kept


def _packed_output(estimator, kept, X):
    """Outputs by the packed network, packed anew if the estimator's arrays changed."""
    if not _is_packed(estimator, kept):
        _pack(estimator, kept)
    return _by_pack(estimator, kept, X)


def _is_packed(estimator, kept):
    """Whether the estimator's arrays and scales are those in the predictor, bit by bit."""
    coefs, intercepts = estimator._coefs, estimator._intercepts
    predictor = kept.predictor
    return predictor is not None and predictor._packed.holds(coefs, intercepts, x_scales(estimator))


def _pack(estimator, kept):
    theta = kept.network.pack(*fitted_arrays(estimator))
    kept.predictor = Predictor(kept.network, theta, x_scales=x_scales(estimator))


def _by_pack(estimator, kept, X):
    flops = 2.0 * X.shape[0] * kept.network.n_params
    n_threads = Threads(estimator.n_threads).wanted("prediction", flops)
    return kept.predictor.outputs(X, n_threads=n_threads)


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


def layers_of(coefs, raws):
    """The widths of the network that these weights make, as Network takes them."""
    return (*(coef.shape[0] for coef in coefs), max(1, coefs[-1].shape[1] // raws))


@dataclasses.dataclass(frozen=True)
class _AnyLoss:
    """Stands for a loss, of which a prediction asks for the raw outputs per target alone."""

    raws_per_target: int

    def value_grad(self, raw, y):
        raise NotImplementedError


def _shape_of(estimator):
    """What the network of the estimator's arrays is made of: hashable, to be compared."""
    coefs, _ = fitted_arrays(estimator)
    raws, output = estimator._prediction_head()
    activations = tuple(
        one if isinstance(one, str) else (one[0], tuple(one[1].items()))
        for one in estimator.activations_
    )
    return layers_of(coefs, raws), activations, output, _AnyLoss(raws), fitted_dtype(estimator)


def _network(layers, activations, output_activation, loss, dtype):
    """A network to predict with."""
    return Network(
        layers,
        activation=[one if isinstance(one, str) else (one[0], dict(one[1])) for one in activations],
        output_activation=output_activation,
        loss=loss,
        dtype=dtype,
    )
