"""Judging probabilities: scores, calibration and the statistics of photometric redshifts.

What scikit-learn has (log-loss, Brier score, pinball loss of one level, calibration curves of two
classes) is scikit-learn's. Here ``y_true`` comes first as there, and a prediction is a distribution
of ``fastmlp.distributions``; a score of each row is a method of it, such as ``dist.crps(y)``.

>>> from fastmlp import metrics
>>> from fastmlp.distributions import Normal
>>> dist = Normal(loc=[0.0, 1.0], scale=[1.0, 2.0])
>>> round(metrics.crps([0.5, 0.0], dist), 3)
0.497
"""

from fastmlp.metrics._calibration import (
    Reliability,
    TestResult,
    coverage_curve,
    expected_calibration_error,
    pit,
    pit_tests,
    reliability_curve,
)
from fastmlp.metrics._intervals import (
    interval_coverage,
    interval_score,
    interval_width,
    pinball_loss,
)
from fastmlp.metrics._photoz import (
    QP_GRID,
    outlier_rate,
    photoz_report,
    pit_outlier_rate,
    point_bias,
    sigma_iqr,
    sigma_mad,
)
from fastmlp.metrics._scores import cde_loss, crps, crps_quantiles, crps_samples, log_score

__all__ = [
    "QP_GRID",
    "Reliability",
    "TestResult",
    "cde_loss",
    "coverage_curve",
    "crps",
    "crps_quantiles",
    "crps_samples",
    "expected_calibration_error",
    "interval_coverage",
    "interval_score",
    "interval_width",
    "log_score",
    "outlier_rate",
    "photoz_report",
    "pinball_loss",
    "pit",
    "pit_outlier_rate",
    "pit_tests",
    "point_bias",
    "reliability_curve",
    "sigma_iqr",
    "sigma_mad",
]
