"""scikit-learn's own MLP."""

from sklearn import neural_network

from bench.cases import SKLEARN_ACTIVATIONS as ACTIVATIONS  # noqa: F401
from bench.peers import estimator

NAME, LIBRARY = "sklearn", neural_network
SOLVERS, SPARSE = ("lbfgs",), True


def prepare(case, X, y, seed, threads):
    return estimator.prepare(neural_network, case, X, y, seed)


def predictor(case, coefs, intercepts, threads):
    return estimator.fitted(neural_network, case, coefs, intercepts).predict
