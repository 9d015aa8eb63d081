"""Nothing in Python runs per mini-batch: the number of calls does not depend on the batches."""

import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.solvers import SGD, Adam, AdamW

N_SAMPLES, EPOCHS = 100, 3

# NumPy functions that compiled code would look up by name, where no profiler sees them called.
WATCHED = (
    "abs add array arange asarray ascontiguousarray concatenate copyto divide dot empty empty_like "
    "exp full isfinite log matmul maximum mean minimum multiply ones reshape searchsorted sqrt "
    "square subtract sum take take_along_axis tanh where zeros zeros_like"
).split()


class Counter:
    """Counts the calls of Python and C functions, and NumPy's own when compiled code makes them."""

    def __init__(self, monkeypatch):
        self.calls = 0
        for name in WATCHED:
            function = getattr(np, name)
            if not isinstance(function, np.ufunc):
                monkeypatch.setattr(np, name, self.wrap(function))

    def wrap(self, function):
        def counted(*args, **kwargs):
            self.calls += 1
            return function(*args, **kwargs)

        return counted

    def profile(self, frame, event, argument):
        if event in ("call", "c_call"):
            self.calls += 1

    def count(self, action):
        self.calls = 0
        sys.setprofile(self.profile)
        try:
            action()
        finally:
            sys.setprofile(None)
        return self.calls


PATHS = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate": "invscaling"},
    "plain sgd": {"solver": "sgd", "nesterovs_momentum": False, "shuffle": False},
    "early stopping": {"early_stopping": True},
    "weights": {"weights": True},
    "sparse": {"sparse": True},
    "float32": {"dtype": np.float32},
    "all at once": {
        "early_stopping": True,
        "weights": True,
        "sparse": True,
        "dtype": np.float32,
        "solver": "sgd",
    },
    "standardize": {"standardize": True},
    "cosine and clipping": {"object": (SGD, {"learning_rate": "cosine", "max_norm": 1.0})},
    "adamw": {"object": (AdamW, {"learning_rate": "coslog"})},
    "adam object": {"object": (Adam, {})},
    "validation data": {"validation": True, "scoring": "neg_log_loss"},
    "partial_fit": {"partial": True},
    "deep": {"hidden_layer_sizes": (9, 8, 7, 6, 5), "activation": "gelu"},
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_calls_do_not_grow_with_batches(path, kind, monkeypatch):
    options = dict(PATHS[path])
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_SAMPLES, 6)).astype(options.pop("dtype", float))
    y = (X[:, 0] > 0).astype(int)
    if kind is MLPRegressor and "scoring" in options:
        options["scoring"] = "neg_mean_squared_error"
    if options.pop("sparse", False):
        X = sp.csr_matrix(X)
    data = {"sample_weight": rng.uniform(size=N_SAMPLES)} if options.pop("weights", False) else {}
    if options.pop("validation", False):
        data |= {"X_val": X[:30], "y_val": y[:30]}
    partial = options.pop("partial", False)
    made = options.pop("object", None)
    counter = Counter(monkeypatch)

    def fit(batch_size):
        if made:
            solver, arguments = made
            options["solver"] = solver(batch_size=batch_size, **arguments)
        else:
            options["batch_size"] = batch_size
        estimator = kind(max_iter=EPOCHS, random_state=0, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not partial:
                return estimator.fit(X, y, **data)
            keywords = {"classes": [0, 1]} if kind is MLPClassifier else {}
            return estimator.partial_fit(X, y, **keywords)

    fit(10)  # imports and caches
    few = counter.count(lambda: fit(50))
    many = counter.count(lambda: fit(1))
    assert few > 100
    # Not exactly the same: which epoch is the best is one's own.
    assert abs(many - few) < N_SAMPLES / 4
    assert fit(1).n_iter_ == (1 if partial else EPOCHS)


def test_the_counter_sees_calls_per_batch(monkeypatch):
    counter = Counter(monkeypatch)
    few = counter.count(lambda: [np.empty(3) for _ in range(2)])
    assert counter.count(lambda: [np.empty(3) for _ in range(50)]) > few + 40
