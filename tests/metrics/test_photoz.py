"""Statistics of photometric redshifts: by hand, and as qp computes them."""

import numpy as np
import pytest
from scipy import stats

from fastmlp import metrics
from fastmlp.distributions import Histogram, Normal, NormalMixture

RNG = np.random.default_rng(0)
Z = RNG.uniform(0, 2, 500)
POINT = Z + (1 + Z) * RNG.standard_t(2, 500) * 0.02
DIST = Normal(POINT, 0.03 * (1 + Z))
MIXTURE = NormalMixture(
    np.broadcast_to([0.8, 0.2], (500, 2)),
    POINT[:, None] + [0.0, 0.1],
    np.broadcast_to([0.03, 0.1], (500, 2)),
)


def test_statistics_are_those_of_the_scaled_errors():
    error = (POINT - Z) / (1 + Z)
    assert metrics.point_bias(Z, POINT) == np.median(error)
    assert metrics.sigma_iqr(Z, POINT) == pytest.approx(stats.iqr(error) / 1.349)
    mad = stats.median_abs_deviation(error)
    assert metrics.sigma_mad(Z, POINT) == pytest.approx(1.4826 * mad)
    limit = max(0.06, 3 * metrics.sigma_iqr(Z, POINT))
    assert metrics.outlier_rate(Z, POINT) == (np.abs(error) > limit).mean() > 0
    assert metrics.outlier_rate(Z, POINT, threshold=0.15) == (np.abs(error) > 0.15).mean()


def test_outliers_beyond_three_sigma_where_that_is_more():
    z = np.zeros(1000)
    error = RNG.normal(0, 0.1, 1000)
    assert (
        metrics.outlier_rate(z, error) == (np.abs(error) > 3 * metrics.sigma_iqr(z, error)).mean()
    )


def test_qp_computes_the_same():
    qp = pytest.importorskip("qp")
    from qp.metrics import concrete_metric_classes as theirs
    from qp.metrics import point_estimate_metric_classes as point

    for name, ours in {
        "PointBias": metrics.point_bias,
        "PointSigmaIQR": metrics.sigma_iqr,
        "PointSigmaMAD": metrics.sigma_mad,
        "PointOutlierRate": metrics.outlier_rate,
    }.items():
        assert ours(Z, POINT) == pytest.approx(getattr(point, name)().evaluate(POINT, Z), rel=1e-12)
    bins = Histogram(*DIST.to_bins(np.linspace(-0.5137, 3.5071, 81))[:2])
    for dist in (DIST, MIXTURE, bins):
        ensemble = dist.to_qp()
        loss = theirs.CDELossMetric().evaluate(ensemble, Z)
        assert metrics.cde_loss(Z, dist, grid=metrics.QP_GRID) == pytest.approx(loss, rel=1e-6)
        samples = qp.metrics.pit.PIT(ensemble, Z).pit_samps
        np.testing.assert_allclose(metrics.pit(Z, dist), samples, atol=1e-6)


def test_pit_outliers():
    level = DIST.cdf(Z)
    assert metrics.pit_outlier_rate(Z, DIST) == ((level < 1e-4) | (level > 0.9999)).mean() > 0
    truth = Normal(np.zeros(200_000), 1.0)
    rate = metrics.pit_outlier_rate(truth.sample(random_state=0)[0], truth)
    assert abs(rate - 2e-4) < 4 * np.sqrt(2e-4 / 200_000)


def test_report():
    report = metrics.photoz_report(Z, DIST)
    assert report == {
        "n": 500,
        "bias": metrics.point_bias(Z, POINT),
        "sigma_mad": metrics.sigma_mad(Z, POINT),
        "sigma_iqr": metrics.sigma_iqr(Z, POINT),
        "outlier_rate": metrics.outlier_rate(Z, POINT),
        "crps": metrics.crps(Z, DIST),
        "cde_loss": metrics.cde_loss(Z, DIST),
        "pit_outlier_rate": metrics.pit_outlier_rate(Z, DIST),
    }
    assert metrics.photoz_report(Z, POINT) == {name: report[name] for name in list(report)[:5]}


def test_report_in_bins():
    edges = [0, 0.5, 1, 1.5, 2, 3]
    report = metrics.photoz_report(Z, DIST, by=Z, edges=edges)
    assert report["n"].sum() == 500 and report["n"][-1] == 0 and np.isnan(report["bias"][-1])
    for i in range(4):
        rows = (edges[i] <= Z) & (edges[i + 1] > Z)
        for name, value in metrics.photoz_report(Z[rows], DIST[rows]).items():
            assert report[name][i] == value
    last = metrics.photoz_report([1.0, 1.0], [1.0, 1.0], by=[20.0, 24.0], edges=[19, 22, 24])
    assert last["n"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: metrics.point_bias([], []), ValueError, "z_true must hold at least one row"),
        (lambda: metrics.point_bias([1, 2], [1]), ValueError, r"z_pred must have shape \(2,\)"),
        (
            lambda: metrics.sigma_mad([1, np.nan], [1, 2]),
            ValueError,
            "z_true must be finite; row 1",
        ),
        (lambda: metrics.sigma_iqr([-1], [0]), ValueError, "z_true must be greater than -1"),
        (lambda: metrics.outlier_rate([1], [1], threshold=0), ValueError, "threshold must be pos"),
        (lambda: metrics.pit_outlier_rate([1], [1]), TypeError, "dist must be a distribution"),
        (lambda: metrics.photoz_report(Z, POINT, by=Z), ValueError, "by and edges go together"),
        (lambda: metrics.photoz_report(Z, DIST[:3]), ValueError, "estimate must have the shape"),
        (lambda: metrics.photoz_report(Z, DIST, by=Z, edges=[1, 0]), ValueError, "edges must incr"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
