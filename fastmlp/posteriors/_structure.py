"""The Gauss-Newton matrix of the data, in the structure that a posterior keeps."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from fastmlp._memory import TO_SOLVE, check_matrices_fit
from fastmlp.network import Network
from fastmlp.segments import BIASES, by_layer
from fastmlp.solvers._laplace import BlockLaplace, DiagonalLaplace

# Up to so many parameters "auto" takes the whole matrix.
MOST_FULL = 3000
_BLOCK_BYTES = 1 << 25  # of J at a time
SMALLER = "structure='layer' or 'diagonal' takes less, as weights='last' does: the last layer's."


def check_fits(objective, structure):
    """The structure, and the sizes of its blocks, which have to fit in memory."""
    sizes = [objective.n_params]
    if structure == "auto":
        structure = "full" if objective.n_params <= MOST_FULL else "diagonal"
    if structure == "diagonal":
        return structure, []
    if structure == "layer":
        layers = by_layer(objective.segments)
        sizes = [sum(s.end - s.at for s in layer.values()) for layer in layers]
    for size in sizes:
        check_matrices_fit(size, TO_SOLVE, SMALLER)
    return structure, sizes


def curvature(objective, theta, structure):
    """The Gauss-Newton matrix of the data, mean loss, in the structure that is kept."""
    data = objective.with_penalty(objective.penalty.with_strengths(0.0))
    structure, sizes = check_fits(objective, structure)
    if structure == "diagonal":
        return DiagonalLaplace(data.ggn_diagonal(theta))
    if structure == "full":
        blocks = [data.ggn(theta)]
    else:
        blocks = _layer_blocks(data, theta, sizes)
    if objective.network.output_activation == "softmax":
        # A constant added to all outputs of a row changes nothing, and nothing holds it.
        n_raw = objective.network.n_raw
        blocks[-1][-n_raw:, -n_raw:] += 1 / objective.weight_sum
    return BlockLaplace(blocks)


def last_layer(objective, theta):
    """The objective of the last layer alone, its parameters, and what comes before it."""
    network, term = objective.network, objective.term
    hidden = [activation.spec for activation in network._hidden]
    features = Network(
        network.layers[:-1],
        activation=hidden[:-1],
        output_activation=hidden[-1],
        dtype=network.dtype,
    )
    at = min(s.at for s in by_layer(objective.segments)[-1].values())
    front = features, theta[:at]
    y, w = term.data.selected
    last = Network(
        (network.layers[-2], network.n_targets),
        output_activation=network.output_activation,
        loss=network.loss,
        dtype=network.dtype,
    )
    inputs = term.like(network=features).predict(theta[:at])
    return last.objective(inputs, y, sample_weight=w), theta[at:], front


def _layer_blocks(objective, theta, sizes):
    """Of each layer's parameters the block of the Gauss-Newton matrix, rows at a time."""
    blocks = [np.zeros((size, size)) for size in sizes]
    layers = by_layer(objective.segments)
    step = max(1, _BLOCK_BYTES // (8 * objective.network.n_raw * max(sizes)))
    for at in range(0, objective.n_samples, step):
        rows = np.arange(at, min(at + step, objective.n_samples))
        *_, factors = objective.term.subset(rows).sums("value_grad_gram", theta)
        for block, layer, (a, delta) in zip(blocks, layers, factors.pairs, strict=True):
            a = a.toarray() if sparse.issparse(a) else a
            inputs = [np.ones(len(a)) if group == BIASES else a for group in layer]
            a = np.repeat(np.column_stack(inputs), len(delta) // len(a), axis=0)
            J = np.einsum("ri,rj->rij", a, delta).reshape(len(delta), -1)
            block += J.T @ J / objective.weight_sum
    return blocks
