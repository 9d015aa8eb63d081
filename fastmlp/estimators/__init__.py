"""scikit-learn's manners over the network and its solvers."""

from fastmlp.estimators._average import AverageClassifier, AverageRegressor, average
from fastmlp.estimators._bayesian import BayesianMLPClassifier, BayesianMLPRegressor
from fastmlp.estimators._classifier import MLPClassifier
from fastmlp.estimators._distribution import MLPDistributionRegressor
from fastmlp.estimators._regressor import MLPRegressor

__all__ = [
    "AverageClassifier",
    "AverageRegressor",
    "BayesianMLPClassifier",
    "BayesianMLPRegressor",
    "MLPClassifier",
    "MLPDistributionRegressor",
    "MLPRegressor",
    "average",
]
