"""PyTorch, eager, with the fused Adam."""

import numpy as np
import torch
from torch.nn import functional as F

from bench.peers import start

NAME = "torch"
FUNCTIONS = {
    "identity": lambda z: z,
    "logistic": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softplus": F.softplus,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
}
ACTIVATIONS = tuple(FUNCTIONS)


def forward(case, weights, biases, x):
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x = FUNCTIONS[case.activation](F.linear(x, weight, bias))
    return F.linear(x, weights[-1], biases[-1])


def loss_of(case, weights, biases, x, y):
    raw = forward(case, weights, biases, x)
    if case.n_classes:
        return F.cross_entropy(raw, y)
    return (raw - y.reshape(raw.shape)).square().sum() / (2 * len(y))


def parameters(coefs, intercepts, trained):
    """The arrays as torch holds them: weights of shape (fan_out, fan_in)."""
    weights = [torch.from_numpy(np.array(W.T, order="C")) for W in coefs]
    biases = [torch.from_numpy(np.array(b)) for b in intercepts]
    for tensor in (*weights, *biases):
        tensor.requires_grad_(trained)
    return weights, biases


def prepare(case, X, y, seed, threads, compiled_loss=None):
    torch.set_num_threads(threads)
    coefs, intercepts, rng = start.initial(case, X.dtype, seed)
    weights, biases = parameters(coefs, intercepts, trained=True)
    adam = torch.optim.Adam([{"params": weights}, {"params": biases}], lr=case.rate, fused=True)
    X, y = torch.from_numpy(X), torch.from_numpy(y)

    def step(rows, t):
        decayed, plain = adam.param_groups
        decayed["weight_decay"] = case.alpha / len(rows)
        # scikit-learn adds epsilon before the correction of the second moment's bias
        decayed["eps"] = plain["eps"] = 1e-8 / (1 - 0.999**t) ** 0.5
        adam.zero_grad(set_to_none=True)
        full = compiled_loss is not None and len(rows) == case.batch_size
        loss = (compiled_loss if full else loss_of)(case, weights, biases, X[rows], y[rows])
        loss.backward()
        adam.step()

    def train():
        t = 0
        for order in start.orders(case, rng, len(X)):
            for rows in torch.from_numpy(order).split(case.batch_size):
                t += 1
                step(rows, t)
        return [W.detach().numpy().T for W in weights], [b.detach().numpy() for b in biases]

    return train


def predictor(case, coefs, intercepts, threads, compiled_forward=None):
    torch.set_num_threads(threads)
    weights, biases = parameters(coefs, intercepts, trained=False)
    function = compiled_forward or forward

    def predict(x):
        with torch.inference_mode():
            return function(case, weights, biases, torch.from_numpy(x)).numpy()

    return predict
