"""What a fitted estimator keeps: it grows in place, is plain, and is equal for equal fits."""

import copy
import json
import pickle
import warnings

import joblib
import numpy as np
import pytest

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.estimators import _history
from fastmlp.solvers import Adam, LevenbergMarquardt

KINDS = (MLPRegressor, MLPClassifier)
OPTIONS = (
    {},
    {"early_stopping": True},
    {"n_starts": 3},
    {"solver": "lbfgs"},
    {"solver": LevenbergMarquardt(evidence=True), "n_starts": 2, "alpha": 0.1},
    {"solver": Adam(batch_size=20), "n_threads": 2},
)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 3))
    return X, (X[:, 0] > 0).astype(float)


def fitted(kind, data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (
            kind(hidden_layer_sizes=(4,), max_iter=5, random_state=0)
            .set_params(**options)
            .fit(*data)
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS)
def test_equal_fits_make_equal_files(kind, options, data):
    if kind is MLPClassifier and isinstance(options.get("solver"), LevenbergMarquardt):
        pytest.skip("noise is a regression's")
    one, two = (fitted(kind, data, **options) for _ in range(2))
    assert pickle.dumps(one) == pickle.dumps(two)
    assert joblib.hash(one) == joblib.hash(two)
    json.dumps([one.history_, one.timings_])
    again = pickle.loads(pickle.dumps(one))
    assert again.history_ == one.history_ and again.timings_ is None
    assert again.loss_curve_ is again.history_["loss"]


def plain(value):
    if isinstance(value, dict):
        return all(plain(key) and plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(plain, value))
    return type(value) in (int, float, str, bool, type(None), np.ndarray)


@pytest.mark.parametrize("options", OPTIONS)
def test_starts_and_records_are_plain(options, data):
    model = fitted(MLPRegressor, data, **options)
    for name in ("starts_", "history_", "timings_", "_evidence"):
        assert plain(getattr(model, name)), name


def test_evidence_is_kept_plain_and_read_as_before(data):
    model = fitted(MLPRegressor, data, **OPTIONS[4])
    assert model.evidence_.noise > 0
    assert model.evidence_.log_evidence == max(s["evidence"]["log_evidence"] for s in model.starts_)
    assert pickle.loads(pickle.dumps(model)).evidence_ == model.evidence_
    assert not hasattr(MLPRegressor(), "evidence_")
    assert fitted(MLPRegressor, data).evidence_ is None


@pytest.mark.parametrize("options", OPTIONS)
def test_skops_loads_what_it_saved(options, data):
    sio = pytest.importorskip("skops.io")
    model = fitted(MLPRegressor, data, **options)
    saved = sio.dumps(model)
    loaded = sio.loads(saved, trusted=sio.get_untrusted_types(data=saved))
    assert np.array_equal(loaded.predict(data[0]), model.predict(data[0]))
    assert loaded.history_ == model.history_


class Numbers(list):
    """A column that counts what is read of it, as building it anew would."""

    read = 0

    def __iter__(self):
        Numbers.read += len(self)
        return super().__iter__()

    def __add__(self, other):
        Numbers.read += len(self)
        return super().__add__(other)


class TestGoingOn:
    def going_on(self, how):
        if how == "partial_fit":
            return MLPRegressor(hidden_layer_sizes=(4,), random_state=0), MLPRegressor.partial_fit
        solver = "lbfgs" if how == "lbfgs" else "adam"
        options = {"warm_start": True, "max_iter": 1, "solver": solver, "random_state": 0}
        return MLPRegressor(hidden_layer_sizes=(4,), **options), MLPRegressor.fit

    @pytest.mark.parametrize("how", ["partial_fit", "adam", "lbfgs"])
    def test_columns_grow_in_place(self, how, data):
        """A call costs what is new and not what came before it."""
        model, step = self.going_on(how)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            step(model, *data)
            for records in (model.history_, model.timings_):
                for key, column in records.items():
                    records[key] = Numbers(column)
            model.loss_curve_ = model.history_["loss"]
            columns, lengths = dict(model.history_), []
            Numbers.read = 0
            for _ in range(5):
                step(model, *data)
                lengths.append(len(model.loss_curve_))
        assert all(model.history_[key] is column for key, column in columns.items())
        assert model.loss_curve_ is model.history_["loss"]
        assert Numbers.read == 0
        assert lengths == sorted(lengths)
        assert {len(c) for c in (model.history_ | model.timings_).values()} == {lengths[-1]}

    def test_copies_have_records_of_their_own(self, data):
        model, step = self.going_on("partial_fit")
        step(model, *data)
        others = [copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
        step(model, *data)
        for other in others:
            assert len(other.loss_curve_) == len(other.history_["loss"]) == 1
            step(other, *data)
            assert other.history_ == model.history_
            assert np.isnan(other.timings_["seconds"][0]) and other.timings_["seconds"][1] > 0
        assert len(model.loss_curve_) == 2

    def test_a_fresh_fit_leaves_the_old_records_alone(self, data):
        model = fitted(MLPRegressor, data)
        curve, before = model.loss_curve_, list(model.loss_curve_)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(*data)
        assert curve == before and model.loss_curve_ is not curve

    @pytest.mark.parametrize("at", ["history_", "timings_", "end"])
    def test_an_error_at_any_point_leaves_them_as_they_were(self, monkeypatch, data, at):
        model, step = self.going_on("partial_fit")
        step(model, *data)
        before = copy.deepcopy((model.history_, model.timings_))
        state = dict(vars(model))
        extended, calls = _history.extended, []

        def broken_off(*arguments):
            calls.append(1)
            columns = extended(*arguments)
            if len(calls) == {"history_": 1, "timings_": 2, "end": 3}[at]:
                columns["more"] = [0.0, 0.0]
                raise KeyboardInterrupt
            return columns

        monkeypatch.setattr(_history, "extended", broken_off)
        if at == "end":
            monkeypatch.setattr(_history, "split", lambda history: 1 / 0)
        with pytest.raises((KeyboardInterrupt, ZeroDivisionError)):
            step(model, *data)
        assert (model.history_, model.timings_) == before
        assert vars(model).keys() == state.keys()
        assert all(vars(model)[name] is value for name, value in state.items())

    def test_a_column_of_one_of_the_fits_alone(self, data):
        X, y = data
        model = MLPRegressor(hidden_layer_sizes=(4,), random_state=0, warm_start=True, max_iter=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
            model.fit(X, y, X_val=X, y_val=y)
            model.fit(X, y)
        scores = model.history_["validation_score"]
        assert len(scores) == len(model.loss_curve_)
        assert np.isnan(scores[:2]).all() and np.isnan(scores[-1]) and not np.isnan(scores[2])

    def test_columns_that_exist_are_not_made_for_comparison(self):
        """Not a list of all former entries per call: of so many there is no list."""
        columns = _history.extended({"loss": [1.0]}, {"loss": [0.5]}, 10**17, 1)
        assert columns == {"loss": [1.0, 0.5]}
