"""Cholesky factors against NumPy's linear algebra, and other threads meanwhile."""

import os
import sys
import threading

import numpy as np
import pytest
from fastmlp.solvers._cholesky import factor, inverse, inverse_diagonal, solve


def positive(n, seed=0):
    A = np.random.default_rng(seed).normal(size=(n, n + 3))
    return A @ A.T


@pytest.mark.parametrize("n", [1, 2, 7, 65, 130])
def test_against_numpy(n):
    G, more = positive(n), np.linspace(0.1, 2, n)
    kept, M = G.copy(), G + np.diag(more)
    L = factor(G, more)
    assert np.array_equal(G, kept)
    assert L.flags.f_contiguous and np.array_equal(L, np.tril(L))
    assert np.allclose(L, np.linalg.cholesky(M), rtol=1e-10, atol=1e-10)
    exact = np.linalg.inv(M)
    for rhs in (np.arange(1.0, n + 1), np.ones((n, 3)), np.ones((n, 0))):
        given = rhs.copy()
        assert np.allclose(solve(L, rhs), exact @ rhs, rtol=1e-8)
        assert np.array_equal(rhs, given)
    assert np.allclose(inverse(L), exact, rtol=1e-7)
    assert np.allclose(inverse_diagonal(L), np.diagonal(exact), rtol=1e-7)


def test_reads_the_upper_triangle_alone():
    G = positive(9)
    below = G.copy()
    below[np.tril_indices(9, -1)] = np.nan
    assert np.array_equal(factor(below, 0.5), factor(G, 0.5))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [(0, 0), (0, 5), (3, 4), (5, 5)])
def test_none_where_not_finite_or_not_positive_definite(bad, at):
    G = positive(6)
    assert factor(G, -1e3) is None
    G[at] = bad
    assert factor(G, 1.0) is None


@pytest.mark.parametrize(
    "wrong",
    [
        lambda L: factor(np.ones((2, 3)), 0.0),
        lambda L: factor(np.ones((2, 2)), np.ones(3)),
        lambda L: solve(L, np.ones(4)),
        lambda L: solve(L, np.ones((1, 3))),
        lambda L: solve(L[:, :2], np.ones(3)),
        lambda L: solve(L, np.ones((3, 1, 1))),
        lambda L: inverse(L[:, :2]),
        lambda L: inverse_diagonal(L[:, :2]),
    ],
)
def test_shapes_that_do_not_fit(wrong):
    with pytest.raises(ValueError):
        wrong(factor(positive(3), 0.0))


@pytest.mark.parametrize("work", [factor, solve, inverse_diagonal])
def test_other_threads_run_meanwhile(work):
    """They have no turn without the lock; NumPy lets go of it where it copies more than here."""
    n = 400
    G, diagonal = positive(n), np.ones(n)
    L = factor(G, diagonal)
    arguments = {factor: (G, diagonal), solve: (L, diagonal), inverse_diagonal: (L,)}[work]
    turns, ended = [0], threading.Event()

    def look():
        while not ended.is_set():
            turns[0] += 1
            os.stat(".")  # lets go of the lock, and not of the processor

    watcher, before = threading.Thread(target=look), sys.getswitchinterval()
    sys.setswitchinterval(100)
    try:
        watcher.start()
        met = False
        for _ in range(1000):
            start = turns[0]
            work(*arguments)
            met = turns[0] > start
            if met:
                break
    finally:
        ended.set()
        sys.setswitchinterval(before)
    watcher.join()
    assert met
