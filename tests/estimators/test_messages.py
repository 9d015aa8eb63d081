"""A message states what was looked at; ``status_`` and the warning are the same sentence."""

import warnings

import numpy as np
import pytest
from drawn_problems import bent
from sklearn.datasets import load_diabetes, make_classification
from sklearn.exceptions import ConvergenceWarning

from fastmlp import MLPClassifier, MLPRegressor, Network
from fastmlp._constant import best_constant
from fastmlp.solvers import least_squares_objective, minimize

LINE = np.linspace(-3, 3, 200).reshape(-1, 1)
WAVE = np.sin(LINE[:, 0])


def told(model, X, y, **fit):
    """The convergence warnings of a fit, which are status_ or none."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, **fit)
    texts = [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning)]
    assert texts in ([], [model.status_])
    return texts


def small(solver="lbfgs", **options):
    options = {"hidden_layer_sizes": (10,), "activation": "tanh", "random_state": 0} | options
    return MLPRegressor(solver=solver, **options)


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "lm", "newton", "gd"])
def test_one_sentence_that_says_what_to_do(solver):
    model = small(solver, max_iter=3)
    (text,) = told(model, LINE, 3 * WAVE)
    assert text.startswith(("Increase max_iter: ", "Pass standardize=True"))
    assert "3) reached" in text if solver == "adam" else "failed to converge after 3 " in text
    assert "still falling" not in text  # three iterations are no trend


def test_still_falling_is_said_of_several_iterations():
    model = small("adam", max_iter=20)
    (text,) = told(model, LINE, WAVE)
    fall = (model.loss_curve_[-6] - model.loss_curve_[-1]) / 5
    assert f"still falling, by {fall:.2g} per epoch in the last 5" in text


def test_a_loss_of_nothing_does_not_fall():
    result = minimize(
        least_squares_objective(lambda t: t**2), [1.0, 2.0], solver="lm", tol=0.0, max_iter=40
    )
    assert result.loss < 1e-8 and "still falling" not in result.message
    (text,) = told(small("lm", alpha=0, tol=0, max_iter=100), LINE, LINE[:, 0])
    assert "still falling" not in text and text.startswith("Loosen tol")


def test_convergence_names_numbers():
    model = small(alpha=1.0, max_iter=1000)
    assert told(model, LINE, WAVE) == []
    gradient = model.history_["grad_norm"][-1]
    if "Converged" in model.status_:
        assert f"{gradient:.2g}, tol=0.0001" in model.status_
    else:
        assert f"{model.loss_:.3g} " in model.status_


@pytest.mark.parametrize("solver", ["adam", "lbfgs", "gd", "newton"])
@pytest.mark.parametrize("size", [1e-9, 1e-3])
def test_small_targets(solver, size):
    (text,) = told(small(solver, alpha=0), LINE, size * WAVE)
    assert text.startswith("Pass standardize=True")
    model = small(solver, alpha=0, standardize=True)
    told(model, LINE, size * WAVE)
    assert model.score(LINE, size * WAVE) > 0.5
    assert "constant" not in model.status_


def test_tol_against_the_loss():
    (text,) = told(small(tol=1.0), LINE, WAVE)
    assert text.startswith("Pass standardize=True or a smaller tol: tol=1 is not small")
    (text,) = told(small(tol=1.0, standardize=True), LINE, WAVE)
    assert text.startswith("Pass a smaller tol: ")


def test_worse_than_a_constant():
    (text,) = told(MLPRegressor(random_state=0), *load_diabetes(return_X_y=True))
    assert text.startswith("Pass standardize=True") and "worse than the best constant" in text
    assert "Maximum iterations (200) reached" in text


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "quantile", "huber"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("seed", range(3))
def test_a_good_fit_is_not_worse_than_a_constant(loss, solver, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(100, 3))
    y = 10.0 ** rng.integers(-6, 7) * (X[:, 0] + np.sin(X[:, 1]) + 0.5 * rng.normal(size=100) + 3)
    weights = rng.integers(0, 3, size=100)
    model = MLPRegressor(loss=loss, solver=solver, standardize=True, random_state=seed)
    told(model, X, y, sample_weight=weights)
    assert model.score(X, y, weights) > 0.2
    assert "constant" not in model.status_


@pytest.mark.parametrize("offset", [0.0, 5000.0])
@pytest.mark.parametrize("learning_rate_init", [1e-4, 3e-4])
def test_a_penalty_does_not_make_a_fit_worse_than_a_constant(offset, learning_rate_init):
    """The run's loss is above the constant's, that on the data, which standardize sees, below."""
    rng = np.random.default_rng(0)
    X = 3 * rng.normal(size=(400, 3))
    y = X[:, 0] + 0.3 * rng.normal(size=400)
    model = small("adam", hidden_layer_sizes=(30,), alpha=10, standardize=True, max_iter=15)
    model.set_params(learning_rate_init=learning_rate_init)
    told(model, X + offset, y)
    assert model.loss_ > 0.51 and model.score(X + offset, y) > 0.05
    assert "constant" not in model.status_


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_worse_than_a_constant_is_said_where_it_is_so(solver):
    """Over drawn problems in units from 1e-3 to 1e3, by the definition of R2."""
    said, verdicts = [], []
    for seed in range(40):
        problem = bent(seed)
        size = 10.0 ** np.random.default_rng(seed).integers(-3, 4)
        y = size * (problem.y + 1)
        standardize = bool(seed % 2)
        model = small(solver, standardize=standardize, max_iter=60, random_state=seed)
        told(model, problem.X, y)
        r2 = model.score(problem.X, y)
        if abs(r2 + 0.01) > 0.005:  # the margin, and an epoch's lag
            said.append("worse than the best constant" in model.status_)
            verdicts.append(r2 < -0.01)
            # a tol that is too large may be said in its place
            if verdicts[-1] and not said[-1]:
                said[-1] = "is not small against the loss" in model.status_
    assert said == verdicts
    assert (0 if solver == "lbfgs" else 3) < sum(verdicts) < 37


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "spec", ["squared_error", "absolute_error", ("quantile", {"quantile": 0.2}), "gamma", "poisson"]
)
def test_the_best_constant(spec, weighted):
    rng = np.random.default_rng(0)
    y = rng.gamma(2.0, size=41)
    weights = rng.integers(0, 4, size=41).astype(float) if weighted else None
    network = Network([1, 1], loss=spec)
    raw, value = best_constant(network, y, weights)
    objective = network.objective(np.zeros((41, 1)), y, sample_weight=weights)
    assert objective.value(np.array([0.0, raw[0]])) == pytest.approx(value, rel=1e-12)
    for other in raw[0] + np.linspace(-0.5, 0.5, 41):
        assert objective.value(np.array([0.0, other])) >= value - 1e-12


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_best_constant_of_classes(n_classes, weighted):
    rng = np.random.default_rng(0)
    y = np.arange(90) % n_classes
    y[:30] = 0
    weights = rng.integers(0, 4, size=90).astype(float) if weighted else None
    n_raw = 1 if n_classes == 2 else n_classes
    network = Network([1, n_raw], loss="log_loss")
    raw, value = best_constant(network, y, weights)
    objective = network.objective(np.zeros((90, 1)), y, sample_weight=weights)
    assert objective.value(np.r_[np.zeros(n_raw), raw]) == pytest.approx(value, rel=1e-12)
    for _ in range(20):
        other = raw + 0.3 * rng.normal(size=n_raw)
        assert objective.value(np.r_[np.zeros(n_raw), other]) > value - 1e-12


@pytest.mark.parametrize("loss", ["absolute_error", "quantile"])
def test_kinks(loss):
    model = MLPRegressor(loss=loss, standardize=True, max_iter=2000, tol=1e-2, random_state=0)
    assert told(model, LINE, WAVE) == []
    assert "may not be at its least: try a smaller learning_rate_init" in model.status_


def test_early_stopping_of_a_rare_class():
    X, y = make_classification(1000, 20, weights=[0.95], flip_y=0.03, class_sep=0.5, random_state=0)
    model = MLPClassifier(random_state=0, early_stopping=True)
    (text,) = told(model, X, y)
    assert text.startswith('Pass scoring="loss", or class_weight="balanced": no epoch')
    model.set_params(scoring="loss")
    assert told(model, X, y) == [] and "constant" not in model.status_


def test_partial_fit_and_callbacks_are_the_users_to_judge():
    from fastmlp import STOP

    y = 1e-9 * WAVE
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert small("adam").partial_fit(LINE, y).status_ == "One pass over the data was made."
        model = small(callback=lambda epoch, record: STOP).fit(LINE, y)
    assert model.status_ == "Stopped by the callback."


@pytest.mark.parametrize(("given", "missing"), [("X_val", "y_val"), ("y_val", "X_val")])
def test_half_of_the_validation_data_is_named(given, missing):
    whole = {"X_val": LINE, "y_val": WAVE}
    with pytest.raises(ValueError, match=f"{missing} is missing"):
        small().fit(LINE, WAVE, **{given: whole[given]})
