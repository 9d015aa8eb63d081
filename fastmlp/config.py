"""What a build of fastmlp runs on: instruction set, threads, BLAS, versions."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

import threadpoolctl

from fastmlp._core import kernels
from fastmlp.threads import available_cpus, threads_in_force

PACKAGES = ("fastmlp", "numpy", "scipy", "scikit-learn", "threadpoolctl")


def get_config() -> dict[str, Any]:
    """Describe this installation and the machine under it.

    Returns
    -------
    dict
        - ``"isa"``: the instruction set in use, chosen at import or by ``FASTMLP_ISA``;
        - ``"available_isas"``: those that this build and this machine both have;
        - ``"cpus_allowed"``: cores that this process may use (affinity and cgroup quota);
        - ``"cpus"``: cores of the machine;
        - ``"threads"``: the most that a fit uses unless told otherwise, which limits on BLAS
          (``OPENBLAS_NUM_THREADS``, joblib's workers) lower; an estimator's ``timings_`` has the
          number that did work;
        - ``"blas"``: a list with one dict for each BLAS library in the process, as
          ``threadpoolctl`` describes it (``internal_api``, ``version``, ``num_threads``, ...);
        - ``"platform"``: operating system and processor;
        - ``"versions"``: of Python and of the packages that take part, None where not installed.

    Examples
    --------
    >>> from fastmlp.config import get_config
    >>> config = get_config()
    >>> config["isa"] in config["available_isas"]
    True
    """
    import scipy.linalg  # noqa: F401  (loads the BLAS that the compiled core calls)

    return {
        "isa": kernels.isa(),
        "available_isas": tuple(kernels.available_isas()),
        "cpus_allowed": available_cpus(),
        "cpus": os.cpu_count(),
        "threads": threads_in_force(available_cpus()),
        "blas": threadpoolctl.ThreadpoolController().select(user_api="blas").info(),
        "platform": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version()}
        | {package: _version(package) for package in PACKAGES},
    }


def show_config() -> None:
    """Print what this installation runs on, one line for each thing; put it into a bug report.

    The same as a dict: :func:`fastmlp.config.get_config`.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.show_config()  # doctest: +ELLIPSIS
    platform         ...
    instruction set  ...
    """
    config = get_config()
    rows = [
        ("platform", config["platform"]),
        ("instruction set", f"{config['isa']} (available: {', '.join(config['available_isas'])})"),
        ("cores", f"{config['cpus_allowed']} allowed to this process, {config['cpus']} in all"),
    ]
    rows += [("threads", f"at most {config['threads']} in a fit")]
    rows += [("BLAS", _describe_blas(library)) for library in config["blas"]]
    rows += [(name, version or "not installed") for name, version in config["versions"].items()]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        print(f"{name:<{width}}  {text}")


def _describe_blas(library: dict[str, Any]) -> str:
    parts = [library["internal_api"], library.get("version"), library.get("architecture")]
    name = " ".join(str(part) for part in parts if part)
    return f"{name}, {library['num_threads']} threads ({os.path.basename(library['filepath'])})"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
