"""What an epoch is told and what it leaves: the fields of ``hyper`` and ``state``, typed once."""

from types import SimpleNamespace

import numpy as np


def hyper(update, batch_size, n_batches, **changes):
    """Hyper-parameters of an update; rates fall from batch to batch, no two values are alike."""
    values = {
        "update": update,
        "batch_size": batch_size,
        "rates": 0.03 / (1.0 + 0.1 * np.arange(n_batches)),
        "momentum": 0.9,
        "beta_1": 0.85,
        "beta_2": 0.99,
        "epsilon": 1e-7,
        "weight_decay": 0.0,
        "max_norm": np.inf,
        "rate_factors": None,
    }
    unknown = set(changes) - set(values)
    assert not unknown, f"not of an update: {unknown}"
    return SimpleNamespace(**{**values, **changes})


def fresh_state(theta):
    """No step taken, no moments gathered."""
    return SimpleNamespace(first=np.zeros_like(theta), second=np.zeros_like(theta), t=0)
