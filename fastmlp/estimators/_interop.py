"""A fitted estimator as scikit-learn's own, which other tools know."""

from __future__ import annotations

from inspect import signature

import numpy as np
from sklearn import neural_network
from sklearn.base import is_classifier

from fastmlp.estimators import _params
from fastmlp.solvers import SGD, Adam, AdamW

ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
COPIED = (
    "best_loss_",
    "best_validation_score_",
    "classes_",
    "feature_names_in_",
    "loss_",
    "n_features_in_",
    "n_iter_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "t_",
)


def to_sklearn(estimator, loss):
    """scikit-learn's estimator with the weights, folded, and the record of a fitted one of ours.

    Raises
    ------
    ValueError
        Naming the activation or loss that scikit-learn has not.
    """
    if estimator._trained_by == "distribution":
        raise ValueError(
            "scikit-learn has no MLP that predicts distributions; fastmlp's MLPRegressor, which "
            "predicts means, has to_sklearn()."
        )
    name = "MLPClassifier" if is_classifier(estimator) else "MLPRegressor"
    kind = getattr(neural_network, name)
    known = signature(kind.__init__).parameters
    parameters = {k: v for k, v in estimator.get_params(deep=False).items() if k in known}
    parameters |= _solver(estimator)
    parameters["activation"] = _activation(estimator, name)
    parameters["hidden_layer_sizes"] = tuple(W.shape[1] for W in estimator.coefs_[:-1])
    parameters["verbose"] = bool(estimator.verbose)
    losses = ("log_loss",) if is_classifier(estimator) else ("squared_error",)
    if "loss" in known:
        losses += ("poisson",)
        parameters["loss"] = loss
    if loss not in losses:
        raise ValueError(
            f"scikit-learn's {name} has no loss {_named(loss)}; it has {', '.join(losses)}."
        )
    theirs = kind(**parameters)
    state = vars(estimator)
    for key in COPIED:
        if key in state:
            setattr(theirs, key, np.copy(value) if _is_array(value := state[key]) else value)
    for key in ("coefs_", "intercepts_"):
        setattr(theirs, key, [np.array(part) for part in getattr(estimator, key)])
    theirs.loss_curve_ = list(estimator.loss_curve_)
    scores = estimator.validation_scores_
    theirs.validation_scores_ = None if scores is None else list(scores)
    theirs._no_improvement_count = 0  # with it partial_fit and warm starts go on
    if is_classifier(estimator):
        theirs._label_binarizer = estimator._label_binarizer
    return theirs


def _activation(estimator, name):
    found = {a if isinstance(a, str) else a[0] for a in estimator.activations_}
    missing = sorted(found.difference(ACTIVATIONS))
    if missing:
        raise ValueError(
            f"scikit-learn's {name} has no activation {', '.join(map(repr, missing))}; it has "
            f"{', '.join(ACTIVATIONS)}."
        )
    if len(found) > 1:
        raise ValueError(
            f"scikit-learn's {name} has one activation for all hidden layers; this network has "
            f"{', '.join(map(repr, estimator.activations_))}."
        )
    return found.pop() if found else "identity"


def _solver(estimator):
    """The solver's name in scikit-learn, and the hyper-parameters of a solver object."""
    solver = estimator.solver
    if isinstance(solver, str):
        return {"solver": solver if solver in ("sgd", "adam", "lbfgs") else "lbfgs"}
    if not solver.mini_batch:
        return {"solver": "lbfgs"}
    name = "sgd" if isinstance(solver, SGD) else "adam"
    found = {"solver": name}
    if isinstance(solver, SGD | Adam | AdamW):
        own = solver.get_params()
        found |= {key: own[key] for key in _params.FLAT[name] if key in own}
        if found.get("learning_rate") not in _params.SCHEDULES:
            found["learning_rate"] = "constant"
    return found


def _named(loss):
    if isinstance(loss, str):
        return repr(loss)
    if isinstance(loss, tuple):
        return repr(loss[0])
    return f"of your own ({getattr(loss, '__name__', type(loss).__name__)})"


def _is_array(value):
    return isinstance(value, np.ndarray)


def shape_calculator(estimator):
    """What skl2onnx calls first with an operator of ours: it becomes scikit-learn's from there on.

    The sizes of the outputs are then its own function's business, and so is the conversion.
    """
    from skl2onnx.common import shape_calculator as shapes

    kind = "classifier" if is_classifier(estimator) else "regressor"
    calculate = getattr(shapes, f"calculate_linear_{kind}_output_shapes")

    def become_sklearn(operator):
        operator.raw_operator = operator.raw_operator.to_sklearn()
        operator.type = f"SklearnMLP{kind.capitalize()}"
        calculate(operator)

    return become_sklearn
