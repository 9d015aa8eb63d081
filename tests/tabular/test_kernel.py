"""Ridge regression by a kernel of steps, against brute force and scikit-learn's."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from fastmlp import MLPRegressor, TabularMLPRegressor
from fastmlp.solvers import LevenbergMarquardt
from fastmlp.tabular import _kernel, _portfolio
from fastmlp.tabular._kernel import LaplaceRidge


def steps(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    y = (X[:, 0] > 0.3) * (X[:, 1] < 0) + 0.5 * (X[:, 2] > 1) + 0.05 * rng.normal(size=n)
    return X, y - y.mean()


def test_the_choice_is_that_of_the_least_error_left_out(monkeypatch):
    monkeypatch.setattr(_kernel, "STRENGTHS", (1e-2, 1e-1, 1.0))
    X, y = steps(30)
    model = LaplaceRidge().fit(X, y)
    distances = np.abs(X[:, np.newaxis] - X).sum(axis=2)
    unit = np.median(distances[distances > 0])
    losses = {}
    for width in _kernel.WIDTHS:
        for alpha in _kernel.STRENGTHS:
            other = KernelRidge(kernel="laplacian", gamma=1 / (width * unit), alpha=alpha)
            left_out = cross_val_predict(other, X, y, cv=LeaveOneOut())
            losses[width * unit, alpha] = np.mean((left_out - y) ** 2)
    width, alpha = min(losses, key=losses.get)
    assert (model.width_, model.strength_) == (pytest.approx(width), alpha)
    other = KernelRidge(kernel="laplacian", gamma=1 / width, alpha=alpha).fit(X, y)
    new, _ = steps(20, seed=1)
    np.testing.assert_allclose(model.predict(new), other.predict(new), rtol=1e-8)


@pytest.mark.parametrize("power", [1.0, _portfolio.ROUGH])
def test_derivatives_are_those_of_the_answer_and_sparse_rows_say_the_same(power):
    X, y = steps()
    model = LaplaceRidge(power).fit(X, np.stack([y, -2 * y], axis=1))
    new, _ = steps(10, seed=1)
    slopes, tiny = model.input_jacobian(new), 1e-6
    for j in range(3):
        step = tiny * np.eye(3)[j]
        wanted = (model.predict(new + step) - model.predict(new - step)) / (2 * tiny)
        np.testing.assert_allclose(slopes[:, :, j], wanted, rtol=1e-5, atol=1e-6)
    assert np.isfinite(model.input_jacobian(X)).all()
    sparse = LaplaceRidge(power).fit(sp.csr_matrix(X), y)
    np.testing.assert_allclose(sparse.predict(sp.csr_matrix(new)), model.predict(new)[:, 0])
    np.testing.assert_allclose(sparse.input_jacobian(new)[:, 0], slopes[:, 0])


def test_rows_without_weight_are_as_absent_and_others_count_by_it():
    X, y = steps()
    kept = np.arange(len(y)) % 3 > 0
    model = LaplaceRidge(random_state=0).fit(X, np.where(kept, y, 99.0), 2.0 * kept)
    other = LaplaceRidge(random_state=0).fit(X[kept], y[kept], np.full(kept.sum(), 2.0))
    np.testing.assert_allclose(model.predict(X), other.predict(X))
    by_hand = KernelRidge(kernel="laplacian", gamma=1 / other.width_, alpha=other.strength_)
    by_hand.fit(X[kept], y[kept], sample_weight=np.full(kept.sum(), 2.0))
    np.testing.assert_allclose(other.predict(X), by_hand.predict(X), rtol=1e-8)


def test_the_kernel_races_for_values_where_rows_are_few_and_is_explained():
    X, y = steps(200)
    offered = {each.name: each for each in _portfolio.regressors(X, y, 5)}
    assert offered["kernel rough"].like == "kernel"
    many = np.zeros((int(_portfolio.KERNEL_ROWS) + 1, 2))
    assert "kernel" not in {each.name for each in _portfolio.regressors(many, many[:, 0], 5)}
    wide = np.zeros((60, int(_portfolio.KERNEL_ENTRIES / 60) + 1))
    assert "kernel" not in {each.name for each in _portfolio.regressors(wide, wide[:, 0], 5)}
    raced = [offered["ridge"], offered["kernel"], offered["kernel rough"]]
    model = TabularMLPRegressor(candidates=raced, cv=3, random_state=0).fit(X, y)
    scores = {row["candidate"]: row["score"] for row in model.leaderboard_}
    assert scores["kernel"] > 0.75 > scores["ridge"]
    parts = model.explain(X[:5])
    np.testing.assert_allclose(parts.sum(axis=1), model.predict(X[:5]) - model.base_value_)


def jumps(seed, n=600):
    """Six products of two steps each, of variance 1, and what is seen of it with noise of .1."""
    rng = np.random.RandomState(seed)
    X = rng.uniform(-1, 1, size=(n, 4))
    f = np.zeros(n)
    for height, edges in zip(rng.normal(size=6), rng.uniform(-0.6, 0.6, size=(6, 2)), strict=True):
        f += height * np.prod(X[:, rng.permutation(4)[:2]] > edges, axis=1)
    f = (f - f.mean()) / f.std()
    return X, f, f + rng.normal(0, 0.1, n)


def error_beside_lm(seed):
    """Squared error of the kernel for rows not seen, over that of 16 tanh units with evidence."""
    X, f, y = jumps(seed)
    solver = LevenbergMarquardt(evidence=True)
    network = MLPRegressor(
        hidden_layer_sizes=(16,), activation="tanh", solver=solver, max_iter=100, random_state=0
    )
    kernel = LaplaceRidge(random_state=0)
    of_kernel, of_network = (
        np.mean((model.fit(X[:400], y[:400]).predict(X[400:]) - f[400:]) ** 2)
        for model in (kernel, network)
    )
    return of_kernel / of_network


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.slow
def test_jumps_are_the_kernels():
    ratios = [error_beside_lm(seed) for seed in range(24)]
    assert np.median(ratios) < 0.7 and np.sum(np.array(ratios) > 1) <= 2
