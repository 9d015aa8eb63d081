"""A trained network, packed for prediction and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from fastmlp._core.predictor import Packed
from fastmlp._names import shown, unknown
from fastmlp._numbers import check_unmasked, finite
from fastmlp.data import check_scales, check_vector
from fastmlp.network import Network
from fastmlp.plan import plan_of
from fastmlp.predictor._columns import check_names, names_of, some
from fastmlp.threads import SHARES, in_threads

DECISIONS = ("number", "binary", "multiclass", "multilabel")


class Predictor:
    """Predict with a trained network at the lowest latency; ``estimator.compile()`` makes one.

    It is small, never changes, pickles (between machines, too), may be shared by threads, and
    does not need scikit-learn.

    Parameters
    ----------
    network : Network
        The shape.
    theta : ndarray of shape (n_params,)
        The parameters; copied.
    decision : {"number", "binary", "multiclass", "multilabel"}, default="number"
        What ``predict`` makes of the outputs.
    classes : ndarray, optional
        Labels: two for "binary", which has one output; one per output for "multiclass".
    threshold : float, default=0.5
        The output above which a "binary" or "multilabel" answer is yes.
    names : sequence of str, optional
        The features' names: a data frame must have these columns, in this order.
    loss : object, optional
        What ``repr`` shows as the loss; by default the network's.
    x_scales, y_scales : tuple (mean, scale) of float64 vectors, optional
        Of each feature: the network sees ``(x - mean) / scale``. Of each output: what it gives is
        multiplied by the scale and added to the mean. Both are reckoned in float64: folded into
        weights of float32, a mean that is large beside its scale would cost the digits that matter.
    logs : float64 vector of k entries, optional
        The last k outputs are logarithms after all that: their exponentials come out, of the
        logarithms at least that are given here.
    plan : Plan, optional
        How rows are swept; what it leaves open is decided by the sizes. Not pickled: another
        machine decides for itself.

    Raises
    ------
    ValueError
        The arguments do not go together.

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

    __slots__ = (
        "_classes",
        "_decision",
        "_flat",
        "_logs",
        "_loss",
        "_names",
        "_network",
        "_packed",
        "_plan",
        "_threshold",
    )

    def __init__(
        self,
        network,
        theta,
        decision="number",
        classes=None,
        threshold=0.5,
        names=None,
        loss=None,
        x_scales=None,
        y_scales=None,
        logs=None,
        plan=None,
    ):
        if not isinstance(network, Network):
            raise ValueError(f"network must be a Network, got {type(network).__name__}.")
        theta = check_vector(theta, network.n_params, network.dtype, "theta")
        if decision not in DECISIONS:
            raise ValueError(unknown("decision", decision, DECISIONS))
        if decision == "binary" and network.n_targets != 1:
            raise ValueError(
                f"A binary decision takes 1 output, the network has {network.n_targets}."
            )
        self._network, self._decision = network, decision
        self._classes = _check_classes(classes, decision, network.n_targets)
        self._threshold = finite(threshold)
        if self._threshold is None:
            raise ValueError(f"threshold must be a finite number, got {shown(threshold)}.")
        self._names = None if names is None else tuple(map(str, names))
        if self._names is not None and len(self._names) != network.n_features:
            raise ValueError(
                f"names must be {network.n_features}, one for each feature; got {len(self._names)}."
            )
        self._loss = network.loss if loss is None else loss
        self._logs = None if logs is None else np.array(logs, np.float64)
        widths = network._layers.widths
        self._plan = plan_of(plan, widths).for_work(widths, theta.itemsize, "prediction")
        self._packed = Packed(
            network._layers,
            self._plan.codes,
            self._plan.tile,
            theta,
            check_scales(x_scales, network.n_features),
            check_scales(y_scales, network.n_targets),
            self._logs,
        )
        self._flat = decision == "number" and network.n_targets == 1

    def __getstate__(self):
        packed = self._packed
        return (
            self._network,
            packed.theta,
            self._decision,
            self._classes,
            self._threshold,
            self._names,
            self._loss,
            packed.x_scales,
            packed.y_scales,
            self._logs,
        )

    def __setstate__(self, state):
        try:
            Predictor.__init__(self, *state)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"This is not the state of a Predictor, or a damaged one: {error!r}."
            ) from error

    def __repr__(self) -> str:
        network = self._network
        classes = "" if self._classes is None else f", classes={self._classes.tolist()!r}"
        names = "" if self._names is None else f", names=[{some(self._names)}]"
        return (
            f"Predictor({list(network.layers)}, activation={network.activation!r}, "
            f"output_activation={network.output_activation!r}, loss={self._loss!r}, "
            f"dtype={network.dtype.name!r}, decision={self._decision!r}{classes}{names})"
        )

    def predict(self, x: Any, out: np.ndarray | None = None) -> np.ndarray:
        """Predict for one row or many.

        Parameters
        ----------
        x : array-like of shape (n_samples, n_features) or (n_features,)
            Rows, of any numeric dtype; fastest in the network's own. If the estimator was fitted
            on named columns, a data frame (or a Series of one row) must have these names, in the
            same order; arrays have none, and are taken as they stand.
        out : ndarray of shape (n_samples, n_targets), optional
            Where numbers are written; C-contiguous and of the network's dtype. For a single output
            also of shape (n_samples,). It may share memory with x. Not for labels.

        Returns
        -------
        ndarray
            What the estimator's ``predict`` gives: (n_samples,), or (n_samples, n_outputs) for
            several outputs. For a single row x of shape (n_features,), without the first axis.

        Raises
        ------
        ValueError
            Wrong shape, type or column names, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> from fastmlp.predictor import Predictor
        >>> net = Network([2, 1])
        >>> predictor = Predictor(net, net.pack([[[1.0], [2.0]]], [[3.0]]))
        >>> predictor.predict(np.ones((2, 2)))
        array([6., 6.])
        """
        if out is not None:
            if self._decision != "number":
                raise ValueError("out is for numbers; this network predicts labels.")
            if self._packed.outputs(x, self._flat, out) is None:
                self._checked(x, out, flat=self._flat)
            return out
        result = self._packed.outputs(x, self._flat)
        if result is None:
            result = self._checked(x)
            if self._flat:
                result = result[..., 0]
        return result if self._decision == "number" else self._label(result)

    __call__ = predict

    def outputs(self, x: Any, out: np.ndarray | None = None, n_threads: int = 1) -> np.ndarray:
        """The network's outputs: numbers, or probabilities where ``predict`` gives labels.

        Parameters
        ----------
        x, out
            As for :meth:`predict`; ``out`` may be given whatever the decision is.
        n_threads : int, default=1
            Threads that share many rows; the outputs are the same, bit by bit, for any number.

        Returns
        -------
        ndarray of shape (n_samples, n_targets) or (n_targets,)
            The latter for a single row. ``out`` where it was given.

        Raises
        ------
        ValueError
            Wrong shape, type or column names, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> from fastmlp.predictor import Predictor
        >>> net = Network([2, 1])
        >>> predictor = Predictor(net, net.pack([[[1.0], [2.0]]], [[3.0]]))
        >>> predictor.outputs(np.ones(2))
        array([6.])
        """
        result = self._packed.outputs(x, False, out) if n_threads == 1 else None
        return self._checked(x, out, n_threads) if result is None else result

    def _checked(self, x: Any, out: Any = None, n_threads: int = 1, flat: bool = False):
        """The outputs for whatever can be made rows of the network's type; errors for the rest.

        flat: out may lack the last axis, of the single output.
        """
        x = self._rows(x)
        shape = (*x.shape[:-1], self._network.n_targets)
        target = np.empty(shape, x.dtype) if out is None else self._check_out(out, shape, flat)
        # Rows that are still to be read must not be written over.
        room = np.empty(shape, x.dtype) if np.may_share_memory(x, target) else target
        many = n_threads > 1 and x.ndim == 2 and len(x) > self._plan.tile
        if not (self._fill_together(x, room, n_threads) if many else self._packed.fill(x, room)):
            raise ValueError(f"x holds NaN or infinity (or values too large for {x.dtype}).")
        if room is not target:
            target[...] = room
        return target if out is None else out

    def _check_out(self, out: Any, shape: tuple[int, ...], flat: bool) -> np.ndarray:
        """Out as an array of this shape, if it is one that C may write to."""
        if not isinstance(out, np.ndarray):
            raise ValueError(f"out must be an ndarray, got {type(out).__name__}.")
        dtype = self._network.dtype
        if out.dtype != dtype:
            raise ValueError(f"out must be {dtype} in native byte order, got dtype {out.dtype}.")
        if out.shape != shape and not (flat and out.shape == shape[:-1]):
            n_rows = f" and {shape[0]} rows" if len(shape) == 2 else ""
            raise ValueError(f"out must have {shape[-1]} columns{n_rows}, got shape {out.shape}.")
        if not out.flags.carray:
            raise ValueError("out must be C-contiguous, aligned and writeable.")
        return np.asarray(out).reshape(shape)

    def _fill_together(self, x: np.ndarray, out: np.ndarray, n_threads: int) -> bool:
        """All rows in several threads, some whole tiles at a time."""
        tile = self._plan.tile
        n_tiles = -(-len(x) // tile)
        step = tile * max(1, n_tiles // (SHARES * n_threads))
        shares = [slice(start, start + step) for start in range(0, len(x), step)]
        whole = [True] * len(shares)  # no NaN in them

        def fill(k):
            whole[k] = self._packed.fill(x[shares[k]], out[shares[k]])

        in_threads(fill, len(shares), n_threads, calls_blas=self._plan.calls_blas)
        return all(whole)

    def _rows(self, x: Any) -> np.ndarray:
        if sparse.issparse(x):
            raise ValueError("x is sparse; a predictor takes dense rows: pass x.toarray().")
        if self._names is not None and not isinstance(x, np.ndarray):
            check_names(self._names, names_of(x))
        if isinstance(x, np.ma.MaskedArray):
            check_unmasked("x", np.atleast_2d(x))
        x = np.asarray(x)
        if x.dtype.kind not in "fiub":
            raise ValueError(
                f"x must be numeric, got dtype {x.dtype}; x.astype({self._network.dtype.name!r}) "
                "may make it so."
            )
        width = self._network.n_features
        if x.ndim not in (1, 2):
            raise ValueError(
                f"x must have shape (n_samples, {width}) or ({width},), got {x.shape}."
            )
        if x.shape[-1] != width:
            raise ValueError(f"x must have {width} columns, got shape {x.shape}.")
        dtype = self._network.dtype
        readable = (
            x.dtype == dtype
            and x.flags.aligned
            and x.strides[-1] == x.itemsize
            and x.strides[0] % x.itemsize == 0
        )
        with np.errstate(over="ignore"):  # found by the sweep, as infinity
            return x if readable else x.astype(dtype, order="C")

    def _label(self, outputs: np.ndarray) -> np.ndarray:
        if self._decision == "multiclass":
            return self._classes[outputs.argmax(-1)]
        yes = outputs > self._threshold
        if self._decision == "multilabel":
            return yes.astype(np.intp)
        return self._classes[yes[..., 0].astype(np.intp)]


def _check_classes(classes: Any, decision: str, n_targets: int) -> np.ndarray | None:
    """The labels that a decision chooses from."""
    if decision not in ("binary", "multiclass"):
        return None
    wanted = 2 if decision == "binary" else n_targets
    classes = np.asarray(classes)
    if classes.shape != (wanted,):
        raise ValueError(
            f"A {decision} decision needs {wanted} classes, one for each answer; got shape "
            f"{classes.shape}."
        )
    return classes
