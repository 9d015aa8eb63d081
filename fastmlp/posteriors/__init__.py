"""Distributions over the parameters of a network, given data: posteriors.

A posterior is fitted to an objective, whose penalty is the prior, and answers with draws of theta
and with what they say of the network's raw outputs. No scikit-learn here.
"""

from fastmlp.posteriors._base import Posterior, RawMixture
from fastmlp.posteriors.ensemble import Ensemble
from fastmlp.posteriors.laplace import Laplace
from fastmlp.posteriors.mcmc import MCMC
from fastmlp.posteriors.variational import Variational

# What ``posterior=`` of the Bayesian estimators names.
POSTERIORS: dict[str, type[Posterior]] = {
    "laplace": Laplace,
    "ensemble": Ensemble,
    "variational": Variational,
    "mcmc": MCMC,
}

__all__ = ["MCMC", "POSTERIORS", "Ensemble", "Laplace", "Posterior", "RawMixture", "Variational"]
