"""This library, through its estimators."""

from peers import estimator

import fastmlp

NAME = "fastmlp"


def prepare(case, X, y, seed, threads):
    return estimator.prepare(fastmlp, case, X, y, seed, n_threads=threads)
