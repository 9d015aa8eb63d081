"""One forward and backward pass, written out number by number, for teaching."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fastmlp.activations import slope_of


class Trace(Mapping):
    """The numbers of one pass by name; ``print`` shows them as a table.

    Keys: ``z``, ``a``, ``delta`` (d loss / d z), ``slope`` (g'(z)), ``grad_W`` and ``grad_b``, each
    a dict by layer 1..L (``a`` also has 0, the input; softmax has no slope), ``raw`` and ``loss``.

    Parameters
    ----------
    entries : dict of str to dict, ndarray or float
        These numbers.

    Examples
    --------
    >>> from fastmlp import Network
    >>> net = Network([1, 1])
    >>> print(net.trace(net.pack([[[2.0]]], [[1.0]]), [3.0], [5.0]))
    a[0]          input               3.000000000
    z[1]          a[0] W[1] + b[1]    7.000000000
    a[1]          g(z[1])             7.000000000
    loss                              2.000000000
    slope[1]      g'(z[1])            1.000000000
    delta[1]      d loss / d z        2.000000000
    grad_W[1][0]  a[0]' delta[1]      6.000000000
    grad_b[1]     delta[1]            2.000000000
    """

    def __init__(self, entries: dict[str, Any]):
        self._entries = entries

    def __getitem__(self, key: str) -> Any:
        return self._entries[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __str__(self) -> str:
        lines = [("a[0]", "input", self["a"][0])]
        n_layers = max(self["z"])
        for l in range(1, n_layers + 1):
            lines.append((f"z[{l}]", f"a[{l - 1}] W[{l}] + b[{l}]", self["z"][l]))
            lines.append((f"a[{l}]", f"g(z[{l}])", self["a"][l]))
        lines.append(("loss", "", np.atleast_1d(self["loss"])))
        for l in range(n_layers, 0, -1):
            if l in self["slope"]:
                lines.append((f"slope[{l}]", f"g'(z[{l}])", self["slope"][l]))
            how = "d loss / d z"
            if l < n_layers:
                how = f"(delta[{l + 1}] W[{l + 1}]') * slope[{l}]"
            lines.append((f"delta[{l}]", how, self["delta"][l]))
            for i, row in enumerate(self["grad_W"][l]):
                how = f"a[{l - 1}]' delta[{l}]" if i == 0 else ""
                lines.append((f"grad_W[{l}][{i}]", how, row))
            lines.append((f"grad_b[{l}]", f"delta[{l}]", self["grad_b"][l]))
        name_width = max(len(name) for name, _, _ in lines)
        how_width = max(len(how) for _, how, _ in lines)
        return "\n".join(
            f"{name:<{name_width}}  {how:<{how_width}}  "
            + "  ".join(f"{number:13.9f}" for number in numbers)
            for name, how, numbers in lines
        )

    __repr__ = __str__


def trace(network, theta: Any, x: Any, y: Any) -> Trace:
    """The pass of one sample through a network; see :meth:`fastmlp.Network.trace`."""
    x = np.asarray(x)
    if x.shape != (network.n_features,):
        raise ValueError(f"x must be one sample of shape ({network.n_features},), got {x.shape}.")
    y = np.asarray(y)
    objective = network.objective(x[np.newaxis], y[np.newaxis] if y.ndim < 2 else y)
    loss, grad = objective.value_grad(theta)
    grad_W, grad_b = network.unpack(grad)
    n_layers = len(grad_W)
    z, a, slope = {}, {0: x.astype(network.dtype)}, {}
    for l, g in enumerate((*network._hidden, network._output), start=1):
        # what a layer computes is the output of the network that ends with it
        part = network if l == n_layers else up_to(network, l)
        theta_part = np.asarray(theta)[: part.n_params]
        z[l], a[l] = (out(theta_part, x[np.newaxis])[0] for out in (part.raw, part.predict))
        if g.name != "softmax":
            slope[l] = slope_of(g, z[l][: a[l].size])
    # One sample: the gradient by the biases is d loss / d z itself.
    return Trace(
        {
            "z": z,
            "a": a,
            "raw": z[n_layers],
            "loss": loss,
            "slope": slope,
            "delta": {l: grad_b[l - 1].copy() for l in range(1, n_layers + 1)},
            "grad_W": {l: grad_W[l - 1] for l in range(1, n_layers + 1)},
            "grad_b": {l: grad_b[l - 1] for l in range(1, n_layers + 1)},
        }
    )


def up_to(network, l: int):
    """The network that ends with hidden layer l; its theta is a prefix of the whole one's."""
    hidden = [g.spec for g in network._hidden[:l]]
    return type(network)(network.layers[: l + 1], hidden[:-1], hidden[-1], dtype=network.dtype)
