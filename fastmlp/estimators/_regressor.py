"""MLPRegressor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from fastmlp.estimators import _data, _params
from fastmlp.estimators._base import BaseMLP, is_mini_batch
from fastmlp.estimators._docs import documented
from fastmlp.estimators._scoring import r2
from fastmlp.losses import NAMES
from fastmlp.solvers import Record
from fastmlp.solvers._base import Solver

LOSSES = tuple(name for name in NAMES if name not in ("log_loss", "perceptron"))
# The targets of the others have a zero that means something.
SHIFTABLE = ("squared_error", "absolute_error", "huber", "quantile")


def _is_loss(value):
    name = value[0] if _params.is_named(value) else value
    if isinstance(name, str):
        return name in LOSSES
    return callable(name) or callable(getattr(name, "value_grad", None))


@documented
class MLPRegressor(RegressorMixin, BaseMLP):
    """Multilayer perceptron regressor.

    scikit-learn's ``MLPRegressor``, trained by a compiled core: same parameters, same fitted
    attributes and, with the same ``random_state``, the same loss curve up to rounding.

    How to choose the solver: up to some thousand weights and a fit that has to be close, "lm" (with
    little data ``LevenbergMarquardt(evidence=True)``, which finds ``alpha`` by itself); many
    samples, noisy targets or large networks, "adam"; in between, "lbfgs" and "newton-cg".

    Parameters
    ----------
    loss : str, tuple (name, parameters) or object, default="squared_error"
        - "squared_error": half the squared error;
        - "poisson", "gamma": half the deviance, with an exponential output;
        - "absolute_error"; "quantile": the pinball loss at level ``quantile``;
        - "huber": quadratic up to ``epsilon`` = 1.35, then linear; another epsilon as
          ``("huber", {{"epsilon": 2.0}})``;
        - your own, for the full-batch solvers: an object with ``value_grad(raw, y)``, which
          returns a value per sample, (n_samples,), and its gradient, (n_samples, n_outputs).

        Several outputs add up.
    {parameters}
    quantile : float in (0, 1), default=0.5
        Level of ``loss="quantile"``.
    {init}
    {beyond}

    Attributes
    ----------
    y_mean_, y_scale_ : ndarray of shape (n_outputs,) or None
        What ``standardize`` took off the targets, and divided them by.
    {attributes}

    See Also
    --------
    MLPClassifier : The same for classification.
    fastmlp.Network : The network itself, with its derivatives.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import MLPRegressor
    >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> reg = MLPRegressor(hidden_layer_sizes=(10,), solver="lbfgs", random_state=0)
    >>> reg.fit(X, X.ravel() ** 2).predict([[0.5]]).round(1)
    array([0.2])
    """

    _numeric_targets = True
    _score_name = "R2"
    _extra_rules = {
        "loss": _params.Rule(
            _is_loss,
            f"one of {', '.join(map(repr, LOSSES))}, a tuple (name, parameters) or an object with "
            "value_grad(raw, y)",
        ),
        "quantile": _params.real(0, 1, closed="neither"),
    }

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | tuple | list = "relu",
        *,
        solver: str | Solver = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool | int | str = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        quantile: float = 0.5,
        init: str | tuple = "glorot",
        standardize: bool = False,
        scoring: str | Callable | None = None,
        callback: Callable[[int, Record], Any] | None = None,
        max_time: float | None = None,
        n_threads: int | None = None,
        n_starts: int = 1,
    ) -> None:
        self.loss = loss
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.quantile = quantile
        self.init = init
        self.standardize = standardize
        self.scoring = scoring
        self.callback = callback
        self.max_time = max_time
        self.n_threads = n_threads
        self.n_starts = n_starts

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; float32 is kept, other types become float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative.
        X_val, y_val : array-like, default=None
            Validation data. It turns early stopping on, for every solver and whatever
            ``early_stopping`` says, and is used instead of a part of X.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights of the validation data.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or the data make no sense, or if the fit diverged; the estimator is
            then as it was before.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    @available_if(is_mini_batch)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Make one pass over the given data, from where the last one ended.

        The optimiser's state is kept between calls, also through a pickle.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative. A batch without any weight is checked and skipped.

        Returns
        -------
        self
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def _loss_name(self):
        """The name of the loss, or None for the user's own."""
        name = self.loss[0] if _params.is_named(self.loss) else self.loss
        return name if isinstance(name, str) else None

    def _encode(self, y, fresh, incremental, classes):
        targets = self._encode_validation(y, "y")
        return targets, (1 if targets.ndim == 1 else targets.shape[1]), {}

    def _encode_validation(self, y, name="y_val"):
        if sp.issparse(y):
            raise ValueError(f"Sparse {name} is not supported; pass {name}.toarray().")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return y.astype(np.float64, copy=False)

    def _network_loss(self):
        name = self._loss_name()
        loss = self.loss
        if name == "quantile" and isinstance(loss, str):
            loss = (name, {"quantile": self.quantile})
        return loss, "exp" if name in ("poisson", "gamma") else "identity"

    def _scale_targets(self, targets, sample_weight, rows, fresh):
        if fresh:
            self.y_mean_, self.y_scale_ = None, None
            if self.standardize and self._loss_name() in SHIFTABLE:
                columns = targets.reshape(len(targets), -1)
                self.y_mean_, self.y_scale_ = _data.scales(columns, sample_weight, rows)
        if self.y_mean_ is None:
            return targets
        return (targets - self.y_mean_) / self.y_scale_

    def _decision(self):
        return "number", None, 0.0

    def _default_score(self, targets, sample_weight):
        return lambda output: r2(targets, output, sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions in the units of y.
        """
        output = self._output(X)
        if self.y_mean_ is not None:
            output = (output * self.y_scale_ + self.y_mean_).astype(output.dtype, copy=False)
        return output.ravel() if output.shape[1] == 1 else output

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
