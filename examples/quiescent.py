"""Quiescent or star-forming: the rule sgn[(U-V) - 0.8 (V-J) - 0.7], learned, and then improved.

A galaxy that makes no stars is red for want of young ones; a dusty one is red, too, but redder in
V-J at the same U-V. The lecture's rule cuts along a line between the two. A single neuron finds
that line again from galaxies that were sorted by it, and a better one from their star-formation
rates; a hidden layer bends it and says how sure it is. Real galaxies are the ZFOURGE catalogue
(Straatman et al., ApJ 830, 51, 2016) as ``zfourge_uvj/uvj.csv`` in the folder that --data or
FASTMLP_DATA names: columns U_V, V_J, lssfr_fast, uvj_quiescent. Otherwise they are simulated.
Prints a table, and draws quiescent.png into the folder --out where matplotlib is installed.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss, precision_score, recall_score
from sklearn.model_selection import train_test_split

from fastmlp import MLPClassifier
from fastmlp.metrics import expected_calibration_error


def simulated(n=6000):
    """Star-forming galaxies along the direction of dust, quiescent ones along that of age."""
    rng = np.random.default_rng(0)
    quiescent = rng.uniform(size=n) < 0.25
    dust, age = rng.gamma(2.0, 0.4, n), rng.uniform(0, 1, n)
    V_J = np.where(quiescent, 0.75 + 0.6 * age, 0.25 + 0.75 * dust)
    U_V = np.where(quiescent, 1.35 + 0.55 * age, 0.45 + 0.60 * dust)
    colours = np.column_stack([V_J, U_V]) + rng.normal(0, 0.15, (n, 2))
    return colours, quiescent, in_box(colours)


def catalogue(path):
    """Colours (V-J, U-V), whether less than 10^-10.5 of the mass is made per year, the box."""
    table = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    colours = np.column_stack([table["V_J"], table["U_V"]])
    return colours, table["lssfr_fast"] < -10.5, table["uvj_quiescent"] == 1


def rule(X):
    """The lecture's."""
    return X[:, 1] - 0.8 * X[:, 0] - 0.7 > 0


def in_box(X):
    """The published selection: the rule, and red in U-V but not in V-J."""
    return rule(X) & (X[:, 1] > 1.3) & (X[:, 0] < 1.6)


def line(neuron):
    """Slope and height of the line on which the neuron is undecided: U-V = slope (V-J) + height."""
    (of_V_J, of_U_V), bias = neuron.coefs_[0][:, 0], neuron.intercepts_[0][0]
    return -of_V_J / of_U_V, -bias / of_U_V


def draw(figure, X, y, lines, hidden):
    """The plane with all lines; the hidden layer's regions; its calibration."""
    from fastmlp.displays import DecisionRegionDisplay, ReliabilityDisplay

    plane, regions, calibration = figure.subplots(1, 3)
    low, high = np.quantile(X, [0.002, 0.998], axis=0) + [[-0.2, -0.2], [0.2, 0.2]]
    some = np.all((X > low) & (X < high), axis=1)
    some[3000:] = False
    DecisionRegionDisplay.from_estimator(hidden, X[some], ax=regions)
    for label, colour, part in (("star-forming", "#2a6fb0", ~y), ("quiescent", "#d9722b", y)):
        for axes in (plane, regions):
            axes.scatter(*X[some & part].T, s=5, color=colour, alpha=0.5, lw=0, label=label)
    across = np.linspace(low[0], high[0], 2)
    for (label, (slope, height)), style in zip(lines.items(), ("--", "-"), strict=True):
        plane.plot(across, slope * across + height, style, color="#22262b", lw=1.8, label=label)
    corner = (1.3 - 0.7) / 0.8
    box = [(low[0], 1.3), (corner, 1.3), (1.6, 0.8 * 1.6 + 0.7), (1.6, high[1])]
    plane.plot(*zip(*box, strict=True), color="#3a9367", lw=1.8, label="the box")
    plane.set(title="lines of single neurons")
    plane.legend(fontsize=8, loc="lower right", edgecolor="none", framealpha=0.85, markerscale=2.5)
    plane.spines[["top", "right"]].set_visible(False)
    regions.set(title="a hidden layer of 8 units")
    for axes in (plane, regions):
        axes.set(xlabel="V - J", ylabel="U - V", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ReliabilityDisplay.from_estimator(hidden, X, y, ax=calibration)
    calibration.set(title="its probabilities, on galaxies it has not seen")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    folder = os.environ.get("FASTMLP_DATA")
    parser.add_argument("--data", type=Path, default=folder, help="folder of data ($FASTMLP_DATA)")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture (here)")
    options = parser.parse_args()
    path = options.data and Path(options.data) / "zfourge_uvj" / "uvj.csv"
    if path and path.exists():
        X, y, box = catalogue(path)
        print(f"{len(y)} galaxies of ZFOURGE, {y.mean():.1%} of them quiescent\n")
    else:
        X, y, box = simulated()
        print(f"{len(y)} simulated galaxies, {y.mean():.1%} of them quiescent\n")
    train, test = train_test_split(np.arange(len(y)), test_size=0.5, stratify=y, random_state=0)

    def neuron(labels, alpha):
        return MLPClassifier((), solver="newton", alpha=alpha).fit(X[train], labels[train])

    lines = {}
    again, better = neuron(rule(X), 1e-6), neuron(y, 1e-3)
    print(f"{'U-V > slope (V-J) + height':34} {'slope':>6} {'height':>6}")
    print(f"{'the lecture':34} {0.8:6.3f} {0.7:6.3f}")
    for name, fit in (
        ("a neuron, from the rule's labels", again),
        ("a neuron, from star formation", better),
    ):
        lines[name] = line(fit)
        print(f"{name:34} {lines[name][0]:6.3f} {lines[name][1]:6.3f}")

    hidden = MLPClassifier(
        (8,),
        activation="tanh",
        solver="lm",
        alpha=0.1,
        standardize=True,
        n_starts=3,
        random_state=0,
    ).fit(X[train], y[train])
    print(f"\n{'on the other half':34} accuracy precision recall log-loss calibration error")
    for name, found in {
        "the lecture's rule": rule(X),
        "the published box": box,
        "one neuron": better,
        "hidden layer of 8 units": hidden,
    }.items():
        sure = ""
        if hasattr(found, "predict_proba"):
            p = found.predict_proba(X[test])[:, 1]
            sure = f"{log_loss(y[test], p):8.3f} {expected_calibration_error(y[test], p):17.3f}"
            chosen = p > 0.5
        else:
            chosen = found[test]
        print(
            f"{name:34} {np.mean(chosen == y[test]):8.3f} {precision_score(y[test], chosen):9.3f} "
            f"{recall_score(y[test], chosen):6.3f} {sure}".rstrip()
        )

    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("\nNo picture without matplotlib: pip install matplotlib")
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        figure = Figure(figsize=(14, 4.4), layout="constrained")
        draw(figure, X[test], y[test], lines, hidden)
        figure.savefig(options.out / "quiescent.png", dpi=110)
        print("\ndrawn: quiescent.png")
