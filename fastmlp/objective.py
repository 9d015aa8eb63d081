"""The loss that solvers minimise: a term's mean and what the parameters cost."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cached_property
from typing import Any

import numpy as np

from fastmlp._gram import Gram
from fastmlp._hyper import check_epoch
from fastmlp._linear import linear_twin
from fastmlp._memory import TO_ASSEMBLE, check_matrices_fit
from fastmlp._numbers import check_integer, check_strength
from fastmlp._total import check_term, checked_sums, rows_that_weigh, subset_of
from fastmlp.data import check_data, check_vector
from fastmlp.penalties import L2, Prior, prior, weights
from fastmlp.segments import WEIGHTS, Segment
from fastmlp.terms import CustomTerm, NetworkTerm, Total
from fastmlp.threads import Threads


class Objective:
    """``term / sum of weights + penalty``, by theta.

    Parameters
    ----------
    term : NetworkTerm, Total or a term of one's own
        Sums over data; see :mod:`fastmlp.terms`.
    penalty : L2, optional
        What the parameters cost; by default nothing.

    Attributes
    ----------
    n_params : int
        Length of theta.
    n_samples : int
        Rows that count.
    n_residuals : int
        Rows of the square root of the Gauss-Newton matrix: samples times raw outputs.
    weight_sum : float
        The sum of the weights of the samples.
    dtype : numpy.dtype
        Of theta and of the gradient; curvature is float64.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.objective import Objective
    >>> from fastmlp.penalties import L2, by_segment
    >>> net = Network([2, 1])
    >>> term = net.objective(np.ones((4, 2)), np.ones(4)).term
    >>> Objective(term, L2(by_segment(net.segments), [2.0, 0.0])).value([1.0, 0.0, 0.0])
    1.0
    """

    network: Any = None

    def __init__(self, term: Any, penalty: L2 | None = None):
        check_term(term, "term")
        self.term = term
        self._is_ours = isinstance(term, NetworkTerm | Total)
        self.dtype, self.n_params = np.dtype(term.dtype), term.n_params
        if penalty is not None:
            self._take(penalty)

    def _take(self, penalty: L2) -> None:
        size = penalty.groups.index.size
        if size != self.n_params:
            raise ValueError(f"The penalty is for {size} parameters, the term for {self.n_params}.")
        self.penalty = penalty

    @cached_property
    def penalty(self) -> L2:
        """What the parameters cost."""
        return L2(weights(self.segments), 0.0)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The map of theta."""
        return self.term.segments

    @property
    def n_samples(self) -> int:
        """Rows that count."""
        return self.term.n_samples

    @property
    def n_residuals(self) -> int:
        """Rows of the square root of the Gauss-Newton matrix."""
        return self.term.n_residuals

    @property
    def weight_sum(self) -> float:
        """The sum of the weights of the samples."""
        return self.term.weight

    def count_residuals(self, theta: Any) -> int:
        """:attr:`n_residuals`, in the form in which solvers ask: theta does not matter here."""
        return self.n_residuals

    def value(self, theta: Any) -> float:
        """The loss at theta, an array of shape (n_params,)."""
        theta = self._checked(theta)
        (value,) = self._mean("value", theta)
        return value + self.penalty.value(theta)

    def value_grad(self, theta: Any) -> tuple[float, np.ndarray]:
        """The loss and its gradient, of shape (n_params,)."""
        return self._penalised(theta, "value_grad")

    def value_grad_ggn(self, theta: Any) -> tuple[float, np.ndarray, np.ndarray]:
        """The loss, its gradient and the Gauss-Newton matrix, all float64."""
        check_matrices_fit(self.n_params, TO_ASSEMBLE)
        value, grad, G = self._penalised(theta, "value_grad_ggn")
        return value, grad, self._with_diagonal(G)

    def value_grad_gram(self, theta: Any) -> tuple[float, np.ndarray, Gram]:
        """The loss, its gradient, and the Gauss-Newton matrix as a :class:`Gram`, without P x P."""
        value, grad, factors = self._penalised(theta, "value_grad_gram")
        return value, grad, Gram(factors, self.segments, self.penalty.diagonal)

    def hessian(self, theta: Any) -> np.ndarray:
        """The exact Hessian, (n_params, n_params) float64."""
        check_matrices_fit(self.n_params, TO_ASSEMBLE)
        return self._with_diagonal(*self._mean("hessian", theta))

    def ggn(self, theta: Any) -> np.ndarray:
        """The generalised Gauss-Newton matrix, (n_params, n_params) float64.

        ``J' Q J``, Q positive semi-definite: of a custom loss's ``hess`` the part that curves
        upwards.
        """
        check_matrices_fit(self.n_params, TO_ASSEMBLE)
        return self._with_diagonal(*self._mean("ggn", theta))

    def hess_mul(self, theta: Any, v: Any) -> np.ndarray:
        """The Hessian times v, (n_params,) float64, without the matrix."""
        return self._product("hess_mul", theta, v)

    def ggn_mul(self, theta: Any, v: Any) -> np.ndarray:
        """The Gauss-Newton matrix times v, (n_params,) float64, without the matrix."""
        return self._product("ggn_mul", theta, v)

    def bend(self, theta: Any, v: Any) -> np.ndarray:
        """``J' Q d2 raw / dv2``, (n_params,) float64: how the outputs bend along ``theta + t v``.

        The Gauss-Newton product of an acceleration a with ``G a = -bend`` cancels it to second
        order (Transtrum and Sethna 2012).
        """
        return self._mean("bend", theta, v)[0]

    def ggn_diagonal(self, theta: Any) -> np.ndarray:
        """The diagonal of :meth:`ggn` without the matrix, (n_params,) float64.

        Exact up to 32 raw outputs; beyond, an unbiased estimate from a few backward sweeps with
        random signs, the same ones every time (Chapelle and Erhan 2011).
        """
        return self._mean("ggn_diagonal", theta)[0] + self.penalty.diagonal

    def subset(self, positions: Any) -> Objective:
        """The same loss, penalty included, on some of the rows.

        Parameters
        ----------
        positions : array-like of int
            From 0 to ``n_samples - 1``, at least one.

        Returns
        -------
        Objective

        Raises
        ------
        TypeError, ValueError
            The positions are no integers, out of range or none.
        """
        return Objective(subset_of(self.term, positions), self.penalty)

    def sample(self, size: int, rng: Any) -> Objective:
        """The loss, penalty included, as some of the rows estimate it.

        Its mean over draws is this loss, and so with derivatives: the sum over the rows drawn is
        that of all rows times the share that are drawn. Rows of weight 0 are not.

        Parameters
        ----------
        size : int
            How many rows, at most all.
        rng : RandomState or Generator
            Draws them, each as likely as the others and none twice.

        Returns
        -------
        Objective
        """
        rows = rows_that_weigh(self.term)
        size = min(size, rows.size)
        part = self.subset(np.sort(rng.choice(rows, size, replace=False)))
        part._divisor = self._divisor * size / rows.size
        return part

    @cached_property
    def _divisor(self) -> float:
        """Sums over the rows by this are the mean."""
        return self.term.weight

    def with_penalty(self, penalty: L2) -> Objective:
        """The same data under another penalty."""
        return Objective(self.term, penalty)

    def prior(self, grouping: str = "single") -> Prior:
        """The prior whose strengths the evidence finds; see :func:`fastmlp.penalties.prior`."""
        return prior(self.segments, grouping)

    def limited(self, batch_size: int | None = None, matrices: bool = False):
        """A block for a run; see :meth:`fastmlp.terms.NetworkTerm.limited`."""
        limited = getattr(self.term, "limited", None)
        return nullcontext() if limited is None else limited(batch_size, matrices)

    def _mean(self, want, theta, v=None):
        """A term's sums over the sum of the weights."""
        sums = list(self.term.sums(want, theta, v))
        if not self._is_ours:
            sums = checked_sums(sums, want, self.n_params, "term")
        for k in range(len(sums)):
            sums[k] /= self._divisor  # arrays in place
        return sums

    def _penalised(self, theta, want):
        """Value and gradient with the penalty, and what comes with them without."""
        theta = self._checked(theta)
        value, grad, *others = self._mean(want, theta)
        return value + self.penalty.add_to(grad, theta), grad, *others

    def _with_diagonal(self, matrix):
        matrix.reshape(-1)[:: self.n_params + 1] += self.penalty.diagonal
        return matrix

    def _product(self, want, theta, v):
        (product,) = self._mean(want, theta, v)
        self.penalty.add_to(product, np.asarray(v))
        return product

    def _checked(self, theta):
        return check_vector(theta, self.n_params, self.dtype, "theta")


class NetworkObjective(Objective):
    """The loss of a network on data, by theta; made by :meth:`fastmlp.Network.objective`.

    ``value = sum_i w_i l_i / sum_i w_i + l2/2 ||W||^2`` with l2 = alpha / sum_i w_i. It holds
    working memory, so one objective serves one solver at a time.

    Attributes
    ----------
    n_params, n_samples, n_residuals, weight_sum, dtype
        As of every :class:`Objective`; ``n_samples`` are the rows of ``rows``, or of X.
    network : Network
        The network whose loss it is.
    l2 : float
        Strength of the L2 term, ``l2/2 ||W||^2``.
    n_threads : int or None
        Threads, at most; None: the cores of this process. Small work is done by one, and limits of
        others on BLAS hold for all threads.
    """

    def __init__(
        self,
        network,
        X,
        y,
        sample_weight=None,
        *,
        alpha=0.0,
        l2=None,
        rows=None,
        scales=None,
        plan=None,
        n_threads=None,
    ):
        alpha = check_strength(alpha, "alpha")
        kind = CustomTerm if network._loss.is_custom else NetworkTerm
        data = check_data(network, X, y, sample_weight, rows, scales)
        if n_threads is not None:
            n_threads = check_integer("n_threads", n_threads)
        term = kind(network, data, plan, Threads(n_threads))
        self._bind(term, alpha, alpha / term.weight if l2 is None else check_strength(l2, "l2"))

    def _bind(self, term, alpha, l2):
        Objective.__init__(self, term)
        self.network, self._alpha, self.l2 = term.network, alpha, l2
        return self

    _told: tuple | None = None  # the fields of hyper of the last epoch

    def _like(self, term) -> NetworkObjective:
        """The same loss, L2 term included, of another term."""
        other = type(self).__new__(type(self))
        return other._bind(term, self.l2 * term.weight, self.l2)

    @cached_property
    def penalty(self) -> L2:
        """The L2 term, made when it is first asked for: mini-batches do without."""
        return L2(weights(self.segments), self.l2)

    @property
    def n_threads(self) -> int | None:
        """Threads, at most; None: the cores of this process."""
        return self.term.threads.n_threads

    @n_threads.setter
    def n_threads(self, n_threads: int | None) -> None:
        self.term.threads.n_threads = n_threads

    def threads_used(self) -> int:
        """The most threads that any work had since the last time this was asked."""
        return self.term.threads_used()

    def predict(self, theta: Any) -> np.ndarray:
        """Outputs of the network for the rows that count, (n_samples, n_outputs)."""
        return self.term.predict(theta)

    def epoch(self, theta: np.ndarray, state: Any, order: np.ndarray, hyper: Any) -> float:
        """All mini-batches of one epoch in one native call; theta and state change in place.

        Parameters
        ----------
        theta : ndarray of shape (n_params,), contiguous, of this objective's dtype
            Parameters.
        state : object
            ``first`` and ``second`` (arrays like theta; second may be None but for "adam") and
            ``t``, the number of steps so far.
        order : ndarray of intp
            Positions from 0 to n_samples - 1 in the order of the visit.
        hyper : object
            ``update`` ("sgd", "nesterov", "adam"), ``batch_size``, ``rates`` (float64, one per
            batch), ``momentum``, ``beta_1``, ``beta_2``, ``epsilon``, ``weight_decay``
            (decoupled; weights only), ``max_norm`` (of the gradient; inf for none) and
            ``rate_factors`` (float64, one for each of the ``segments``; None for 1).

        Returns
        -------
        float
            The mean over rows of the batches' losses, with their L2 terms, as scikit-learn's
            ``loss_``.

        Raises
        ------
        TypeError, ValueError
            Something of this is missing, of another kind or out of range; nothing has changed then.
        """
        if self._alpha is None:
            raise ValueError("Mini-batches take no penalty but the L2 term of all weights.")
        order, self._told = check_epoch(self, theta, state, order, hyper, self._told)
        return self.term.epoch(theta, state, order, hyper, self._strengths)

    @cached_property
    def _strengths(self) -> np.ndarray:
        """L2 of each segment, (n_segments,), for the sum over a batch."""
        return np.array([self._alpha * (s.group == WEIGHTS) for s in self.segments])

    def subset(self, positions: Any) -> NetworkObjective:
        """As :meth:`Objective.subset`."""
        part = self._like(subset_of(self.term, positions))
        part.penalty = self.penalty
        return part

    def with_penalty(self, penalty: L2) -> NetworkObjective:
        """As :meth:`Objective.with_penalty`."""
        other = self._like(self.term)
        other._take(penalty)
        other._alpha = None
        return other

    def twin(self, factors: np.ndarray | None = None, wide: bool = False) -> NetworkObjective:
        """The same loss, penalty included, for another thread: with working memory of its own.

        Parameters
        ----------
        factors : ndarray of shape (n_samples,), optional
            Of the rows' weights, at least 0; rows of 0 are left out. X is not copied.
        wide : bool
            In float64.

        Returns
        -------
        NetworkObjective
        """
        other = self._like(self.term.twin(factors, wide))
        other.penalty = self.penalty
        other._alpha = None if self._alpha is None else other._alpha
        return other

    # -- what the evidence asks ----------------------------------------------------------------

    @property
    def has_noise(self) -> bool:
        """Whether the loss is the likelihood of Gaussian noise of unknown size."""
        return self.network._loss.row["noise"] == "FREE"

    def prior(self, grouping: str = "single") -> Prior:
        """The prior whose strengths the evidence finds; see :func:`fastmlp.penalties.prior`."""
        variance = None
        if self.has_noise and len(self.network.layers) > 2:
            y, w = self.term.data.selected
            mean = np.average(y, axis=0, weights=w)
            variance = np.average(np.square(y - mean, dtype=np.float64), axis=0, weights=w)
            variance[variance <= np.finfo(np.float64).tiny] = 1.0
        return prior(self.segments, grouping, variance)

    def linear(self, theta: Any):
        """The same data as a linear function sees it, and that function as this network's theta.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            What units have that the linear function does not need.

        Returns
        -------
        objective : NetworkObjective
            Of a network without hidden layers.
        as_network : callable
            Its theta -> this network's.
        None
            In place of both, where the network is linear or has too few units to be so.
        """
        twin = linear_twin(self.term, theta)
        return None if twin is None else (self._like(twin[0]), twin[1])
