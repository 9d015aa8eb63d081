"""The pages of docs/ whose blocks run print what they say."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastmlp.playground

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["slides.md"]
STARTS = sorted(path.name for path in DOCS.glob("start_*.md"))

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="not in a source tree")


def run(page, *options):
    command = [
        sys.executable,
        "-P",
        "-W",
        "error",
        str(DOCS / "run_blocks.py"),
        str(page),
        *options,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("page", PAGES)
def test_page_prints_what_it_says(page):
    done = run(DOCS / page, "--check")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", STARTS)
def test_the_blocks_of_a_start_page_run(page, tmp_path):
    assert "```python" in (DOCS / page).read_text(encoding="utf-8")
    shutil.copy(DOCS / page, tmp_path)
    done = run(tmp_path / page)
    assert done.returncode == 0, done.stderr


def test_a_wrong_number_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 / 3)\n```\n\n```\n0.339\n```\n\nText.\n")
    done = run(page, "--check")
    assert done.returncode == 1 and "line 2: the block prints\n0.333" in done.stderr
    assert run(page).returncode == 0
    assert page.read_text().endswith("```\n0.3333333333333333\n```\n\nText.\n")
    assert run(page, "--check").returncode == 0


@pytest.mark.parametrize("page", PAGES)
def test_no_block_is_left_without_its_output(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = text.split("```python\n")[1:]
    assert len(blocks) > 10
    for block in blocks:
        code, after = block.split("```\n", 1)
        assert "print(" not in code or after.startswith("\n```\n"), code


def test_each_topic_of_the_lecture_has_its_place():
    """The table names sections, recipes of the playground and scripts that there are."""
    text = (DOCS / "slides.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .+ \| \[.+\]\(#.+\) \| .+ \|.*\|$", text, re.MULTILINE)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
    assert [re.search(r"\(#(.+?)\)", row)[1] for row in rows] == anchors and len(anchors) == 14
    page = Path(fastmlp.playground.__file__).parent / "static"
    known = re.findall(r'^  \["(.+?)",', (page / "recipes.js").read_text(), re.MULTILINE)
    recipes = [name for row in rows for name in re.findall(r"\*(.+?)\*", row)]
    assert len(recipes) > 9 and set(recipes) <= set(known)
    controls = (page / "index.html").read_text(encoding="utf-8")
    assert "Loss, as a likelihood" in controls and "Loss surface" in controls
    for script in re.findall(r"`(\w+\.py)`", "".join(rows)):
        assert (DOCS.parent / "examples" / script).exists(), script
