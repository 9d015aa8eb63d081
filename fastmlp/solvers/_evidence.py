"""MacKay's evidence: weight decay and noise level estimated from the training data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

from fastmlp.solvers._full_batch import QUIET

TINY = np.finfo(np.float64).tiny
EPS = np.finfo(np.float64).eps

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
        their relative strengths (the objective's ``shrinking``).
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


def _weighted(weights, theta):
    """Sum_i weights_i theta_i^2."""
    return float(weights @ np.square(theta, dtype=np.float64))


class Evidence:
    """Takes the place of an objective's L2 term, with a strength that the data say.

    The loss is F = E/W + l2/2 v' D v, with W the sum of weights and v the parameters that shrink:
    ``objective.shrinking`` where it has that, else those that its own L2 term holds for. With the
    Gauss-Newton matrix G of F, D the relative strengths on v, and n_free parameters that do not
    shrink,

        effective = n_params - l2 trace(D G^-1),      noise^2 = 2 E / (W n_outputs - effective),
        weight_decay = (effective - n_free) / v' D v,    l2 = weight_decay noise^2 / W.

    A network's hidden biases shrink, too: those of units that the data do not need would count as
    determined otherwise, and with them noise, decay and evidence would grow with idle units.

    A first strength is kept until the data part has settled: estimates at a start that fits badly
    would take the misfit for noise and shrink the network to a linear one, which is a fixed point.
    It makes the penalty a share of the loss that is left where all of v is zero, and so does not
    depend on the units of the targets.

    Parameters
    ----------
    objective : object
        With ``l2``, ``decayed``, ``weight_sum``, ``n_samples``, ``n_residuals`` and ``has_noise``,
        as ``Network.objective`` makes it.
    theta0 : ndarray of shape (n_params,)
        Where the run starts.
    state : EvidenceState or None
        Of the run to go on from, which has settled.

    Attributes
    ----------
    theta0 : ndarray of shape (n_params,)
        Where the run starts in the prior's units: theta0 / sqrt(D), and the best of what does not
        shrink; as given where a state goes on.
    metric : ndarray of shape (n_params,)
        The squared length of a step is ``metric @ step**2``: D, completed.
    settled : bool
        Whether the strength follows the evidence by now.
    state : EvidenceState or None
        The last estimate.

    References
    ----------
    MacKay, Neural Computation 4, 415 (1992); Foresee and Hagan, Proc. ICNN (1997), 1930.
    """

    keys = ("weight_decay", "noise", "effective_params", "log_evidence")

    def __init__(self, objective, theta0, state=None):
        missing = objective.lacks(
            ("l2", "decayed", "weight_sum", "n_samples", "n_residuals", "has_noise")
        )
        if missing:
            raise TypeError(
                f"evidence=True needs an objective that has {', '.join(missing)}; "
                f"{objective.name} has not."
            )
        self._given = float(objective.l2) * np.asarray(objective.decayed, dtype=np.float64)
        self._D = np.asarray(
            objective.decayed if objective.shrinking is None else objective.shrinking, float
        )
        self._log_det_D = float(np.sum(np.log(self._D[self._D > 0])))
        n_params, self._n_free = self._D.size, int(np.sum(self._D == 0))
        if self._n_free == n_params:
            raise ValueError("evidence=True needs an objective that decays some parameters.")
        self._weight_sum = float(objective.weight_sum)
        self._n_data = self._weight_sum * objective.n_residuals / objective.n_samples
        self._has_noise = objective.has_noise
        self.theta0, loss_at_zero = theta0, np.nan
        if state is None:
            with np.errstate(**QUIET):
                loss_at_zero, self.theta0 = _start(objective, theta0, self._D)
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
        self.state = state
        self.settled = state is not None
        self._penalty = share * min(1.0, self._D.size / self._n_data) * self._loss_at_zero
        self._l2 = state.l2 if self.settled else 0.0
        self._n_settling = 0
        self._last = np.inf, np.inf

    @property
    def is_open(self) -> bool:
        """Whether so few parameters are determined, or so many, that others should be tried."""
        effective = self.state.effective_params
        return not IN_DOUBT * self._D.size <= effective <= IN_DOUBT * self._n_data

    def penalised(self, value):
        """``value`` with today's L2 term in place of the objective's own."""
        extra = self._l2 * self._D - self._given
        return lambda theta: value(theta) + 0.5 * _weighted(extra, theta)

    def renew(self, theta, loss, grad, G):
        """Re-estimate at one point; grad and G change in place, the new loss is returned.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            The point.
        loss, grad, G
            There, with the objective's own L2 term.

        Returns
        -------
        loss : float
        record : dict
            By :attr:`keys`.
        """
        norm2 = _weighted(self._D, theta)
        data_loss = loss - 0.5 * _weighted(self._given, theta)
        if np.isfinite(loss) and np.isfinite(G).all():
            diagonal = G.reshape(-1)[:: G.shape[0] + 1]
            least = LEAST * diagonal.size * float(np.max(diagonal / self.metric))
            if not self.settled:  # all may be zero at the start
                self._l2 = max(2 * self._penalty / max(norm2, 1.0), least)
            diagonal += self._l2 * self._D - self._given
            self._estimate(norm2, data_loss, G)
            self._settle(data_loss, norm2)
            if self.settled:
                l2 = max(self.state.l2, least)
                diagonal += (l2 - self._l2) * self._D
                self._l2 = l2
        grad += (self._l2 * self._D - self._given) * theta
        record = {name: getattr(self.state, name, np.nan) for name in self.keys}
        return data_loss + 0.5 * self._l2 * norm2, record

    def _settle(self, data_loss, norm2):
        last_loss, last_norm2 = self._last
        self._last = data_loss, norm2
        self._n_settling += 1
        rests = last_loss - data_loss < SETTLED * last_loss and norm2 < GROWS * last_norm2
        self.settled |= rests or self._n_settling > MOST_SETTLING

    def _estimate(self, norm2, data_loss, G):
        n_params = G.shape[0]
        matrix = G.copy()
        matrix.reshape(-1)[:: n_params + 1] += n_params * EPS * np.diagonal(G).max()
        factor, info = dpotrf(matrix.T, lower=1, overwrite_a=1, clean=0)
        if info != 0:  # no curvature to speak of: every parameter counts
            effective, log_det = float(n_params), np.nan
        else:
            log_det = 2 * float(np.sum(np.log(np.diagonal(factor))))
            inverse, _ = dpotri(factor, lower=1, overwrite_c=1)
            trace = float(np.diagonal(inverse) @ self._D)
            effective = n_params - min(self._l2 * trace, float(n_params - self._n_free))
        sum_loss = data_loss * self._weight_sum
        noise2 = 1.0
        if self._has_noise:
            noise2 = max(2 * sum_loss / max(self._n_data - effective, 1.0), TINY)
        weight_decay = max(effective - self._n_free, EPS) / max(norm2, TINY)
        # log|beta J'J + alpha D|: G is that matrix times noise^2 / W
        log_det += n_params * np.log(self._weight_sum / noise2)
        log_evidence = (
            -sum_loss / noise2
            - 0.5 * weight_decay * norm2
            - 0.5 * log_det
            + 0.5 * self._log_det_D
            + 0.5 * (n_params - self._n_free) * np.log(weight_decay)
        )
        if self._has_noise:
            log_evidence -= 0.5 * self._n_data * np.log(2 * np.pi * noise2)
        share = min(effective / self._n_data, 1 - 1 / max(self._n_data, 2.0))
        self.state = EvidenceState(
            weight_decay=weight_decay,
            noise=float(np.sqrt(noise2)),
            effective_params=effective,
            log_evidence=float(log_evidence),
            l2=weight_decay * noise2 / self._weight_sum,
            expected_loss=data_loss / (1 - share) ** 2 if self._has_noise else data_loss + share,
        )


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
        G = np.asarray(objective.ggn(theta), dtype=np.float64)[np.ix_(free, free)]
        if not (least - loss > SETTLED * abs(loss) and np.isfinite(G).all()):
            break
        least, best = float(loss), theta.copy()
        theta[free] -= np.linalg.lstsq(G, np.asarray(grad)[free], rcond=None)[0]
    if not np.isfinite(least):
        return 0.0, theta0
    units = np.sqrt(np.where(D > 0, D, 1.0))
    return least, np.where(D > 0, theta0 / units, best).astype(theta.dtype)
