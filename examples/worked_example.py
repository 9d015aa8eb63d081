"""One forward and backward pass by hand: the 2-2-2 logistic network of the lecture slides.

Inputs (0.05, 0.10), targets (0.01, 0.99), the sum of half squared errors, learning rate 0.5.
Weights w1, w2 feed the hidden unit h1; w5, w6 feed the output unit o1. The biases are kept.
"""

import numpy as np

from fastmlp import Network

x, y = np.array([0.05, 0.10]), np.array([0.01, 0.99])
coefs = [
    np.array([[0.15, 0.25], [0.20, 0.30]]),  # w1 w3 / w2 w4: one column per hidden unit
    np.array([[0.40, 0.50], [0.45, 0.55]]),  # w5 w7 / w6 w8: one column per output unit
]
intercepts = [np.array([0.35, 0.35]), np.array([0.60, 0.60])]

net = Network([2, 2, 2], activation="logistic", output_activation="logistic", loss="squared_error")
theta = net.pack(coefs, intercepts)

print(net.trace(theta, x, y))

value, grad = net.value_grad(theta, x[None, :], y[None, :])
slopes, _ = net.unpack(grad)
print(f"\nloss before the step     {value:.9f}")
print(f"dL/dw5                   {slopes[1][0, 0]:.9f}")

stepped = [W - 0.5 * slope for W, slope in zip(coefs, slopes, strict=True)]
print("w1..w4 after one step   ", " ".join(f"{w:.9f}" for w in stepped[0].T.ravel()))
print("w5..w8 after one step   ", " ".join(f"{w:.9f}" for w in stepped[1].T.ravel()))
after = net.value(net.pack(stepped, intercepts), x[None, :], y[None, :])
print(f"loss after the step      {after:.9f}")
