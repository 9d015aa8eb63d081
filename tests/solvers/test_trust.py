"""The parts of the runs that trust a model: exact and conjugate steps, damping, radius."""

import numpy as np
import pytest

from fastmlp.solvers._full_batch import Point
from fastmlp.solvers._newton_cg import ConjugateSteps
from fastmlp.solvers._newton_trust import bounded_minimum
from fastmlp.solvers._trust import Damping, Proposal, Radius


class TestBoundedMinimum:
    @pytest.mark.parametrize("lowest", [-2.0, 0.0, 1.0])
    @pytest.mark.parametrize("radius", [1e-3, 0.5, 10.0])
    def test_optimality(self, lowest, radius):
        rng = np.random.default_rng(0)
        eigenvalues = np.sort(np.append(rng.uniform(1.5, 4, size=5), lowest))
        slopes = rng.normal(size=6)
        s, at_bound = bounded_minimum(eigenvalues, slopes, radius)
        length = np.linalg.norm(s)
        assert length <= radius * (1 + 2e-3)
        shift = -(slopes @ s + s @ (eigenvalues * s)) / (s @ s)
        assert shift >= max(0, -lowest) - 1e-6 * abs(shift)
        assert np.allclose((eigenvalues + shift) * s, -slopes, rtol=1e-6, atol=1e-6)
        assert at_bound == (length > radius * (1 - 2e-3))

    def test_hard_case(self):
        eigenvalues, slopes = np.array([-1.0, 2.0]), np.array([0.0, 1.0])
        s, at_bound = bounded_minimum(eigenvalues, slopes, 2.0)
        assert at_bound
        assert np.linalg.norm(s) == pytest.approx(2.0)
        assert s[1] == pytest.approx(-1 / 3)

    def test_no_curvature_at_all(self):
        s, at_bound = bounded_minimum(np.zeros(2), np.array([3.0, 4.0]), 1.0)
        assert at_bound
        assert np.allclose(s, [-0.6, -0.8], rtol=2e-3)


class Bowl:
    """A quadratic with known curvature, for the path of conjugate gradients."""

    def __init__(self, eigenvalues):
        self.eigenvalues = np.asarray(eigenvalues)

    def value_grad(self, theta):
        grad = self.eigenvalues * theta
        return 0.5 * float(theta @ grad), grad

    def ggn_mul(self, theta, v):
        return self.eigenvalues * v


class TestConjugateSteps:
    def make(self, eigenvalues, theta):
        objective = Bowl(eigenvalues)
        loss, grad = objective.value_grad(theta)
        point = Point(theta, loss, grad)
        local = ConjugateSteps(
            point, objective, objective.ggn_mul, None, 20, out_of_time=lambda: False
        )
        return local, objective

    @pytest.mark.parametrize("radius", [2.0, 0.7, 0.05])
    @pytest.mark.parametrize("eigenvalues", [[1.0, 3.0, 10.0], [-1.0, 2.0, 5.0]])
    def test_promise_is_the_models_decrease(self, eigenvalues, radius):
        theta = np.array([1.0, -0.5, 0.3])
        local, objective = self.make(eigenvalues, theta)
        for r in (2.0, radius):  # the second one cuts the path of the first
            proposal = local.step(r)
            after, _ = objective.value_grad(theta + proposal.step)
            assert local.point.loss - after == pytest.approx(proposal.predicted, rel=1e-9)
            assert np.linalg.norm(proposal.step) <= r * (1 + 1e-9)
            assert proposal.at_bound == (np.linalg.norm(proposal.step) > r * (1 - 1e-9))

    def test_a_saddle_promises_without_bound(self):
        local, _ = self.make([-1.0, 2.0, 5.0], np.array([1.0, -0.5, 0.3]))
        assert local.decrement(0.0) == np.inf


class TestBounds:
    def test_nielsen(self):
        bound = Damping(1.0, 1e-3)
        proposal = Proposal(np.zeros(1), 1.0)
        for expected in (2.0, 8.0, 64.0):
            bound.reject(proposal)
            assert bound.size == expected
        bound.accept(1.0, proposal)
        assert bound.size == pytest.approx(64 / 3)
        bound.reject(proposal)
        assert bound.size == pytest.approx(128 / 3)
        bound.accept(0.5, proposal)
        assert bound.size == pytest.approx(128 / 3)
        for _ in range(20):
            bound.accept(0.99, proposal)
        assert bound.size == 1e-3

    def test_radius(self):
        bound = Radius(1.0)
        bound.accept(0.9, Proposal(np.zeros(1), 1.0, True, 1.0))
        assert bound.size == 2.0
        bound.accept(0.9, Proposal(np.zeros(1), 1.0, False, 0.5))
        assert bound.size == 2.0
        bound.accept(0.1, Proposal(np.zeros(1), 1.0, True, 2.0))
        assert bound.size == 0.5
        bound.reject(Proposal(np.zeros(1), 1.0, False, 0.2))
        assert bound.size == pytest.approx(0.05)
