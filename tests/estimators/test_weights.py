"""Predictions follow the fitted weights, whoever changed them and whatever was kept before."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from fastmlp import MLPClassifier, MLPRegressor

KINDS = [MLPClassifier, MLPRegressor]


@pytest.fixture
def data(rng):
    X = rng.normal(size=(80, 4))
    return X, (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_may_be_edited(kind, data):
    X, y = data
    fitted = kind(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X, y)
    output = fitted.predict_proba if kind is MLPClassifier else fitted.predict
    before = output(X)
    fitted.intercepts_[-1][...] += 1.0  # in place
    after = output(X)
    assert not np.allclose(before, after)
    fitted.intercepts_[-1] = fitted.intercepts_[-1] - 1.0  # by assignment
    assert np.allclose(output(X), before)
    fitted.coefs_ = [np.asfortranarray(coef) for coef in fitted.coefs_]
    assert np.allclose(output(X), before)


@pytest.mark.parametrize("n_units", [3, 8])
@pytest.mark.parametrize("copied", [False, True])
def test_weights_may_become_another_networks(n_units, copied, data):
    """Also once predictions have been made with those of the first shape and type."""
    X, y = data
    X = X.astype(np.float32)
    fitted = MLPRegressor(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X, y)
    for dtype in (np.float32, np.float64):
        other = MLPRegressor(hidden_layer_sizes=(n_units,), max_iter=2, random_state=1).fit(
            X.astype(dtype), y
        )
        for given in (X, X[:1], X.astype(np.float64)):
            fitted.predict(given)
        fitted.coefs_, fitted.intercepts_ = other.coefs_, other.intercepts_
        if copied:
            fitted.coefs_ = [coef.copy() for coef in other.coefs_]
        for given in (X, X[:1], X.astype(np.float64), X):
            expected = other.predict(given)
            assert fitted.predict(given).dtype == expected.dtype
            np.testing.assert_allclose(fitted.predict(given), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_units", [3, 8])
def test_predictions_during_a_fit_leave_nothing_behind(n_units, data):
    X, y = data
    fitted = MLPRegressor(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X, y)
    fitted.predict(X)
    fitted.set_params(
        hidden_layer_sizes=(n_units,), callback=lambda iteration, record: fitted.predict(X) is None
    )
    fitted.fit(X, y)
    expected = clone(fitted).set_params(callback=None).fit(X, y).predict(X)
    np.testing.assert_array_equal(fitted.predict(X), expected)


def test_without_weights_it_is_not_fitted(data):
    X, y = data
    fitted = MLPRegressor(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X, y)
    fitted.predict(X)
    del fitted.coefs_
    with pytest.raises(NotFittedError):
        fitted.predict(X)
