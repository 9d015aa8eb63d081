"""From a fitted estimator to outputs: packed weights, kept while ``coefs_`` stay as they are."""

from __future__ import annotations

import functools
import itertools
import weakref

import numpy as np
import scipy.sparse as sp

from fastmlp._arrays import fits_panels
from fastmlp.network import Network
from fastmlp.predictor import Predictor
from fastmlp.training import predict

# estimator -> (its arrays, the vector that they are views of or None, Predictor). Outside of the
# estimators, whose state stays plain and is not changed by predicting.
_packed = weakref.WeakKeyDictionary()


def plain_output(estimator, X):
    """Outputs for an exact ndarray of the right type and width; None where that is not sure.

    Finiteness is checked on the way; everything else is left to scikit-learn's validators, which
    also raise the errors.
    """
    state = vars(estimator)
    coefs = state.get("coefs_")
    if (
        coefs is None
        or type(X) is not np.ndarray
        or X.ndim != 2
        or X.dtype != coefs[0].dtype
        or not X.size
        or X.shape[1] != state["n_features_in_"]
        or state["x_mean_"] is not None
        or "feature_names_in_" in state
    ):
        return None
    predictor = _predictor_of(estimator)
    if predictor is None:
        return None
    try:
        return predictor.outputs(X)
    except ValueError:
        return None


def output(estimator, X):
    """Outputs for checked and scaled data, dense or CSR."""
    predictor = None if sp.issparse(X) else _predictor_of(estimator)
    if predictor is not None:
        return predictor.outputs(X)
    network = _network_of(estimator)
    theta = _as_theta(network, estimator.coefs_, estimator.intercepts_)
    return predict(network, theta, X, estimator.n_threads)


def compiled(estimator, decision, classes, threshold):
    """A Predictor with the scales of inputs and targets folded into the weights."""
    coefs, intercepts = list(estimator.coefs_), list(estimator.intercepts_)
    if estimator.x_mean_ is not None:
        coefs[0] = coefs[0] / estimator.x_scale_[:, None]
        intercepts[0] = intercepts[0] - estimator.x_mean_ @ coefs[0]
    if getattr(estimator, "y_mean_", None) is not None:
        coefs[-1] = coefs[-1] * estimator.y_scale_
        intercepts[-1] = intercepts[-1] * estimator.y_scale_ + estimator.y_mean_
    network = _network_of(estimator)
    return Predictor(network, network.pack(coefs, intercepts), decision, classes, threshold)


def _predictor_of(estimator):
    """The packed network, packed anew if its arrays changed; None if BLAS serves it better."""
    arrays = (*estimator.coefs_, *estimator.intercepts_)
    kept = _packed.get(estimator)
    if kept is not None and kept[1] is not None and len(arrays) == len(kept[0]):
        same = all(map(_is, arrays, kept[0]))
        if same and kept[2]._packed.holds(kept[1]):
            return kept[2]
    network = _network_of(estimator)
    if not fits_panels(network.layers, network.dtype.itemsize):
        return None
    theta = _as_theta(network, estimator.coefs_, estimator.intercepts_)
    if kept is not None and kept[2]._network is network and kept[2]._packed.holds(theta):
        return kept[2]
    predictor = Predictor(network, theta)
    own = theta if theta is estimator.coefs_[0].base else None
    _packed[estimator] = (arrays, own, predictor)
    return predictor


def _is(a, b):
    return a is b


def _network_of(estimator):
    """The network that the estimator's arrays make."""
    coefs = estimator.coefs_
    layers = (*(coef.shape[0] for coef in coefs), coefs[-1].shape[1])
    activations = tuple(
        one if isinstance(one, str) else (one[0], tuple(one[1].items()))
        for one in estimator.activations_
    )
    return _network(layers, activations, estimator.out_activation_, coefs[0].dtype)


@functools.lru_cache(maxsize=64)
def _network(layers, activations, output_activation, dtype):
    """A network to predict with; outside of the estimators, whose state stays plain."""
    return Network(
        layers,
        activation=[one if isinstance(one, str) else (one[0], dict(one[1])) for one in activations],
        output_activation=output_activation,
        dtype=dtype,
    )


def _address(array):
    return array.__array_interface__["data"][0]


def _as_theta(network, coefs, intercepts):
    """The parameters as one vector: without a copy while they are still the views fit made."""
    theta = coefs[0].base
    if (
        isinstance(theta, np.ndarray)
        and theta.shape == (network.n_params,)
        and theta.dtype == network.dtype
        and theta.flags.c_contiguous
    ):
        at = _address(theta)
        for part in itertools.chain.from_iterable(zip(coefs, intercepts, strict=True)):
            if part.base is not theta or not part.flags.c_contiguous or _address(part) != at:
                break
            at += part.nbytes
        else:
            return theta
    return network.pack(coefs, intercepts)
