"""A Network without an estimator: an objective, a solver, and what curvature says at the end."""

import numpy as np

from fastmlp import Network
from fastmlp.solvers import Adam, Newton, minimize

rng = np.random.default_rng(0)
X = np.linspace(-3, 3, 200)[:, None]
y = np.sin(2 * X[:, 0]) + 0.1 * rng.standard_normal(200)

net = Network([1, 6, 1], activation="tanh")
theta = net.init(random_state=0)
objective = net.objective(X, y, alpha=0.1)
print(net)
print(f"loss at the start        {objective.value(theta):.6f}")

# many cheap steps from a bad start, then few exact ones
adam = Adam(learning_rate_init=0.01, batch_size=32)
rough = minimize(objective, theta, solver=adam, max_iter=200, random_state=0)
print(f"after {rough.n_iter} epochs of adam  {objective.value(rough.theta):.6f}")
fine = minimize(objective, rough.theta, solver=Newton(), max_iter=100, tol=1e-8)
print(f"after {fine.n_iter} steps of newton  {fine.loss:.6f}   {fine.message}")

eigenvalues = np.linalg.eigvalsh(objective.hessian(fine.theta))
print(f"largest |gradient|       {np.abs(objective.value_grad(fine.theta)[1]).max():.1e}")
print(f"Hessian's eigenvalues    {eigenvalues[0]:.1e} ... {eigenvalues[-1]:.1e}")
