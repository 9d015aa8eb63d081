"""A trained network, packed for prediction and nothing else."""

from fastmlp.predictor._distributions import DistributionPredictor
from fastmlp.predictor._predictor import Predictor

__all__ = ["DistributionPredictor", "Predictor"]
