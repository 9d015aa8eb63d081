"""Everything is in the features: pixels, colour histograms and HoG before the same network.

Three tasks on images that scikit-learn and scikit-image ship: which photograph a patch is of
(trained on the left half of each, asked about the right one), which texture a grey patch is of
(likewise), and whether a small picture is of a face. A network gets each picture as pixels, as a
histogram of colours, or as a histogram of oriented gradients (Dalal and Triggs, CVPR 2005), each
time in a Pipeline. Needs Pillow; without scikit-image there is one task, two photographs, and no
HoG. Prints the accuracies, and draws features.png into the folder --out where matplotlib is
installed.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_sample_images
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer

from fastmlp import MLPClassifier

try:
    from skimage import data
    from skimage.feature import hog
except ModuleNotFoundError:
    data = None

SIDE = 32  # of a patch


def pixels(images):
    return images.reshape(len(images), -1)


def colours(images):
    """A joint histogram of red, green and blue, 4 bins each; of 16 levels for grey images."""
    if images.ndim == 3:
        codes, n = np.minimum(images * 16, 15).astype(int), 16
    else:
        codes, n = np.minimum(images * 4, 3).astype(int) @ [16, 4, 1], 64
    flat = codes.reshape(len(images), -1)
    return np.stack([np.bincount(row, minlength=n) / row.size for row in flat])


def gradients(images):
    """Histograms of the gradients' directions in cells of a quarter of the side."""
    cell = images.shape[1] // 4
    settings = {"pixels_per_cell": (cell, cell), "cells_per_block": (2, 2)}
    channel = None if images.ndim == 3 else -1
    return np.stack([hog(image, channel_axis=channel, **settings) for image in images])


def patches(photographs, n_each, rng):
    """Patches of the left halves, to be trained on, and of the right ones; codes of photographs."""
    sides = []
    for side in range(2):
        found, labels = [], []
        for code, photograph in enumerate(photographs):
            high, wide = np.array(photograph.shape[:2]) - SIDE
            rows = rng.integers(0, high, n_each)
            columns = rng.integers(
                *((0, wide // 2 - SIDE // 2) if side == 0 else (wide // 2, wide)), n_each
            )
            found += [
                photograph[i : i + SIDE, j : j + SIDE] / 255.0
                for i, j in zip(rows, columns, strict=True)
            ]
            labels += [code] * n_each
        sides += [np.stack(found), np.array(labels)]
    X, y, X_test, y_test = sides
    return X, X_test, y, y_test


def tasks(n_each):
    """For each task: training images, test images, training labels, test labels."""
    rng = np.random.default_rng(0)
    photographs = load_sample_images().images
    if data is None:
        return {"photographs": patches(photographs, n_each, rng)}
    photographs += [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    textures = [data.brick(), data.grass(), data.gravel()]
    faces = np.repeat([1, 0], 100)
    return {
        "photographs": patches(photographs, n_each, rng),
        "textures": patches(textures, n_each, rng),
        "faces": train_test_split(
            data.lfw_subset().astype(float), faces, stratify=faces, test_size=0.5, random_state=0
        ),
    }


def draw(figure, accuracy, shown):
    """A few images of each task above the accuracies."""
    grid = figure.add_gridspec(2, len(shown), height_ratios=[1, 2])
    for k, (task, images) in enumerate(shown.items()):
        strip = figure.add_subplot(grid[0, k])
        strip.imshow(np.concatenate(images, axis=1), cmap="gray", interpolation="nearest")
        strip.set_axis_off()
        strip.set_title(task)
        bars = figure.add_subplot(grid[1, k])
        names = list(accuracy)
        heights = [accuracy[name][task] for name in names]
        painted = ["#8a8f98", "#d9722b", "#2a6fb0", "#3a9367"][: len(names)]
        drawn = bars.bar(names, heights, color=painted)
        bars.bar_label(drawn, fmt="%.2f", padding=2, fontsize=9)
        bars.set(ylim=(0, 1.08), ylabel="accuracy" if k == 0 else "")
        bars.tick_params(axis="x", labelrotation=20)
        bars.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds: fewer patches")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture (here)")
    options = parser.parse_args()
    n_each = 40 if options.quick else 300
    features = {"pixels": pixels, "colours": colours}
    if data is not None:
        features["HoG"] = gradients
    kinds = {name: FunctionTransformer(f) for name, f in features.items()}
    kinds["all three" if data else "both"] = make_union(*kinds.values())
    found = tasks(n_each)
    print(f"{'right, on new images':20}" + "".join(f"{task:>14}" for task in found))
    accuracy = {}
    for name, transform in kinds.items():
        accuracy[name] = {}
        for task, (X, X_test, y, y_test) in found.items():
            network = MLPClassifier(
                (32,), solver="lbfgs", alpha=1.0, standardize=True, max_iter=60, random_state=0
            )
            model = make_pipeline(transform, network)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # enough iterations, converged or not
                accuracy[name][task] = model.fit(X, y).score(X_test, y_test)
        print(f"{name:20}" + "".join(f"{right:14.3f}" for right in accuracy[name].values()))

    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("\nNo picture without matplotlib: pip install matplotlib")
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        figure = Figure(figsize=(4 * len(found), 4.2), layout="constrained")
        shown = {task: X[:: max(len(X) // 6, 1)][:6] for task, (X, *_) in found.items()}
        draw(figure, accuracy, shown)
        figure.savefig(options.out / "features.png", dpi=110)
        print("\ndrawn: features.png")
