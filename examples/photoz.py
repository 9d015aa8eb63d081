"""Photometric redshifts with error bars: five magnitudes of a galaxy, and how far away it is.

The network gets r and four colours, and answers with a distribution of the redshift: a Student-t
whose centre and width depend on the galaxy. Real galaxies are SDSS's, as
``sdss_photoz/sdss_galaxy_colors.npy`` in the folder that --data or FASTMLP_DATA names (fields u, g,
r, i, z, redshift, spec_class). Otherwise they are simulated. Prints the statistics of the field
beside those of a plain network, and draws photoz.png into the folder --out where matplotlib is
installed.
"""

import argparse
import os
from pathlib import Path

import numpy as np

from fastmlp import MLPDistributionRegressor, MLPRegressor
from fastmlp.metrics import interval_coverage, photoz_report, pit, pit_tests


def simulated(n=6000):
    """Magnitudes of galaxies whose spectra have a break, which moves through the bands."""
    rng = np.random.default_rng(0)
    redshift = np.clip(rng.gamma(2.5, 0.08, n), 0.01, 0.7)
    kind = rng.uniform(0, 1, n)  # from young to old: the height of the break
    bands = np.array([355.0, 469.0, 617.0, 748.0, 893.0])  # nm
    rest = bands / (1 + redshift[:, None])
    fluxes = 1 / (1 + np.exp(-(rest - 400) / 25)) * (0.3 + 1.7 * kind[:, None])
    fluxes += 0.35 * (1.2 - kind[:, None]) * (400 / rest)
    bright = 16.5 + 5 * np.log10(redshift / 0.1)[:, None] + rng.normal(0, 0.7, (n, 1))
    magnitudes = bright - 2.5 * np.log10(fluxes)
    error = 0.015 + 0.05 * 10 ** (0.4 * (np.minimum(magnitudes, 22) - 21.5))
    return magnitudes + error * rng.standard_normal((n, 5)), redshift


def survey(path):
    """Magnitudes and redshifts of the galaxies of SDSS."""
    table = np.load(path)
    table = table[table["spec_class"] == b"GALAXY"]
    table = table[np.random.default_rng(0).permutation(len(table))]
    return np.stack([table[band].astype(float) for band in "ugriz"], axis=1), table["redshift"]


def draw(figure, z, dist, error):
    """Redshifts against redshifts, the calibration, and a few p(z)."""
    from fastmlp.displays import PhotozDisplay, PITDisplay

    plane, calibration, some = figure.subplots(1, 3, width_ratios=[1.15, 1, 1])
    PhotozDisplay.from_predictions(z, dist, ax=plane)
    PITDisplay.from_predictions(z, dist, ax=calibration)
    calibration.set_title("calibration: flat where p(z) is right")
    rows = np.argsort(error)[(np.linspace(0.02, 0.98, 6) * (len(z) - 1)).astype(int)]
    high = np.quantile(z, 0.999)
    grid = np.linspace(0, high, 600)
    for k, row in enumerate(sorted(rows, key=lambda row: z[row])):
        density = dist[row].pdf(grid)
        some.fill_between(
            grid, k, k + 0.85 * density / density.max(), color="#2a6fb0", alpha=0.45, lw=0
        )
        some.plot([z[row]] * 2, [k, k + 0.9], color="#d9722b", lw=2)
    some.set(
        title="p(z) of six galaxies, and the truth", xlabel="redshift", yticks=[], xlim=(0, high)
    )
    some.spines[["top", "right", "left"]].set_visible(False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    folder = os.environ.get("FASTMLP_DATA")
    parser.add_argument("--data", type=Path, default=folder, help="folder of data ($FASTMLP_DATA)")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture (here)")
    options = parser.parse_args()
    path = options.data and Path(options.data) / "sdss_photoz" / "sdss_galaxy_colors.npy"
    real = bool(path) and path.exists()
    magnitudes, z = survey(path) if real else simulated()
    print(f"{len(z)} {'galaxies of SDSS' if real else 'simulated galaxies'}\n")
    X = np.column_stack([magnitudes[:, 2], -np.diff(magnitudes, axis=1)])
    n_test = len(z) // 4
    X, z, X_test, z_test = X[n_test:], z[n_test:], X[:n_test], z[:n_test]

    settings = {
        "hidden_layer_sizes": (32, 32), "standardize": True, "early_stopping": True,
        "n_iter_no_change": 20, "max_iter": 300, "random_state": 0,
    }  # fmt: skip
    plain = MLPRegressor(**settings).fit(X, z)
    model = MLPDistributionRegressor("student_t", **settings).fit(X, z)
    dist = model.predict_dist(X_test)

    print(f"{'':28} {'bias':>8} {'sigma_MAD':>10} {'outliers':>9} {'CRPS':>8} {'CDE loss':>9}")
    for name, found in (("a number for each", plain.predict(X_test)), ("a distribution", dist)):
        report = photoz_report(z_test, found)
        more = "".join(f"{report[key]:9.4f}" for key in ("crps", "cde_loss") if key in report)
        print(
            f"{name:28} {report['bias']:8.4f} {report['sigma_mad']:10.4f} "
            f"{report['outlier_rate']:9.4f} {more}".rstrip()
        )
    held = interval_coverage(z_test, *dist.interval(0.9))
    error = dist.std()
    sure, unsure = (np.abs(dist.median() - z_test)[rows].mean() for rows in (
        error < np.median(error), error >= np.median(error)
    ))  # fmt: skip
    print(f"\n{'90 % intervals hold':28} {held:8.3f}")
    print(f"{'mean error of the surer half':28} {sure:8.4f}")
    print(f"{'of the other half':28} {unsure:8.4f}")
    print(f"{'PIT, Kolmogorov-Smirnov':28} {pit_tests(pit(z_test, dist))['ks'].statistic:8.4f}")

    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("\nNo picture without matplotlib: pip install matplotlib")
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        figure = Figure(figsize=(15, 4.6), layout="constrained")
        draw(figure, z_test, dist, error)
        figure.savefig(options.out / "photoz.png", dpi=110)
        print("\ndrawn: photoz.png")
