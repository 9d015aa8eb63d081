"""The examples as sphinx-gallery wants them: titled, run, with the figures that they write."""

import ast
import re
import shutil
from pathlib import Path

from sphinx_gallery.scrapers import figure_rst

DOCS = Path(__file__).parent
EXAMPLES = DOCS.parent / "examples"
SOURCE = DOCS / "gallery_source"
# Those that take too long to run for every build, with their pictures of docs/img (made by
# `python examples/NAME.py --out docs/img`), and one that needs another project.
NOT_RUN = {
    "plot_solvers.py": ["solvers_race.png", "solvers_paths.png"],
    "universal_approximation.py": ["universal_approximation.png"],
    "scoringbench_wrapper.py": [],
}


def collect() -> None:
    """Write the gallery's sources."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    SOURCE.mkdir()
    (SOURCE / "GALLERY_HEADER.rst").write_text(
        "Examples\n========\n\nScripts of the folder ``examples``, each of which runs as a test.\n"
    )
    for path in sorted(EXAMPLES.glob("*.py")):
        (SOURCE / path.name).write_text(_titled(path))


def _titled(path: Path) -> str:
    """An example whose docstring begins with a title, as the gallery wants it."""
    source = path.read_text()
    text = ast.get_docstring(ast.parse(source), clean=False)
    title = re.split(r"[.:;](\s|$)", text.strip(), maxsplit=1)[0].replace("\n", " ")
    rest = source[source.index(text) + len(text) :]
    words = text.strip().replace("\\", "\\\\")
    pictures = NOT_RUN.get(path.name, [])
    shown = "".join(f"\n\n.. image:: /img/{name}\n   :alt: {title}" for name in pictures)
    end = f"\n# sphinx_gallery_thumbnail_path = 'img/{pictures[0]}'\n" if pictures else ""
    return f'"""{title}\n{"=" * len(title)}\n\n{words}{shown}\n{rest}{end}'


def _folder(script) -> Path:
    return SOURCE / "drawn" / Path(script).stem


def arguments(gallery_conf, script_vars) -> list[str]:
    """What an example is called with: a folder for its pictures, where it draws any."""
    script = Path(script_vars["src_file"])
    draws = '"--out"' in script.read_text()
    quick = ["--quick"] if '"--quick"' in script.read_text() else []
    return [*quick, "--out", str(_folder(script))] if draws else []


def pictures(block, block_vars, gallery_conf) -> str:
    """What the example has drawn, brought to the gallery."""
    drawn = sorted(_folder(block_vars["src_file"]).glob("*.png"))
    places = [next(block_vars["image_path_iterator"]) for _ in drawn]
    for picture, place in zip(drawn, places, strict=True):
        shutil.move(picture, place)
    return figure_rst(places, gallery_conf["src_dir"]) if places else ""


def order(name) -> tuple[bool, str]:
    """Those with a picture first."""
    return '"--out"' not in (SOURCE / name).read_text(), name


CONF = {
    "examples_dirs": "gallery_source",
    "gallery_dirs": "examples",
    "filename_pattern": "/(?!" + "|".join(map(re.escape, NOT_RUN)) + r")\w+\.py$",
    "image_scrapers": ("gallery.pictures",),
    "reset_argv": "gallery.arguments",
    "within_subsection_order": "gallery.order",
    "parallel": 2,
    "show_memory": False,
    "remove_config_comments": True,
    "download_all_examples": False,
    "abort_on_example_error": True,
}
