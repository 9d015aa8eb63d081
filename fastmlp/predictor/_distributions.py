"""Predictive distributions of a trained network, packed."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.data import check_scales
from fastmlp.distributions import Distribution
from fastmlp.distributions._family import LEAST_SCALE
from fastmlp.predictor._predictor import Predictor


class DistributionPredictor:
    """Predict distributions at the lowest latency; ``MLPDistributionRegressor.compile`` makes one.

    It is small, never changes, pickles, and may be shared by threads.

    Parameters
    ----------
    network : Network
        Whose predictions are the raw outputs.
    theta : ndarray of shape (n_params,)
        The parameters; copied.
    family : Family
        What makes distributions of raw outputs: ``fastmlp.distributions.resolve_family``.
    n_targets : int
        Columns of y.
    names, x_scales
        As for :class:`Predictor`.
    y_scales : tuple (mean, scale) of float64 vectors, optional
        The distributions are shifted and scaled by them, for each target.

    Raises
    ------
    ValueError
        The arguments do not go together.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.distributions import resolve_family
    >>> from fastmlp.predictor import DistributionPredictor
    >>> net = Network([2, 2])
    >>> theta = net.pack([[[1.0, 0.0], [2.0, 0.0]]], [[0.0, np.log(0.5)]])
    >>> predictor = DistributionPredictor(net, theta, resolve_family("normal"), n_targets=1)
    >>> predictor.predict(np.ones((1, 2)), return_std=True)
    (array([3.]), array([0.5]))
    """

    __slots__ = ("_arguments", "_family", "_moments", "_n_targets", "_raw", "_y_scales")

    def __init__(self, network, theta, family, n_targets, names=None, x_scales=None, y_scales=None):
        self._raw = Predictor(network, theta, names=names, loss=family.name, x_scales=x_scales)
        n_raw = family.raws_per_target * family.n_outputs(n_targets)
        if network.n_targets != n_raw:
            raise ValueError(
                f"The network has {network.n_targets} outputs; {n_targets} targets of distribution "
                f"{family.name!r} have {n_raw}."
            )
        self._arguments = (network, self._raw._packed.theta, family, n_targets, names, x_scales)
        self._family, self._n_targets = family, n_targets
        self._y_scales = check_scales(y_scales, n_targets)
        self._moments = None
        if family.std_factor is not None:
            ones = np.ones(n_targets)
            mean, scale = self._y_scales or (0 * ones, ones)
            shift = np.log(family.std_factor * scale)
            self._moments = Predictor(
                network,
                theta,
                names=names,
                x_scales=x_scales,
                y_scales=(np.r_[mean, shift], np.r_[scale, ones]),
                logs=np.log(LEAST_SCALE) + shift,
            )

    def __getstate__(self):
        return (*self._arguments, self._y_scales)

    def __setstate__(self, state):
        try:
            DistributionPredictor.__init__(self, *state)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"This is not the state of a DistributionPredictor, or a damaged one: {error!r}."
            ) from error

    def __repr__(self) -> str:
        return f"Distribution{self._raw!r}"

    def predict(self, x: Any, return_std: bool = False) -> Any:
        """Predict the means, and the standard deviations in the same call.

        Parameters
        ----------
        x : array-like of shape (n_samples, n_features) or (n_features,)
            Rows, or a single row. Exact, contiguous ndarrays of the network's dtype take no
            conversion.
        return_std : bool, default=False
            Whether to return standard deviations, too.

        Returns
        -------
        ndarray or float, or a pair of them
            What the estimator's ``predict`` gives; for a single row without the first axis.

        Raises
        ------
        ValueError
            Wrong shape, type or column names, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> from fastmlp.distributions import resolve_family
        >>> from fastmlp.predictor import DistributionPredictor
        >>> net = Network([2, 1])
        >>> theta = net.pack([[[0.0], [0.0]]], [[np.log(4.0)]])
        >>> predictor = DistributionPredictor(net, theta, resolve_family("poisson"), n_targets=1)
        >>> predictor.predict(np.ones((1, 2)), return_std=True)
        (array([4.]), array([2.]))
        """
        if self._moments is None:
            dist = self.predict_dist(x)
            return (dist.mean(), dist.std()) if return_std else dist.mean()
        both = self._moments.outputs(x)
        n = self._n_targets
        if n == 1:
            mean, std = (both[0], both[1]) if both.ndim == 1 else (both[:, 0], both[:, 1])
        else:
            mean, std = both[..., :n], both[..., n:]
        return (mean, std) if return_std else mean

    __call__ = predict

    def predict_dist(self, x: Any) -> Distribution:
        """Predict the distributions.

        Parameters
        ----------
        x : array-like of shape (n_samples, n_features) or (n_features,)
            Rows, or a single row.

        Returns
        -------
        Distribution
            As the estimator's ``predict_dist``; for a single row without the first axis.

        Raises
        ------
        ValueError
            Wrong shape, type or column names, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> from fastmlp.distributions import resolve_family
        >>> from fastmlp.predictor import DistributionPredictor
        >>> net = Network([2, 1])
        >>> theta = net.pack([[[0.0], [0.0]]], [[np.log(4.0)]])
        >>> predictor = DistributionPredictor(net, theta, resolve_family("poisson"), n_targets=1)
        >>> round(predictor.predict_dist(np.ones(2)).mean(), 6)
        4.0
        """
        raw = self._raw.outputs(x)
        dist = self._family.distribution(np.atleast_2d(raw), self._n_targets, self._y_scales)
        return dist[0] if raw.ndim == 1 else dist
