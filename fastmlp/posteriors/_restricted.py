"""Likelihoods of a location and a scale in each row, the location integrated out of the scale."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import sparse

from fastmlp.data import as_given
from fastmlp.distributions._family import resolution
from fastmlp.solvers import EvidenceState, minimize

# Of locations integrated out: steps between renewals of their deviations, renewals at most, the
# change of the mean deviation at which they have settled, and what they are at first, in the
# targets' spread: large, as a network through its targets would leave them in small steps only.
STEPS, MOST_ROUNDS, SETTLED_SD, FIRST_SD = 20, 10, 0.01, 0.3
# Times the spread of the targets, the least noise, or deviation of a location: less would say that
# there is none.
LEAST_NOISE = 1e-6


def restricted(objective, theta, random_state, train, around, solver):
    """Training by the likelihood of the scales with the locations integrated out.

    From the start: by the joint likelihood scales of single rows would be next to zero by then.

    Parameters
    ----------
    objective, theta, random_state
        What is trained, from where.
    train : callable
        As of :meth:`Posterior.fit`.
    around : callable
        ``around(objective, end)``: the Gaussian around where a run ended.
    solver : LevenbergMarquardt
        By which training goes on where ``train`` has estimated the evidence.

    Returns
    -------
    Result
    """
    X, (y, w) = seen(objective), objective.term.data.selected
    y = y.reshape(len(y), -1)
    half = np.tile(np.full(len(y), 0.5) if w is None else 0.5 * w, 2)
    twice = sparse.vstack([X, X], "csr") if sparse.issparse(X) else np.concatenate([X, X])

    def apart(sd):
        pair = np.concatenate([y + sd, y - sd])
        both = objective.network.objective(twice, pair, sample_weight=half)
        both.n_threads = objective.n_threads
        return both.with_penalty(objective.penalty)

    sd = np.full(y.shape, FIRST_SD * spread(objective))
    end = train(apart(sd), theta, random_state)
    if not isinstance(end.state, EvidenceState):
        return train(objective, end.theta, random_state)
    if end.state.linear:
        return end
    # A target that is rounded is spread evenly over its gap.
    rounding = np.array([resolution(column) for column in y.T]) ** 2 / 12
    for _ in range(MOST_ROUNDS):
        before = sd
        cov = around(objective, end).moments(X)[1]
        sd = np.sqrt(np.einsum("nkk->nk", cov)[:, : y.shape[1]] + rounding)
        sd = np.maximum(sd, LEAST_NOISE * spread(objective))
        if np.abs(np.log(sd.mean() / before.mean())) < SETTLED_SD:
            break
        result = minimize(
            apart(sd), end.theta, solver=solver, state=end.state, max_iter=STEPS, tol=1e-6
        )
        end = dataclasses.replace(end, theta=result.theta, state=result.state)
    return end


def seen(objective):
    """The rows that count as the network sees them."""
    data = objective.term.data
    X = as_given(data.X) if data.index is None else as_given(data.X)[data.index]
    if data.scales is None:
        return X
    mean, scale = data.scales
    return X.multiply(1 / scale).tocsr() if sparse.issparse(X) else (X - mean) / scale


def spread(objective):
    """The standard deviation of the targets; 1 where they do not vary."""
    return float(np.std(objective.term.data.selected[0])) or 1.0
