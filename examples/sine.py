"""Mean and spread learned together: the published sine whose noise grows with x.

y = x sin x + 0.3 x e1 + 0.3 e2, 500 points on 0 to 10 (Detlefsen, Jorgensen and Hauberg, NeurIPS
2019; Seitzer, Tavakoli, Antic and Martius, ICLR 2022). A network with two outputs, the mean and log
sigma, is trained by the Normal likelihood. Its gradient in the mean is divided by sigma^2: where
the fit is bad, sigma grows, and the mean is then hardly pulled any more. Gradient descent takes the
sine for noise for thousands of steps. A step divided by the Fisher information has no such factor,
and the evidence sets the weight decay meanwhile. Prints the errors of mean and sigma, and draws
sine.png into the folder --out where matplotlib is installed.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

from fastmlp import MLPDistributionRegressor
from fastmlp.distributions import Normal
from fastmlp.solvers import LevenbergMarquardt


def truth(x):
    """The distribution of y at x."""
    return Normal(x * np.sin(x), np.hypot(0.3 * x, 0.3))


def draw(figure, x, y, fits):
    """Bands of every fit over the points, and the true mean."""
    from fastmlp.displays import BandDisplay

    grid = np.linspace(0, 10, 400)
    panels = figure.subplots(1, len(fits), sharey=True)
    for axes, (name, model) in zip(panels, fits.items(), strict=True):
        dist = model.predict_dist(grid[:, None])
        BandDisplay.from_predictions(grid, dist, x_data=x, y_data=y, ax=axes)
        axes.collections[-1].set(sizes=[7], alpha=0.55)
        axes.plot(grid, truth(grid).mean(), color="#22262b", lw=1.2, ls="--", label="true mean")
        axes.set(title=name, ylim=(-14, 16), ylabel="y" if axes is panels[0] else "")
        axes.legend(fontsize=8, loc="upper left", edgecolor="none", framealpha=0.8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture (here)")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 10, 500)
    y = x * np.sin(x) + 0.3 * x * rng.standard_normal(500) + 0.3 * rng.standard_normal(500)
    x_new = rng.uniform(0, 10, 5000)
    y_new = truth(x_new).sample(random_state=rng)[0]
    grid = np.linspace(0, 10, 1001)

    network = {"hidden_layer_sizes": (30,), "activation": "tanh", "standardize": True}
    settings = {"distribution": "normal", "alpha": 0.1, "random_state": 0, **network}
    solvers = {
        "adam, 500 epochs": {"solver": "adam", "max_iter": 500, "n_iter_no_change": np.inf},
        "adam, 5000 epochs": {"solver": "adam", "max_iter": 5000, "n_iter_no_change": np.inf},
        "lm with evidence": {"solver": LevenbergMarquardt(evidence=True), "max_iter": 100},
    }
    print(f"{'':20} error of mean  of log sigma  -log p of new points")
    fits = {}
    for name, solver in solvers.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # adam has not converged: that is what is shown
            model = MLPDistributionRegressor(**settings, **solver).fit(x[:, None], y)
        fits[name] = model
        dist, true = model.predict_dist(grid[:, None]), truth(grid)
        of_mean = np.sqrt(np.mean((dist.mean() - true.mean()) ** 2))
        of_sigma = np.sqrt(np.mean(np.log(dist.std() / true.std()) ** 2))
        score = -model.score(x_new[:, None], y_new)
        print(f"{name:20} {of_mean:13.3f} {of_sigma:13.3f} {score:21.3f}")
    print(f"{'the truth':20} {0:13.3f} {0:13.3f} {-truth(x_new).logpdf(y_new).mean():21.3f}")

    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("\nNo picture without matplotlib: pip install matplotlib")
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        figure = Figure(figsize=(14, 4.2), layout="constrained")
        draw(figure, x, y, fits)
        figure.savefig(options.out / "sine.png", dpi=110)
        print("\ndrawn: sine.png")
