"""Bayesian regularisation: weight decay and noise level from the training data alone.

LevenbergMarquardt(evidence=True) re-estimates both at each step by MacKay's evidence, as MATLAB's
trainbr does, so that no row has to be kept back for validation. Last line: the same for data that a
straight line explains; the network becomes one.
"""

import numpy as np

from fastmlp import Network
from fastmlp.solvers import LevenbergMarquardt, minimize

NOISE = 0.3
rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (30, 1))
y = np.sin(5 * X[:, 0]) + NOISE * rng.standard_normal(30)
X_check = np.linspace(-1, 1, 1001)[:, None]
truth = np.sin(5 * X_check[:, 0])

print(f"30 rows with noise {NOISE}; rms: the error against the noiseless function\n")
print(f"{'':12} {'lm':>6}   {'lm with evidence'}")
print(
    f"{'units':5} {'params':>6} {'rms':>6}   {'rms':>6} {'noise':>6} {'decay':>6} {'effective':>9}"
)
for units in (3, 4, 6, 8):
    net = Network([1, units, 1], activation="tanh")
    objective = net.objective(X, y, alpha=1e-4)  # with evidence: the first guess
    theta = net.init(random_state=1)
    rms = []
    for solver in (LevenbergMarquardt(), LevenbergMarquardt(evidence=True)):
        found = minimize(objective, theta, solver=solver, max_iter=300, tol=1e-7)
        rms.append(np.sqrt(np.mean((net.raw(found.theta, X_check)[:, 0] - truth) ** 2)))
    state = found.state
    print(
        f"{units:5} {net.n_params:6} {rms[0]:6.3f}   {rms[1]:6.3f} {state.noise:6.3f} "
        f"{state.weight_decay:6.3f} {state.effective_params:9.1f}"
    )

line = 2 * X[:, 0] + NOISE * rng.standard_normal(30)
net = Network([1, 6, 1], activation="tanh")
solver = LevenbergMarquardt(evidence=True)
found = minimize(net.objective(X, line), net.init(random_state=1), solver=solver, max_iter=300)
rms = np.sqrt(np.mean((net.raw(found.theta, X_check)[:, 0] - 2 * X_check[:, 0]) ** 2))
print(f"\nA straight line in place of the sine: rms {rms:.3f}. {found.message}")
