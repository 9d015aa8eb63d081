"""The evidence's fixed points: runs that look for several, and the choice among them.

Where the strength of the prior follows the data, a run ends at a fixed point, and there are
several: a network that takes what it misses for noise is shrunk until it is a straight line, and
stays one. So a run begins with a strong prior, and again with a weak one where the data leave most
parameters undetermined. A linear function on the same data has a run of its own, which wins where
bending explains nothing.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from fastmlp.solvers._base import Result, Status
from fastmlp.solvers._evidence import WEAK, Evidence
from fastmlp.solvers._protocol import Adapted

# Ends that are not a run's own: what they interrupt is not begun again.
FROM_OUTSIDE = (Status.CALLBACK, Status.INTERRUPTED, Status.MAX_TIME)
# A linear function wins by the evidence if besides its expected loss is at most so many times that
# of the network: Laplace's approximation is too coarse to choose a line on its word alone.
MOST_WORSE = 1.1


def best_fixed_point(
    descend, objective, theta0, limits, callback, validation, state, grouping="single"
) -> Result:
    """The best of the runs from ``theta0``.

    Parameters
    ----------
    descend : callable
        ``descend(objective, theta0, limits, callback, validation, evidence=...) -> Result``.
    objective, theta0, limits, callback, validation, state
        As a solver's ``run`` takes them. All runs share ``max_time``. Where the objective has
        ``linear``, which gives a linear function on its data, that has a run, too.
    grouping : {"single", "layer", "ard"}
        What shares a strength.

    Returns
    -------
    Result
        Its history is that of the best run alone.
    """
    started = time.perf_counter()
    evidence = Evidence(objective, theta0, state, grouping)
    results = [descend(objective, evidence.theta0, limits, callback, validation, evidence=evidence)]

    def limits_left():
        return replace(limits, max_time=limits.max_time - (time.perf_counter() - started))

    def goes_on():
        return results[-1].status not in FROM_OUTSIDE and limits_left().max_time > 0

    if (state is None or state.linear) and goes_on():
        if evidence.is_open:
            evidence.begin(WEAK)
            if limits.progress is not None:
                limits.progress.begin_again("Again, from a weaker prior:")
            results.append(
                descend(
                    objective,
                    evidence.theta0,
                    limits_left(),
                    callback,
                    validation,
                    evidence=evidence,
                )
            )
        if goes_on() and objective.linear is not None:
            limits = replace(limits_left(), progress=None)  # a few iterations of another kind
            results += _linear(descend, objective, results[-1].theta, limits, validation, grouping)
    best = results[best_run(results)]
    status = results[-1].status
    return replace(best, status=status) if status in FROM_OUTSIDE else best


def _linear(descend, objective, theta, limits, validation, grouping) -> list[Result]:
    """The run of a linear function, as one of the network; none where it cannot be that."""
    twin = objective.linear(theta)
    if twin is None:
        return []
    line, as_network = twin
    watch = None if validation is None else lambda theta: validation(as_network(theta))
    line = Adapted(line)
    evidence = Evidence(line, np.zeros(line.n_params, line.dtype), grouping=grouping)
    evidence.begin(WEAK)
    result = descend(line, evidence.theta0, limits, None, watch, evidence=evidence)
    state = result.state and replace(result.state, linear=True)  # None: interrupted at once
    return [replace(result, theta=as_network(result.theta), state=state)]


def best_run(results) -> int:
    """The index of the best of several runs.

    By the validation score where there is one; else by the evidence where the solver estimates it;
    else by the loss.
    """
    merits = [result.merit for result in results]
    if any("validation_score" in result.history for result in results):
        return int(np.argmax(merits))
    bent = [merit if not _is_line(r) else -np.inf for merit, r in zip(merits, results, strict=True)]
    best = int(np.argmax(bent))
    for i, result in enumerate(results):
        if _is_line(result) and merits[i] > merits[best]:
            expected = results[best].state.expected_loss
            if not result.state.expected_loss > MOST_WORSE * expected:
                best = i
    return best


def _is_line(result) -> bool:
    return getattr(result.state, "linear", False)
