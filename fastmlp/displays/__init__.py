"""Pictures of predictive distributions, in the manner of scikit-learn's displays.

Each has ``from_estimator(estimator, X, y)`` and ``from_predictions(y, prediction)``, keeps the
numbers that it draws, and draws them again with ``plot(ax=...)``. They need matplotlib, which is
imported when something is drawn: ``pip install "fastmlp[displays]"``.
"""

from fastmlp.displays._band import BandDisplay
from fastmlp.displays._coverage import CoverageDisplay
from fastmlp.displays._photoz import PhotozDisplay
from fastmlp.displays._pit import PITDisplay
from fastmlp.displays._reliability import ReliabilityDisplay

__all__ = [
    "BandDisplay",
    "CoverageDisplay",
    "PITDisplay",
    "PhotozDisplay",
    "ReliabilityDisplay",
]
