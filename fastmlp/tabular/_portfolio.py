"""Who takes part: a handful of candidates, cheap first, by the size and kind of the data."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp
from scipy.stats import skew
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer

from fastmlp.estimators import MLPClassifier, MLPRegressor
from fastmlp.solvers import AdamW, LevenbergMarquardt
from fastmlp.tabular._encoder import PiecewiseLinearEncoder
from fastmlp.tabular._kernel import LaplaceRidge
from fastmlp.tabular._members import TargetScaler, dense, single
from fastmlp.tabular._race import Candidate
from fastmlp.tabular._relevance import ColumnScaler
from fastmlp.tabular._splines import SplineEncoder

# Seconds that a race is laid out for without a time limit, and the share of them for one candidate.
SECONDS = 10.0
SHARE = 0.4
# Who says what columns matter. Where it is close to the best, these recipes are tried again with
# columns scaled by that: errors fall by a fifth where a few of many columns matter, and rise where
# what it has to say is wrong, as of pixels.
TEACHER = "lm ard 4"
TOLD_VALUES = "adam 40", "adam wide"
TOLD_CLASSES = "adam smooth", "adam encoded free"
# Of an iteration of Levenberg-Marquardt with the evidence: by itself, and per n p^2 + 2 p^3.
SECONDS_PER_ITERATION, SECONDS_PER_OPERATION = 1e-3, 1e-10
LM_SIZES = ((8,), (16,), (32,), (40,), (32, 16))
SMALL = (4,)  # where few rows, or noisy ones, bear no more
VARIANTS = (SMALL, (8,), (16,))  # the sizes of which there are variants
N_CHEAP = 2  # sizes that have their turn before mini-batches
LM_ITERATIONS = 100
FEWEST_ITERATIONS = 25
FEW_ROWS = 1000
SKEWED = 1.0
# Of the second stage: hidden layers, the rows from which on it is more than a constant, the most
# parameters of a network (per row), its most work (rows times squared parameters).
SPREAD_SIZES = ((), (5,), (10,))
SPREAD_ITERATIONS = 40
SPREAD_FROM = 80
SPREAD_PARAMS = 0.8
SPREAD_WORK = 1e9
# Mini-batches: epochs, and samples seen by all members of a candidate together, at most.
EPOCHS = 256
SAMPLES_SEEN = 1.6e6
WIDTH = 128
BATCH = 256
FEWEST_STEPS = 8  # of an epoch, where there are few rows
# Widths, activation, rate, weight decay, epochs, schedule. Chosen over sixteen sets by the errors
# of the ensemble on rows not seen: with strong decay for targets that are noisy, and a family of
# more and more epochs, which the race ends where they gain nothing.
REGRESSION_RECIPES = {
    "adam decay": ((256,), "relu", 0.15, 3.0, 40, "coslog"),
    "adam 40": ((128, 128), "relu", 0.1, 0.2, 40, "coslog"),
    "adam 80": ((128, 128), "relu", 0.1, 0.2, 80, "coslog"),
    "adam 256": ((128, 128, 128), "relu", 0.03, 0.2, 256, "cosine"),
}
# Beside them by piecewise-linear encoding (if entries are few), chosen on ten sets; the first also
# for the logarithms of positive, skewed targets.
ENCODED_RECIPES = {
    "adam encoded": ((128, 128), "relu", 0.15, 3.0, 40, "coslog"),
    "adam encoded free": ((128, 128), "relu", 0.15, 1.0, 40, "coslog"),
}
# And by a finer one beside the columns themselves, with little decay, for functions with jumps.
KEPT_RECIPE = ((128, 128), "relu", 0.1, 0.2, 80, "coslog")
KEPT_BINS, MOST_KEPT = 32, 1e9  # entries seen, at most
MOST_ENCODED = 2e7
# Of a single split, where epochs are few in any case.
LARGE_RECIPES = {
    "adam": ((128, 128, 128), "relu", 0.03, 0.2, 256, "cosine"),
    "adam wide": ((256,), "relu", 0.1, 0.2, 256, "coslog"),
    "adam decay": ((128, 128), "relu", 0.15, 1.0, 128, "coslog"),
}
# From so many rows on the curvature of "lm" is that of a sample: residuals per parameter.
SAMPLED_FROM = 5000
SAMPLED = 5
FOR_GRADIENT = 10.0  # operations per row and parameter
# An iteration that lowers the loss by less is not worth its time.
LEAST_DECREASE, LEAST_DECREASE_OF_CLASSES = 1e-3, 1e-4
# Of classifiers, also widths, label smoothing (which the temperature of the race mends), and
# whether numbers are encoded: chosen over eighteen sets by the log-loss that the ensemble has on
# rows not seen. What decays so strongly has no need of early stopping.
CLASS_RECIPES = {
    "adam smooth": ((128, 128), "relu", 0.15, 1.0, 0.1, False),
    "adam smooth wide": ((512,), "relu", 0.15, 1.0, 0.1, False),
    "adam encoded": ((128, 128), "relu", 0.15, 3.0, 0.0, True),
    "adam encoded free": ((128, 128), "relu", 0.15, 1.0, 0.0, True),
}
MOST_SQUARE = 2000  # rows or columns, the fewer, of sparse rows in a ridge regression by itself
SPLINES = 7  # of a column, cubic: two more than knots
# Of the kernel, which compares new rows with all it knows: rows, rows times columns, at most.
KERNEL_ROWS, KERNEL_ENTRIES = 3000, 5e4
ROUGH = 0.5
CLASS_EPOCHS = 40
# "lm" wins where few columns make smooth boundaries; with a strength for each feature it finds the
# few among many. Evidence, units, share of the time: each is tried where the one before is close.
CLASS_LM = {TEACHER: ("ard", SMALL, 0.6), "lm 8": (True, (8,), 0.1), "lm 16": (True, (16,), 0.1)}


def regressors(Z, y, n_folds, seconds=None, n_threads=1):
    """Candidates for a table of numbers.

    Parameters
    ----------
    Z : {ndarray, CSR matrix} of shape (n_samples, n_features)
        As :class:`Columns` makes it.
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    n_folds : int
        Fits of each candidate.
    seconds : float, optional
        What the race may take.
    n_threads : int
        Fits at a time.

    Returns
    -------
    list of Candidate
    """
    n, n_features = Z.shape
    n_outputs = 1 if y.ndim == 1 else y.shape[1]
    ridge = RidgeCV(np.logspace(-3, 4, 8))
    if sp.issparse(Z) and min(Z.shape) > MOST_SQUARE:  # which leave-one-out makes a square of
        ridge = RidgeCV(np.logspace(-1, 3, 5), cv=ShuffleSplit(1, test_size=0.1, random_state=0))
    found = [Candidate("ridge", ridge)]
    if not sp.issparse(Z) and Z.size * SPLINES <= MOST_ENCODED:
        splines = SplineTransformer(SPLINES - 2, knots="quantile", extrapolation="linear")
        additive = make_pipeline(SplineEncoder(splines), RidgeCV(np.logspace(-3, 4, 15)))
        found.append(Candidate("additive", additive))
    if n <= KERNEL_ROWS and n * n_features <= KERNEL_ENTRIES:
        found.append(Candidate("kernel", _scaled(LaplaceRidge())))
    if n < FEW_ROWS and n_outputs == 1:
        robust = MLPRegressor(
            loss="student_t", hidden_layer_sizes=(), solver=LevenbergMarquardt(evidence=True)
        )
        found.append(Candidate("student_t ridge", _scaled(robust), like="ridge"))
    lm_sizes = SMALL, *LM_SIZES
    sampled = n > SAMPLED_FROM
    # Where parameters are more than residuals, runs are slow, and seldom worth it.
    most_params = n * n_outputs * (1 - 1 / n_folds if n_folds > 1 else 0.9)
    allowed = {
        sizes: _iterations(
            sizes, n_features, n_outputs, n, n_folds, seconds, n_threads, sampled=sampled
        )
        for sizes in lm_sizes
        if sizes == lm_sizes[0] or _n_params([n_features, *sizes, n_outputs]) <= most_params
    }

    def lm(sizes, kind="", evidence=True, scaled=_scaled):
        network = MLPRegressor(
            hidden_layer_sizes=sizes,
            activation="tanh",
            solver=LevenbergMarquardt(
                evidence=evidence,
                curvature_rows="auto" if sampled else None,
                least_decrease=LEAST_DECREASE,
            ),
            max_iter=allowed[sizes],
        )
        size = "-".join(map(str, sizes))
        family, like = ("", f"lm {size}") if kind else ("lm", "")
        return Candidate(f"lm {kind}{size}", scaled(network), family, like)

    tried = [sizes for sizes, iterations in allowed.items() if iterations >= FEWEST_ITERATIONS]
    found += [lm(sizes) for sizes in tried[:N_CHEAP]]
    recipes = REGRESSION_RECIPES if n_folds > 1 else LARGE_RECIPES
    for name, (widths, *recipe, epochs, schedule) in recipes.items():
        settings = _adam(n, n_features, n_folds, *recipe, widths, min(epochs, EPOCHS), schedule)
        network = _scaled(_in_single_precision(MLPRegressor(**settings), ColumnScaler()))
        found.append(Candidate(name, network, "adam" if name.split()[-1].isdigit() else ""))
    skewed = np.all(y > 0) and np.all(skew(y - y.mean(axis=0)) > SKEWED)
    encoding, n_encoded = _encoding(Z) if n_folds > 1 else ([], 0)
    for name, (widths, *recipe, epochs, schedule) in ENCODED_RECIPES.items() if encoding else ():
        settings = _adam(n, n_encoded, n_folds, *recipe, widths, epochs, schedule)
        network = _in_single_precision(MLPRegressor(**settings), *map(clone, encoding))
        found.append(Candidate(name, _scaled(network)))
    if encoding and skewed:
        log = _on_log_scale(clone(found[-len(ENCODED_RECIPES)].estimator.regressor))
        found.append(Candidate("adam encoded log", log, like="adam encoded"))
    kept, n_kept = _encoding(Z, n_bins=KEPT_BINS, keep=True) if n_folds > 1 else ([], 0)
    widths, *recipe, epochs, schedule = KEPT_RECIPE
    if kept and n_kept * min(n * (n_folds - 1) * epochs, SAMPLES_SEEN) <= MOST_KEPT:
        settings = _adam(n, n_kept, n_folds, *recipe, widths, epochs, schedule)
        network = _in_single_precision(MLPRegressor(**settings), *kept)
        found.append(Candidate("adam encoded beside", _scaled(network)))
    found += [lm(sizes) for sizes in tried[N_CHEAP:]]
    if tried:
        teacher = lm(SMALL, "ard ", "ard")
        teacher = teacher._replace(like="") if n_folds > 1 else teacher
        found += [teacher, *_told(found, TOLD_VALUES)]
    for sizes in tried:
        if sizes in VARIANTS:
            if sizes != SMALL:
                found.append(lm(sizes, "ard ", "ard"))
            if skewed:
                found.append(lm(sizes, "log ", scaled=_on_log_scale))
    if any(each.name == "kernel" for each in found):
        found.append(Candidate("kernel rough", _scaled(LaplaceRidge(ROUGH)), like="kernel"))
    return found


def classifiers(Z, codes, n_folds, seconds=None, n_threads=1):
    """Candidates for classes.

    Parameters
    ----------
    Z : {ndarray, CSR matrix} of shape (n_samples, n_features)
        As :class:`Columns` makes it.
    codes : ndarray of shape (n_samples,)
        Classes, counted from 0.
    n_folds, seconds, n_threads
        As for :func:`regressors`.

    Returns
    -------
    list of Candidate
    """
    n, n_features = Z.shape
    found = [Candidate("logistic", LogisticRegression(max_iter=200))]
    encoding, n_encoded = _encoding(Z)
    for name, (widths, *recipe, smoothing, encoded) in CLASS_RECIPES.items():
        if encoded and not encoding:
            continue
        width = n_encoded if encoded else n_features
        settings = _adam(n, width, n_folds, *recipe, widths, CLASS_EPOCHS, "coslog")
        network = MLPClassifier(**settings, label_smoothing=smoothing)
        steps = map(clone, encoding if encoded else [ColumnScaler()])
        found.append(Candidate(name, _in_single_precision(network, *steps)))
    n_classes = int(codes.max()) + 1
    n_outputs = n_classes if n_classes > 2 else 1
    before = ""
    for name, (evidence, sizes, share) in CLASS_LM.items():
        iterations = _iterations(
            sizes, n_features, n_outputs, n, n_folds, seconds, n_threads, share, sampled=True
        )
        if iterations < FEWEST_ITERATIONS:
            break
        network = MLPClassifier(
            hidden_layer_sizes=sizes,
            activation="tanh",
            solver=LevenbergMarquardt(
                evidence=evidence, curvature_rows="auto", least_decrease=LEAST_DECREASE_OF_CLASSES
            ),
            max_iter=iterations,
        )
        candidate = Candidate(name, network, like=before)
        told = _told(found, TOLD_CLASSES) if name == TEACHER else []
        found += [candidate, *told]
        before = name
    return found


def _told(found, names):
    """Candidates of these names once more, told what columns matter."""
    return [
        each._replace(name=f"{each.name} told", family="", like=TEACHER, scaled_by=TEACHER)
        for each in found
        if each.name in names
    ]


def _encoding(Z, **settings):
    """Steps that encode a table of numbers, and how many columns these make; [], 0: too many."""
    if Z.shape[0] * Z.shape[1] > MOST_ENCODED:
        return [], 0
    encoder = PiecewiseLinearEncoder(dtype=np.float32, **settings)
    n_encoded = len(encoder.fit(dense(Z)).origin_)
    if not 0 < Z.shape[0] * n_encoded <= MOST_ENCODED:
        return [], 0
    before = [FunctionTransformer(dense, accept_sparse=True)] if sp.issparse(Z) else []
    return [*before, encoder], n_encoded


def spreads(n, n_features):
    """Networks for squared errors, the smallest first, as far as n rows go."""
    for sizes in SPREAD_SIZES:
        n_params = _n_params([n_features, *sizes, 1])
        if n < SPREAD_FROM or n_params > SPREAD_PARAMS * n or n * n_params**2 > SPREAD_WORK:
            return
        yield MLPRegressor(
            loss="gamma",
            hidden_layer_sizes=sizes,
            activation="tanh",
            standardize=True,
            solver=LevenbergMarquardt(evidence=True),
            max_iter=SPREAD_ITERATIONS,
        )


def _n_params(widths):
    return sum((a + 1) * b for a, b in zip(widths[:-1], widths[1:], strict=True))


def _iterations(
    sizes, n_features, n_outputs, n, n_folds, seconds, n_threads, share=SHARE, sampled=False
):
    """How many iterations of "lm" a candidate's share of the time allows."""
    n_params = _n_params([n_features, *sizes, n_outputs])
    n_residuals = n * n_outputs
    if sampled:  # as curvature_rows="auto" draws them
        n_residuals = min(n_residuals, SAMPLED * n_params)
    operations = n_residuals * n_params**2 + 2.0 * n_params**3
    operations += FOR_GRADIENT * n * n_outputs * n_params
    rounds = math.ceil(n_folds / n_threads)
    share *= SECONDS if seconds is None else seconds
    each = SECONDS_PER_ITERATION + SECONDS_PER_OPERATION * operations
    return min(LM_ITERATIONS, int(share / (each * rounds)))


def _adam(
    n, n_features, n_folds, activation, rate, weight_decay,
    widths=(WIDTH,) * 3, epochs=EPOCHS, schedule="cosine",
):  # fmt: skip
    """The recipe of RealMLP-TD-S, as far as it goes (Holzmüller et al., arXiv:2407.04491).

    Without its scaling layer and its label smoothing, since probabilities matter; rows that a
    member is judged by have no say in its epoch. Its parametrisation
    z = W x / sqrt(fan_in), W of variance 1, is that of the rates here.
    """
    trained = n * (0.9 if n_folds == 1 else 1 - 1 / n_folds)
    epochs = int(min(epochs, SAMPLES_SEEN / (trained * n_folds)))
    fans = [n_features, *widths]
    factors = {f"W{layer}": fan**-0.5 for layer, fan in enumerate(fans, 1)}
    factors |= {f"b{layer}": 0.1 for layer in range(1, len(fans) + 1)}
    solver = AdamW(
        learning_rate_init=rate,
        beta_2=0.95,
        learning_rate=schedule,
        batch_size=max(1, min(BATCH, int(trained / FEWEST_STEPS))),
        weight_decay=weight_decay,
        rate_factors=factors,
    )
    return {
        "hidden_layer_sizes": widths,
        "activation": activation,
        "init": "lecun",
        "solver": solver,
        "alpha": 0.0,
        "max_iter": max(1, epochs),
        "tol": 0.0,
        "n_iter_no_change": np.inf,
    }


def _in_single_precision(network, *before):
    cast = FunctionTransformer(single, accept_sparse=True)
    return make_pipeline(*before, cast, network)


def _scaled(network):
    """The network on targets of mean 0 and deviation 1."""
    return TransformedTargetRegressor(network, transformer=TargetScaler())


def _on_log_scale(network):
    log = FunctionTransformer(np.log, np.exp, check_inverse=False)
    return TransformedTargetRegressor(network, transformer=make_pipeline(log, TargetScaler()))
