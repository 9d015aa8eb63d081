"""standardize=True: the scales learned, and that every path applies them without losing digits.

Columns of float32 with a large mean beside their spread are compared with the same numbers in
float64.
"""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor, Network
from fastmlp._scales import Moments

OPTIONS = {
    "hidden_layer_sizes": (8,), "activation": "tanh", "standardize": True, "random_state": 0,
    "max_iter": 5, "batch_size": 50,
}  # fmt: skip


def columns(n, ratio, rng):
    """Three columns, float32 exactly, whose mean is `ratio` times their spread; and a target."""
    z = rng.normal(size=(n, 3))
    spread = np.array([30.0, 1.0, 1e-3])
    X = (spread * (ratio + z)).astype(np.float32)
    true = X.astype(np.float64)
    true = (true - true.mean(axis=0)) / np.maximum(true.std(axis=0), 1e-9)
    return X, np.sin(true[:, 0]) + true[:, 1] * true[:, 2]


def plain(X):
    """The scales in float64, by the definition."""
    X = X.astype(np.float64)
    mean = X.mean(axis=0)
    return mean, np.sqrt(np.mean((X - mean) ** 2, axis=0))


# -- learning them -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ratio", [0, 10, 1e3, 1e5])
@pytest.mark.parametrize("n", [1, 2, 1000, 200_000])
def test_scales_of_columns_far_from_zero(n, ratio, dtype, rng):
    X = columns(n, ratio, rng)[0].astype(dtype)
    mean, scale = Moments.of(X).scales()
    expected = StandardScaler().fit(X.astype(np.float64))
    assert mean == pytest.approx(expected.mean_, rel=1e-12, abs=1e-12)
    assert scale == pytest.approx(expected.scale_, rel=1e-7)


def test_scales_of_many_rows():
    # n times float32's rounding is above one from 8.4 million rows on.
    X = np.tile(np.float32([[2460000.25], [2460030.25], [2460060.25]]), (3_000_000, 1))
    mean, scale = Moments.of(X).scales()
    assert mean[0] == pytest.approx(2460030.25, rel=1e-15)
    assert scale[0] == pytest.approx(np.sqrt(600), rel=1e-12)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_scales_in_blocks_of_some_of_the_rows(sparse, weighted, rng, monkeypatch):
    monkeypatch.setattr("fastmlp._scales._BLOCK", 40)
    X = rng.normal(size=(500, 4)) * [1, 10, 100, 1] + [0, 50, 0, 3]
    X[rng.uniform(size=X.shape) < 0.5] = 0
    w = rng.integers(3, size=500) * 1.0 if weighted else np.ones(500)
    X[w == 0] = 1e9  # rows of no weight
    rows = rng.permutation(500)[:300]
    mean, scale = Moments.of(sp.csr_matrix(X) if sparse else X, w, rows).scales()
    expected = np.average(X[rows], axis=0, weights=w[rows])
    assert mean == pytest.approx(expected, rel=1e-12)
    variance = np.average((X[rows] - expected) ** 2, axis=0, weights=w[rows])
    assert scale == pytest.approx(np.sqrt(variance), rel=1e-12)


def test_entries_stored_twice_add_up(rng):
    X = sp.csr_matrix((np.r_[1.0, 2.0, 4.0], np.r_[0, 0, 1], np.r_[0, 2, 3, 3]), shape=(3, 2))
    given = X.copy()
    mean, scale = Moments.of(X).scales()
    dense = X.toarray()
    assert mean == pytest.approx(dense.mean(axis=0))
    assert scale == pytest.approx(dense.std(axis=0))
    assert np.array_equal(X.data, given.data) and np.array_equal(X.indices, given.indices)


@pytest.mark.parametrize("value", [0.0, 0.1, 8.0, -2460000.37, 1e-200, 1e200])
@pytest.mark.parametrize("n", [1, 3, 1000])
def test_constant_columns_have_scale_one(value, n):
    X = np.column_stack([np.full(n, value), np.arange(n)])
    for data in (X, sp.csr_matrix(X)):
        assert Moments.of(data).scales()[1][0] == 1.0
        total = Moments.of(data[: n // 2]) + Moments.of(data[n // 2 :])
        assert total.scales()[1][0] == 1.0


@pytest.mark.parametrize("factor", [1e-300, 1e-200, 1e-30, 1e100, 1e200, 1e300])
@pytest.mark.parametrize("sparse", [False, True])
def test_scales_of_tiny_and_huge_columns(factor, sparse, rng):
    X = rng.uniform(-1, 2, size=(50, 2))
    with np.errstate(all="raise"):
        mean, scale = Moments.of(sp.csr_matrix(X * factor) if sparse else X * factor).scales()
        halves = Moments.of(X[:20] * factor) + Moments.of(X[20:] * factor)
        assert halves.scales()[1] == pytest.approx(X.std(axis=0) * factor, rel=1e-12, abs=0)
    assert mean == pytest.approx(X.mean(axis=0) * factor, rel=1e-12, abs=0)
    assert scale == pytest.approx(X.std(axis=0) * factor, rel=1e-12, abs=0)


@pytest.mark.parametrize("factor", [1e-200, 1e200])
@pytest.mark.parametrize("solver", ["adam", "lbfgs", "lm"])
def test_a_fit_does_not_depend_on_the_unit(factor, solver, rng):
    X = rng.normal(size=(100, 2))
    y = np.sin(X[:, 0])
    model = MLPRegressor(
        hidden_layer_sizes=(5,), standardize=True, solver=solver, random_state=0, max_iter=20
    )
    expected = model.fit(X, y).predict(X)
    with np.errstate(all="raise", under="ignore"):
        model.fit(X * factor, y * factor)
        found = model.predict(X * factor) / factor
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


# -- applying them -----------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [10, 1e3, 1e5])
@pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier])
@pytest.mark.parametrize(
    "options",
    [{}, {"early_stopping": True}, {"solver": "lbfgs"}, {"solver": "lm"}, {"solver": "newton-cg"},
     {"hidden_layer_sizes": (900,), "max_iter": 2}],
    ids=["adam", "early", "lbfgs", "lm", "newton-cg", "blas"],
)  # fmt: skip
def test_float32_does_as_float64(ratio, kind, options, rng):
    X, y = columns(600, ratio, rng)
    y = y > 0 if kind is MLPClassifier else 1e3 * y + 1e7
    wide = kind(**OPTIONS | options).fit(X.astype(np.float64), y)
    single = kind(**OPTIONS | options).fit(X, y)
    if not options.get("early_stopping"):
        assert wide.x_scale_ == pytest.approx(plain(X)[1], rel=1e-9)
    assert np.array_equal(single.x_scale_, wide.x_scale_)
    assert np.array_equal(single.x_mean_, wide.x_mean_)
    assert single._coefs[0].dtype == np.float32
    n = min(len(single.loss_curve_), len(wide.loss_curve_), 3)
    assert single.loss_curve_[:n] == pytest.approx(wide.loss_curve_[:n], rel=2e-3)
    if options.get("early_stopping"):
        scores = np.array(single.validation_scores_), np.array(wide.validation_scores_)
        assert np.allclose(*scores, atol=0.02)
    # What float32 weights say of float32 data, reckoned in float64.
    z = (X.astype(np.float64) - single.x_mean_) / single.x_scale_
    W, b = [w.astype(np.float64) for w in single._coefs], single._intercepts
    raw = np.tanh(z @ W[0] + b[0]) @ W[1] + b[1]
    close = {"rtol": 1e-5, "atol": 1e-5}
    if kind is MLPRegressor:
        expected = (raw * single.y_scale_ + single.y_mean_)[:, 0]
        close = {"rtol": 2e-7, "atol": 1e-2}  # 1e7 in float32, outputs of 1e3

        def answer(model, x):
            return model.predict(x)
    else:
        expected = 1 / (1 + np.exp(-raw[:, 0]))

        def answer(model, x):
            return model.predict_proba(x)[:, 1] if model is single else model.outputs(x)[:, 0]

    compiled = single.compile()
    for model in (single, compiled, pickle.loads(pickle.dumps(compiled))):
        assert np.allclose(answer(model, X), expected, **close)
        assert np.allclose(answer(model, X[3:4]), expected[3:4], **close)
        assert np.allclose(answer(model, X[:49]), expected[:49], **close)
    strided = np.asfortranarray(np.repeat(X, 2, axis=0))[::2]
    assert np.allclose(answer(single, strided), expected, **close)
    assert np.allclose(answer(single, sp.csr_matrix(X)), expected, **close)


@pytest.mark.parametrize("ratio", [10, 1e5])
def test_validation_data_and_scorers_are_scaled(ratio, rng):
    X, y = columns(400, ratio, rng)
    for scoring in (None, "loss", "r2"):
        scores = [
            MLPRegressor(scoring=scoring, **OPTIONS)
            .fit(data[:300], y[:300], X_val=data[300:], y_val=y[300:])
            .validation_scores_
            for data in (X, X.astype(np.float64), sp.csr_matrix(X))
        ]
        assert scores[0] == pytest.approx(scores[1], abs=5e-3)
        if scoring != "loss" or ratio < 100:
            assert np.isfinite(scores[2]).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparse_data_is_not_centred(dtype, rng):
    X = rng.normal(size=(300, 4)) * [1, 10, 100, 1e-3]
    X[rng.uniform(size=X.shape) < 0.7] = 0
    y = X[:, 0] + X[:, 1]
    model = MLPRegressor(**OPTIONS).fit(sp.csr_matrix(X.astype(dtype)), y)
    assert not model.x_mean_.any()
    scale = X.std(axis=0)
    assert model.x_scale_ == pytest.approx(scale, rel=1e-6)
    before = MLPRegressor(**OPTIONS | {"standardize": False})
    before.fit((X / scale).astype(dtype), (y - y.mean()) / y.std())
    assert model.loss_curve_ == pytest.approx(before.loss_curve_, **{
        "rel": 1e-9 if dtype == np.float64 else 1e-4
    })  # fmt: skip
    assert np.allclose(model.predict(sp.csr_matrix(X)), model.predict(X), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [10, 1e3, 1e5])
def test_a_million_rows(ratio, rng):
    X, y = columns(1_000_000, ratio, rng)
    options = OPTIONS | {"batch_size": 1000, "max_iter": 1}
    single = MLPRegressor(**options).fit(X, y)
    wide = MLPRegressor(**options).fit(X.astype(np.float64), y)
    assert single.x_scale_ == pytest.approx(wide.x_scale_, rel=1e-9)
    assert single.loss_curve_ == pytest.approx(wide.loss_curve_, rel=2e-3)
    assert np.allclose(single.predict(X), wide.predict(X.astype(np.float64)), atol=1e-2)


def test_the_scales_that_predict_uses_are_those_of_now(rng):
    X, y = columns(200, 10, rng)
    model = MLPRegressor(**OPTIONS).fit(X, y)
    before, row = model.predict(X), model.predict(X[:1])
    model.x_scale_ = 2 * model.x_scale_
    assert not np.allclose(model.predict(X), before)
    assert not np.allclose(model.predict(X[:1]), row)
    model.x_scale_ = model.x_scale_ / 2
    assert np.array_equal(model.predict(X), before)


def test_rows_that_the_scales_make_infinite(rng):
    X, y = columns(200, 10, rng)
    model = MLPRegressor(**OPTIONS).fit(X, y)
    far = np.float32([[1, 1, 3e38]])
    for answer in (model.predict, model.compile().predict):
        for rows in (far, np.repeat(far, 5, axis=0), [[np.nan, 1, 1]]):
            with pytest.raises(ValueError, match="too large|infinity|NaN"):
                answer(rows)


@pytest.mark.parametrize("layout", ["C", "F", "sparse", "rows"])
@pytest.mark.parametrize("widths", [[3, 5, 2], [3, 700, 2]])
def test_an_objective_with_scales_is_that_of_scaled_data(layout, widths, rng):
    net = Network(widths, activation="tanh")
    X, y = 1e4 + rng.normal(size=(90, 3)) * [1, 10, 100], rng.normal(size=(90, 2))
    scales = X.mean(axis=0), X.std(axis=0)
    rows = rng.permutation(90)[:50] if layout == "rows" else None
    given = {"F": np.asfortranarray(X), "sparse": sp.csr_matrix(X)}.get(layout, X)
    found = net.objective(given, y, alpha=0.1, rows=rows, scales=scales)
    expected = net.objective((X - scales[0]) / scales[1], y, alpha=0.1, rows=rows)
    theta, v = net.init(random_state=0), rng.normal(size=net.n_params)
    some = np.arange(20)
    for ask in (
        lambda o: o.value_grad(theta)[1],
        lambda o: o.predict(theta),
        lambda o: o.ggn_mul(theta, v),
        lambda o: o.hess_mul(theta, v),
        lambda o: o.ggn(theta) if net.n_params < 100 else 0,
        lambda o: o.hessian(theta) if net.n_params < 100 else 0,
        lambda o: o.subset(some).value_grad(theta)[1],
        lambda o: o.linear(theta)[0].value_grad(np.arange(8.0))[1],
    ):
        assert np.allclose(ask(found), ask(expected), rtol=1e-9, atol=1e-9)
    assert np.allclose(
        net.predict(theta, given, scales), net.predict(theta, (X - scales[0]) / scales[1])
    )


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("wide", ["X", "y"])
def test_values_too_far_apart_to_be_subtracted(wide):
    X = np.linspace(0, 1, 30)[:, None]
    far = np.where(X > 0.5, 1.7e308, -1.7e308)
    given = {"X": (np.hstack([X, far]), X[:, 0]), "y": (X, far[:, 0])}[wide]
    with pytest.raises(ValueError, match=f"Column {int(wide == 'X')} has values too far apart"):
        MLPRegressor(standardize=True, max_iter=2).fit(*given)
