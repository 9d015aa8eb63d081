"""scikit-learn's own checks of an estimator, with nothing expected to fail."""

import inspect
import warnings

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp import (
    BayesianMLPClassifier,
    BayesianMLPRegressor,
    MLPClassifier,
    MLPDistributionRegressor,
    MLPRegressor,
)
from fastmlp.estimators import AverageClassifier, AverageRegressor
from fastmlp.posteriors import Laplace

ESTIMATORS = [
    MLPClassifier(max_iter=100),
    MLPClassifier(hidden_layer_sizes=(), solver="newton", alpha=0.1, standardize=True),
    MLPClassifier(hidden_layer_sizes=(10,), loss="perceptron", solver="sgd", max_iter=100),
    MLPRegressor(max_iter=100),
    MLPRegressor(hidden_layer_sizes=(5,), solver="lbfgs"),
    MLPRegressor(hidden_layer_sizes=(), solver="newton", alpha=0.1, standardize=True),
    MLPDistributionRegressor(max_iter=100),
    MLPDistributionRegressor(solver="adam", max_iter=100),
    MLPDistributionRegressor("student_t", (), solver="lm", alpha=30.0, standardize=True),
    MLPDistributionRegressor(("normal", {"scale": "constant"}), (5,), solver="lbfgs"),
    AverageRegressor([("a", Ridge()), ("b", Ridge(10.0))], cv=2),
    AverageClassifier([("a", LogisticRegression()), ("b", LogisticRegression(C=0.1))], cv=2),
    BayesianMLPClassifier((5,), posterior=Laplace(n_starts=1), max_iter=30),
    # Not by evidence: on data without noise its end hangs on tol, and one check compares to 1e-7.
    BayesianMLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=1.0),
]


def known_failures(estimator):
    """Where rows are set aside to stop early, a row twice may lie on either side, one of weight 2
    not."""
    if not isinstance(estimator, MLPDistributionRegressor) or estimator.early_stopping is False:
        return {}
    if estimator.solver != "auto":
        return {}
    kinds = ("dense", "sparse")
    return {
        f"check_sample_weight_equivalence_on_{kind}_data": "rows are set aside" for kind in kinds
    }


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=known_failures)
def test_estimator(estimator, check):
    with warnings.catch_warnings():
        check(estimator)


# Later releases may be told to; earlier ones never take what passes unexpectedly for a failure.
LENIENT = {
    name: False
    for name in inspect.signature(parametrize_with_checks).parameters
    if name == "xfail_strict"
}


def of_evidence(estimator):
    """Strengths follow the evidence until ``tol`` is met; sums over rows in another order end a
    little elsewhere, by 1e-6 of the targets' spread, where the check compares to 1e-7; or, as the
    machine rounds, do not."""
    kinds = ("dense", "sparse")
    return {f"check_sample_weight_equivalence_on_{kind}_data": "the end is tol's" for kind in kinds}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([BayesianMLPRegressor()], expected_failed_checks=of_evidence, **LENIENT)
def test_bayesian_default(estimator, check):
    with warnings.catch_warnings():
        check(estimator)
