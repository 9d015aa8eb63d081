"""The estimators' docstrings are literal, for editors; what they share is written once.

``python docs/docstrings.py`` copies the parameters and attributes that a class has in common with
another, its source, from the source's docstring into its own; ``--check`` only says whether they
differ.
"""

import argparse
import ast
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "fastmlp" / "estimators"
MLP = ("_classifier.py", "MLPClassifier")
BAYESIAN = ("_bayesian/_regressor.py", "BayesianMLPRegressor")
COPIES = {  # class -> its source, and what it says in its own words
    ("_regressor.py", "MLPRegressor"): (MLP, {"loss"}),
    ("_distribution.py", "MLPDistributionRegressor"): (
        MLP,
        {
            "solver",
            "early_stopping",
            "validation_fraction",
            "standardize",
            "scoring",
            "coefs_, intercepts_",
            "network_",
            "n_outputs_",
        },
    ),
    ("_bayesian/_classifier.py", "BayesianMLPClassifier"): (
        BAYESIAN,
        {"hidden_layer_sizes", "solver", "network_", "log_marginal_likelihood_"},
    ),
}
ENTRY = re.compile(r"^    (\w[\w, ]*) : ", re.MULTILINE)


def docstring(file, name):
    """Where the docstring's lines are in the file, and the class's docstring as it stands there."""
    text = (FOLDER / file).read_text(encoding="utf-8")
    (cls,) = (n for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name == name)
    lines = text.splitlines(keepends=True)
    first, last = cls.body[0].lineno - 1, cls.body[0].end_lineno
    return lines[:first], "".join(lines[first:last]), lines[last:]


def entries(doc):
    """Name of each parameter or attribute -> its text, up to the next entry or section."""
    found = {}
    for match in ENTRY.finditer(doc):
        end = re.compile(r"^(?=    \S)|^(?=\n    \S+( \S+)?\n    -)", re.MULTILINE).search(
            doc, match.end()
        )
        found[match[1]] = doc[match.start() : end.start()]
    return found


def rewritten(file, name, source, own):
    """The file with the shared entries as the source has them."""
    source = entries(docstring(*source)[1])
    before, doc, after = docstring(file, name)
    for key, text in entries(doc).items():
        if key in source and key not in own:
            doc = doc.replace(text, source[key])
    return "".join([*before, doc, *after])


def main():
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if outdated")
    check = parser.parse_args().check
    for (file, name), (source, own) in COPIES.items():
        path, text = FOLDER / file, rewritten(file, name, source, own)
        if text != path.read_text(encoding="utf-8"):
            if check:
                sys.exit(f"{name} describes shared parameters otherwise: python docs/docstrings.py")
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
