"""Docstrings are literal, alike for what is alike, complete, and their examples run."""

import ast
import doctest
import inspect
import re
import subprocess
import sys
from enum import Enum
from pathlib import Path

import numpy as np
import pytest

import fastmlp
import fastmlp.config
import fastmlp.displays
import fastmlp.distributions
import fastmlp.losses
import fastmlp.metrics
import fastmlp.posteriors
import fastmlp.predictor
import fastmlp.solvers
import fastmlp.tabular
import fastmlp.trace
from fastmlp import (
    BayesianMLPClassifier,
    BayesianMLPRegressor,
    MLPClassifier,
    MLPDistributionRegressor,
    MLPRegressor,
)

ESTIMATORS = [MLPClassifier, MLPRegressor, MLPDistributionRegressor]
ESTIMATORS += [BayesianMLPRegressor, BayesianMLPClassifier]
SCRIPT = Path(__file__).parents[2] / "docs" / "docstrings.py"
NAMES = "config displays distributions losses metrics network predictor solvers trace"
MODULES = {name: getattr(fastmlp, name) for name in NAMES.split()}


def public():
    """Every public class and function, and their public methods, by name."""
    doors = [(fastmlp, fastmlp.__all__), (fastmlp.solvers, fastmlp.solvers.__all__)]
    doors += [(fastmlp.losses, ["check_grad"]), (fastmlp.config, ["get_config"])]
    doors += [
        (fastmlp.predictor, ["DistributionPredictor", "Predictor"]),
        (fastmlp.trace, ["Trace"]),
    ]
    doors += [(fastmlp.posteriors, ["Laplace"])]
    rooms = (fastmlp.distributions, fastmlp.metrics, fastmlp.displays)
    doors += [(room, room.__all__) for room in rooms]
    found = {}
    for module, names in doors:
        for name in names:
            thing = getattr(module, name)
            if not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue
            found[name] = thing
            for key in dir(thing) if inspect.isclass(thing) else ():
                method = getattr(thing, key)
                ours = str(getattr(method, "__module__", "")).startswith("fastmlp")
                known = method in found.values()  # of a class that both derive from
                if ours and not (known or key.startswith("_")) and inspect.isfunction(method):
                    found[f"{name}.{key}"] = method
    return found


PUBLIC = {
    name: thing
    for name, thing in public().items()
    # What ``minimize`` calls, and what the loop calls on a record.
    if not name.endswith((".run", "Record.close"))
    # What a method of a base has described.
    and not (inspect.getdoc(thing) or "").startswith("As :meth:`Posterior.")
}
WITHOUT = {name: ["Raises"] for name in PUBLIC if name.endswith(".get_params")}
# skl2onnx's business.
WITHOUT |= {name: ["Examples"] for name in PUBLIC if name.endswith(".onnx_shape_calculator")}


@pytest.mark.skipif(not SCRIPT.exists(), reason="not in a source tree")
def test_shared_descriptions_agree():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_editors_see_every_parameter(kind):
    """In the source, since editors do not run it."""
    source = Path(inspect.getfile(kind)).read_text(encoding="utf-8")
    (cls,) = (n for n in ast.parse(source).body if getattr(n, "name", "") == kind.__name__)
    literal = ast.get_docstring(cls)
    described = [line.split(" : ")[0].split(", ") for line in literal.splitlines() if " : " in line]
    names = {name for names in described for name in names}
    assert set(inspect.signature(kind).parameters) <= names


def has(doc, section):
    return f"\n{section}\n{'-' * len(section)}\n" in f"\n{doc}\n"


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_public_is_described(name):
    """A class by what it is made of, a call by what it takes, returns and raises; with examples."""
    thing = PUBLIC[name]
    doc = inspect.getdoc(thing)
    signature = inspect.signature(thing)
    is_class = inspect.isclass(thing)
    parameters = [key for key in signature.parameters if key != "self"]
    if is_class and issubclass(thing, Enum):
        parameters = []
    sections = ["Examples"]
    if parameters and not is_class:
        sections += ["Parameters", "Raises"]
    if not is_class and signature.return_annotation not in (None, "None"):
        sections += ["Returns"]
    missing = [s for s in sections if s not in WITHOUT.get(name, ()) and not has(doc, s)]
    assert not missing
    described = re.findall(r"^(\*{0,2}\w[\w, ]*?)(?: : .*)?$", doc, re.MULTILINE)
    words = {word.strip("* ") for row in described for word in row.split(",")}
    assert not set(parameters) - words


def with_defaults():
    """All that is public, and what posteriors and tables add."""
    found = list(PUBLIC.values())
    for room in (fastmlp.posteriors, fastmlp.tabular):
        for thing in filter(inspect.isclass, map(room.__dict__.get, room.__all__)):
            found += [
                thing,
                *(method for _, method in inspect.getmembers(thing, inspect.isfunction)),
            ]
    return [thing for thing in found if thing.__module__.startswith("fastmlp")]


def described(thing):
    """Each parameter of a docstring's section, and its line."""
    doc = inspect.getdoc(thing) or ""
    start = re.search(r"^Parameters\n-+\n", doc, re.MULTILINE)
    section = (
        re.split(r"^-+$", doc[start.end() :], maxsplit=1, flags=re.MULTILINE)[0] if start else ""
    )
    for names, line in re.findall(r"^(\w[\w, ]*) : (.*)$", section, re.MULTILINE):
        for position, name in enumerate(names.split(", ")):
            yield name, line, position


def test_defaults_are_said_as_they_are():
    wrong = []
    for thing in with_defaults():
        parameters = inspect.signature(thing).parameters
        for name, line, position in described(thing):
            default = parameters[name].default
            said = re.search(r"default=(.+)$", line)
            if said is None:
                fine = default is (None if "optional" in line else inspect.Parameter.empty)
            else:
                value = eval(said[1], {"numpy": np, "inf": np.inf})
                several = isinstance(value, tuple) and not isinstance(default, tuple)
                fine = default == (value[position] if several else value)
            if not fine:
                wrong.append((thing.__qualname__, name, line, default))
    assert not wrong


@pytest.mark.parametrize("name", [*PUBLIC, *map("module {}".format, MODULES)])
def test_examples_run(name, capsys):
    thing = MODULES[name.split()[1]] if name.startswith("module ") else PUBLIC[name]
    text = inspect.getdoc(thing)
    if "fastmlp.displays" in text:
        pytest.importorskip("matplotlib").use("Agg")
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    outcome = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example)
    assert not outcome.failed, capsys.readouterr().out


def test_properties_say_what_they_are():
    classes = {type_ for type_ in PUBLIC.values() if inspect.isclass(type_)}
    assert not [
        f"{cls.__name__}.{name}"
        for cls in classes
        for name in dir(cls)
        if not name.startswith("_")
        and isinstance(value := inspect.getattr_static(cls, name), property)
        and value.fget.__module__.startswith("fastmlp")
        and not inspect.getdoc(value)
    ]
