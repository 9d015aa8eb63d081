"""Parts of data and losses that other processes import, by the path that pytest gives them."""

import os

import numpy as np


def smooth(raw, y):
    """A loss of one's own: log cosh."""
    error = raw[:, 0] - y
    return np.logaddexp(error, -error) - np.log(2), np.tanh(error)[:, None]


class Smooth:
    """The same with curvature; a class that other processes can import."""

    value_grad = staticmethod(smooth)

    @staticmethod
    def hess(raw, y):
        return (1 - np.tanh(raw[:, 0] - y) ** 2)[:, None, None]


class Faulty:
    """A part that does what it is told to at its second answer."""

    def __init__(self, term, answer, good=1):
        self.term, self.answer, self.good = term, answer, good
        for name in ("n_params", "n_samples", "n_residuals", "weight", "dtype", "segments"):
            setattr(self, name, getattr(term, name))

    def sums(self, want, theta, v=None):
        self.good -= 1
        sums = self.term.sums(want, theta, v)
        return sums if self.good >= 0 else self.answer(sums)


def die(sums):
    os._exit(1)
