"""Build table: one static library of C kernels per instruction set, one extension per .pyx.

``FASTMLP_SANITIZE=address,undefined`` builds both with the compiler's sanitizers; ``.ci/sanitize``
shows how such a build is run.
"""

import gzip
import json
import os
import platform
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import numpy
from Cython.Build import cythonize
from Cython.Build.Dependencies import create_dependency_tree
from setuptools import Extension, setup
from setuptools.command.build_clib import build_clib
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.modified import newer_group

if sys.maxsize < 2**32:
    sys.exit("fastmlp needs a 64-bit Python.")

SANITIZE = os.environ.get("FASTMLP_SANITIZE")
SANITIZER_FLAGS = [f"-fsanitize={SANITIZE}", "-fno-sanitize-recover=all"] if SANITIZE else []
COMMON_FLAGS = ["-fno-math-errno", "-fno-trapping-math"]
COMMON_FLAGS += ["-O1", "-g1", "-fno-omit-frame-pointer"] if SANITIZE else ["-O3", "-g0"]
COMMON_FLAGS += SANITIZER_FLAGS

C_FLAGS = ["-std=gnu11", "-ffp-contract=fast", *COMMON_FLAGS]

# instruction set: flags; every name has a kernels_<name>_f.c and a kernels_<name>_d.c
ISAS = {"baseline": []}
if platform.machine().lower() in ("x86_64", "amd64"):
    ISAS["avx2"] = ["-mavx2", "-mfma"]
    ISAS["avx512"] = [
        *ISAS["avx2"],
        "-mavx512f",
        "-mavx512bw",
        "-mavx512dq",
        "-mavx512vl",
        "-mprefer-vector-width=512",
    ]

HEADERS = sorted(str(path) for path in Path("src_c").iterdir() if path.suffix in {".h", ".def"})

# The linker reads them in this order: the dispatcher asks for the tables of the others.
LIBRARIES = [
    (
        f"fastmlp_{name}",
        {
            "sources": [f"src_c/{source}.c" for source in sources],
            "obj_deps": {"": HEADERS},
            "cflags": C_FLAGS + flags,
        },
    )
    for name, sources, flags in [
        ("dispatch", ["dispatch"], []),
        *((isa, [f"kernels_{isa}_{t}" for t in "fd"], flags) for isa, flags in ISAS.items()),
    ]
]

MODULES = [
    "_core.kernels",
    "_core.blas",
    "_core.network",
    "_core.panels",
    "_core.predictor",
    "_core.row",
    "_core.team",
    "_core.crew",
    "_core.minibatch",
    "_core.curvature",
    "_core.matrix",
    "_core.gauss_newton",
    "_core.tangents",
    "solvers._shuffle",
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
        tree = create_dependency_tree(quiet=True)
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
            cythonize(stale, build_dir=folder, force=True, compiler_directives=DIRECTIVES)


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
