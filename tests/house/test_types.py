"""What type checkers and editors are told is what the code knows."""

import re
import subprocess
import sys
import typing
from importlib import resources, util

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPDistributionRegressor, MLPRegressor, Network, _types
from fastmlp._core import kernels
from fastmlp.activations import HIDDEN_NAMES, OUTPUT_NAMES
from fastmlp.distributions._families import FAMILIES
from fastmlp.initialisation import NAMES as INITS
from fastmlp.losses import NAMES as LOSSES
from fastmlp.solvers import SOLVERS, LevenbergMarquardt
from fastmlp.solvers._differences import STEPS
from fastmlp.solvers._newton_cg import CURVATURES

KINDS = [MLPClassifier, MLPRegressor, MLPDistributionRegressor]

pytestmark = pytest.mark.filterwarnings("ignore:The scale has collapsed")


@pytest.mark.parametrize(
    ("literal", "known"),
    [
        (_types.Activation, HIDDEN_NAMES),
        (_types.OutputActivation, OUTPUT_NAMES),
        (_types.Loss, LOSSES),
        (_types.Distribution, FAMILIES),
        (_types.Solver, SOLVERS),
        (_types.Init, INITS),
        (_types.Curvature, CURVATURES),
        (_types.Differences, STEPS),
    ],
)
def test_literals_are_the_names_of_the_tables(literal, known):
    names = typing.get_args(literal)
    assert set(names) == set(known) and len(names) == len(set(names))


def test_every_loss_of_a_regressor_is_a_type():
    predicting = {name for name, row in kernels.LOSSES.items() if row["domain"] != "NONE"}
    assert set(typing.get_args(_types.RegressorLoss)) == predicting - {"log_loss", "perceptron"}
    assert set(typing.get_args(_types.DistributionLoss)) == set(kernels.LOSSES) - predicting


def test_the_package_says_that_it_is_typed():
    assert resources.files("fastmlp").joinpath("py.typed").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_names_in_signatures_are_literals(kind):
    hints = typing.get_type_hints(kind.__init__)
    trained_by = kind._trained_by
    for name in (
        "activation",
        "solver",
        "learning_rate",
        trained_by,
        "init",
        "batch_size",
        "verbose",
    ):
        assert "Literal[" in str(hints[name]), name
        assert str not in typing.get_args(hints[name]), name


@pytest.mark.parametrize("name", ["activation", "output_activation", "loss"])
def test_names_in_the_signature_of_network_are_literals(name):
    assert "Literal[" in str(typing.get_type_hints(Network.__init__)[name])


def fitted(kind):
    """Estimators that, together, have every attribute that a fit can give."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"a": np.linspace(-1, 1, 30), "b": np.linspace(0, 3, 30) ** 2})
    y = np.arange(30) % 2
    return [
        kind(hidden_layer_sizes=(3,), max_iter=3, random_state=0, **more).fit(X, y)
        for more in (
            {},
            {"early_stopping": True, "standardize": True},
            {"n_starts": 2, "solver": "lbfgs"},
            {"solver": LevenbergMarquardt(evidence=kind is MLPRegressor), "alpha": 0.0},
        )
    ]


def documented(kind):
    section = kind.__doc__.partition("    Attributes\n    ----------\n")[2]
    section = section.partition("    See Also\n")[0]
    rows = re.findall(r"^    (\w[\w, ]*) : ", section, re.MULTILINE)
    return {name for row in rows for name in row.split(", ")}


def annotated(kind):
    """Fitted attributes with a type: annotations of the classes, and properties' answers."""
    found = set()
    for cls in kind.__mro__:
        if cls.__module__.startswith("fastmlp"):
            found |= set(vars(cls).get("__annotations__", ()))
            for name, value in vars(cls).items():
                if isinstance(value, property) and "return" in value.fget.__annotations__:
                    found.add(name)
    return {name for name in found if name.endswith("_") and not name.startswith("_")}


@pytest.mark.parametrize("kind", KINDS)
def test_fitted_attributes_are_annotated_and_documented(kind):
    models = fitted(kind)
    there = {
        name
        for model in models
        for name in dir(model)
        if name.endswith("_") and not name.startswith("_") and hasattr(model, name)
    }
    assert there == documented(kind) == annotated(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_fitted_attributes_have_the_types_that_are_declared(kind):
    hints = {}
    for cls in reversed(kind.__mro__):
        if cls.__module__.startswith("fastmlp"):
            space = vars(sys.modules[cls.__module__])
            for name, words in vars(cls).get("__annotations__", {}).items():
                if name.endswith("_"):
                    hints[name] = eval(words, {**space})
    assert len(hints) >= 20
    for model in fitted(kind):
        for name, hint in hints.items():
            value = getattr(model, name)
            allowed = typing.get_args(hint) if "|" in str(hint) else (hint,)
            assert isinstance(value, tuple(typing.get_origin(a) or a for a in allowed)), name


@pytest.mark.parametrize("kind", KINDS)
def test_diagrams_do_not_link_to_other_peoples_pages(kind):
    model = kind(hidden_layer_sizes=(3,))
    assert model._get_doc_link() == ""
    assert "https://scikit-learn.org" not in model._repr_html_()
    page = make_pipeline(StandardScaler(), model)._repr_html_()
    assert kind.__name__ in page
    assert not re.findall(rf"https://scikit-learn\.org[^\"']*{kind.__name__}", page)
    assert not re.findall(r"https?://[^\"' ]*fastmlp", page)


def test_diagrams_of_subclasses_do_not_link_either():
    own = type("Own", (MLPClassifier,), {"__module__": "sklearn.neural_network"})
    assert own()._get_doc_link() == ""


RIGHT = """
from typing import Any
import numpy as np
from fastmlp import MLPClassifier, MLPRegressor, Network
from fastmlp.solvers import SGD, Adam, AdamW, LevenbergMarquardt, Newton, NewtonCG, minimize

def log_cosh(raw: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    error = raw[:, 0] - y
    return np.log(np.cosh(error)), np.tanh(error)[:, None]

class Own:
    def value_grad(self, raw: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return log_cosh(raw, y)

model = MLPClassifier((10,), "tanh", solver="newton-cg", learning_rate="adaptive", init="he")
MLPClassifier(verbose="bar", batch_size="auto", class_weight="balanced", loss="perceptron")
MLPRegressor(("huber", {"epsilon": 2.0}), activation=["relu", ("elu", {"alpha": 0.5})])
MLPRegressor(log_cosh, solver=Adam(learning_rate="cosine"), init=([], []))
MLPRegressor(Own(), solver=LevenbergMarquardt(scaling="marquardt"))
net = Network((2, 1), [("leaky_relu", {"eps": 0.2})], "logistic", loss=log_cosh)
theta = net.init(0, "nguyen-widrow")
minimize(lambda t: (float(t @ t), 2 * t), theta, solver="gd", verbose=True)
Newton(modification="saddle-free", line_search=None)
NewtonCG("hessian")
SGD(learning_rate="cosine")
AdamW(learning_rate="coslog")
loss: float = model.fit([[0.0]], [1]).loss_curve_[-1]
weights: np.ndarray = model.coefs_[0]
status: str = model.status_
"""
WRONG = """
from fastmlp import MLPClassifier, MLPRegressor, Network
from fastmlp.solvers import SGD, Adam, LevenbergMarquardt, Newton, NewtonCG, minimize
MLPClassifier(activation="sigmoid")
MLPClassifier(solver="adams")
MLPClassifier(loss="hinge")
MLPClassifier(learning_rate="cosine")
MLPClassifier(init="xavier")
MLPRegressor(loss="mse")
MLPRegressor(activation=["relu", "swish"])
MLPRegressor(batch_size="all")
MLPRegressor(verbose="tqdm")
Network([2, 1], "softmax")
Network([2, 1], loss="mse")
Network([2, 1], output_activation="sigmoid")
Network([2, 1]).init(0, "xavier")
minimize(None, [0.0], solver="bfgs")
LevenbergMarquardt(scaling="levenberg")
Newton(modification="radius")
NewtonCG(curvature="fisher")
SGD(learning_rate="step")
Adam(learning_rate="adaptive")
iterations: str = MLPRegressor().n_iter_
"""


@pytest.mark.slow
@pytest.mark.skipif(util.find_spec("mypy") is None, reason="mypy is not installed")
def test_a_type_checker_finds_wrong_names_and_no_others(tmp_path):
    lines = {}
    for name, text in (("right.py", RIGHT), ("wrong.py", WRONG)):
        (tmp_path / name).write_text(text)
        run = subprocess.run(
            [sys.executable, "-m", "mypy", "--follow-imports=silent", "--check-untyped-defs", name],
            cwd=tmp_path,
            env={"MYPYPATH": str(resources.files("fastmlp").parent), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        lines[name] = [int(n) for n in re.findall(rf"{name}:(\d+): error", run.stdout)]
        assert "found" not in run.stderr and run.returncode in (0, 1), run.stderr
    assert lines["right.py"] == []
    rows = WRONG.splitlines()
    expected = [k + 1 for k, row in enumerate(rows) if row and not row.startswith("from")]
    assert lines["wrong.py"] == expected
