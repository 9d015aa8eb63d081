"""Newton's method: quadratic convergence at a minimum, and what it does at a saddle."""

import numpy as np

from fastmlp import Network
from fastmlp.solvers import Newton, minimize

# Noise and weight decay make the minimum a regular one: all eigenvalues of H are positive there.
rng = np.random.default_rng(0)
X = np.linspace(-2, 2, 200)[:, None]
y = np.sin(2 * X[:, 0]) + 0.1 * rng.standard_normal(200)
net = Network([1, 3, 1], activation="tanh")
objective = net.objective(X, y, alpha=0.1)
theta = net.init(random_state=0)

found = minimize(objective, theta, solver=Newton(), max_iter=200, tol=1e-13)
print(f"{found.n_iter} iterations, loss {found.loss:.9f}: {found.message}")
print(f"least eigenvalue of H    {np.linalg.eigvalsh(objective.hessian(found.theta))[0]:.1e}")
print(f"\n{'iteration':>9} {'loss':>12} {'|gradient|':>11} {'step size':>9}")
for k in range(max(found.n_iter - 6, 0), found.n_iter):
    loss, norm, size = (found.history[key][k] for key in ("loss", "grad_norm", "step_size"))
    print(f"{k + 1:9} {loss:12.9f} {norm:11.1e} {size:9.2f}")

# Near zero most eigenvalues of H are negative, and -H^-1 gradient as it stands leads uphill, to the
# saddle. Each way to modify H leads away from it.
near = 0.1 * np.random.default_rng(2).standard_normal(net.n_params)
eigenvalues = np.linalg.eigvalsh(objective.hessian(near))
plain = -np.linalg.solve(objective.hessian(near), objective.value_grad(near)[1])
slope = objective.value_grad(near)[1] @ plain
print(f"\nnear zero: {np.sum(eigenvalues < 0)} of {net.n_params} eigenvalues are negative")
print(f"plain Newton's slope     {slope:+.1e} ({'up' if slope > 0 else 'down'}hill)")
for modification in ("saddle-free", "shift", "trust-region"):
    solver = Newton(modification=modification)
    found = minimize(objective, near, solver=solver, max_iter=300, tol=1e-9)
    print(f"{modification:24} loss {found.loss:.6f} after {found.n_iter} iterations")
