"""Candidates that are there at once, and a table."""

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, RidgeCV

from fastmlp import MLPClassifier, MLPRegressor

LINEAR = {"regressor": ("ridge", RidgeCV()), "classifier": ("logistic", LogisticRegression())}
NETWORK = {"hidden_layer_sizes": (4,), "activation": "tanh", "solver": "lm", "max_iter": 30}
REGRESSORS = [LINEAR["regressor"], ("network", MLPRegressor(alpha=0.1, **NETWORK))]
CLASSIFIERS = [LINEAR["classifier"], ("network", MLPClassifier(alpha=1.0, **NETWORK))]


def table(n=120, seed=0):
    """A frame of mixed columns with holes, a smooth target of it, and three classes."""
    rng = np.random.default_rng(seed)
    x, z = rng.uniform(-2, 2, n), rng.normal(size=n)
    kind = rng.choice(["a", "b", "c"], n)
    y = np.sin(2 * x) + (kind == "b") + 0.1 * rng.normal(size=n)
    X = pd.DataFrame({"x": x, "z": z, "kind": kind})
    X.loc[rng.random(n) < 0.1, "z"] = np.nan
    return X, y, np.array(["low", "mid", "top"])[np.digitize(y, [0.0, 1.0])]
