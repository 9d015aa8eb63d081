"""From a run to fitted attributes; from those to the network, its derivatives, and other tools."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp._memory import on_a_line
from fastmlp._sparse import sound
from fastmlp.estimators import _history, _interop, _picture, _prediction, _weights
from fastmlp.estimators._diagnosis import Diagnosis, diagnose
from fastmlp.estimators._explain import explained
from fastmlp.losses import resolve_loss
from fastmlp.network import Network
from fastmlp.solvers import EvidenceState
from fastmlp.solvers._minibatch_loop import MiniBatchState

FLOATS = (np.float64, np.float32)
_CHUNK_BYTES = 1 << 24


class FittedNetwork(_weights.FittedWeights):
    """What a fitted estimator knows of its fit, and of its network in the units of X and y."""

    n_features_in_: int
    feature_names_in_: np.ndarray
    n_layers_: int
    n_outputs_: int
    activations_: list[Any]
    out_activation_: str
    x_mean_: np.ndarray | None
    x_scale_: np.ndarray | None
    n_iter_: int
    t_: int
    status_: str
    loss_: float
    loss_curve_: list[float]
    best_loss_: float | None
    validation_scores_: list[float] | None
    validation_loss_curve_: list[float] | None
    best_validation_score_: float | None
    history_: dict[str, list]
    timings_: dict[str, list] | None
    starts_: list[dict[str, Any]] | None

    @property
    def network_(self) -> Network:
        """The network as a :class:`fastmlp.Network`, in the units of X and y.

        ``network_.predict(theta_, X)`` gives the estimator's predictions (probabilities of the
        second class, or of each). Where ``standardize`` is set it works in float64, as the folded
        ``coefs_`` do. Its loss is the one trained with, which saw standardized targets then.
        """
        coefs, _ = self.coefs_, self.intercepts_
        loss = self._fitted_loss()
        return Network(
            _prediction.layers_of(coefs, resolve_loss(loss).raws_per_target),
            activation=self.activations_,
            output_activation=self.out_activation_,
            loss=loss,
            dtype=coefs[0].dtype,
        )

    @property
    def theta_(self) -> np.ndarray:
        """``coefs_`` and ``intercepts_`` as one vector (n_params,), as ``network_`` takes it.

        A copy: to change the model, assign ``coefs_`` and ``intercepts_``.
        """
        return self.network_.pack(self.coefs_, self.intercepts_)

    def input_jacobian(self, X: Any) -> np.ndarray:
        """The derivative of the prediction by the features, d prediction / d x.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples, as for ``predict``.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs, n_features), float64
            Entry (i, k, j) is the change of output k by feature j at row i, in the units of y and
            X. The outputs are those of ``predict`` for a regressor, of ``predict_proba`` for a
            classifier (n_outputs = n_classes); with loss="perceptron", which has no
            probabilities, the network's raw outputs.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            For data that ``predict`` refuses as well.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import MLPRegressor
        >>> X = np.arange(12.0).reshape(6, 2) % 5
        >>> model = MLPRegressor(hidden_layer_sizes=(), solver="newton", alpha=0.0, tol=1e-10)
        >>> model.fit(X, X @ [2.0, -1.0]).input_jacobian(X[:1]).round(6)
        array([[[ 2., -1.]]])
        """
        return self._answers_jacobian(self._jacobian(checked_rows(self, X)))

    def sensitivity(self, X: Any) -> np.ndarray:
        """How much each output moves with each feature, over the rows of X.

        The root mean square over rows of d output / d feature (the mean square sensitivity [1]_,
        [2]_), times the feature's standard deviation in X (as in sigma-normalised derivatives
        [3]_), so that features of any unit compare.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples to take the mean over, as for ``predict``.

        Returns
        -------
        ndarray of shape (n_outputs, n_features), float64
            In the units of the output (see :meth:`input_jacobian`), per standard deviation of the
            feature. For a linear model it is ``abs(coef) * X.std(axis=0)``.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            For data that ``predict`` refuses as well.

        Notes
        -----
        It is local: a feature whose effect lies between the rows, or whose effects on correlated
        features cancel, is not seen as such.

        References
        ----------
        .. [1] Zurada, Malinowski & Cloete (1994). Sensitivity analysis for minimization of input
           data dimension for feedforward neural network. ISCAS 1994.
        .. [2] Pizarroso, Portela & Munoz (2022). NeuralSens: Sensitivity Analysis of Neural
           Networks. Journal of Statistical Software 102(7).
        .. [3] Saltelli et al. (2008). Global Sensitivity Analysis: The Primer, section 1.2.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import MLPRegressor
        >>> X = np.arange(12.0).reshape(6, 2) % 5
        >>> model = MLPRegressor(hidden_layer_sizes=(), solver="newton", alpha=0.0, tol=1e-10)
        >>> shares = model.fit(X, X @ [2.0, 0.0]).sensitivity(X) / X.std(axis=0)
        >>> shares.round(6)
        array([[2., 0.]])
        """
        X = checked_rows(self, X)
        n_samples, n_features = X.shape
        rows = max(1, _CHUNK_BYTES // (8 * n_features * max(1, self.n_outputs_)))
        total = 0.0
        for start in range(0, n_samples, rows):
            jacobian = self._answers_jacobian(self._jacobian(X[start : start + rows]))
            total = total + np.einsum("ikj,ikj->kj", jacobian, jacobian)
        if sp.issparse(X):
            spread = np.sqrt(mean_variance_axis(X.astype(np.float64), axis=0)[1])
        else:
            spread = X.std(axis=0, dtype=np.float64)
        return np.sqrt(total / n_samples) * spread

    def summary(self) -> str:
        """The layers as a table: shapes, activations, parameters; and how the fit ended.

        Returns
        -------
        str
            Of several lines, which a prompt shows as they are.

        Raises
        ------
        NotFittedError
            Before ``fit``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier((5,), solver="lbfgs", standardize=True, random_state=0).fit(X, y)
        >>> print(model.summary())  # doctest: +ELLIPSIS
        layer     weights  activation  parameters
        -----------------------------------------
        hidden 1    4 x 5  relu                25
        output      5 x 3  softmax             18
        -----------------------------------------
        all                                    43
        loss ...
        """
        check_is_fitted(self)
        return _picture.summary(self)

    def diagnose(self, X: Any) -> Diagnosis:
        """Look for what commonly goes wrong in training.

        Dead units, saturated layers, slopes that vanish or explode on their way to the first layer,
        columns far from mean 0 and spread 1, a learning rate too high or too low.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to look at, best those of ``fit``; of more than 1000, a thousand are taken.

        Returns
        -------
        Diagnosis
            A tuple of findings, each with ``name``, ``what`` was seen and its ``remedy``; ``print``
            shows them as sentences.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            For data that ``predict`` refuses as well.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import MLPRegressor
        >>> X = np.random.default_rng(0).normal(5000, 1, (200, 2))
        >>> model = MLPRegressor(hidden_layer_sizes=5, solver="lbfgs", random_state=0)
        >>> [finding.name for finding in model.fit(X, X[:, 0] - 5000).diagnose(X)][0]
        'unscaled columns'
        """
        return diagnose(self, checked_rows(self, X))

    def _repr_html_inner(self):
        return self._with_picture(super()._repr_html_inner())

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] = self._with_picture(bundle["text/html"])
        return bundle

    def _with_picture(self, diagram):
        """scikit-learn's diagram; of a fitted network, its picture beneath."""
        return diagram + _picture.html(self) if hasattr(self, "n_layers_") else diagram

    def to_sklearn(self) -> Any:
        """A fitted ``sklearn.neural_network`` estimator that predicts alike.

        The scales of ``standardize`` are folded into its weights, so that what reads
        scikit-learn's MLP (skl2onnx, emlearn, sklearn2pmml, skops) can be given this model.

        Returns
        -------
        sklearn.neural_network.MLPClassifier or MLPRegressor
            With its fitted attributes (``coefs_``, ``loss_curve_``, ``n_iter_``, ``classes_``,
            ``feature_names_in_`` ...), all of them copies, and the parameters that scikit-learn
            has. A solver that it has not becomes "lbfgs", or "adam" for mini-batches.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            If scikit-learn has no such activation or loss, or different ones per layer are used.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier((5,), standardize=True, solver="lbfgs", random_state=0).fit(X, y)
        >>> theirs = model.to_sklearn()
        >>> theirs.__module__.split(".")[0], bool((theirs.predict(X) == model.predict(X)).all())
        ('sklearn', True)
        """
        check_is_fitted(self)
        return _interop.to_sklearn(self, self._fitted_loss())

    def onnx_shape_calculator(self):
        """What skl2onnx asks of an estimator that it does not know; see :meth:`to_sklearn`.

        Returns
        -------
        callable
            ``shape_calculator(operator)``, skl2onnx's own.
        """
        return _interop.shape_calculator(self)

    def _store(self, network, result, fresh, validating):
        """Set the fitted attributes; histories of a continued fit grow."""
        self.n_layers_ = len(network.layers)
        self.n_outputs_ = network.n_targets
        # A single prediction reads them where they lie, a third faster from lines of cache on.
        theta = on_a_line(result.theta.astype(network.dtype, copy=False))
        self._coefs, self._intercepts = map(list, network.unpack(theta))
        self.n_iter_ = result.n_iter
        self.loss_ = result.loss
        self.status_ = result.message

        self._append(result.history, fresh)
        self.validation_scores_ = self.validation_loss_curve_ = None
        self.best_loss_ = self.best_validation_score_ = None
        if validating:
            self.validation_scores_ = self.history_["validation_score"]
            self.validation_loss_curve_ = self.history_["validation_loss"]
        state = result.state
        self._evidence = dataclasses.asdict(state) if isinstance(state, EvidenceState) else None
        if isinstance(state, MiniBatchState):
            self._solver_state = dict(vars(state))
            self.t_ = state.n_seen
            best_loss, best_score = state.best_loss, state.best_score
        else:
            self._solver_state = None
            self.t_ = 0 if fresh else self.t_
            best_loss = min(result.history["loss"], default=result.loss)
            best_score = np.nanmax([-np.inf, *result.history.get("validation_score", ())])
        if validating:
            self.best_validation_score_ = float(best_score)
        else:
            self.best_loss_ = float(best_loss)

    def _append(self, history, fresh):
        """Make the records, or let those of a continued fit grow."""
        new, clocked = _history.split(history)
        old, more = (0 if fresh else len(self.loss_curve_)), len(new["loss"])
        records, timings = (None, None) if fresh else (self.history_, self.timings_)
        self.history_ = _history.extended(records, new, old, more)
        self.timings_ = _history.extended(timings, clocked, old, more)
        self.loss_curve_ = self.history_["loss"]

    @property
    def evidence_(self) -> EvidenceState | None:
        """Noise level, weight decay and effective number of parameters; None without evidence."""
        try:
            kept = vars(self)["_evidence"]
        except KeyError:
            raise AttributeError(
                f"This {type(self).__name__} is not fitted yet: it has no evidence_."
            ) from None
        return None if kept is None else EvidenceState(**kept)

    def __getstate__(self):
        return _history.picklable(super().__getstate__())

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_coefs")

    def _fitted_loss(self):
        """The loss that the network was trained with."""
        loss = vars(self).get("_loss")
        return self._network_loss()[0] if loss is None else loss

    def _jacobian(self, X):
        network, theta = self.network_, self.theta_
        return network.input_jacobian(theta, X, apply_output=True)

    def _answers_jacobian(self, jacobian):
        """From the outputs of the network to those that a user sees."""
        return jacobian


def checked_rows(estimator, X, dtype=FLOATS):
    """X by the rules of ``predict``: names, number of features, finite numbers."""
    check_is_fitted(estimator)
    with explained(estimator, X):
        return validate_data(estimator, sound(X), accept_sparse="csr", dtype=dtype, reset=False)
