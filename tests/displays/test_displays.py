"""What displays draw is what the metrics say; they need matplotlib when they draw, not before."""

import subprocess
import sys

import numpy as np
import pytest

from fastmlp import MLPClassifier, displays, metrics
from fastmlp.displays._base import binomial_band
from fastmlp.displays._network import chosen, heights
from fastmlp.distributions import Normal, Poisson

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

RNG = np.random.default_rng(0)
X = RNG.uniform(0, 2, (400, 2))


class Model:
    """The truth, as an estimator would tell it."""

    def predict_dist(self, X):
        return Normal(X[:, 0], 0.05 * (1 + X[:, 0]))

    def predict(self, X):
        return X[:, 0]


DIST = Model().predict_dist(X)
Y = DIST.sample(random_state=1)[0]
Z = np.abs(Y)
DRAWN = [displays.PITDisplay, displays.CoverageDisplay, displays.PhotozDisplay]


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def write(display, tmp_path):
    """Draw it for good: a picture that is not empty."""
    path = tmp_path / "picture.png"
    display.figure_.savefig(path, dpi=40)
    pixels = plt.imread(path)[..., :3]
    assert pixels.std() > 0.01
    return display


def test_pit(tmp_path):
    display = write(displays.PITDisplay.from_predictions(Y, DIST, n_bins=8), tmp_path)
    counts = np.histogram(metrics.pit(Y, DIST), 8, (0, 1))[0]
    heights = [bar.get_height() for bar in display.bars_]
    np.testing.assert_allclose(heights, counts / 400 * 8)
    assert f"{display.tests['ad'].pvalue:.2g}" in display.ax_.texts[0].get_text()
    counted = displays.PITDisplay.from_predictions(
        np.ones(400), Poisson(np.ones(400)), random_state=0
    )
    assert len(np.unique(counted.pit)) == 400
    assert "< 0.0001" in counted.ax_.texts[0].get_text()


def test_coverage_curves_share_axes(tmp_path):
    one = displays.CoverageDisplay.from_predictions(Y, DIST, name="right")
    sure = Normal(DIST.loc, DIST.scale / 2)
    two = displays.CoverageDisplay.from_predictions(Y, sure, name="sure", ax=one.ax_)
    write(two, tmp_path)
    assert two.ax_ is one.ax_ and len(one.ax_.lines) == 3
    np.testing.assert_array_equal(one.ax_.lines[0].get_xydata(), [[0, 0], [1, 1]])
    assert one.line_.get_color() != two.line_.get_color()
    coverages, observed = metrics.coverage_curve(Y, sure, np.arange(1, 50) / 50)
    np.testing.assert_array_equal(two.line_.get_ydata(), [0, *observed, 1])
    assert [text.get_text() for text in one.ax_.get_legend().get_texts()] == ["right", "sure"]
    alone = displays.CoverageDisplay.from_predictions(Y, DIST)
    assert alone.ax_ is not one.ax_ and "400 rows" in alone.ax_.texts[0].get_text()


def test_reliability(tmp_path):
    model = MLPClassifier(max_iter=5, random_state=0).fit(X, Y > 1)
    display = write(displays.ReliabilityDisplay.from_estimator(model, X, Y > 1), tmp_path)
    proba = model.predict_proba(X)[:, 1]
    curve = metrics.reliability_curve(Y > 1, proba)
    np.testing.assert_array_equal(display.line_.get_ydata(), curve.observed)
    assert display.error == metrics.expected_calibration_error(Y > 1, proba)
    labels = np.array(["low", "mid", "high"])
    classes = labels[np.digitize(Y, [0.7, 1.4])]
    many = MLPClassifier(max_iter=5, random_state=0).fit(X, classes)
    display = displays.ReliabilityDisplay.from_estimator(many, X, classes)
    assert display.error == metrics.expected_calibration_error(classes, many.predict_proba(X))


def test_the_band_of_a_share_is_the_normal_one():
    low, high = binomial_band(np.array([0.3]), 400)
    half = 1.959964 * np.sqrt(0.3 * 0.7 / 400)
    np.testing.assert_allclose([low[0], high[0]], [0.3 - half, 0.3 + half], rtol=1e-6)
    assert binomial_band(np.array([0.001]), 400)[0][0] == 0


@pytest.mark.parametrize("most", [15, 16])
def test_the_gap_of_a_drawn_layer_lies_where_units_are_left_out(most):
    numbers, at = chosen(40, most), heights(most, gap=True)
    steps = -np.diff(at)
    assert np.argmax(steps) == np.argmax(np.diff(numbers)) and sorted(steps)[-2:] == [1, 2]


def test_redshifts(tmp_path):
    display = write(displays.PhotozDisplay.from_predictions(Z, DIST, n_bins=20), tmp_path)
    assert display.report == metrics.photoz_report(Z, DIST)
    cells = display.image_.get_array()
    assert cells.shape == (20, 20) and np.nansum(cells) == 400
    assert "CDE loss" in display.ax_.texts[0].get_text()
    x, above = display.ax_.lines[2].get_xydata().T
    limit = (above - x) / (1 + x)
    np.testing.assert_allclose(limit, limit[0])
    beyond = np.abs(DIST.median() - Z) / (1 + Z) > limit[0]
    assert beyond.mean() == metrics.outlier_rate(Z, DIST.median()) > 0
    display.figure_.draw_without_rendering()
    ticks = [text.get_text() for text in display.figure_.axes[1].get_yticklabels()]
    assert "1" in ticks and not any("$" in tick for tick in ticks)  # no powers
    point = displays.PhotozDisplay.from_predictions(Z, DIST.median())
    assert "CDE loss" not in point.ax_.texts[0].get_text()


def test_one_absurd_estimate_does_not_shrink_the_rest():
    estimate = np.array(DIST.median())
    estimate[0] = 1e6
    display = displays.PhotozDisplay.from_predictions(np.r_[Z, Z, Z], np.r_[estimate, Z, Z])
    assert display.ax_.get_ylim()[1] < 5
    assert np.nansum(display.image_.get_array()) == 1200


def test_bands(tmp_path):
    x = np.array([2.0, 0.0, 1.0])
    dist = Normal(x, 1 + x)
    display = displays.BandDisplay.from_predictions(x, dist, coverages=[0.5, 0.9])
    np.testing.assert_array_equal(display.line_.get_xdata(), [0, 1, 2])
    widest = display.bands_[0].get_paths()[0].vertices
    low, high = dist.interval(0.9)
    assert widest[:, 1].min() == low.min() and widest[:, 1].max() == high.max()
    display = displays.BandDisplay.from_estimator(Model(), X, Y, coverages=[0.9], n_points=50)
    write(display, tmp_path)
    assert len(display.x) == 50 and len(display.ax_.collections) == 2


@pytest.mark.parametrize("kind", DRAWN, ids=lambda kind: kind.__name__)
def test_from_an_estimator_is_from_its_predictions(kind):
    one = kind.from_estimator(Model(), X, Z)
    two = kind.from_predictions(Z, DIST)
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, vars(two)[name])
    _, ax = plt.subplots()
    assert one.plot(ax=ax).ax_ is ax and one.figure_ is ax.figure


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda: displays.PITDisplay.from_estimator(MLPClassifier(), X, Y),
            TypeError,
            "MLPClassifier has no predict_dist",
        ),
        (lambda: displays.PITDisplay([0.5, 2]), ValueError, "pit must be from 0 to 1"),
        (lambda: displays.PITDisplay([0.5, 1]).plot(n_bins=0), ValueError, "n_bins must be at"),
        (lambda: displays.BandDisplay([0, 1], DIST), ValueError, "the same shape"),
        (lambda: displays.BandDisplay([0], Normal([0], 1), [0.9, 0.5]), ValueError, "increase"),
        (lambda: displays.PhotozDisplay([0.1], [np.nan]), ValueError, "must be finite"),
        (
            lambda: displays.BandDisplay.from_estimator(Model(), X[0]),
            ValueError,
            r"X must have shape \(n, n_features\)",
        ),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_matplotlib_missing_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install \"fastmlp\[displays\]\""):
        displays.PITDisplay([0.2, 0.4]).plot()


def test_matplotlib_is_imported_when_drawing():
    script = (
        "import sys, fastmlp.displays as d; d.PITDisplay([0.2, 0.5]); "
        "assert not {'matplotlib', 'sklearn'} & set(sys.modules)"
    )
    command = [sys.executable, "-P", "-c", script]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
