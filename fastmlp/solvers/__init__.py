"""Minimisers of a function of one flat vector, theta.

They know no network: an objective is any object with ``value_grad(theta)``, and ``hessian(theta)``,
``ggn(theta)``, ``ggn_mul(theta, v)`` or ``epoch(...)`` for the solvers that ask for more. See
:func:`minimize`.
"""

from fastmlp.solvers._base import Limits, Result, Status
from fastmlp.solvers._callback import STOP, Record
from fastmlp.solvers._curve import fit_curve
from fastmlp.solvers._descent import GradientDescent
from fastmlp.solvers._evidence import EvidenceState
from fastmlp.solvers._lbfgs import LBFGS
from fastmlp.solvers._least_squares import least_squares_objective
from fastmlp.solvers._levenberg import LevenbergMarquardt
from fastmlp.solvers._minibatch import SGD, Adam, AdamW
from fastmlp.solvers._minimize import SOLVERS, minimize
from fastmlp.solvers._newton import Newton
from fastmlp.solvers._newton_cg import NewtonCG

__all__ = [
    "LBFGS",
    "SGD",
    "SOLVERS",
    "STOP",
    "Adam",
    "AdamW",
    "EvidenceState",
    "GradientDescent",
    "LevenbergMarquardt",
    "Limits",
    "Newton",
    "NewtonCG",
    "Record",
    "Result",
    "Status",
    "fit_curve",
    "least_squares_objective",
    "minimize",
]
