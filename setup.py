"""Build table: one static library of C kernels per instruction set, one extension per .pyx."""

import os
import platform
import sys

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

C_FLAGS = [
    "-std=gnu11",
    "-O3",
    "-g0",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
]

# instruction set: flags; every name has a kernels_<name>.c
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

HEADERS = sorted(
    os.path.join("src_c", name) for name in os.listdir("src_c") if name.endswith((".h", ".def"))
)

# The linker reads them in this order: the dispatcher asks for the tables of the others.
LIBRARIES = [
    (
        f"fastmlp_{name}",
        {
            "sources": [f"src_c/{source}.c"],
            "obj_deps": {"": HEADERS},
            "cflags": C_FLAGS + flags,
        },
    )
    for name, source, flags in [
        ("dispatch", "dispatch", []),
        *((isa, f"kernels_{isa}", flags) for isa, flags in ISAS.items()),
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
    "_core.minibatch",
    "_core.curvature",
    "_core.matrix",
    "_core.gauss_newton",
    "_core.tangents",
    "solvers._shuffle",
]

# Every extension is offered the static libraries; only `kernels` refers to them and links them.
EXTENSIONS = [
    Extension(
        f"fastmlp.{name}",
        [f"fastmlp/{name.replace('.', '/')}.pyx"],
        include_dirs=["src_c", numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        depends=HEADERS,
        extra_compile_args=["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math"],
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

if sys.maxsize < 2**32:
    sys.exit("fastmlp needs a 64-bit Python.")


class BuildExt(build_ext):
    """build_ext alone (--inplace, editable installs) would not build the static libraries."""

    def initialize_options(self):
        super().initialize_options()
        self.parallel = os.cpu_count()

    def run(self):
        self.run_command("build_clib")
        super().run()


setup(
    cmdclass={"build_ext": BuildExt},
    libraries=LIBRARIES,
    ext_modules=cythonize(EXTENSIONS, compiler_directives=DIRECTIVES),
)
