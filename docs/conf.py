"""Sphinx: `sphinx-build -W docs build/site` makes the site. Needs ``fastmlp[docs]``."""

import os
import sys
from importlib import import_module, metadata
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the examples, as in their tests
DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import gallery  # noqa: E402

project = "fastmlp"
author = "The fastmlp developers"
copyright = author
release = version = metadata.version("fastmlp")
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["gallery_source", "**/README.md"]
nitpicky = False
html_theme = "pydata_sphinx_theme"
html_title = "fastmlp"
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"*": []}  # pages beside the first; examples and names have a list
html_context = {"default_mode": "auto"}
myst_heading_anchors = 3
highlight_language = "none"  # of blocks that name none: what code prints
autosummary_generate = True
autodoc_typehints = "none"
# Methods in full, those of fastmlp's own base classes, too.
autodoc_default_options = {
    "members": True,
    "inherited-members": (
        "BaseEstimator, RegressorMixin, ClassifierMixin, TransformerMixin, CallbackSupportMixin, "
        "FittedWeights, Mapping, dict, list, tuple, str, Enum, BaseException"
    ),
    "member-order": "bysource",
}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
# Links to other projects' pages need their inventories, which are fetched only on request.
if os.environ.get("FASTMLP_DOCS_ONLINE"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }


# title -> module: the reference has all of their public names
REFERENCE = {
    "Estimators, the network": "fastmlp",
    "Tables": "fastmlp.tabular",
    "Solvers": "fastmlp.solvers",
    "Distributions": "fastmlp.distributions",
    "Posteriors": "fastmlp.posteriors",
    "Metrics": "fastmlp.metrics",
    "Displays": "fastmlp.displays",
    "Playground": "fastmlp.playground",
}
ALSO = {
    "Beneath": [
        "fastmlp.objective.Objective",
        "fastmlp.terms.Total",
        "fastmlp.penalties.L2",
        "fastmlp.plan.Plan",
        "fastmlp.segments.Segment",
        "fastmlp.trace.Trace",
        "fastmlp.losses.check_grad",
    ]
}


def _write_reference() -> None:
    """All public names, a page each; constants are named in their module's page."""
    sections = dict(ALSO)
    at_home = set(import_module("fastmlp").__all__)
    for title, module in REFERENCE.items():
        home = import_module(module)
        callables = [
            name
            for name in home.__all__
            if callable(getattr(home, name)) and (module == "fastmlp" or name not in at_home)
        ]
        sections[title] = [f"{module}.{name}" for name in callables]
    # scikit-learn's inherited docstrings refer to its user guide by these labels
    labels = [".. _accuracy_score:", ".. _r2_score:", ""]
    lines = [*labels, "API reference", "=============", ""]
    for title in [*REFERENCE, *ALSO]:
        lines += [title, "-" * len(title), "", ".. autosummary::", "   :toctree: generated/"]
        lines += ["   :nosignatures:", "", *(f"   {name}" for name in sections[title]), ""]
    text = "\n".join(lines)
    page = DOCS / "api.rst"
    if not page.exists() or page.read_text() != text:
        page.write_text(text)


gallery.collect()
_write_reference()
sphinx_gallery_conf = gallery.CONF


def _is_inherited_from_others(app, what, name, member, skip, options):
    module = getattr(member, "__module__", None)
    return True if module and not module.startswith("fastmlp") else None


def setup(app):
    """Called by Sphinx: leave out what scikit-learn documents itself."""
    app.connect("autodoc-skip-member", _is_inherited_from_others)
