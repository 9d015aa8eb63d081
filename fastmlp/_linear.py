"""A linear function as a network's parameters: hidden units that stay where they are straight."""

from __future__ import annotations

import numpy as np

from fastmlp._core.kernels import activation_values

# How far from their working point units may be driven: departures from a straight line are of this
# size, rounding errors of the type's over it.
DRIVEN = {np.dtype(np.float64): 1e-4, np.dtype(np.float32): 1e-3}


def linear_theta(network, theta, coef, intercept, reach: float) -> np.ndarray | None:
    """The parameters at which ``raw`` is ``X coef + intercept``, nearly.

    One unit a layer carries one output. All others keep what comes in, and nothing goes from them
    to the outputs, so that a further run may wake them.

    Parameters
    ----------
    network : Network
        With hidden layers.
    theta : ndarray of shape (n_params,)
        What the idle units have.
    coef : ndarray of shape (n_features, n_raw)
        Slopes.
    intercept : ndarray of shape (n_raw,)
        Levels.
    reach : float
        The largest ``|X coef|``.

    Returns
    -------
    ndarray of shape (n_params,) or None
        None if a hidden layer has fewer units than there are outputs.
    """
    n = network.n_raw
    if min(network.layers[1:-1]) < n:
        return None
    coefs, intercepts = (list(map(np.array, arrays)) for arrays in network.unpack(theta))
    # The carried signal, as units see it, is at + gain * X coef.
    gain = DRIVEN[network.dtype] / max(reach, np.finfo(np.float64).tiny)
    into, level = gain * coef, np.zeros(n)
    for W, b, activation in zip(coefs, intercepts, network._hidden, strict=False):
        z, value, slope = _working_point(activation)
        W[:, :n] = 0.0
        W[: len(into), :n] = into
        b[:n] = z + level
        into, level = np.eye(n) / slope, np.full(n, -value / slope)
    coefs[-1][:] = 0.0
    coefs[-1][:n] = into / gain
    intercepts[-1][:] = intercept + level / gain
    return network.pack(coefs, intercepts)


def _working_point(activation):
    """z, value and slope where an activation is straightest of a few points that are not flat."""
    z, h = np.array([0.0, 1.0]), 1e-3
    param = np.zeros(2)  # as many as the kernels have room for
    param[: len(activation.values)] = activation.values
    value, slope, _ = activation_values(activation.name, param, z)
    below, above = (activation_values(activation.name, param, z + d)[1] for d in (-h, h))
    best = np.argmin(np.abs(above - below) / np.maximum(np.abs(slope), h))
    return z[best], value[best], slope[best]
