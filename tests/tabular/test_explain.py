"""What the estimators say of columns: importances, contributions to single rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer
from small import CLASSIFIERS, REGRESSORS, table

from fastmlp import MLPRegressor, TabularMLPClassifier, TabularMLPRegressor
from fastmlp.tabular import Columns, _gradients, _portfolio
from fastmlp.tabular._portfolio import _in_single_precision, _on_log_scale, _scaled
from fastmlp.tabular._splines import SplineEncoder

NETWORK = MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", solver="lm", random_state=0)
NETWORK.set_params(max_iter=20, alpha=0.1)


def fitted(kind="regressor", n=100, **parameters):
    X, y, labels = table(n)
    if kind == "classifier":
        model = TabularMLPClassifier(candidates=CLASSIFIERS, random_state=0, **parameters)
        return model.fit(X, labels), X, labels
    if kind == "multi-output":
        y = np.column_stack([y, X["x"]])
    return TabularMLPRegressor(candidates=REGRESSORS, random_state=0).fit(X, y), X, y


@pytest.mark.parametrize(
    "wrapped",
    [
        NETWORK,
        _scaled(NETWORK),
        _on_log_scale(NETWORK),
        _in_single_precision(NETWORK),
        make_pipeline(SplineEncoder(SplineTransformer(extrapolation="linear")), RidgeCV()),
    ],
)
def test_members_derivatives_are_differences(wrapped):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    member = wrapped.fit(X, np.exp(X[:, 0] + 0.1 * X[:, 1] ** 2))
    found = _gradients.of_member(member, X)
    assert found.shape == (50, 1, 3) and abs(found).max() > 0.1
    step = 1e-5 if np.asarray(member.predict(X)).dtype == np.float64 else 1e-2
    for j in range(3):
        moved = [np.ravel(member.predict(X + sign * step * np.eye(3)[j])) for sign in (1, -1)]
        wanted = (moved[0].astype(float) - moved[1]) / (2 * step)
        np.testing.assert_allclose(found[:, 0, j], wanted, rtol=1e-2, atol=2e-3)


@pytest.mark.parametrize("kind", ["regressor", "multi-output", "classifier"])
def test_contributions_sum_to_the_difference_of_predictions(kind):
    model, X, _ = fitted(kind)
    parts = model.explain(X)
    predicted = model.predict_proba(X) if kind == "classifier" else model.predict(X)
    assert parts.shape == (*predicted.shape, 3)
    np.testing.assert_allclose(parts.sum(axis=-1), predicted - model.base_value_, atol=1e-9)
    assert abs(parts[..., 0]).max() > 0.1


def test_contributions_of_a_linear_model_are_its_terms():
    X, _, _ = table(100)
    X = X[["x", "kind"]]
    y = 2 * X["x"] + (X["kind"] == "a")
    model = TabularMLPRegressor(candidates=REGRESSORS[:1], clip=False).fit(X, y)
    Z = model.preprocessor_.transform(X)
    coef = np.mean([member.coef_ for member in model.race_.members_["ridge"]], axis=0)
    terms = coef * (Z - Z.mean(axis=0))
    wanted = np.column_stack([terms[:, 0], terms[:, 1:].sum(axis=1)])
    np.testing.assert_allclose(model.explain(X), wanted, atol=1e-9)


def test_quadrature_is_close_before_anything_is_shared_out():
    """Integrated gradients do the work: what they miss, and is shared out, is small."""
    model, X, _ = fitted()
    path = model._answer_and_jacobian
    Z = model.preprocessor_.transform(X)
    nodes, weights = np.polynomial.legendre.leggauss(64)
    total = np.zeros(len(Z))
    for node, weight in zip(nodes, weights, strict=True):
        point = model._baseline + 0.5 * (node + 1) * (Z - model._baseline)
        total += 0.5 * weight * (path(point)[1][:, 0] * (Z - model._baseline)).sum(axis=1)
    assert np.median(np.abs(total - (model.predict(X) - model.base_value_))) < 0.01


def test_candidates_without_derivatives_are_named():
    X, y, _ = table(60)
    model = TabularMLPRegressor(candidates=[("near", KNeighborsRegressor())]).fit(X, y)
    with pytest.raises(TypeError, match="KNeighborsRegressor"):
        model.explain(X)


@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_importances_find_the_columns_that_matter(kind):
    model, _, _ = fitted(kind, n=300)
    importances = model.feature_importances_
    assert importances.shape == (3,)
    assert importances[0] > importances[1] and importances[2] > importances[1]
    np.testing.assert_array_equal(importances, model.feature_importances_)


def test_importance_is_what_a_permutation_costs():
    """Of a linear model without noise: R2 falls by about 2 (coef * deviation)^2 / variance."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 2))
    y = 2 * X[:, 0] + X[:, 1]
    model = TabularMLPRegressor(candidates=REGRESSORS[:1], clip=False).fit(X, y)
    np.testing.assert_allclose(model.feature_importances_, [1.6, 0.4], rtol=0.15)
    constant = TabularMLPRegressor(candidates=[("mean", DummyRegressor())]).fit(X, y)
    assert not constant.feature_importances_.any()


def test_sparse_rows_have_both():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 40, 300)
    X = pd.DataFrame({"level": level.astype(str), "x": rng.normal(size=300)})
    y = level % 5 + X["x"]
    model = TabularMLPRegressor(candidates=REGRESSORS[:1], random_state=0).fit(X, y)
    assert model.preprocessor_.transform(X).format == "csr"
    parts = model.explain(X[:20])
    np.testing.assert_allclose(parts.sum(axis=1), model.predict(X[:20]) - model.base_value_)
    assert (model.feature_importances_ > 0.1).all()


def test_sparse_rows_are_encoded_and_explained():
    rng = np.random.default_rng(0)
    level = rng.integers(0, 40, 400)
    X = pd.DataFrame({"level": level.astype(str), "x": rng.normal(size=400)})
    y = (np.abs(X["x"]) < 0.5) & (level % 2 == 0)
    Z = Columns().fit_transform(X)
    assert Z.format == "csr"
    offered = {each.name: each for each in _portfolio.classifiers(Z, y.astype(int), 2)}
    model = TabularMLPClassifier(
        candidates=[offered["adam encoded free"]], cv=2, n_threads=1, random_state=0
    ).fit(X, y)
    assert model.score(X, y) > 0.9
    parts = model.explain(X[:20])
    predicted = model.predict_proba(X[:20])
    np.testing.assert_allclose(parts.sum(axis=2), predicted - model.base_value_, atol=1e-6)
    assert (abs(parts).max(axis=(0, 1)) > 0.1).all()
