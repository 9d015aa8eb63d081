"""The constant answer that a loss likes best: what any fit has to beat, and where outputs start."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._marginal import log_shares, spread_normals, stacked_quantiles
from fastmlp._weighted import average, quantile
from fastmlp.data import check_weights
from fastmlp.losses import check_targets, resolve_output

# Shares of a class are kept away from 0, where the logarithm ends.
_LEAST_SHARE = 1e-12
# Of many raw outputs per target, by the rule of losses.def: the targets of a column, the parameters
# of the loss, the weights -> the raw outputs.
_MARGINALS = {
    "SPREAD": lambda y, p, w: spread_normals(y, p["components"], p["floor"], w),
    "SHARES": lambda y, p, w: log_shares(y, p["bins"], w),
    "LEVELS": lambda y, p, w: stacked_quantiles(y, p["levels"], w),
}
# Of Fisher scoring: iterations at most, and the step at which it is there.
_MOST_STEPS, _SMALL_STEP = 100, 1e-9


def best_constant(
    network: Any,
    targets: np.ndarray,
    sample_weight: np.ndarray | None = None,
    guess: np.ndarray | None = None,
) -> tuple[np.ndarray, float] | None:
    """The best constant of a network's loss, before its output activation, and its loss.

    Half the variance of the targets for squared error, the entropy of the classes for log-loss,
    the marginal distribution for a likelihood; for the others the loss itself is asked.

    Parameters
    ----------
    network : Network
        With this loss; for "huber" the better of mean and median stands for the best, for many raw
        outputs per target a good one.
    targets : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Targets as the network takes them.
    sample_weight : ndarray of shape (n_samples,), optional
        Weights of the samples.
    guess : ndarray of shape (n_raw,), optional
        Raw outputs that are taken for the best.

    Returns
    -------
    raw : ndarray of shape (n_raw,)
    value : float
        The mean loss. Instead of the pair None, where nothing is known of the loss (the user's
        own without a guess, or another output activation than its canonical one) or zero is always
        best.
    """
    loss, n_targets = network._loss, network.n_targets
    rule = loss.row["constant"]
    canonical = resolve_output(None, loss, n_targets)
    if guess is not None:
        _, _, (value,) = _of_constants(network, targets, sample_weight, [guess])
        return guess, value
    if rule in ("UNKNOWN", "ZERO") or network._output != canonical:
        return None
    columns = targets.reshape(len(targets), -1)
    if rule in _MARGINALS:
        parts = [_MARGINALS[rule](column, loss.params, sample_weight) for column in columns.T]
        raw = np.ravel(parts, order="F")
        return raw, _of_constants(network, columns, sample_weight, [raw])[2][0]
    if loss.raws_per_target > 1:
        return _marginal(network, columns, sample_weight, rule, canonical.name)
    if loss.row["targets"] == "UNIT":
        share = np.clip(_shares(targets, n_targets, sample_weight), _LEAST_SHARE, 1 - _LEAST_SHARE)
        if n_targets > 1:
            raw = np.log(share)
            return raw, float(-(share @ raw))
        raw = np.log(share / (1 - share))
        return raw, float(-(share @ np.log(share) + (1 - share) @ np.log1p(-share)))
    candidates = []
    if rule != "QUANTILE":
        mean = average(columns, sample_weight)
        if loss.row["noise"] == "FREE":
            return mean, float(0.5 * average((columns - mean) ** 2, sample_weight).sum())
        candidates.append(_before(canonical.name, mean))
    if rule != "MEAN":
        level = loss.values[0] if rule == "QUANTILE" and loss.values else 0.5
        candidates.append(quantile(columns, level, sample_weight))
    objective, at, values = _of_constants(network, columns, sample_weight, candidates)
    k = int(np.argmin(values))
    return candidates[k], values[k]


def outputs_at_constant(theta: np.ndarray, network: Any, y: Any, sample_weight: Any) -> None:
    """Let the output biases in theta be the best constant, where one is known."""
    n = len(y) if np.ndim(y) else 0
    y = check_targets(y, network._loss, network._output, n, network.n_targets, np.float64)
    constant = best_constant(network, y, check_weights(sample_weight, n, np.dtype(np.float64)))
    if constant is not None:
        theta[-network.n_raw :] = constant[0]


def _before(output: str, mean: np.ndarray) -> np.ndarray:
    """What an output activation turns into this mean."""
    if output == "exp":
        return np.log(np.maximum(mean, np.finfo(float).tiny))
    if output == "logistic":
        share = np.clip(mean, _LEAST_SHARE, 1 - _LEAST_SHARE)
        return np.log(share / (1 - share))
    return mean


def _of_constants(network, targets, sample_weight, candidates):
    """The objective of a network without inputs, its parameters for each constant, its values."""
    one = type(network)(
        (1, network.n_targets), output_activation=network.output_activation, loss=network.loss
    )
    objective = one.objective(np.zeros((len(targets), 1)), targets, sample_weight=sample_weight)
    at = [one.pack([np.zeros((1, one.n_raw))], [raw]) for raw in candidates]
    return objective, at, [float(objective.value(theta)) for theta in at]


def _marginal(network, columns, sample_weight, rule, output):
    """Both raw outputs of each target by Fisher scoring, from moments on."""
    mean = average(columns, sample_weight)
    variance = average((columns - mean) ** 2, sample_weight)
    # a column that does not vary has no spread to be learned
    log_scale = 0.5 * np.log(np.where(variance > 0, variance, 1.0))
    second = log_scale if output == "identity" else np.zeros_like(mean)
    locations = [] if rule == "QUANTILE" else [_before(output, mean)]
    if rule != "MEAN":
        locations.append(quantile(columns, 0.5, sample_weight))
    candidates = [np.r_[location, second] for location in locations]
    objective, at, values = _of_constants(network, columns, sample_weight, candidates)
    k = int(np.argmin(values))
    theta, value, n_raw = at[k], values[k], network.n_raw
    for _ in range(_MOST_STEPS):
        step = _scoring_step(objective, theta, n_raw)
        while np.abs(step).max() > _SMALL_STEP * max(1.0, np.abs(theta).max()):
            trial = theta.copy()
            trial[-n_raw:] += step
            trial_value = objective.value(trial)
            if trial_value <= value:
                theta, value = trial, trial_value
                break
            step = step / 2
        else:
            break
    return theta[-n_raw:], float(value)


def _scoring_step(objective, theta, n_raw):
    """Of the output biases, the last n_raw entries of theta.

    Minus the gradient by the Fisher information, a block [a, b; b, c] for each target.
    """
    at_m = np.zeros_like(theta)
    at_m[-n_raw : -n_raw // 2] = 1
    at_s = np.zeros_like(theta)
    at_s[-n_raw // 2 :] = 1
    g_m, g_s = np.split(objective.value_grad(theta)[1][-n_raw:], 2)
    a, b = np.split(objective.ggn_mul(theta, at_m)[-n_raw:], 2)
    c = np.split(objective.ggn_mul(theta, at_s)[-n_raw:], 2)[1]
    left = np.maximum(1 - b * b / (a * c), 1e-12)
    return np.r_[g_s * b / c - g_m, g_m * b / a - g_s] / np.r_[a * left, c * left]


def _shares(targets, n_classes, weights):
    """Of each class: targets are class codes, or columns of probabilities."""
    if targets.ndim == 1 and n_classes > 1:
        counts = np.bincount(targets.astype(np.intp), weights=weights, minlength=n_classes)
        return counts / counts.sum()
    columns = targets.reshape(len(targets), -1)
    return np.average(columns, axis=0, weights=weights).astype(np.float64)
