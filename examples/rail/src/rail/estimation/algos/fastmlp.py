"""RAIL's face of fastmlp: a network whose output is a mixture of Normals in redshift.

Inputs are those of SklNeurNet: the reference magnitude, the colours, and what was not detected.
p(z) is cut at zmin and zmax and given on a grid of nzbins points.
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
        components=Param(int, 5, msg="Normals in the mixture"),
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
            distribution=("mixture", {"components": config.components}),
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
        grid = np.linspace(config.zmin, config.zmax, config.nzbins)
        density = self.model.predict_dist(features(data, config))[:, None].pdf(grid)
        density = np.maximum(density, 1e-300)  # a row all of whose redshifts are outside
        ensemble = qp.Ensemble(qp.interp, data={"xvals": grid, "yvals": density})
        ensemble.set_ancil({"zmode": grid[density.argmax(axis=1)][:, None]})
        self._do_chunk_output(ensemble, start, end, first, data=data)
