"""Networks with an output distribution whose densities are averaged, for the benches."""

import numpy as np
from sklearn.pipeline import make_pipeline

from fastmlp import MLPDistributionRegressor
from fastmlp.distributions import average
from fastmlp.solvers import Adam
from fastmlp.tabular import SmoothClipScaler


def averaged(distribution, X, y, n_members=5, batch_size=200, **settings):
    """A function from rows to the mean density of members.

    Each starts from weights of its own, lets the learning rate fall to 0 as a cosine, and keeps the
    weights that were best on a tenth of the training rows, another tenth for each. Features are
    scaled by their quartiles: a few colours of galaxies are ten standard deviations off.
    """
    solver = Adam(0.005, learning_rate="cosine", batch_size=batch_size)
    settings = {
        "activation": "silu",
        "solver": solver,
        "early_stopping": True,
        "n_iter_no_change": np.inf,
        "tol": 0.0,
        **settings,
    }
    members = [
        make_pipeline(
            SmoothClipScaler(), MLPDistributionRegressor(distribution, random_state=k, **settings)
        ).fit(X, y)
        for k in range(n_members)
    ]
    return lambda rows: average([m[-1].predict_dist(m[:-1].transform(rows)) for m in members])
