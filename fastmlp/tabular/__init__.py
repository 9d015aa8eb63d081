"""Tables without tuning: columns of any kind, a race of candidates, an ensemble of the best."""

from fastmlp.tabular._classifier import TabularMLPClassifier
from fastmlp.tabular._columns import Columns
from fastmlp.tabular._encoder import PiecewiseLinearEncoder
from fastmlp.tabular._leaderboard import Leaderboard
from fastmlp.tabular._race import Candidate, Race
from fastmlp.tabular._regressor import TabularMLPRegressor
from fastmlp.tabular._relevance import ColumnScaler
from fastmlp.tabular._scaler import SmoothClipScaler

__all__ = [
    "Candidate",
    "ColumnScaler",
    "Columns",
    "Leaderboard",
    "PiecewiseLinearEncoder",
    "Race",
    "SmoothClipScaler",
    "TabularMLPClassifier",
    "TabularMLPRegressor",
]
