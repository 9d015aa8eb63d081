"""A fit whose weights have underflowed, beside the same fit with ordinary weights."""

import numpy as np

from bench import peers, timing
from bench.table import Table, title

DENORMAL = {"float32": 1e-41, "float64": 1e-311}
SHAPES = {"20-64-64-1": (20, (64, 64), 128), "50-512-512-1": (50, (512, 512), 256)}


def run(settings):
    settings.say(title("Denormals: ms per epoch with ordinary weights and with denormal ones"))
    modules = {}
    for peer in peers.able(settings.peers, "prepare", patient=False):
        if peer.NAME in ("fastmlp", "sklearn"):
            modules[peer.NAME] = peer
    columns = [("network", ""), ("dtype", ""), ("solver", "")]
    for name in modules:
        columns += [(name, ".2f"), ("denormal", ".2f"), ("slower", "x")]
    table = Table(columns, {"network": 14})
    settings.say(table.head())
    rows = []
    for shape in SHAPES:
        for dtype in settings.dtypes:
            for solver in ("sgd", "adam"):
                row = measure(shape, dtype, solver, modules, settings)
                rows.append(row)
                values = [shape, dtype, solver]
                for name in modules:
                    ordinary, denormal = row.values[name], row.values[f"{name}, denormal"]
                    values += [1e3 * ordinary, 1e3 * denormal, denormal / ordinary]
                settings.say(table.line(values))
    settings.say("wanted: fastmlp no slower (1.0)")
    return rows


def measure(shape, dtype, solver, modules, settings):
    """The Row of one network: steps too small to bring the weights back among the ordinary."""
    n_features, hidden, batch_size = SHAPES[shape]
    n_samples = (4 if settings.quick else 40) * batch_size
    X = np.random.default_rng(0).standard_normal((n_samples, n_features)).astype(dtype)
    y = np.zeros(n_samples, dtype)

    def preparing(module, scale):
        def prepare():
            estimator = module.MLPRegressor(
                hidden_layer_sizes=hidden,
                solver=solver,
                batch_size=batch_size,
                alpha=0.0,
                learning_rate_init=DENORMAL[dtype],
                momentum=0.0,
                nesterovs_momentum=False,
                max_iter=1,
                warm_start=True,
                random_state=0,
            )
            estimator.fit(X[:batch_size], y[:batch_size])
            for array in (*estimator.coefs_, *estimator.intercepts_):
                array *= np.asarray(scale, dtype)
            return lambda: estimator.fit(X, y)

        return prepare

    prepares = {}
    for name, peer in modules.items():
        prepares[name] = preparing(peer.LIBRARY, 1.0)
        prepares[f"{name}, denormal"] = preparing(peer.LIBRARY, DENORMAL[dtype])
    runs, _ = timing.interleaved(prepares, settings.times(settings.repeats))
    row = timing.Row("denormals", f"{shape} {solver}", dtype, settings.threads, runs=runs)
    row.values = timing.medians(runs)
    return row
