"""Benchmarks that other projects have published: their cases, figures, machines and sources."""

from dataclasses import dataclass

from bench.cases import Case


@dataclass(frozen=True)
class Figure:
    """What somebody has measured.

    Attributes
    ----------
    by : str
    value : float
    unit : str
        A key of `UNITS`.
    threads : int or None
        None where the source does not say.
    machine : str
    """

    by: str
    value: float
    unit: str
    threads: int | None
    machine: str


@dataclass(frozen=True)
class Published:
    """A case of somebody's, in their dtype, what they have measured with it, and where to read it.

    ``note`` says how their run differs from ours.
    """

    case: Case
    dtype: str
    figures: tuple[Figure, ...]
    source: str
    note: str = ""


# A figure of ours, from (seconds per epoch, case, threads). More is better of speeds alone.
UNITS = {
    "samples/s": lambda seconds, case, threads: case.n_samples / seconds,
    "ns x core/sample": lambda seconds, case, threads: 1e9 * threads * seconds / case.n_samples,
    "us/step": lambda seconds, case, threads: 1e6 * seconds / case.n_batches,
}
SPEEDS = ("samples/s",)


def gain(ours, theirs, unit):
    """How many times better ours is."""
    return ours / theirs if unit in SPEEDS else theirs / ours


def shinrin(n_samples, n_features, n_classes, max_iter, epochs, seconds):
    """A case of shinrin's, from the seconds that fits with NumPy, Mojo and scikit-learn took."""
    name = f"shinrin-{n_samples // 1000}k-{'classes' if n_classes else 'values'}"
    case = Case(name, n_samples, n_features, (100,), n_classes, 200, epochs)
    names, steps = ("shinrin, NumPy", "shinrin, Mojo", "scikit-learn"), max_iter * case.n_batches
    return Published(
        case,
        "float64",
        tuple(
            Figure(who, 1e6 * each / steps, "us/step", None, "Apple M1 Max, 8 fast cores")
            for who, each in zip(names, seconds, strict=True)
        ),
        "github.com/NoRaincheck/shinrin, scripts/benchmarks/MLP_BENCHMARK.md",
        f"from seconds of a whole fit, as if it had gone on for its max_iter of {max_iter} epochs",
    )


PUBLISHED = (
    Published(
        Case("OpenNN", 20_000, 28, (300,) * 5, 0, 100, 1, "tanh"),
        "float32",
        (
            Figure("OpenNN", 72_000, "samples/s", 16, "i9-12900K"),
            Figure("PyTorch 2.6", 46_000, "samples/s", 16, "i9-12900K"),
        ),
        "opennn.net/blog/higgs-cpu-opennn-pytorch",
        "HIGGS, an epoch of 10 million rows, and theirs includes a pass over validation data",
    ),
    Published(
        Case(
            "SimpleChains", 10_000, 4, (32, 16), 0, 10_000, 100, "tanh", n_targets=4, shuffle=False
        ),
        "float32",
        (
            Figure("SimpleChains.jl", 74.5, "ns x core/sample", 18, "i9-10980XE, AVX-512"),
            Figure("SimpleChains.jl", 230, "ns x core/sample", 32, "EPYC 7513, AVX2"),
        ),
        "julialang.org/blog/2022/04/simple-chains",
        "full batch; their 41 and 72 us a step, if all cores have worked",
    ),
    Published(
        Case("Candle", 6_400, 4, (64, 64), 0, 64, 5, n_targets=2),
        "float32",
        (
            Figure("Candle", 98, "us/step", None, "Apple M4"),
            Figure("Burn", 191, "us/step", None, "Apple M4"),
            Figure("PyTorch 2.10", 738, "us/step", None, "Apple M4"),
        ),
        "github.com/riserally/rlox, book/src/benchmark/nn-backends.md",
    ),
    shinrin(5_000, 20, 0, 100, 20, (0.10, 0.17, 0.19)),
    shinrin(5_000, 20, 3, 100, 20, (0.35, 0.35, 0.66)),
    shinrin(50_000, 100, 0, 50, 2, (1.03, 1.28, 1.69)),
    shinrin(50_000, 100, 3, 50, 2, (2.44, 2.95, 4.16)),
)
