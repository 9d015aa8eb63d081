"""A gap in the data: what a network says where nothing was measured.

A curve was measured on both sides of a gap. The same network is trained with four posteriors of its
weights: Laplace's approximation around one mode, and around five; five plain networks; and
Hamiltonian Monte Carlo, which draws from the posterior itself. Then noise that grows with x is
learned besides. Prints the spread that comes from the weights, on the data and in the gap, and
draws gap.png into the folder --out where matplotlib is installed.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

from fastmlp import BayesianMLPRegressor
from fastmlp.posteriors import MCMC, Ensemble, Laplace

HIDDEN = 8


def curve(x):
    """What was measured."""
    return np.sin(1.6 * x) + 0.3 * x


def measured(n=60, noise=lambda x: 0.1, seed=0):
    """Rows on both sides of the gap between -1 and 1."""
    rng = np.random.default_rng(seed)
    x = np.r_[rng.uniform(-3, -1, n // 2), rng.uniform(1, 3, n - n // 2)]
    return x[:, None], curve(x) + noise(x) * rng.normal(size=n)


def growing(x):
    """Noise on the right is five times that on the left."""
    return 0.05 * np.exp(np.log(5) * (x + 3) / 6)


def draw(axes, X, y, model, title):
    """Mean, functions drawn from the posterior, and the spread of weights and of new points."""
    blue, orange, ink = "#2a6fb0", "#d9722b", "#22262b"
    grid = np.linspace(-4, 4, 241)[:, None]
    mean, epistemic, aleatoric = model.predict_parts(grid)
    for spread, shade, label in (
        (np.hypot(epistemic, aleatoric), 0.15, "new points"),
        (epistemic, 0.4, "the curve"),
    ):
        low, high = mean - 1.96 * spread, mean + 1.96 * spread
        axes.fill_between(grid[:, 0], low, high, color=blue, alpha=shade, lw=0, label=label)
    for function in model.sample_predict(grid, 8, random_state=0):
        axes.plot(grid[:, 0], function, color=ink, lw=0.5, alpha=0.6)
    axes.plot(grid[:, 0], curve(grid[:, 0]), color=orange, lw=1.2, ls="--", label="truth")
    axes.scatter(X[:, 0], y, s=14, color=orange, ec="white", lw=0.4, zorder=3)
    axes.set(title=title, xlim=(-4, 4), ylim=(-3.4, 3.4))
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture (here)")
    options = parser.parse_args()

    posteriors = {
        "Laplace, one mode": Laplace(strengths="single", n_starts=1),
        "Laplace, five modes": Laplace(),
        "five networks": Ensemble(5),
        "Hamiltonian Monte Carlo": MCMC(n_chains=2, n_warmup=300, n_draws=300, target_accept=0.9),
    }
    # So few draws of the chains are for a picture: a warning counts the trajectories that diverge.
    warnings.simplefilter("ignore", RuntimeWarning)
    X, y = measured()
    fits = {}
    print("spread from weights on the data, in the gap, and how many times that is")
    for name, posterior in posteriors.items():
        model = BayesianMLPRegressor(
            hidden_layer_sizes=HIDDEN, posterior=posterior, random_state=0
        ).fit(X, y)
        fits[name] = X, y, model
        on_data = model.predict_parts(X).epistemic.mean()
        in_gap = model.predict_parts([[-0.3], [0.0], [0.3]]).epistemic.mean()
        print(f"{name:26}{on_data:8.3f}{in_gap:8.3f}{in_gap / on_data:6.1f}")

    X, y = measured(n=300, noise=growing)
    model = BayesianMLPRegressor(
        ("normal", {"scale": "row"}), HIDDEN, posterior=Laplace(n_starts=1), random_state=0
    ).fit(X, y)
    fits["Laplace, noise that grows"] = X, y, model
    places = np.array([[-2.5], [-1.5], [1.5], [2.5]])
    print("\nnoise at x = -2.5, -1.5, 1.5, 2.5")
    print(f"{'learned':26}", *(f"{s:7.3f}" for s in model.predict_parts(places).aleatoric))
    print(f"{'truth':26}", *(f"{s:7.3f}" for s in growing(places[:, 0])))

    try:
        import matplotlib
    except ImportError:
        print("matplotlib is not installed: no picture.")
    else:
        matplotlib.use("Agg")
        from matplotlib import pyplot as plt

        figure, axes = plt.subplots(1, len(fits), figsize=(17, 3.8), sharey=True, layout="tight")
        for place, (name, (X, y, model)) in zip(axes, fits.items(), strict=True):
            draw(place, X, y, model, name)
        axes[0].legend(loc="upper left", fontsize=8, frameon=False)
        options.out.mkdir(parents=True, exist_ok=True)
        figure.savefig(options.out / "gap.png", dpi=110)
