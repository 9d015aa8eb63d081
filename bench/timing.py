"""How things are timed: peers interleaved, medians over the repeats."""

import statistics
import time
import timeit
from dataclasses import asdict, dataclass, field


@dataclass
class Row:
    """What one line of a table says, and ``results.json`` keeps.

    Attributes
    ----------
    part, case, dtype : str
        What was measured; together with ``threads`` the key of the row.
    unit : str
        Of ``values`` and ``runs``: "s" or "bytes".
    values : dict of str to float
        For each peer the median over its runs.
    runs : dict of str to list of float
    facts : dict
        Other figures of this row.
    wrong : list of str
        Why an answer is wrong; any makes the whole run fail.
    """

    part: str
    case: str
    dtype: str
    threads: int
    unit: str = "s"
    values: dict = field(default_factory=dict)
    runs: dict = field(default_factory=dict)
    facts: dict = field(default_factory=dict)
    wrong: list = field(default_factory=list)

    @property
    def key(self):
        """What identifies this row in another run's results."""
        return self.part, self.case, self.dtype, self.threads

    def ratio(self, peer, to="fastmlp"):
        """How many times ``to`` is better than the peer; None if one was not measured."""
        if peer not in self.values or to not in self.values:
            return None
        return self.values[peer] / self.values[to]

    def as_dict(self):
        """Plain values for JSON."""
        return asdict(self)


def medians(runs):
    """The median of each list."""
    return {name: statistics.median(times) for name, times in runs.items()}


def once(function):
    """Seconds that one call takes, and what it returns."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def interleaved(prepares, repeats):
    """Time functions of one call each, peer by peer, ``repeats`` times around.

    Parameters
    ----------
    prepares : dict of str to callable
        Each returns the function to time; it is called, untimed, before every run.

    Returns
    -------
    runs : dict of str to list of float
        Seconds.
    results : dict
        What the last run of each returned.
    """
    runs, results = {name: [] for name in prepares}, {}
    for _ in range(repeats):
        for name, prepare in prepares.items():
            seconds, results[name] = once(prepare())
            runs[name].append(seconds)
    return runs, results


def per_call(functions, repeats, seconds=0.02):
    """Seconds per call of short functions, interleaved: dict of lists of ``repeats``.

    Each run calls so often that it takes about ``seconds``.
    """
    timers = {name: timeit.Timer(function) for name, function in functions.items()}
    counts = {}
    for name, timer in timers.items():
        timer.timeit(3)
        counts[name] = max(1, int(seconds / max(timer.timeit(10) / 10, 1e-8)))
    runs = {name: [] for name in timers}
    for _ in range(repeats):
        for name, timer in timers.items():
            runs[name].append(timer.timeit(counts[name]) / counts[name])
    return runs
