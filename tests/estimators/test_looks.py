"""What a fitted model says of itself: summary, picture, diagnosis."""

import itertools
import re
import warnings
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.estimators import _picture

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 4))
y = np.sin(X[:, 0]) + 0.1 * X[:, 1]


def fitted(X=X, y=y, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPRegressor(**{"random_state": 0, "max_iter": 60} | parameters)
        return model.fit(X, y)


def names(model, X=X):
    return {finding.name for finding in model.diagnose(X)}


def test_summary_has_every_layer_and_the_end():
    model = fitted(hidden_layer_sizes=(7, 3), activation=["tanh", ("leaky_relu", {"eps": 0.2})])
    text = model.summary()
    assert repr(text) == str(text)
    lines = text.splitlines()
    assert len({len(line) for line in lines[:5]}) == 1
    assert "4 x 7" in lines[2]
    assert lines[2].endswith("35")
    assert "leaky_relu(eps=0.2)" in lines[3]
    assert lines[6].split() == ["all", "63"]
    assert "60 epochs" in text
    assert model.status_ in text


@pytest.mark.parametrize("sizes", [(), (5,), (30, 20)])
def test_a_fitted_model_is_drawn_in_a_notebook(sizes):
    model = fitted(hidden_layer_sizes=sizes)
    assert "fastmlp-network" not in MLPRegressor(sizes)._repr_html_()
    for html in (model._repr_html_(), model._repr_mimebundle_()["text/html"]):
        svg = re.search(r"<svg role=.*?</svg>", html, re.DOTALL).group()
        drawn = ET.fromstring(svg)
        shown = [min(n, 10) for n in (4, *sizes, 1)]
        assert len(drawn.findall("circle")) == sum(shown)
        assert len(drawn.findall("line")) == sum(
            a * b for a, b in zip(shown, shown[1:], strict=False)
        )
        assert model.status_.split()[0] in html
    assert "fastmlp-network" in html
    pipeline = make_pipeline(StandardScaler(), model)._repr_html_()
    assert "MLPRegressor" in pipeline


def test_a_class_name_cannot_write_into_the_page():
    model = fitted()
    model.status_ = "<script>alert(1)</script>"
    assert "<script>alert" not in model._repr_html_().split("fastmlp-network")[1]


def test_nothing_is_wrong_with_good_fits():
    digits, classes = load_digits(return_X_y=True)
    good = MLPClassifier((30,), standardize=True, random_state=0, max_iter=300, n_iter_no_change=10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        good.fit(digits, classes)
    assert names(good, digits) == set()
    for seed in range(5):
        for activation in ("tanh", "relu", "gelu", "softplus"):
            model = fitted(
                solver="lbfgs", activation=activation, hidden_layer_sizes=(8, 6), random_state=seed
            )
            assert names(model) <= {"dead units"}
            assert str(model.diagnose(X)) == "Nothing wrong was found." or activation == "relu"


def test_dead_units_are_named():
    model = fitted(hidden_layer_sizes=(6,), solver="lbfgs")
    intercepts = [b.copy() for b in model.intercepts_]
    intercepts[0][:2] = -1e3
    model.intercepts_ = intercepts
    (finding,) = [one for one in model.diagnose(X) if one.name == "dead units"]
    assert finding.what.startswith("2 of 6 units of hidden layer 1 (relu)")


@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_saturated_layers_are_named(activation):
    model = fitted(hidden_layer_sizes=(6,), solver="lbfgs", activation=activation)
    assert "saturated layer" not in names(model)
    model.coefs_ = [1e2 * model.coefs_[0], model.coefs_[1]]
    assert "saturated layer" in names(model)


def test_slopes_that_fade_or_grow_are_named():
    model = fitted(hidden_layer_sizes=(8,) * 6, activation="logistic", max_iter=2)
    assert "vanishing slopes" in names(model)
    model = fitted(hidden_layer_sizes=(8,) * 4, activation="identity", max_iter=2)
    model.coefs_ = [30 * W for W in model.coefs_]
    assert "exploding slopes" in names(model)


def test_unscaled_columns_are_named():
    far = X * [1, 1, 1e4, 1] + [0, 100, 0, 0]
    model = fitted(far, max_iter=5)
    (finding,) = [one for one in model.diagnose(far) if one.name == "unscaled columns"]
    assert "2 of 4 columns" in finding.what
    assert ": 1, 2" in finding.what
    assert "unscaled columns" not in names(fitted(far, standardize=True, max_iter=5), far)


def test_learning_rates_too_high_and_too_low_are_named():
    high = fitted(solver="sgd", learning_rate_init=0.2, hidden_layer_sizes=(20,), batch_size=8)
    low = fitted(solver="adam", learning_rate_init=1e-3, hidden_layer_sizes=(20,), max_iter=30)
    assert names(high) & {"learning rate too high", "not finite"}
    assert "learning rate too low" in names(low)


def test_weights_that_are_not_finite_are_named():
    model = fitted(solver="lbfgs")
    model.coefs_ = [np.full_like(W, np.nan) for W in model.coefs_]
    assert names(model) == {"not finite"}
    assert "NaN" in str(model.diagnose(X))
    assert "fastmlp-network" in model._repr_html_()


def test_before_fit():
    for call in (MLPRegressor().summary, lambda: MLPRegressor().diagnose(X)):
        with pytest.raises(NotFittedError):
            call()
    with pytest.raises(ValueError, match="features"):
        fitted(max_iter=2).diagnose(X[:, :2])


@pytest.mark.parametrize("widths", [(2, 3, 1), (4, 30, 2), (12, 12, 12)])
def test_the_drawing_holds_all_that_is_drawn(widths):
    rng = np.random.default_rng(0)
    coefs = [rng.normal(size=shape) for shape in itertools.pairwise(widths)]
    svg = ET.fromstring(_picture.drawing(coefs, [np.zeros(n) for n in widths[1:]]))
    width, height = float(svg.get("width")), float(svg.get("height"))
    units = [(float(one.get("cx")), float(one.get("cy"))) for one in svg.iter("circle")]
    words = [(float(one.get("x")), float(one.get("y"))) for one in svg.iter("text")]
    assert len(units) == sum(min(n, 10) for n in widths)
    for (x, y), reach in [*((one, 5) for one in units), *((one, 0) for one in words)]:
        assert reach <= x <= width - reach and reach <= y <= height - reach
    assert max(y for _, y in units) < max(y for _, y in words)  # the sizes stand below
    for l, (fan_in, fan_out) in enumerate(itertools.pairwise(min(n, 10) for n in widths)):
        lines = [one for one in svg.iter("line") if float(one.get("x1")) == 20 + 84 * l]
        assert len(lines) == fan_in * fan_out
        assert max(float(one.get("stroke-width")) for one in lines) == 2.3  # the largest is thick
