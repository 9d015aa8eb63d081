"""Every public call with hostile arguments: it answers, or says in an exception of ours why not.

The law: a result that is finite where the arguments were tame; or one of ``REFUSALS``; arguments
are not changed; an estimator that raised is as it was; the process lives. Under the sanitizers
every read and write is within bounds, too.

By default a small share runs, the same each time. ``FASTMLP_FUZZ=5000`` draws so many new examples
for each test.
"""

import copy
import gc
import os
import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse

pytest.importorskip("hypothesis")

import hostile  # noqa: E402
from hostile import anything, one_in  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from fastmlp import (  # noqa: E402
    MLPClassifier,
    MLPDistributionRegressor,
    MLPRegressor,
    Network,
    solvers,
)
from fastmlp.activations import HIDDEN_NAMES, OUTPUT_NAMES  # noqa: E402
from fastmlp.distributions import check_family  # noqa: E402
from fastmlp.distributions._families import FAMILIES  # noqa: E402
from fastmlp.losses import NAMES  # noqa: E402
from fastmlp.predictor import DistributionPredictor, Predictor  # noqa: E402

EXAMPLES = int(os.environ.get("FASTMLP_FUZZ", "0"))

# What a call may raise. MemoryError: sizes that no machine has. scikit-learn's NotFittedError and
# our InvalidParameterError are ValueErrors.
REFUSALS = (ValueError, TypeError, MemoryError)
# AttributeErrors that belong to the interface: methods that depend on a parameter.
ABSENT = ("partial_fit", "predict_proba", "predict_log_proba")


def fuzz(share):
    """Settings for a test that draws this many examples by default."""
    return settings(
        max_examples=EXAMPLES or share,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def frozen(value):
    """What an argument holds, to be compared later."""
    if sparse.issparse(value):
        return [
            frozen(getattr(value, n, None)) for n in ("data", "indices", "indptr", "row", "col")
        ]
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.shape, value.dtype, value.tobytes()
    if isinstance(value, dict):
        return {key: frozen(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [frozen(entry) for entry in value]
    return value if isinstance(value, int) else repr(value)


def call(function, *args, out=None, **kwargs):
    """The answer, or None for a refusal; what is passed stays as it is."""
    before = frozen([args, kwargs])
    if out is not None:
        kwargs["out"] = out
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = function(*args, **kwargs)
    except REFUSALS as error:
        assert str(error), f"{type(error).__name__} without a word"
        assert "Buffer dtype mismatch" not in str(error)
        answer = None
    except AttributeError as error:
        assert any(name in str(error) for name in ABSENT), repr(error)
        answer = None
    except OverflowError as error:
        # scikit-learn's own, of integers within X and y that no float holds
        assert "int too large" in str(error)
        answer = None
    kwargs.pop("out", None)
    assert frozen([args, kwargs]) == before, "an argument was changed"
    return answer


def tame(*values):
    """Whether all numbers in some arguments are of a usual size."""
    for value in values:
        value = value.toarray() if sparse.issparse(value) else value
        array = np.asarray(value)
        if array.dtype.kind not in "fiub" or not (np.abs(array.astype(float)) < 20).all():
            return False
    return True


layers = st.lists(st.integers(1, 6), min_size=2, max_size=4)
widths = one_in(
    3,
    layers,
    st.lists(st.sampled_from(hostile.SIZES), max_size=4) | anything | layers.map(iter),
)
activations = st.sampled_from([*HIDDEN_NAMES, ("elu", {"alpha": 0.5}), "softmax"])


@st.composite
def networks(draw):
    """A network that exists, with targets that suit it."""
    loss = draw(st.sampled_from(NAMES))
    widths = draw(layers)
    net = Network(
        widths,
        draw(st.sampled_from(HIDDEN_NAMES)),
        loss=loss,
        dtype=draw(st.sampled_from([np.float64, np.float32])),
    )
    values = {"log_loss": [0.0, 1.0], "perceptron": [-1.0, 1.0], "gamma": [0.5, 2.0]}
    return net, values.get(loss, [0.0, 1.0, 2.0])


@given(st.data())
@fuzz(60)
def test_constructor(data):
    parameters = st.dictionaries(st.sampled_from(["alpha", "eps", "epsilon"]), anything, max_size=2)
    spec = st.tuples(st.sampled_from([*HIDDEN_NAMES, *NAMES]), parameters) | anything
    net = call(
        Network,
        data.draw(widths),
        data.draw(one_in(4, activations, spec | st.lists(activations | spec, max_size=3))),
        data.draw(one_in(4, st.none() | st.sampled_from(OUTPUT_NAMES), spec)),
        data.draw(one_in(4, st.sampled_from(NAMES), spec)),
        data.draw(one_in(6, st.sampled_from([np.float64, "f4"]), anything)),
    )
    if net is not None and net.n_params < 1000:
        theta = call(net.init, data.draw(one_in(4, st.just(0), anything)))
        if theta is not None:
            assert np.isfinite(net.raw(theta, np.ones((2, net.n_features)))).all()
        call(net.pack, data.draw(anything), data.draw(anything))
        call(net.init, 0, data.draw(anything))


@given(st.data())
@fuzz(150)
def test_network(data):
    net, values = data.draw(networks())
    n = data.draw(st.sampled_from([1, 2, 9, 60]))
    theta = data.draw(one_in(4, st.just(net.init(0)), hostile.arrays(net.n_params)))
    X = data.draw(hostile.matrices(n, net.n_features) | hostile.arrays(n, net.n_features))
    y = data.draw(one_in(8, hostile.arrays(n, net.n_raw, values=values), anything))
    weights = one_in(6, hostile.arrays(n, values=[0.5, 1.0, 0.0]), anything)
    w = data.draw(st.none() | weights)
    v = data.draw(hostile.arrays(net.n_params))
    number = data.draw(one_in(4, st.sampled_from([0.0, 0.1]), anything))
    index = hostile.arrays(3, values=range(n)).map(lambda a: np.asarray(a))
    rows = data.draw(st.none() | index | anything)
    name = data.draw(
        st.sampled_from(
            "predict raw jacobian input_jacobian value value_grad hessian ggn hess_mul ggn_mul "
            "trace unpack objective".split()
        )
    )
    method = getattr(net, name)
    if name in ("predict", "raw", "jacobian", "input_jacobian"):
        arguments = (theta, X)
    elif name in ("hess_mul", "ggn_mul"):
        arguments = (theta, X, y, v, w, number)
    elif name == "trace":
        arguments = (theta, X[0] if isinstance(X, np.ndarray) and X.ndim else X, y)
    elif name == "unpack":
        arguments = (theta,)
    elif name == "objective":
        arguments = (X, y, w, number, rows)
    else:
        arguments = (theta, X, y, w, number)
    answer = call(method, *arguments)
    if answer is None:
        return
    if name == "objective":
        use_objective(data, answer, theta, v)
    elif name not in ("trace", "unpack") and tame(*[a for a in arguments if a is not None]):
        answers = answer if isinstance(answer, tuple) else (answer,)
        if net.activation != "exp":
            assert all(np.isfinite(part).all() for part in answers)


def use_objective(data, objective, theta, v):
    """Some methods of an objective that was accepted."""
    positions = hostile.arrays(3, values=range(objective.n_samples)) | anything
    for name in ("value", "value_grad", "predict", "ggn_diagonal", "value_grad_ggn"):
        call(getattr(objective, name), theta)
    for name in ("hess_mul", "ggn_mul", "bend"):
        call(getattr(objective, name), theta, v)
    call(objective.subset, data.draw(positions))


@given(st.data())
@fuzz(80)
def test_predictor(data):
    net, _ = data.draw(networks())
    binary = {"decision": "binary", "classes": ["a", "b"]}
    options = st.sampled_from([{}, {}, {"decision": "multilabel"}, binary])
    bad = st.fixed_dictionaries(
        {}, optional=dict.fromkeys(["decision", "classes", "threshold"], anything)
    )
    predictor = call(Predictor, net, net.init(0), **data.draw(one_in(3, options, bad)))
    if predictor is None:
        return
    n = data.draw(st.sampled_from([1, 2, 50, 200]))
    x = data.draw(hostile.arrays(n, net.n_features) | hostile.arrays(net.n_features))
    shapes = [(n, net.n_raw), (n,), (net.n_raw,), (n + 1, net.n_raw), ()]
    outs = [hostile.arrays(*shape) for shape in shapes]
    out = data.draw(st.none() | outs[0] | st.one_of(outs) | anything | st.just(x))
    if out is x:  # may be written on
        x = copy.deepcopy(x)
        out = x
        try:
            predictor.outputs(x, out=out)
        except REFUSALS:
            pass
        return
    if data.draw(st.booleans()):
        answer = call(predictor.predict, x, out=out)
    else:
        answer = call(predictor.outputs, x, out=out, n_threads=data.draw(st.sampled_from([1, 3])))
    if answer is not None and out is not None:
        assert answer is out
    if answer is not None and tame(x) and net.activation != "exp" and answer.dtype.kind == "f":
        assert np.isfinite(answer).all()


REAL = (
    "alpha tol learning_rate_init power_t momentum beta_1 beta_2 epsilon max_time quantile".split()
)
OTHER = (
    "hidden_layer_sizes activation solver batch_size learning_rate shuffle random_state warm_start "
    "nesterovs_momentum early_stopping validation_fraction n_iter_no_change max_fun loss init "
    "distribution class_weight standardize scoring callback n_threads"
).split()


families = st.tuples(
    st.sampled_from(list(FAMILIES)),
    st.dictionaries(st.sampled_from(["scale", "df", "parametrization"]), anything, max_size=2),
)


@st.composite
def estimators(draw):
    """An estimator of which at most two parameters are odd."""
    kind = draw(st.sampled_from([MLPClassifier, MLPRegressor, MLPDistributionRegressor]))
    parameters = {
        "hidden_layer_sizes": draw(st.sampled_from([(), (3,), (4, 2)])),
        "solver": draw(
            st.sampled_from(["adam", "sgd", "lbfgs", "lm", "newton", "newton-cg", "gd"])
        ),
        "max_iter": 2,
        "random_state": 0,
        "standardize": draw(st.booleans()),
        "early_stopping": draw(st.integers(0, 3)) == 0,
    }
    for name in draw(st.lists(st.sampled_from(REAL + OTHER), max_size=2)):
        if name in kind().get_params():
            sizes = st.lists(st.sampled_from(hostile.SIZES), max_size=2)
            bad = sizes if name == "hidden_layer_sizes" else anything
            parameters[name] = draw(bad | families if name == "distribution" else bad)
        elif kind is MLPDistributionRegressor:
            parameters["distribution"] = draw(st.sampled_from(list(FAMILIES)))
    return kind(**parameters)


@given(st.data())
@fuzz(60)
def test_estimator(data):
    model = data.draw(estimators())
    n, width = data.draw(st.sampled_from([5, 30])), 3
    kinds = [[0, 1], [0, 1, 2], [0.5, 2.0]]
    labels = hostile.arrays(n, values=data.draw(st.sampled_from(kinds)))
    for _ in range(2):
        X = data.draw(hostile.matrices(n, width))
        y = data.draw(labels | hostile.arrays(n, 2, values=[0, 1]) | hostile.matrices(n, 2))
        w = data.draw(st.none() | hostile.arrays(n, values=[0.5, 1.0]) | anything)
        before = dict(vars(model))
        validation = {}
        if data.draw(st.integers(0, 4)) == 0:
            validation = {"X_val": data.draw(hostile.matrices(n, width)), "y_val": y}
        partial = data.draw(st.integers(0, 3)) == 0
        if partial:
            fitted = call(lambda X, y, w: model.partial_fit(X, y, w), X, y, w)
        else:
            fitted = call(model.fit, X, y, w, **validation)
        if fitted is None:
            after = vars(model)
            assert before.keys() == after.keys() and all(before[k] is after[k] for k in before)
        else:
            assert all(np.isfinite(part).all() for part in (*model.coefs_, *model.intercepts_))
    X = data.draw(hostile.matrices(n, width))
    before = dict(vars(model))
    for name in ("predict", "predict_proba"):
        if name == "predict" or isinstance(model, MLPClassifier):
            call(lambda X, name=name: getattr(model, name)(X), X)
    call(model.score, X, y)
    if isinstance(model, MLPDistributionRegressor):
        for name, argument in (
            ("predict_dist", None),
            ("predict_quantiles", hostile.arrays(3, values=[0.1, 0.5]) | anything),
            ("predict_interval", anything),
        ):
            arguments = () if argument is None else (data.draw(argument),)
            call(lambda *given, name=name: getattr(model, name)(*given), X, *arguments)
        call(model.predict, X, data.draw(st.booleans()), data.draw(anything), data.draw(anything))
    if hasattr(model, "_coefs"):
        compiled = call(model.compile)
        if compiled is not None:
            call(compiled.predict, X)
            if isinstance(compiled, DistributionPredictor):
                call(compiled.predict, X, return_std=True)
                call(compiled.predict_dist, X)
    assert all(before[key] is value for key, value in vars(model).items())


@given(st.data())
@fuzz(20)
def test_check_family(data):
    family = data.draw(one_in(3, st.sampled_from(list(FAMILIES)), anything | families))
    raw = data.draw(st.none() | hostile.arrays(4, 2) | anything)
    y = data.draw(st.none() | hostile.arrays(4, values=[0.0, 1.0]) | anything)
    call(check_family, family, raw, y, data.draw(one_in(3, st.just(1e-5), anything)))


SOLVERS = [
    "GradientDescent",
    "SGD",
    "Adam",
    "AdamW",
    "LBFGS",
    "Newton",
    "LevenbergMarquardt",
    "NewtonCG",
]


@given(st.data())
@fuzz(60)
def test_minimize(data):
    net, values = data.draw(networks())
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, net.n_features)), rng.choice(values, size=(20, net.n_raw))
    X = data.draw(st.sampled_from([X, sparse.csr_matrix(X), sparse.coo_matrix(X), X.astype("f4")]))
    objective = call(net.objective, X, y)
    if objective is None:  # rows that are no distribution
        return
    solver = getattr(solvers, data.draw(st.sampled_from(SOLVERS)))()
    if parameters := sorted(solver.get_params()):
        for name in data.draw(st.lists(st.sampled_from(parameters), max_size=2)):
            solver.set_params(**{name: data.draw(anything)})
    options = {"max_iter": 2, "max_time": 0.5}
    names = ["max_iter", "tol", "n_iter_no_change", "max_fun", "random_state", "callback", "state"]
    for name in data.draw(st.lists(st.sampled_from(names), max_size=2)):
        options[name] = data.draw(anything)
    theta = data.draw(one_in(4, st.just(net.init(0)), hostile.arrays(net.n_params)))
    result = call(lambda theta: solvers.minimize(objective, theta, solver=solver, **options), theta)
    if result is not None:
        assert result.theta.shape == (net.n_params,)


class Record:
    """An object of any attributes, as ``epoch`` takes for state and hyper."""

    def __init__(self, **entries):
        vars(self).update(entries)


@given(st.data())
@fuzz(60)
def test_epoch(data):
    net, values = data.draw(networks())
    rng = np.random.default_rng(0)
    n, batch = 20, data.draw(one_in(5, st.sampled_from([1, 7, 20, 50]), anything))
    objective = call(
        net.objective,
        rng.normal(size=(n, net.n_features)),
        rng.choice(values, size=(n, net.n_raw)),
    )
    if objective is None:
        return
    size = batch if isinstance(batch, int) and 0 < batch < 2**40 else 1
    hyper = {
        "update": data.draw(st.sampled_from(["sgd", "nesterov", "adam"])),
        "batch_size": batch,
        "rates": data.draw(one_in(5, st.just(np.full(-(-n // size), 0.01)), hostile.arrays(3))),
        **{"momentum": 0.9, "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-8},
        **{"weight_decay": 0.0, "max_norm": np.inf, "rate_factors": None},
    }
    state = {
        "first": np.zeros(net.n_params, net.dtype),
        "second": np.zeros(net.n_params, net.dtype),
    }
    state["t"] = 0
    for kept in (hyper, state):
        for name in data.draw(st.lists(st.sampled_from(sorted(kept)), max_size=1)):
            kept[name] = data.draw(one_in(4, st.just(kept[name]), anything))
    theta = data.draw(one_in(5, st.just(net.init(0)), hostile.arrays(net.n_params)))
    order = data.draw(one_in(5, st.just(np.arange(n)), hostile.arrays(n, values=range(n))))

    def epoch(order):  # theta and state are meant to change
        return objective.epoch(theta, Record(**state), order, Record(**hyper))

    call(epoch, order)


@given(st.data())
@fuzz(60)
def test_states(data):
    net, _ = data.draw(networks())
    bad = anything | hostile.arrays(net.n_params) | layers | st.just([])
    state = net.__getstate__()
    state[data.draw(st.sampled_from(sorted(state)))] = data.draw(bad)
    again = Network.__new__(Network)
    call(again.__setstate__, state)
    if hasattr(again, "_layers"):
        use_network(again)
    parts = list(Predictor(net, net.init(0)).__getstate__())
    parts[data.draw(st.integers(0, 4))] = data.draw(bad | networks().map(lambda pair: pair[0]))
    predictor = Predictor.__new__(Predictor)
    call(predictor.__setstate__, tuple(parts))
    if hasattr(predictor, "_packed"):
        call(predictor.predict, np.ones((3, predictor._network.n_features)))


def use_network(net):
    if net.n_params < 10**5:
        call(net.predict, np.ones(net.n_params), np.ones((3, net.n_features)))


@pytest.fixture
def freed():
    """All that a test leaves is freed before it ends."""
    yield
    gc.collect()


# NumPy believes the flags of a pickled dtype, and complains of them when its array is freed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@given(st.data())
@fuzz(60)
def test_pickles_with_bytes_changed(freed, data):
    """Whatever pickle makes of it may fail as pickles do; what comes out must not crash."""
    net = Network([3, 4, 1], data.draw(st.sampled_from(["relu", "elu"])))
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(np.ones((5, 3)), np.arange(5.0))
        other = MLPDistributionRegressor("student_t", (4,), max_iter=1, random_state=0)
        other.fit(np.ones((5, 3)), np.arange(5.0))
    models = [net, Predictor(net, net.init(0)), model, other, other.compile()]
    given_object = data.draw(st.sampled_from(models))
    blob = bytearray(pickle.dumps(given_object, protocol=4))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.floats(0, 1, exclude_max=True))  # what is drawn must not depend
        blob[int(place * len(blob))] = data.draw(st.integers(0, 255))  # on the length, which may
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            again = pickle.loads(bytes(blob))
        except Exception:
            return
        try:
            if isinstance(again, Network):
                again.predict(np.ones(21), np.ones((2, 3)))
            elif hasattr(again, "predict"):
                again.predict(np.ones((2, 3)))
        except Exception as error:
            assert str(error)


@pytest.mark.slow
def test_many_more(request):
    """A thousand new examples of each of these, in a process of their own."""
    if EXAMPLES:
        pytest.skip("this is that process")
    import subprocess
    import sys

    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-c",
        str(request.config.inipath),
        __file__,
    ]
    run = subprocess.run(
        command, env=os.environ | {"FASTMLP_FUZZ": "1000"}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout[-5000:]
