"""What CONTRIBUTING.md says of adding a loss, an activation or an update is what the sources say.

A name counts where code has it: in C and Cython as a word of its own or between underscores, in
Python as a string; comments and docstrings do not.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
# What C has under these names is a function of its own, or no work, or fused, or sees whole rows.
APART = {"identity", "exp", "tanh", "logistic", "relu", "softmax"}
KINDS = {  # the entry's first words: table, macro of its rows, rows that are like no new one
    "An activation.": ("activations.def", "ACTIVATION", APART),
    "A loss.": ("losses.def", "LOSS", {"beta"}),  # also a number of Adam's and of BLAS's
    "An optimiser update.": ("updates.def", "UPDATE", set()),
}

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="not in a source tree")


def names_in(path):
    """The words of a source that could be a row's name."""
    text = path.read_text()
    if path.suffix == ".py":
        return {
            node.value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
    text = re.sub(r'/\*.*?\*/|//[^\n]*|""".*?"""', " ", text, flags=re.DOTALL)
    if path.suffix in {".pyx", ".pxd"}:
        text = re.sub(r"#[^\n]*", " ", text)
    return set(re.findall(r"\w+", text))


@pytest.fixture(scope="module")
def sources():
    suffixes = {".py", ".pyx", ".pxd", ".c", ".h", ".def"}
    found = [*(ROOT / "fastmlp").rglob("*"), *(ROOT / "src_c").iterdir()]
    made = set((ROOT / "fastmlp").rglob("*.c"))  # by Cython
    return {
        path.relative_to(ROOT).as_posix(): names_in(path)
        for path in found
        if path.suffix in suffixes and path not in made
    }


def files_with(name, sources):
    """Where a name stands alone (Python), or as a part of an identifier (C, Cython)."""
    part = re.compile(rf"(?:^|.*_){name}(?:_.*|$)")
    return {
        path
        for path, words in sources.items()
        if (name in words if path.endswith(".py") else any(map(part.fullmatch, words)))
    }


def entry(first_words):
    """The sources that an entry of "How to add ..." names: what a new row touches, and the rest."""
    (text,) = re.findall(
        rf"^\*\*{re.escape(first_words)}\*\*.*?(?=^\*\*|\Z)", PAGE.read_text(), re.M | re.DOTALL
    )
    always, _, sometimes = text.partition("Some also stand in")
    return tuple(
        {
            path
            for path in re.findall(r"`([\w./]+)`", part)
            if path.startswith(("fastmlp/", "src_c/"))
        }
        for part in (always, sometimes)
    )


@pytest.mark.parametrize("first_words", KINDS)
def test_a_new_row_touches_what_the_page_says(first_words, sources):
    table, macro, apart = KINDS[first_words]
    rows = re.findall(rf"^{macro}\((\w+)", (ROOT / "src_c" / table).read_text(), re.M)
    rows = [name for name in rows if name not in apart]
    assert len(rows) >= 3
    found = {name: files_with(name, sources) for name in rows}
    always, sometimes = entry(first_words)
    assert not always & sometimes
    assert set.intersection(*found.values()) <= always  # where each of them has to be
    assert set.union(*found.values()) == always | sometimes


def test_names_are_found_in_code_alone(tmp_path):
    for name, text in {
        "a.py": '"""mish"""\nx = "mish"  # gelu\ny = gelu\n',
        "a.h": "/* gelu */ static vec slope_mish(vec z); // gelu\n",
        "a.pyx": '"""gelu"""\nif k == FM_mish:  # gelu\n',
    }.items():
        (tmp_path / name).write_text(text)
    sources = {path.name: names_in(path) for path in tmp_path.iterdir()}
    assert files_with("mish", sources) == {"a.py", "a.h", "a.pyx"}
    assert not files_with("gelu", sources)
