"""Those compared. A peer is a module with a ``NAME`` and one or both of these functions.

``prepare(case, X, y, seed, threads)``
    Everything that a user does once; returns ``train``, a callable without arguments that trains
    ``case.epochs`` epochs by adam in the dtype of X and returns the trained (coefs, intercepts).
    BLAS is held to ``threads`` already; a peer with threads of its own holds them there, too.
``predictor(case, coefs, intercepts, threads)``
    Returns ``predict``, a callable that takes an ndarray (n, n_features) of the dtype of the
    coefs and returns the network's outputs as an ndarray, (n, n_raw) or (n,).

``ACTIVATIONS``, if there, names those that the peer knows, ``SOLVERS`` what it trains by besides
adam; ``SPARSE = True`` says that it takes compressed sparse rows. ``SLOW_START = True`` says that
it compiles for many seconds per shape: it is left out of ``--quick``, of the random shapes and of
the sweep, and of everything where it does not build.

All draw their initial weights and their shuffles from ``RandomState(seed)`` as scikit-learn does,
so that they train the same network on the same batches and must end at the same loss.
"""

import importlib

MODULES = {
    "fastmlp": "fastmlp_peer",
    "compiled": "compiled_peer",
    "numpy": "numpy_peer",
    "sklearn": "sklearn_peer",
    "torch": "torch_peer",
    "torch.compile": "torch_compile_peer",
    "jax": "jax_peer",
    "onnxruntime": "onnx_peer",
}


def load(names=None):
    """(modules that could be imported, reasons for those that could not)."""
    found, missing = [], []
    for name in names or MODULES:
        try:
            found.append(importlib.import_module(f"bench.peers.{MODULES[name]}"))
        except ImportError as reason:
            missing.append(f"{name}: {reason}")
    return found, missing


def able(peers, function, case=None, patient=True):
    """Those of the peers that have the function, can do the case, and start fast."""
    return [
        peer
        for peer in peers
        if hasattr(peer, function)
        and (case is None or can_do(peer, case))
        and (patient or not getattr(peer, "SLOW_START", False))
    ]


def can_do(peer, case):
    """Whether a peer knows the activation and the solver of a case and takes its X."""
    return (
        case.activation in getattr(peer, "ACTIVATIONS", (case.activation,))
        and case.solver in ("adam", *getattr(peer, "SOLVERS", ()))
        and (not case.entries or getattr(peer, "SPARSE", False))
    )
