"""Same seed, same curve as scikit-learn; FASTMLP_PARITY_DRAWS=n draws n times as many settings."""

import os
import sys
import warnings

import numpy as np
import parity
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.neural_network
import threadpoolctl
from sklearn.utils.fixes import parse_version

import fastmlp

DRAWS = int(os.environ.get("FASTMLP_PARITY_DRAWS", "1"))

# Sample weights came with 1.7, their sum as the divisor with 1.8, string labels under early
# stopping with 1.9: the promise is about 1.9.
pytestmark = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="parity is promised with scikit-learn 1.9",
)


@pytest.fixture(autouse=True)
def one_thread():
    with threadpoolctl.threadpool_limits(1):
        yield


def check(seeds, solver=None, wanted=1):
    """Compare all settings that count; there must be enough of them."""
    counted, failures = 0, []
    for seed in seeds:
        setting = parity.draw(seed, solver)
        trace = parity.sklearn_run(setting)
        if trace is None or not parity.counts(setting, trace):
            continue
        compares = parity.compared(setting, trace)
        if not compares:
            continue
        counted += 1
        found = (
            ["raised"]
            if (own := parity.run(fastmlp, setting)) is None
            else (parity.mismatches(trace, own, compares))
        )
        if found:
            failures.append(f"{setting}\n    {'; '.join(found)}")
    assert not failures, "\n".join(failures)
    assert counted >= wanted, f"only {counted} of {len(seeds)} settings count"


@pytest.mark.parametrize("block", range(6 * DRAWS))
def test_mini_batch(block):
    check(range(12 * block, 12 * block + 12), wanted=5)


@pytest.mark.parametrize("block", range(2 * DRAWS))
def test_lbfgs(block):
    check(range(10_000 + 4 * block, 10_000 + 4 * block + 4), "lbfgs")


@pytest.mark.skipif(not parity.PAGE.exists(), reason="not in a source tree")
def test_page_is_up_to_date():
    assert parity.PAGE.read_text() == parity.page(), (
        "run `python tests/estimators/parity.py --write`"
    )


def test_differences_have_tests():
    for difference in parity.KNOWN_DIFFERENCES:
        assert hasattr(sys.modules[__name__], difference.test), difference.test


def both(kind, X, y, sample_weight=None, **parameters):
    """The same fit by scikit-learn and by fastmlp."""
    fits = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for library in (sklearn.neural_network, fastmlp):
            estimator = getattr(library, kind)(random_state=0, **parameters)
            fits.append(estimator.fit(X, y, sample_weight=sample_weight))
    return fits


def same_coefs(first, second):
    return all(
        np.allclose(a, b, rtol=1e-7, atol=1e-9)
        for a, b in zip(
            first.coefs_ + first.intercepts_, second.coefs_ + second.intercepts_, strict=True
        )
    )


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 4))
    return X, X @ [1.0, -2.0, 0.5, 0.0] + 0.1 * rng.normal(size=60)


def test_saturated_probabilities(data):
    X, y = data
    theirs, ours = both("MLPClassifier", 300 * X, y > 0, max_iter=5, hidden_layer_sizes=(5,))
    assert same_coefs(theirs, ours)
    assert ours.loss_curve_[0] > theirs.loss_curve_[0] * (1 + 1e-3)


def test_several_outputs(data):
    X, y = data
    y = np.column_stack([y, np.cos(y), -y])
    keywords = {"max_iter": 10, "hidden_layer_sizes": (5,), "alpha": 0}
    theirs, ours = both("MLPRegressor", X, y, **keywords)
    assert same_coefs(theirs, ours)
    assert np.allclose(ours.loss_curve_, 3 * np.array(theirs.loss_curve_), rtol=1e-9)
    keywords |= {"max_iter": 100, "tol": 1e-8}
    theirs, ours = both("MLPRegressor", X, y, solver="lbfgs", **keywords)
    assert not same_coefs(theirs, ours)


def test_batch_without_weight(data):
    X, y = data
    weight = np.repeat([0.0, 1.0], 30)
    keywords = {"batch_size": 10, "shuffle": False, "max_iter": 3, "hidden_layer_sizes": (5,)}
    with pytest.raises(ZeroDivisionError):
        both("MLPRegressor", X, y, sample_weight=weight, **keywords)
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        whole = fastmlp.MLPRegressor(random_state=0, **keywords).fit(X, y, sample_weight=weight)
        half = fastmlp.MLPRegressor(random_state=0, **keywords).fit(X[30:], y[30:])
    assert same_coefs(whole, half)


def test_divergence_is_noticed_at_once(data):
    X, y = data
    epochs = []
    estimator = fastmlp.MLPRegressor(
        solver="sgd", learning_rate_init=1e6, callback=lambda epoch, record: epochs.append(epoch)
    )
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        estimator.fit(X, y)
    assert len(epochs) < 100


def test_lbfgs_keeps_float32(data):
    X, y = data
    theirs, ours = both("MLPRegressor", X.astype(np.float32), y, solver="lbfgs", max_iter=3)
    assert theirs.coefs_[0].dtype == np.float64
    assert ours.coefs_[0].dtype == np.float32


def test_partial_fit_after_early_stopping(data):
    X, y = data
    for estimator in both("MLPRegressor", X, y, early_stopping=True, max_iter=3):
        estimator.set_params(early_stopping=False)
        if isinstance(estimator, fastmlp.MLPRegressor):
            assert np.isfinite(estimator.partial_fit(X, y).best_loss_)
        else:
            with pytest.raises(TypeError):
                estimator.partial_fit(X, y)


def test_no_partial_fit_with_lbfgs():
    assert hasattr(sklearn.neural_network.MLPRegressor(solver="lbfgs"), "partial_fit")
    for kind in (fastmlp.MLPRegressor, fastmlp.MLPClassifier):
        assert not hasattr(kind(solver="lbfgs"), "partial_fit")
        assert hasattr(kind(solver="sgd"), "partial_fit")


def test_prediction_ignores_later_parameters(data):
    X, y = data
    theirs, ours = both("MLPRegressor", X, y, max_iter=3)
    before = [estimator.predict(X) for estimator in (theirs, ours)]
    after = [estimator.set_params(activation="tanh").predict(X) for estimator in (theirs, ours)]
    assert not np.allclose(before[0], after[0])
    assert np.array_equal(before[1], after[1])


def test_verbose_prints_a_table(data, capsys):
    theirs, ours = both("MLPRegressor", *data, max_iter=3, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("Iteration") for line in lines) == 3
    assert lines[3].split() == ["epoch", "loss", "rate", "seconds", "best"]
    assert lines[-1] == ours.status_ and len(lines) == 8


def test_weights_of_a_standardized_model(data):
    X, y = data
    X, y = 1e3 + 50 * X, 7 - 20 * y
    ours = fastmlp.MLPRegressor(standardize=True, max_iter=3, random_state=0).fit(X, y)
    theirs = sklearn.neural_network.MLPRegressor(max_iter=1).fit(X, y)
    theirs.coefs_, theirs.intercepts_ = ours.coefs_, ours.intercepts_
    np.testing.assert_allclose(theirs.predict(X), ours.predict(X), rtol=1e-9)
    with pytest.raises(ValueError, match="assign"):
        ours.coefs_[0][0, 0] = 0.0


def test_bad_weights_and_targets(data):
    X, y = data
    weight = np.where(np.arange(60) == 7, -1.0, 1.0)
    for loss, weights in (("squared_error", weight), ("poisson", None)):
        theirs = sklearn.neural_network.MLPRegressor(loss=loss, max_iter=1)
        ours = fastmlp.MLPRegressor(loss=loss, max_iter=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs.fit(X, y, sample_weight=weights)
            with pytest.raises(ValueError, match=r"\[7\]|row \d+"):
                ours.fit(X, y, sample_weight=weights)


class Interrupted:
    """Squared error; Ctrl-C arrives in its n-th evaluation."""

    def __init__(self, n):
        self.left = n

    def value_grad(self, raw, y):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        r = raw[:, 0] - y
        return 0.5 * r**2, r[:, None]


def test_an_interrupted_lbfgs(data):
    X, y = data
    before = fastmlp.MLPRegressor(solver="lbfgs", max_iter=2, random_state=0).fit(X, y)
    expected = before.predict(X)
    with pytest.raises(KeyboardInterrupt):
        before.set_params(loss=Interrupted(1)).fit(X, y)
    assert np.array_equal(before.predict(X), expected)
    with pytest.warns(UserWarning, match="interrupted by user after"):
        reached = before.set_params(loss=Interrupted(9), max_iter=50).fit(X, y)
    assert reached.n_iter_ > 0
    assert not np.array_equal(reached.predict(X), expected)


def test_one_class_has_one_probability(data):
    theirs, ours = both("MLPClassifier", data[0], np.full(60, "only"), max_iter=3)
    assert theirs.predict_proba(data[0]).shape == (60, 2)
    assert np.array_equal(ours.predict_proba(data[0]), np.ones((60, 1)))


def test_rows_without_weight_are_not_split(data):
    X, y = data
    weight = np.repeat([0.0, 1.0], [30, 30])
    keywords = {"early_stopping": True, "max_iter": 3, "hidden_layer_sizes": (5,)}
    _, whole = both("MLPRegressor", X, y, sample_weight=weight, **keywords)
    theirs, half = both("MLPRegressor", X[30:], y[30:], **keywords)
    assert same_coefs(whole, half) and same_coefs(theirs, half)
    assert whole.t_ == 3 * 27


def test_rows_set_aside_stay_aside(data):
    held = []

    class Theirs(sklearn.neural_network.MLPRegressor):
        def _score(self, X, y, sample_weight=None):
            held[-1].update(y.ravel())
            return super()._score(X, y)

    def spy(estimator, X, y):
        held[-1].update(y)
        return 0.0

    keywords = {"early_stopping": True, "warm_start": True, "max_iter": 1, "random_state": 0}
    for estimator in (Theirs(**keywords), fastmlp.MLPRegressor(scoring=spy, **keywords)):
        held.append(set())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.fit(*data).fit(*data)
    assert len(held[0]) > 6 == len(held[1])


def test_a_warm_start_on_other_data(data):
    X, y = data
    keywords = {"warm_start": True, "max_iter": 300, "learning_rate_init": 0.01}
    for estimator in both("MLPRegressor", X, 0.01 * X[:, 0], **keywords):
        estimator.fit(X, y)
        assert (estimator.n_iter_ > 20) == isinstance(estimator, fastmlp.MLPRegressor)


def test_the_generator_of_a_seed_goes_on(data):
    keywords = {"max_iter": 1, "batch_size": 10, "hidden_layer_sizes": (), "solver": "sgd"}
    keywords |= {"momentum": 0.0, "nesterovs_momentum": False}
    for estimator in both("MLPRegressor", *data, **keywords):
        steps = []
        for _ in range(2):
            for part in estimator.coefs_ + estimator.intercepts_:
                part[:] = 0.1
            estimator.partial_fit(*data)
            steps.append(estimator.coefs_[0].copy())
        assert np.allclose(*steps, rtol=1e-9) != isinstance(estimator, fastmlp.MLPRegressor)


def test_a_score_of_nan(data):
    scores = iter([0.5] + 100 * [np.nan])

    class Theirs(sklearn.neural_network.MLPRegressor):
        def _score(self, X, y, sample_weight=None):
            return next(scores)

    keywords = {"early_stopping": True, "max_iter": 30, "n_iter_no_change": 2}
    with pytest.warns(sklearn.exceptions.ConvergenceWarning):
        assert Theirs(**keywords).fit(*data).n_iter_ == 30
    scores = iter([0.5] + 100 * [np.nan])
    ours = fastmlp.MLPRegressor(scoring=lambda *args: next(scores), **keywords)
    assert ours.fit(*data).n_iter_ == 4


def test_a_batch_without_weight(data):
    theirs, ours = both("MLPRegressor", *data, max_iter=3)
    before = [part.copy() for part in ours.coefs_]
    ours.partial_fit(*data, sample_weight=np.zeros(60))
    assert all(map(np.array_equal, before, ours.coefs_))
    with pytest.raises(ValueError, match="non-zero"):
        theirs.partial_fit(*data, sample_weight=np.zeros(60))


def test_sparse_rows():
    X = sp.random(50, 3000, 0.001, format="csr", random_state=0)
    y = np.asarray(X.sum(axis=1)).ravel()
    theirs, ours = both("MLPRegressor", X, y, max_iter=5)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5, atol=1e-8)
