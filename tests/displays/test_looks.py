"""What is drawn can be read: on dark paper as on light, by any eyes."""

from itertools import combinations

import numpy as np
import pytest

from fastmlp import displays
from fastmlp.displays._base import CURVES, plain_log
from fastmlp.distributions import Normal

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")
to_rgb = matplotlib.colors.to_rgb

RNG = np.random.default_rng(0)
Y = RNG.normal(size=300)
DIST = Normal(np.zeros(300), 1.0)
GRID = np.linspace(0, 1, 5)
DRAW = {
    "activation": lambda: displays.ActivationDisplay("gelu").plot(),
    "band": lambda: displays.BandDisplay.from_predictions(np.sort(Y), DIST),
    "coverage": lambda: displays.CoverageDisplay.from_predictions(Y, DIST, name="model"),
    "decision": lambda: displays.DecisionRegionDisplay(
        GRID, GRID, np.stack([np.tile(GRID, (5, 1)), np.tile(1 - GRID, (5, 1))], -1), ["a", "b"]
    ).plot(RNG.random((20, 2)), np.array(["a", "b"] * 10)),
    "loss": lambda: displays.LossCurveDisplay([1.0, 0.3], [1.0, 0.5]).plot(),
    "network": lambda: displays.NetworkDisplay([np.eye(2)], [[0.5, 1]], "ab", "cd").plot(),
    "photoz": lambda: displays.PhotozDisplay.from_predictions(Y**2, Y**2),
    "pit": lambda: displays.PITDisplay.from_predictions(Y, DIST),
    "race": lambda: displays.SolverRaceDisplay({"lm": [1.0, 0.1]}, {"lm": [0.1, 0.2]}).plot(),
    "reliability": lambda: displays.ReliabilityDisplay.from_predictions([0, 1, 1], [0.2, 0.6, 0.9]),
    "weights": lambda: displays.WeightsDisplay(np.eye(4), n_units=2).plot(),
}


def luminance(colour):
    share = np.array(to_rgb(colour))
    linear = np.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("paper", ["default", "dark_background"])
@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_words_stand_out_from_the_paper(draw, paper):
    """By the ratio that WCAG 2.1 asks of large words, 3."""
    with plt.style.context(paper):
        figure = draw().figure_
        behind = luminance(figure.get_facecolor())
        words = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text()]
    assert words
    for text in words:
        light, dark = sorted([luminance(text.get_color()), behind], reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 3, text.get_text()
    plt.close("all")


# How the eyes of those who lack one kind of cones mix linear red, green and blue: Machado,
# Oliveira and Fernandes (2009), A physiologically-based model for simulation of color vision
# deficiency, at severity 1.
EYES = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def lab(colour, eyes):
    """CIE L*a*b* of a colour as these eyes see it."""
    share = np.array(to_rgb(colour))
    linear = np.where(share > 0.04045, ((share + 0.055) / 1.055) ** 2.4, share / 12.92)
    x, y, z = XYZ @ np.clip(eyes @ linear, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eyes", EYES)
def test_curves_are_told_apart(eyes):
    """Differences of L*a*b*, of which one is just noticed: 20 of the first five, 14 of all."""
    seen = [lab(colour, np.array(EYES[eyes])) for colour in CURVES]
    apart = [np.linalg.norm(a - b) for a, b in combinations(seen, 2)]
    first = [np.linalg.norm(a - b) for a, b in combinations(seen[:5], 2)]
    assert min(first) > 20 and min(apart) > 14


def test_logarithmic_axes_have_plain_numbers():
    _, ax = plt.subplots()
    ax.plot([0.05, 1.0])
    ax.set_yscale("log")
    plain_log(ax.yaxis)
    ax.figure.canvas.draw()
    shown = [text.get_text() for text in ax.yaxis.get_ticklabels(which="both")]
    assert {"0.1", "1"} <= set(shown) and not any("$" in text for text in shown)
    plt.close("all")
