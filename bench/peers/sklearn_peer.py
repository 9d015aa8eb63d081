"""scikit-learn's own MLP."""

from peers import estimator
from sklearn import neural_network

NAME = "sklearn"


def prepare(case, X, y, seed, threads):
    return estimator.prepare(neural_network, case, X, y, seed)
