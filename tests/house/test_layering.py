"""The floors of the house: imports go down only, and each door is the only one.

Reads the source tree, so it is skipped where only the installed package is there.
"""

import ast
import re
import subprocess
import sys

import pytest
from floors import PACKAGE, PAGE, ROOT, belongs_to, circles, files, imports, module_of, name, page

MAX_LINES_OF_CODE = 400

FLOORS = (  # lowest first; a module imports from its own floor and from those below
    {"_names", "_numbers", "_sizes", "_types", "_memory", "_weighted", "segments"},
    {
        "_marginal",
        "_core",
        "_limiter",
        "threads",
        "data",
        "_scales",
        "_custom",
        "_hyper",
        "_sparse",
        "_gram",
        "plan",
    },
    {"activations", "losses", "initialisation", "penalties"},
    {"distributions"},
    {"metrics"},
    {"displays"},
    {"_sweeps", "_total"},
    {"terms"},
    {"objective", "_jacobians", "_linear", "_constant", "network", "trace", "predictor"},
    {"solvers"},
    {"training"},
    {"posteriors"},
    {"estimators", "config"},
    {"tabular"},
    {"__init__"},
    {"demo", "playground"},
    {"cli"},
)
MAY_IMPORT_SKLEARN = {"estimators", "tabular", "demo", "cli"}

pytestmark = pytest.mark.skipif(not PACKAGE.exists(), reason="not in a source tree")


def test_there_is_something_to_read():
    python, cython = files(PACKAGE, ".py"), files(PACKAGE / "_core", ".pyx", ".pxd")
    assert len(python) > 10 and len(cython) > 3
    assert any(belongs_to(found, "sklearn") for path in python for found in imports(path))
    assert any("cython_blas" in path.read_text() for path in cython)


def test_sklearn_only_in_estimators_and_above():
    assert not [
        name(path)
        for path in files(PACKAGE, ".py")
        if any(belongs_to(found, "sklearn") for found in imports(path))
        and module_of(path) not in MAY_IMPORT_SKLEARN
    ]


def test_imports_go_down_only():
    floor_of = {module: floor for floor, modules in enumerate(FLOORS) for module in modules}
    upward = []
    for path in files(PACKAGE, ".py", ".pyx", ".pxd"):
        module = module_of(path)
        assert module in floor_of, f"{name(path)} has no place in FLOORS"
        for found in imports(path):
            if belongs_to(found, "fastmlp"):
                part = found.removeprefix("fastmlp").strip(".").split(".")[0]
                if floor_of.get(part, floor_of["__init__"]) > floor_of[module]:
                    upward.append((name(path), found))
    assert not upward


def test_no_room_imports_what_imports_it():
    """But threads, which C's sweeps are shared among: how many is decided above, from below."""
    assert circles() == {frozenset({"_core", "_limiter", "threads"})}


def test_the_house_is_drawn_as_it_is():
    text = PAGE.read_text()
    assert page(text) == text, "python tests/house/floors.py --write"


@pytest.mark.parametrize(
    ("room", "others"),
    [
        ("solvers", ()),
        ("distributions", ("fastmlp._custom", "qp")),
        ("metrics", ("fastmlp.distributions",)),
        (
            "displays",
            (
                "fastmlp.distributions",
                "fastmlp.metrics",
                "fastmlp.activations",
                "fastmlp._core.kernels",
                "matplotlib",
            ),
        ),
    ],
)
def test_rooms_that_know_numpy_scipy_and_each_other(room, others):
    """And names, words for what is wrong with them, the guard of memory, weighted sums."""
    allowed = {"numpy", "scipy", *sys.stdlib_module_names}
    sums = ("_weighted", "_marginal")
    words = {f"fastmlp.{name}" for name in ("_names", "_numbers", "_types", "_memory", *sums)}
    known = {f"fastmlp.{room}", *words, *others}
    sources = files(PACKAGE / room, ".py")
    assert sources
    assert not [
        (name(path), found)
        for path in sources
        for found in imports(path)
        if found.split(".")[0] not in allowed
        and not any(belongs_to(found, module) for module in known)
    ]


def doors(pattern):
    """Return the modules whose source has the pattern."""
    sources = files(PACKAGE, ".pyx", ".pxd", ".pxi", ".py")
    return {path.stem for path in sources if re.search(pattern, path.read_text())}


def test_one_door_to_blas():
    # solvers know no _core: the factors of theirs have a door of their own
    assert doors(r"\bcython_blas\b") == {"blas", "_cholesky"}


def test_one_door_to_lapack_without_the_interpreters_lock():
    assert doors(r"\bcython_lapack\b") == {"_cholesky"}


def test_one_door_to_the_kernels():
    headers = "|".join(re.escape(path.name) for path in files(ROOT / "src_c", ".h"))
    assert doors(rf'cdef extern from "({headers})"') == {"kernels"}


def test_kernels_know_no_python_no_blas_no_heap():
    forbidden = re.compile(
        r"Python\.h|\bcblas|\b(malloc|calloc|realloc|free|printf|pthread_\w+)\s*\("
    )
    sources = {path.name: path.read_text() for path in files(ROOT / "src_c", ".c", ".h")}
    programs = {name for name, text in sources.items() if "int main(" in text}
    programs |= {name for name in sources if name.startswith("check_")}  # what check.c includes
    kernels = {name: text for name, text in sources.items() if name not in programs}
    assert len(kernels) > 5
    assert not [name for name, text in kernels.items() if forbidden.search(text)]


@pytest.mark.parametrize("oracle", ["reference.py", "reference_epoch.py"])
def test_oracle_imports_numpy_alone(oracle):
    allowed = {"numpy", "reference", *sys.stdlib_module_names}
    assert {found.split(".")[0] for found in imports(ROOT / "tests" / "oracle" / oracle)} <= allowed


@pytest.mark.parametrize(
    "statement",
    [
        "import fastmlp",
        "from fastmlp import Network",
        "from fastmlp import Network; Network([2, 3, 1]).init(random_state=0)",
        "import fastmlp.solvers",
        "import fastmlp.training",
        "import fastmlp; fastmlp.fit_curve, fastmlp.solvers.Adam(), fastmlp.losses.NAMES",
        "import fastmlp; above = {'estimators', 'tabular'}; "
        "[getattr(fastmlp, name) for name in set(fastmlp._MODULES) - above]",
        "import fastmlp; fastmlp.show_config()",
    ],
)
def test_sklearn_is_not_imported_before_it_is_needed(statement):
    script = f"{statement}; import sys; assert 'sklearn' not in sys.modules"
    command = [sys.executable, "-P", "-c", script]  # -P: not the unbuilt folder beside us
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


def test_predictions_of_numbers_import_no_distributions():
    script = (
        "import sys, fastmlp.predictor as p; p.Predictor; assert not {MODULES} & {*sys.modules}"
    )
    script = script.replace("{MODULES}", "{'fastmlp.distributions', 'scipy.special'}")
    command = [sys.executable, "-P", "-c", script + "; p.DistributionPredictor"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr


def lines_of_code(path):
    """Count the lines that are neither empty nor comment nor, in Python, docstring."""
    marks = ("//", "/*", "*") if path.suffix in {".c", ".h", ".def"} else ("#",)
    lines = [line.strip() for line in path.read_text().splitlines()]
    for node in ast.walk(ast.parse(path.read_text())) if path.suffix == ".py" else ():
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            doc = node.body[0]
            lines[doc.lineno - 1 : doc.end_lineno] = [""] * (doc.end_lineno - doc.lineno + 1)
    return sum(bool(line) and not line.startswith(marks) for line in lines)


def test_no_file_is_long():
    python = files(PACKAGE, ".py", ".pyx", ".pxd", ".pxi")
    c = files(PACKAGE, ".h") + files(ROOT / "src_c", ".c", ".h", ".def")
    long = {path.name: n for path in python + c if (n := lines_of_code(path)) > MAX_LINES_OF_CODE}
    assert not long
