"""What goes beyond scikit-learn's MLP: losses, activations, scales, weights, linear models."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression, Perceptron, PoissonRegressor, Ridge
from sklearn.metrics import mean_pinball_loss
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.solvers import SGD, Adam, AdamW

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
KINDS = [MLPClassifier, MLPRegressor]
ACTIVATIONS = [
    "identity", "logistic", "tanh", "relu", "softplus", "leaky_relu", "elu", "selu", "gelu", "silu",
    "mish", ("leaky_relu", {"eps": 0.3}), ("elu", {"alpha": 0.5}), ["tanh", ("elu", {"alpha": 2})],
]  # fmt: skip
LOSSES = ["squared_error", "poisson", "gamma", "absolute_error", "huber", "quantile"]


@pytest.fixture
def data(rng):
    X = rng.normal(size=(120, 4))
    return X, X @ [1.0, -2.0, 0.5, 0.0] + 0.3 * rng.normal(size=120)


# -- a single layer is a linear model ----------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_newton_is_ridge(weighted, sparse, data, rng):
    X, y = data
    w = rng.uniform(size=len(y)) if weighted else None
    given = sp.csr_matrix(X) if sparse else X
    fitted = MLPRegressor(hidden_layer_sizes=(), solver="newton", alpha=2.0, tol=1e-10)
    fitted.fit(given, y, sample_weight=w)
    ridge = Ridge(alpha=2.0).fit(X, y, sample_weight=w)
    assert np.allclose(fitted.coefs_[0][:, 0], ridge.coef_, atol=1e-6)
    assert np.allclose(fitted.intercepts_[0], ridge.intercept_, atol=1e-6)
    assert fitted.n_layers_ == 2 and fitted.n_iter_ <= 2


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_newton_is_logistic_regression(weighted, n_classes, data, rng):
    X, y = data
    y = np.digitize(y, [0.0, 1.0][: n_classes - 1])
    w = rng.uniform(size=len(y)) if weighted else None
    fitted = MLPClassifier((), solver="newton", alpha=0.5, tol=1e-10).fit(X, y, sample_weight=w)
    logistic = LogisticRegression(C=2.0, tol=1e-12, max_iter=10000).fit(X, y, sample_weight=w)
    assert np.allclose(fitted.predict_proba(X), logistic.predict_proba(X), atol=1e-6)
    if n_classes == 2:
        assert np.allclose(fitted.coefs_[0].T, logistic.coef_, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_newton_is_poisson_regression(weighted, data, rng):
    X, y = data
    y = rng.poisson(np.exp(0.3 * y))
    w = rng.uniform(size=len(y)) if weighted else None
    fitted = MLPRegressor(
        hidden_layer_sizes=(), loss="poisson", solver="newton", alpha=0.7, tol=1e-10
    ).fit(X, y, sample_weight=w)
    total = len(y) if w is None else w.sum()
    poisson = PoissonRegressor(alpha=0.7 / total, tol=1e-12, max_iter=10000)
    poisson.fit(X, y, sample_weight=w)
    assert np.allclose(fitted.coefs_[0][:, 0], poisson.coef_, atol=1e-6)
    assert np.allclose(fitted.predict(X), poisson.predict(X), atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("epochs", [1, 2, 7])
def test_rosenblatts_perceptron(n_classes, epochs, data):
    X, y = data
    y = np.digitize(y, [0.0, 1.0][: n_classes - 1])
    options = {"max_iter": epochs, "tol": None, "shuffle": False}
    theirs = Perceptron(**options).fit(X, y)
    ours = MLPClassifier(
        (),
        loss="perceptron",
        init="zeros",
        solver="sgd",
        learning_rate_init=1,
        momentum=0,
        batch_size=1,
        shuffle=False,
        alpha=0,
        max_iter=epochs,
        n_iter_no_change=np.inf,
    ).fit(X, y)
    assert np.allclose(ours.coefs_[0].T, theirs.coef_, rtol=0, atol=1e-12)
    assert np.array_equal(ours.intercepts_[0], theirs.intercept_)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    assert not hasattr(ours, "predict_proba") and not hasattr(ours, "predict_log_proba")


def test_multilabel_perceptron(data):
    X, _ = data
    Y = (X[:, :2] > 0).astype(int)
    fitted = MLPClassifier((), loss="perceptron", solver="sgd", learning_rate_init=0.1).fit(X, Y)
    assert fitted.score(X, Y) > 0.8


# -- losses and activations --------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_losses_of_a_regressor(loss, solver, data):
    X, y = data
    y = np.exp(0.2 * y) if loss in ("poisson", "gamma") else y
    fitted = MLPRegressor(
        loss, (10,), solver=solver, learning_rate_init=0.01, random_state=0, standardize=True
    ).fit(X, y)
    assert fitted.score(X, y) > 0.8
    assert fitted.out_activation_ == ("exp" if loss in ("poisson", "gamma") else "identity")
    several = MLPRegressor(loss, (10,), solver=solver, max_iter=5).fit(X, np.column_stack([y, y]))
    assert several.predict(X).shape == (120, 2)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_quantile_level(level, data):
    X, y = data
    fitted = MLPRegressor(
        "quantile", (), solver="adam", learning_rate_init=0.02, quantile=level, max_iter=1000,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    assert np.mean(y <= fitted.predict(X)) == pytest.approx(level, abs=0.05)
    assert fitted.loss_ == pytest.approx(
        mean_pinball_loss(y, fitted.predict(X), alpha=level), rel=0.05
    )


def test_huber_epsilon(data):
    X, y = data
    y = np.where(np.arange(120) % 10, y, 50.0)

    def fit(epsilon):
        loss = ("huber", {"epsilon": epsilon})
        return MLPRegressor(loss, (), solver="lbfgs", alpha=0, tol=1e-9, max_iter=2000).fit(X, y)

    def huber(theta, epsilon):
        r = np.abs(y - X @ theta[:4] - theta[4])
        return np.where(r <= epsilon, r**2 / 2, epsilon * (r - epsilon / 2)).mean()

    for epsilon in (0.5, 3.0):
        expected = minimize(
            huber, np.zeros(5), args=(epsilon,), method="BFGS", options={"gtol": 1e-7}
        )
        assert np.allclose(fit(epsilon).coefs_[0][:, 0], expected.x[:4], atol=1e-3)


class Quartic:
    """A loss in Python, with its curvature."""

    def value_grad(self, raw, y):
        r = raw[:, 0] - y
        return r**4 / 4, r[:, None] ** 3

    def hess(self, raw, y):
        return 3 * (raw[:, 0] - y)[:, None, None] ** 2


def quartic(raw, y):
    return Quartic().value_grad(raw, y)


@pytest.mark.parametrize("loss", [Quartic(), quartic])
@pytest.mark.parametrize("solver", ["lbfgs", "gd", "newton"])
def test_own_loss(loss, solver, data):
    if loss is quartic and solver == "newton":
        pytest.skip("a function has no curvature")
    X, y = data
    fitted = MLPRegressor(
        loss, (5,), solver=solver, activation="tanh", learning_rate_init=0.01, random_state=0,
        max_iter=50,
    )  # fmt: skip
    fitted.fit(X, y, X_val=X, y_val=y)
    assert fitted.loss_ < 0.5 * fitted.loss_curve_[0]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_activations(activation, kind, data):
    X, y = data
    y = y > 0 if kind is MLPClassifier else y
    fitted = kind(
        hidden_layer_sizes=(8, 6), activation=activation, solver="lbfgs", random_state=0
    ).fit(X, y)
    assert fitted.score(X, y) > 0.9
    given = activation if isinstance(activation, list) else [activation, activation]
    assert [a if isinstance(a, str) else a[0] for a in fitted.activations_] == [
        a if isinstance(a, str) else a[0] for a in given
    ]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_squared_error_of_probabilities(n_classes, data):
    X, y = data
    y = np.digitize(y, [0.0, 1.0][: n_classes - 1])
    fitted = MLPClassifier((10,), loss="squared_error", solver="lbfgs", alpha=0).fit(X, y)
    probabilities = fitted.predict_proba(X)
    hot = (y[:, None] == np.arange(n_classes))[:, -1 if n_classes == 2 else slice(None)]
    given = probabilities[:, -1] if n_classes == 2 else probabilities
    assert fitted.loss_ == pytest.approx(0.5 * ((hot - given) ** 2).sum() / len(y), rel=1e-6)
    assert np.allclose(probabilities.sum(axis=1), 1) and fitted.score(X, y) > 0.9


# -- where training starts ---------------------------------------------------------------------


@pytest.mark.parametrize("init", ["glorot", "he", "lecun", "zeros"])
def test_init(init, data):
    X, y = data
    tiny = {"solver": "gd", "learning_rate_init": 1e-300, "max_iter": 1, "random_state": 0}
    fitted = MLPRegressor(hidden_layer_sizes=(500,), init=init, **tiny).fit(X, y)
    variance = {"glorot": 2 / 504, "he": 2 / 4, "lecun": 1 / 4, "zeros": 0}[init]
    assert fitted.coefs_[0].var() == pytest.approx(variance, rel=0.1)


def test_init_from_arrays(data):
    X, y = data
    start = MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, random_state=0).fit(X, y)
    again = MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, warm_start=True, random_state=0)
    given = MLPRegressor(
        hidden_layer_sizes=(5,), max_iter=3, init=(start.coefs_, start.intercepts_), solver="lbfgs"
    ).fit(X, y)
    again.fit(X, y).set_params(solver="lbfgs").fit(X, y)
    assert np.array_equal(given.coefs_[0], again.coefs_[0])


# -- scales ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_standardize_is_a_scaler_in_front(kind, sparse, weighted, data, rng):
    X, y = data
    X = 1e3 * X + (0 if sparse else 1e4)
    X[:, 3] = 8.0  # constant
    y = y > 0 if kind is MLPClassifier else 1e5 + 1e3 * y
    w = rng.uniform(size=len(y)) if weighted else None
    with np.errstate(invalid="ignore"):  # its weighted variance of a constant is below zero
        scaler = StandardScaler(with_mean=not sparse).fit(
            sp.csr_matrix(X) if sparse else X, sample_weight=w
        )
    options = {"hidden_layer_sizes": (5,), "random_state": 0, "max_iter": 20}
    inside = kind(standardize=True, **options)
    inside.fit(sp.csr_matrix(X) if sparse else X, y, sample_weight=w)
    mean, scale = 0.0, 1.0
    if kind is MLPRegressor:
        mean = np.average(y, weights=w)
        scale = np.sqrt(np.average((y - mean) ** 2, weights=w))
        assert np.allclose([inside.y_mean_[0], inside.y_scale_[0]], [mean, scale])
    outside = kind(**options).fit(
        (X - inside.x_mean_) / scaler.scale_, y if kind is MLPClassifier else (y - mean) / scale, w
    )
    for a, b in zip(inside._coefs, outside.coefs_, strict=True):
        assert np.allclose(a, b, rtol=1e-7, atol=1e-9)
    scaled = (X - inside.x_mean_) / scaler.scale_
    if kind is MLPClassifier:
        assert np.allclose(inside.predict_proba(X), outside.predict_proba(scaled))
    else:
        assert np.allclose(inside.predict(X), outside.predict(scaled) * scale + mean)
    assert np.allclose(inside.predict(sp.csr_matrix(X)), inside.predict(X))


def test_standardize_rescues_a_fit(data):
    X, y = data
    X, y = 1e4 * X + 1e5, 1e6 * y
    options = {"solver": "sgd", "activation": "identity", "random_state": 0, "tol": 1e-5}
    with pytest.raises(ValueError, match="standardize=True"):
        MLPRegressor(**options).fit(X, y)
    assert MLPRegressor(standardize=True, **options).fit(X, y).score(X, y) > 0.9


def test_scales_come_from_the_training_rows(data):
    X, y = data
    fitted = MLPRegressor(
        hidden_layer_sizes=(5,), standardize=True, early_stopping=True, max_iter=2, random_state=0
    ).fit(X, y)
    assert not np.allclose(fitted.x_mean_, X.mean(axis=0))
    fitted.set_params(early_stopping=False).fit(X, y)
    assert np.allclose(fitted.x_mean_, X.mean(axis=0))
    counts = MLPRegressor("poisson", (5,), standardize=True, max_iter=2).fit(X, np.abs(y))
    assert counts.y_mean_ is None


def test_scales_stay_when_a_fit_is_warm_started(data):
    X, y = data
    fitted = MLPRegressor(hidden_layer_sizes=(5,), standardize=True, max_iter=2, warm_start=True)
    fitted.fit(X, y)
    before = fitted.x_mean_.copy(), fitted.y_mean_.copy()
    fitted.fit(2 * X + 1, 3 * y + 1)
    assert np.array_equal(before[0], fitted.x_mean_) and np.array_equal(before[1], fitted.y_mean_)


# -- weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["lbfgs", "newton", "gd"])
@pytest.mark.parametrize("kind", KINDS)
def test_weight_two_is_a_row_twice(solver, kind, data):
    X, y = data
    y = y > 0 if kind is MLPClassifier else y
    options = {
        "hidden_layer_sizes": (4,), "activation": "tanh", "alpha": 0.1, "max_iter": 5,
        "solver": solver, "random_state": 0,
    }  # fmt: skip
    w = np.arange(120) % 3
    weighted = kind(**options).fit(X, y, sample_weight=w)
    repeated = kind(**options).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    for a, b in zip(weighted.coefs_, repeated.coefs_, strict=True):
        assert np.allclose(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("class_weight", ["balanced", {"no": 5.0}, {"no": 0.0, "yes": 1.0}])
@pytest.mark.parametrize("options", [{}, {"solver": "lbfgs"}, {"early_stopping": True}])
def test_class_weight_is_a_sample_weight(class_weight, options, data):
    X, y = data
    y = np.where(y > 1.5, "no", "yes")
    counts = {label: np.sum(y == label) for label in ("no", "yes")}
    each = class_weight
    if class_weight == "balanced":
        each = {label: 120 / (2 * n) for label, n in counts.items()}
    w = np.array([each.get(label, 1.0) for label in y]) * np.linspace(0.5, 1, 120)
    options = options | {"hidden_layer_sizes": (5,), "random_state": 0, "max_iter": 5}
    by_class = MLPClassifier(class_weight=class_weight, **options)
    by_class.fit(X, y, sample_weight=np.linspace(0.5, 1, 120))
    by_row = MLPClassifier(**options).fit(X, y, sample_weight=w)
    for a, b in zip(by_class.coefs_, by_row.coefs_, strict=True):
        assert np.allclose(a, b, rtol=1e-9)


def test_class_weight_in_partial_fit(data):
    X, y = data
    with pytest.raises(ValueError, match="balanced.*partial_fit"):
        MLPClassifier(class_weight="balanced").partial_fit(X, y > 0, classes=[False, True])
    given = MLPClassifier((5,), class_weight={True: 3.0}, random_state=0)
    other = MLPClassifier((5,), random_state=0)
    given.partial_fit(X, y > 0, classes=[False, True])
    other.partial_fit(X, y > 0, np.where(y > 0, 3.0, 1.0), classes=[False, True])
    assert np.allclose(given.coefs_[0], other.coefs_[0])


# -- solver objects ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "made"),
    [
        ({"solver": "adam"}, Adam()),
        ({"solver": "adam", "beta_1": 0.5, "batch_size": 10}, Adam(beta_1=0.5, batch_size=10)),
        ({"solver": "sgd", "momentum": 0.5}, SGD(momentum=0.5)),
        ({"solver": "adam"}, AdamW(weight_decay=0.0)),
        ({"solver": "adam"}, Adam(max_norm=1e9)),
    ],
)
def test_an_object_is_its_flat_parameters(named, made, data):
    X, y = data
    options = {"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0}
    by_name = MLPRegressor(**named, **options).fit(X, y)
    # Flat parameters that belong to a solver do not touch an object.
    with pytest.warns(UserWarning) as told:
        by_object = MLPRegressor(solver=made, momentum=0.1, beta_2=0.1, **options).fit(X, y)
    kind = type(made).__name__
    own = "momentum" if kind == "SGD" else "beta_2"
    told = [text for warning in told if "is ignored, since" in (text := str(warning.message))]
    assert len(told) == 2
    assert any(f"{own}=0.1" in text and f"write {kind}({own}=0.1)" in text for text in told)
    assert any(f"{kind} has none" in text for text in told)
    assert np.allclose(by_name.loss_curve_, by_object.loss_curve_, rtol=1e-12)


def test_cosine_ends_at_zero(data):
    X, y = data
    fitted = MLPRegressor(
        hidden_layer_sizes=(5,), max_iter=10, random_state=0,
        solver=SGD(learning_rate="cosine", learning_rate_init=0.1, batch_size=30),
    ).fit(X, y)  # fmt: skip
    last_batches = (np.arange(10) * 4 + 3) / 40
    expected = 0.05 * (1 + np.cos(np.pi * last_batches))
    assert np.allclose(fitted.history_["learning_rate"], expected)


def test_clipping_bounds_the_step(data):
    X, y = data
    options = {"hidden_layer_sizes": (5,), "max_iter": 1, "random_state": 0}
    start = MLPRegressor(solver=SGD(learning_rate_init=1e-12), **options).fit(X, 1e6 * y)
    clipped = MLPRegressor(
        solver=SGD(learning_rate_init=0.1, momentum=0.0, max_norm=0.5), **options
    ).fit(X, 1e6 * y)
    step2 = sum(
        np.sum((a - b) ** 2)
        for a, b in zip(
            clipped.coefs_ + clipped.intercepts_, start.coefs_ + start.intercepts_, strict=True
        )
    )
    assert np.sqrt(step2) == pytest.approx(0.05, rel=1e-3)


def test_weight_decay_leaves_the_biases_alone(data):
    X, y = data
    options = {"hidden_layer_sizes": (5,), "max_iter": 1, "random_state": 0, "alpha": 0.0}
    rate, decay = 1e-3, 0.1
    plain = MLPRegressor(solver=Adam(rate), **options).fit(X, y)
    decayed = MLPRegressor(solver=AdamW(rate, weight_decay=decay), **options).fit(X, y)
    start = MLPRegressor(solver=Adam(1e-300), **options).fit(X, y)
    for a, b, c in zip(plain.coefs_, decayed.coefs_, start.coefs_, strict=True):
        assert np.allclose(a - b, rate * decay * c, rtol=1e-6, atol=1e-15)
    assert np.allclose(plain.intercepts_[0], decayed.intercepts_[0], rtol=1e-12)


def test_a_layer_that_a_solver_freezes(data):
    """From warm weights: W1 and b1 stay, the rest goes on."""
    X, y = data
    options = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, "warm_start": True}
    model = MLPRegressor(solver=Adam(0.01), **options)
    model.fit(X, y)
    before = [array.copy() for array in (*model.coefs_, *model.intercepts_)]
    model.set_params(solver=Adam(0.01, rate_factors={1: 0, "b2": 0})).fit(X, y)
    after = (*model.coefs_, *model.intercepts_)
    assert list(map(np.array_equal, before, after)) == [True, False, True, True]
    model.set_params(solver__rate_factors={"W3": 0.5})
    with pytest.raises(ValueError, match="Unknown segment in rate_factors of Adam 'W3'.*b2"):
        model.fit(X, y)
