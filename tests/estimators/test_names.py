"""Names of other libraries, misspelt names, Generators, parameters that would be ignored."""

import numpy as np
import pytest
from sklearn.base import clone

from fastmlp import MLPClassifier, MLPRegressor, Network
from fastmlp._names import FOREIGN, suggestion
from fastmlp.activations import OUTPUT_NAMES
from fastmlp.distributions._families import FAMILIES
from fastmlp.initialisation import NAMES as STARTS
from fastmlp.losses import NAMES
from fastmlp.solvers import LBFGS, SOLVERS, Adam, GradientDescent, NewtonCG

X = np.random.default_rng(0).normal(size=(30, 2))
Y = (X[:, 0] > 0).astype(int)


def test_the_table_leads_to_names_that_exist():
    known = {*OUTPUT_NAMES, *NAMES, *SOLVERS, *STARTS, *FAMILIES, "invscaling"}
    assert {meant for meant in FOREIGN.values() if not meant.endswith(")")} <= known
    assert not set(FOREIGN) & known - {"adamw"}


@pytest.mark.parametrize(
    ("parameters", "meant"),
    [
        ({"activation": "sigmoid"}, "'logistic'"),
        ({"activation": "swish"}, "'silu'"),
        ({"activation": "linear"}, "'identity'"),
        ({"activation": "ReLU"}, "'relu'"),
        ({"activation": "leaky-relu"}, "'leaky_relu'"),
        ({"activation": "thanh"}, "'tanh'"),
        ({"activation": ("LeakyReLU", {})}, "'leaky_relu'"),
        ({"activation": ["sigmoid"], "hidden_layer_sizes": (3,)}, "'logistic'"),
        ({"loss": "mse"}, "'squared_error'"),
        ({"loss": "l2"}, "'squared_error'"),
        ({"loss": "squared-error"}, "'squared_error'"),
        ({"solver": "Adam"}, "'adam'"),
        ({"solver": "ADAM"}, "'adam'"),
        ({"solver": "l-bfgs"}, "'lbfgs'"),
        ({"solver": "levenberg_marquardt"}, "'lm'"),
        ({"solver": "AdamW"}, r"AdamW\(\)"),
        ({"solver": "newton_cg"}, "'newton-cg'"),
        ({"init": "xavier"}, "'glorot'"),
        ({"learning_rate": "adaptve"}, "'adaptive'"),
    ],
)
@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
def test_estimators_say_what_may_be_meant(make, parameters, meant):
    with pytest.raises(ValueError, match=f"(?i)did you mean {meant}"):
        make(**parameters).fit(X, Y)


@pytest.mark.parametrize(
    ("make", "loss", "meant"),
    [
        (MLPClassifier, "cross_entropy", "'log_loss'"),
        (MLPClassifier, "cross-entropy", "'log_loss'"),
        (MLPClassifier, "BCE", "'log_loss'"),
        (MLPRegressor, "mae", "'absolute_error'"),
        (MLPRegressor, "pinball", "'quantile'"),
        (MLPRegressor, ("Huber", {"epsilon": 1.0}), "'huber'"),
    ],
)
def test_losses_of_one_kind_of_estimator(make, loss, meant):
    with pytest.raises(ValueError, match=f"Did you mean {meant}"):
        make(loss=loss).fit(X, Y)


def test_networks_say_so_too():
    for arguments, meant in [
        ({"activation": "sigmoid"}, "logistic"),
        ({"output_activation": "sigmoid"}, "logistic"),
        ({"output_activation": "exponential"}, "exp"),
        ({"loss": "mse"}, "squared_error"),
        ({"loss": "crossentropy"}, "log_loss"),
    ]:
        with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
            Network([2, 3, 1], **arguments)
    with pytest.raises(ValueError, match="Unknown loss 'zzz'. Known are 'squared_error', "):
        Network([2, 3, 1], loss="zzz")


def test_nothing_is_guessed_out_of_nothing():
    assert suggestion("zzz", NAMES) is None
    assert suggestion(3, NAMES) is None
    assert suggestion("cross_entropy", ("squared_error", "huber")) is None


@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"n_starts": 3}])
def test_a_generator_is_a_random_state(make, options):
    def fitted(model):
        return model.fit(X, Y).loss_curve_

    options = {"hidden_layer_sizes": (3,), "solver": "sgd", "tol": 0.5, **options}
    model = make(random_state=np.random.default_rng(0), **options)
    copy = clone(model)
    first = fitted(model)
    assert fitted(copy) == first == fitted(make(random_state=np.random.default_rng(0), **options))
    assert fitted(model) != first  # it goes on, as a RandomState does
    assert fitted(make(random_state=np.random.default_rng(1), **options)) != first


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"solver": Adam(), "learning_rate_init": 0.1}, r"write Adam\(learning_rate_init=0.1\)"),
        ({"solver": GradientDescent(), "learning_rate_init": 0.2}, r"Descent\(learning_rate="),
        ({"solver": Adam(), "batch_size": 10}, r"write Adam\(batch_size=10\)"),
        ({"solver": Adam(), "momentum": 0.5}, "Adam has none"),
        ({"solver": LBFGS(), "shuffle": False}, "LBFGS has none"),
        ({"solver": NewtonCG(), "batch_size": 10}, r"write NewtonCG\(batch_size=10\)"),
        ({"solver": LBFGS(), "power_t": 0.3}, "LBFGS has none"),
    ],
)  # fmt: skip
def test_flat_parameters_beside_an_object(parameters, words):
    model = MLPRegressor(
        hidden_layer_sizes=(3,), max_iter=300, tol=10.0, random_state=0, **parameters
    )
    with pytest.warns(UserWarning, match=f"is ignored, since solver is an object.*{words}"):
        model.fit(X, Y)


def test_defaults_beside_an_object_are_silent():
    MLPRegressor(hidden_layer_sizes=(3,), tol=10.0, random_state=0, solver=Adam()).fit(X, Y)
    MLPRegressor(hidden_layer_sizes=(3,), tol=10.0, random_state=0, momentum=0.3).fit(X, Y)
