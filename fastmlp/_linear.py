"""A linear function as a network's parameters: hidden units that stay where they are straight."""

from __future__ import annotations

import numpy as np

from fastmlp._core.kernels import activation_values

# How far from their working point units may be driven: departures from a straight line are of this
# size, rounding errors of the type's over it.
DRIVEN = {np.dtype(np.float64): 1e-4, np.dtype(np.float32): 1e-3}


def linear_twin(term, theta):
    """A term's data as a linear function sees them, and that function's theta -> the network's.

    None where the network is linear, or a hidden layer has fewer units than there are outputs. See
    :meth:`fastmlp.objective.NetworkObjective.linear`.
    """
    network = term.network
    if len(network.layers) == 2 or min(network.layers[1:-1]) < network.n_raw:
        return None
    line = network.without_hidden_layers()
    twin = term.like(line)

    return twin, AsNetwork(network, theta, line, twin)


class AsNetwork:
    """A linear function's theta -> the network's.

    Parameters
    ----------
    network, line : Network
    theta : ndarray of shape (n_params,)
        Of the network: what units have that the linear function does not need.
    twin : term of the linear function, or None
        Its data say how far units are driven.
    reach : float, optional
        The largest ``|X coef|``, instead of them.
    """

    def __init__(self, network, theta, line, twin, reach=None):
        self._network, self._theta, self._line = network, theta, line
        self._twin, self._reach = twin, reach

    def __call__(self, line_theta):
        (coef,), (intercept,) = self._line.unpack(line_theta)
        reach = self._reach_of(line_theta, intercept) if self._reach is None else self._reach
        return _linear_theta(self._network, self._theta, coef, intercept, reach)

    def _reach_of(self, line_theta, intercept):
        return float(np.abs(self._twin.raw(line_theta) - intercept).max())

    def without_data(self, line_theta):
        """The same for what is near this theta, for good."""
        _, (intercept,) = self._line.unpack(line_theta)
        reach = self._reach_of(line_theta, intercept)
        return AsNetwork(self._network, self._theta, self._line, None, reach)


def _linear_theta(network, theta, coef, intercept, reach: float) -> np.ndarray:
    """The parameters at which ``raw`` is ``X coef + intercept``, nearly.

    reach: the largest ``|X coef|``.

    One unit a layer carries one output. All others keep what comes in, as in theta, and nothing
    goes from them to the outputs, so that a further run may wake them.
    """
    n = network.n_raw
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
