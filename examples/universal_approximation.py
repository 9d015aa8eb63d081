"""The universal approximation theorem, run: how wide a hidden layer has to be for a given error.

One hidden layer of logistic units comes as near as one likes to any continuous function on a
compact set, if it is wide enough (Cybenko, Math. Control Signals Systems 2, 303, 1989; Hornik,
Stinchcombe and White, Neural Networks 2, 359, 1989; Hornik, Neural Networks 4, 251, 1991). The
theorem says nothing of how wide, nor of how to find the weights. Here the layer grows by one unit
at a time; each width is trained by Levenberg-Marquardt from several starts, half of them the best
smaller network with a new unit where its error is largest. The error is the largest one on a dense
grid that training has not seen. Training minimises the mean squared error, so the widths found are
upper bounds. Prints a table, and draws universal_approximation.png into the folder --out where
matplotlib is installed.
"""

import argparse
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from fastmlp import Network
from fastmlp.solvers import minimize

EPS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 1e-4, 1e-5, 1e-6)


def smooth(X):
    return np.exp(-X[:, 0]) * np.sin(4 * X[:, 0])


def kinked(X):
    return np.abs(X[:, 0])


def bump(X):
    return np.exp(-3 * np.sum(X**2, axis=1))


# name: function, number of inputs, training and check points along each of them
CASES = {
    "exp(-x) sin(4x)": (smooth, 1, 401, 4003),
    "|x|": (kinked, 1, 401, 4003),
    "exp(-3 (x0^2 + x1^2))": (bump, 2, 31, 201),
}


def grid(n_features, n_points):
    """All points of a regular grid on [-1, 1]^n_features."""
    axes = [np.linspace(-1, 1, n_points)] * n_features
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes)], axis=1)


def layer(n_features, width):
    return Network([n_features, width, 1], activation="logistic")


def grown(theta, n_features, width, where, rng):
    """Theta of a layer of ``width``: that of one unit less, and a unit that is not yet heard.

    The new unit is steepest at the point ``where``, in a random direction.
    """
    (W, v), (b, c) = layer(n_features, width - 1).unpack(theta)
    slope = rng.standard_normal((n_features, 1))
    slope *= rng.uniform(1, 10) / np.linalg.norm(slope)
    coefs = [np.hstack([W, slope]), np.vstack([v, [[0.0]]])]
    return layer(n_features, width).pack(coefs, [np.append(b, -where @ slope), c])


def widen(function, n_features, n_train, n_check, least, most, n_starts, max_iter):
    """The largest error on the check grid for each width, until it is at most ``least``."""
    rng = np.random.RandomState(0)
    X, X_check = grid(n_features, n_train), grid(n_features, n_check)
    y, y_check = function(X), function(X_check)
    errors, best = [], None
    for width in range(1, most + 1):
        net = layer(n_features, width)
        objective = net.objective(X, y)
        starts = [net.init(random_state=rng) for _ in range(n_starts)]
        if best is not None:
            residual = layer(n_features, width - 1).raw(best, X)[:, 0] - y
            where = X[np.argmax(np.abs(residual))]
            starts += [grown(best, n_features, width, where, rng) for _ in range(n_starts)]
        found = [
            minimize(objective, start, solver="lm", max_iter=max_iter, tol=1e-10).theta
            for start in starts
        ]
        worst = [np.abs(net.raw(theta, X_check)[:, 0] - y_check).max() for theta in found]
        errors.append(min(worst))
        best = found[int(np.argmin(worst))]
        if errors[-1] <= least:
            break
    return np.array(errors)


def width_for(eps, errors):
    """The first width whose error is at most ``eps``, or None."""
    enough = np.flatnonzero(errors <= eps)
    return int(enough[0]) + 1 if enough.size else None


def draw(figure, results):
    """Width against eps; an open triangle at the largest width where eps is not reached."""
    axes = figure.subplots()
    for k, (name, errors) in enumerate(results.items()):
        widths = [width_for(eps, errors) for eps in EPS]
        reached = [(eps, width) for eps, width in zip(EPS, widths, strict=True) if width]
        beside = 1.15**k  # so that functions which miss the same eps can be told apart
        missed = [eps / beside for eps, width in zip(EPS, widths, strict=True) if width is None]
        axes.semilogx(*zip(*reached, strict=True), "o-", color=f"C{k}", label=name)
        axes.semilogx(missed, [errors.size] * len(missed), "^", color=f"C{k}", mfc="none")
    axes.semilogx([], [], "^", color="0.4", mfc="none", label="not reached with so many")
    axes.invert_xaxis()
    axes.set(xlabel="eps, the largest error on the check grid", ylabel="hidden units")
    axes.set_yticks(range(0, 1 + max(errors.size for errors in results.values()), 2))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds: less of everything")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the pictures (here)")
    options = parser.parse_args()
    effort = (3, 1, 50) if options.quick else (20, 3, 200)

    print(f"{'hidden units for eps':22}" + " ".join(f"{eps:7.0e}" for eps in EPS))
    results = {}
    for name, case in CASES.items():
        with threadpool_limits(1):
            errors = results[name] = widen(*case, EPS[-1], *effort)
        row = " ".join(f"{width_for(eps, errors) or '-':>7}" for eps in EPS)
        print(f"{name:22}{row}", flush=True)
    print()
    for name, errors in results.items():
        missed = [f"{eps:.0e}" for eps in EPS if width_for(eps, errors) is None]
        if missed:
            print(
                f"{name}: not reached with {errors.size} units: {', '.join(missed)}; "
                f"the error came down to {errors.min():.1e}"
            )
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("No picture without matplotlib: pip install matplotlib")
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        figure = Figure(figsize=(7, 4), layout="constrained")
        draw(figure, results)
        figure.savefig(options.out / "universal_approximation.png", dpi=100)
        print("drawn: universal_approximation.png")
