"""The parts of the benchmark. Each is a module with a docstring that ``--help`` shows, and

``run(settings)``
    Measures, prints its table line by line, and returns a list of ``timing.Row``.
"""

NAMES = (
    "training",
    "published",
    "random",
    "sweep",
    "threads",
    "sparse",
    "latency",
    "batch",
    "memory",
    "denormals",
)
