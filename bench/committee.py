"""A committee of networks with a spread of its own in every row: the method of ``bench.uci``.

Means: each candidate (widths, grouping of the evidence) that has fewer parameters than a fold has
rows is trained by Levenberg-Marquardt with evidence on four folds of five; what it says of the
fifth is out of sample. Convex weights that minimise the squared error of these predictions (Wolpert
1992, Breiman 1996) combine the candidates; of new rows all members of the folds speak.

Spread: squared out-of-fold residuals have the mean sigma(x)^2, and the gamma deviance with weight
1/2 is the Normal likelihood of sigma. Networks of that loss on (x, mean) compete, again out of
fold, with a constant. With their sigma as weights the best candidates are trained once more and
join; the spread is then found anew. Last the shape: a Student-t, whose degrees of freedom and scale
the out-of-fold residuals say. No row judges a network that was trained on it.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats
from sklearn.model_selection import KFold

from fastmlp import MLPRegressor
from fastmlp.distributions import StudentT
from fastmlp.solvers import LevenbergMarquardt

# Of up to so many rows lm is cheap; beyond, adam trains wider networks on mini-batches.
MANY = 5000
CANDIDATES = [
    ((5,), True),
    ((10,), True),
    ((10,), "ard"),
    ((20,), True),
    ((20,), "ard"),
    ((40,), True),
]
WIDE = [((64, 64), 1e-4), ((128, 128), 1e-4)]
SPREADS = (None, (), (5,), (10,))
WIDE_SPREADS = (None, (), (32, 32))
LEAST_DF = 2.05  # the variance stays finite


@dataclass
class Fold:
    """Which rows train a member, and its random state."""

    train: np.ndarray
    rest: np.ndarray
    seed: int


def split(n, repeats, seed):
    """Five folds, several times around."""
    return [
        Fold(train, rest, 100 * (seed + r) + k)
        for r in range(repeats)
        for k, (train, rest) in enumerate(
            KFold(5, shuffle=True, random_state=seed + r).split(np.arange(n))
        )
    ]


def out_of_fold(models, folds, X):
    """The mean over the repeats of what models say of rows that they have not seen: (n,)."""
    total, count = np.zeros(len(X)), np.zeros(len(X))
    for model, fold in zip(models, folds, strict=True):
        total[fold.rest] += model.predict(X[fold.rest])
        count[fold.rest] += 1
    return total / count


def n_params(widths, X):
    """Of a network with one target."""
    sizes = (X.shape[1], *widths, 1)
    return sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))


def mean_of(models, X):
    return np.mean([model.predict(X) for model in models], axis=0)


def convex_weights(P, y, w):
    """Weights of the columns of P, none negative, of sum one: the least w-weighted square error."""
    root = np.sqrt(w / w.mean())
    scale = y.std()
    heavy = 1e3 * np.sqrt(len(y))  # of the equation sum = 1
    rows = np.vstack([P * root[:, None] / scale, np.full((1, P.shape[1]), heavy)])
    found, _ = optimize.nnls(rows, np.r_[y * root / scale, heavy])
    return found / found.sum()


class Committee:
    """``fit(X, y)``, then ``predict_dist(X)``: a Student-t for every row.

    Parameters
    ----------
    repeats : int
        How often the five folds are drawn: 5 ``repeats`` members of each candidate.
    seed : int
    """

    def __init__(self, repeats=1, seed=0):
        self.repeats, self.seed = repeats, seed

    def fit(self, X, y):
        many = len(y) > MANY
        self.members, columns = [], []
        flat = np.ones(len(y))
        candidates = WIDE if many else [c for c in CANDIDATES if n_params(c[0], X) < 0.8 * len(y)]
        for candidate in candidates:
            self._add(candidate, X, y, flat, columns, self.seed)
        self._combine(X, y, flat, columns)
        if not many:
            w = np.exp(-2 * self.log_sigma)
            w = np.clip(w / np.median(w), 1e-3, 1e3)
            best = np.argsort(-self.weights, kind="stable")[:2]
            for k in best:
                self._add(candidates[k], X, y, w / w.mean(), columns, self.seed + 50)
            self._combine(X, y, w, columns)
        return self

    def _add(self, candidate, X, y, w, columns, seed):
        """The members of a candidate, and their out-of-fold predictions."""
        folds = split(len(y), self.repeats, seed)
        models = [self._network(candidate, fold.seed) for fold in folds]
        for model, fold in zip(models, folds, strict=True):
            part = (X[fold.train], y[fold.train])
            if len(y) > MANY:  # adam stops early on rows that are nobody's fold
                model.fit(*part)
            else:
                model.fit(*part, sample_weight=w[fold.train])
        self.members.append(models)
        columns.append(out_of_fold(models, folds, X))

    def _network(self, candidate, seed):
        widths, how = candidate
        settings = {"hidden_layer_sizes": widths, "standardize": True, "random_state": seed}
        if isinstance(how, float):
            return MLPRegressor(
                alpha=how, early_stopping=True, n_iter_no_change=15, max_iter=150, **settings
            )
        lm = LevenbergMarquardt(evidence=how)
        return MLPRegressor(activation="tanh", solver=lm, max_iter=150, **settings)

    def _combine(self, X, y, w, columns):
        """Weights of the candidates, then the spread of what remains."""
        P = np.stack(columns, axis=1)
        self.weights = convex_weights(P, y, w)
        mean = P @ self.weights
        residual, Z = y - mean, np.column_stack([X, mean])
        level = np.mean(residual**2)
        squares = np.maximum(residual**2 / level, 1e-8)
        best = np.inf
        for widths in WIDE_SPREADS if len(y) > MANY else SPREADS:
            models, log_sigma = self._spread(widths, Z, squares)
            log_sigma = log_sigma + 0.5 * np.log(level)
            score, df, factor = student(residual, log_sigma)
            if score < best:
                best, self.df, self.spread = score, df, models
                self.log_sigma = log_sigma + np.log(factor)
                self.factor = factor * np.sqrt(level)

    def _spread(self, widths, Z, squares):
        """Networks of log sigma, and what they say out of fold; none for a constant."""
        if widths is None:
            return [], np.zeros(len(Z))
        folds = split(len(Z), 1, self.seed + 1000)
        settings = {"loss": "gamma", "standardize": True, "hidden_layer_sizes": widths}
        if len(Z) > MANY and widths:
            settings |= {"early_stopping": True, "max_iter": 100}
        else:
            settings |= {"solver": LevenbergMarquardt(evidence=True), "activation": "tanh"}
            settings["max_iter"] = 60
        models = []
        for fold in folds:
            half = np.full(len(fold.train), 0.5)
            model = MLPRegressor(random_state=fold.seed, **settings)
            models.append(model.fit(Z[fold.train], squares[fold.train], sample_weight=half))
        return models, 0.5 * np.log(np.maximum(out_of_fold(models, folds, Z), 1e-12))

    def predict_dist(self, X):
        """Student-t distributions, one for each row."""
        mean = np.stack([mean_of(models, X) for models in self.members], axis=1) @ self.weights
        scale = np.full(len(X), self.factor)
        if self.spread:
            Z = np.column_stack([X, mean])
            logs = [np.log(np.maximum(model.predict(Z), 1e-12)) for model in self.spread]
            scale *= np.exp(0.5 * np.mean(logs, axis=0))
        return StudentT(self.df, mean, scale)


def student(residual, log_sigma):
    """The least mean of -log p over df and a factor of sigma: (that, df, factor)."""
    z = residual / np.exp(log_sigma)

    def score(p):
        df, factor = LEAST_DF + np.exp(min(p[0], 7.0)), np.exp(p[1])
        return np.mean(log_sigma) - np.mean(stats.t.logpdf(z, df, scale=factor))

    found = optimize.minimize(score, [1.5, -0.2], method="Nelder-Mead")
    return found.fun, LEAST_DF + np.exp(min(found.x[0], 7.0)), np.exp(found.x[1])
