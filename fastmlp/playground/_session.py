"""One page's work: data, a network, the runs of its solvers, and what is to be seen of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp._names import shown
from fastmlp.distributions import Normal, resolve_family
from fastmlp.losses import resolve_loss
from fastmlp.network import Network
from fastmlp.playground._problems import (
    BY_HAND_START,
    CURVE_FEATURES,
    FEATURES,
    PROBLEMS,
    REACH,
    inputs,
)
from fastmlp.playground._runs import Run
from fastmlp.playground._settings import LOSSES, MOST_UNITS, Settings, SettingsError
from fastmlp.posteriors import Laplace
from fastmlp.trace import up_to

PICTURE, UNIT, CURVE = 100, 32, 201  # pixels of the output and of a unit; points of a curve
SURFACE = 41
DRAWS = 12
MOST_ITERATIONS = 1000  # at one request
MOST_POINTS = 5000
FEW = 20  # of one's own, up to which all are to train on


def points(
    dataset: str, noise: float = 0.0, train: float = 50.0, seed: int = 1, n: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The points of a data set of the playground.

    Parameters
    ----------
    dataset : str
        "circle", "xor", "corners", "gauss" or "spiral" (classes -1 and 1), "reg-plane" or
        "reg-gauss" (a number for each point of the plane), "sine", "funnel", "gap" or "step"
        (curves).
    noise, train : float, default=0, 50
        Per cent: noise from 0 to 50; the share of the points to train on, from 10 to 90.
    seed : int, default=1
        The same seed, the same points.
    n : int, optional
        Points in all; by default what the page shows.

    Returns
    -------
    X, y, X_test, y_test : ndarray
        Coordinates, (n, 2), of curves (n, 1), and targets, (n,).

    Raises
    ------
    ValueError
        An unknown name.

    Examples
    --------
    >>> from fastmlp.playground import points
    >>> X, y, X_test, y_test = points("xor", noise=10)
    >>> X.shape, sorted(set(y))
    ((250, 2), [-1.0, 1.0])
    """
    known = {name: maker for sets in PROBLEMS.values() for name, maker in sets.items()}
    if dataset not in known:
        raise ValueError(f"dataset is one of {', '.join(known)}; got {shown(dataset)}.")
    make, usual = known[dataset]
    rng = np.random.default_rng(seed)
    X, y = make(rng, usual if n is None else n, noise / 100)
    return split(X, y, train, rng)


def split(X, y, train: float, rng: np.random.Generator):
    """Shuffled points: those to train on, and the others."""
    order = rng.permutation(len(X))
    X, y = X[order], y[order]
    cut = min(max(round(len(X) * train / 100), 1), len(X))
    return X[:cut], y[:cut], X[cut:], y[cut:]


class Session:
    """What one page works on.

    Parameters
    ----------
    settings : Settings
        What it asks for.
    own : tuple of ndarray, optional
        The user's points, (n, 1 or 2), and targets, for the data set "own".
    start : ndarray, optional
        Weights to start from, in place of those drawn by the seed.
    """

    def __init__(self, settings: Settings, own: Any = None, start: np.ndarray | None = None):
        self.settings, self._given = settings, own
        if settings.data_name == "own":
            self.X, y, self.X_test, y_test = self._own(own)
        else:
            self.X, y, self.X_test, y_test = points(
                settings.data_name, settings.noise, settings.percTrainData, settings.seed
            )
        self.y_shown, self.y_test_shown = y, y_test
        features = settings.features
        self.inputs, self.inputs_test = inputs(self.X, features), inputs(self.X_test, features)
        output = LOSSES[settings.problem][settings.loss][0]
        self.y, self.y_test = ((v + 1) / 2 if settings.as_shares else v for v in (y, y_test))
        n_targets = 1 if y.ndim == 1 else y.shape[1]
        widths = [len(features), *settings.networkShape, n_targets]
        self.net = Network(
            widths, activation=settings.hidden, output_activation=output, loss=settings.loss
        )
        if start is None:
            start = self._first_weights()
        elif start.shape != (self.net.n_params,):
            raise SettingsError(
                f"This network has {self.net.n_params} parameters; got {start.size}."
            )
        self.start = start
        self.runs = [
            Run(name, settings, self.net, self.inputs, self.y, start) for name in settings.solvers
        ]
        self._parts = [up_to(self.net, l) for l in range(1, len(widths) - 1)]
        self._grids = {n: self._grid(n, features) for n in (PICTURE, UNIT)}

    def _first_weights(self) -> np.ndarray:
        settings = self.settings
        if settings.initZero:
            return np.zeros(self.net.n_params)
        if settings.problem == "backprop" and self.net.layers == (2, 2, 2):
            return np.array(BY_HAND_START)
        return self.net.init(random_state=settings.seed)

    def _own(self, own):
        if own is None:
            raise SettingsError("There are no points of your own yet: paste, drop or draw some.")
        X, y = own
        wanted = 1 if self.settings.problem == "curve" else 2
        if X.shape[1] != wanted:
            raise SettingsError(
                f"{self.settings.problem} needs points of {wanted} coordinates; yours have "
                f"{X.shape[1]}."
            )
        share = self.settings.percTrainData if len(X) > FEW else 100.0
        return split(X, y, share, np.random.default_rng(self.settings.seed))

    def _grid(self, n: int, features: tuple[str, ...]) -> np.ndarray:
        across = np.linspace(-REACH, REACH, n)
        if self.settings.problem == "curve":
            return inputs(across[:, None], features)
        x, y = np.meshgrid(across, across[::-1])  # the first row is the uppermost
        return inputs(np.column_stack([x.ravel(), y.ravel()]), features)

    # -- work -------------------------------------------------------------------------------

    def advance(self, n: int) -> None:
        """Let every solver make n iterations more."""
        for run in self.runs:
            run.advance(min(n, MOST_ITERATIONS))

    def edit(self, segment: str, row: int, col: int, value: float, shown_run: int = 0) -> None:
        """Set one weight (row, col of "W1", ...) or bias ("b1", ...) of one run."""
        run = self.runs[shown_run]
        place = {s.name: s for s in self.net.segments}.get(segment)
        if place is None or not (0 <= row < place.rows and 0 <= col < place.cols):
            raise SettingsError(f"This network has no {segment}[{row}, {col}].")
        if not abs(value) <= 1e6:
            raise SettingsError(f"A weight is a number from -1e6 to 1e6; got {shown(value)}.")
        theta = run.theta.copy()
        theta[place.at + row * place.cols + col] = value
        run.move_to(theta)

    # -- what is to be seen -------------------------------------------------------------------

    def losses(self) -> list[dict[str, Any]]:
        """For every run its name, losses, accuracy, and whether it has ended."""
        answers = []
        for run in self.runs:
            answer = {
                "name": run.name,
                "epoch": run.n_iter,
                "seconds": run.seconds[-1],
                "train": self._loss(run.theta, self.inputs, self.y),
                "test": self._loss(run.theta, self.inputs_test, self.y_test),
                "message": run.message,
            }
            if self.settings.problem == "classification":
                answer["accuracy"] = self._accuracy(run.theta)
            answers.append(answer)
        return answers

    def _loss(self, theta, X, y) -> float | None:
        if len(X) == 0:
            return None
        value = self.net.value(theta, X, y)
        return float(value) if np.isfinite(value) else None

    def _accuracy(self, theta) -> float | None:
        if len(self.X_test) == 0:
            return None
        raw = self.net.raw(theta, self.inputs_test)[:, 0]
        return float(np.mean((raw > 0) == (self.y_test_shown > 0)))

    def output_picture(self, theta: np.ndarray) -> np.ndarray:
        """The output over the plane, from -1 to 1, (PICTURE, PICTURE)."""
        out = self.net.predict(theta, self._grids[PICTURE])[:, 0]
        if self.settings.as_shares:
            out = 2 * out - 1
        return out.reshape(PICTURE, -1)

    def unit_pictures(self, theta: np.ndarray) -> np.ndarray:
        """What each hidden unit makes of the plane, (units, UNIT, UNIT), or of a curve."""
        maps = [part.predict(theta[: part.n_params], self._grids[UNIT]).T for part in self._parts]
        shape = (UNIT,) if self.settings.problem == "curve" else (UNIT, UNIT)
        return np.concatenate(maps).reshape(-1, *shape) if maps else np.zeros((0, *shape))

    def input_pictures(self) -> np.ndarray:
        """All features of the problem, chosen or not, as ``unit_pictures``."""
        grid = self._grid(UNIT, self.all_features)
        shape = (UNIT,) if self.settings.problem == "curve" else (UNIT, UNIT)
        return (grid / np.abs(grid).max(axis=0)).T.reshape(-1, *shape)

    @property
    def all_features(self) -> tuple[str, ...]:
        """Those that the problem has: of a curve, functions of x alone."""
        known = {"curve": CURVE_FEATURES, "backprop": ("x", "y")}
        return known.get(self.settings.problem, tuple(FEATURES))

    def curve(self, theta: np.ndarray) -> dict[str, np.ndarray]:
        """The prediction along a curve, and the band that holds 95 % of new points."""
        grid = inputs(np.linspace(-REACH, REACH, CURVE)[:, None], self.settings.features)
        raw = self.net.raw(theta, grid)
        if raw.shape[1] > 1:
            dist = resolve_family(self.settings.loss).from_raw(raw, 1)
        else:
            residuals = self.net.predict(theta, self.inputs)[:, 0] - self.y
            dist = Normal(raw[:, 0], max(float(np.sqrt(np.mean(residuals**2))), 1e-12))
        low, high = dist.interval(0.95)
        return {"mean": dist.mean(), "low": low, "high": high}

    def draws(self, shown_run: int = 0) -> np.ndarray:
        """Functions drawn from the posterior over the weights, along a curve: (DRAWS, CURVE).

        Laplace's approximation around the present weights, its strengths by the evidence.
        """
        run = self.runs[shown_run]
        if self.settings.problem != "curve":
            raise SettingsError("Functions are drawn for curves; choose the problem 'curve'.")
        if not resolve_loss(self.settings.loss).curved:
            raise SettingsError(
                f"{self.settings.loss} has no curvature: there is no posterior around its weights."
            )
        objective = self.net.objective(self.inputs, self.y)
        posterior = Laplace(strengths="single").fit(objective, run.theta)
        grid = inputs(np.linspace(-REACH, REACH, CURVE)[:, None], self.settings.features)
        drawn = posterior.functions(grid, DRAWS, random_state=0)
        return drawn[:, :, 0]

    def trace(self, index: int, shown_run: int = 0) -> dict[str, Any]:
        """Every number of one pass of a training point, and one step of gradient descent."""
        if not 0 <= index < len(self.X):
            raise SettingsError(f"There are {len(self.X)} training points; got number {index}.")
        theta = self.runs[shown_run].theta
        x, y = self.inputs[index], self.y[index].reshape(-1)
        pass_ = self.net.trace(theta, x, y)
        layers = range(1, len(self.net.shapes) + 1)
        return {
            "x": x.tolist(),
            "y": y.tolist(),
            "loss": float(pass_["loss"]),
            "a": [pass_["a"][0].tolist(), *(pass_["a"][l].tolist() for l in layers)],
            "z": [pass_["z"][l].tolist() for l in layers],
            "delta": [pass_["delta"][l].tolist() for l in layers],
            "grad_W": [pass_["grad_W"][l].tolist() for l in layers],
            "grad_b": [pass_["grad_b"][l].tolist() for l in layers],
            "text": str(pass_),
        }

    def widths(self) -> dict[str, Any]:
        """The loss after training one hidden layer of 1, 2, ... units, each from the seed."""
        curved = resolve_loss(self.settings.loss).curved and not self.settings.l1
        name = "lm" if curved else "adam"
        answer: dict[str, Any] = {"widths": [], "train": [], "test": [], "solver": name}
        for width in range(1, MOST_UNITS + 1):
            settings = replace(
                self.settings,
                networkShape=(width,),
                solvers=(name,),
                activations=self.settings.activations[:1],
            )
            other = Session(settings, self._given)
            other.advance(200)
            (losses,) = other.losses()
            answer["widths"].append(width)
            for key in ("train", "test"):
                answer[key].append(losses[key])
        return answer

    def surface(self, first: int, second: int, shown_run: int = 0) -> dict[str, Any]:
        """The training loss by two parameters round the present point, the others held.

        The square spans what the runs have crossed so far, and half as much again.
        """
        n = self.net.n_params
        if not (0 <= first < n and 0 <= second < n) or first == second:
            raise SettingsError(f"Two different parameters from 0 to {n - 1} make a surface.")
        run = self.runs[shown_run]
        seen = np.array([self.start, *(other.theta for other in self.runs)])[:, [first, second]]
        centre = (seen.min(axis=0) + seen.max(axis=0)) / 2
        reach = max(2.0, 0.75 * float(np.ptp(seen, axis=0).max()))
        theta = run.theta.copy()
        axis = np.linspace(-reach, reach, SURFACE)
        values = np.empty((SURFACE, SURFACE))
        for i, down in enumerate(axis[::-1]):
            theta[second] = centre[1] + down
            for j, along in enumerate(axis):
                theta[first] = centre[0] + along
                values[i, j] = run.objective.value(theta)
        return {
            "centre": centre.tolist(),
            "reach": reach,
            "size": SURFACE,
            "values": [v if np.isfinite(v) else None for v in values.ravel().tolist()],
            "runs": [
                {"name": other.name, "at": other.theta[[first, second]].tolist()}
                for other in self.runs
            ],
        }
