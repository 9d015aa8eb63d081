"""Predictive distributions of rows: what a model says about targets that it has not seen.

>>> from fastmlp.distributions import Normal
>>> dist = Normal(loc=[0.0, 1.0], scale=[1.0, 2.0])
>>> dist.mean(), dist.crps([0.0, 0.0]).round(3)
(array([0., 1.]), array([0.234, 0.663]))
"""

from fastmlp.distributions._averaged import Averaged, average
from fastmlp.distributions._base import Distribution
from fastmlp.distributions._check import check_family
from fastmlp.distributions._classes import Bernoulli, Categorical
from fastmlp.distributions._counts import NegativeBinomial, Poisson
from fastmlp.distributions._families import resolve_family
from fastmlp.distributions._mixture import NormalMixture
from fastmlp.distributions._piecewise import Histogram, Quantiles
from fastmlp.distributions._positive import Beta, Gamma, LogNormal
from fastmlp.distributions._real import Laplace, Normal, StudentT

__all__ = [
    "Averaged",
    "Bernoulli",
    "Beta",
    "Categorical",
    "Distribution",
    "Gamma",
    "Histogram",
    "Laplace",
    "LogNormal",
    "NegativeBinomial",
    "Normal",
    "NormalMixture",
    "Poisson",
    "Quantiles",
    "StudentT",
    "average",
    "check_family",
    "resolve_family",
]
