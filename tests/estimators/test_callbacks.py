"""Callbacks: what they see, what stops a run, and what does not."""

import copy
import json
import pickle

import numpy as np
import pytest

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network
from fastmlp.solvers import SOLVERS, STOP, Record, Status, minimize

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
KINDS = [MLPClassifier, MLPRegressor]
every = pytest.mark.parametrize("solver", list(SOLVERS))


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 3))
    return X, (X[:, 0] > 0).astype(int)


def fit(data, callback, kind=MLPRegressor, **options):
    """Five iterations, if the callback lets them happen."""
    options = {"max_iter": 5, "tol": 0.0, "activation": "tanh", "random_state": 0} | options
    return kind(hidden_layer_sizes=(4,), callback=callback, **options).fit(*data)


def test_stop_is_one_object():
    assert fastmlp.STOP is STOP
    assert copy.copy(STOP) is copy.deepcopy(STOP) is pickle.loads(pickle.dumps(STOP)) is STOP
    assert type(STOP)() is STOP
    assert repr(STOP) == "fastmlp.STOP"


@every
@pytest.mark.parametrize(
    "answer", [True, np.True_, 1, 0.7, "stop", np.ones(3), {"a": 1}, StopIteration, type(STOP)]
)
def test_an_answer_stops_nothing(solver, answer, data):
    assert fit(data, lambda epoch, record: answer, solver=solver).n_iter_ == 5


@every
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("raises", [False, True])
def test_what_stops(kind, solver, raises, data):
    def callback(epoch, record):
        if epoch == 2:
            if raises:
                raise StopIteration
            return STOP

    fitted = fit(data, callback, kind, solver=solver)
    assert fitted.n_iter_ == 2
    assert fitted.status_ == Status.CALLBACK.value


@every
def test_an_error_goes_through_and_leaves_the_estimator_alone(solver, data):
    def broken(epoch, record):
        raise LookupError("mine")

    fitted = fit(data, None, solver=solver)
    before = dict(vars(fitted), callback=broken)
    with pytest.raises(LookupError, match="mine"):
        fitted.set_params(callback=broken).fit(*data)
    assert all(vars(fitted)[name] is value for name, value in before.items())


def test_a_scorers_stop_iteration_is_an_error(data):
    def scorer(estimator, X, y):
        raise StopIteration("of the scorer")

    for solver in ("lbfgs", "gd", "adam"):
        with pytest.raises(StopIteration, match="of the scorer"):
            MLPRegressor(hidden_layer_sizes=(4,), solver=solver, scoring=scorer).fit(
                *data, X_val=data[0], y_val=data[1]
            )


@every
def test_the_record_is_the_callbacks_own(solver, data):
    seen = []

    def spoil(epoch, record):
        assert isinstance(record, dict)
        seen.append(json.loads(json.dumps(record)))
        record["loss"] = -1.0
        if epoch % 2:
            record.clear()

    fitted = fit(data, spoil, solver=solver)
    assert fitted.history_["loss"] == [record["loss"] for record in seen]
    assert fitted.timings_["seconds"] == [record["seconds"] for record in seen]
    assert min(fitted.loss_curve_) >= 0


@every
@pytest.mark.parametrize("standardize", [False, True])
def test_theta_and_network(solver, standardize, data):
    """Their outputs are the estimator's; the last theta is what comes back."""
    thetas, networks = [], []

    def look(epoch, record):
        assert not record.theta.flags.writeable
        thetas.append(record.theta.copy())
        networks.append(record.network)

    fitted = fit(data, look, solver=solver, standardize=standardize)
    assert len(thetas) == 5 and not np.array_equal(thetas[0], thetas[-1])
    coefs, intercepts = networks[-1].unpack(thetas[-1])
    assert all(map(np.array_equal, coefs + intercepts, fitted._coefs + fitted._intercepts))
    if not standardize:
        outputs = networks[-1].predict(thetas[-1], data[0])
        assert outputs.ravel() == pytest.approx(fitted.predict(data[0]), rel=1e-12)


def test_theta_is_there_until_the_callback_returns(data):
    kept = []
    fit(data, lambda epoch, record: kept.append(record))
    assert kept[0]["loss"] > 0
    with pytest.raises(AttributeError, match=r"record\.theta\.copy\(\)"):
        kept[0].theta  # noqa: B018
    for copied in (copy.copy(kept[0]), pickle.loads(pickle.dumps(kept[0]))):
        assert type(copied) is dict and copied == kept[0]


class Bowl:
    def value_grad(self, theta):
        return 0.5 * float(theta @ theta), theta


def test_a_function_of_a_vector_has_no_network():
    path = [np.array([1.0, -2.0])]

    def note(iteration, record):
        assert isinstance(record, Record) and record.network is None
        path.append(record.theta.copy())

    result = minimize(Bowl(), path[0], solver="gd", max_iter=7, callback=note)
    assert len(path) == 8
    assert np.array_equal(path[-1], result.theta)
    assert (np.diff(np.abs(path), axis=0) < 0).all()


def test_minimize_shows_the_objectives_network(data):
    network = Network([3, 4, 1])
    seen = []
    minimize(
        network.objective(*data),
        network.init(0),
        solver="adam",
        max_iter=2,
        callback=lambda iteration, record: seen.append(record.network),
    )
    assert seen == [network, network]


def test_partial_fit_makes_one_pass_whatever_the_callback_answers(data):
    for answer in (None, STOP, True):
        model = MLPRegressor(max_iter=5, callback=lambda epoch, record, answer=answer: answer)
        assert model.partial_fit(*data).status_ == Status.ONE_EPOCH.value
