"""Networks trained from several starts: a mixture of points, one in each valley."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import Any, Self

import numpy as np

from fastmlp._names import check_choice
from fastmlp._numbers import check_integer, check_positive, check_random_state
from fastmlp.posteriors._base import Posterior, RawMixture, Train
from fastmlp.posteriors._parallel import generators, n_workers, new_start, side_by_side
from fastmlp.solvers import EvidenceState, LevenbergMarquardt, Result, Status, minimize

ROWS = ("all", "bootstrap")


class Ensemble(Posterior):
    """Members trained from starts of their own, in parallel, on one copy of X [1]_.

    Parameters
    ----------
    n_members : int, default=5
        At least 1.
    rows : {"all", "bootstrap"}, default="all"
        What a member is trained on: all rows; or as many as there are, drawn with replacement, so
        that a row counts 0, 1, 2, ... times. About a third is out of each member's bag.
    max_time : float or None, default=None
        Seconds after which no further member is begun.

    Attributes
    ----------
    thetas : ndarray of shape (n_members, n_params)
        Of the members, the one of the lowest loss first.
    noises : ndarray of shape (n_members,)
        Of the members: the evidence's where they were trained by it; else the root mean square of
        the residuals, of the rows out of the bag where there are any.
    results : list of Result
        What became of each run. Of a pickle or copy without the seconds.
    oob_prediction : ndarray of shape (n_samples, n_targets) or None
        With "bootstrap": outputs averaged over the members that did not see a row; NaN where all
        did.
    oob_loss : float or None
        With "bootstrap": the mean loss of members on rows that they did not see.

    References
    ----------
    .. [1] Lakshminarayanan, B. et al. (2017), Simple and scalable predictive uncertainty
       estimation using deep ensembles, NeurIPS 30.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.posteriors import Ensemble
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, size=(60, 1))
    >>> y = np.sin(3 * X[:, 0]) + rng.normal(scale=0.1, size=60)
    >>> net = Network([1, 5, 1], activation="tanh")
    >>> posterior = Ensemble(3).fit(net.objective(X, y), net.init(random_state=0), random_state=0)
    >>> posterior.raws(X, 1).mean.shape
    (3, 60, 1)
    """

    def __init__(self, n_members: int = 5, rows: str = "all", max_time: float | None = None):
        self.n_members = n_members
        self.rows = rows
        self.max_time = max_time

    def fit(
        self,
        objective: Any,
        theta: np.ndarray,
        *,
        train: Train | None = None,
        random_state: Any = None,
        n_threads: int | None = None,
    ) -> Self:
        """Train the members.

        Parameters
        ----------
        objective, theta, train, random_state, n_threads
            As of :meth:`Posterior.fit`; the first member starts from ``theta``. Without ``train``
            by Levenberg-Marquardt with evidence, or L-BFGS where the loss has no curvature.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            A parameter of the wrong kind or out of range.
        KeyboardInterrupt
            Ctrl-C before a member was there; later the members that were begun are kept.

        Warns
        -----
        RuntimeWarning
            Ctrl-C or the time left some out.
        """
        check_integer("n_members", self.n_members)
        check_choice("rows", self.rows, ROWS)
        end = np.inf
        if self.max_time is not None:
            end = time.perf_counter() + check_positive("max_time", self.max_time)
        sources = generators(random_state, self.n_members)
        workers = n_workers(n_threads, self.n_members)
        train = _trained if train is None else train
        found: dict[int, tuple[Result, float]] = {}
        bags: dict[int, np.ndarray] = {}
        stopped: list[Any] = []

        def one(k):
            if k > 0 and time.perf_counter() > end:
                return
            rng, counts = sources[k], None
            if self.rows == "bootstrap":
                n = objective.n_samples
                counts = bags[k] = np.bincount(rng.integers(n, size=n), minlength=n)
            own = objective.twin(counts)
            own.n_threads = n_threads if workers == 1 else 1
            start = theta if k == 0 else new_start(objective, rng)
            result = train(own, start, rng)
            found[k] = result, _noise(own, result)
            if result.status is Status.INTERRUPTED:
                stopped.append(k)

        try:
            side_by_side(one, self.n_members, workers, stopped, 1 if workers > 1 else None)
        except KeyboardInterrupt:
            if not found:
                raise
        order = sorted(found, key=lambda k: (np.nan_to_num(found[k][0].loss, nan=np.inf), k))
        self.results = [found[k][0] for k in order]
        self.network = objective.network
        self.thetas = np.stack([result.theta for result in self.results])
        self.noises = np.array([found[k][1] for k in order])
        self.oob_prediction = self.oob_loss = None
        if bags:
            self._look_out_of_bags(objective, [bags[k] for k in order])
        if len(order) < self.n_members:
            warnings.warn(
                f"Ended early: {len(order)} of {self.n_members} members were trained.",
                RuntimeWarning,
                stacklevel=2,
            )
        self.theta = self.thetas[0]
        self.noise = float(np.sqrt(np.mean(self.noises**2)))
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Without the seconds of the runs: equal fits make equal files."""
        state = vars(self).copy()
        if "results" in state:
            histories = [{**result.history} for result in self.results]
            for history in histories:
                history.pop("seconds", None)
            state["results"] = [
                replace(result, history=history)
                for result, history in zip(self.results, histories, strict=True)
            ]
        return state

    def _look_out_of_bags(self, objective, bags):
        """What members say of rows that they did not see."""
        n, n_targets = objective.n_samples, objective.network.n_targets
        total, count = np.zeros((n, n_targets)), np.zeros((n, 1))
        losses, weight = 0.0, 0.0
        for m, (theta, bag) in enumerate(zip(self.thetas, bags, strict=True)):
            unseen = np.flatnonzero(bag == 0)
            if not unseen.size:
                continue
            apart = objective.subset(unseen)
            total[unseen] += apart.predict(theta)
            count[unseen] += 1
            (loss,) = apart.term.sums("value", theta)
            losses, weight = losses + loss, weight + apart.weight_sum
            if objective.has_noise:
                self.noises[m] = np.sqrt(2 * loss / (apart.weight_sum * objective.network.n_raw))
        with np.errstate(invalid="ignore"):
            self.oob_prediction = total / count
        self.oob_loss = losses / weight if weight > 0 else np.nan

    def draw(self, n: int, random_state: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Members drawn with replacement."""
        rng = check_random_state(random_state)
        draw = rng.integers if isinstance(rng, np.random.Generator) else rng.randint
        at = draw(len(self.thetas), size=n)
        return self.thetas[at], self.noises[at]

    def raws(self, X: Any, n: int, random_state: Any = None) -> RawMixture:
        """The members themselves, of equal weight, whatever n."""
        mean = np.stack([self.network.raw(theta, X) for theta in self.thetas]).astype(np.float64)
        k = len(mean)
        return RawMixture(np.full(k, 1 / k), mean, None, self.noises)


def _trained(objective, theta, random_state):
    """The default way."""
    curved = objective.network._loss.curved
    solver = LevenbergMarquardt(evidence=True) if curved else "lbfgs"
    return minimize(objective, theta, solver=solver, random_state=random_state)


def _noise(objective, result):
    """The noise that a member was trained with, or what its residuals say."""
    if not objective.has_noise:
        return 1.0
    if isinstance(result.state, EvidenceState):
        return result.state.noise
    (loss,) = objective.term.sums("value", result.theta)
    least = np.finfo(np.float64).tiny
    return float(np.sqrt(max(2 * loss / (objective.weight_sum * objective.network.n_raw), least)))
