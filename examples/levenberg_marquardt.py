"""Levenberg-Marquardt: a network that fits closely, and a least-squares fit of one's own."""

import numpy as np

from fastmlp import Network
from fastmlp.solvers import LBFGS, LevenbergMarquardt, least_squares_objective, minimize

# sinc(10 x) by 1-20-1 tanh
X = np.linspace(-1, 1, 2000)[:, None]
y = np.sinc(10 * X[:, 0] / np.pi)
net = Network([1, 20, 1], activation="tanh")
objective = net.objective(X, y)
theta = net.init(random_state=0)

print(f"{'sinc(10 x)':22} {'iterations':>10} {'loss':>9}")
for name, solver in (("lbfgs", LBFGS()), ("lm", LevenbergMarquardt())):
    found = minimize(objective, theta, solver=solver, max_iter=200, tol=1e-12)
    print(f"{name:22} {found.n_iter:10} {found.loss:9.1e}")

# The damping falls as long as the model's promises are kept: gain = true / promised decrease.
print(f"\n{'iteration':>9} {'loss':>9} {'damping':>9} {'gain':>6}")
for k in (0, 5, 20, 50, 100):
    if k < found.n_iter:
        loss, damping, gain = (found.history[key][k] for key in ("loss", "damping", "gain"))
        print(f"{k + 1:9} {loss:9.1e} {damping:9.1e} {gain:6.2f}")

# The solver knows no networks: residuals and their Jacobian, as scipy.optimize.least_squares
t = np.linspace(0, 4, 50)
counts = 5 * np.exp(-1.3 * t) + 0.5


def residuals(theta):
    return theta[0] * np.exp(-theta[1] * t) + theta[2] - counts


def jacobian(theta):
    decay = np.exp(-theta[1] * t)
    return np.stack([decay, -theta[0] * t * decay, np.ones_like(t)], axis=1)


fit = minimize(least_squares_objective(residuals, jacobian), [1.0, 1.0, 0.0], solver="lm", tol=1e-9)
print(f"\ndecay 5, 1.3, 0.5: {fit.theta.round(6)} after {fit.n_iter} iterations")
