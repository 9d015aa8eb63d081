"""Where training starts: scikit-learn's Glorot draws, He, LeCun, Nguyen-Widrow, zeros; wider."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._memory import check_parameters_fit
from fastmlp._names import shown, unknown
from fastmlp._numbers import check_random_state

# scheme: (numerator, whether fan_out counts) of the variance of a uniform draw on [-b, b],
# b = sqrt(numerator / fans). "glorot" is scikit-learn's: Glorot & Bengio (2010), whose logistic
# networks take 2 instead of 6; biases are drawn from the same interval.
_SCHEMES = {
    "glorot": (6.0, True),
    "he": (6.0, False),
    "lecun": (3.0, False),
}
NAMES = (*_SCHEMES, "nguyen-widrow", "zeros")


def resolve(init: Any, widths: tuple[int, ...], first_activation: str, random_state: Any):
    """Coefs and intercepts to start from: drawn as a name says, or a pair that is given.

    Raises
    ------
    ValueError
        It is neither.
    """
    if isinstance(init, str):
        return draw(widths, first_activation, init, random_state)
    if not isinstance(init, (tuple, list)) or len(init) != 2:
        raise ValueError(
            f"init must be one of {', '.join(NAMES)}, or (coefs, intercepts); got {init!r}."
        )
    return init


def draw(widths: tuple[int, ...], first_activation: str, init: str, random_state: Any):
    """Draw coefs and intercepts, layer by layer, weights before biases.

    Parameters
    ----------
    widths : tuple of int
        n_features, hidden widths, n_raw.
    first_activation : str
        Name of the hidden activation; "logistic" takes a smaller Glorot bound.
    init : {"glorot", "he", "lecun", "nguyen-widrow", "zeros"}
        "he" (He et al. 2015) has variance 2 / fan_in, "lecun" (LeCun et al. 1998) 1 / fan_in,
        both with zero biases. "nguyen-widrow" (1990) spreads the slopes of sigmoids evenly over
        inputs from -1 to 1; the output layer is drawn as by "glorot".
    random_state : None, int, RandomState or Generator
        Source of the draws.

    Returns
    -------
    coefs, intercepts : lists of ndarray

    Raises
    ------
    MemoryError
        The parameters are more than there is room for.
    """
    if init not in NAMES:
        raise ValueError(unknown("init", init, NAMES))
    check_parameters_fit(widths)
    rng = check_random_state(random_state)
    if init == "nguyen-widrow":
        return _nguyen_widrow(widths, first_activation, rng)
    coefs, intercepts = [], []
    for fan_in, fan_out in zip(widths[:-1], widths[1:], strict=True):
        if init == "zeros":
            coefs.append(np.zeros((fan_in, fan_out)))
            intercepts.append(np.zeros(fan_out))
            continue
        numerator, both = _SCHEMES[init]
        if init == "glorot" and first_activation == "logistic":
            numerator = 2.0
        bound = np.sqrt(numerator / (fan_in + fan_out if both else fan_in))
        coefs.append(rng.uniform(-bound, bound, (fan_in, fan_out)))
        intercepts.append(
            rng.uniform(-bound, bound, fan_out) if init == "glorot" else np.zeros(fan_out)
        )
    return coefs, intercepts


def _nguyen_widrow(widths, first_activation, rng):
    """Units of a layer cut [-1, 1]^fan_in in random directions, at evenly spaced distances.

    Nguyen and Widrow, Improving the learning speed of 2-layer neural networks by choosing initial
    values of the adaptive weights, IJCNN (1990) III, 21. MATLAB's default.
    """
    coefs, intercepts = draw(widths[-2:], first_activation, "glorot", rng)
    # tanh is steep from -1 to 1, the logistic function over twice that
    reach = 2.0 if first_activation == "logistic" else 1.0
    for fan_in, fan_out in reversed(list(zip(widths[:-2], widths[1:-1], strict=True))):
        length = reach * 0.7 * fan_out ** (1 / fan_in)
        direction = rng.uniform(-1, 1, (fan_in, fan_out))
        direction /= np.maximum(np.linalg.norm(direction, axis=0), np.finfo(float).tiny)
        coefs.insert(0, length * direction)
        intercepts.insert(0, length * np.linspace(-1, 1, fan_out) * np.sign(direction[0]))
    return coefs, intercepts


def widened(theta: Any, net: Any, wider: Any, random_state: Any = None) -> np.ndarray:
    """Parameters with which a network of wider hidden layers is the function of a smaller one.

    The first units of each layer are those of the smaller network. Further units are drawn as
    :meth:`fastmlp.Network.init` draws them, and nothing that was there listens to them: their
    weights into the smaller network's units and into the outputs are zero, until training moves
    them.

    Parameters
    ----------
    theta : array-like of shape (net.n_params,)
        Parameters of the smaller network.
    net, wider : Network
        Of as many layers with the same features, raw outputs and activations; each hidden layer of
        ``wider`` has at least as many units.
    random_state : None, int, RandomState or Generator
        Source of the draws.

    Returns
    -------
    ndarray of shape (wider.n_params,)

    Raises
    ------
    ValueError
        The networks do not fit each other, or theta does not fit the first.
    TypeError
        ``net`` or ``wider`` is no network.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.initialisation import widened
    >>> net, wider = Network([2, 3, 1]), Network([2, 5, 1])
    >>> theta, X = net.init(random_state=0), np.ones((1, 2))
    >>> grown = widened(theta, net, wider, random_state=0)
    >>> np.allclose(net.predict(theta, X), wider.predict(grown, X))
    True
    """
    for name, given in (("net", net), ("wider", wider)):
        if not hasattr(given, "layers"):
            raise TypeError(f"{name} must be a Network, got {shown(given)}.")
    small, large = net.layers, wider.layers
    if (
        len(small) != len(large)
        or small[0] != large[0]
        or net.n_raw != wider.n_raw
        or any(a > b for a, b in zip(small[1:-1], large[1:-1], strict=True))
    ):
        raise ValueError(
            "The wider network must have as many layers, the same features and outputs, and no "
            f"layer that is narrower: got {list(large)} for {list(small)}."
        )
    if net.activation != wider.activation:
        raise ValueError(
            f"Both networks must have the same activations: got {wider.activation!r} for "
            f"{net.activation!r}."
        )
    coefs, intercepts = wider.unpack(wider.init(random_state=random_state))
    for W, b, W_small, b_small in zip(coefs, intercepts, *net.unpack(theta), strict=True):
        fan_in, fan_out = W_small.shape
        W[:, :fan_out] = 0
        W[:fan_in, :fan_out] = W_small
        b[:fan_out] = b_small
    return wider.pack(coefs, intercepts)
