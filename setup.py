"""Build table: one static library of C kernels per instruction set, one extension per .pyx.

``FASTMLP_SANITIZE=address,undefined`` builds both with the compiler's sanitizers; ``.ci/sanitize``
shows how such a build is run.
"""

import gzip
import json
import os
import platform
import re
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import numpy
from Cython.Build import cythonize
from Cython.Build.Dependencies import create_dependency_tree
from Cython.Compiler.Main import CompilationOptions, Context
from setuptools import Extension, setup
from setuptools.command.build_clib import build_clib
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.modified import newer_group

if sys.maxsize < 2**32:
    sys.exit("fastmlp needs a 64-bit Python.")

SANITIZE = os.environ.get("FASTMLP_SANITIZE")
SANITIZER_FLAGS = [f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all"] if SANITIZE else []
COMMON_FLAGS = ["-O1", "-g1", "-fno-omit-frame-pointer"] if SANITIZE else ["-O3", "-g0"]
COMMON_FLAGS += SANITIZER_FLAGS


def rows(table, name):
    """The arguments of each row of src_c/`table`, as text."""
    text = Path("src_c", table).read_text(encoding="utf-8")
    return re.findall(rf"^{name}\((.*?)\)$", text, re.DOTALL | re.MULTILINE)


def isas():
    """The flags of each instruction set that this machine's compiler knows."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    for row in rows("isas.def", "ISA"):
        name, features, flags = row.split(",")
        if x86 or not features.strip():
            needed = [f"-m{feature}" for feature in re.findall(r"X86\((\w+)\)", features)]
            yield name, needed + flags.split()


def door():
    """The Cython of kernels.def: structs of pointers, and functions fused over `real`."""
    kernels = [re.split(r",\s*", row) for row in rows("kernels.def", "KERNEL")]
    yield 'cdef extern from "fastmlp.h" nogil:'
    for suffix, real in ("f", "float"), ("d", "double"):
        yield f"    ctypedef struct fm_kernels_{suffix}:"
        for returns, name, *args in kernels:
            typed = re.sub(r"\breal\b", real, ", ".join(args))
            yield f"        {returns} (*{name})({typed}) noexcept nogil"
    for returns, name, *args in kernels:
        if "real" in " ".join(args):
            call = f"{name}({', '.join(re.split('[ *]', arg)[-1] for arg in args)})"
            give = "" if returns == "void" else "return "
            yield f"cdef inline {returns} {name}({', '.join(args)}) noexcept nogil:"
            yield f"    if real is float: {give}table.f.{call}"
            yield f"    else: {give}table.d.{call}"


COMMON_FLAGS += rows("isas.def", "FLAGS")[0].split()
HEADERS = sorted(str(path) for path in Path("src_c").iterdir() if path.suffix in {".h", ".def"})

# The linker reads them in this order: the dispatcher asks for the tables of the others.
LIBRARIES = [
    (
        f"fastmlp_{name}",
        {
            "sources": [f"src_c/{source}.c" for source in sources],
            "obj_deps": {"": HEADERS},
            "cflags": COMMON_FLAGS + flags,
        },
    )
    for name, sources, flags in [
        ("dispatch", ["dispatch"], []),
        *((isa, [f"kernels_{isa}_{t}" for t in "fd"], flags) for isa, flags in isas()),
    ]
]

MODULES = [
    "_core.kernels",
    "_core.blas",
    "_core.network",
    "_core.csr",
    "_core.tape",
    "_core.values",
    "_core.trajectory",
    "_core.noisy",
    "_core.step",
    "_core.predictor",
    "_core.row",
    "_core.team",
    "_core.crew",
    "_core.minibatch",
    "_core.curvature",
    "_core.hessian",
    "_core.gauss_newton",
    "_core.tangents",
    "solvers._shuffle",
    "solvers._cholesky",
    "tabular._piecewise",
]

# Every extension is offered the static libraries; only `kernels` refers to them and links them.
LINKED = {"_core.kernels": [file for _, library in LIBRARIES for file in library["sources"]]}
EXTENSIONS = [
    Extension(
        f"fastmlp.{name}",
        [f"fastmlp/{name.replace('.', '/')}.pyx"],
        include_dirs=["src_c", "fastmlp/_core", numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        depends=HEADERS + LINKED.get(name, []),
        extra_compile_args=COMMON_FLAGS,
        extra_link_args=SANITIZER_FLAGS,
    )
    for name in MODULES
]

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "embedsignature": True,
    "freethreading_compatible": True,
}

# What a build depends on beside the sources. It is compared by value: pip unpacks NumPy and Cython
# anew for each build, so that their files are always younger than what was built from them.
SETTINGS = {
    "setup.py": Path("setup.py").read_text(encoding="utf-8"),
    "versions": {name: metadata.version(name) for name in ("cython", "numpy", "scipy")},
    "environment": {
        name: os.environ.get(name)
        for name in ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "ARCHFLAGS", "FASTMLP_SANITIZE")
    },
}


class BuildClib(build_clib):
    """Compile the libraries side by side, the largest (the last) first."""

    def build_libraries(self, libraries):
        build = super().build_libraries
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda library: build([library]), reversed(libraries)))


class BuildExt(build_ext):
    """Compile what has changed, the libraries while Cython works."""

    def initialize_options(self):
        super().initialize_options()
        self.parallel = os.cpu_count()

    def run(self):
        self.settings = Path(self.build_temp, "settings.json")
        built_with = self.settings.read_text("utf-8") if self.settings.exists() else ""
        if built_with != json.dumps(SETTINGS):
            self.force = True
            self.settings.unlink(missing_ok=True)
        # build_ext alone (--inplace, editable installs) would not build the static libraries.
        self.get_finalized_command("build_clib").force = self.force
        with ThreadPoolExecutor(1) as pool:
            libraries = pool.submit(self.run_command, "build_clib")
            self.translate()
            libraries.result()
        super().run()
        self.settings.write_text(json.dumps(SETTINGS), "utf-8")

    def translate(self):
        """Put the C of the extensions into the build folder and name it as their source."""
        folder = os.path.join(self.build_temp, "cython")
        text = "\n".join(door()).replace("ptrdiff_t", "Py_ssize_t") + "\n"
        written = Path(folder, "kernels.pxi")
        if not written.exists() or written.read_text("utf-8") != text:
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(text, "utf-8")
        include_path = [".", folder]
        context = Context.from_options(CompilationOptions(include_path=include_path))
        tree = create_dependency_tree(context, quiet=True)
        here = Path.cwd()
        stale = []
        for extension in self.extensions:
            (source,) = extension.sources
            output = os.path.join(folder, os.path.splitext(source)[0] + ".c")
            needs = [f for f in tree.all_dependencies(source) if here in Path(f).resolve().parents]
            if self.force or newer_group(needs, output):
                stale.append(source)
            extension.sources = [output]
        if stale:
            cythonize(
                stale,
                build_dir=folder,
                include_path=include_path,
                force=True,
                compiler_directives=DIRECTIVES,
            )


class Sdist(sdist):
    """With SOURCE_DATE_EPOCH the same files make the same archive, byte for byte."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, **kwargs):
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None or format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, **kwargs)

        def normal(member):
            member.mtime = min(member.mtime, int(epoch))
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            return member

        name = f"{base_name}.tar.gz"
        top = Path(root_dir or ".")
        with (
            open(name, "wb") as file,
            gzip.GzipFile("", "wb", mtime=int(epoch), fileobj=file) as stream,
            tarfile.open(mode="w", fileobj=stream, format=tarfile.PAX_FORMAT) as archive,
        ):
            for path in sorted([top / base_dir, *(top / base_dir).rglob("*")]):
                archive.add(path, path.relative_to(top).as_posix(), recursive=False, filter=normal)
        return name


if __name__ == "__main__":
    setup(
        cmdclass={"build_clib": BuildClib, "build_ext": BuildExt, "sdist": Sdist},
        libraries=LIBRARIES,
        ext_modules=EXTENSIONS,
    )
