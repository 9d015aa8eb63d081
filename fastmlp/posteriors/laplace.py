"""Laplace's approximation: a Normal density around the mode, of the Gauss-Newton precision."""

from __future__ import annotations

from typing import Any, Self, get_args

import numpy as np

from fastmlp import _types
from fastmlp._names import check_choice
from fastmlp._numbers import check_integer, check_random_state
from fastmlp.posteriors._base import Posterior, RawMixture, Train
from fastmlp.posteriors._gaussian import DiagonalFactor, Factor, Gaussian
from fastmlp.posteriors._parallel import generators, n_workers, side_by_side
from fastmlp.posteriors._restricted import LEAST_NOISE, restricted, spread
from fastmlp.posteriors._structure import MOST_FULL, check_fits, curvature, last_layer
from fastmlp.segments import by_layer
from fastmlp.solvers import EvidenceState, LevenbergMarquardt, Result, minimize
from fastmlp.solvers._evidence import WEAK, Evidence
from fastmlp.solvers._laplace import DiagonalLaplace
from fastmlp.solvers._protocol import Adapted
from fastmlp.threads import blas_threads, worth_of_blas

STRUCTURES = get_args(_types.PosteriorStructure)
WEIGHTS = get_args(_types.PosteriorWeights)
STRENGTHS = get_args(_types.PosteriorStrengths)
# Of the strengths at a fixed theta: the change at which they have settled, and updates at most.
SETTLED, MOST_UPDATES = 1e-3, 50


class Laplace(Posterior):
    """Laplace's approximation: ``N(theta, P^-1)`` around trained parameters.

    P is the Gauss-Newton matrix of minus the log-likelihood plus the precisions of the prior, and
    outputs are taken as linear in theta, so that raw outputs are Normal in every row. The
    precisions of the prior, and for squared error the noise, are those of the largest marginal
    likelihood: as training by ``LevenbergMarquardt(evidence=...)`` left them, else found at the
    trained parameters by the same rule.

    Parameters
    ----------
    structure : {"auto", "full", "layer", "diagonal"}, default="auto"
        What of P is kept: all of it, a block for each layer, its diagonal. "auto" is "full" up to
        3000 parameters, then "diagonal".
    weights : {"auto", "all", "last"}, default="auto"
        The parameters that are uncertain: all, or those of the last layer, behind features that are
        fixed. "auto" is "all" up to 3000 parameters, then "last".
    strengths : {"single", "layer", "ard"}, optional
        What shares a precision of the prior: all parameters, each layer's weights or biases, or
        besides the weights of each input feature. The biases of the outputs have none. By default
        "layer" for squared error and likelihoods of a location and a scale; "single" for others.
    n_starts : int, optional
        Modes: trained from so many initial weights (with ``train``), each with its own
        approximation; all have equal shares. By default 5 up to 3000 parameters, then one; and one
        of a network without hidden layers, which has no other.

    Attributes
    ----------
    network, theta, noise, log_marginal_likelihood
        As of every :class:`Posterior`, of the mode with the highest marginal likelihood.
    modes : list of Gaussian
        One for each start.
    evidence : EvidenceState
        The precisions and the effective number of parameters, of the mode that theta is of.

    Notes
    -----
    Where a location and a scale are outputs (normal, student_t, laplace), scales of the largest
    likelihood are too small: residuals are what the fit has left. Of one scale for all rows it is
    (n - p) / n of the variance, p the parameters that are determined. The likelihood of the scales
    is therefore that with the location integrated out (restricted maximum likelihood, as an EM
    algorithm [1]_): targets y become the two targets y +- sd of half the weight, sd^2 the
    location's variance by the posterior; ``train`` starts with a large one, and goes on until it
    settles. Where half of the targets repeat, the variance of what rounding took off, gap^2 / 12 of
    the smallest gap [2]_, adds to it: scales of rows that are fitted exactly, as tied or capped
    targets are, end there. So it is by a ``train`` that estimates the evidence, where all weights
    are uncertain.

    References
    ----------
    .. [1] Dempster, Laird and Rubin, J. Royal Statistical Society B 39, 1 (1977); Patterson and
       Thompson, Biometrika 58, 545 (1971).
    .. [2] Sheppard, Proc. London Mathematical Society 29, 353 (1898).

    MacKay, Neural Computation 4, 415 (1992). Immer, Korzepa and Bauer, Improving predictions of
    Bayesian neural nets via local linearization, AISTATS (2021). Daxberger et al., Laplace redux,
    NeurIPS (2021).

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.posteriors import Laplace
    >>> from fastmlp.solvers import LevenbergMarquardt, minimize
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (60, 1))
    >>> net = Network([1, 8, 1], activation="tanh")
    >>> objective = net.objective(X, np.sin(3 * X) + rng.normal(0, 0.1, (60, 1)))
    >>> solver = LevenbergMarquardt(evidence="layer")
    >>> result = minimize(objective, net.init(random_state=0), solver=solver)
    >>> posterior = Laplace().fit(objective, result.theta, state=result.state)
    >>> mean, cov = posterior.moments([[0.0], [3.0]])
    >>> mean.shape, cov.shape, bool(cov[1, 0, 0] > 10 * cov[0, 0, 0])
    ((2, 1), (2, 1, 1), True)
    """

    modes: list[Gaussian]
    evidence: EvidenceState

    def __init__(
        self,
        structure: _types.PosteriorStructure = "auto",
        weights: _types.PosteriorWeights = "auto",
        strengths: _types.PosteriorStrengths | None = None,
        n_starts: int | None = None,
    ):
        self.structure = structure
        self.weights = weights
        self.strengths = strengths
        self.n_starts = n_starts

    def fit(
        self,
        objective: Any,
        theta: np.ndarray,
        *,
        train: Train | None = None,
        random_state: Any = None,
        n_threads: int | None = None,
        state: EvidenceState | None = None,
    ) -> Self:
        """Find the posterior of the parameters of an objective.

        Parameters
        ----------
        objective : NetworkObjective
            Data and loss; see :meth:`fastmlp.Network.objective`. Its penalty plays a part in
            ``train`` alone.
        theta : ndarray of shape (n_params,)
            Where to start; without ``train`` the trained parameters.
        train : callable, optional
            ``train(objective, theta, random_state) -> Result``: minimises an objective from theta.
        random_state : None, int, RandomState or Generator, default=None
            Of the initial weights of further starts.
        n_threads : int, optional
            Threads, at most; None: the cores of this process.
        state : EvidenceState, optional
            What the evidence said in training (``Result.state``), where there is no ``train``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter out of its range; the loss has no curvature.
        MemoryError
            The matrix does not fit; the text names its size and what takes less.

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
        check_choice("structure", self.structure, STRUCTURES)
        check_choice("weights", self.weights, WEIGHTS)
        check_choice("strengths", self.strengths, (None, *STRENGTHS))
        n_starts = 5 if objective.n_params <= MOST_FULL else 1
        if self.n_starts is not None:
            n_starts = check_integer("n_starts", self.n_starts)
        if self._weights(objective) == "all":
            check_fits(objective, self.structure)  # before training
        if len(by_layer(objective.segments)) == 1:
            n_starts = 1  # there is one mode
        if train is None:
            ends = [Result(np.asarray(theta), np.nan, 0, None, state=state)]
        else:
            if objective.network._loss.located and self._weights(objective) == "all":
                train = self._restricting(objective, train)
            ends = _trained(objective, theta, train, n_starts, random_state, n_threads)
        # n^3 / 3 for each of some factorisations and inverses
        most = worth_of_blas(objective.n_params**3 / 10)
        with blas_threads(min(most, n_threads or most)):
            grouping = self.grouping(objective)
            found = [self._around(objective, end, grouping) for end in ends]
        merits = [evidence.log_evidence for _, evidence in found]
        best = int(np.argmax(np.nan_to_num(merits, nan=-np.inf)))
        self.modes = [mode for mode, _ in found]
        self.evidence = found[best][1]
        mode = self.modes[best]
        self.network, self.theta = objective.network, mode.whole(mode.mode[None])[0]
        self.noise, self.log_marginal_likelihood = mode.noise, merits[best]
        return self

    def grouping(self, objective: Any) -> str:
        """As :meth:`Posterior.grouping`: what ``strengths`` says."""
        if self.strengths is not None:
            return self.strengths
        layers = objective.has_noise or objective.network._loss.located
        return "layer" if layers else "single"

    def moments(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of the raw outputs, linear in theta, over all modes.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            In the units of the network.

        Returns
        -------
        mean : ndarray of shape (n_samples, n_raw)
        cov : ndarray of shape (n_samples, n_raw, n_raw)
            Epistemic: without noise.

        Raises
        ------
        ValueError
            X is not as the network takes it.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> from fastmlp.posteriors import Laplace
        >>> net = Network([1, 1])
        >>> objective = net.objective(np.arange(4.0)[:, None], np.array([0.0, 1.1, 1.9, 3.0]))
        >>> mean, cov = Laplace().fit(objective, np.array([1.0, 0.0])).moments([[1.5], [9.0]])
        >>> mean.ravel(), bool(cov[1, 0, 0] > 10 * cov[0, 0, 0])
        (array([1.5, 9. ]), True)
        """
        _, means, covs, _ = self.raws(X)
        mean = means.mean(axis=0)
        away = means - mean
        return mean, covs.mean(axis=0) + np.einsum("mik,mil->ikl", away, away) / len(means)

    def raws(self, X: Any, n: int = 1, random_state: Any = None) -> RawMixture:
        """As :meth:`Posterior.raws`: a Normal for each mode, whatever n is."""
        means, covs = zip(*(mode.moments(X) for mode in self.modes), strict=True)
        k = len(self.modes)
        noise = np.array([mode.noise for mode in self.modes])
        return RawMixture(np.full(k, 1 / k), np.stack(means), np.stack(covs), noise)

    def draw(self, n: int, random_state: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`Posterior.draw`; modes take turns."""
        rng = check_random_state(random_state)
        thetas, noise = np.empty((n, self.theta.size)), np.empty(n)
        for mode, turns in self._turns(n):
            thetas[turns] = mode.whole(mode.mode + mode.moves(len(noise[turns]), rng))
            noise[turns] = mode.noise
        return thetas, noise

    def functions(self, X: Any, n: int, random_state: Any = None) -> np.ndarray:
        """As :meth:`Posterior.functions`, of networks made linear in theta; modes take turns."""
        n, rng = check_integer("n", n), check_random_state(random_state)
        parts = [(t, mode.functions(X, len(range(n)[t]), rng)) for mode, t in self._turns(n)]
        out = np.empty((n, *parts[0][1].shape[1:]))
        for turns, drawn in parts:
            out[turns] = drawn
        return out

    def _turns(self, n):
        """The modes that come in among n draws, and which are theirs."""
        k = len(self.modes)
        return [(mode, slice(i, None, k)) for i, mode in enumerate(self.modes[:n])]

    def _weights(self, objective):
        """Whether "all" weights of an objective are uncertain or those of the "last" layer."""
        weights = self.weights
        if weights == "auto":
            weights = "all" if objective.n_params <= MOST_FULL else "last"
        return weights if len(by_layer(objective.segments)) > 1 else "all"

    def _restricting(self, objective, train):
        """``train``, by the likelihood with locations integrated out."""
        grouping = self.grouping(objective)
        solver = LevenbergMarquardt(evidence=_as_evidence(grouping))

        def around(objective, end):
            return self._around(objective, end, grouping)[0]

        return lambda *start: restricted(*start, train, around, solver)

    def _around(self, objective, end, grouping):
        """The Gaussian around where a run ended, and what the evidence says there."""
        theta = np.asarray(end.theta)
        state = end.state if isinstance(end.state, EvidenceState) else None
        front = embed = None
        if state is not None and state.linear:
            objective, theta, state, embed = _line(objective, theta, grouping)
        if self._weights(objective) == "last":
            objective, theta, front = last_layer(objective, theta)
            state = None
        matrix = curvature(objective, theta, self.structure)
        state = _settle(objective, theta, state, matrix, grouping)
        noise = 1.0
        if objective.has_noise:
            noise = max(state.noise, LEAST_NOISE * spread(objective))
        precision = objective.weight_sum / noise**2
        if isinstance(matrix, DiagonalLaplace):
            factor = DiagonalFactor(precision * matrix.total())
        else:
            factors = [block.factor() for block in matrix.blocks]
            factor = Factor(matrix.parts, factors, precision)
        wide = theta.astype(np.float64)
        return Gaussian(objective.network, wide, factor, noise, front, embed), state


def _line(objective, theta, grouping):
    """The linear function that explains the data better than the network did."""
    line, as_network = objective.linear(theta)
    solver = LevenbergMarquardt(evidence=_as_evidence(grouping))
    result = minimize(line, np.zeros(line.n_params, line.dtype), solver=solver, tol=1e-8)
    return line, result.theta, result.state, as_network.without_data(result.theta)


def _settle(objective, theta, state, curvature, grouping):
    """Strengths and noise of the largest marginal likelihood at theta; curvature holds them."""
    evidence = Evidence(Adapted(objective), theta, _fitting(state, grouping), grouping)
    if evidence.state is None:
        evidence.begin(WEAK)
    loss = float(evidence.objective.value(theta))
    before = np.nan
    for _ in range(MOST_UPDATES):
        evidence.renew(theta, loss, np.zeros(theta.size), curvature)
        after = np.log(evidence.l2)
        if evidence.settled and np.abs(after - before).max() <= SETTLED:
            break
        before = after
    return evidence.state


def _as_evidence(strengths):
    """How ``LevenbergMarquardt`` calls a grouping."""
    return True if strengths == "single" else strengths


def _fitting(state, strengths):
    """A state to begin with, where its strengths are not those of a finer grouping."""
    finer = state is not None and strengths != "ard" and state.relevance is not None
    return None if finer else state


def _trained(objective, theta, train, n_starts, random_state, n_threads):
    """Runs from theta and from other initial weights, side by side."""
    sources = generators(random_state, n_starts)
    n_raw = objective.network.n_raw
    starts = [theta, *(objective.network.init(rng) for rng in sources[1:])]
    for start in starts[1:]:
        start[-n_raw:] = theta[-n_raw:]  # the level of the targets
    ends: list[Any] = [None] * n_starts
    workers = n_workers(n_threads, n_starts)

    def one(k):
        own = objective.twin()
        own.n_threads = n_threads if workers == 1 else 1
        ends[k] = train(own, starts[k], sources[k])

    side_by_side(one, n_starts, workers, [], 1 if workers > 1 else None)
    return ends
