"""Which solver wins: loss against seconds and iterations, and paths down two small loss surfaces.

All solvers train the same 5-10-10-1 tanh network on the same 10,000 rows from the same start, on
one thread each; seconds are those of the processor, so that other programs do not count. The paths
are those of gradient descent and Newton's method with two parameters. Prints tables, and draws
solvers_race.png and solvers_paths.png into the folder --out where matplotlib is installed.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from fastmlp import STOP, Network
from fastmlp.solvers import (
    LBFGS,
    SGD,
    Adam,
    GradientDescent,
    LevenbergMarquardt,
    Newton,
    NewtonCG,
    minimize,
)

# The rates are the best of three each on this problem: gd .1 .3 1 (diverges), sgd .01 .03 .1,
# adam .001 .003 .01.
RACE = {
    "gd": GradientDescent(learning_rate=0.3),
    "sgd, momentum": SGD(learning_rate_init=0.1, momentum=0.9, nesterovs_momentum=False),
    "adam": Adam(learning_rate_init=0.01),
    "lbfgs": LBFGS(),
    "newton": Newton(),
    "newton, radius": Newton(modification="trust-region"),
    "newton-cg": NewtonCG(),
    "lm": LevenbergMarquardt(),
}
GOALS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def train(objective, theta, solver, seconds):
    """Processor seconds and loss after each iteration or epoch."""
    clock, loss = [], []
    begun = time.process_time()

    def note(iteration, record):
        clock.append(time.process_time() - begun)
        loss.append(record["loss"])
        return STOP if clock[-1] > seconds else None

    with threadpool_limits(1):
        minimize(
            objective,
            theta,
            solver=solver,
            max_iter=10**6,
            max_fun=10**6,
            n_iter_no_change=np.inf,
            tol=1e-12,
            random_state=0,
            callback=note,
        )
    return np.array(clock), np.array(loss)


def race(n_samples, seconds):
    """Seconds and losses by solver, and the loss that all start from."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (n_samples, 5))
    y = np.sin(3 * X[:, 0]) * X[:, 1] + np.exp(-(X[:, 2] ** 2)) * X[:, 3] + 0.3 * X[:, 4] ** 3
    net = Network([5, 10, 10, 1], activation="tanh")
    theta = net.init(random_state=0)
    objective = net.objective(X, y, n_threads=1)
    first = objective.value(theta)

    print(f"5-10-10-1 tanh, {net.n_params} parameters, {n_samples} rows; at the start {first:.3f}")
    print(
        f"{'':14} {'iterations':>10} {'ms each':>8} {'loss':>8}   seconds of one core to a loss of"
    )
    print(" " * 44 + " ".join(f"{goal:8.0e}" for goal in GOALS))
    races = {}
    for name, solver in RACE.items():
        clock, loss = races[name] = train(objective, theta, solver, seconds)
        reached = [clock[loss <= goal][:1] for goal in GOALS]
        times = " ".join(f"{t[0]:8.2f}" if t.size else f"{'-':>8}" for t in reached)
        each = 1e3 * clock[-1] / clock.size
        print(f"{name:14} {clock.size:10} {each:8.2f} {loss[-1]:8.1e} {times}", flush=True)
    return races, first


class TwoWeights:
    """A 1-1-1 network by its two weights, its biases held at zero: any objective will do."""

    def __init__(self, net, x, y):
        self._net, self._objective = net, net.objective(x, y)
        self._free = [0, 2]  # theta is (W_1, b_1, W_2, b_2)

    def _theta(self, pair):
        theta = np.zeros(4)
        theta[self._free] = pair
        return theta

    def value(self, pair):
        return self._objective.value(self._theta(pair))

    def value_grad(self, pair):
        value, grad = self._objective.value_grad(self._theta(pair))
        return value, grad[self._free]

    def hessian(self, pair):
        return self._objective.hessian(self._theta(pair))[np.ix_(self._free, self._free)]


def walk(objective, theta, solver, max_iter):
    """Every accepted theta of a run, its start included."""
    path = [np.array(theta)]

    def note(iteration, record):
        path.append(record.theta.copy())

    minimize(objective, theta, solver=solver, max_iter=max_iter, tol=1e-6, callback=note)
    return np.array(path)


def paths(max_iter):
    """For each of two surfaces: title, axes, objective, the box to draw, the paths by name."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 4, 40)[:, None]
    neuron = Network([1, 1], loss="log_loss")
    classes = (rng.uniform(size=40) < 1 / (1 + np.exp(4 - 2 * x[:, 0]))).astype(float)
    t = np.linspace(-1, 1, 41)[:, None]
    chain = Network([1, 1, 1], activation="tanh")
    surfaces = [
        (
            "one logistic neuron, log-loss",
            ("weight", "bias"),
            neuron.objective(x, classes),
            ((-1.5, 3.5), (-5.5, 2.5)),
            (-1.0, 2.0),
            0.5,
        ),
        (
            "one hidden tanh unit, squared error",
            ("first weight", "second weight"),
            TwoWeights(chain, t, np.tanh(3 * t[:, 0])),
            ((-2.0, 4.5), (-1.2, 1.8)),
            (-0.15, 0.4),
            0.5,
        ),
    ]
    drawn = []
    for title, axes, objective, box, start, rate in surfaces:
        print(f"\n{title}, from {start}")
        walks = {}
        for name, solver in (("gd", GradientDescent(rate)), ("newton", Newton())):
            walks[name] = walk(objective, start, solver, max_iter)
            value, grad = objective.value_grad(walks[name][-1])
            print(
                f"{name:8} {len(walks[name]) - 1:5} steps   loss {value:.6f}   "
                f"|gradient| {np.abs(grad).max():.0e}"
            )
        drawn.append((title, axes, objective, box, walks))
    return drawn


def draw_race(figure, races, first):
    """Loss against seconds on the left, against iterations on the right."""
    by_time, by_count = figure.subplots(1, 2, sharey=True)
    for name, (clock, loss) in races.items():
        style = {"color": "black", "linewidth": 2} if name == "lm" else {"linewidth": 1.2}
        by_time.loglog(clock, loss, label=name, **style)
        by_count.loglog(np.arange(1, loss.size + 1), loss, label=name, **style)
    for axes in (by_time, by_count):
        axes.axhline(first, color="0.6", linewidth=0.8, linestyle=":")
    by_time.set(xlabel="seconds of one core", ylabel="loss (half the mean squared error)")
    by_count.set(xlabel="iterations; epochs of sgd and adam")
    by_count.legend(frameon=False, fontsize=8)
    for axes in (by_time, by_count):
        axes.grid(alpha=0.3)


def draw_paths(figure, drawn):
    """Contours of the loss, equally spaced in its logarithm, and both paths on them."""
    for axes, (title, labels, objective, box, walks) in zip(
        figure.subplots(1, 2), drawn, strict=True
    ):
        across, up = (np.linspace(*side, 81) for side in box)
        loss = np.array([[objective.value(np.array([a, b])) for a in across] for b in up])
        levels = np.geomspace(loss.min(), loss.max(), 18)
        axes.contour(across, up, loss, levels, colors="0.75", linewidths=0.7)
        for (name, path), colour in zip(walks.items(), ("tab:blue", "tab:red"), strict=True):
            label = f"{name}: {len(path) - 1} steps"
            axes.plot(*path.T, ".-", color=colour, markersize=5, linewidth=1, label=label)
        axes.plot(*walks["newton"][0], "ko", markersize=5)
        axes.set(title=title, xlabel=labels[0], ylabel=labels[1], xlim=box[0], ylim=box[1])
        axes.title.set_fontsize(10)
        axes.legend(frameon=True, fontsize=8)


def save(folder, name, draw, *what):
    """Draw one picture as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    draw(figure, *what)
    figure.savefig(folder / name, dpi=90)
    print(f"drawn: {name}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds: less of everything")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the pictures (here)")
    options = parser.parse_args()
    races, first = race(500, 0.2) if options.quick else race(10_000, 5.0)
    drawn = paths(100 if options.quick else 5000)
    print()
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        print("No pictures without matplotlib: pip install matplotlib")
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        save(options.out, "solvers_race.png", draw_race, races, first)
        save(options.out, "solvers_paths.png", draw_paths, drawn)
