"""This library's compiled predictor."""

import fastmlp
from bench.peers import estimator

NAME = "compiled"


def predictor(case, coefs, intercepts, threads):
    return estimator.fitted(fastmlp, case, coefs, intercepts, n_threads=threads).compile()
