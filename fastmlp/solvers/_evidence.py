"""MacKay's evidence: strengths of the prior and noise level estimated from the training data."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fastmlp.solvers._full_batch import QUIET
from fastmlp.solvers._protocol import Adapted

TINY = np.finfo(np.float64).tiny
HUGE = 1e300  # where there is no noise at all
EPS = np.finfo(np.float64).eps

NEEDS = (
    "prior", "with_penalty", "ggn_mul", "weight_sum", "n_samples", "n_residuals", "has_noise"
)  # fmt: skip
# How strong the decay is before the evidence speaks: the share of the loss, as it is where all that
# shrinks is zero, that the penalty makes up; less where data are more than parameters. The evidence
# has several fixed points, one of which may be linear. A strong first decay finds the better ones
# of a network larger than its data need, a weak one those of a network that has to bend.
STRONG, WEAK = 0.05, 1e-3
# The data part has settled when an iteration lowers it by less than this share, and weights do not
# grow by this factor; or after so many iterations.
SETTLED = 1e-3
GROWS = 1.2
MOST_SETTLING = 20
# Times n_params and the largest curvature, the least strength: below it, where a network passes
# through all of its data, the rounding of G decides how many parameters count.
LEAST = 100 * EPS
# Times the largest curvature, the largest strength: what it holds is as good as zero.
MOST = 1e4
# A fixed point at which the data determine less than this share of the parameters may be a
# collapse; one that spends more than this share of the data on parameters has few left to judge by.
IN_DOUBT = 0.5


@dataclass(frozen=True)
class EvidenceState:
    """What the evidence says at the end of a run, and what a further run goes on from.

    Attributes
    ----------
    weight_decay : float
        alpha, the precision of the prior ``exp(-alpha/2 v' D v)``: v the parameters that shrink, D
        their relative strengths within groups. With several groups the mean of theirs, weighted by
        their ``v' D v``.
    noise : float
        Standard deviation of the residuals; 1 where the loss has no noise level of its own.
    effective_params : float
        How many parameters the data determine, from 0 to n_params.
    log_evidence : float
        log p(y | weight decay, noise), in Laplace's approximation, up to constants of the data.
    l2 : float
        ``weight_decay * noise^2 / sum of weights``: the strength in the mean loss.
    expected_loss : float
        The loss to be expected on new rows: ``E/W / (1 - effective / n_data)^2``, generalised
        cross-validation (Craven and Wahba 1979), or ``E/W + effective / n_data`` where the loss
        has no noise level of its own (Murata et al. 1994).
    linear : bool
        Whether a linear function explains the data better than what bends.
    strengths : dict of str to float or tuple of float
        alpha of each segment of theta ("W1", "b1", "W2", ...); of each row of it, where these are
        groups. Finite: what the data do not need has a large one. 0: no prior. Those of the
        linear function where that explains the data better.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import MLPRegressor
    >>> from fastmlp.solvers import LevenbergMarquardt
    >>> rng = np.random.RandomState(0)
    >>> X = np.linspace(-1, 1, 100).reshape(-1, 1)
    >>> y = np.sin(3 * X).ravel() + rng.normal(0, 0.3, 100)
    >>> model = MLPRegressor(
    ...     hidden_layer_sizes=(8,), solver=LevenbergMarquardt(evidence=True), random_state=0
    ... )
    >>> bool(0.2 < model.fit(X, y).evidence_.noise < 0.4)
    True
    """

    weight_decay: float
    noise: float
    effective_params: float
    log_evidence: float
    l2: float
    expected_loss: float = np.nan
    linear: bool = False
    strengths: dict[str, float | tuple[float, ...]] = field(default_factory=dict)

    @property
    def relevance(self) -> np.ndarray | None:
        """Of each feature, (n_features,): its weights' deviation in the prior (Neal 1996).

        ``alpha^-1/2``, near zero for a feature that says nothing about the targets; to be compared
        between features of one scale. None where they have no strength each.
        """
        of_features = self.strengths.get("W1")
        return 1 / np.sqrt(of_features) if isinstance(of_features, tuple) else None


class Evidence:
    """Takes the place of an objective's L2 term, with strengths that the data say.

    The loss is F = E/W + 1/2 sum_g l2_g v_g' D v_g, with W the sum of weights and v_g the
    parameters of group g in ``objective.prior(grouping)``, D their relative strengths. With the
    Gauss-Newton matrix G of F, n_g parameters in group g, and n_flat that have no prior,

        effective_g = n_g - l2_g trace_g(D G^-1),      effective = n_flat + sum_g effective_g,
        alpha_g = effective_g / v_g' D v_g,    noise^2 = 2 E / (W n_outputs - effective),

    and l2_g = alpha_g noise^2 / W (MacKay 1992). A strength with a typical value t has a Gamma
    density of mean t and shape a: alpha_g = (effective_g + 2 a) / (v_g' D v_g + 2 a / t) (Neal
    1996). Its shape is the sum of all effective_g. Less does not hold it: where units are nearly
    linear, theta shares its penalty evenly between the layers, alpha_1 v_1' v_1 = alpha_2 v_2' v_2,
    whatever the strengths, and the formula of a layer of few parameters then lowers its strength
    from step to step, towards an output that is the small difference of large terms.

    A network's hidden biases shrink, too: those of units that the data do not need would count as
    determined otherwise, and with them noise, decay and evidence would grow with idle units.

    A first strength for all is kept until the data part has settled: estimates at a start that fits
    badly would take the misfit for noise and shrink the network to a linear one, which is a fixed
    point. It makes the penalty a share of the loss that is left where all of v is zero, and so does
    not depend on the units of the targets.

    Parameters
    ----------
    objective : object
        With ``prior``, ``with_penalty``, ``ggn_mul``, ``weight_sum``, ``n_samples``,
        ``n_residuals`` and ``has_noise``, as ``Network.objective`` makes it. Its own penalty does
        not count.
    theta0 : ndarray of shape (n_params,)
        Where the run starts.
    state : EvidenceState or None
        Of the run to go on from, which has settled.
    grouping : {"single", "layer", "ard"}
        What shares a strength.

    Attributes
    ----------
    objective : object
        The loss of the data without a penalty.
    theta0 : ndarray of shape (n_params,)
        Where the run starts in the prior's units: theta0 / sqrt(D), and the best of what does not
        shrink; as given where a state goes on.
    metric : ndarray of shape (n_params,)
        The squared length of a step is ``metric @ step**2``: D, completed.
    settled : bool
        Whether the strengths follow the evidence by now.
    state : EvidenceState or None
        The last estimate.

    References
    ----------
    MacKay, Neural Computation 4, 415 (1992); Foresee and Hagan, Proc. ICNN (1997), 1930. Groups:
    Neal, Bayesian Learning for Neural Networks (1996); Tipping, J. Machine Learning Research 1, 211
    (2001).
    """

    keys = ("weight_decay", "noise", "effective_params", "log_evidence")

    def __init__(self, objective, theta0, state=None, grouping="single"):
        missing = objective.lacks(NEEDS)
        if missing:
            raise TypeError(
                f"evidence needs an objective that has {', '.join(missing)}; "
                f"{objective.name} has not."
            )
        self._prior = _checked(objective.prior(grouping), theta0.size)
        self._now = self._prior.penalty
        self._D = self._now.diagonal
        self.objective = Adapted(objective.with_penalty(self._now.with_strengths(0.0)))
        self._log_det_D = float(np.sum(np.log(self._D[self._D > 0])))
        self._index = self._now.groups.index + 1
        self._sizes = self._by_group(np.ones(theta0.size))
        self._n_flat = theta0.size - int(self._sizes.sum())
        self._weight_sum = float(objective.weight_sum)
        self._n_data = self._weight_sum * objective.n_residuals / objective.n_samples
        self._has_noise = objective.has_noise
        self.theta0, loss_at_zero = theta0, np.nan
        if state is None or state.linear:  # further runs begin anew
            with np.errstate(**QUIET):
                loss_at_zero, start = _start(self.objective, theta0, self._D)
            self.theta0 = start if state is None else theta0
        self._loss_at_zero = loss_at_zero
        variance = 2 * loss_at_zero * objective.n_samples / objective.n_residuals
        in_units = self._has_noise and variance > TINY  # those of an output's bias
        self.metric = np.where(self._D > 0, self._D, 1 / variance if in_units else 1.0)
        self.begin(STRONG, state)

    def begin(self, share, state=None):
        """Forget the last run, and take a first strength for the next one.

        Parameters
        ----------
        share : float
            What the penalty makes up of the loss where all that shrinks is zero; less where data
            are more than parameters.
        state : EvidenceState or None
            Takes the place of a first strength.
        """
        self._given = state
        self._estimate = {}  # what a state says, its strengths as an array
        self.settled = state is not None
        self._penalty = share * min(1.0, self._D.size / self._n_data) * self._loss_at_zero
        self.l2 = self._of_state(state) if self.settled else np.zeros(len(self._sizes))
        self._n_settling = 0
        self._last = np.inf, np.inf

    def _of_state(self, state):
        """The strengths in the mean loss that a state says."""
        if len(self._sizes) == 1:
            return np.array([state.l2])
        decays = np.full(len(self._sizes), state.weight_decay)
        for name, groups in self._prior.segments.items():
            if groups and name in state.strengths and not state.linear:
                found = state.strengths[name]
                if np.size(found) not in (1, len(groups)):
                    raise ValueError(
                        f"state has {np.size(found)} strengths of {name}, where {len(groups)} are "
                        "asked for: it is that of a run with another evidence."
                    )
                decays[list(groups)] = found
        return decays * state.noise**2 / self._weight_sum

    @property
    def state(self) -> EvidenceState | None:
        """The last estimate; before it that of the run to go on from."""
        if not self._estimate:
            return self._given
        alpha = self._estimate["strengths"]
        strengths = {name: _plain(alpha[list(k)]) for name, k in self._prior.segments.items()}
        return EvidenceState(**{**self._estimate, "strengths": strengths})

    @property
    def is_open(self) -> bool:
        """Whether so few parameters are determined, or so many, that others should be tried."""
        effective = self._estimate["effective_params"]
        return not IN_DOUBT * self._D.size <= effective <= IN_DOUBT * self._n_data

    @property
    def l2(self):
        """Today's strengths in the mean loss, (n_groups,)."""
        return self._now.strengths

    @l2.setter
    def l2(self, strengths):
        self._now = self._now.with_strengths(strengths)

    def _by_group(self, v):
        """Sums of v, (n_params,), over each group."""
        return np.bincount(self._index, v, len(self._now.groups.names) + 1)[1:]

    def penalised(self, value):
        """``value``, a loss without a penalty, with one of today's strengths."""
        now = self._now
        return lambda theta: value(theta) + now.value(theta)

    def renew(self, theta, loss, grad, curvature):
        """Re-estimate at one point; grad and curvature change, the new loss is returned.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            The point.
        loss, grad : float, ndarray of shape (n_params,)
            There, of the data alone.
        curvature : DenseLaplace, DualLaplace, BlockLaplace or DiagonalLaplace
            Likewise; in the end with today's strengths.

        Returns
        -------
        loss : float
        record : dict
            By :attr:`keys`.
        """
        norm2 = self._now.squares(theta)
        if np.isfinite(loss) and curvature.finite:
            largest = float(np.max(curvature.diagonal / self.metric))
            least = LEAST * theta.size * largest
            if not self.settled:  # all may be zero at the start
                first = max(2 * self._penalty / max(float(norm2.sum()), 1.0), least)
                self.l2 = np.full(len(norm2), first)
            curvature.hold(self._now.diagonal)
            l2 = self._renewed(norm2, loss, *curvature.weigh(), MOST * largest)
            self._settle(loss, norm2.sum())
            if self.settled:
                self.l2 = np.maximum(l2, least)
                curvature.hold(self._now.diagonal)
        self._now.add_to(grad, theta)
        record = {name: self._estimate.get(name, np.nan) for name in self.keys}
        return loss + self._now.value(theta), record

    def _settle(self, data_loss, norm2):
        last_loss, last_norm2 = self._last
        self._last = data_loss, norm2
        self._n_settling += 1
        rests = last_loss - data_loss < SETTLED * abs(last_loss) and norm2 < GROWS * last_norm2
        self.settled |= bool(rests) or self._n_settling > MOST_SETTLING

    def _renewed(self, norm2, data_loss, shares, log_det, most):
        """What strengths in the mean loss a point says, up to ``most``; the state changes."""
        n_params = shares.size
        determined = np.clip(self._by_group(shares), 0.0, self._sizes)
        effective = self._n_flat + float(determined.sum())
        sum_loss = data_loss * self._weight_sum
        noise2 = 1.0
        if self._has_noise:
            noise2 = max(2 * sum_loss / max(self._n_data - effective, 1.0), TINY)
        unit = noise2 / self._weight_sum
        typical = self._prior.typical
        shape = np.where(typical > 0, determined.sum(), 0.0)
        spread = np.maximum(norm2 + 2 * shape / np.maximum(typical, TINY), TINY)
        alpha = np.maximum(determined + 2 * shape, EPS) / spread
        alpha = np.minimum(alpha, min(most, HUGE * unit) / unit)
        # log|beta J'J + alpha D|: G is that matrix times noise^2 / W
        log_det -= n_params * np.log(unit)
        log_evidence = (
            -sum_loss / noise2
            - 0.5 * float(alpha @ norm2)
            - 0.5 * log_det
            + 0.5 * self._log_det_D
            + 0.5 * float(self._sizes @ np.log(alpha))
        )
        if self._has_noise:
            log_evidence -= 0.5 * self._n_data * np.log(2 * np.pi * noise2)
        share = min(effective / self._n_data, 1 - 1 / max(self._n_data, 2.0))
        weight_decay = max(effective - self._n_flat, EPS) / max(float(norm2.sum()), TINY)
        self._estimate = {
            "weight_decay": weight_decay,
            "noise": float(np.sqrt(noise2)),
            "effective_params": effective,
            "log_evidence": float(log_evidence),
            "l2": weight_decay * unit,
            "expected_loss": data_loss / (1 - share) ** 2 if self._has_noise else data_loss + share,
            "strengths": alpha,
        }
        return alpha * unit


def _plain(strengths):
    """The strengths of a segment: 0, a number, or a tuple of them."""
    few = strengths.size < 2
    return float(strengths.sum()) if few else tuple(strengths.tolist())


def _checked(prior, n_params):
    """A prior whose parts fit each other."""
    names, index = prior.penalty.groups
    if np.shape(index) != (n_params,) or np.shape(prior.typical) != (len(names),):
        raise ValueError(
            f"The objective's prior has groups of {np.size(index)} parameters and "
            f"{np.size(prior.typical)} typical strengths; {n_params} and one for each of "
            f"{len(names)} groups are expected."
        )
    if not len(names):
        raise ValueError("The evidence needs a prior on some parameters.")
    return prior


def _start(objective, theta0, D):
    """The least loss where all that shrinks is zero, and theta0 in the units of the prior.

    That loss is found by Newton steps of what does not shrink. For a network it is the loss of the
    best constant, the scale of all losses to come.
    """
    theta = np.where(D == 0, theta0, 0).astype(theta0.dtype)
    free = np.flatnonzero(D == 0)
    least, best = np.inf, theta
    for _ in range(MOST_SETTLING):
        loss, grad = objective.value_grad(theta)
        units = (np.eye(1, theta.size, i)[0] for i in free)
        G = np.array([objective.ggn_mul(theta, unit)[free] for unit in units])
        if not (least - loss > SETTLED * abs(loss) and np.isfinite(G).all()):
            break
        least, best = float(loss), theta.copy()
        theta[free] -= np.linalg.lstsq(G, np.asarray(grad)[free], rcond=None)[0]
    if not np.isfinite(least):
        return 0.0, theta0
    in_units = theta0 / np.sqrt(np.where(D > 0, D, 1.0))
    return least, np.where(D > 0, in_units, best).astype(theta.dtype)
