"""The command `fastmlp demo`: what fastmlp is for, one story a row, on data from scikit-learn.

Everything is measured here and now, on one thread; beside ours stands what scikit-learn gives.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
from sklearn import datasets, neural_network
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import fastmlp
from fastmlp.config import get_config
from fastmlp.solvers import LevenbergMarquardt

FOOT = """
Three things to try:
  MLPRegressor(standardize=True, solver="lm").fit(X, y)  on a table of your own
  model.compile().predict(x)                             a row in microseconds
  net = Network([2, 8, 1]); net.hessian(theta, X, y)     exact derivatives"""


def main() -> None:
    """Tell the stories, one after the other."""
    config = get_config()
    print(f"fastmlp {config['versions']['fastmlp']} ({config['isa']}) beside scikit-learn ", end="")
    print(f"{sklearn.__version__}, one thread\n")
    print(f"{'':39}{'fastmlp':>14}{'scikit-learn':>15}{'ratio':>9}")
    with warnings.catch_warnings(), threadpool_limits(1):
        # The iterations are part of the stories: a fit may well end at max_iter.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for story in (same_curve, digits, one_row, bottom, evidence):
            print(flush=True)
            story()
    print(FOOT)


def _row(what: str, ours: str, theirs: str, ratio: float | None = None) -> None:
    print(f"  {what:<37}{ours:>14}{theirs:>15}{'' if ratio is None else f'{ratio:>8.1f}x'}")


def _seconds(action: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = action()
    return result, time.perf_counter() - start


def same_curve() -> None:
    """Breast cancer: the curve of scikit-learn, to the digit."""
    X, y = datasets.load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    fits = []
    for library in (fastmlp, neural_network):
        model = library.MLPClassifier((32,), max_iter=100, random_state=0)
        fits.append((*_seconds(lambda model=model: model.fit(X_train, y_train)),))
    (ours, our_time), (theirs, their_time) = fits
    print("The same seed gives the same fit (breast cancer, 30-32-1, adam)")
    _row("loss after the last epoch", f"{ours.loss_:.10f}", f"{theirs.loss_:.10f}")
    _row(
        "accuracy on held-out rows",
        f"{ours.score(X_test, y_test):.4f}",
        f"{theirs.score(X_test, y_test):.4f}",
    )
    _row("seconds", f"{our_time:.3f}", f"{their_time:.3f}", their_time / our_time)


def digits() -> None:
    """The digits of README's table: milliseconds per epoch, same batches."""
    X, y = datasets.load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    options = {"batch_size": 32, "max_iter": 10, "tol": 0, "random_state": 0}
    times: dict[Any, list[float]] = {fastmlp: [], neural_network: []}
    losses = []
    for turn in range(3):
        for library, own in times.items():
            model = library.MLPClassifier((100,), **options)
            own.append(_seconds(lambda model=model: model.fit(X, y))[1] / options["max_iter"])
            if turn == 0:
                losses.append(model.loss_)
    ours, theirs = map(statistics.median, times.values())
    print("Small networks train fast (digits, 64-100-10, batches of 32, float32)")
    _row("milliseconds per epoch", f"{1e3 * ours:.2f}", f"{1e3 * theirs:.2f}", theirs / ours)
    _row("loss after 10 epochs", f"{losses[0]:.4f}", f"{losses[1]:.4f}")


def one_row() -> None:
    """The latency of a single prediction."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 20))
    options = {"hidden_layer_sizes": (64, 64), "max_iter": 2, "random_state": 0}
    ours, theirs = (
        library.MLPRegressor(**options).fit(X, X[:, 0]) for library in (fastmlp, neural_network)
    )
    compiled = ours.compile()
    row = X[:1]
    spans = []
    for predict, calls in ((ours.predict, 2000), (compiled.predict, 2000), (theirs.predict, 200)):

        def repeat(predict=predict, calls=calls):
            for _ in range(calls):
                predict(row)

        spans.append(statistics.median(_seconds(repeat)[1] / calls for _ in range(5)))
    print("One row is answered at once (20-64-64-1)")
    for what, span in zip(("predict", "compile().predict"), spans[:2], strict=True):
        _row(f"microseconds, {what}", f"{1e6 * span:.1f}", f"{1e6 * spans[2]:.1f}", spans[2] / span)


def bottom() -> None:
    """Levenberg-Marquardt goes to the bottom where L-BFGS stands."""
    X = np.linspace(-1, 1, 200)[:, None]
    y = np.sin(5 * X[:, 0])
    shared = {"hidden_layer_sizes": (10,), "activation": "tanh", "alpha": 0.0, "random_state": 0}
    lm = fastmlp.MLPRegressor(solver="lm", tol=1e-7, max_iter=500, **shared)
    lbfgs = neural_network.MLPRegressor(
        solver="lbfgs", tol=1e-12, max_iter=20000, max_fun=200000, **shared
    )
    (lm, our_time), (lbfgs, their_time) = (_seconds(lambda m=m: m.fit(X, y)) for m in (lm, lbfgs))
    errors = [np.mean((model.predict(X) - y) ** 2) for model in (lm, lbfgs)]
    print("Newton's family goes to the bottom (200 rows of a sine, 1-10-1)")
    _row("solver", "lm", "lbfgs")
    _row("mean squared error", f"{errors[0]:.1e}", f"{errors[1]:.1e}")
    _row("seconds (lbfgs ends there by itself)", f"{our_time:.3f}", f"{their_time:.3f}")


def evidence() -> None:
    """Weight decay and noise found by the evidence, on the small table of diabetes."""
    X, y = datasets.load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    ours = fastmlp.MLPRegressor(
        hidden_layer_sizes=(4,),
        activation="tanh",
        solver=LevenbergMarquardt(evidence=True),
        init="nguyen-widrow",
        standardize=True,
        random_state=0,
    )
    network = neural_network.MLPRegressor(
        hidden_layer_sizes=(4,), activation="tanh", max_iter=2000, random_state=0
    )
    theirs = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), network), transformer=StandardScaler()
    )
    fits = [_seconds(lambda m=m: m.fit(X_train, y_train)) for m in (ours, theirs)]
    rms = [np.sqrt(np.mean((model.predict(X_test) - y_test) ** 2)) for model, _ in fits]
    state = ours.evidence_
    noise = state.noise * float(ours.y_scale_[0])
    print("Nothing to tune on a small table (diabetes, 331 rows, 10-4-1)")
    _row("solver", "lm, evidence", "adam")
    _row("error (rms) on held-out rows", f"{rms[0]:.1f}", f"{rms[1]:.1f}")
    _row("its own estimate of the noise", f"{noise:.1f}", "none")
    _row("seconds", f"{fits[0][1]:.3f}", f"{fits[1][1]:.3f}", fits[1][1] / fits[0][1])
