"""This library, through its estimators."""

import fastmlp
from bench.peers import estimator

NAME, LIBRARY = "fastmlp", fastmlp
SOLVERS, SPARSE = ("lbfgs",), True


def prepare(case, X, y, seed, threads):
    return estimator.prepare(fastmlp, case, X, y, seed, n_threads=threads)


def predictor(case, coefs, intercepts, threads):
    return estimator.fitted(fastmlp, case, coefs, intercepts, n_threads=threads).predict
