"""Docstrings are literal, alike for what is alike, complete, and their examples run."""

import ast
import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from fastmlp import MLPClassifier, MLPRegressor, Network, network
from fastmlp.estimators import _classifier, _regressor

SCRIPT = Path(__file__).parents[1] / "docs" / "docstrings.py"
METHODS = [
    name for name, method in vars(Network).items() if name[0] != "_" and inspect.isfunction(method)
]


@pytest.mark.skipif(not SCRIPT.exists(), reason="not in a source tree")
def test_shared_descriptions_agree():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_editors_see_every_parameter(kind):
    """In the source, since editors do not run it."""
    source = Path(inspect.getfile(kind)).read_text(encoding="utf-8")
    (cls,) = (n for n in ast.parse(source).body if getattr(n, "name", "") == kind.__name__)
    literal = ast.get_docstring(cls)
    described = [line.split(" : ")[0].split(", ") for line in literal.splitlines() if " : " in line]
    names = {name for names in described for name in names}
    assert set(inspect.signature(kind).parameters) <= names


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_network_are_described(name):
    method = getattr(Network, name)
    doc = inspect.getdoc(method)
    parameters = list(inspect.signature(method).parameters)[1:]
    sections = ["Returns", "Examples", *(["Parameters", "Raises"] if parameters else [])]
    for section in sections:
        assert f"\n{section}\n{'-' * len(section)}\n" in doc, section
    for parameter in parameters:
        assert f"\n{parameter} : " in doc, parameter


@pytest.mark.parametrize("module", [network, _classifier, _regressor])
def test_examples_run(module):
    outcome = doctest.testmod(module)
    assert outcome.attempted and not outcome.failed
