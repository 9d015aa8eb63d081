"""Pieces of a posterior that are made side by side, each by one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp._core.team import LARGEST_TEAM
from fastmlp._numbers import check_random_state
from fastmlp.threads import available_cpus, blas_threads, each_once, threads_in_force


def generators(random_state: Any, n: int) -> list[np.random.Generator]:
    """n independent streams: what a piece draws does not depend on the others."""
    rng = check_random_state(random_state)
    draw = rng.integers if isinstance(rng, np.random.Generator) else rng.randint
    seed = np.random.SeedSequence([int(part) for part in draw(2**31 - 1, size=4)])
    return [np.random.default_rng(child) for child in seed.spawn(n)]


class Flag(list):
    """What :func:`fastmlp.threads.each_once` appends to, seen by native code, too.

    Attributes
    ----------
    flag : ndarray of intc of shape (1,)
        1 as soon as something was appended.
    """

    def __init__(self):
        self.flag = np.zeros(1, np.intc)

    def append(self, item):
        """Raise the flag."""
        super().append(item)
        self.flag[0] = 1


def n_workers(n_threads: int | None, n: int) -> int:
    """Threads for n pieces."""
    return min(n, n_threads or threads_in_force(available_cpus()), LARGEST_TEAM)


def side_by_side(
    work: Callable[[int], None], n: int, workers: int, stopped: list, blas: int | None = 1
) -> None:
    """work(0) .. work(n - 1), each by one thread.

    Parameters
    ----------
    work : callable
    n, workers : int
    stopped : list
        As of :func:`fastmlp.threads.each_once`.
    blas : int or None
        Threads of BLAS meanwhile: one, so that sums are always the same; None: as they are.
    """
    with blas_threads(blas):
        each_once(work, range(n), workers, stopped)


def new_start(objective: Any, rng: np.random.Generator) -> np.ndarray:
    """Where one more run begins: a likelihood's biases at the targets' marginal distribution."""
    network = objective.network
    if network.n_raw == network.n_targets or network._loss.is_custom:
        return network.init(random_state=rng)
    y, w = objective.term.data.selected
    return network.init(random_state=rng, y=y, sample_weight=w)
