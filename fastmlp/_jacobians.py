"""Derivatives of a network's outputs by its parameters or its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._sweeps import Sweep
from fastmlp.activations import Activation, slope_of
from fastmlp.data import check_rows, check_vector
from fastmlp.plan import plan_of


def of_raw(network: Any, theta: Any, X: Any, *, of_inputs: bool, plan: Any) -> np.ndarray:
    """d raw / d theta or d raw / d x: (n, n_raw, n_params or n_features), float64."""
    theta = check_vector(theta, network.n_params, np.dtype(np.float64), "theta")
    X = check_rows(X, network.n_features, np.dtype(np.float64))
    plan = plan_of(plan, network._widths)
    return Sweep(network._layers, theta.dtype, X, plan=plan).jacobian(theta, of_inputs)


def through(output: Activation, raw: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """d output(raw) / d x from d raw / d x, (n, n_targets, n_features), and raw, (n, n_targets)."""
    if output.name == "identity":
        return jacobian
    if output.name == "softmax":
        p = np.exp(raw - raw.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        mean = np.einsum("nk,nkj->nj", p, jacobian)
        return p[:, :, np.newaxis] * (jacobian - mean[:, np.newaxis])
    slope = slope_of(output, raw.ravel())
    return slope.reshape(raw.shape)[:, :, np.newaxis] * jacobian
