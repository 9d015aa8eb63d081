"""Rosenblatt's rule, step by step: a single layer, the perceptron loss, batches of one.

The loss is max(0, -y raw): its gradient moves the weights only where a row is on the wrong side.
"""

import numpy as np
from sklearn.datasets import load_iris

from fastmlp import Network
from fastmlp.solvers import SGD, minimize

X, species = load_iris(return_X_y=True)
X, y = X[:100, :2], np.where(species[:100] == 0, 1.0, -1.0)  # setosa against versicolor
X = (X - X.mean(axis=0)) / X.std(axis=0)

net = Network([2, 1], loss="perceptron")
rule = SGD(
    learning_rate_init=1.0, batch_size=1, momentum=0.0, nesterovs_momentum=False, shuffle=False
)
objective = net.objective(X, y)
theta, state = net.init(init="zeros"), None

print(f"{'pass':>4} {'wrong':>6} {'w1':>8} {'w2':>8} {'b':>8}")
for n_passes in range(8):
    wrong = int(np.sum(y * net.raw(theta, X)[:, 0] <= 0))
    print(f"{n_passes:4} {wrong:6} " + " ".join(f"{value:8.3f}" for value in theta))
    if wrong == 0:
        break
    result = minimize(objective, theta, solver=rule, max_iter=1, state=state)
    theta, state = result.theta, result.state
