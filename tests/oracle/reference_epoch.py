"""The oracle's mini-batch loop: the plain NumPy form of ``NetworkObjective.epoch``."""

import math

import numpy as np


def update(theta, grad, first, second, t, rate, hyper, is_weight):
    """The parameters after step ``t`` (counted from 1) and the moments that it leaves.

    ``rate`` is a number, or one for each parameter: what has none of its own does not move.
    """
    norm = math.sqrt(np.sum(grad**2))
    if norm > hyper.max_norm:
        grad = grad * hyper.max_norm / norm
    decayed = theta - rate * hyper.weight_decay * theta * is_weight
    if hyper.update == "adam":
        first = hyper.beta_1 * first + (1 - hyper.beta_1) * grad
        second = hyper.beta_2 * second + (1 - hyper.beta_2) * grad**2
        rate = rate * math.sqrt(1 - hyper.beta_2**t) / (1 - hyper.beta_1**t)
        return decayed - rate * first / (np.sqrt(second) + hyper.epsilon), first, second
    momentum = hyper.momentum * (np.asarray(rate) > 0)
    first = momentum * first - rate * grad
    if hyper.update == "nesterov":
        return decayed + momentum * first - rate * grad, first, second
    return decayed + first, first, second


def epoch(net, theta, first, second, t, X, y, order, hyper, sample_weight=None, alpha=0.0):
    """One pass over the data: (theta, first, second, t, mean loss over the rows that counted)."""
    n_samples = len(order)
    weights = np.ones(n_samples) if sample_weight is None else np.asarray(sample_weight, float)
    X, y, is_weight = np.asarray(X, float), np.asarray(y), net.is_weight()
    sizes = [n for fan_in, fan_out in net.shapes for n in (fan_in * fan_out, fan_out)]
    loss, counted = 0.0, 0
    for batch, start in enumerate(range(0, n_samples, hyper.batch_size)):
        rows = order[start : start + hyper.batch_size]
        weight = weights[rows]
        if weight.sum() == 0:
            continue
        value, grad = net.value_grad(
            theta, X[rows], y[rows], weight, alpha / weight.sum(), mini_batch=True
        )
        t += 1
        rate = hyper.rates[batch]
        if hyper.rate_factors is not None:
            rate = rate * np.repeat(hyper.rate_factors, sizes)
        theta, first, second = update(theta, grad, first, second, t, rate, hyper, is_weight)
        loss, counted = loss + value * len(rows), counted + len(rows)
    return theta, first, second, t, loss / counted
