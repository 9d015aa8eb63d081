"""The methods of `python -m bench.tables`, at their defaults, each on one thread.

All get the same frames. What a method does not take is mended as its manual says, and no further:
scikit-learn's networks and forests see the columns as `fastmlp.tabular.Columns` makes them;
CatBoost and ChimeraBoost are told which columns are categories, with a word where one is missing;
pytabkit refuses holes among numbers and gets the medians of the training rows.
"""

import importlib
import importlib.util
from typing import Any, NamedTuple

import numpy as np


class Peer(NamedTuple):
    """A method.

    Attributes
    ----------
    module : str
        Left out where it is not installed.
    names : tuple of str
        Regressor and classifier; "" where there is none.
    parameters : dict
        The number of threads, the device and silence: nothing that changes what is learned.
    prepare : callable, optional
        (frame, training frame) -> what the method takes.
    tells : str
        The parameter that says which columns are categories, by position.
    wrapped : bool
        Whether `fastmlp.tabular.Columns` comes before it.
    pretrained : bool
    """

    module: str
    names: tuple
    parameters: dict
    prepare: Any = None
    tells: str = ""
    wrapped: bool = False
    pretrained: bool = False


def _text(frame):
    return [name for name in frame if frame[name].dtype == "category"]


def _places(frame):
    return [place for place, dtype in enumerate(frame.dtypes) if dtype == "category"]


def worded(frame, training):
    """Categories as text, a word where one is missing."""
    cells = {
        name: frame[name].astype(object).fillna("missing").astype(str) for name in _text(frame)
    }
    return frame.assign(**cells)


def filled(frame, training):
    """Medians of the training rows where numbers are missing."""
    numbers = [name for name in frame if frame[name].dtype != "category"]
    medians = training[numbers].median().fillna(0.0)
    return frame.assign(**{name: frame[name].fillna(medians[name]) for name in numbers})


def _both(stem):
    return f"{stem}Regressor", f"{stem}Classifier"


_PYTABKIT = {"device": "cpu", "n_threads": 1}
PEERS = {
    "fastmlp": Peer("fastmlp", _both("TabularMLP"), {"n_threads": 1}),
    "scikit-learn MLP": Peer("sklearn.neural_network", _both("MLP"), {}, wrapped=True),
    "HistGradientBoosting": Peer("sklearn.ensemble", _both("HistGradientBoosting"), {}),
    "random forest": Peer("sklearn.ensemble", _both("RandomForest"), {}, wrapped=True),
    "CatBoost": Peer(
        "catboost", _both("CatBoost"),
        {"verbose": False, "thread_count": 1, "allow_writing_files": False},
        worded, "cat_features",
    ),
    "LightGBM": Peer("lightgbm", _both("LGBM"), {"verbose": -1, "n_jobs": 1}),
    "XGBoost": Peer("xgboost", _both("XGB"), {"enable_categorical": True, "n_jobs": 1}),
    "ChimeraBoost": Peer(
        "chimeraboost", _both("ChimeraBoost"), {"thread_count": 1}, worded, "cat_features"
    ),
    "RealMLP-S": Peer("pytabkit", _both("RealMLP_TD_S_"), _PYTABKIT, filled),
    "RealMLP": Peer("pytabkit", _both("RealMLP_TD_"), _PYTABKIT, filled),
    "TabM": Peer("pytabkit", _both("TabM_D_"), _PYTABKIT, filled),
    "LightPFN": Peer("lightpfn", ("", "LightPFNClassifier"), {}, wrapped=True, pretrained=True),
}  # fmt: skip
METHODS = tuple(PEERS)


def installed(method):
    """Whether a method is there."""
    try:
        return importlib.util.find_spec(PEERS[method].module) is not None
    except ModuleNotFoundError:
        return False


def can(method, classifies):
    """Whether a method does regression, or classification."""
    return bool(PEERS[method].names[classifies])


def make(method, classifies, seed, **told):
    """A fresh model at its defaults."""
    peer = PEERS[method]
    kind = getattr(importlib.import_module(peer.module), peer.names[classifies])
    return kind(random_state=seed, **peer.parameters, **told)


class Fitted:
    """A method, fitted to frames or arrays, that predicts from the like."""

    def __init__(self, method, classifies, X, y, seed):
        from sklearn.pipeline import make_pipeline

        from fastmlp.tabular import Columns

        peer = PEERS[method]
        self._prepare = peer.prepare if hasattr(X, "iloc") else None
        self._training = X
        told = {peer.tells: _places(X)} if peer.tells and hasattr(X, "iloc") else {}
        self.model = make(method, classifies, seed, **told)
        if peer.wrapped:
            self.model = make_pipeline(Columns(), self.model)
        self.model.fit(self._taken(X), y)

    def _taken(self, X):
        return X if self._prepare is None else self._prepare(X, self._training)

    def predict(self, X):
        """Values or classes, (n,)."""
        return np.ravel(self.model.predict(self._taken(X)))

    def predict_proba(self, X):
        """Probabilities, (n, n_classes)."""
        return np.asarray(self.model.predict_proba(self._taken(X)), dtype=float)
