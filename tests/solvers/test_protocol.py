"""What solvers may ask of an objective, and that they ask for nothing else."""

import re
from pathlib import Path

import numpy as np
import pytest

import fastmlp.solvers
from fastmlp import Network
from fastmlp.solvers import SOLVERS, NewtonCG, _protocol, least_squares_objective, minimize

FOLDER = Path(fastmlp.solvers.__file__).parent


class Quadratic:
    """1/2 theta' A theta with every method that a solver can use; says which were called."""

    A = np.diag([1.0, 2.0, 3.0])

    def __init__(self):
        self.asked = set()

    def __getattribute__(self, name):
        if name in _protocol.PARTS:
            object.__getattribute__(self, "asked").add(name)
        return object.__getattribute__(self, name)

    def value_grad(self, theta):
        return 0.5 * float(theta @ self.A @ theta), self.A @ theta

    def hessian(self, theta):
        return self.A

    ggn = hessian

    def ggn_mul(self, theta, v):
        return self.A @ v

    hess_mul = ggn_mul


def test_parts_are_asked_for_once():
    """At the door; a run calls what was found there."""
    for solver in ("gd", "lbfgs", "newton", "lm", "newton-cg", NewtonCG(curvature="hessian")):
        objective = Quadratic()
        adapted = _protocol.Adapted(objective)
        assert objective.asked == set(_protocol.PARTS)
        assert adapted.lacks(("value_grad", "value", "ggn", "bend", "epoch")) == ["bend", "epoch"]
        objective.asked.clear()
        result = minimize(adapted, [1.0, -1.0, 1.0], solver=solver)
        assert result.loss < 1e-6
        assert not objective.asked


def test_no_other_room_looks_at_what_an_objective_has():
    probes = re.compile(r"\bhasattr\(|\bgetattr\(\s*(objective|curved|everything|line)\b")
    found = {path.name for path in FOLDER.glob("*.py") if probes.search(path.read_text())}
    assert found == {"_protocol.py"}


def test_every_need_is_a_part_of_the_protocol():
    for kind in SOLVERS.values():
        assert set(kind().needs) <= set(_protocol.PARTS)
    assert set(NewtonCG(batch_size=3).needs) <= set(_protocol.PARTS)


@pytest.mark.parametrize(
    ("objective", "without"),
    [
        (
            Network([3, 2, 1]).objective(np.ones((4, 3)), np.ones(4)),
            {"default_scaling", "within", "covariance"},
        ),
        (
            least_squares_objective(lambda theta: theta - 1),
            {
                *(
                    "hessian",
                    "hess_mul",
                    "n_samples",
                    "subset",
                    "sample",
                    "epoch",
                    "n_params",
                    "dtype",
                ),
                *("network", "segments", "ggn_diagonal", "n_residuals", "weight_sum"),
                *("has_noise", "prior", "with_penalty", "linear", "limited"),
            },
        ),
        (lambda theta: (0.0, theta), set(_protocol.PARTS) - {"value", "value_grad"}),
    ],
    ids=["network", "residuals", "function"],
)
def test_what_our_own_objectives_have(objective, without):
    assert set(_protocol.Adapted(objective).lacks(_protocol.PARTS)) == without
