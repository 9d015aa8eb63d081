"""The mini-batch solvers: SGD, Adam and AdamW."""

from __future__ import annotations

from math import inf
from typing import get_args

from fastmlp import _types
from fastmlp._numbers import check_flag
from fastmlp.solvers._minibatch_loop import MiniBatch, MiniBatchState

__all__ = ["SGD", "Adam", "AdamW", "MiniBatchState"]


class SGD(MiniBatch):
    """Stochastic gradient descent with momentum.

    ``v = momentum * v - rate * grad; theta += v``; Nesterov's form adds
    ``momentum * v - rate * grad`` instead, with the new ``v`` (Sutskever et al., 2013).

    Parameters
    ----------
    learning_rate_init : float, default=0.001
        The learning rate at the start.
    learning_rate : {"constant", "invscaling", "adaptive", "cosine", "coslog"}, default="constant"
        "invscaling" divides the rate by ``(samples seen + 1) ** power_t`` after each epoch;
        "adaptive" divides it by 5 instead of stopping, until it is below 1e-6; "cosine" lowers
        it batch by batch to 0 over ``max_iter`` epochs. "coslog" takes it from 0 up and back to 0
        four times in them, each time over twice as many batches: at the share t of the run it is
        ``0.5 * (1 - cos(2 * pi * log2(1 + 15 * t)))`` of ``learning_rate_init`` (Holzmüller,
        Grinsztajn and Steinwart, NeurIPS 2024, arXiv:2407.04491).
    power_t : float, default=0.5
        Exponent of "invscaling".
    momentum : float in [0, 1], default=0.9
        How much of the last step is kept.
    nesterovs_momentum : bool, default=True
        Whether to use Nesterov's form.
    batch_size : int or "auto", default="auto"
        Samples per step; "auto" is ``min(200, n_samples)``.
    shuffle : bool, default=True
        Whether to visit the samples in a new order in each epoch.
    max_norm : float, optional
        Longest gradient, in the Euclidean norm; a longer one is scaled down to it.
    rate_factors : dict, optional
        Factors >= 0 of the learning rate, by segment of theta ("W1", "b1", "W2", ...) or for both
        of a layer (1, 2, ...), where a segment's name does not say otherwise; 1 for the others. 0
        freezes a layer, its weight decay included.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.solvers import SGD, minimize
    >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
    >>> net = Network([1, 5, 1], activation="tanh")
    >>> objective = net.objective(X, np.sin(3 * X).ravel())
    >>> theta = net.init(random_state=0)
    >>> solver = SGD(learning_rate_init=0.1, batch_size=20)
    >>> minimize(objective, theta, solver=solver, max_iter=5, random_state=0).n_iter
    5
    """

    _schedules = get_args(_types.AnySchedule)

    def __init__(
        self,
        learning_rate_init: float = 0.001,
        learning_rate: _types.AnySchedule = "constant",
        power_t: float = 0.5,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        batch_size: _types.BatchSize = "auto",
        shuffle: bool = True,
        max_norm: float | None = None,
        rate_factors: _types.RateFactors | None = None,
    ) -> None:
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.power_t = power_t
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.max_norm = max_norm
        self.rate_factors = rate_factors

    def _update(self):
        update = "nesterov" if check_flag("nesterovs_momentum", self.nesterovs_momentum) else "sgd"
        return {"update": update, "momentum": float(self.momentum)}

    def _end_epoch(self, state):
        if self.learning_rate == "invscaling":
            rate = float(self.learning_rate_init) / (state.n_seen + 1) ** self.power_t
            state.learning_rate = rate

    def _check(self):
        super()._check()
        self._in("momentum", "in [0, 1]", lambda v: 0 <= v <= 1)
        self._in("power_t", "at least 0 and finite", lambda v: 0 <= v < inf)


class Adam(MiniBatch):
    """Adam (Kingma & Ba, 2015), as scikit-learn writes it: epsilon outside the bias correction.

    Parameters
    ----------
    learning_rate_init : float, default=0.001
        The learning rate at the start.
    beta_1, beta_2 : float in [0, 1), default=0.9, 0.999
        Decay of the averages of the gradient and of its square.
    epsilon : float, default=1e-8
        Added to the root of the second moment.
    batch_size : int or "auto", default="auto"
        Samples per step; "auto" is ``min(200, n_samples)``.
    shuffle : bool, default=True
        Whether to visit the samples in a new order in each epoch.
    learning_rate : {"constant", "cosine", "coslog"}, default="constant"
        "cosine" lowers the rate batch by batch to 0 over ``max_iter`` epochs; "coslog" takes it
        from 0 up and back to 0 four times, see :class:`SGD`.
    max_norm : float, optional
        Longest gradient, in the Euclidean norm; a longer one is scaled down to it.
    rate_factors : dict, optional
        Factors >= 0 of the learning rate, by segment of theta ("W1", "b1", "W2", ...) or for both
        of a layer (1, 2, ...), where a segment's name does not say otherwise; 1 for the others. 0
        freezes a layer, its weight decay included.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.solvers import Adam, minimize
    >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
    >>> net = Network([1, 5, 1], activation="tanh")
    >>> objective = net.objective(X, np.sin(3 * X).ravel())
    >>> theta = net.init(random_state=0)
    >>> solver = Adam(learning_rate="cosine", batch_size=20)
    >>> minimize(objective, theta, solver=solver, max_iter=5, random_state=0).n_iter
    5
    """

    n_moments = 2

    def __init__(
        self,
        learning_rate_init: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        batch_size: _types.BatchSize = "auto",
        shuffle: bool = True,
        learning_rate: _types.MomentSchedule = "constant",
        max_norm: float | None = None,
        rate_factors: _types.RateFactors | None = None,
    ) -> None:
        self.learning_rate_init = learning_rate_init
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.learning_rate = learning_rate
        self.max_norm = max_norm
        self.rate_factors = rate_factors

    def _update(self):
        return {
            "update": "adam",
            "beta_1": float(self.beta_1),
            "beta_2": float(self.beta_2),
            "epsilon": float(self.epsilon),
        }

    def _check(self):
        super()._check()
        self._in("beta_1", "in [0, 1)", lambda v: 0 <= v < 1)
        self._in("beta_2", "in [0, 1)", lambda v: 0 <= v < 1)
        self._positive("epsilon")


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019).

    Each step also takes ``rate * weight_decay * w`` from every weight (biases are left alone).

    Parameters
    ----------
    learning_rate_init, beta_1, beta_2, epsilon, batch_size, shuffle, learning_rate, max_norm, \
rate_factors
        As for :class:`Adam`.
    weight_decay : float, default=0.01
        Strength of the decay, in units of the learning rate.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> from fastmlp.solvers import AdamW, minimize
    >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
    >>> net = Network([1, 5, 1], activation="tanh")
    >>> objective = net.objective(X, np.sin(3 * X).ravel())
    >>> theta = net.init(random_state=0)
    >>> solver = AdamW(weight_decay=0.1, batch_size=20)
    >>> minimize(objective, theta, solver=solver, max_iter=5, random_state=0).n_iter
    5
    """

    def __init__(
        self,
        learning_rate_init: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        batch_size: _types.BatchSize = "auto",
        shuffle: bool = True,
        learning_rate: _types.MomentSchedule = "constant",
        max_norm: float | None = None,
        weight_decay: float = 0.01,
        rate_factors: _types.RateFactors | None = None,
    ) -> None:
        super().__init__(
            learning_rate_init,
            beta_1,
            beta_2,
            epsilon,
            batch_size,
            shuffle,
            learning_rate,
            max_norm,
            rate_factors,
        )
        self.weight_decay = weight_decay

    def _update(self):
        return {**super()._update(), "weight_decay": float(self.weight_decay)}

    def _check(self):
        super()._check()
        self._in("weight_decay", "at least 0 and finite", lambda v: 0 <= v < inf)
