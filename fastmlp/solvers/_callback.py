"""What a run shows to a user's callback, and what the callback may answer."""

from __future__ import annotations

from typing import Any

import numpy as np


class _Stop:
    """The type of :data:`STOP`, of which there is one object in a process."""

    _instance: _Stop | None = None

    def __new__(cls) -> _Stop:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __reduce__(self):
        return _Stop, ()  # pickles and copies are the object itself

    def __repr__(self) -> str:
        return "fastmlp.STOP"


STOP = _Stop()


class Record(dict):
    """One iteration's entries of the history; the callback's own copy.

    Parameters
    ----------
    entries : dict of str to float
        What it holds.
    theta, network
        See below.

    Attributes
    ----------
    theta : ndarray of shape (n_params,)
        The current parameters, read-only. The run works on this memory: keep
        ``record.theta.copy()``. After the callback's return the record has no ``theta``.
    network : Network or None
        The network that is trained, where the objective has one.

    Examples
    --------
    >>> from fastmlp.solvers import minimize
    >>> path = []
    >>> def keep(iteration, record):
    ...     path.append((record["loss"], record.theta.copy()))
    >>> result = minimize(lambda t: (float(t @ t), 2 * t), [1.0], solver="lbfgs", callback=keep)
    >>> len(path) == result.n_iter
    True
    """

    __slots__ = ("_theta", "network")

    def __init__(self, entries: dict[str, Any], theta: np.ndarray, network: Any = None) -> None:
        super().__init__(entries)
        self._theta = theta.view()
        self._theta.flags.writeable = False
        self.network = network

    @property
    def theta(self) -> np.ndarray:
        """The current parameters, read-only, until the callback returns."""
        if self._theta is None:
            raise AttributeError(
                "record.theta can be read until the callback returns; keep record.theta.copy()."
            )
        return self._theta

    def close(self) -> None:
        """Let go of the parameters."""
        self._theta = None

    def __reduce__(self):
        return dict, (dict(self),)


def wants_to_stop(callback, iteration, entries, theta, objective) -> bool:
    """Call a user's callback, which may be None; whether it wants the run to stop.

    It does if it raises StopIteration or returns STOP. Any other answer is none: progress bars and
    dictionaries answer with something true, too.
    """
    if callback is None:
        return False
    record = Record(entries, theta, objective.network)
    try:
        return callback(iteration, record) is STOP
    except StopIteration:
        return True
    finally:
        record.close()
