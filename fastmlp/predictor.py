"""A trained network, packed for prediction and nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy import sparse

from fastmlp._arrays import check_vector
from fastmlp._core.predictor import TILE_ROWS, Packed

SHARES = 4  # for each thread: one that the machine holds up leaves its next share to the others


class Predictor:
    """Predict with a trained network at the lowest latency; ``estimator.compile()`` makes one.

    It is small, never changes, pickles (between machines, too), may be shared by threads, and
    does not need scikit-learn. Scales of inputs and targets are folded into the weights.

    Parameters
    ----------
    network : Network
        The shape.
    theta : ndarray of shape (n_params,)
        The parameters; copied.
    decision : {"number", "binary", "multiclass", "multilabel"}, default="number"
        What ``predict`` makes of the outputs.
    classes : ndarray, optional
        Labels, for "binary" and "multiclass".
    threshold : float, default=0.5
        The output above which a "binary" or "multilabel" answer is yes.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.predictor import Predictor
    >>> net = Network([2, 3, 1])
    >>> predict = Predictor(net, net.init(random_state=0)).predict
    >>> predict(np.zeros((4, 2))).shape
    (4,)
    """

    __slots__ = ("_classes", "_decision", "_flat", "_network", "_packed", "_threshold")

    def __init__(self, network, theta, decision="number", classes=None, threshold=0.5):
        theta = check_vector(theta, network.n_params, network.dtype, "theta")
        self.__setstate__((network, theta, decision, classes, threshold))

    def __getstate__(self):
        return self._network, self._packed.theta, self._decision, self._classes, self._threshold

    def __setstate__(self, state):
        self._network, theta, self._decision, self._classes, self._threshold = state
        self._packed = Packed(self._network._layers, theta)
        self._flat = self._decision == "number" and self._network.n_raw == 1

    def __repr__(self) -> str:
        return f"Predictor({self._network!r}, decision={self._decision!r})"

    def predict(self, x: Any, out: np.ndarray | None = None) -> np.ndarray:
        """Predict for one row or many.

        Parameters
        ----------
        x : array-like of shape (n_samples, n_features) or (n_features,)
            Rows, of any numeric dtype; fastest in the network's own. A data frame's columns are
            taken in the order in which they stand, whatever their names.
        out : ndarray of shape (n_samples, n_raw), optional
            Where numbers are written; C-contiguous and of the network's dtype. For a single output
            also of shape (n_samples,). Not for labels.

        Returns
        -------
        ndarray
            What the estimator's ``predict`` gives: (n_samples,), or (n_samples, n_outputs) for
            several outputs. For a single row x of shape (n_features,), without the first axis.

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity.
        """
        if out is not None:
            if self._decision != "number":
                raise ValueError("out is for numbers; this network predicts labels.")
            if not isinstance(out, np.ndarray):
                raise ValueError(f"out must be an ndarray, got {type(out).__name__}.")
            single = self._flat and out.ndim == np.ndim(x) - 1
            self._checked(x, out[..., None] if single else out)
            return out
        result = self._packed.outputs(x, self._flat)
        if result is None:
            result = self._checked(x)
            if self._flat:
                result = result[..., 0]
        return result if self._decision == "number" else self._label(result)

    __call__ = predict

    def outputs(self, x: Any, out: np.ndarray | None = None, n_threads: int = 1) -> np.ndarray:
        """The network's outputs, (n_samples, n_raw), or (n_raw,) for a single row.

        They are the same, bit by bit, for any ``n_threads``.
        """
        result = self._packed.outputs(x) if out is None and n_threads == 1 else None
        return self._checked(x, out, n_threads) if result is None else result

    def _checked(self, x: Any, out: np.ndarray | None = None, n_threads: int = 1) -> np.ndarray:
        """The outputs for whatever can be made rows of the network's type; errors for the rest."""
        x = self._rows(x)
        if out is None:
            out = np.empty((*x.shape[:-1], self._network.n_raw), x.dtype)
        many = n_threads > 1 and x.ndim == out.ndim == 2 and len(x) == len(out) > TILE_ROWS
        if not (self._fill_together(x, out, n_threads) if many else self._packed.fill(x, out)):
            raise ValueError(f"x holds NaN or infinity (or values too large for {x.dtype}).")
        return out

    def _fill_together(self, x: np.ndarray, out: np.ndarray, n_threads: int) -> bool:
        """All rows in several threads, some whole tiles at a time."""
        n_tiles = -(-len(x) // TILE_ROWS)
        step = TILE_ROWS * max(1, n_tiles // (SHARES * n_threads))
        shares = [slice(start, start + step) for start in range(0, len(x), step)]
        with ThreadPoolExecutor(n_threads) as pool:
            return all(pool.map(lambda share: self._packed.fill(x[share], out[share]), shares))

    def _rows(self, x: Any) -> np.ndarray:
        if sparse.issparse(x):
            raise ValueError("x is sparse; a predictor takes dense rows: pass x.toarray().")
        x = np.asarray(x)
        if x.dtype.kind not in "fiub":
            raise ValueError(
                f"x must be numeric, got dtype {x.dtype}; x.astype({self._network.dtype.name!r}) "
                "may make it so."
            )
        if x.ndim not in (1, 2):
            width = self._network.n_features
            raise ValueError(
                f"x must have shape (n_samples, {width}) or ({width},), got {x.shape}."
            )
        dtype = self._network.dtype
        readable = (
            x.dtype == dtype
            and x.flags.aligned
            and x.strides[-1] == x.itemsize
            and x.strides[0] % x.itemsize == 0
        )
        return x if readable else x.astype(dtype, order="C")

    def _label(self, outputs: np.ndarray) -> np.ndarray:
        if self._decision == "multiclass":
            return self._classes[outputs.argmax(-1)]
        yes = outputs > self._threshold
        if self._decision == "multilabel":
            return yes.astype(np.intp)
        return self._classes[yes[..., 0].astype(np.intp)]
