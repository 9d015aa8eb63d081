"""A loss of one's own: a Normal likelihood that learns its spread along with its mean.

A custom loss takes raw outputs (n, n_raw) and targets, and returns the loss of each row and its
gradient in raw. Here there are two raw outputs for one target: mean and log standard deviation.
"""

import numpy as np

from fastmlp import Network
from fastmlp.solvers import minimize


def normal_likelihood(raw, y):
    mean, log_spread = raw.T
    residual = (y - mean) * np.exp(-log_spread)
    value = residual**2 / 2 + log_spread
    grad = np.stack([-residual * np.exp(-log_spread), 1 - residual**2], axis=1)
    return value, grad


rng = np.random.default_rng(0)
X = rng.uniform(-2, 2, size=(500, 1))
spread = 0.05 + 0.25 * (X[:, 0] + 2) / 4
y = np.sin(2 * X[:, 0]) + spread * rng.standard_normal(500)

net = Network([1, 10, 2], activation="tanh", loss=normal_likelihood)
theta = net.init(random_state=0)
found = minimize(net.objective(X, y, alpha=0.1), theta, solver="lbfgs", max_iter=200)
print(f"{found.n_iter} iterations, loss {found.loss:.4f}: {found.message}")

print(f"{'x':>6} {'mean':>8} {'true':>8} {'spread':>8} {'true':>8}")
for x in (-1.5, -0.5, 0.5, 1.5):
    mean, log_spread = net.raw(found.theta, np.array([[x]]))[0]
    true_spread = 0.05 + 0.25 * (x + 2) / 4
    print(f"{x:6} {mean:8.3f} {np.sin(2 * x):8.3f} {np.exp(log_spread):8.3f} {true_spread:8.3f}")
