"""How a fit runs and ends: status, history, callback, limits, interruption, going on."""

import pickle
import re
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from fastmlp import STOP, MLPClassifier, MLPRegressor
from fastmlp.solvers import LBFGS, SGD, Adam, AdamW, GradientDescent, Newton, Status

KINDS = [MLPClassifier, MLPRegressor]
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def data(rng):
    X = rng.normal(size=(90, 4))
    return X, (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int)


def converging(kind, data, **options):
    X, y = data
    return kind(hidden_layer_sizes=(5,), random_state=0, **options).fit(X, y)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"max_iter": 2}, Status.MAX_ITER),
        ({"tol": 10.0, "n_iter_no_change": 1}, Status.NO_IMPROVEMENT),
        ({"tol": 10.0, "early_stopping": True}, Status.NO_VALIDATION_IMPROVEMENT),
        ({"callback": lambda epoch, record: STOP if epoch == 3 else True}, Status.CALLBACK),
        ({"max_time": 1e-9}, Status.MAX_TIME),
        (
            {"solver": "sgd", "learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 1},
            Status.RATE_TOO_SMALL,
        ),
        ({"solver": "lbfgs", "tol": 1e-1}, Status.CONVERGED),
        ({"solver": "lbfgs", "max_fun": 3}, Status.MAX_FUN),
        ({"solver": "lbfgs", "callback": lambda epoch, record: STOP}, Status.CALLBACK),
        ({"solver": "lbfgs", "max_time": 1e-9}, Status.MAX_TIME),
        ({"solver": "newton", "alpha": 1.0, "activation": "tanh"}, Status.CONVERGED),
        ({"solver": "gd", "max_iter": 3}, Status.MAX_ITER),
    ],
)
@quiet
@pytest.mark.parametrize("kind", KINDS)
def test_status_says_why_the_fit_ended(kind, options, status, data):
    said = converging(kind, data, **options).status_
    if status in (Status.MAX_ITER, Status.MAX_FUN, Status.MAX_TIME):
        assert said.startswith(f"Increase {status.name.lower()}: ")
    else:
        assert status.value[:-1] in said  # tol=10 asks for a smaller one first


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (
            {"max_iter": 3},
            r"Increase max_iter: .*Maximum iterations \(3\) reached .*warm_start",
        ),
        (
            {"solver": "lbfgs", "max_iter": 3},
            "Increase max_iter: LBFGS failed to converge after 3 ",
        ),
        ({"solver": "lbfgs", "max_fun": 4}, "Increase max_fun: .* 4 evaluations of the loss"),
        ({"max_time": 1e-9}, "Increase max_time: .*max_time=1e-09 seconds"),
        ({"solver": "sgd", "learning_rate_init": 3.0, "max_iter": 10}, "Lower the learning rate"),
    ],
)
def test_the_warning_says_what_to_do(options, pattern, data):
    with pytest.warns(ConvergenceWarning, match=pattern) as record:
        MLPClassifier((5,), random_state=0, **options).fit(*data)
    assert record[0].filename == __file__  # the user's line


def test_no_warning_where_there_is_nothing_to_do(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converging(MLPClassifier, data, tol=0.02)
        converging(MLPClassifier, data, solver="lbfgs", alpha=1.0, max_iter=1000)
        converging(MLPClassifier, data, callback=lambda epoch, record: STOP)
        MLPRegressor(max_iter=1).partial_fit(*data)


@quiet
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs", "gd", "newton"])
def test_history_and_callback(kind, solver, data):
    X, y = data
    seen = []
    fitted = kind(
        hidden_layer_sizes=(4,),
        solver=solver,
        max_iter=4,
        random_state=0,
        callback=lambda epoch, record: seen.append((epoch, dict(record))),
    ).fit(X, y, X_val=X[:20], y_val=y[:20])
    n_iter = fitted.n_iter_
    assert [epoch for epoch, _ in seen] == list(range(1, n_iter + 1))
    for key in ("loss", "validation_loss", "validation_score"):
        assert fitted.history_[key] == [record[key] for _, record in seen]
    assert fitted.timings_["seconds"] == [record["seconds"] for _, record in seen]
    assert fitted.timings_["threads"] == [1] * n_iter
    if solver in ("sgd", "adam"):
        assert fitted.history_["learning_rate"] == [0.001] * n_iter
    assert fitted.loss_curve_ == fitted.history_["loss"]
    assert fitted.validation_scores_ == fitted.history_["validation_score"]
    assert fitted.validation_loss_curve_ == fitted.history_["validation_loss"]
    assert np.all(np.diff([0, *fitted.timings_["seconds"]]) > 0)


def test_max_time_is_kept(data):
    start = time.perf_counter()
    with pytest.warns(ConvergenceWarning, match="max_time"):
        converging(MLPRegressor, data, max_time=0.2, max_iter=10**9, tol=0, n_iter_no_change=np.inf)
    assert 0.2 <= time.perf_counter() - start < 2


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_ctrl_c_leaves_a_fitted_model(solver, rng):
    X = rng.normal(size=(4000, 50))
    y = X[:, 0] * X[:, 1]
    times = []

    def interrupt():
        times.append(time.perf_counter())
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def in_a_moment(iteration, record):
        if iteration == 1:
            threading.Timer(0.3, interrupt).start()

    estimator = MLPRegressor(
        hidden_layer_sizes=(300, 300),
        solver=solver,
        max_iter=10**6,
        n_iter_no_change=np.inf,
        tol=0,
        random_state=0,
        callback=in_a_moment,
    )
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        estimator.fit(X, y)
    assert time.perf_counter() - times[0] < 1.0  # 0.2 s on an idle machine
    assert estimator.status_.startswith(Status.INTERRUPTED.value[:-1])
    assert np.isfinite(estimator.predict(X)).all()


def test_interrupted_in_a_callback(data):
    def interrupt(epoch, record):
        if epoch == 3:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="Training interrupted by user after 3 iterations"):
        fitted = converging(MLPClassifier, data, callback=interrupt)
    assert fitted.n_iter_ == len(fitted.loss_curve_) == 3


@quiet
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"solver": AdamW(weight_decay=0.1, learning_rate="cosine")},
        {"standardize": True},
    ],
)
def test_partial_fit_goes_on_through_a_pickle(kind, options, data):
    X, y = data
    keywords = {"classes": [0, 1]} if kind is MLPClassifier else {}
    options = {"hidden_layer_sizes": (5,), "random_state": 0, "max_iter": 20} | options
    straight, pickled = kind(**options), kind(**options)
    for start in range(0, 90, 30):
        part = slice(start, start + 30)
        straight.partial_fit(X[part], y[part], **keywords)
        pickled = pickle.loads(pickle.dumps(pickled.partial_fit(X[part], y[part], **keywords)))
    for a, b in zip(straight.coefs_, pickled.coefs_, strict=True):
        assert np.array_equal(a, b)
    assert straight.loss_curve_ == pickled.loss_curve_
    assert len(straight.loss_curve_) == 3 and straight.n_iter_ == 1 and straight.t_ == 90
    assert straight.status_ == Status.ONE_EPOCH.value


@quiet
def test_a_solver_changed_between_calls_starts_anew(data):
    X, y = data
    fitted = MLPRegressor(hidden_layer_sizes=(5,), random_state=0, solver="sgd").partial_fit(X, y)
    fitted.set_params(solver="adam").partial_fit(X, y)
    assert fitted._solver_state["update"] == "adam" and fitted._solver_state["t"] == 1
    assert fitted.t_ == 180


@quiet
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs", "gd", "newton"])
def test_warm_start_goes_on_from_the_weights(solver, data):
    X, y = data
    fitted = MLPRegressor(
        hidden_layer_sizes=(5,), solver=solver, max_iter=5, warm_start=True, random_state=0
    ).fit(X, y)
    losses, curve = [fitted.loss_], list(fitted.loss_curve_)
    for _ in range(3):
        losses.append(fitted.fit(X, y).loss_)
        assert fitted.loss_curve_[: len(curve)] == curve
        assert {len(column) for column in fitted.history_.values()} == {len(fitted.loss_curve_)}
        curve = list(fitted.loss_curve_)
    assert losses == sorted(losses, reverse=True)
    first = fitted.set_params(warm_start=False).fit(X, y)
    assert first.loss_ == losses[0] and len(first.loss_curve_) <= 5


@quiet
def test_warm_start_with_early_stopping_turned_on_and_off(data):
    X, y = data
    fitted = MLPClassifier((5,), max_iter=3, warm_start=True, random_state=0).fit(X, y)
    fitted.set_params(early_stopping=True).fit(X, y)
    assert len(fitted.loss_curve_) == len(fitted.validation_scores_) == 6
    assert np.isnan(fitted.validation_scores_[:3]).all()
    assert fitted.best_loss_ is None and np.isfinite(fitted.best_validation_score_)
    fitted.set_params(early_stopping=False).fit(X, y)
    assert fitted.validation_scores_ is None and np.isfinite(fitted.best_loss_)


@quiet
@pytest.mark.parametrize("kind", KINDS)
def test_batch_size_over_n_is_clipped(kind, data):
    X, y = data
    with pytest.warns(UserWarning, match="It is going to be clipped"):
        clipped = kind(hidden_layer_sizes=(5,), batch_size=91, max_iter=3, random_state=0).fit(X, y)
    whole = kind(hidden_layer_sizes=(5,), batch_size=90, max_iter=3, random_state=0).fit(X, y)
    assert clipped.loss_curve_ == whole.loss_curve_


DIVERGING = {"solver": "sgd", "learning_rate_init": 1e3, "max_iter": 300, "random_state": 0}


def test_a_diverged_fit_raises_and_explains(rng):
    X = 1e3 * rng.normal(size=(60, 3))
    estimator = MLPRegressor(hidden_layer_sizes=(4,), **DIVERGING)
    with pytest.raises(ValueError) as raised:
        estimator.fit(X, X[:, 0])
    message = str(raised.value)
    assert message.startswith(
        "Solver produced non-finite parameter weights. The input data may contain large values and "
        "need to be preprocessed."
    )
    assert re.search(r"(Layer \d of 2|The loss) was .* after iteration \d+", message)
    assert "unscaled data" in message and "standardize=True" in message
    assert not hasattr(estimator, "coefs_")


@pytest.mark.filterwarnings("ignore:.*learning_rate_init=0.1 is ignored")
@pytest.mark.parametrize(
    ("solver", "scale", "pattern"),
    [
        ("gd", 1e3, r"after iteration \d+.* learning rate .*standardize=True"),
        ("adam", 1e200, "after iteration 1.*standardize=True"),
        ("lbfgs", 1e200, "at the start.* The likely cause is unscaled data. .*standardize=True"),
        ("newton", 1e200, "at the start.*standardize=True"),
        # a solver object is asked for its parameters, too
        (LBFGS(), 1e200, "at the start.* The likely cause is unscaled data. .*standardize=True"),
        (GradientDescent(), 1e3, "unscaled data or a learning rate .*standardize=True"),
    ],
)
def test_every_solver_explains_divergence(solver, scale, pattern, rng):
    X = scale * rng.normal(size=(60, 3))
    estimator = MLPRegressor(
        hidden_layer_sizes=(4,), solver=solver, activation="identity", learning_rate_init=0.1
    )
    with pytest.raises(ValueError, match=f"Solver produced non-finite.*{pattern}"):
        estimator.fit(X, X[:, 0])
    assert not hasattr(estimator, "coefs_")


def test_a_diverged_fit_keeps_the_best_weights(rng):
    X = rng.normal(size=(60, 3))
    estimator = MLPRegressor(hidden_layer_sizes=(4,), early_stopping=True, **DIVERGING)
    with pytest.warns(
        ConvergenceWarning, match="Lower the learning rate.*diverged.* best parameters"
    ):
        estimator.fit(X, X[:, 0])
    assert "diverged" in estimator.status_
    assert np.isfinite(estimator.predict(X)).all()
    assert all(np.isfinite(part).all() for part in estimator.coefs_ + estimator.intercepts_)


@quiet
@pytest.mark.parametrize(
    "solver",
    [SGD(batch_size=16), Adam(max_norm=1.0), Newton(), GradientDescent(line_search="armijo")],
)
def test_fit_never_changes_a_solver(solver, data):
    before = dict(solver.get_params())
    converging(MLPRegressor, data, solver=solver, max_iter=3)
    assert solver.get_params() == before


@quiet
@pytest.mark.parametrize("name", ["sgd", "adam", "lbfgs", "gd", "newton"])
def test_seeds_and_threads(name, data):
    curves = [
        converging(MLPRegressor, data, solver=name, max_iter=5, n_threads=n).loss_curve_
        for n in (1, 1, 2, None)
    ]
    assert curves[0] == curves[1]
    assert np.allclose(curves[0], curves[2], rtol=1e-9)
    assert np.allclose(curves[0], curves[3], rtol=1e-9)


@quiet
def test_the_global_random_state_is_the_default_source(data):
    curves = []
    for _ in range(2):
        np.random.seed(3)  # noqa: NPY002
        curves.append(MLPRegressor(hidden_layer_sizes=(5,), max_iter=3).fit(*data).loss_curve_)
    assert curves[0] == curves[1]


@quiet
def test_fits_in_threads(data):
    X, y = data
    alone = [MLPRegressor(hidden_layer_sizes=(5,), random_state=k).fit(X, y) for k in range(4)]
    together = [MLPRegressor(hidden_layer_sizes=(5,), random_state=k) for k in range(4)]
    threads = [threading.Thread(target=estimator.fit, args=(X, y)) for estimator in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(alone, together, strict=True):
        assert a.loss_curve_ == b.loss_curve_
