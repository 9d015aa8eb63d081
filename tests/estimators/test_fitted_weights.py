"""``coefs_`` and ``intercepts_`` are in the units of X and y, whatever ``standardize`` is."""

import base64
import copy
import pickle
import warnings
import zlib

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from fastmlp import MLPClassifier, MLPRegressor

# A standardized regressor and a plain classifier, pickled with coefs_ in their state (8680621),
# and what they predicted then.
OLD_MODELS = (
    "eNqNVX1wVNUV302yH9l8uOSrQBU3DlA+JBLRYoHmRaPGyYYnRZnxA3nzdvduzpO37y3v3ZewSDCghCy9MHTyUkoFbMMw"
    "RmeohY6C45TV2kHrFMrw4SC1FhjqMIptGSgyLR89922yG22CvX/svnvuPfec8zvn/E5XUd+OEpez2G1x2aQJNVlHTKok"
    "ZKobZp1kkDaDmKZu2Kx0fuuChbltrz11td1pT2FFqm6aNiszl1myQWISMQx+uwKUWIxokiqniCGZygpi2uGCtTYLyFGq"
    "tMtU0TWbFRlEtWzmNXW1naBWkRyTEzbzyGoSZLtZGP/9M1/c2jSDBSIyjYLzDL9kUR0tqkQ2NEVrkwyZotgf1TWTyhpF"
    "4187khRNofjYgsj8Ixdevcp8Sb0DfeKiU4Ox+xPyckmh6EK4gPlMsOJxldg9rNSQtZiekPBdNBF2sUKqq8P88qHXEd0k"
    "dpoFOmTDuWhQ3PkTeoJo1Erg5fN/5Osgq9AQWWLo7aaUO+1h5eiqmkJFPZlEj1G3sl1WlZiDkBQ3OFwIVbPw1ha+fs68"
    "EUJlqX7Yw1nJ3Sj5x1eHPq5ZN535SNJUVK7W8FBq45mZbA4Lak6AkqZLUZC1NgwnwHw87ril2fN/Nof5MYMaVTDwPDBF"
    "DnbM26bqho4fJRzhmGzEeCZ6EKqobnCvRYRfVtWIHF3Kv/mzWEQEv4s1iYJB5JjJD7QsQlgLblaO4RGZWlhRmCKJQ1+a"
    "Lw5Tsp+xISCzW3SLSnm5hJlWsLKoQlM28y2XEkTmwhrNSiRTdRI6ROoSlkoV2TBkvFKKReyUhmFFKdYt8zg3UZcHwq/0"
    "YmbX2k3uiL3OXmhPCbt5ocK9zBOjqSThKgXx++x0T/a0kLnn2aIottzA5fyEXdSOpJuCjy/C9caTjYuc5Wm0Ucz8yyUT"
    "oSGSDffAbG4IfjDczP2ouCK08+imLa7Ga11NoeSn1wVH0ZcaDO1/9dxZPT83fkN6YtBQanRDQwrrj/1742dLglkFXzYV"
    "UjZJTqPiBuMLaBJinrT4GebJG9VJ3EnHlBFCCBd0O2+HBgbCY8bdnhG+nL5v2SsHTwmPVm2b8Pm8w8JAe/1vi/rfdoIa"
    "Sd+d1Q+Or175QtXJA5nFdyzo3rzngnOfsBJFw6qNkiQd1YNBEH8SONvf+qv3M3uuiZ//aP9Ho9gbQqLUd3qDefHSoBXf"
    "YHPwGvRwQpPs5kbXZ0+tfqjd4+BELRSxmY/xLiWxkExDQ4wxN0SBhLhOqEM2Q8idqhqKYy9gW9RhrYKCrW2kJE6W4MEI"
    "8OFLy3dLf3o9Z4FAkMuHCCr3gX6ZvHSxdZzzGds3/bDL5WoW6kt+WtLochGLlTjORi2jnee9i1UM4w7em8RJb80w6XAF"
    "EYkVOUn6ZsQ1jvSbTzmFQtp580WdTZmU5e1BeuTTwGslY/wbSpknrhgmHaEYi7MpeORk/we9q5+2M39+/9Wu/xzfL5yY"
    "dfG+pLAjcyJ9T/80+7AQfOSJlhL6UmbDgU3Cy8uOCBXvLTm24NMdwq7Ogd9s7DwgVD5/pSv81fFst3izSN3E3Ilzu4t3"
    "Xbjc0HmofMC1qEWI+y5UHFxTJex//XTTqmWacDXS23rtkyKhEfpOX/7IELxLKh+u+LhaeOHgXb/uK1osjNs58cGOfSuy"
    "5twUSwWC+aGCzEaSehT4lGPFOVSHgZqF2kHSbr7xz0GCrUI+VhJJnAqEjwSkLwsnGE4aL6JOiGaHx1qsgEr8P8ImjDSj"
    "o6psmkpc4QO0DId0U34/NKXBB34ohgCUQCmU5eYXlMMtEIQxUJELBCpz5A9VGGJ1D9SEXfCdvM7YNIxLw/jc+IHv9sCt"
    "abgtN6FgQv7s9txMglBuFkFtOAB34MgBD/OrelsWKZgIk1ipE4zUQZQ2oLYIk9PwPRGmiDBVhGkiTA+74U4E2O9c48U9"
    "Mh80sIJI/XDGXjkiYxe43E42PdJSBWsHB6miyQaOhnLJTMqGSZAVI0Q17TTMcIYR3OU4jC2tRG2oF+FhEZ4WYXG4EJ5B"
    "15Z8C0XuWToxzimym/1L5hT594WT53CKfPeLba3/D0UmLvfOqUaKPHdodmeOIkG9KS2e2TqgcVrs3tPy3rfTYt+x2Wtz"
    "tAgrsACeaxau9G+/uP4Pf4OV0AmrcjQmXHmNfVL7pJk7H5XGYI0jn/RgMa/6ZmHqK6e2uzh9wYtwHNaK0C3CuryZHhHS"
    "IqznhhiW64bRW3rr8+frHv89zbDzsx49NvbHQvGlefe/Vrsmc++H61c9O3u3UHhduZq8viqjHGZnn0u8Kdz5wdLw5g1d"
    "wuW7a1ePqdwp/GXfxFmb1ryTxeQm1LF3f8Wuc3/d23D2aF/Qu+hsA9sdmFYz60jDpHce+LLs2ZlC7e+eWufa/GHDY4Ud"
    "LZdOzhVOTl45/9rCQw17X3z3FGwZK1S3njs6d6aYtfPS14gDtuJ2Wz747TlqgJex736BbQ+/5L3fbdf9FwhOymo="
)
OLD_X = np.array([[100.0, 1.0], [102.0, 3.0], [104.0, 5.0]])
OLD_PREDICTION = [102.85909932250713, 103.59756883196012, 106.25634515412318]
OLD_PROBABILITY = [0.7874188199944936, 0.8040966599433916, 0.889848197516123]


def forward(model, X, activation=np.tanh, output=lambda raw: raw):
    """What a reader of coefs_ and intercepts_ computes."""
    a = X.astype(np.float64)
    for W, b in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        a = activation(a @ W + b)
    return output(a @ model.coefs_[-1] + model.intercepts_[-1])


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 3)) * [1e-3, 1.0, 1e4] + [5.0, 0.0, 1e6]
    y = 1e5 + 1e3 * X[:, 1] + 1e6 * (X[:, 0] - 5)
    return X, y


def fitted(data, kind=MLPRegressor, targets=None, **options):
    X, y = data
    y = y if targets is None else targets
    options = {"hidden_layer_sizes": (5, 4), "activation": "tanh", "solver": "lbfgs"} | options
    return kind(standardize=True, max_iter=30, random_state=0, **options).fit(X, y)


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)])
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("sparse", [False, True])
def test_they_are_the_prediction_of_a_regressor(hidden, n_outputs, sparse, data):
    X, y = data
    given = sp.csr_matrix(X) if sparse else X
    targets = y if n_outputs == 1 else np.c_[y, -1e-3 * y]
    model = fitted((given, y), targets=targets, hidden_layer_sizes=hidden)
    expected = model.predict(given).reshape(len(X), -1)
    np.testing.assert_allclose(forward(model, X), expected, rtol=1e-9)
    assert [W.dtype for W in model.coefs_] == [np.float64] * (len(hidden) + 1)


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_they_are_the_prediction_under_a_log_link(loss, data):
    X, _ = data
    model = fitted(data, targets=np.exp((X[:, 2] - 1e6) / 1e4), loss=loss)
    np.testing.assert_allclose(forward(model, X, output=np.exp)[:, 0], model.predict(X), rtol=1e-9)


def test_they_are_the_prediction_of_a_classifier(data):
    X, y = data
    model = fitted(data, MLPClassifier, y > y.mean())
    expected = forward(model, X, output=lambda raw: 1 / (1 + np.exp(-raw)))
    np.testing.assert_allclose(expected[:, 0], model.predict_proba(X)[:, 1], rtol=1e-7, atol=1e-12)


def test_a_large_mean_in_float32(rng):
    days = (2460000 + 30 * rng.normal(size=200)).astype(np.float32)[:, None]
    y = np.sin((days[:, 0] - 2460000) / 20)
    model = MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", max_iter=3, random_state=0)
    model.fit(days, y)
    model.x_mean_, model.x_scale_ = np.array([2460000.0]), np.array([30.0])
    scaled = ((days.astype(np.float64) - 2460000) / 30).astype(np.float32)
    a = np.tanh(scaled @ model._coefs[0] + model._intercepts[0])
    expected = a @ model._coefs[1] + model._intercepts[1]
    np.testing.assert_allclose(forward(model, days), expected, atol=1e-5)


def test_assigning_them_is_heard(data):
    X, _ = data
    model = fitted(data)
    before = model.predict(X)
    model.coefs_, model.intercepts_ = model.coefs_, model.intercepts_
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-9)
    intercepts = [b.copy() for b in model.intercepts_]
    intercepts[-1] += 7.0
    model.intercepts_ = intercepts
    np.testing.assert_allclose(model.predict(X), before + 7.0, rtol=1e-9)
    np.testing.assert_allclose(model.predict(X[:1]), before[:1] + 7.0, rtol=1e-9)
    np.testing.assert_allclose(model.compile().predict(X), before + 7.0, rtol=1e-9)
    coefs = [2.0 * W for W in model.coefs_]
    model.coefs_ = coefs
    for W, given in zip(model.coefs_, coefs, strict=True):
        np.testing.assert_allclose(W, given, rtol=1e-12)
    for b, given in zip(model.intercepts_, intercepts, strict=True):
        np.testing.assert_allclose(b, given, rtol=1e-9)
    np.testing.assert_allclose(model.predict(X), forward(model, X)[:, 0], rtol=1e-9)


def add_one(array):
    array += 1.0


@pytest.mark.parametrize(
    "edit",
    [
        lambda model: model.coefs_[0].__setitem__(0, 1.0),
        lambda model: model.coefs_[1][0].__setitem__(0, 1.0),  # a row of it
        lambda model: add_one(model.intercepts_[1]),
        lambda model: np.multiply(model.coefs_[0], 2.0, out=model.coefs_[0]),
        lambda model: model.coefs_.__setitem__(0, np.zeros((3, 5))),
        lambda model: model.intercepts_.append(np.zeros(1)),
        lambda model: model.coefs_.clear(),
    ],
)
def test_an_edit_in_place_says_what_to_do(edit, data):
    model = fitted(data)
    before = pickle.dumps(model)
    with pytest.raises((ValueError, TypeError), match=r"Change a copy and assign it as a whole"):
        edit(model)
    assert pickle.dumps(model) == before


def test_without_scales_they_are_edited_in_place(data):
    X, y = data
    model = MLPRegressor(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X, y)
    assert type(model.coefs_) is list and type(model.coefs_[0]) is np.ndarray
    assert model.coefs_ is model.coefs_
    before = model.predict(X)
    model.intercepts_[-1] += 1.0
    np.testing.assert_allclose(model.predict(X), before + 1.0)


def test_wrong_shapes_are_refused_and_nothing_is_changed(data):
    model = fitted(data)
    before = pickle.dumps(model)
    for coefs in ([np.zeros((3, 5))], [W[:-1] for W in model.coefs_]):
        with pytest.raises(ValueError, match=r"coefs_ must have the shapes"):
            model.coefs_ = coefs
    assert pickle.dumps(model) == before


def test_arithmetic_and_copies_are_plain(data):
    model = fitted(data)
    W = model.coefs_[0]
    assert {type(a) for a in (2.0 * W, W @ np.ones(5), W.sum(0) + 1, np.tanh(W))} == {np.ndarray}
    mine = W.copy()
    mine[0] = 0.0
    mine += 1.0
    assert mine[0, 0] == 1.0 != W[0, 0]
    assert repr(W).startswith("array(")
    copies = copy.deepcopy(model.coefs_), pickle.loads(pickle.dumps(model.coefs_))
    for coefs in copies:
        assert type(coefs) is list and type(coefs[0]) is np.ndarray
        np.testing.assert_array_equal(coefs[0], W)


def test_reading_them_leaves_the_state_alone(data):
    model = fitted(data)
    before, names = joblib.hash(model), set(vars(model))
    assert model.coefs_ is model.coefs_  # computed once
    assert joblib.hash(model) == before and set(vars(model)) == names
    first = model.coefs_
    model.fit(data[0], 2 * data[1])
    assert not np.allclose(model.coefs_[-1], first[-1])


@pytest.mark.parametrize("standardize", [False, True])
def test_before_fit_there_are_none(standardize, data):
    X, y = data
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2, standardize=standardize)
    for estimator in (model, clone(clone(model).fit(X, y))):
        assert not hasattr(estimator, "coefs_") and not hasattr(estimator, "intercepts_")
        with pytest.raises(AttributeError, match="has no attribute 'coefs_'"):
            estimator.coefs_  # noqa: B018
        with pytest.raises(NotFittedError):
            estimator.predict(X)
    model.fit(X, y)
    del model.coefs_
    assert not hasattr(model, "coefs_")
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(AttributeError, match="coefs_"):
        del model.coefs_


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_have_them(how, data):
    model = fitted(data)
    twin = how(model)
    np.testing.assert_array_equal(twin.predict(data[0]), model.predict(data[0]))
    np.testing.assert_array_equal(twin.coefs_[0], model.coefs_[0])


def test_skops_saves_and_loads_them(data):
    skops = pytest.importorskip("skops.io")
    model = fitted(data)
    dumped = skops.dumps(model)
    loaded = skops.loads(dumped, trusted=skops.get_untrusted_types(data=dumped))
    np.testing.assert_array_equal(loaded.predict(data[0]), model.predict(data[0]))
    np.testing.assert_array_equal(loaded.coefs_[0], model.coefs_[0])


def test_training_goes_on_from_them(data):
    X, y = data
    options = {"hidden_layer_sizes": (4,), "random_state": 0, "standardize": True, "max_iter": 5}
    straight = MLPRegressor(**options).fit(X, y)
    assigned = pickle.loads(pickle.dumps(straight))
    assigned.coefs_, assigned.intercepts_ = assigned.coefs_, assigned.intercepts_
    for model in (straight, assigned):
        model.partial_fit(X, y)
        model.set_params(warm_start=True).fit(X, y)
    np.testing.assert_allclose(assigned.predict(X), straight.predict(X), rtol=1e-7)


def test_a_pair_as_init_is_in_these_units(data):
    X, y = data
    model = fitted(data)
    start = clone(model).set_params(init=(model.coefs_, model.intercepts_), max_iter=1)
    start.set_params(solver="gd", learning_rate_init=1e-12).fit(X, y)
    np.testing.assert_allclose(start.predict(X), model.predict(X), rtol=1e-9)
    with pytest.raises(ValueError, match=r"coefs"):
        clone(start).set_params(init=([W[:-1] for W in model.coefs_], model.intercepts_)).fit(X, y)


@pytest.mark.skipif(np.__version__.startswith("1."), reason="the pickle is NumPy 2's")
def test_pickles_with_the_public_names_load():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of another version of scikit-learn
        regressor, classifier = pickle.loads(zlib.decompress(base64.b64decode(OLD_MODELS)))
    np.testing.assert_allclose(regressor.predict(OLD_X), OLD_PREDICTION, rtol=1e-12)
    probability = classifier.predict_proba((OLD_X - [103.0, 3.0]) / 2)[:, 1]
    np.testing.assert_allclose(probability, OLD_PROBABILITY, rtol=1e-12)
    relu = forward(regressor, OLD_X, lambda z: np.maximum(z, 0))[:, 0]
    np.testing.assert_allclose(relu, OLD_PREDICTION, rtol=1e-12)
    assert not {"coefs_", "intercepts_"} & {*vars(regressor), *vars(classifier)}
    again = pickle.loads(pickle.dumps(regressor))
    np.testing.assert_allclose(again.predict(OLD_X), OLD_PREDICTION, rtol=1e-12)
