"""A trained network, packed for prediction and nothing else."""

from typing import TYPE_CHECKING, Any

from fastmlp.predictor._predictor import Predictor

if TYPE_CHECKING:
    from fastmlp.predictor._distributions import DistributionPredictor

__all__ = ["DistributionPredictor", "Predictor"]


def __getattr__(name: str) -> Any:
    """What needs SciPy's special functions, which take long to import, when it is asked for."""
    if name == "DistributionPredictor":
        from fastmlp.predictor._distributions import DistributionPredictor

        return DistributionPredictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
