"""Pictures of predictions, fits and networks, in the manner of scikit-learn's displays.

Each has ``from_estimator(estimator, ...)``, those of predictions also ``from_predictions(y,
prediction)``; it keeps the numbers that it draws, and draws them again with ``plot(ax=...)``. They
need matplotlib, which is imported when something is drawn: ``pip install "fastmlp[displays]"``.
"""

from fastmlp.displays._activation import ActivationDisplay
from fastmlp.displays._band import BandDisplay
from fastmlp.displays._coverage import CoverageDisplay
from fastmlp.displays._decision import DecisionRegionDisplay
from fastmlp.displays._loss import LossCurveDisplay
from fastmlp.displays._network import NetworkDisplay
from fastmlp.displays._photoz import PhotozDisplay
from fastmlp.displays._pit import PITDisplay
from fastmlp.displays._race import SolverRaceDisplay
from fastmlp.displays._reliability import ReliabilityDisplay
from fastmlp.displays._weights import WeightsDisplay

__all__ = [
    "ActivationDisplay",
    "BandDisplay",
    "CoverageDisplay",
    "DecisionRegionDisplay",
    "LossCurveDisplay",
    "NetworkDisplay",
    "PITDisplay",
    "PhotozDisplay",
    "ReliabilityDisplay",
    "SolverRaceDisplay",
    "WeightsDisplay",
]
