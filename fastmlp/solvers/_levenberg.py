"""Levenberg-Marquardt on the generalised Gauss-Newton matrix."""

from __future__ import annotations

from functools import partial
from typing import get_args

import numpy as np

from fastmlp import _types
from fastmlp._memory import TO_SOLVE, check_matrices_fit
from fastmlp._names import check_choice, shown
from fastmlp._numbers import check_flag, check_positive, check_real
from fastmlp.solvers._base import Result, Status
from fastmlp.solvers._box import bounded_step
from fastmlp.solvers._checks import real_array, value_and_grad
from fastmlp.solvers._cholesky import factor, solve
from fastmlp.solvers._evidence import Evidence, EvidenceState
from fastmlp.solvers._fixed_points import best_fixed_point
from fastmlp.solvers._full_batch import FullBatchSolver, Point, Run
from fastmlp.solvers._laplace import DenseLaplace, DualLaplace
from fastmlp.solvers._sampled import rows_of_curvature, with_sampled_curvature
from fastmlp.solvers._trust import Damping, Proposal, descend_bounded, loss_of

SCALINGS = get_args(_types.Scaling)
GROUPINGS = get_args(_types.EvidenceGroups)
EPS = float(np.finfo(np.float64).eps)


# An acceleration longer than this share of the velocity belongs to a step too long for either.
MOST_ACCELERATION = 0.375
# Residuals per parameter up to which their own system is the faster one.
MOST_DUAL = 0.6


class LocalModel:
    """One point's model; a subclass factors its matrix and divides by it.

    ``factor(damping)`` returns a function that solves ``(G + damping S) x = rhs``, or None where
    the matrix is not positive definite.
    """

    def __init__(self, point, bend, scale, value, record, settled):
        self.point, self.value, self.record = point, value, record
        self._settled = settled
        self._bend = bend
        self.scale = scale

    def step(self, damping):
        """The velocity ``-(G + damping S)^-1 grad``; a small acceleration that follows the bend.

        Transtrum and Sethna, Improvements to the Levenberg-Marquardt algorithm for nonlinear
        least-squares minimization, arXiv:1201.5885 (2012).
        """
        solve = self.factor(damping)
        if solve is None:
            return None
        grad = self.point.grad
        velocity = solve(-grad)
        predicted = 0.5 * float(velocity @ (damping * self.scale * velocity - grad))
        if self._bend is None or not np.isfinite(velocity).all():
            return Proposal(velocity, predicted)
        acceleration = solve(-0.5 * self._bend(self.point.theta, velocity))
        length = self._norm(acceleration)
        if not length <= MOST_ACCELERATION * self._norm(velocity):
            return Proposal(velocity, predicted)
        return Proposal(velocity + acceleration, predicted)

    def _norm(self, v):
        return float(np.sqrt(v @ (self.scale * v)))

    def decrement(self, least):
        """What the model promises with the least damping; unknown while the loss will change."""
        solve = self.factor(least) if self._settled else None
        if solve is None:
            return np.inf
        return 0.5 * float(self.point.grad @ solve(self.point.grad))


class Model:
    """What makes local models.

    Parameters
    ----------
    objective : object
        As :class:`LevenbergMarquardt` takes it.
    acceleration : bool
        Whether steps follow the bend of the residuals, where the objective tells it.
    evidence : Evidence or None
        Re-estimates the L2 strengths at every point.
    """

    def __init__(self, objective, acceleration, evidence):
        self.objective = objective
        self.evidence = evidence
        self.value = loss_of(objective)
        self._bend = objective.bend if acceleration else None

    def _renewed(self, theta, loss, grad, laplace):
        """Loss, the function of trials, what the history gets, whether strengths are followed.

        With evidence grad and what ``laplace()`` is made of change.
        """
        # The loss of a trial and that of a point are compared: both by value, whose rounding in
        # float32 is not that of the float64 sum beside the matrix.
        if theta.dtype != np.float64 or not np.isfinite(loss):
            loss = self.value(theta)
        if self.evidence is None:
            return float(loss), self.value, {}, True
        loss, record = self.evidence.renew(theta, float(loss), grad, laplace())
        return loss, self.evidence.penalised(self.value), record, self.evidence.settled


class DampedModel(Model):
    """Local models from the matrix G: ``(G + damping S) step = -grad``.

    Parameters
    ----------
    objective, acceleration, evidence
        As of every model.
    scaling : {"identity", "marquardt"}
        S: the identity, or the largest diagonal of G met so far.
    box : Box or None
        Bounds that steps keep to.
    """

    def __init__(self, objective, scaling, acceleration, evidence, box=None):
        super().__init__(objective, acceleration, evidence)
        self._box = box
        self._marquardt = scaling == "marquardt"
        self._largest = 0.0
        self._together = objective.value_grad_ggn

    def at(self, theta):
        if self._together is not None:
            *answer, G = self._together(theta)
        else:
            answer = self.objective.value_grad(theta)
            G = self.objective.ggn(theta)
        loss, grad = value_and_grad(answer, theta)
        G = real_array("ggn(theta)", G, (theta.size, theta.size))
        loss, *told = self._renewed(theta, loss, grad, lambda: DenseLaplace(G))
        diagonal = np.diagonal(G)
        scale = 1.0 if self.evidence is None else self.evidence.metric
        if self._marquardt:
            self._largest = np.maximum(self._largest, diagonal)
            # a dead parameter's zero would leave it undamped
            most = self._largest.max(initial=0.0)
            scale = np.where(self._largest > 0, self._largest, most if most > 0 else 1.0)
        point = Point(theta, loss, grad, self._box)
        make = Damped if self._box is None else BoundedDamped
        return make(G, point, self._bend, scale, *told)

    def unit(self, local):
        """Damping is relative to the largest entry of G / S on the diagonal."""
        largest = 1.0 if self._marquardt else float((np.diagonal(local.G) / local.scale).max())
        return largest if largest > 0 and np.isfinite(largest) else 1.0


class Damped(LocalModel):
    """A point's matrix, factored anew for each damping and not assembled again."""

    def __init__(self, G, *arguments):
        super().__init__(*arguments)
        self.G = G

    def factor(self, damping):
        L = factor(self.G, damping * self.scale)
        return None if L is None else partial(solve, L)


class BoundedDamped(Damped):
    """The same within bounds: each step is the minimum of the damped model inside of them.

    The model is strictly convex, so that a step of zero means that no direction into the box
    descends; otherwise enough damping makes the step a descent.

    References
    ----------
    Kanzow, Yamashita and Fukushima, Levenberg-Marquardt methods with strong local convergence
    properties for solving nonlinear equations with convex constraints, J. Comput. Appl. Math. 172,
    375 (2004): their constrained method, with the gain deciding on the damping.
    """

    def step(self, damping):
        proposal = super().step(damping)
        theta, box = self.point.theta, self.point.box
        if proposal is None or not np.isfinite(proposal.step).all():
            return None
        if box.holds(theta + proposal.step):
            return proposal
        step = self._bounded(damping)
        if step is None:
            return None
        grad = self.point.grad
        return Proposal(step, -float(grad @ step + 0.5 * step @ (self.G @ step)))

    def decrement(self, least):
        step = self._bounded(least)
        if step is None:
            return np.inf
        return -float(self.point.grad @ step + 0.5 * step @ (self.G @ step))

    def _bounded(self, damping):
        """The minimum within bounds, or None where it lowers nothing for lack of digits."""
        L = factor(self.G, damping * self.scale)
        if L is None:
            return None
        step = bounded_step(L, self.point.grad, self.point.theta, self.point.box)
        fits = np.isfinite(step).all() and self.point.grad @ step <= 0
        return step if fits else None


class DualModel(Model):
    """Local models from J J', which is smaller than J' J where residuals are few.

    With M = D + damping S, by Woodbury's identity

        (M + J' J)^-1 grad = M^-1 grad - M^-1 J' (I + J M^-1 J')^-1 J M^-1 grad.
    """

    def at(self, theta):
        loss, grad, gram = self.objective.value_grad_gram(theta)
        grad = np.asarray(grad, dtype=np.float64)
        scale = 1.0
        if self.evidence is not None:
            scale = self.evidence.metric
            dual = DualLaplace(gram, scale)
        loss, *told = self._renewed(theta, loss, grad, lambda: dual)
        if self.evidence is not None:
            gram = dual.gram
        return DualDamped(gram, Point(theta, loss, grad), self._bend, scale, *told)

    def unit(self, local):
        largest = float(np.max(local.gram.diagonal / local.scale))
        return largest if largest > 0 and np.isfinite(largest) else 1.0


class DualDamped(LocalModel):
    """A point's products of residual gradients."""

    def __init__(self, gram, *arguments):
        super().__init__(*arguments)
        self.gram = gram

    def factor(self, damping):
        gram = self.gram
        L = factor(gram.kernel(damping), 1)
        if L is None:
            return None

        def divide(rhs):
            scaled = gram.divide(rhs, damping)
            by_residual = solve(L, gram.mul(scaled))
            return scaled - gram.divide(gram.transpose_mul(by_residual), damping)

        return divide


def _grouping(evidence):
    """What shares a strength: "single", "layer" or "ard"; None without evidence."""
    if isinstance(evidence, str):
        if evidence in GROUPINGS:
            return evidence
        raise ValueError(f"evidence must be True, False, 'layer' or 'ard', got {shown(evidence)}.")
    return "single" if check_flag("evidence", evidence) else None


class LevenbergMarquardt(FullBatchSolver):
    """Levenberg-Marquardt: ``(G + damping S) step = -gradient``, G the Gauss-Newton matrix.

    For squared error G is J'J, and the method is the classical one for least squares; for other
    losses it is the generalised Gauss-Newton matrix J' Q J, Q the loss's curvature. Best for
    networks of up to a few thousand parameters that have to fit well.

    Parameters
    ----------
    damping : float, default=1e-3
        Of the first step, relative to the largest diagonal entry of G (of G / S, for "marquardt").
        Afterwards the gain decides (Nielsen 1999).
    scaling : {"auto", "identity", "marquardt"}, default="auto"
        S: the identity, or the largest diagonal of G so far (Marquardt 1963; More 1978), which
        makes the path independent of the scale of each parameter. "auto" is "marquardt" for a
        :func:`fastmlp.solvers.least_squares_objective`, "identity" for networks.
    acceleration : bool, default=True
        Geodesic acceleration (Transtrum and Sethna 2012): steps follow the curved valley that the
        residuals' second derivative along the step shows. It takes one more sweep and saves up to
        two thirds of the iterations. Without effect where the objective has no ``bend``.
    evidence : bool, "layer" or "ard", default=False
        Bayesian regularisation: the weight decay, and for squared error the noise level, are
        re-estimated by MacKay's evidence at every accepted step, once the data part has settled,
        as MATLAB's trainbr does (Foresee and Hagan 1997). The objective's own weight decay does
        not count. True: one decay for all parameters; "layer": one for the weights and one for the
        biases of each layer; "ard": besides one for the weights of each input feature, automatic
        relevance determination (MacKay 1994, Neal 1996), which shrinks those of features that say
        nothing. Up to three runs, of ``max_iter`` iterations each, look for the best fixed point,
        one of them for a linear function; the result is that of the best. The history has
        ``weight_decay`` (alpha of the prior exp(-alpha/2 ||v||^2), v all parameters but the biases
        of the outputs, output weights in units of the targets; of several the mean), ``noise`` (its
        standard deviation), ``effective_params`` and ``log_evidence``; the last ones are
        ``Result.state``, an :class:`EvidenceState`, with the ``strengths`` of each segment and the
        ``relevance`` of each feature.
    curvature_rows : int, "auto" or None, default=None
        Rows that G is made of, drawn anew at each accepted point with ``random_state``; the loss
        and the gradient are those of all rows. A model of the curvature can do with fewer rows
        than a gradient (Byrd, Chin, Neveitt and Nocedal 2011): where rows are many times the
        parameters, an iteration takes a fraction of the time, and somewhat more are needed for a
        close fit. "auto": five residuals per parameter, or all rows where these are not twice as
        many. None, and a number of at least all rows: all. What the evidence says is then that of
        the sample: it counts a few percent fewer parameters as determined.
    least_decrease : float, default=0.0
        A run also ends where an iteration changes the loss by no more than this share of it, in the
        mean of five. 1e-3 is for choices among many networks by held-out rows, whose error hardly
        changes from there on. 0: it goes on until it has converged.

    Raises
    ------
    TypeError
        By a run: ``curvature_rows`` for an objective that has no rows to draw from.
    ValueError
        By a run: the loss has no curvature (absolute error, quantile, perceptron).
    MemoryError
        By a run, before anything is computed: G does not fit.

    Notes
    -----
    A rejected step costs a factorisation and no assembly. Where the objective has fewer than 0.6
    residuals per parameter (``count_residuals``), and ``value_grad_gram``, the smaller system of
    the residuals is solved (without bounds and Marquardt's S); the evidence is found from it, too.

    With bounds each step minimises the damped model within them, by an active-set method that is
    meant for up to some hundred parameters; the gradient is that of the parameters that may move.

    Converged when the largest absolute entry of the gradient is at most ``tol`` and the decrease
    that the nearly undamped model still promises is at most ``tol`` times the loss (the relative
    offset of Bates and Watts, Technometrics 23, 179, 1981).

    References
    ----------
    Madsen, Nielsen and Tingleff, Methods for non-linear least squares problems (2004).
    Schraudolph, Neural Computation 14, 1723 (2002). MacKay, Neural Computation 4, 415 (1992).
    Foresee and Hagan, Proc. ICNN (1997), 1930. MacKay, ASHRAE Transactions 100, 1053 (1994). Neal,
    Bayesian Learning for Neural Networks (1996). Tipping, J. Machine Learning Research 1, 211
    (2001). Byrd, Chin, Neveitt and Nocedal, SIAM J. Optim. 21, 977 (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.solvers import LevenbergMarquardt, minimize
    >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
    >>> net = Network([1, 5, 1], activation="tanh")
    >>> objective = net.objective(X, np.sin(3 * X).ravel())
    >>> theta = net.init(random_state=0)
    >>> minimize(objective, theta, solver=LevenbergMarquardt(), tol=1e-8).loss < 1e-5
    True
    """

    needs = ("value_grad", "ggn")
    history_keys = ("loss", "grad_norm", "damping", "gain", "seconds")
    takes_bounds = True

    def __init__(
        self,
        damping: float = 1e-3,
        scaling: _types.Scaling = "auto",
        acceleration: bool = True,
        evidence: bool | _types.EvidenceGroups = False,
        curvature_rows: _types.CurvatureRows | None = None,
        least_decrease: float = 0.0,
    ):
        self.damping = damping
        self.scaling = scaling
        self.acceleration = acceleration
        self.evidence = evidence
        self.curvature_rows = curvature_rows
        self.least_decrease = least_decrease

    def run(
        self, objective, theta0, limits, *, rng, callback, validation, state, box=None
    ) -> Result:
        grouping = _grouping(self.evidence)
        descend = partial(self._descend, rng=rng)
        if grouping is None:
            if state is not None:
                raise ValueError(
                    "LevenbergMarquardt without evidence keeps no state; pass state=None."
                )
            return descend(objective, theta0, limits, callback, validation, box=box)
        if box is not None:
            raise ValueError(
                "LevenbergMarquardt with evidence takes no bounds: its prior has none."
            )
        if state is not None and not isinstance(state, EvidenceState):
            raise TypeError(
                "state must be None or an EvidenceState, the state of an earlier run's Result; "
                f"got {shown(state)}."
            )
        return best_fixed_point(
            descend, objective, theta0, limits, callback, validation, state, grouping
        )

    def _descend(
        self, objective, theta0, limits, callback, validation, *, rng, evidence=None, box=None
    ) -> Result:
        run = Run(objective, theta0, limits, callback, validation, rng, box)
        try:
            status = self._descend_damped(run, evidence)
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
        keys = self.history_keys if evidence is None else (*self.history_keys, *Evidence.keys)
        result = run.result(status, keys)
        result.state = None if evidence is None else evidence.state
        return result

    def _descend_damped(self, run, evidence):
        damping = check_positive("damping", self.damping)
        check_flag("acceleration", self.acceleration)
        check_choice("scaling", self.scaling, SCALINGS)
        run.least_decrease = check_real(
            "least_decrease", self.least_decrease, "at least 0", lambda v: v >= 0
        )
        objective = run.objective if evidence is None else evidence.objective
        n_rows = rows_of_curvature(self.curvature_rows, objective, run.point.theta.size)
        if n_rows is not None:
            objective = with_sampled_curvature(objective, n_rows, run.rng)
        model = self._model(objective, run.point.theta, evidence, run.box)

        def make_bound(local):
            unit = model.unit(local)
            return Damping(damping * unit, EPS * unit)

        return descend_bounded(run, model, make_bound, "damping")

    def _model(self, objective, theta, evidence, box):
        scaling = self.scaling
        if scaling == "auto":
            scaling = objective.default_scaling or "identity"
        if (
            scaling == "identity"
            and box is None
            and not objective.lacks(("value_grad_gram", "count_residuals"))
            and objective.count_residuals(theta) < MOST_DUAL * theta.size
        ):
            return DualModel(objective, self.acceleration, evidence)
        check_matrices_fit(theta.size, TO_SOLVE)
        return DampedModel(objective, scaling, self.acceleration, evidence, box)
