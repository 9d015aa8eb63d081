"""Hamiltonian Monte Carlo: draws from the posterior itself, for small networks."""

from __future__ import annotations

import time
import warnings
from typing import Any, Self

import numpy as np

from fastmlp._memory import GIB, available_memory
from fastmlp._names import check_choice
from fastmlp._numbers import check_integer, check_positive, check_random_state, check_real
from fastmlp.posteriors._base import Posterior
from fastmlp.posteriors._density import Density, check_fixed_noise
from fastmlp.posteriors._diagnostics import ess_bulk, ess_tail, r_hat
from fastmlp.posteriors._nuts import Sampler, Stopped
from fastmlp.posteriors._parallel import Flag, generators, n_workers, new_start, side_by_side

GROUPS = ("single", "layer", "ard")
# Chains have mixed where no R-hat is larger.
MIXED = 1.05
# What of: strengths and densities of a group that data say little about creep, predictions do not.
JUDGED = ("loss", "noise", "outputs")
# Fewer draws of a chain say nothing about mixing.
LEAST_DRAWS = 4
# More trajectories than this share must not diverge.
MOST_DIVERGED = 0.02
# Training rows whose outputs are looked at.
LOOKED_AT = 32
# Of max_time, for the starts and the warm-up.
WARM = 0.5


class MCMC(Posterior):
    """Draws from the posterior by the No-U-Turn sampler [1]_ [2]_, in parallel chains.

    Noise and strengths of the prior are drawn with the parameters, unless they are given: what is
    predicted is averaged over all that is unknown. One chain is done by one thread, whatever their
    number: the same ``random_state`` gives the same draws.

    Units of a layer may change places without any change of the function, and do so between
    chains: whether these have mixed is judged by the loss, the noise and the outputs at some of the
    training rows, by rank-normalised split R-hat [3]_.

    Parameters
    ----------
    n_chains : int, default=4
        At least 1; a few tell whether they agree.
    n_warmup : int, default=500
        Draws of each chain by which step size and metric are learned, and which are thrown away.
    n_draws : int, default=500
        Draws of each chain that are kept, ``8 n_chains n_draws n_params`` bytes in all.
    groups : {"single", "layer", "ard"} or None, default="single"
        The strengths that are drawn: one; one for each segment of theta; or besides one for each
        feature. See :func:`fastmlp.penalties.prior`. None: those of the objective's penalty.
    fixed_noise : float or None, default=None
        Standard deviation of the noise where the loss leaves it open; None: drawn.
    target_accept : float, default=0.95
        Mean acceptance probability, in (0, 1). Larger: shorter steps, fewer divergences.
    max_depth : int, default=8
        A trajectory has up to ``2**max_depth - 1`` steps.
    max_time : float or None, default=None
        Seconds, at most half of them for the warm-up; each chain ends with the draws it has.

    Attributes
    ----------
    draws : ndarray of shape (n_chains, n_draws, n_params)
        Of theta.
    noise_draws : ndarray of shape (n_chains, n_draws)
        Of the noise.
    strength_draws : ndarray of shape (n_chains, n_draws, n_groups)
        Of the precisions of the prior, in groups; n_groups is 0 where these are given.
    diagnostics : dict of str to dict
        Of "loss", "log_density", "noise", "strengths" and "outputs" (of some training
        rows): "r_hat", "ess_bulk" and "ess_tail", the worst of them where they are many.
    r_hat : float
        The largest of "loss", "noise" and "outputs"; NaN with less than four draws.
    n_divergences : int
        Draws whose trajectory left the surface of its energy: there the steps are too long for
        the density, and draws may miss a corner of it.
    n_steps : int
        Evaluations of the gradient after the warm-up.
    step_sizes : ndarray of shape (n_chains,)
    theta : ndarray of shape (n_params,)
        The draw of the highest density.
    noise : float
        Root of the mean square of its draws.

    References
    ----------
    .. [1] Hoffman, M. D. and Gelman, A. (2014), The No-U-Turn Sampler, JMLR 15.
    .. [2] Betancourt, M. (2017), A conceptual introduction to Hamiltonian Monte Carlo,
       arXiv:1701.02434.
    .. [3] Vehtari, A. et al. (2021), Rank-normalization, folding, and localization: an improved
       R-hat for assessing convergence of MCMC, Bayesian Analysis 16.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.posteriors import MCMC
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 1))
    >>> y = 2 * X[:, 0] + rng.normal(scale=0.5, size=50)
    >>> net = Network([1, 1])
    >>> posterior = MCMC(n_chains=2, n_warmup=100, n_draws=100).fit(
    ...     net.objective(X, y), net.init(random_state=0), random_state=0
    ... )
    >>> bool(abs(posterior.draws[..., 0].mean() - 2) < 0.3), posterior.r_hat < 1.05
    (True, True)
    """

    def __init__(
        self,
        n_chains: int = 4,
        n_warmup: int = 500,
        n_draws: int = 500,
        groups: str | None = "single",
        fixed_noise: float | None = None,
        target_accept: float = 0.95,
        max_depth: int = 8,
        max_time: float | None = None,
    ):
        self.n_chains = n_chains
        self.n_warmup = n_warmup
        self.n_draws = n_draws
        self.groups = groups
        self.fixed_noise = fixed_noise
        self.target_accept = target_accept
        self.max_depth = max_depth
        self.max_time = max_time

    def fit(
        self,
        objective: Any,
        theta: np.ndarray,
        *,
        train: Any = None,
        random_state: Any = None,
        n_threads: int | None = None,
    ) -> Self:
        """Draw from the posterior of the parameters of an objective.

        Parameters
        ----------
        objective, theta, train, random_state, n_threads
            As of :meth:`Posterior.fit`. With ``train`` each chain but the first starts from a
            network that is drawn and trained anew; without, at random around ``theta``.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            A parameter of the wrong kind or out of range; a penalty that leaves hidden biases
            free, where it is the prior.
        MemoryError
            The draws would not fit.
        KeyboardInterrupt
            Ctrl-C before there were a few draws; later what there is is kept.

        Warns
        -----
        RuntimeWarning
            Chains that did not mix, with R-hat; more than 2 % of the trajectories diverged;
            Ctrl-C or the time ended it early.
        """
        self._check(objective)
        wide = objective.twin(wide=True)
        sources = generators(random_state, self.n_chains)
        workers = n_workers(n_threads, self.n_chains)
        stopped = Flag()
        chains: dict[int, Sampler] = {}
        rounds = -(-self.n_chains // workers)
        seconds = np.inf if self.max_time is None else self.max_time / rounds

        def one(k):
            begin, rng = time.perf_counter(), sources[k]

            def over(share):
                return lambda: time.perf_counter() - begin > share * seconds

            own = wide.twin()
            own.n_threads = 1
            density = Density(own, self.fixed_noise, self.groups, stopped.flag)
            start = self._start(density, theta, train, k, rng)
            chain = Sampler(density, start, rng, self.target_accept, self.max_depth)
            chains[k] = chain
            try:
                chain.warm_up(self.n_warmup, over(WARM))
                chain.run(self.n_draws, over(1.0))
            except Stopped:
                pass

        try:
            side_by_side(one, self.n_chains, workers, stopped)
        except KeyboardInterrupt:
            if not any(len(chain.draws) >= LEAST_DRAWS for chain in chains.values()):
                raise
        self._keep(wide, objective.network, [chains[k] for k in sorted(chains)])
        return self

    def _check(self, objective):
        check_integer("n_chains", self.n_chains)
        check_integer("n_warmup", self.n_warmup, 0)
        check_integer("n_draws", self.n_draws)
        check_integer("max_depth", self.max_depth, 1, 20)
        check_real("target_accept", self.target_accept, "in (0, 1)", lambda a: 0 < a < 1)
        if self.max_time is not None:
            check_positive("max_time", self.max_time)
        check_choice("groups", self.groups, (None, *GROUPS))
        check_fixed_noise(objective, self.fixed_noise)
        size = 8.0 * self.n_chains * self.n_draws * (objective.n_params + 4)
        if 2 * size > available_memory():
            raise MemoryError(
                f"{self.n_chains} chains of {self.n_draws} draws of {objective.n_params} "
                f"parameters take {size / GIB:.3g} GiB, twice while they are collected; "
                f"{available_memory() / GIB:.3g} GiB are available. Keep fewer draws, or use "
                "posterior 'laplace' with the last layer, 'variational' or 'ensemble'."
            )

    def _start(self, density, theta, train, k, rng):
        """Where chain k begins."""
        objective = density.objective
        theta = np.array(theta, dtype=np.float64)
        if train is not None:
            if k > 0:
                theta = new_start(objective, rng)
            theta = np.array(train(objective.twin(), theta, rng).theta, dtype=np.float64)
        density.begin(theta)
        if train is None and k > 0:  # over-dispersed, as R-hat asks
            theta += np.sqrt(density.metric) * rng.standard_normal(theta.size)
        return theta

    def _keep(self, objective, network, chains):
        """The draws of the chains that have any, and what they say of mixing."""
        least = min(LEAST_DRAWS, max(len(chain.draws) for chain in chains))
        chains = [chain for chain in chains if len(chain.draws) >= least]
        n = min(len(chain.draws) for chain in chains)
        draws = [chain.draws[-n:] for chain in chains]

        def of(name):
            return np.array([[getattr(draw, name) for draw in drawn] for drawn in draws])

        density = Density(objective, self.fixed_noise, self.groups)
        self.network, self.draws = network, of("q")
        self.noise_draws, self.strength_draws = density.apart(of("others"))
        self.noise = float(np.sqrt(np.mean(self.noise_draws**2)))
        energy = density.full_energy(of("energy"), self.noise_draws, self.strength_draws)
        self.theta = self.draws.reshape(-1, objective.n_params)[np.argmin(energy)].copy()
        self.n_divergences, self.n_steps = int(of("diverged").sum()), int(of("n_steps").sum())
        self.step_sizes = np.array([chain.step_size for chain in chains])
        self.diagnostics, self.r_hat = {}, np.nan
        if n >= LEAST_DRAWS:
            self._diagnose(objective, energy, density)
        self._warn(len(chains), n)

    def _diagnose(self, objective, energy, density):
        n_rows = objective.n_samples
        rows = np.unique(np.linspace(0, n_rows - 1, min(LOOKED_AT, n_rows)).astype(int))
        term, few = objective.term, objective.term.subset(rows)
        thetas = self.draws.reshape(-1, objective.n_params)
        shape = (*energy.shape, -1)
        # What a softmax says, rather than raw outputs that may all move together.
        look = few.predict if few.network.n_raw == few.network.n_targets else few.raw
        looks = {
            "loss": np.array([term.sums("value", theta)[0] for theta in thetas]).reshape(shape),
            "log_density": -energy[..., None],
            "outputs": np.array([look(theta).ravel() for theta in thetas]).reshape(shape),
        }
        if density.draws_noise:
            looks["noise"] = self.noise_draws[..., None]
        if density.draws_strengths:
            looks["strengths"] = self.strength_draws
        for name, look in looks.items():
            columns = np.moveaxis(look, -1, 0)
            self.diagnostics[name] = {
                "r_hat": float(max(map(r_hat, columns))),
                "ess_bulk": float(min(map(ess_bulk, columns))),
                "ess_tail": float(min(map(ess_tail, columns))),
            }
        judged = [self.diagnostics[name]["r_hat"] for name in JUDGED if name in self.diagnostics]
        self.r_hat = max(judged)

    def _warn(self, n_chains, n_draws):
        if n_chains < self.n_chains or n_draws < self.n_draws:
            warnings.warn(
                f"Ended early: {n_chains} of {self.n_chains} chains with {n_draws} of "
                f"{self.n_draws} draws are kept.",
                RuntimeWarning,
                stacklevel=4,
            )
        if not self.r_hat <= MIXED:
            says = f"R-hat is {self.r_hat:.3g}" if self.diagnostics else "there is no R-hat"
            warnings.warn(
                f"The chains did not mix: {says}, where at most {MIXED} is wanted. Draw "
                "more (n_warmup, n_draws), or use a smaller network: its predictions depend on "
                "where the chains began.",
                RuntimeWarning,
                stacklevel=4,
            )
        if self.n_divergences > MOST_DIVERGED * n_chains * n_draws:
            warnings.warn(
                f"{self.n_divergences} of {n_chains * n_draws} trajectories diverged: draws may "
                f"miss a corner of the posterior. Raise target_accept above {self.target_accept}.",
                RuntimeWarning,
                stacklevel=4,
            )

    def draw(self, n: int, random_state: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Of the draws n, no one twice before all have been taken; theta and noise."""
        rng = check_random_state(random_state)
        thetas = self.draws.reshape(-1, self.draws.shape[-1])
        whole, rest = divmod(n, len(thetas))
        chosen = [np.arange(len(thetas))] * whole + [rng.permutation(len(thetas))[:rest]]
        at = np.concatenate(chosen)
        return thetas[at], self.noise_draws.reshape(-1)[at]
