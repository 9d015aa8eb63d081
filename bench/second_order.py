"""Second-order training beside its peers: seconds to a target, all in one run.

    python -m bench.second_order                  every row (about an hour)
    python -m bench.second_order --quick          two seeds, short limits
    python -m bench.second_order function hessian --seeds 3

Every seed is printed. A miss counts as the time limit, so does a run that ends early; medians are
over the seeds. Where a baseline has several settings, the best of them on the first seed is used.
Peers that are not installed are named and left out.
"""

import argparse
import os
import resource
import sys
import time
import warnings
from functools import partial
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "2")

import numpy as np  # noqa: E402

from bench import second_order_problems as problems  # noqa: E402
from bench.peers import second_order as peers  # noqa: E402

PHOTOZ = Path("sdss_galaxy_colors.npy")


def fastmlp_runners():
    """This project's solvers."""
    from fastmlp.solvers import LevenbergMarquardt, Newton, NewtonCG

    return {
        "fastmlp lm": [peers.fastmlp("lm")],
        "fastmlp lm, plain": [
            peers.fastmlp(partial(LevenbergMarquardt, acceleration=False)),
        ],
        "fastmlp newton": [peers.fastmlp(partial(Newton, modification="trust-region"))],
        "fastmlp newton-cg": [peers.fastmlp(NewtonCG)],
        "fastmlp lbfgs": [peers.fastmlp("lbfgs")],
        "fastmlp adam": [peers.fastmlp("adam")],
    }


def peer_runners():
    """The others, each with the settings that it may choose from; missing ones are named."""
    runners = {
        "NumPy LM": [peers.numpy_lm],
        "scikit-learn lbfgs": [peers.sklearn("lbfgs")],
        "scikit-learn adam": [
            peers.sklearn("adam", learning_rate_init=rate, batch_size=batch_size)
            for rate, batch_size in ((1e-3, "auto"), (1e-2, "auto"), (3e-3, 32))
        ],
    }
    for name, runner, module in (
        ("optimistix LM", peers.optimistix, "optimistix"),
        ("torch-levenberg-marquardt", peers.torch_lm, "torch_levenberg_marquardt"),
    ):
        if peers.available(module):
            runners[name] = [runner]
        else:
            print(f"left out, not installed: {name}")
    return runners


def seconds_to_target(trace, problem):
    """When the target was met; the limit for a miss."""
    for seconds, mse in trace:
        if mse <= problem.target:
            return min(seconds, problem.limit)
    return problem.limit


def time_to_target(problem, seeds, wanted=None):
    """One line per peer: every seed's seconds, the median, the misses, ms per iteration."""
    print(
        f"\n{problem.name}: {len(problem.y)} rows, {'-'.join(map(str, problem.layers))} tanh, "
        f"{problem.init} start, "
        f"mse {problem.target:g} within {problem.limit:g} s"
    )
    medians = {}
    for name, settings in {**fastmlp_runners(), **peer_runners()}.items():
        if wanted and name != "fastmlp lm" and not any(part in name for part in wanted):
            continue
        first = [run(problem, 0) for run in settings]
        best = int(np.argmin([seconds_to_target(trace, problem) for trace in first]))
        traces = [first[best], *(settings[best](problem, seed) for seed in range(1, seeds))]
        times = [seconds_to_target(trace, problem) for trace in traces]
        met = [trace[-1][1] <= problem.target for trace in traces]
        per_iteration = np.median([1e3 * trace[-1][0] / len(trace) for trace in traces])
        medians[name] = np.median(times)
        print(
            f"  {name:26s} median {medians[name]:8.3f} s  mean {np.mean(times):7.3f}  "
            f"min {min(times):7.3f}  max {max(times):7.3f}  missed {met.count(False)}/{seeds}  "
            f"{per_iteration:8.2f} ms/iteration  lowest mse {min(t[-1][1] for t in traces):.1e}"
        )
        marks = (f"{t:.3f}" if hit else "miss" for t, hit in zip(times, met, strict=True))
        print(f"    {' '.join(marks)}", flush=True)
    ratios = {name: median / medians["fastmlp lm"] for name, median in medians.items()}
    print("  against fastmlp lm: " + ", ".join(f"{n} {r:.1f}x" for n, r in ratios.items()))


def photoz(path, seeds):
    """Held-out galaxies: sigma_NMAD and rms of (z - z_spec) / (1 + z_spec), and seconds."""
    from sklearn.neural_network import MLPRegressor as Theirs

    from fastmlp import MLPRegressor as Ours

    if not path.exists():
        print(f"\nphotoz: left out, no {path}")
        return
    (X, z), held_out, (X_test, z_test) = problems.galaxies(path)
    print(f"\nphotoz: {len(z)} galaxies to train on, {len(z_test)} held out, 5-10-10-1 tanh")
    common = {"hidden_layer_sizes": (10, 10), "activation": "tanh"}
    ours = {
        "solver": "lm",
        "alpha": 0.0,
        "tol": 0.0,
        "n_iter_no_change": 30,
        "scoring": "loss",
        "standardize": True,
    }
    theirs = {"tol": 1e-7, "max_iter": 2000}

    def lm(seed, max_iter=150, **more):
        model = Ours(max_iter=max_iter, random_state=seed, **ours, **common, **more)
        return model.fit(X, z, X_val=held_out[0], y_val=held_out[1])

    def huber(seed, max_iter, epsilons):
        """The best of several by sigma_NMAD of the validation galaxies."""
        models = [lm(seed, max_iter, loss=("huber", {"epsilon": each})) for each in epsilons]
        return min(models, key=lambda model: quality(model, *held_out)[0])

    candidates = {
        "fastmlp lm": lm,
        "fastmlp lm, huber, 12 iterations": partial(huber, max_iter=12, epsilons=(0.1,)),
        "fastmlp lm, huber, best of two": partial(huber, max_iter=30, epsilons=(0.1, 0.3)),
        "scikit-learn lbfgs": lambda seed: Theirs(
            solver="lbfgs", random_state=seed, **theirs, **common
        ).fit(X, z),
        "scikit-learn adam": lambda seed: Theirs(
            solver="adam", early_stopping=True, random_state=seed, **theirs, **common
        ).fit(X, z),
    }
    for name, fit in candidates.items():
        rows = []
        for seed in range(seeds):
            start = time.perf_counter()
            model = fit(seed)
            seconds = time.perf_counter() - start
            rows.append((*quality(model, X_test, z_test), seconds))
        nmad, rms, seconds = np.median(rows, axis=0)
        print(f"  {name:34s} sigma_NMAD {nmad:.5f}  rms {rms:.5f}  {seconds:7.3f} s (medians)")
        print("    " + "  ".join(f"{a:.5f}/{b:.5f}/{s:.2f}s" for a, b, s in rows), flush=True)


def quality(model, X, z):
    """sigma_NMAD and rms of (z_phot - z) / (1 + z)."""
    error = (model.predict(X) - z) / (1 + z)
    nmad = 1.4826 * np.median(np.abs(error - np.median(error)))
    return nmad, np.sqrt(np.mean(error**2))


def large(quick):
    """5,000 parameters, 50,000 rows: memory of lm; newton-cg against 100 epochs of adam."""
    from fastmlp import Network
    from fastmlp.solvers import STOP, Adam, LevenbergMarquardt, NewtonCG
    from fastmlp.training import train

    layers = (5, 66, 66, 1)
    problem = problems.function_of_five(5_000 if quick else 50_000)
    X, y = problem.X, problem.y
    net = Network(layers, activation="tanh")
    objective, theta0 = net.objective(X, y), net.init(random_state=0)
    fit_one = partial(train, net, X, y, theta0=theta0)
    print(f"\nlarge: {len(y)} rows, {net.n_params} parameters")
    epochs = 10 if quick else 100
    fit = {"tol": 0, "n_iter_no_change": np.inf, "random_state": 0}
    adam = fit_one(solver=Adam(), max_iter=epochs, **fit)
    reached, seconds = objective.value(adam.theta), adam.history["seconds"][-1]
    print(f"  adam, {epochs} epochs: loss {reached:.3e} after {seconds:.2f} s")
    for name, solver in (
        ("newton-cg", NewtonCG()),
        ("newton-cg, sampled", NewtonCG(batch_size=10_000, curvature_size=1_000)),
    ):
        run = fit_one(
            solver=solver,
            max_iter=10**4,
            max_time=3 * seconds,
            callback=lambda iteration, record: STOP if record["loss"] <= reached else None,
            **fit,
        )
        took, loss = run.history["seconds"][-1], objective.value(run.theta)
        print(f"  {name}: loss {loss:.3e} after {took:.2f} s, {run.n_iter} iterations", flush=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run = fit_one(solver=LevenbergMarquardt(), max_iter=2, **fit)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"  lm: {np.diff([0, *run.history['seconds']]).min():.2f} s per iteration, peak of the "
        f"process {after / 2**20:.2f} GB ({before / 2**20:.2f} GB before)",
        flush=True,
    )


def dual():
    """300 rows, 20,000 parameters: one iteration of the dual form."""
    from fastmlp import Network
    from fastmlp.solvers import LevenbergMarquardt
    from fastmlp.training import train

    layers = (50, 120, 113, 1)
    X, y = problems.teacher(300, layers)
    net = Network(layers, activation="tanh")
    solver, theta0 = LevenbergMarquardt(), net.init(random_state=0)
    run = train(net, X, y, theta0=theta0, solver=solver, max_iter=5, tol=0)
    took = np.diff([0.0, *run.history["seconds"]])
    print(
        f"\ndual: 300 rows, {net.n_params} parameters: median {1e3 * np.median(took):.1f} ms per "
        f"iteration, loss {run.loss:.1e} after {run.n_iter}",
        flush=True,
    )


def sampled(quick):
    """40,000 noisy rows, 1,000 parameters: an iteration of lm, and what so many reach.

    With G from all rows and from a sample, without and with the evidence.
    """
    from fastmlp import Network
    from fastmlp.solvers import LevenbergMarquardt
    from fastmlp.training import train

    layers = (9, 35, 17, 1)
    X, y = problems.teacher(12_000 if quick else 40_000, layers)
    y = y + 0.5 * np.random.RandomState(1).normal(size=y.size)
    net = Network(layers, activation="tanh")
    theta0 = net.init(random_state=0)
    print(f"\nsampled: {len(y)} rows, {net.n_params} parameters")
    for rows in (None, "auto"):
        for evidence in (False, True):
            solver = LevenbergMarquardt(curvature_rows=rows, evidence=evidence)
            fit = {"theta0": theta0, "solver": solver, "max_iter": 3 if quick else 20}
            run = train(net, X, y, tol=0, random_state=0, **fit)
            took = np.diff([0.0, *run.history["seconds"]])
            print(
                f"  curvature_rows={rows}, evidence={evidence}: median {np.median(took):.3f} s per "
                f"iteration, loss {run.loss:.4f} after {run.n_iter}",
                flush=True,
            )


def hessian(quick):
    """A dense exact Hessian, P about 1,000, N = 10,000, against jitted jax.hessian in blocks."""
    from fastmlp import Network

    layers, n = (10, 25, 25, 1), 1_000 if quick else 10_000
    X, y = problems.teacher(n, layers)
    net = Network(layers, activation="tanh")
    theta, objective = net.init(random_state=0), net.objective(X, y)
    ours, H = best_of(lambda: objective.hessian(theta))
    print(f"\nhessian: {n} rows, {net.n_params} parameters: fastmlp {ours:.3f} s")
    if not peers.available("jax"):
        print("  left out, not installed: jax.hessian")
        return
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def loss(theta, X, y):
        a, at = X, 0
        for l, (m, k) in enumerate(zip(layers, layers[1:], strict=False)):
            W = theta[at : at + (m + 1) * k].reshape(m + 1, k)
            z = a @ W[:-1] + W[-1]
            a, at = (jnp.tanh(z) if l + 2 < len(layers) else z), at + (m + 1) * k
        return 0.5 * jnp.sum((a[:, 0] - y) ** 2)

    jitted = jax.jit(jax.hessian(loss))
    for block in (250, 1_000):
        blocks = [(X[i : i + block], y[i : i + block]) for i in range(0, n, block)]

        def summed(blocks=blocks):
            total = 0
            for rows, targets in blocks:
                total = total + jitted(theta, rows, targets)
            return np.asarray(total) / n

        summed(blocks[:1])
        theirs, expected = best_of(summed, 2)
        error = np.abs(H - expected).max() / np.abs(expected).max()
        print(
            f"  jax.hessian, blocks of {block} rows: {theirs:.3f} s, {theirs / ours:.1f}x; "
            f"largest difference {error:.1e}",
            flush=True,
        )


def best_of(function, repeats=5):
    """The least seconds of some calls, and what the last one returned."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return min(times), result


def main(argv=None):
    """Print the rows that were asked for."""
    rows = ["hessian", "dual", "sampled", "large", "photoz", "SIN", "PARITY", "sinc", "function"]
    parser = argparse.ArgumentParser(prog="bench.second_order", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", choices=[*rows, []], help="all of them by default")
    parser.add_argument("--quick", action="store_true", help="two seeds, short limits, small data")
    parser.add_argument("--seeds", type=int, help="seeds (10; 30 for SIN and PARITY)")
    parser.add_argument("--limit", type=float, help="seconds of a run that misses its target")
    parser.add_argument(
        "--peers", nargs="+", help="of the last four: 'fastmlp lm' and names with one of these in"
    )
    parser.add_argument("--photoz", type=Path, default=PHOTOZ, help=f"file of galaxies ({PHOTOZ})")
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    wanted = options.rows or rows
    seeds = options.seeds or (2 if options.quick else 10)
    if "hessian" in wanted:
        hessian(options.quick)
    if "dual" in wanted:
        dual()
    if "sampled" in wanted:
        sampled(options.quick)
    if "large" in wanted:
        large(options.quick)
    if "photoz" in wanted:
        photoz(options.photoz, min(seeds, 5))
    limit = options.limit or (3.0 if options.quick else None)
    few = {} if limit is None else {"limit": limit}
    starts = options.seeds or (2 if options.quick else 30)
    for name, make, count in (
        ("SIN", problems.sine, starts),
        ("PARITY", problems.parity, starts),
        ("sinc", problems.sinc, seeds),
        ("function", problems.function_of_five, seeds),
    ):
        if name in wanted:
            time_to_target(make(**few), count, options.peers)


if __name__ == "__main__":
    sys.exit(main())
