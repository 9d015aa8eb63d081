"""Newton-CG: curvature by products alone, within a trust region."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import get_args

import numpy as np

from fastmlp import _types
from fastmlp._names import check_choice
from fastmlp._numbers import check_integer, check_positive
from fastmlp.solvers._base import Status
from fastmlp.solvers._checks import real_array, value_and_grad
from fastmlp.solvers._full_batch import FullBatchSolver, Point
from fastmlp.solvers._protocol import Adapted
from fastmlp.solvers._trust import Proposal, Radius, descend_bounded, loss_of

CURVATURES = get_args(_types.Curvature)
# The preconditioner keeps this share of its mean everywhere: a parameter without curvature of its
# own is no reason to trust a long step in it.
FLOOR = 1e-2


@dataclass
class Path:
    """The way of one run of conjugate gradients; its length grows, so any radius cuts it once.

    A last segment along negative curvature has no end: its norm is infinite, and it has no step.
    """

    steps: list[np.ndarray] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    predicted: list[float] = field(default_factory=list)
    # direction, slope and curvature along it, of the segment that leads to each step
    segments: list[tuple[np.ndarray, float, float]] = field(default_factory=list)


class ProductModel:
    """Local models from curvature products, on all rows or on a fresh sample at every point.

    Parameters
    ----------
    objective : object
        With ``ggn_mul`` or ``hess_mul``; ``subset`` where there is a batch size.
    curvature : {"ggn", "hessian"}
        Which.
    max_cg : int
        Products per point, at most.
    batch_size, curvature_size : int or None
        Rows per sample, and those of them that products are made of.
    rng : RandomState or Generator
        Draws the samples.
    out_of_time : callable
        ``out_of_time()``: whether no further product is to be begun.
    """

    def __init__(self, objective, curvature, max_cg, batch_size, curvature_size, rng, out_of_time):
        self._objective = objective
        self._curvature = curvature
        self._max_cg = max_cg
        self._batch_size = batch_size
        self._curvature_size = curvature_size
        self._rng = rng
        self._out_of_time = out_of_time

    def at(self, theta):
        objective, curved = self._sample()
        loss, grad = value_and_grad(objective.value_grad(theta), theta)
        point = Point(theta, loss, grad)
        if self._curvature == "ggn":
            product, diagonal = curved.ggn_mul, curved.ggn_diagonal
        else:
            product, diagonal = curved.hess_mul, None
        return ConjugateSteps(point, objective, product, diagonal, self._max_cg, self._out_of_time)

    def _sample(self):
        """The objective on this point's rows, and on those of them that products are made of."""
        everything = self._objective
        if self._batch_size is None and self._curvature_size is None:
            return everything, everything
        n_samples = everything.n_samples
        rows = self._rng.permutation(n_samples)
        batch_size = min(self._batch_size or n_samples, n_samples)
        objective = everything
        if batch_size < n_samples:
            objective = Adapted(everything.subset(np.sort(rows[:batch_size])))
        if self._curvature_size is None or self._curvature_size >= batch_size:
            return objective, objective
        return objective, Adapted(everything.subset(np.sort(rows[: self._curvature_size])))


class ConjugateSteps:
    """One point: the path of conjugate gradients, made once and cut by every radius.

    A rejected radius costs nothing: the path to a smaller one is the beginning of the same path.
    When the time is up the path ends with the product at hand.

    References
    ----------
    Steihaug, SIAM J. Numer. Anal. 20, 626 (1983).
    """

    record: dict = {}

    def __init__(self, point, objective, product, diagonal, max_cg, out_of_time):
        self.point = point
        # A trial is compared on the rows of this point: common random numbers.
        self.value = loss_of(objective)
        self._product = product
        self._diagonal = diagonal
        self._max_cg = max_cg
        self._out_of_time = out_of_time
        self._path = None
        self._negative = self._cut_short = False

    @cached_property
    def _precondition(self):
        """M, (n_params,); made by the first path, as a run may end at a point without one."""
        if self._diagonal is not None:
            diagonal = self._diagonal(self.point.theta)
            if np.isfinite(diagonal).all() and diagonal.max() > 0:
                mean = diagonal.mean()
                return (np.maximum(diagonal, 0) + FLOOR * mean) / ((1 + FLOOR) * mean)
        return np.ones(self.point.grad.size)

    def step(self, radius):
        if self._path is None:
            self._path = self._walk(radius)
        path = self._path
        for k, norm in enumerate(path.norms):
            if norm >= radius:
                return self._cut(k, radius)
        if not path.norms:
            return None
        return Proposal(path.steps[-1], path.predicted[-1], False, path.norms[-1])

    def decrement(self, least):
        if self._out_of_time():  # unknown
            return np.inf
        path = self._walk(np.inf)
        if self._cut_short:
            return np.inf
        if self._negative:  # a saddle: what there is to gain has no bound
            return np.inf
        self._path = path
        return path.predicted[-1] if path.predicted else 0.0

    def _cut(self, k, radius):
        """The point of the path between its vertices k - 1 and k at which its norm is radius."""
        path = self._path
        direction, slope, curvature = path.segments[k]
        before = path.steps[k - 1] if k else np.zeros_like(direction)
        # In units of the radius, whose square need not be a float.
        scaled = self._precondition * direction
        a, b = direction @ scaled, before / radius @ scaled
        c = ((path.norms[k - 1] if k else 0.0) / radius) ** 2 - 1
        alpha = radius * ((-b + np.sqrt(np.maximum(b * b - a * c, 0.0))) / a)
        low = path.predicted[k - 1] if k else 0.0
        predicted = low + alpha * (slope - 0.5 * alpha * curvature)
        return Proposal(before + alpha * direction, float(predicted), True, radius)

    def _walk(self, radius):
        """Conjugate gradients from zero until the residual is small or the radius is crossed.

        Where the curvature along a direction is not positive the model falls for ever: the last
        segment of the path leads out to the radius.
        """
        path, self._negative, self._cut_short = Path(), False, False
        M, grad = self._precondition, self.point.grad
        step = np.zeros_like(grad)
        residual = -grad
        z = residual / M
        direction = z
        rz = float(residual @ z)
        # the forcing sequence that makes the convergence superlinear
        stop = rz * min(0.25, np.sqrt(np.sqrt(rz))) ** 2
        predicted = norm2 = cross = 0.0
        length2 = rz
        for _ in range(self._max_cg):
            if not rz > 0:
                break
            if path.steps and self._out_of_time():
                self._cut_short = True
                break
            with np.errstate(over="ignore", invalid="ignore"):
                product = self._product(self.point.theta, direction)
            product = real_array("A curvature product", product, grad.shape)
            curvature = float(direction @ product)
            if not np.isfinite(curvature):
                break
            self._negative = curvature <= 1e-16 * length2
            path.segments.append((direction, rz, curvature))
            if self._negative:
                path.norms.append(np.inf)
                break
            alpha = rz / curvature
            predicted += alpha * rz - 0.5 * alpha * (alpha * curvature)
            norm2 += 2 * alpha * cross + alpha * (alpha * length2)
            step = step + alpha * direction
            path.steps.append(step)
            path.norms.append(float(np.sqrt(norm2)))
            path.predicted.append(predicted)
            if path.norms[-1] >= radius:
                break
            residual = residual - alpha * product
            z = residual / M
            rz_new = float(residual @ z)
            if rz_new <= stop:
                break
            beta = rz_new / rz
            cross = beta * (cross + alpha * length2)
            length2 = rz_new + beta * (beta * length2)
            direction = z + beta * direction
            rz = rz_new
        return path


class NewtonCG(FullBatchSolver):
    """Newton's method without a matrix: conjugate gradients on curvature products.

    For networks whose curvature matrix does not fit or takes too long. Each step solves the model
    within a trust region by conjugate gradients (Steihaug), preconditioned with the diagonal of the
    Gauss-Newton matrix (``curvature="ggn"``) where the objective has ``ggn_diagonal``.

    Parameters
    ----------
    curvature : {"ggn", "hessian"}, default="ggn"
        Gauss-Newton products, which never see negative curvature, or exact ones.
    max_cg : int, default=50
        Products per step, at most.
    radius : float, default=1.0
        Of the first trust region, in the preconditioner's norm.
    batch_size : int or None, default=None
        Rows of a sample that is drawn anew at each accepted point; loss, gradient, products and the
        gain of a trial are computed on the same sample. None: all rows. The history's loss is
        that of the sample.
    curvature_size : int or None, default=None
        Rows of that sample that curvature products are computed on. A model of the curvature
        can do with fewer rows than a gradient: with a tenth to a fifth of them an iteration costs
        a fraction (Byrd, Chin, Neveitt and Nocedal 2011). None: all of its rows.

    Notes
    -----
    Converged when the largest absolute entry of the gradient is at most ``tol`` and the decrease
    that the model promises is at most ``tol`` times the loss.

    References
    ----------
    Steihaug, SIAM J. Numer. Anal. 20, 626 (1983); Martens, Deep learning via Hessian-free
    optimization, ICML (2010). Byrd, Chin, Neveitt and Nocedal, On the use of stochastic Hessian
    information in optimization methods for machine learning, SIAM J. Optim. 21, 977 (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.solvers import NewtonCG, minimize
    >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
    >>> net = Network([1, 5, 1], activation="tanh")
    >>> objective = net.objective(X, np.sin(3 * X).ravel())
    >>> theta = net.init(random_state=0)
    >>> minimize(objective, theta, solver=NewtonCG(max_cg=20)).loss < 1e-3
    True
    """

    history_keys = ("loss", "grad_norm", "radius", "gain", "seconds")

    def __init__(
        self,
        curvature: _types.Curvature = "ggn",
        max_cg: int = 50,
        radius: float = 1.0,
        batch_size: int | None = None,
        curvature_size: int | None = None,
    ):
        self.curvature = curvature
        self.max_cg = max_cg
        self.radius = radius
        self.batch_size = batch_size
        self.curvature_size = curvature_size

    @property
    def needs(self):
        sampled = self.batch_size is not None or self.curvature_size is not None
        more = ("subset", "n_samples") if sampled else ()
        product = "hess_mul" if self.curvature == "hessian" else "ggn_mul"
        return ("value_grad", product, *more)

    def _solve(self, run) -> Status:
        check_choice("curvature", self.curvature, CURVATURES)
        max_cg = check_integer("max_cg", self.max_cg)
        batch_size, curvature_size = (
            None if size is None else check_integer(name, size)
            for name, size in (
                ("batch_size", self.batch_size),
                ("curvature_size", self.curvature_size),
            )
        )
        radius = check_positive("radius", self.radius)
        model = ProductModel(
            run.objective,
            self.curvature,
            max_cg,
            batch_size,
            curvature_size,
            run.rng,
            lambda: run.out_of_time,
        )
        return descend_bounded(run, model, lambda local: Radius(radius), "radius")
