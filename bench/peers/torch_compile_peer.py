"""PyTorch with the forward and backward sweep of a whole batch compiled; needs a C++ compiler."""

import functools
import shutil

import torch

from bench.peers import torch_peer
from bench.peers.torch_peer import ACTIVATIONS  # noqa: F401

NAME = "torch.compile"
SLOW_START = True

if not any(map(shutil.which, ("c++", "g++", "clang++"))):
    raise ImportError("no C++ compiler for the kernels that it generates")


@functools.lru_cache(maxsize=2)  # of one case: loss, forward
def compiled(function, case, dtype):
    torch._dynamo.reset()  # each function has room for a handful of shapes only
    return torch.compile(function, dynamic=False)


def prepare(case, X, y, seed, threads):
    torch.set_num_threads(threads)
    loss = compiled(torch_peer.loss_of, case, X.dtype)
    size = case.batch_size
    coefs, intercepts, _ = torch_peer.start.initial(case, X.dtype, seed)
    weights, biases = torch_peer.parameters(coefs, intercepts, trained=True)
    # the compiler runs here
    loss(case, weights, biases, torch.from_numpy(X[:size]), torch.from_numpy(y[:size])).backward()
    return torch_peer.prepare(case, X, y, seed, threads, loss)


def predictor(case, coefs, intercepts, threads):
    forward = compiled(torch_peer.forward, case, coefs[0].dtype)
    return torch_peer.predictor(case, coefs, intercepts, threads, forward)
