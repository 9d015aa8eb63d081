"""Runners of the second-order table: each returns (seconds, mse) after every iteration.

All start from the same weights. Compilation (JAX) is not counted; a peer that is not installed is
left out by ``available``.
"""

import importlib.util
import time
import warnings

import numpy as np
import scipy.linalg


class Stop(Exception):  # noqa: N818 - leaves a peer's loop, nothing is wrong
    """The target or the time limit has been reached."""


class Clock:
    """Collects the trace of one run and ends it at the target or at the limit."""

    def __init__(self, problem):
        self.problem, self.trace = problem, []
        self.start = time.perf_counter()

    def done(self, mse):
        """Record an iteration; True at the target or past the limit."""
        seconds = time.perf_counter() - self.start
        self.trace.append((seconds, float(mse)))
        return mse <= self.problem.target or seconds > self.problem.limit

    def check(self, mse):
        """Record an iteration; raise Stop where it is time to."""
        if self.done(mse):
            raise Stop


def network(problem):
    """Network of a problem."""
    from fastmlp import Network

    return Network(problem.layers, activation="tanh")


def start_of(problem, seed):
    """The initial parameters that every peer starts from."""
    return network(problem).init(random_state=seed, init=problem.init)


def fastmlp(solver):
    """A runner for one of this project's solvers."""

    def run(problem, seed):
        from fastmlp.solvers import STOP
        from fastmlp.solvers._minimize import check_solver
        from fastmlp.training import train

        theta0 = start_of(problem, seed)
        clock = Clock(problem)
        train(
            network(problem),
            problem.X,
            problem.y,
            theta0=theta0,
            solver=solver() if callable(solver) else check_solver(solver),
            max_iter=10**6,
            max_fun=10**7,
            tol=0,
            n_iter_no_change=np.inf,
            max_time=problem.limit,
            random_state=seed,
            callback=lambda iteration, record: STOP if clock.done(2 * record["loss"]) else None,
        )
        return clock.trace

    return run


def numpy_lm(problem, seed):
    """Levenberg-Marquardt in NumPy: one backward sweep for J, J'J by BLAS, Cholesky, Nielsen."""
    X, y = problem.X, problem.y
    n = len(y)
    shapes = list(zip(problem.layers, problem.layers[1:], strict=False))
    cuts = np.cumsum([0, *((m + 1) * k for m, k in shapes)])

    def forward(theta):
        a = [X]
        for l, (m, k) in enumerate(shapes):
            W = theta[cuts[l] : cuts[l + 1]].reshape(m + 1, k)
            z = a[-1] @ W[:-1] + W[-1]
            a.append(np.tanh(z) if l + 1 < len(shapes) else z)
        return a

    def jacobian(theta, a):
        J = np.empty((n, cuts[-1]))
        delta = np.ones((n, 1))
        for l in range(len(shapes) - 1, -1, -1):
            m, k = shapes[l]
            np.multiply(
                a[l][:, :, None],
                delta[:, None, :],
                out=J[:, cuts[l] : cuts[l] + m * k].reshape(n, m, k),
            )
            J[:, cuts[l] + m * k : cuts[l + 1]] = delta
            if l:
                W = theta[cuts[l] : cuts[l] + m * k].reshape(m, k)
                delta = (delta @ W.T) * (1 - a[l] ** 2)
        return J

    theta = start_of(problem, seed)
    clock = Clock(problem)
    a = forward(theta)
    r = a[-1][:, 0] - y
    damping, factor = None, 2.0
    while True:
        J = jacobian(theta, a)
        G, grad = J.T @ J, J.T @ r
        if damping is None:
            damping = 1e-3 * G.diagonal().max()
        while True:
            damped = G.copy()
            damped.flat[:: len(G) + 1] += damping
            try:
                step = -scipy.linalg.cho_solve(scipy.linalg.cho_factor(damped), grad)
            except scipy.linalg.LinAlgError:
                damping *= factor
                factor *= 2
                continue
            a = forward(theta + step)
            trial = a[-1][:, 0] - y
            gain = (r @ r - trial @ trial) / (step @ (damping * step - grad))
            if gain > 0:
                break
            damping *= factor
            factor *= 2
            if not np.isfinite(damping) or clock.done(r @ r / n):
                return clock.trace
        theta, r = theta + step, trial
        damping *= max(1 / 3, 1 - (2 * min(gain, 2) - 1) ** 3)
        factor = 2.0
        if clock.done(r @ r / n):
            return clock.trace


def sklearn(solver, **settings):
    """A runner for scikit-learn's MLPRegressor."""

    def run(problem, seed):
        from sklearn.neural_network import MLPRegressor

        clock = None

        class Timed(MLPRegressor):
            def _initialize(self, *arguments, **more):
                super()._initialize(*arguments, **more)
                net = network(problem)
                coefs, intercepts = net.unpack(start_of(problem, seed))
                self.coefs_ = [coef.copy() for coef in coefs]
                self.intercepts_ = [bias.copy() for bias in intercepts]

            def _loss_grad_lbfgs(self, *arguments, **more):
                loss, grad = super()._loss_grad_lbfgs(*arguments, **more)
                clock.check(2 * loss)
                return loss, grad

            def _update_no_improvement_count(self, *arguments, **more):
                super()._update_no_improvement_count(*arguments, **more)
                clock.check(2 * self.loss_curve_[-1])

        estimator = Timed(
            hidden_layer_sizes=problem.layers[1:-1],
            activation="tanh",
            solver=solver,
            alpha=0,
            tol=0,
            max_iter=10**6,
            max_fun=10**7,
            n_iter_no_change=10**6,
            random_state=seed,
            **settings,
        )
        clock = Clock(problem)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                estimator.fit(problem.X, problem.y)
        except Stop:
            pass
        return clock.trace

    return run


def optimistix(problem, seed):
    """optimistix's Levenberg-Marquardt, one jitted step at a time; compiled beforehand."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import optimistix as optx

    jax.config.update("jax_enable_x64", True)
    X, y = jnp.asarray(problem.X), jnp.asarray(problem.y)
    shapes = list(zip(problem.layers, problem.layers[1:], strict=False))

    def residuals(theta, args):
        a, at = X, 0
        for l, (m, k) in enumerate(shapes):
            W = theta[at : at + (m + 1) * k].reshape(m + 1, k)
            z = a @ W[:-1] + W[-1]
            a, at = (jnp.tanh(z) if l + 1 < len(shapes) else z), at + (m + 1) * k
        return (a[:, 0] - y) / np.sqrt(len(y)), None

    solver = optx.LevenbergMarquardt(rtol=0, atol=0)
    theta = jnp.asarray(start_of(problem, seed))
    shape = jax.eval_shape(lambda: residuals(theta, None)[0])

    @eqx.filter_jit
    def init(theta):
        return solver.init(residuals, theta, None, {}, shape, None, frozenset())

    @eqx.filter_jit
    def step(theta, state):
        theta, state, _ = solver.step(residuals, theta, None, {}, state, frozenset())
        return theta, state

    @eqx.filter_jit
    def mse(theta):
        return jnp.sum(residuals(theta, None)[0] ** 2)

    state = init(theta)
    jax.block_until_ready(step(theta, state)[0])
    float(mse(theta))
    clock = Clock(problem)
    while True:
        theta, state = step(theta, state)
        if clock.done(float(mse(theta))):
            return clock.trace


def torch_lm(problem, seed):
    """torch-levenberg-marquardt with its defaults, Cholesky, full batch, float64."""
    import torch
    from torch_levenberg_marquardt.training import LevenbergMarquardtModule

    coefs, intercepts = network(problem).unpack(start_of(problem, seed))
    layers = []
    for l, (W, b) in enumerate(zip(coefs, intercepts, strict=True)):
        layer = torch.nn.Linear(*W.shape, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.as_tensor(W.T.copy()))
            layer.bias.copy_(torch.as_tensor(b.copy()))
        layers += [layer] if l == 0 else [torch.nn.Tanh(), layer]
    X, y = torch.as_tensor(problem.X), torch.as_tensor(problem.y)[:, None]
    model = torch.nn.Sequential(*layers)
    module = LevenbergMarquardtModule(model, solve_method="cholesky")
    clock = Clock(problem)
    while True:
        module.training_step(X, y)
        with torch.no_grad():
            mse = float(((model(X) - y) ** 2).mean())
        if clock.done(mse) or not np.isfinite(mse):
            return clock.trace


def available(module):
    """Whether a peer is installed."""
    return importlib.util.find_spec(module) is not None
