"""standardize=True takes no copy of X: memory beside X, in sizes of X, on every path."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from fastmlp import MLPClassifier, MLPRegressor

# Blocks of two megabytes while scales are learned, targets on their own scale: eight bytes a row.
SHARE = 0.2
N, COLUMNS = 60_000, 60  # 14 MB of float32
OPTIONS = {
    "hidden_layer_sizes": (4,), "standardize": True, "max_iter": 1, "batch_size": 1000,
    "random_state": 0, "n_threads": 1,
}  # fmt: skip


def peak(call, size):
    """The most memory that a call takes, in units of `size` bytes."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / size
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def numbers():
    return np.random.default_rng(0).normal(5, 2, size=(N, COLUMNS)).astype(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["C", "F", pytest.param("sparse", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_copy_of_X(kind, layout, dtype, numbers):
    X = numbers.astype(dtype)
    y = X[:, 0] > 5 if kind is MLPClassifier else X[:, 0]
    X = sp.csr_matrix(X) if layout == "sparse" else np.asarray(X, order=layout)
    size = X.data.nbytes  # of a sparse matrix: without its indices
    peaks = [peaks_of(kind, X, y, size, standardize) for standardize in (False, True)]
    if layout == "C":
        assert max(peaks[1].values()) < 2 * SHARE
    # Without standardize: copies of a CSR matrix's indices, rows in C order for a prediction.
    assert {name: peak for name, peak in peaks[1].items() if peak > peaks[0][name] + SHARE} == {}


def peaks_of(kind, X, y, size, standardize):
    options = OPTIONS | {"standardize": standardize}
    model = kind(**options).fit(X[:1000], y[:1000])
    val = {"X_val": X, "y_val": y}
    calls = {
        "predict": lambda: model.predict(X),
        "partial_fit": lambda: model.partial_fit(X, y),
        "fit": lambda: kind(**options).fit(X, y),
        "early stopping": lambda: kind(**options, early_stopping=True).fit(X, y),
        "X_val": lambda: kind(**options).fit(X[:1000], y[:1000], **val),
        "lbfgs": lambda: kind(**options | {"solver": "lbfgs"}).fit(X, y),
    }
    if not sp.issparse(X):
        calls["compiled"] = lambda: model.compile().predict(X)
    return {name: peak(call, size) for name, call in calls.items()}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_rows_that_stay_sparse_take_one_copy_of_their_numbers(dtype):
    X = sp.random(200_000, 500, density=0.03, format="csr", random_state=0, dtype=dtype)
    y = np.asarray(X[:, :3].sum(axis=1)).ravel()
    plain, scaled = (
        peaks_of(MLPRegressor, X, y, X.data.nbytes, standardize) for standardize in (False, True)
    )
    copies = dict.fromkeys(plain, 1) | {"early stopping": 2}  # for training and for the scores
    more = {name: scaled[name] - plain[name] for name in plain}
    assert {name: more[name] for name in more if more[name] > copies[name] + SHARE} == {}


def test_few_sparse_rows_of_a_model_for_dense_ones():
    X = np.random.default_rng(0).normal(size=(300, 500))
    model = MLPRegressor(**OPTIONS)
    with pytest.warns(UserWarning):
        model.fit(X, X[:, 0])
    rows = sp.random(20_000, 500, density=0.002, format="csr", random_state=0)
    # 80 MB if it were dense
    assert peak(lambda: model.predict(rows), 1) < 12e6


def test_memmap(tmp_path, numbers):
    path = tmp_path / "X.npy"
    np.save(path, numbers)
    X = np.load(path, mmap_mode="r")
    model = MLPRegressor(**OPTIONS)
    with pytest.warns(UserWarning):
        assert peak(lambda: model.fit(X, numbers[:, 0]), X.nbytes) < SHARE
    assert peak(lambda: model.predict(X), X.nbytes) < SHARE
