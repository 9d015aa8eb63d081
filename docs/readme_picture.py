"""Draw the picture of README.md: `python docs/readme_picture.py`. Needs ``fastmlp[displays]``.

An SVG whose colours follow the reader's light or dark.
"""

import io
import re
from pathlib import Path

import matplotlib
import numpy as np

from fastmlp import MLPDistributionRegressor, Network
from fastmlp.playground import points
from fastmlp.solvers import SGD, Adam, minimize

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# role -> the colour drawn with, which names it; in light and in dark
COLOURS = {
    "back": ("#010101", "#ffffff", "#14181c"),
    "edge": ("#020202", "#d9dee3", "#36404a"),
    "ink": ("#030303", "#1d2329", "#e8ecef"),
    "soft": ("#040404", "#5a6570", "#a3afba"),
    "sgd": ("#050505", "#b8860b", "#e0b040"),
    "adam": ("#060606", "#0072b2", "#58b4ee"),
    "lbfgs": ("#070707", "#009e73", "#3fcf9f"),
    "lm": ("#080808", "#c22f2f", "#ff7b72"),
    "band": ("#090909", "#0877bd", "#3fa0e6"),
}
DRAWN = {role: drawn for role, (drawn, *_) in COLOURS.items()}
MINUS, PLUS = np.array([245, 146, 34]), np.array([8, 119, 189])
ITERATIONS = 120


def race():
    """Solver -> its losses on the spiral and its output over the plane, from one start."""
    X, y, *_ = points("spiral")
    net = Network([2, 8, 8, 1], activation="tanh", loss="log_loss")
    axis = np.linspace(-6, 6, 120)
    plane = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    solvers = {
        "sgd": SGD(0.03, batch_size=10, momentum=0.0, nesterovs_momentum=False),
        "adam": Adam(0.03, batch_size=10),
        "lbfgs": "lbfgs",
        "lm": "lm",
    }
    for name, solver in solvers.items():
        run = minimize(
            net.objective(X, y > 0), net.init(random_state=1), solver=solver, random_state=1,
            max_iter=ITERATIONS, tol=0, n_iter_no_change=np.inf,
        )  # fmt: skip
        yield name, run.history["loss"], net.predict(run.theta, plane).reshape(120, 120), X, y


def shades(p):
    """Orange to blue by way of nothing at all, (..., 4)."""
    sign = np.round((2 * p - 1) * 16) / 16  # few shades make a small file
    colour = np.where(sign[..., None] < 0, MINUS, PLUS) / 255
    return np.concatenate([colour, np.abs(sign[..., None]) * 0.85], axis=-1)


def dots(axes, points, size, colour, alpha=1.0):
    """Points as one path of lines without length, which is smaller than a mark for each."""
    x, y = np.repeat(points, 3, axis=0).T.copy()
    x[2::3] = np.nan
    axes.plot(x, y, color=colour, lw=size, alpha=alpha, solid_capstyle="round")


def draw():
    """The figure: four planes, their losses, a distribution for each x."""
    plt.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "readme", "path.simplify": False}
        | {"font.size": 9.5, "axes.linewidth": 0.8}
        | {"font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"]}
        | {f"axes.{part}color": DRAWN["soft"] for part in ("edge", "label")}
        | {f"{axis}tick.color": DRAWN["soft"] for axis in "xy"}
    )
    figure = plt.figure(figsize=(10.4, 3.55), facecolor="none")
    figure.add_artist(
        matplotlib.patches.FancyBboxPatch(
            (0.006, 0.012), 0.988, 0.976, boxstyle="round,pad=0,rounding_size=.018",
            mutation_aspect=10.4 / 3.55, fc=DRAWN["back"], ec=DRAWN["edge"], lw=1, zorder=-1,
        )
    )  # fmt: skip
    losses = figure.add_axes((0.385, 0.165, 0.24, 0.655))
    for k, (name, loss, output, X, y) in enumerate(race()):
        at = 0.025 + 0.146 * (k % 2), 0.455 - 0.412 * (k // 2), 0.1345, 0.394
        plane = figure.add_axes(at, xticks=[], yticks=[], facecolor="none")
        plane.imshow(shades(output), extent=(-6, 6, -6, 6), origin="lower", interpolation="none")
        for sign, tone in ((-1, MINUS), (1, PLUS)):
            dots(plane, X[y == sign], 3.2, "white")
            dots(plane, X[y == sign], 2.2, tone / 255)
        plane.text(
            -5.75, 5.6, name, weight="bold", color=DRAWN["back"], size=9, va="top",
            bbox={"boxstyle": "square,pad=.22", "fc": DRAWN[name], "ec": "none"},
        )  # fmt: skip
        for side in plane.spines.values():
            side.set(color=DRAWN[name], linewidth=2.2)
        losses.semilogy(loss, color=DRAWN[name], lw=2)
        losses.text(len(loss) + 2, loss[-1], name, color=DRAWN[name], va="center", weight="bold")
    losses.set(
        xlim=(0, ITERATIONS), xlabel="iterations", ylabel="training loss", xticks=[0, 40, 80, 120]
    )
    losses.tick_params(length=2)

    rng = np.random.default_rng(3)
    x = rng.uniform(-4, 4, 320)
    y = np.sin(1.4 * x) * (1 + 0.15 * x) + rng.normal(0, 0.04 + 0.075 * (x + 4), 320)
    model = MLPDistributionRegressor(
        "normal", (6,), activation="tanh", solver="lm", alpha=1.0, max_iter=500, random_state=0
    ).fit(x[:, None], y)
    grid = np.linspace(-4, 4, 201)
    dist = model.predict_dist(grid[:, None])
    bars = figure.add_axes((0.715, 0.165, 0.262, 0.655), xlim=(-4, 4), facecolor="none")
    for coverage in (0.99, 0.9, 0.5):
        bars.fill_between(grid, *dist.interval(coverage), color=DRAWN["band"], alpha=0.2, lw=0)
    bars.plot(grid, dist.mean(), color=DRAWN["band"], lw=2.2)
    dots(bars, np.column_stack([x, y]), 2.2, DRAWN["ink"], 0.6)
    bars.set(xlabel="x", ylabel="y", yticks=[-2, 0, 2], ylim=(-3.2, 2.6))
    bars.tick_params(length=2)
    for axes in (losses, bars):
        axes.set_facecolor("none")
        axes.spines[["top", "right"]].set_visible(False)
    for left, title in (
        (0.025, "One start, 120 iterations"),
        (0.346, "Curvature pays"),
        (0.688, "A distribution for every row"),
    ):
        figure.text(left, 0.9, title, weight="bold", color=DRAWN["ink"], size=11)
    return figure


def main():
    """Write the picture, roles in place of the colours that it was drawn with."""
    text = io.StringIO()
    draw().savefig(text, format="svg", metadata={"Date": None})
    svg = re.sub(r"(\.\d\d)\d+", r"\1", text.getvalue())
    for role, (drawn, *_) in COLOURS.items():
        svg = svg.replace(drawn, f"var(--{role})")
    light, dark = (
        " ".join(f"--{role}: {both[k]};" for role, (_, *both) in COLOURS.items()) for k in (0, 1)
    )
    style = f":root {{ {light} }} @media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"
    svg = svg.replace(
        "<defs>", f"<style>{style} text {{ font-family: system-ui, sans-serif; }}</style><defs>", 1
    )
    svg = "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"
    (Path(__file__).parent / "img" / "fastmlp.svg").write_text(svg)


if __name__ == "__main__":
    main()
