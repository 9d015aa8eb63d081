"""What every posterior answers, whatever it is made by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np

from fastmlp._numbers import check_integer, check_random_state
from fastmlp.solvers._base import Parameters, Result

# ``train(objective, theta, random_state)`` minimises an objective from theta on.
Train = Callable[[Any, np.ndarray, Any], Result]


class RawMixture(NamedTuple):
    """What a posterior says of a network's raw outputs: for each row a mixture of k Normals.

    Attributes
    ----------
    weights : ndarray of shape (k,)
        Of the components; they sum to 1.
    mean : ndarray of shape (k, n, n_raw)
        Their means.
    cov : ndarray of shape (k, n, n_raw, n_raw) or None
        Their covariances between the raw outputs of a row; None: they are points.
    noise : ndarray of shape (k,)
        Standard deviation of the noise on top, where the loss leaves it open (squared error); else
        1.
    """

    weights: np.ndarray
    mean: np.ndarray
    cov: np.ndarray | None
    noise: np.ndarray


class Posterior(Parameters, ABC):
    """A distribution over theta, the parameters of a network.

    A subclass stores the arguments of its ``__init__``, hyper-parameters, verbatim; its ``fit``
    sets the attributes below; its ``draw`` draws. With an objective F, a mean over data of weight W
    and a penalty, ``exp(-W / noise^2 F(theta))`` is the density that it stands for: likelihood
    times prior.

    Attributes
    ----------
    network : Network
        Whose parameters these are.
    theta : ndarray of shape (n_params,)
        A point of it that stands for all: the mode or the mean.
    noise : float
        Standard deviation of the noise, where the loss leaves it open (squared error); else 1.
    log_marginal_likelihood : float or None
        Of the data, parameters integrated out, where there is an estimate of it.
    """

    network: Any
    theta: np.ndarray
    noise: float = 1.0
    log_marginal_likelihood: float | None = None

    @abstractmethod
    def fit(
        self,
        objective: Any,
        theta: np.ndarray,
        *,
        train: Train | None = None,
        random_state: Any = None,
        n_threads: int | None = None,
    ) -> Self:
        """Find the posterior of the parameters of an objective.

        Parameters
        ----------
        objective : NetworkObjective
            Data, loss and penalty; see :meth:`fastmlp.Network.objective`. Nothing of its data is
            kept.
        theta : ndarray of shape (n_params,)
            Where to start; without ``train`` the trained parameters.
        train : callable, optional
            ``train(objective, theta, random_state) -> Result``: minimises an objective from theta.
        random_state : None, int, RandomState or Generator, default=None
            Of all that is drawn.
        n_threads : int, optional
            Threads, at most; None: the cores of this process.

        Returns
        -------
        self
        """

    def grouping(self, objective: Any) -> str:
        """What shares a strength of the prior where training finds it: "single", "layer", "ard"."""
        return "single"

    @abstractmethod
    def draw(self, n: int, random_state: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Draws of theta and of the noise, which belong together.

        Parameters
        ----------
        n : int
            At least 1.
        random_state : None, int, RandomState or Generator, default=None
            Of the draws.

        Returns
        -------
        thetas : ndarray of shape (n, n_params)
        noise : ndarray of shape (n,)

        Raises
        ------
        ValueError
            n is less than 1.
        TypeError
            An argument is of another kind.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> from fastmlp.posteriors import Laplace
        >>> net = Network([1, 1])
        >>> objective = net.objective(np.arange(4.0)[:, None], np.array([0.0, 1.1, 1.9, 3.0]))
        >>> posterior = Laplace().fit(objective, np.array([1.0, 0.0]))
        >>> thetas, noise = posterior.draw(3, random_state=0)
        >>> thetas.shape, noise.shape
        ((3, 2), (3,))
        """

    def sample(self, n: int, random_state: Any = None) -> np.ndarray:
        """Draws of theta.

        Parameters
        ----------
        n : int
            At least 1.
        random_state : None, int, RandomState or Generator, default=None
            Of the draws.

        Returns
        -------
        ndarray of shape (n, n_params)

        Raises
        ------
        ValueError
            n is less than 1.
        TypeError
            An argument is of another kind.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> from fastmlp.posteriors import Laplace
        >>> net = Network([1, 1])
        >>> objective = net.objective(np.arange(4.0)[:, None], np.array([0.0, 1.1, 1.9, 3.0]))
        >>> posterior = Laplace().fit(objective, np.array([1.0, 0.0]))
        >>> posterior.sample(3, random_state=0).shape
        (3, 2)
        """
        n, rng = check_integer("n", n), check_random_state(random_state)
        return self.draw(n, rng)[0]

    def functions(self, X: Any, n: int, random_state: Any = None) -> np.ndarray:
        """Raw outputs of n networks that are drawn.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            In the units of the network.
        n : int
            At least 1.
        random_state : None, int, RandomState or Generator, default=None
            Of the draws.

        Returns
        -------
        ndarray of shape (n, n_samples, n_raw)

        Raises
        ------
        ValueError
            n is less than 1; X is not as the network takes it.
        TypeError
            An argument is of another kind.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> from fastmlp.posteriors import Laplace
        >>> net = Network([1, 1])
        >>> objective = net.objective(np.arange(4.0)[:, None], np.array([0.0, 1.1, 1.9, 3.0]))
        >>> posterior = Laplace().fit(objective, np.array([1.0, 0.0]))
        >>> posterior.functions([[0.5], [1.5]], 3, random_state=0).shape
        (3, 2, 1)
        """
        thetas = self.sample(n, random_state)
        return np.stack([self.network.raw(theta, X) for theta in thetas])

    def raws(self, X: Any, n: int, random_state: Any = None) -> RawMixture:
        """What it says of raw outputs at X: by n draws where there is nothing better.

        What a row gets depends on that row alone, and on ``random_state``.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            In the units of the network.
        n : int
            At least 1.
        random_state : None, int, RandomState or Generator, default=None
            Of the draws.

        Returns
        -------
        RawMixture

        Raises
        ------
        ValueError
            n is less than 1; X is not as the network takes it.
        TypeError
            An argument is of another kind.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> from fastmlp.posteriors import Laplace
        >>> net = Network([1, 1])
        >>> objective = net.objective(np.arange(4.0)[:, None], np.array([0.0, 1.1, 1.9, 3.0]))
        >>> posterior = Laplace().fit(objective, np.array([1.0, 0.0]))
        >>> posterior.raws([[0.5], [1.5]], 1).mean.shape
        (1, 2, 1)
        """
        n, rng = check_integer("n", n), check_random_state(random_state)
        thetas, noise = self.draw(n, rng)
        mean = np.stack([self.network.raw(theta, X) for theta in thetas]).astype(np.float64)
        return RawMixture(np.full(n, 1 / n), mean, None, noise)
