"""The peak memory of one fit, above that of the process with its data in memory."""

import importlib
import tempfile
import threading
from pathlib import Path

from bench import children

MODULES = {"fastmlp": "fastmlp", "sklearn": "sklearn.neural_network"}
STATUS = Path("/proc/self/status")


def main():
    asked = children.question()
    module = importlib.import_module(MODULES[asked["module"]])
    fit(module, asked, *data(asked, rows=200))  # what every fit needs once is not the data's
    if not STATUS.exists():
        children.answer(above=None)
        return
    with tempfile.TemporaryDirectory() as folder:
        X, y = data(asked, folder=folder if asked["memmap"] else None)
        peak = Peak("RssAnon" if asked["memmap"] else "VmHWM")
        with peak:
            estimator = fit(module, asked, X, y)
        theta = sum(array.nbytes for array in (*estimator.coefs_, *estimator.intercepts_))
        children.answer(above=peak.above, X=X.nbytes, theta=theta)
        del X


def fit(module, asked, X, y):
    return module.MLPRegressor(
        hidden_layer_sizes=asked["hidden"],
        batch_size=min(1024, len(X) // 2),
        max_iter=2,
        tol=0.0,
        n_iter_no_change=2,
        early_stopping=asked["early_stopping"],
        random_state=0,
    ).fit(X, y)


def data(asked, rows=None, folder=None):
    """X (n_samples, n_features), in a file if there is a folder, and y (n_samples,)."""
    import numpy as np

    rng = np.random.default_rng(0)
    n, dtype = rows or asked["n_samples"], np.dtype(asked["dtype"])
    shape = (n, asked["n_features"])
    if folder is None:
        X = np.empty(shape, dtype)
    else:
        X = np.memmap(Path(folder) / "X", dtype, "w+", shape=shape)
    for begin in range(0, n, 10_000):  # no float64 copy of all of it, whose pages might be reused
        part = X[begin : begin + 10_000]
        part[...] = rng.standard_normal(part.shape)
    y = X[:, 0].copy()
    if folder is not None:
        X.flush()
        X = np.memmap(Path(folder) / "X", dtype, "r", shape=shape)
    return X, np.asarray(y)


class Peak:
    """The growth of resident memory inside a block, in bytes.

    The kernel keeps the peak of all resident memory (VmHWM); that of anonymous memory (RssAnon)
    is sampled every millisecond.
    """

    def __init__(self, field):
        self.field = field
        self.above = None

    def __enter__(self):
        self._stop = threading.Event()
        self._highest = self._before = read("RssAnon" if self.field == "RssAnon" else "VmRSS")
        if self.field == "VmHWM":
            Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is in use
        else:
            self._sampler = threading.Thread(target=self._sample)
            self._sampler.start()

    def __exit__(self, *_):
        if self.field == "VmHWM":
            self._highest = read("VmHWM")
        else:
            self._stop.set()
            self._sampler.join()
        self.above = self._highest - self._before

    def _sample(self):
        while not self._stop.wait(0.001):
            self._highest = max(self._highest, read(self.field))


def read(field):
    """A size from the process's status, in bytes."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise OSError(f"{STATUS} has no {field}")


if __name__ == "__main__":
    main()
