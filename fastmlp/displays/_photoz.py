"""Photometric against spectroscopic redshifts."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp import metrics
from fastmlp.displays._base import ORANGE, Display, note, plain_log, tones
from fastmlp.distributions import Distribution
from fastmlp.metrics._photoz import outlier_limit


class PhotozDisplay(Display):
    """Estimated against spectroscopic redshifts, as a density of rows, with their statistics.

    The dashed lines bound the catastrophic outliers, ``|z_pred - z_true| = limit (1 + z_true)``,
    limit = max(0.06, 3 sigma_IQR).

    Parameters
    ----------
    z_true : ndarray of shape (n,)
        Spectroscopic redshifts.
    estimate : ndarray of shape (n,) or Distribution
        Point estimates, or distributions, whose medians are drawn.

    Attributes
    ----------
    report : dict
        What ``fastmlp.metrics.photoz_report`` says.
    ax_, figure_ : matplotlib Axes and Figure
        What was drawn into.
    image_ : matplotlib QuadMesh
        The density of rows.

    Examples
    --------
    >>> from fastmlp.displays import PhotozDisplay
    >>> display = PhotozDisplay([0.1, 0.5, 1.0], [0.1, 0.6, 1.0])
    >>> display.report["n"]
    3
    """

    def __init__(self, z_true: Any, estimate: Any) -> None:
        self.report = metrics.photoz_report(z_true, estimate)
        self.z_true = np.asarray(z_true, dtype=np.float64).ravel()
        point = estimate.median() if isinstance(estimate, Distribution) else estimate
        self.z_pred = np.asarray(point, dtype=np.float64).ravel()

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, n_bins: int = 100, ax: Any = None
    ) -> PhotozDisplay:
        """Draw it for an estimator.

        Parameters
        ----------
        estimator : object
            Fitted, with ``predict_dist(X)`` or ``predict(X)``.
        X, y : array-like
            Rows that it was not fitted to, and their redshifts.
        n_bins : int, default=100
            Cells of the density along each axis.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        PhotozDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            Shapes differ or a redshift is not finite.

        Examples
        --------
        >>> from fastmlp.displays import PhotozDisplay
        >>> PhotozDisplay.from_estimator(model, X_test, z_test)  # doctest: +SKIP
        """
        estimate = getattr(estimator, "predict_dist", estimator.predict)(X)
        return cls.from_predictions(y, estimate, n_bins=n_bins, ax=ax)

    @classmethod
    def from_predictions(
        cls, z_true: Any, estimate: Any, *, n_bins: int = 100, ax: Any = None
    ) -> PhotozDisplay:
        """Draw it for estimates.

        Parameters
        ----------
        z_true : array-like of shape (n,)
            Spectroscopic redshifts.
        estimate : array-like of shape (n,) or Distribution
            Point estimates, or distributions, whose medians are drawn.
        n_bins : int, default=100
            Cells of the density along each axis.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        PhotozDisplay
            With ``ax_`` and ``figure_``.

        Raises
        ------
        ValueError
            Shapes differ or a redshift is not finite.

        Examples
        --------
        >>> from fastmlp.displays import PhotozDisplay
        >>> display = PhotozDisplay.from_predictions([0.1, 0.5, 1.0], [0.1, 0.6, 1.0])
        >>> display.ax_.get_xlabel()
        'spectroscopic redshift'
        """
        return cls(z_true, estimate).plot(n_bins=n_bins, ax=ax)

    def plot(self, *, n_bins: int = 100, ax: Any = None) -> PhotozDisplay:
        """Draw into new axes, or into some.

        Parameters
        ----------
        n_bins : int, default=100
            Cells of the density along each axis.
        ax : matplotlib Axes, optional
            What to draw into.

        Returns
        -------
        PhotozDisplay
            Itself.

        Raises
        ------
        ImportError
            matplotlib is not installed.

        Examples
        --------
        >>> from fastmlp.displays import PhotozDisplay
        >>> PhotozDisplay([0.1, 0.5, 1.0], [0.1, 0.6, 1.0]).plot().figure_ is not None
        True
        """
        ax = self._axes(ax)
        from matplotlib.colors import LogNorm

        # A few rows of absurd estimates must not shrink the rest into a corner.
        low = min(self.z_true.min(), max(np.quantile(self.z_pred, 0.001), -0.2))
        high = max(self.z_true.max(), np.quantile(self.z_pred, 0.999))
        high = max(high, low + 1e-6)
        edges = np.linspace(low, high, n_bins + 1)
        shown = np.clip(self.z_pred, low, high)
        counts, *_ = np.histogram2d(self.z_true, shown, bins=(edges, edges))
        counts = np.where(counts > 0, counts, np.nan).T
        norm = LogNorm(vmin=0.7, vmax=max(np.nanmax(counts), 2))
        self.image_ = ax.pcolormesh(edges, edges, counts, norm=norm, cmap="viridis", lw=0)
        ax.plot(edges, edges, color=ORANGE, lw=1.2)
        limit = outlier_limit(self.report["sigma_iqr"]) * (1 + edges)
        for side in (-1, 1):
            ax.plot(edges, edges + side * limit, color=tones(ax)[0], lw=1, ls="--")
        ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        ax.set(xlabel="spectroscopic redshift", ylabel="photometric redshift")
        bar = self.figure_.colorbar(self.image_, ax=ax, label="rows", shrink=0.85)
        plain_log(bar.ax.yaxis)
        report = self.report
        lines = [
            f"{report['n']} rows",
            f"bias {report['bias']:+.4f}",
            rf"$\sigma_{{MAD}}$ {report['sigma_mad']:.4f}",
            f"outliers {report['outlier_rate']:.2%}",
        ]
        if "crps" in report:
            lines += [f"CRPS {report['crps']:.4f}", f"CDE loss {report['cde_loss']:.2f}"]
        note(ax, "\n".join(lines))
        return self
