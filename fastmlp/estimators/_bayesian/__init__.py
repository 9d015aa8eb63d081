"""BayesianMLPRegressor and BayesianMLPClassifier: a distribution over weights, not one set."""

from fastmlp.estimators._bayesian._base import Parts
from fastmlp.estimators._bayesian._classifier import BayesianMLPClassifier
from fastmlp.estimators._bayesian._regressor import BayesianMLPRegressor

__all__ = ["BayesianMLPClassifier", "BayesianMLPRegressor", "Parts"]
