"""Three pictures of a run: time per epoch, width sweep, latency. Needs matplotlib."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {
    "fastmlp": "#d62728",
    "compiled": "#ff7f0e",
    "numpy": "#8c8c8c",
    "sklearn": "#1f77b4",
    "torch": "#9467bd",
    "torch.compile": "#c5b0d5",
    "jax": "#2ca02c",
    "onnxruntime": "#17becf",
}


def draw(rows, gemm, folder):
    """Draw what there are rows for; returns the paths written."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = {part: [row for row in rows if row.part == part] for part in ("training", "latency")}
    sweep = [row for row in rows if row.part == "sweep"]
    drawn = []
    if parts["training"]:
        figure = bars(parts["training"], 1e3, "ms per epoch")
        draw_limits(figure, parts["training"], gemm)
        drawn.append(save(figure, folder / "training.png"))
    if sweep:
        drawn.append(save(lines(sweep), folder / "sweep.png"))
    if parts["latency"]:
        drawn.append(save(bars(parts["latency"], 1e6, "µs for one row"), folder / "latency.png"))
    return drawn


def by_dtype(rows):
    """dtype -> its rows, in the order of appearance."""
    return {
        dtype: [row for row in rows if row.dtype == dtype]
        for dtype in dict.fromkeys(row.dtype for row in rows)
    }


def axes_for(groups):
    figure, axes = plt.subplots(
        1,
        len(groups),
        figsize=(6.5 * len(groups), 4.2),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axis, dtype in zip(axes[0], groups, strict=True):
        axis.set_title(dtype)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.3, which="both", linewidth=0.5)
        axis.set_axisbelow(True)
    return figure, axes[0]


def bars(rows, unit, label):
    """For each case a group of bars, one for each peer, on a logarithmic scale."""
    groups = by_dtype(rows)
    figure, axes = axes_for(groups)
    for axis, some in zip(axes, groups.values(), strict=True):
        names = list(dict.fromkeys(name for row in some for name in row.values))
        width = 0.8 / len(names)
        for place, name in enumerate(names):
            at = [i + (place - (len(names) - 1) / 2) * width for i in range(len(some))]
            heights = [unit * row.values.get(name, float("nan")) for row in some]
            axis.bar(at, heights, width, label=name, color=COLOURS.get(name))
        axis.set_yscale("log")
        axis.set_xticks(range(len(some)), [row.case for row in some])
    axes[0].set_ylabel(label)
    return figure


def draw_limits(figure, rows, gemm):
    """Black lines where the matrix products alone would end at the machine's own GEMM speed."""
    for axis, (dtype, some) in zip(figure.axes, by_dtype(rows).items(), strict=True):
        for i, row in enumerate(some):
            limit = 1e3 * row.facts["flops"] / gemm[dtype] / 1e9
            label = "GEMM limit" if i == 0 else None
            axis.hlines(limit, i - 0.45, i + 0.45, color="black", linewidth=1.5, label=label)


def lines(rows):
    """Time of one batch over the width, each peer a line."""
    groups = by_dtype(rows)
    figure, axes = axes_for(groups)
    for axis, some in zip(axes, groups.values(), strict=True):
        widths = [row.facts["width"] for row in some]
        for name in some[0].values:
            times = [1e6 * row.values[name] for row in some]
            axis.plot(widths, times, ".-", label=name, color=COLOURS.get(name), markersize=4)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xlabel("width w of 10-w-w-10, batch 128")
    axes[0].set_ylabel("µs per batch")
    return figure


def save(figure, path):
    """Write it, with one legend below all of its axes."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
