"""What is known of a loss stands in its row of losses.def: no code asks for a loss by its name."""

import ast
import re
from pathlib import Path

import pytest

from fastmlp.losses import NAMES

ROOT = Path(__file__).parents[2]
PACKAGE, KERNELS = ROOT / "fastmlp", ROOT / "src_c"
# The literal types, what others call these losses, those that scikit-learn's MLP has, those that
# the playground offers, in words, and the recipes for tables.
RECIPES = "tabular/_portfolio.py"
LISTS = {"_types.py", "_names.py", "estimators/_interop.py", "playground/_settings.py", RECIPES}
# Rooms that know no losses, and other things of the same names.
ELSEWHERE = {"distributions", "metrics", "posteriors", "demo.py"}

pytestmark = pytest.mark.skipif(not KERNELS.exists(), reason="not in a source tree")


def compared_names(path):
    """Names of losses in the code of a file, but for defaults, docstrings and annotations."""
    tree = ast.parse(path.read_text())
    spared = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            of_arguments = [*node.args.defaults, *node.args.kw_defaults]
            given = [part for part in of_arguments if part is not None]
            spared.update(id(inner) for part in given for inner in ast.walk(part))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in NAMES and id(node) not in spared
    }


def test_python_asks_the_rows():
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        names = compared_names(path)
        if name.startswith("estimators/"):
            names -= {"quantile", "quantiles"}  # also parameters
        if names and name not in LISTS and name.split("/")[0] not in ELSEWHERE:
            found[name] = names
    assert not found


def test_kernels_switch_by_the_rows():
    """FM_LOSS_NAME is written out for checks alone."""
    for path in sorted(KERNELS.glob("*")):
        if path.suffix in (".h", ".c") and not path.name.startswith("check"):
            assert not re.findall(r"FM_LOSS_[a-z]\w*", path.read_text()), path.name
