"""Photometric redshifts: `python -m bench.photoz --data DIR`.

DIR holds sdss_photoz/sdss_galaxy_colors.npy (galaxies of SDSS: u g r i z, redshift) or rail_dc2/
(a training and a validation file of LSST simulations, in RAIL's columns; needs h5py). Every method
gets the same rows: r and four colours, or i and five colours with what was not detected. Printed
are qp's statistics on rows that nobody has trained on, and processor seconds of the fit; --sizes
repeats it on the first so many training rows, and with --plots draws the error against them;
--million times predict_dist. `--json` of an earlier run goes on with what is missing.
"""

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from bench.photoz_methods import METHODS, MOST_ROWS, available
from bench.table import Table, title
from fastmlp import metrics
from fastmlp.distributions import Distribution

SHOWN = ("bias", "sigma_mad", "outlier_rate", "crps", "cde_loss", "pit_outlier_rate")
TEST_ROWS = 5000  # of SDSS


def sdss(folder):
    """Rows (r, u-g, g-r, r-i, i-z), redshifts: for training, then for judging."""
    table = np.load(Path(folder) / "sdss_photoz" / "sdss_galaxy_colors.npy")
    table = table[table["spec_class"] == b"GALAXY"]
    table = table[np.random.default_rng(0).permutation(len(table))]
    u, g, r, i, z = (table[band].astype(float) for band in "ugriz")
    X, y = np.column_stack([r, u - g, g - r, r - i, i - z]), table["redshift"].astype(float)
    return X[TEST_ROWS:], y[TEST_ROWS:], X[:TEST_ROWS], y[:TEST_ROWS]


def dc2(folder):
    """Rows (i, five colours, six flags of what was not detected) of RAIL's two files."""
    import h5py

    parts = []
    for name in ("training", "validation"):
        with h5py.File(Path(folder) / "rail_dc2" / f"test_dc2_{name}_9816.hdf5") as file:
            table = file["photometry"]
            bands = np.stack([table[f"mag_{band}_lsst"][:] for band in "ugrizy"], axis=1)
            absent = ~np.isfinite(bands) | (bands > 90)
            bands = np.where(absent, 28.0, bands)
            X = np.column_stack([bands[:, 3], -np.diff(bands, axis=1), absent])
            # Rows stand in order of redshift: whoever holds out the first tenth would be misled.
            order = np.random.default_rng(0).permutation(len(X))
            parts += [X[order], table["redshift"][:].astype(float)[order]]
    return parts


DATA = {"sdss": sdss, "dc2": dc2}


def judge(z, found):
    """Statistics of estimates; those of distributions where they are."""
    report = metrics.photoz_report(z, found)
    if isinstance(found, Distribution):
        report["pit_ks"] = float(metrics.pit_tests(metrics.pit(z, found))["ks"].statistic)
    return {key: float(value) for key, value in report.items() if np.ndim(value) == 0}


def run(method, X, z, X_test, z_test):
    """One fit, and what it is worth."""
    start = time.process_time()
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        model = METHODS[method](X, z)
    seconds = time.process_time() - start
    return {**judge(z_test, model(X_test)), "rows": len(z), "cpu": seconds}


def million(method, X, z):
    """Seconds of predict_dist for a million rows, and of its median and interval."""
    model = METHODS[method](X[:2000], z[:2000])
    rows = np.resize(X, (10**6, X.shape[1]))
    start = time.perf_counter()
    dist = model(rows)
    made = time.perf_counter() - start
    dist.mean()
    return made, time.perf_counter() - start


def draw(path, records):
    """sigma_MAD, CRPS and CDE loss against the number of training rows, a line for each method.

    Panels end at twice the median, or at a CDE loss of 0: beyond is who fails altogether.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.2), layout="constrained")
    names = list(dict.fromkeys(record["method"] for record in records))
    colours = {name: f"C{k % 10}" for k, name in enumerate(names)}
    for axes, key in zip(figure.subplots(1, 3), ("sigma_mad", "crps", "cde_loss"), strict=True):
        for name in names:
            found = sorted((r["rows"], r[key]) for r in records if r["method"] == name and key in r)
            if found:
                ours = name.startswith("fastmlp")
                style = {"lw": 2.2 if ours else 1.2, "ls": "-" if ours else "--"}
                axes.plot(
                    *zip(*found, strict=True), "o", ms=4, color=colours[name], label=name, **style
                )
        axes.set(xscale="log", xlabel="training rows", ylabel=key.replace("_", " "))
        values = [r[key] for r in records if key in r]
        top = 0.0 if key == "cde_loss" else 2 * np.median(values) if values else np.inf
        if values and max(values) > top:
            axes.set_ylim(min(values) - 0.05 * (top - min(values)), top)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25, which="both", lw=0.5)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=110)


def main(argv=None):
    """Print a line for every method and size."""
    parser = argparse.ArgumentParser(prog="bench.photoz", description=__doc__.splitlines()[0])
    folder = os.environ.get("FASTMLP_DATA")
    parser.add_argument("--data", default=folder, help="folder of the data ($FASTMLP_DATA)")
    parser.add_argument("--on", choices=list(DATA), default="sdss")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--sizes", nargs="+", type=int, help="training rows (all)")
    parser.add_argument("--million", action="store_true", help="time a million rows")
    parser.add_argument("--json", type=Path, help="keeps every figure")
    parser.add_argument("--plots", type=Path, help="folder of the picture")
    options = parser.parse_args(argv)
    if not options.data:
        parser.error("say where the data are: --data DIR, or FASTMLP_DATA")
    X, z, X_test, z_test = DATA[options.on](options.data)
    print(title(f"{options.on}: {len(z)} rows to train on, {len(z_test)} to judge by"))
    columns = [("method", ""), ("rows", "d"), *((name, ".4f") for name in (*SHOWN, "pit_ks"))]
    table = Table([*columns, ("s a fit", ".1f")], {"method": 28})
    print(table.head())
    kept = options.json is not None and options.json.exists()
    records = json.loads(options.json.read_text()) if kept else []
    have = {(r["on"], r["method"], r["rows"]): r for r in records}
    for size in options.sizes or [len(z)]:
        size = min(size, len(z))
        for method in options.methods:
            if not available(method) or size > MOST_ROWS.get(method, size):
                continue
            record = have.get((options.on, method, size))
            if record is None:
                record = run(method, X[:size], z[:size], X_test, z_test)
                records.append({"on": options.on, "method": method, **record})
            figures = [record.get(key) for key in (*SHOWN, "pit_ks")]
            print(table.line([method, record["rows"], *figures, record["cpu"]]), flush=True)
            if options.json is not None:
                options.json.write_text(json.dumps(records))
    for method in options.methods:
        if not available(method):
            print(f"left out, not here: {method}")
            continue
        if method in MOST_ROWS:
            print(f"left out beyond {MOST_ROWS[method]} rows: {method}")
        if options.million and method.startswith("fastmlp"):
            made, whole = million(method, X, z)
            print(f"a million rows, {method}: predict_dist {made:.2f} s, with means {whole:.2f} s")
    if options.plots is not None:
        options.plots.mkdir(parents=True, exist_ok=True)
        here = [r for r in records if r["on"] == options.on]
        draw(options.plots / f"photoz_{options.on}.png", here)
    return 0


if __name__ == "__main__":
    sys.exit(main())
