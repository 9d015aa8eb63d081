"""Displays of fits and networks: what is drawn is what the estimator has."""

import numpy as np
import pytest

from fastmlp import MLPClassifier, MLPDistributionRegressor, MLPRegressor, Network, displays

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
    one = displays.LossCurveDisplay.from_estimator(model, name="adam")
    np.testing.assert_array_equal(one.line_.get_ydata(), model.loss_curve_)
    np.testing.assert_array_equal(one.validation_line_.get_ydata(), model.validation_loss_curve_)
    best = one.ax_.collections[0].get_offsets()[0]
    assert best[1] == min(model.validation_loss_curve_)
    assert one.ax_.get_yscale() == "log"
    other = MLPClassifier(solver="lm", **settings).fit(X, Y)
    two = displays.LossCurveDisplay.from_estimator(other, ax=one.ax_)
    assert two.validation_line_ is None and len(one.ax_.lines) == 3
    assert two.line_.get_color() != one.line_.get_color() == one.validation_line_.get_color()
    words = [text.get_text() for text in one.ax_.get_legend().get_texts()]
    assert words == ["adam", "adam, validation", "MLPClassifier"]
    looks_like_something(two, tmp_path)
    # likelihoods may be negative
    assert displays.LossCurveDisplay([1.0, -1.0]).plot(ax=one.ax_).ax_.get_yscale() == "linear"


def test_regions_are_the_probabilities(tmp_path):
    model = MLPClassifier((8,), solver="lbfgs", max_iter=300, alpha=1, random_state=0).fit(X, Y)
    display = displays.DecisionRegionDisplay.from_estimator(
        model, X, Y, features=(0, 2), n_points=40
    )
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
        (lambda: displays.LossCurveDisplay([]), ValueError, "loss must have shape"),
        (lambda: displays.LossCurveDisplay([1, 2], [1]), ValueError, "the same shape"),
        (
            lambda: displays.LossCurveDisplay.from_estimator(MLPRegressor()),
            TypeError,
            "MLPRegressor has no loss_curve_",
        ),
        (
            lambda: displays.DecisionRegionDisplay([0, 1], [0], [[[1.0]]], ["a"]),
            ValueError,
            r"\(1, 2, 1\), got \(1, 1, 1\)",
        ),
        (
            lambda: displays.DecisionRegionDisplay.from_estimator(MLPClassifier(), X[:, :1]),
            ValueError,
            "two features or more",
        ),
        (
            lambda: displays.DecisionRegionDisplay.from_estimator(MLPRegressor(), X),
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


def test_activations_are_those_of_the_kernels(tmp_path):
    z = np.linspace(-3, 3, 13)
    one = displays.ActivationDisplay("tanh", z).plot()
    np.testing.assert_allclose(one.lines_[0].get_ydata(), np.tanh(z))
    np.testing.assert_allclose(one.lines_[1].get_ydata(), 1 - np.tanh(z) ** 2, atol=1e-12)
    exact = -2 * np.tanh(z) * (1 - np.tanh(z) ** 2)
    np.testing.assert_allclose(one.lines_[2].get_ydata(), exact, atol=1e-12)
    looks_like_something(one, tmp_path)
    leaky = displays.ActivationDisplay(("leaky_relu", {"eps": 0.2}), [-1.0, 2.0]).plot()
    np.testing.assert_allclose(leaky.value, [-0.2, 2.0])
    assert leaky.ax_.get_title() == "leaky_relu (eps = 0.2)"


def test_a_race_of_solvers(tmp_path):
    settings = {"hidden_layer_sizes": (4,), "max_iter": 12, "random_state": 0}
    models = {s: MLPClassifier(solver=s, **settings).fit(X, Y) for s in ("adam", "lm")}
    one = displays.SolverRaceDisplay.from_runs(models)
    for k, (name, model) in enumerate(models.items()):
        by_iteration, by_seconds = (ax.lines[2 * k] for ax in one.axes_)
        np.testing.assert_array_equal(by_iteration.get_ydata(), model.loss_curve_)
        np.testing.assert_array_equal(by_seconds.get_xdata(), model.timings_["seconds"])
        assert by_seconds.get_label() == name
    looks_like_something(one, tmp_path)


def test_weights_are_laid_out_as_images(tmp_path):
    images = np.arange(24.0).reshape(6, 4) - 11.5
    one = displays.WeightsDisplay(images, shape=(2, 3)).plot()
    board = np.asarray(one.image_.get_array().filled(np.nan))
    np.testing.assert_array_equal(board[:2, :3], images[:, 0].reshape(2, 3))
    assert np.isnan(board[2]).all()
    few = displays.WeightsDisplay(images * [1, 3, 0, 2], shape=(2, 3), n_units=2).plot()
    np.testing.assert_array_equal(few.shown_, [1, 3])
    looks_like_something(few, tmp_path)
    far = X * [1, 1e3, 1]
    model = MLPRegressor(
        hidden_layer_sizes=5, solver="lbfgs", standardize=True, random_state=0, max_iter=30
    )
    model.fit(far, X[:, 0])
    shown = displays.WeightsDisplay.from_estimator(model, shape=(1, 3)).weights
    np.testing.assert_allclose(shown, model.coefs_[0] * far.std(axis=0)[:, None], rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: displays.ActivationDisplay("sigm"), "logistic"),
        (lambda: displays.ActivationDisplay("tanh", [[0.0]]), "shape"),
        (lambda: displays.SolverRaceDisplay({}, {}), "one at least"),
        (lambda: displays.SolverRaceDisplay({"a": [1]}, {"a": [1, 2]}), "same shape"),
        (lambda: displays.SolverRaceDisplay.from_runs({"a": MLPRegressor()}), "fitted"),
        (lambda: displays.WeightsDisplay(np.ones((5, 2))), "rows, cols"),
        (lambda: displays.WeightsDisplay(np.ones((6, 2)), shape=(2, 2)), "6 pixels"),
        (lambda: displays.WeightsDisplay.from_estimator(MLPRegressor()), "not fitted"),
    ],
)
def test_what_cannot_be_drawn_is_said(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_name_the_axes(library):
    """And the estimator, which warns where names are missing, gets a frame."""
    frame = pytest.importorskip(library).DataFrame(dict(zip("abc", X.T, strict=True)))
    settings = {"hidden_layer_sizes": (4,), "max_iter": 5, "random_state": 0}
    model = MLPClassifier(**settings).fit(frame, Y)
    regions = displays.DecisionRegionDisplay.from_estimator(
        model, frame, Y, features=(0, 2), n_points=9
    )
    assert (regions.ax_.get_xlabel(), regions.ax_.get_ylabel()) == ("a", "c")
    target = frame["a"].rename("price")
    dist = MLPDistributionRegressor(**settings).fit(frame, target)
    band = displays.BandDisplay.from_estimator(dist, frame, target, feature=1)
    assert (band.ax_.get_xlabel(), band.ax_.get_ylabel()) == ("b", "price")
