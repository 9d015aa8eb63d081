"""RAIL's face of fastmlp: a network whose output is a distribution of the redshift.

Inputs are those of SklNeurNet: the reference magnitude, the colours, and what was not detected.
p(z) is cut at zmin and zmax and given in nzbins bins.
"""

import numpy as np
import qp
from ceci.config import StageParameter as Param
from rail.core.common_params import SHARED_PARAMS
from rail.estimation.estimator import CatEstimator, CatInformer

BANDS = ("bands", "ref_band", "nondetect_val", "mag_limits")


def features(table, config):
    """Rows (n, 2 n_bands): the reference magnitude, colours, which bands are missing."""
    magnitudes, missing = [], []
    for band in config.bands:
        magnitude = np.asarray(table[band], dtype=np.float64)
        absent = ~np.isfinite(magnitude) | np.isclose(magnitude, config.nondetect_val)
        magnitudes.append(np.where(absent, config.mag_limits[band], magnitude))
        missing.append(absent)
    reference = magnitudes[list(config.bands).index(config.ref_band)]
    colours = -np.diff(magnitudes, axis=0)
    return np.vstack([reference, colours, missing]).T


class FastMLPInformer(CatInformer):
    """Train it."""

    name = "FastMLPInformer"
    entrypoint_function = "inform"
    config_options = CatInformer.config_options.copy()
    config_options.update(
        **dict.fromkeys(("redshift_col", "hdf5_groupname", *BANDS), SHARED_PARAMS),
        distribution=Param(str, "student_t", msg="family of p(z), as fastmlp names it"),
        hidden_layer_sizes=Param(list, [32, 32], msg="units of the hidden layers"),
        max_iter=Param(int, 200, msg="epochs, at most; validation data stop training before"),
        seed=Param(int, 0, msg="of the initial weights"),
    )

    def run(self):
        """Fit the network to the training table; the model is an estimator, pickled."""
        from fastmlp import MLPDistributionRegressor

        table, config = self.get_data("input"), self.config
        if config.hdf5_groupname:
            table = table[config.hdf5_groupname]
        self.model = MLPDistributionRegressor(
            distribution=config.distribution,
            hidden_layer_sizes=tuple(config.hidden_layer_sizes),
            standardize=True,
            early_stopping=True,
            max_iter=config.max_iter,
            random_state=config.seed,
        ).fit(features(table, config), np.asarray(table[config.redshift_col]))
        self.add_data("model", self.model)


class FastMLPEstimator(CatEstimator):
    """Use it, chunk by chunk."""

    name = "FastMLPEstimator"
    entrypoint_function = "estimate"
    config_options = CatEstimator.config_options.copy()
    config_options.update(**dict.fromkeys(BANDS, SHARED_PARAMS))

    def _process_chunk(self, start, end, data, first):
        config = self.config
        edges = np.linspace(config.zmin, config.zmax, config.nzbins + 1)
        dist = self.model.predict_dist(features(data, config))
        shares = np.maximum(np.diff(dist[:, None].cdf(edges)), 1e-300)  # never all zero
        shares /= shares.sum(axis=1, keepdims=True)
        ensemble = qp.Ensemble(qp.hist, data={"bins": edges, "pdfs": shares / np.diff(edges)})
        best = shares.argmax(axis=1)
        ensemble.set_ancil({"zmode": (edges[best] + edges[best + 1])[:, None] / 2})
        self._do_chunk_output(ensemble, start, end, first, data=data)
