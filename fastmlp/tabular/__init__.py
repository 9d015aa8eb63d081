"""Tables without tuning: columns of any kind, a race of candidates, an ensemble of the best."""

from fastmlp.tabular._columns import Columns
from fastmlp.tabular._scaler import SmoothClipScaler

__all__ = ["Columns", "SmoothClipScaler"]
