"""What the command line has asked for, and what was found: every part gets this one object."""

from dataclasses import dataclass, field
from types import ModuleType


@dataclass
class Settings:
    """Attributes are those of the command line, and more.

    Attributes
    ----------
    gemm : dict of str to float
        GFLOP/s of this machine's BLAS for each dtype, at ``threads``.
    peers : list of modules
    cpus : list of int
        The cores that the whole run may use.
    """

    quick: bool = False
    repeats: int = 5
    threads: int = 1
    seed: int = 0
    dtypes: tuple[str, ...] = ("float32", "float64")
    cases: tuple[str, ...] = ()
    peers: list[ModuleType] = field(default_factory=list)
    gemm: dict[str, float] = field(default_factory=dict)
    cpus: list[int] = field(default_factory=list)

    def times(self, usual):
        """Repeats of something that the usual number of repeats suits, or few in a quick run."""
        return 1 if self.quick else usual

    @property
    def child_dtypes(self):
        """Of the parts that start a process or two per row: one dtype is enough for a look."""
        return self.dtypes[:1] if self.quick else self.dtypes

    def say(self, words):
        """Print at once: parts take minutes."""
        print(words, flush=True)
