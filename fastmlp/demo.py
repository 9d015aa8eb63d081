"""The command `fastmlp demo`: fits on data that scikit-learn ships, each beside scikit-learn's own.

Both get the same data, parameters, random state and one thread, so that the losses agree and the
ratio of the seconds means something. scikit-learn has no `newton`: its `lbfgs` stands beside ours.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import numpy as np
import sklearn
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

import fastmlp
from fastmlp._threads import blas_threads
from fastmlp.config import get_config

SKLEARN_TAKES_WEIGHTS = "sample_weight" in signature(neural_network.MLPClassifier.fit).parameters


@dataclass(frozen=True)
class Case:
    """One row of the table: a data set, the network, and the parameters of the fit."""

    data: str
    kind: str  # "Classifier" or "Regressor"
    parameters: dict[str, Any]
    ours: dict[str, Any] = field(default_factory=dict)  # what only fastmlp takes
    theirs: dict[str, Any] = field(default_factory=dict)  # what scikit-learn takes instead
    balanced: bool = False

    def split(self) -> list[np.ndarray]:
        """Return X_train, X_test, y_train, y_test, standardised on the training part."""
        X, y = getattr(datasets, f"load_{self.data}")(return_X_y=True)
        classes = y if self.kind == "Classifier" else None
        X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=classes, random_state=0)
        scaler = StandardScaler().fit(X_train)
        if self.kind == "Regressor":
            mean, spread = y_train.mean(), y_train.std()
            y_train, y_test = (y_train - mean) / spread, (y_test - mean) / spread
        return [scaler.transform(X_train), scaler.transform(X_test), y_train, y_test]


DIABETES = {"hidden_layer_sizes": (16,), "activation": "tanh", "alpha": 20}
CASES = (
    Case(
        "digits",
        "Classifier",
        {"hidden_layer_sizes": (100,), "solver": "adam", "max_iter": 100},
    ),
    Case(
        "breast_cancer",
        "Classifier",
        {"hidden_layer_sizes": (32,), "solver": "adam", "alpha": 0.1, "max_iter": 200},
        ours={"class_weight": "balanced"},
        balanced=True,
    ),
    Case("diabetes", "Regressor", DIABETES | {"solver": "adam", "max_iter": 500}),
    Case("diabetes", "Regressor", DIABETES | {"solver": "lbfgs", "max_iter": 500}),
    Case(
        "diabetes",
        "Regressor",
        DIABETES | {"max_iter": 500},
        ours={"solver": "newton"},
        theirs={"solver": "lbfgs"},
    ),
)

HEAD = """\
                                              fastmlp                  scikit-learn
data           network    solver    iter    loss  score  seconds    loss  score  seconds   ratio
-------------  ---------  -------  -----  ------  -----  -------  ------  -----  -------  ------"""
ROW = (
    "{:<13}  {:<9}  {:<7}  {:>5}  {:>6.4f}  {:>5.3f}  {:>7.3f}  "
    "{:>6.4f}  {:>5.3f}  {:>7.3f}  {:>5.1f}x"
)
FOOT = """
loss     at the end, on the training data, penalty included
score    on held-out data: accuracy of a classifier, R^2 of a regressor
ratio    seconds of scikit-learn / seconds of fastmlp
newton*  scikit-learn has no Newton solver: its lbfgs stands beside ours"""
FOOT_UNWEIGHTED = "weights  scikit-learn before 1.7 takes none: its breast_cancer fit is unweighted"


def main() -> None:
    """Fit everything and print the table, row by row."""
    config = get_config()
    print(f"fastmlp {config['versions']['fastmlp']} ({config['isa']}) beside ", end="")
    print(
        f"scikit-learn {sklearn.__version__}: same data, parameters and random state, one thread\n"
    )
    print(HEAD)
    for case in CASES:
        print(_row(case), flush=True)
    print(FOOT)
    if not SKLEARN_TAKES_WEIGHTS:
        print(FOOT_UNWEIGHTED)


def _row(case: Case) -> str:
    X_train, X_test, y_train, y_test = case.split()
    ours, seconds = _fit(fastmlp, case, case.ours, X_train, y_train)
    weights = {}
    if case.balanced and SKLEARN_TAKES_WEIGHTS:
        weights["sample_weight"] = compute_sample_weight("balanced", y_train)
    theirs, their_seconds = _fit(neural_network, case, case.theirs, X_train, y_train, **weights)
    widths = (X_train.shape[1], *ours.hidden_layer_sizes, ours.n_outputs_)
    return ROW.format(
        case.data,
        "-".join(str(width) for width in widths),
        ours.solver if ours.solver == theirs.solver else f"{ours.solver}*",
        ours.n_iter_,
        ours.loss_,
        ours.score(X_test, y_test),
        seconds,
        theirs.loss_,
        theirs.score(X_test, y_test),
        their_seconds,
        their_seconds / seconds,
    )


def _fit(library, case: Case, own: dict[str, Any], X, y, **weights) -> tuple[Any, float]:
    """Fit one library's estimator; return it and the seconds of `fit`."""
    estimator_class = getattr(library, f"MLP{case.kind}")
    estimator = estimator_class(**(case.parameters | own), random_state=0)
    start = time.perf_counter()
    with warnings.catch_warnings(), blas_threads(1):
        # The table shows the iterations: a fit may well end at max_iter.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X, y, **weights)
    return estimator, time.perf_counter() - start
