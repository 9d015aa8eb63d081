"""Where training starts: scikit-learn's Glorot draws, He, LeCun, Nguyen and Widrow, zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp._memory import check_parameters_fit
from fastmlp._names import unknown
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
