"""Displays of fits and networks: what is drawn is what the estimator has."""

import numpy as np
import pytest

from fastmlp import MLPClassifier, MLPRegressor, Network, displays

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
Y = np.where(X[:, 0] * X[:, 2] > 0, "yes", "no")


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def looks_like_something(display, tmp_path):
    path = tmp_path / "picture.png"
    display.figure_.savefig(path, dpi=40)
    assert plt.imread(path)[..., :3].std() > 0.01


def test_loss_curves_of_several_models(tmp_path):
    settings = {"hidden_layer_sizes": (4,), "max_iter": 15, "random_state": 0}
    model = MLPClassifier(early_stopping=True, **settings).fit(X, Y)
    one = displays.LossDisplay.from_estimator(model, name="adam")
    np.testing.assert_array_equal(one.line_.get_ydata(), model.loss_curve_)
    np.testing.assert_array_equal(one.validation_line_.get_ydata(), model.validation_loss_curve_)
    best = one.ax_.collections[0].get_offsets()[0]
    assert best[1] == min(model.validation_loss_curve_)
    assert one.ax_.get_yscale() == "log"
    other = MLPClassifier(solver="lm", **settings).fit(X, Y)
    two = displays.LossDisplay.from_estimator(other, ax=one.ax_)
    assert two.validation_line_ is None and len(one.ax_.lines) == 3
    assert two.line_.get_color() != one.line_.get_color() == one.validation_line_.get_color()
    words = [text.get_text() for text in one.ax_.get_legend().get_texts()]
    assert words == ["adam", "adam, validation", "MLPClassifier"]
    looks_like_something(two, tmp_path)
    # likelihoods may be negative
    assert displays.LossDisplay([1.0, -1.0]).plot(ax=one.ax_).ax_.get_yscale() == "linear"


def test_regions_are_the_probabilities(tmp_path):
    model = MLPClassifier((8,), solver="lbfgs", max_iter=300, alpha=1, random_state=0).fit(X, Y)
    display = displays.DecisionDisplay.from_estimator(model, X, Y, features=(0, 2), n_points=40)
    rows = np.tile(np.median(X, axis=0), (1600, 1))
    rows[:, 0] = np.tile(display.x0, 40)
    rows[:, 2] = np.repeat(display.x1, 40)
    np.testing.assert_array_equal(display.proba.reshape(1600, 2), model.predict_proba(rows))
    assert [len(points.get_offsets()) for points in display.points_] == [
        sum(Y == "no"),
        sum(Y == "yes"),
    ]
    # sure: strongly coloured; in doubt: white
    pixels = display.image_.get_array()
    sure, doubt = display.certainty > 0.9, display.certainty < 1e-3
    assert sure.any() and doubt.any()
    assert pixels[doubt].min() > 0.9 and pixels[sure].min(axis=1).max() < 0.75
    # the colour is that of the class
    no, yes = (pixels[sure & (display.proba[..., k] > 0.5)] for k in range(2))
    assert (no[:, 2] > no[:, 0]).all() and (yes[:, 0] > yes[:, 2]).all()
    looks_like_something(display, tmp_path)


def test_network_is_drawn_with_its_weights(tmp_path):
    net = Network([3, 4, 2])
    coefs, intercepts = net.unpack(net.init(random_state=0))
    display = displays.NetworkDisplay(coefs, intercepts, "abc", ["p", "q"]).plot()
    assert [len(nodes.get_offsets()) for nodes in display.nodes_] == [3, 4, 2]
    for W, lines in zip(coefs, display.lines_, strict=True):
        segments, widths = lines.get_segments(), lines.get_linewidths()
        assert len(segments) == W.size
        assert np.argmax(widths) == np.argmax(np.abs(W))
        positive = [colour[2] > colour[0] for colour in lines.get_colors()]
        np.testing.assert_array_equal(positive, W.ravel() > 0)
    # from input i at its height to hidden unit j at its own
    inputs, hidden = (nodes.get_offsets() for nodes in display.nodes_[:2])
    np.testing.assert_array_equal(display.lines_[0].get_segments()[5], [inputs[1], hidden[1]])
    words = {text.get_text() for text in display.ax_.texts}
    assert words >= {"a", "b", "c", "p", "q", "3", "4", "2"}
    looks_like_something(display, tmp_path)


def test_wide_layers_are_cut():
    net = Network([30, 100, 1])
    display = displays.NetworkDisplay(*net.unpack(net.init(random_state=0))).plot(max_units=7)
    assert [len(nodes.get_offsets()) for nodes in display.nodes_] == [7, 7, 1]
    assert sum(text.get_text() == "⋮" for text in display.ax_.texts) == 2


def test_network_of_an_estimator_compares_standardized_features():
    scaled = X * [1, 1000, 1]
    model = MLPClassifier((3,), standardize=True, max_iter=20, random_state=0).fit(scaled, Y)
    display = displays.NetworkDisplay.from_estimator(model)
    np.testing.assert_allclose(display.coefs[0], model.coefs_[0] * model.x_scale_[:, None])
    assert display.output_names is None  # one output for two classes
    many = MLPClassifier((3,), max_iter=2).fit(X, np.arange(300) % 3)
    assert displays.NetworkDisplay.from_estimator(many).output_names == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: displays.LossDisplay([]), ValueError, "loss must have shape"),
        (lambda: displays.LossDisplay([1, 2], [1]), ValueError, "the same shape"),
        (
            lambda: displays.LossDisplay.from_estimator(MLPRegressor()),
            TypeError,
            "MLPRegressor has no loss_curve_",
        ),
        (
            lambda: displays.DecisionDisplay([0, 1], [0], [[[1.0]]], ["a"]),
            ValueError,
            r"\(1, 2, 1\), got \(1, 1, 1\)",
        ),
        (
            lambda: displays.DecisionDisplay.from_estimator(MLPClassifier(), X[:, :1]),
            ValueError,
            "two features or more",
        ),
        (
            lambda: displays.DecisionDisplay.from_estimator(MLPRegressor(), X),
            TypeError,
            "no predict_proba",
        ),
        (
            lambda: displays.NetworkDisplay([np.ones((2, 3)), np.ones((2, 1))], [np.ones(3), [1]]),
            ValueError,
            "one after the other",
        ),
        (
            lambda: displays.NetworkDisplay([np.ones((2, 1))], [[1]], "abc"),
            ValueError,
            "feature_names must be 2 words, got 3",
        ),
        (
            lambda: displays.NetworkDisplay([np.ones((2, 1))], [[1]]).plot(max_units=1),
            ValueError,
            "max_units must be at least 2",
        ),
        (
            lambda: displays.NetworkDisplay.from_estimator(MLPRegressor()),
            TypeError,
            "MLPRegressor has no coefs_",
        ),
    ],
)
def test_words(call, error, words):
    with pytest.raises(error, match=words):
        call()
