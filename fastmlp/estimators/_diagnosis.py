"""What may be wrong with a fitted network, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from fastmlp.activations import slope_of
from fastmlp.trace import up_to

MOST_ROWS = 1000
# A unit whose slope is below this share of its largest is at the flat end of its activation.
FLAT = 0.02
# A layer of which more than this share of units and rows is flat is called saturated.
SATURATED = 0.5
# Slopes that reach the first layer, beside those of the last: beyond this they vanish or explode.
FADED, GROWN = 1e-4, 1e4
# A column is unscaled if its spread or its mean beside its spread is beyond this.
SPREADS, MEAN = (1e-2, 1e2), 10.0
# Epochs that are looked at; the rise that is more than the noise of batches; a steady fall.
TREND, RISE, FALL = 10, 1.2, 0.01
# Of the first epoch's loss: what has fallen below this share is learned, though it falls on.
LEFT = 0.05


class Finding(NamedTuple):
    """One thing that may be wrong.

    Attributes
    ----------
    name : str
        "dead units", "saturated layer", "vanishing slopes", "exploding slopes", "unscaled columns",
        "learning rate too high", "learning rate too low" or "not finite".
    what : str
        What was seen, in a sentence.
    remedy : str
        What to do, in a sentence.
    """

    name: str
    what: str
    remedy: str


class Diagnosis(tuple):
    """The findings, of which there may be none; ``print`` shows them as sentences."""

    __slots__ = ()

    def __str__(self) -> str:
        if not self:
            return "Nothing wrong was found."
        return "\n".join(f"{one.name}: {one.what} {one.remedy}" for one in self)

    __repr__ = __str__


def diagnose(model: Any, X: Any) -> Diagnosis:
    """Look at a fitted estimator's network on rows of X, checked already."""
    coefs, intercepts = model.coefs_, model.intercepts_
    if not all(np.isfinite(part).all() for part in (*coefs, *intercepts)):
        remedy = "Fit anew with a smaller learning rate, or standardize=True."
        return Diagnosis([Finding("not finite", "Weights are NaN or infinite.", remedy)])
    X = X[:: max(1, -(-X.shape[0] // MOST_ROWS))]
    dense = np.asarray(X.toarray() if sp.issparse(X) else X, dtype=np.float64)
    return Diagnosis([*_columns(model, dense), *_units(model, dense), *_course(model)])


def _columns(model, X) -> Iterator[Finding]:
    if model.x_scale_ is not None or len(X) < 3:
        return
    spread, mean = X.std(axis=0), np.abs(X.mean(axis=0))
    off = (spread > 0) & (
        (spread < SPREADS[0]) | (spread > SPREADS[1]) | (mean > MEAN * np.maximum(spread, 1e-300))
    )
    if off.any():
        names = getattr(model, "feature_names_in_", np.arange(X.shape[1]))
        some = ", ".join(str(name) for name in np.asarray(names)[off][:4])
        j = int(np.argmax(off))
        yield Finding(
            "unscaled columns",
            f"{off.sum()} of {off.size} columns are far from mean 0 and spread 1: {some}"
            f"{', ...' if off.sum() > 4 else ''} (the first has mean {X[:, j].mean():.3g}, spread "
            f"{spread[j]:.3g}).",
            "Set standardize=True, or scale them in a pipeline.",
        )


def _units(model, X) -> Iterator[Finding]:
    network, theta = model.network_, model.theta_
    hidden = network._hidden
    slopes, flat = [], []
    for l, g in enumerate(hidden, start=1):
        part = up_to(network, l)
        z = part.raw(theta[: part.n_params], X)
        slope = slope_of(g, np.ascontiguousarray(z.ravel())).reshape(z.shape)
        steepest = np.abs(slope_of(g, np.linspace(-8, 8, 401, dtype=network.dtype))).max()
        slopes.append(slope.astype(np.float64))
        flat.append(np.abs(slope) < FLAT * steepest)
        dead = flat[-1].all(axis=0)
        if dead.any():
            yield Finding(
                "dead units",
                f"{dead.sum()} of {dead.size} units of hidden layer {l} ({g.name}) have no slope "
                "on any row: they do not learn.",
                "Take a smaller learning rate, standardize=True, or an activation with a slope "
                "everywhere, such as 'leaky_relu' or 'silu'.",
            )
        elif g.range == "UNIT" or g.name == "tanh":
            share = flat[-1].mean()
            if share > SATURATED:
                yield Finding(
                    "saturated layer",
                    f"{share:.0%} of hidden layer {l} ({g.name}) is at the flat ends of its "
                    "activation.",
                    "Take standardize=True, a larger alpha or a smaller learning rate.",
                )
    if len(hidden) > 1:
        yield from _reach(model, slopes)


def _reach(model, slopes) -> Iterator[Finding]:
    """How large d raw / d z is in the first hidden layer, beside the last."""
    coefs = [np.asarray(W, np.float64) for W in model.coefs_]
    delta = np.ones((len(slopes[-1]), coefs[-1].shape[1])) @ coefs[-1].T * slopes[-1]
    last = np.sqrt(np.mean(delta**2))
    for W, slope in zip(coefs[-2:0:-1], slopes[-2::-1], strict=True):
        delta = delta @ W.T * slope
    first = np.sqrt(np.mean(delta**2))
    if last > 0 and not FADED < first / last < GROWN:
        kind, verb = ("vanishing", "fade") if first < last else ("exploding", "grow")
        yield Finding(
            f"{kind} slopes",
            f"From the last hidden layer to the first, slopes {verb} by a factor of "
            f"{max(first, 1e-300) / last:.1g}.",
            "Take fewer layers, init='he' with 'relu' (or 'lecun' with 'selu'), or a solver that "
            "uses curvature, such as 'lm'."
            if kind == "vanishing"
            else "Take init='lecun', a larger alpha, or max_norm of SGD or Adam.",
        )


def _course(model) -> Iterator[Finding]:
    curve = np.asarray(getattr(model, "loss_curve_", ()), dtype=np.float64)
    if not getattr(model, "t_", 0) or len(curve) < TREND:
        return
    recent = curve[-TREND:]
    ups = np.sum(np.diff(recent) > 0)
    if not np.isfinite(curve).all() or (
        recent.mean() > RISE * curve.min() + 1e-12 and curve.min() > 0 and ups >= TREND // 3
    ):
        yield Finding(
            "learning rate too high",
            f"The loss jumps up and down, between {recent.min():.3g} and {recent.max():.3g} in the "
            f"last {TREND} epochs; it has been {np.nanmin(curve):.3g}.",
            "Divide learning_rate_init by 3 to 10.",
        )
        return
    falls = -np.diff(recent) / np.maximum(np.abs(recent[:-1]), 1e-300)
    much_left = recent[-1] > LEFT * curve[0]
    if much_left and (falls > FALL / 3).all() and falls.mean() > FALL:
        yield Finding(
            "learning rate too low",
            f"The loss still fell by {falls.mean():.1%} an epoch when the fit ended.",
            "Multiply learning_rate_init by 3, or raise max_iter.",
        )
