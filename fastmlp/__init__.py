"""Multilayer perceptrons on the CPU: fast training, scikit-learn manners, Newton's method.

Names are imported when they are first used: ``Network`` does not need scikit-learn.
"""

from importlib import import_module, metadata, util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastmlp.config import show_config
    from fastmlp.estimators import (
        BayesianMLPClassifier,
        BayesianMLPRegressor,
        MLPClassifier,
        MLPDistributionRegressor,
        MLPRegressor,
        average,
    )
    from fastmlp.network import Network
    from fastmlp.solvers import STOP, fit_curve
    from fastmlp.tabular import TabularMLPClassifier, TabularMLPRegressor

_HOMES = {
    "BayesianMLPClassifier": "fastmlp.estimators",
    "BayesianMLPRegressor": "fastmlp.estimators",
    "MLPClassifier": "fastmlp.estimators",
    "MLPDistributionRegressor": "fastmlp.estimators",
    "MLPRegressor": "fastmlp.estimators",
    "Network": "fastmlp.network",
    "STOP": "fastmlp.solvers",
    "TabularMLPClassifier": "fastmlp.tabular",
    "TabularMLPRegressor": "fastmlp.tabular",
    "average": "fastmlp.estimators",
    "fit_curve": "fastmlp.solvers",
    "show_config": "fastmlp.config",
}
_MODULES = (
    "activations",
    "config",
    "data",
    "displays",
    "distributions",
    "estimators",
    "initialisation",
    "losses",
    "metrics",
    "network",
    "objective",
    "penalties",
    "playground",
    "posteriors",
    "predictor",
    "segments",
    "solvers",
    "tabular",
    "terms",
    "trace",
    "training",
)

__all__ = [
    "STOP",
    "BayesianMLPClassifier",
    "BayesianMLPRegressor",
    "MLPClassifier",
    "MLPDistributionRegressor",
    "MLPRegressor",
    "Network",
    "TabularMLPClassifier",
    "TabularMLPRegressor",
    "average",
    "fit_curve",
    "show_config",
]

if util.find_spec("fastmlp._core.kernels") is None:
    raise ImportError(
        f"{__path__[0]} is a source tree without compiled modules for this Python. To use the "
        "installed fastmlp, start Python in another folder (or with -P); to use the source tree, "
        "build it: pip install -e ."
    )


def __getattr__(name):
    if name == "__version__":
        return metadata.version("fastmlp")
    if name in _MODULES:
        return import_module(f"fastmlp.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'fastmlp' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_HOMES, *_MODULES})
