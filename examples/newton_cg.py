"""Newton-CG: second-order steps from products alone, for networks whose matrix does not fit."""

import numpy as np
from sklearn.datasets import load_digits

from fastmlp import Network
from fastmlp.solvers import LBFGS, NewtonCG, minimize

X, digit = load_digits(return_X_y=True)
X = X / 16
train, test = np.arange(1500), np.arange(1500, digit.size)

net = Network([64, 100, 50, 10], activation="tanh", loss="log_loss")
theta = net.init(random_state=0)
objective = net.objective(X[train], digit[train], alpha=1.0)
matrix = 8 * net.n_params**2 / 2**30
print(f"{net.n_params} parameters: a matrix of curvatures would take {matrix:.1f} GiB\n")

print(f"{'solver':24} {'iterations':>10} {'loss':>8} {'held out':>9}")
runs = {
    "lbfgs": (LBFGS(), 60),
    "newton-cg": (NewtonCG(max_cg=20), 12),
    "newton-cg, 500 rows each": (NewtonCG(max_cg=20, batch_size=500), 30),
}
for name, (solver, max_iter) in runs.items():
    found = minimize(objective, theta, solver=solver, max_iter=max_iter, random_state=0)
    right = np.mean(np.argmax(net.raw(found.theta, X[test]), axis=1) == digit[test])
    loss = objective.value(found.theta)  # on all rows: the history has the sample's
    print(f"{name:24} {found.n_iter:10} {loss:8.4f} {right:9.3f}")

# A product costs about two gradients, whatever the number of parameters.
v = np.random.default_rng(0).standard_normal(net.n_params)
ggn, hess = objective.ggn_mul(theta, v), objective.hess_mul(theta, v)
print(f"\nv' G v = {v @ ggn:.4f}, v' H v = {v @ hess:.4f}")
