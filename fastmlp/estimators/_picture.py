"""A fitted network at a glance: as text, and drawn small beside scikit-learn's diagram."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

MOST_DRAWN = 10  # units of a layer; of a larger one the first ones stand for all
GAP, ROW, RADIUS = 84, 16, 5
POSITIVE, NEGATIVE = "#0877bd", "#f59322"


class Text(str):
    """A text that a prompt shows as it is, line by line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def summary(model: Any) -> Text:
    """Layers, shapes, parameters and activations, and how the fit ended."""
    names = [*model.activations_, model.out_activation_]
    rows = [("layer", "weights", "activation", "parameters")]
    total = 0
    for l, (W, b, name) in enumerate(
        zip(model.coefs_, model.intercepts_, names, strict=True), start=1
    ):
        layer = "output" if l == len(names) else f"hidden {l}"
        rows.append(
            (layer, f"{W.shape[0]} x {W.shape[1]}", _activation(name), f"{W.size + b.size:,}")
        )
        total += W.size + b.size
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    widths[3] = max(widths[3], len(f"{total:,}"))
    lines = [
        "  ".join(f"{cell:{side}{n}}" for cell, side, n in zip(row, "<><>", widths, strict=True))
        for row in rows
    ]
    rule = "-" * len(lines[0])
    last = f"{'all':<{len(lines[0]) - widths[3]}}{f'{total:,}':>{widths[3]}}"
    return Text("\n".join([lines[0], rule, *lines[1:], rule, last, *_ending(model)]))


def _activation(name: Any) -> str:
    if isinstance(name, tuple):
        return f"{name[0]}({', '.join(f'{k}={v:g}' for k, v in name[1].items())})"
    return str(name)


def _ending(model):
    unit = "epoch" if getattr(model, "t_", 0) else "iteration"
    plural = "s" * (model.n_iter_ != 1)
    said = getattr(model, "status_", None)
    loss = getattr(model, "loss_", None)
    if loss is not None and np.isfinite(loss):
        yield f"loss {loss:.6g} after {model.n_iter_} {unit}{plural}"
    if said:
        yield said


def html(model: Any) -> str:
    """The network drawn small, its final loss and why the fit ended."""
    svg = drawing(model.coefs_, model.intercepts_)
    lines = "<br>".join(escape(line) for line in _ending(model))
    return (
        '<div class="fastmlp-network" style="margin:.6em 0;font-size:.9em;color:inherit">'
        f"{svg}<div>{lines}</div></div>"
    )


def drawing(coefs: list[np.ndarray], intercepts: list[np.ndarray]) -> str:
    """Units and weights as SVG: blue is positive, orange negative, thick is large."""
    widths = [coefs[0].shape[0], *(b.size for b in intercepts)]
    shown = [min(n, MOST_DRAWN) for n in widths]
    height = ROW * (max(shown) + (max(widths) > MOST_DRAWN)) + 34
    length = GAP * (len(widths) - 1) + 40
    middle = (height - 22) / 2

    def place(l, i):
        return 20 + GAP * l, middle + (i - (shown[l] - 1) / 2) * ROW

    parts = []
    for l, W in enumerate(coefs):
        most = np.abs(W[: shown[l], : shown[l + 1]]).max(initial=0)
        if not np.isfinite(most):
            continue
        for i in range(shown[l]):
            for j in range(shown[l + 1]):
                (x0, y0), (x1, y1) = place(l, i), place(l + 1, j)
                size = abs(W[i, j]) / most if most else 0.0
                colour = POSITIVE if W[i, j] > 0 else NEGATIVE
                parts.append(
                    f'<line x1="{x0}" y1="{y0:g}" x2="{x1}" y2="{y1:g}" stroke="{colour}" '
                    f'stroke-width="{0.3 + 2 * size:.2f}" stroke-opacity="{0.2 + 0.7 * size:.2f}"/>'
                )
    for l, n in enumerate(shown):
        for i in range(n):
            x, y = place(l, i)
            parts.append(f'<circle cx="{x}" cy="{y:g}" r="{RADIUS}" fill="currentColor"/>')
        x, y = place(l, n - 1)
        if widths[l] > n:
            parts.append(f'<text x="{x}" y="{y + ROW:g}" text-anchor="middle">⋮</text>')
        parts.append(
            f'<text x="{x}" y="{height - 6}" text-anchor="middle" font-size="11">{widths[l]}</text>'
        )
    label = f"A network with layers of {', '.join(map(str, widths))} units"
    return (
        f'<svg role="img" aria-label="{label}" width="{length}" height="{height}" '
        f'viewBox="0 0 {length} {height}" fill="currentColor">{"".join(parts)}</svg>'
    )
