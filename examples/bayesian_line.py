"""A linear regression with Bayesian weights: not one line, but all lines that the data allow.

The lecture ends with a layer whose weights are distributions (DenseVariational). Here the layer is
``Network([1, 1])``, and its posterior is found twice: by Laplace's approximation, which is exact
for a line, with noise and prior from the evidence; and by Hamiltonian Monte Carlo, which draws
noise and prior along. scikit-learn's BayesianRidge is beside them. Then a hidden layer is asked the
same. Prints the slopes and what each believes far from the data, and draws bayesian_line.png into
the folder --out where matplotlib is installed.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.linear_model import BayesianRidge

from fastmlp import Network
from fastmlp.posteriors import MCMC, Laplace
from fastmlp.solvers import LevenbergMarquardt, minimize

SLOPE, HEIGHT, NOISE = 0.8, 0.2, 0.4


def train(objective, theta, random_state=None):
    """What a posterior starts from."""
    lm = LevenbergMarquardt(evidence="layer")
    return minimize(objective, theta, solver=lm, max_iter=300, tol=1e-8)


def believed(posterior, X):
    """Mean, deviation of the line, and deviation of new points, (n,) each."""
    raws = posterior.raws(X, 2000, random_state=0)
    mean = raws.mean[..., 0]
    within = 0.0 if raws.cov is None else raws.cov[..., 0, 0]
    variance = np.average(within + (mean - mean.mean(axis=0)) ** 2, axis=0, weights=raws.weights)
    noise = np.average(raws.noise**2, weights=raws.weights)
    return mean.mean(axis=0), np.sqrt(variance), np.sqrt(variance + noise)


def draw(figure, x, y, fits, line):
    """Lines drawn from the posterior, the slopes and heights they come from, the hidden layer."""
    blue, orange, ink = "#2a6fb0", "#d9722b", "#22262b"
    lines, plane, bent = figure.subplots(1, 3)
    grid = np.linspace(-3.2, 3.2, 200)[:, None]
    for axes, name in ((lines, "Laplace"), (bent, "hidden layer")):
        posterior = fits[name]
        mean, of_line, of_points = believed(posterior, grid)
        for spread, shade, label in ((of_points, 0.15, "new points"), (of_line, 0.4, "the line")):
            low, high = mean - 1.96 * spread, mean + 1.96 * spread
            label = f"95 %: {label if axes is lines else label.replace('line', 'curve')}"
            axes.fill_between(grid[:, 0], low, high, color=blue, alpha=shade, lw=0, label=label)
        for curve in posterior.functions(grid, 12, random_state=1)[..., 0]:
            axes.plot(grid[:, 0], curve, color=ink, lw=0.6, alpha=0.6)
        axes.scatter(x, y, s=22, color=orange, ec="white", lw=0.5, zorder=3)
        axes.set(xlabel="x", ylabel="y", xlim=(-3.2, 3.2), ylim=(-4.2, 4.6))
        axes.legend(loc="upper left", fontsize=8, frameon=False)
    lines.set(title="12 lines from the posterior")
    bent.set(title="8 hidden units: the evidence makes a line of them")
    slopes, heights = fits["Hamiltonian"].sample(2000, random_state=2).T
    plane.scatter(slopes, heights, s=4, color=blue, alpha=0.35, lw=0, label="Hamiltonian")
    mode = fits["Laplace"].theta
    draws = fits["Laplace"].sample(20000, random_state=3)
    root = np.linalg.cholesky(np.cov(draws.T))
    turn = np.linspace(0, 2 * np.pi, 200)
    for size in (1, 2):
        ellipse = mode[:, None] + size * root @ [np.cos(turn), np.sin(turn)]
        plane.plot(
            *ellipse, color=ink, lw=1.4, label="Laplace, 1 and 2 sigma" if size == 1 else None
        )
    plane.scatter(*line, marker="*", s=130, color=orange, ec="white", zorder=4, label="truth")
    plane.set(xlabel="slope", ylabel="height at 0", title="what the lines are made of")
    plane.legend(loc="upper right", fontsize=8, edgecolor="none", framealpha=0.85, markerscale=1.5)
    for axes in (lines, plane, bent):
        axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture (here)")
    options = parser.parse_args()
    rng = np.random.default_rng(4)
    x = np.r_[rng.uniform(-1.8, -0.6, 12), rng.uniform(0.4, 1.6, 12)]
    y = SLOPE * x + HEIGHT + NOISE * rng.standard_normal(x.size)
    X = x[:, None]

    net = Network([1, 1])
    objective = net.objective(X, y)
    found = train(objective, net.init(random_state=0)).theta
    bent = Network([1, 8, 1], activation="tanh")
    many = bent.objective(X, y)
    fits = {
        "Laplace": Laplace().fit(objective, found, train=train, random_state=0),
        "Hamiltonian": MCMC().fit(objective, found, train=train, random_state=0),
        "hidden layer": Laplace(n_starts=5).fit(
            many, bent.init(random_state=0), train=train, random_state=0
        ),
    }
    ridge = BayesianRidge(tol=1e-8, max_iter=1000).fit(X, y)

    print(f"{x.size} points of y = {SLOPE} x + {HEIGHT}, noise {NOISE}\n")
    print(f"{'':22} {'slope':>7} {'+-':>6} {'noise':>7}")
    for name in ("Laplace", "Hamiltonian"):
        slopes = fits[name].sample(20000, random_state=0)[:, 0]
        noise = fits[name].draw(2000, 0)[1].mean()
        print(f"{name:22} {slopes.mean():7.3f} {slopes.std():6.3f} {noise:7.3f}")
    deviation, noise = np.sqrt(ridge.sigma_[0, 0]), ridge.alpha_**-0.5
    print(f"{'BayesianRidge':22} {ridge.coef_[0]:7.3f} {deviation:6.3f} {noise:7.3f}")

    print(f"\n{'deviation at x =':22}" + "".join(f"{at:8.1f}" for at in (0.0, 1.0, 3.0)))
    for name, posterior in fits.items():
        _, spread, _ = believed(posterior, np.array([[0.0], [1.0], [3.0]]))
        print(f"{'curve: ' + name:22}" + "".join(f"{s:8.3f}" for s in spread))

    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("\nNo picture without matplotlib: pip install matplotlib")
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        figure = Figure(figsize=(14, 4.4), layout="constrained")
        draw(figure, x, y, fits, (SLOPE, HEIGHT))
        figure.savefig(options.out / "bayesian_line.png", dpi=110)
        print("\ndrawn: bayesian_line.png")
