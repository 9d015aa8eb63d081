"""Those compared. A peer is a module with a ``NAME`` and one function:

``prepare(case, X, y, seed, threads)``
    Everything that a user does once; returns ``train``, a callable without arguments that trains
    ``case.epochs`` epochs by adam in the dtype of X and returns the loss of each epoch. BLAS is
    held to ``threads`` already; a peer with threads of its own holds them there, too.

All draw their initial weights and their shuffles from ``RandomState(seed)`` as scikit-learn does,
so that they train the same network on the same batches and must end at the same loss.
"""

import importlib

MODULES = ["fastmlp_peer", "numpy_peer", "sklearn_peer"]


def load():
    """(modules that could be imported, reasons for those that could not)."""
    found, missing = [], []
    for name in MODULES:
        try:
            found.append(importlib.import_module(f"peers.{name}"))
        except ImportError as reason:
            missing.append(f"{name.removesuffix('_peer')}: {reason}")
    return found, missing
