"""standardize=True in partial_fit: scales that follow the stream, and a model that follows them."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor

OPTIONS = {
    "hidden_layer_sizes": (30,), "standardize": True, "random_state": 0, "batch_size": 50,
    "learning_rate_init": 0.01,
}  # fmt: skip
# Blocks smaller than a batch, fits that end early.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def stream(seed=0, n=4000, drift=0.0):
    """Four columns far from zero, whose means move by `drift` deviations; a target in thousands."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 4)) + drift * np.linspace(0, 1, n)[:, None]
    u = (z - z.mean(axis=0)) / z.std(axis=0)
    y = np.sin(2 * u[:, 0]) + u[:, 1] * u[:, 2] + 0.1 * rng.normal(size=n)
    return 2460000 + 30 * z, 5e4 + 1e3 * y


def fed(X, y, blocks, **options):
    model = MLPRegressor(**OPTIONS | options)
    for rows in blocks:
        model.partial_fit(X[rows], y[rows])
    return model


def in_blocks(n, size):
    return [slice(start, start + size) for start in range(0, n, size)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sparse", [False, True])
def test_scales_are_those_of_all_rows_so_far(sparse, dtype):
    X, y = stream(n=700, drift=3.0)
    X = X.astype(dtype)
    given = sp.csr_matrix(X) if sparse else X
    w = np.arange(700) % 3 * 1.0
    model = MLPRegressor(**OPTIONS)
    for rows in (slice(0, 1), slice(1, 3), slice(3, 400), slice(400, 700)):
        if rows.start:
            model.partial_fit(given[rows], y[rows], w[rows])
        else:
            model.partial_fit(given[rows], y[rows])
            w[0] = 1.0
    mean = np.average(X.astype(float), axis=0, weights=w)
    variance = np.average((X.astype(float) - mean) ** 2, axis=0, weights=w)
    assert model.x_scale_ == pytest.approx(np.sqrt(variance), rel=1e-6)
    assert model.x_mean_ == pytest.approx(0 * mean if sparse else mean, rel=1e-12)
    assert model.y_mean_[0] == pytest.approx(np.average(y, weights=w))


@pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_model_stays_the_same_function(kind, activation):
    X, y = stream(n=600)
    options = OPTIONS | {
        "activation": activation, "hidden_layer_sizes": (6, 5), "learning_rate_init": 1e-300
    }  # fmt: skip
    labels = y > 5e4
    model = kind(**options).fit(X, y if kind is MLPRegressor else labels)
    answer = model.predict if kind is MLPRegressor else model.predict_proba
    before, scale = answer(X), model.x_scale_
    more = X[:300] + 40.0, (y + 700 if kind is MLPRegressor else labels)[:300]
    model.partial_fit(*more)
    assert (model.x_scale_ > 1.05 * scale).all()
    assert np.allclose(answer(X), before, rtol=1e-9, atol=1e-9)


def test_weights_are_not_stretched_without_end():
    X, y = stream(n=600)
    model = MLPRegressor(**OPTIONS | {"learning_rate_init": 1e-300}).fit(X, y)
    before = np.abs(model._coefs[0])
    model.partial_fit(X[0] + 1e4 * (X - X[0]), y)
    assert np.abs(model._coefs[0]) == pytest.approx(2 * before)
    model.partial_fit(X[0] + 1e6 * (X - X[0]), y)
    assert np.abs(model._coefs[0]) == pytest.approx(2 * before)


@pytest.mark.parametrize("drift", [0.0, 3.0])
@pytest.mark.parametrize("first", ["block", "one row", "constant"])
def test_a_stream_comes_close_to_a_fit(first, drift):
    X, y = stream(drift=drift)
    X_test, y_test = stream(seed=1, drift=drift)
    begin = {
        "block": [],
        "one row": [slice(0, 1)],
        "constant": [np.zeros(100, dtype=int)],
    }[first]
    model = fed(X, y, begin + 3 * in_blocks(len(X), 100))
    known = MLPRegressor(**OPTIONS, max_iter=3)
    known.fit(X, y)
    assert known.score(X_test, y_test) > 0.85
    # Scales that stay as one row or a constant block have them: .1, and below 0 with drift.
    away = 0.05 if not drift else 0.1 if first == "block" else 0.3
    assert model.score(X_test, y_test) > known.score(X_test, y_test) - away
    if first == "block":
        assert model.x_scale_ == pytest.approx(StandardScaler().fit(X).scale_)


def test_rows_one_by_one():
    X, y = stream(n=300)
    model = fed(X, y, in_blocks(len(X), 1), batch_size=1)
    assert model.score(X, y) > 0.2  # scales that stay: below 0
    assert model.x_scale_ == pytest.approx(X.std(axis=0))


def test_a_stream_goes_on_after_a_pickle():
    import pickle

    X, y = stream(n=400)
    model = fed(X, y, in_blocks(400, 100))
    other = pickle.loads(pickle.dumps(fed(X, y, in_blocks(200, 100))))
    for rows in in_blocks(400, 100)[2:]:
        other.partial_fit(X[rows], y[rows])
    assert np.array_equal(other.x_scale_, model.x_scale_)
    assert np.array_equal(other.predict(X), model.predict(X))


def test_a_failed_call_leaves_scales_and_weights():
    X, y = stream(n=400)
    model = fed(X, y, in_blocks(200, 100))
    before = model.x_mean_, model.predict(X), model._x_moments["n"]
    with pytest.raises(ValueError, match="callback"):
        model.set_params(callback="none").partial_fit(X[200:], y[200:])

    def fails(epoch, record):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        model.set_params(callback=fails).partial_fit(X[200:], y[200:])
    assert model.x_mean_ is before[0] and model._x_moments["n"] == before[2]
    assert np.array_equal(model.predict(X), before[1])
