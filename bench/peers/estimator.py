"""The adapter of both estimator libraries: their constructors are the same."""

from dataclasses import replace

import numpy as np


def make(module, case, seed, **extras):
    cls = module.MLPClassifier if case.n_classes else module.MLPRegressor
    return cls(
        hidden_layer_sizes=case.hidden,
        activation=case.activation,
        solver=case.solver,
        batch_size=case.batch_size,
        alpha=case.alpha,
        learning_rate_init=case.rate,
        max_iter=case.epochs,
        shuffle=case.shuffle,
        n_iter_no_change=case.epochs,
        tol=0.0,
        random_state=seed,
        **extras,
    )


def prepare(module, case, X, y, seed, **extras):
    estimator = make(module, case, seed, **extras)

    def train():
        estimator.fit(X, y)
        return estimator.coefs_, estimator.intercepts_

    return train


def fitted(module, case, coefs, intercepts, **extras):
    """An estimator with these parameters, written into the arrays that its fit has made."""
    estimator = make(module, replace(case, batch_size=2, epochs=1), 0, **extras)
    X = np.eye(2, case.n_features, dtype=coefs[0].dtype)
    y = np.zeros((2, case.n_targets), X.dtype)
    estimator.fit(X, y if case.n_targets > 1 else y[:, 0])
    kept = [*estimator.coefs_, *estimator.intercepts_]
    for array, given in zip(kept, [*coefs, *intercepts], strict=True):
        array[...] = given
    return estimator
