"""Where every peer starts: scikit-learn's initial weights and its order of the rows."""

import numpy as np


def initial(case, dtype, seed):
    """(coefs, intercepts, rng): the draws of scikit-learn's MLP, and what it shuffles with."""
    rng = np.random.RandomState(seed)
    factor = 2 if case.activation == "logistic" else 6
    coefs, intercepts = [], []
    for fan_in, fan_out in zip(case.layers, case.layers[1:], strict=False):
        bound = np.sqrt(factor / (fan_in + fan_out))
        coefs.append(rng.uniform(-bound, bound, (fan_in, fan_out)).astype(dtype))
        intercepts.append(rng.uniform(-bound, bound, fan_out).astype(dtype))
    return coefs, intercepts, rng


def orders(case, rng, n):
    """For each epoch, the rows in the order of the visit, (n,)."""
    order = np.arange(n)
    for _ in range(case.epochs):
        if case.shuffle:
            shuffled = np.arange(n)
            rng.shuffle(shuffled)
            order = order[shuffled]
        yield order
