"""MacKay's evidence: weight decay and noise level estimated from the training data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

TINY = np.finfo(np.float64).tiny
EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class EvidenceState:
    """What the evidence says at the end of a run, and what a further run goes on from.

    Attributes
    ----------
    weight_decay : float
        alpha, the precision of the prior ``exp(-alpha/2 ||v||^2)``, v the parameters that shrink.
    noise : float
        Standard deviation of the residuals; 1 where the loss has no noise level of its own.
    effective_params : float
        How many parameters the data determine, from 0 to n_params.
    log_evidence : float
        log p(y | weight decay, noise), in Laplace's approximation, up to constants of the data.
    l2 : float
        ``weight_decay * noise^2 / sum of weights``: the strength in the mean loss.
    """

    weight_decay: float
    noise: float
    effective_params: float
    log_evidence: float
    l2: float


def _weighted(weights, theta):
    """Sum_i weights_i theta_i^2."""
    return float(weights @ np.square(theta, dtype=np.float64))


class Evidence:
    """Takes the place of an objective's L2 term, with a strength that the data say.

    The loss is F = E/W + l2/2 ||v||^2, with W the sum of weights and v the parameters that shrink:
    ``objective.shrinking`` where it has that, else those that its own L2 term holds for. With the
    Gauss-Newton matrix G of F, D the diagonal mask of v, and n_free parameters that do not shrink,

        effective = n_params - l2 trace(D G^-1),      noise^2 = 2 E / (W n_outputs - effective),
        weight_decay = (effective - n_free) / ||v||^2,    l2 = weight_decay noise^2 / W.

    A network's hidden biases shrink, too: those of units that the data do not need would count as
    determined otherwise, and with them noise, decay and evidence would grow with idle units.

    Parameters
    ----------
    objective : object
        With ``l2``, ``decayed``, ``weight_sum``, ``n_samples``, ``n_residuals`` and ``has_noise``,
        as ``Network.objective`` makes it.
    state : EvidenceState or None
        Of the run to go on from.

    References
    ----------
    MacKay, Neural Computation 4, 415 (1992); Foresee and Hagan, Proc. ICNN (1997), 1930.
    """

    keys = ("weight_decay", "noise", "effective_params", "log_evidence")

    def __init__(self, objective, state=None):
        missing = [
            name
            for name in ("l2", "decayed", "weight_sum", "n_samples", "n_residuals", "has_noise")
            if not hasattr(objective, name)
        ]
        if missing:
            raise TypeError(
                f"evidence=True needs an objective that has {', '.join(missing)}; "
                f"{type(objective).__name__} has not."
            )
        self._given = float(objective.l2) * np.asarray(objective.decayed, dtype=np.float64)
        mask = getattr(objective, "shrinking", objective.decayed)
        self._mask = np.asarray(mask, dtype=np.float64)
        self._n_free = int(np.sum(self._mask == 0))
        if self._n_free == self._mask.size:
            raise ValueError("evidence=True needs an objective that decays some parameters.")
        self._weight_sum = float(objective.weight_sum)
        self._n_data = self._weight_sum * objective.n_residuals / objective.n_samples
        self._has_noise = objective.has_noise
        self._l2 = float(objective.l2 if state is None else state.l2)
        self.state = state

    def penalised(self, value):
        """``value`` with today's L2 term in place of the objective's own."""
        extra = self._l2 * self._mask - self._given
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
        norm2 = _weighted(self._mask, theta)
        data_loss = loss - 0.5 * _weighted(self._given, theta)
        if np.isfinite(loss) and np.isfinite(G).all():
            diagonal = G.reshape(-1)[:: G.shape[0] + 1]
            diagonal += self._l2 * self._mask - self._given
            self._estimate(norm2, data_loss, G)
            diagonal += (self.state.l2 - self._l2) * self._mask
            self._l2 = self.state.l2
        grad += (self._l2 * self._mask - self._given) * theta
        record = {name: getattr(self.state, name, np.nan) for name in self.keys}
        return data_loss + 0.5 * self._l2 * norm2, record

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
            trace = float(np.diagonal(inverse) @ self._mask)
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
            + 0.5 * (n_params - self._n_free) * np.log(weight_decay)
        )
        if self._has_noise:
            log_evidence -= 0.5 * self._n_data * np.log(2 * np.pi * noise2)
        self.state = EvidenceState(
            weight_decay=weight_decay,
            noise=float(np.sqrt(noise2)),
            effective_params=effective,
            log_evidence=float(log_evidence),
            l2=weight_decay * noise2 / self._weight_sum,
        )
