"""``fit_curve`` beside SciPy's ``curve_fit``."""

import warnings

import numpy as np
import pytest
from scipy.optimize import Bounds, OptimizeWarning, curve_fit

import fastmlp
from fastmlp import fit_curve
from fastmlp.solvers import Result

MODELS = {  # function, a draw of its parameters
    "line": (lambda x, a, b: a + b * x, lambda r: r.normal(size=2) * [1, 5]),
    "decay": (
        lambda x, a, b, c: a * np.exp(-b * x) + c,
        lambda r: r.uniform([1, 0.5, -1], [5, 2, 1]),
    ),
    "gauss": (
        lambda x, h, m, s: h * np.exp(-(((x - m) / s) ** 2) / 2),
        lambda r: r.uniform([1, 1, 0.4], [9, 3, 0.8]),
    ),
    "hill": (lambda x, v, k: v * x / (k + x), lambda r: r.uniform([1, 0.3], [8, 3])),
    "wave": (lambda x, a, w, p: a * np.sin(w * x + p), lambda r: r.uniform([1, 1, -1], [3, 2, 1])),
    "logistic": (
        lambda x, m, s, h: h / (1 + np.exp(-(x - m) / s)),
        lambda r: r.uniform([1, 0.2, 1], [3, 0.6, 5]),
    ),
    "units": (
        lambda x, a, t: a * np.exp(-1e-7 * x / t),
        lambda r: r.uniform([1e4, 5e-8], [9e4, 3e-7]),
    ),
}  # fmt: skip


def draw(name, seed):
    f, parameters = MODELS[name]
    rng = np.random.default_rng(seed)
    m = int(rng.integers(10, 60))
    x = np.sort(rng.uniform(0, 4, size=m))
    p = parameters(rng)
    clean = f(x, *p)
    spread = 0.1 * np.abs(clean).max() * rng.uniform(0.2, 1.5, size=m)
    y = clean + spread * rng.normal(size=m)
    return f, x, y, p, p * rng.uniform(0.9, 1.1, size=p.size), spread


def root(A):
    return np.sqrt(np.diag(A))


def compare(arguments, keywords, peers=None):
    """The same parameters by a thousandth of their standard errors, the same covariances."""
    ours, our_cov = fit_curve(*arguments, **keywords)
    peers, peer_cov = curve_fit(*arguments, **{**keywords, **(peers or {})})
    size = root(peer_cov)
    assert (np.abs(ours - peers) <= 1e-3 * size + 1e-7 * np.abs(peers)).all()
    np.testing.assert_allclose(our_cov, peer_cov, rtol=5e-3, atol=5e-3 * np.outer(size, size).min())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("absolute", [False, True])
def test_values_and_covariances(name, absolute):
    peers = {"xtol": 1e-12, "ftol": 1e-12, "maxfev": 10000}
    for seed in range(8):
        f, x, y, _, p0, spread = draw(name, seed)
        compare((f, x, y, p0), {}, peers)
        given = {"absolute_sigma": absolute}
        compare((f, x, y, p0), {"sigma": spread, **given}, peers)
        compare((f, x, y, p0), {"sigma": 0.3, **given}, peers)
        distance = np.abs(x[:, None] - x)
        cov = np.outer(spread, spread) * np.exp(-distance) + 1e-3 * np.diag(spread**2)
        compare((f, x, y, p0), {"sigma": cov, **given}, peers)


@pytest.mark.parametrize("name", MODELS)
def test_bounds(name):
    active = 0
    for seed in range(8):
        f, x, y, p, p0, _ = draw(name, seed)
        rng = np.random.default_rng(seed)
        wide = np.abs(p) * 0.3 + 0.1 * np.abs(p).max() * (name != "units")
        peers = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15, "x_scale": np.abs(p) + 1e-9}
        peers |= {"max_nfev": 5000}
        if name == "units":  # SciPy's differences take absolute steps there
            peers["jac"] = lambda x, a, t: np.stack(
                [np.exp(-1e-7 * x / t), a * np.exp(-1e-7 * x / t) * 1e-7 * x / t**2], axis=1
            )
        compare(
            (f, x, y, np.clip(p0, p - wide / 2, p + wide / 2)),
            {"bounds": (p - wide, p + wide)},
            peers,
        )
        j = rng.integers(p.size)
        upper = p + wide
        upper[j] = p[j] - 0.05 * wide[j]
        bounds = Bounds(p - wide, upper) if seed % 2 else (p - wide, upper)
        start = np.clip(p0, p - 0.9 * wide, upper - 0.01 * wide)
        ours, cov, result = fit_curve(f, x, y, start, bounds=bounds, full_output=True)
        peer = curve_fit(f, x, y, start, bounds=bounds, **peers)[0]
        assert result.loss <= 0.5 * np.sum((f(x, *peer) - y) ** 2) * (1 + 1e-6)
        assert (ours >= p - wide).all() and (ours <= upper).all()
        active += (ours == upper).any()
    assert active >= 2


def test_the_start_is_guessed_from_the_signature():
    x = np.linspace(0, 3, 30)

    class Model:
        def __call__(self, x, a, b):
            return a * np.exp(b * x)

        def method(self, x, a, b):
            return a * np.exp(b * x)

    y = 2 * np.exp(0.3 * x)
    for f in (lambda x, a, b: a * np.exp(b * x), Model().method, Model()):
        np.testing.assert_allclose(fit_curve(f, x, y)[0], [2, 0.3], rtol=1e-6)
    starts = []

    def f(x, a, b, c, d):
        starts.append((a, b, c, d))
        return a + b * x + c * x**2 + d * x**3

    lower, upper = [0, -np.inf, 3, -np.inf], [1, -2, np.inf, np.inf]
    fit_curve(f, x, y, bounds=(lower, upper))
    assert starts[0] == (0.5, -3, 4, 1)
    with pytest.raises(ValueError, match="pass p0"):
        fit_curve(lambda x, *p: p[0] * x, x, y)
    with pytest.raises(ValueError, match="pass p0"):
        fit_curve(lambda x: x, x, y)
    popt, _ = fit_curve(lambda x, *p: p[0] * x + p[1], x, 3 * x + 1, p0=[1, 1])
    np.testing.assert_allclose(popt, [3, 1], rtol=1e-8)


@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs", lambda x, a, b: np.c_[x, x**2]])
def test_jacobians(jac):
    x = np.linspace(0.1, 1, 20)
    y = 3 * x - 2 * x**2 + 0.01 * np.cos(30 * x)
    ours, cov, result = fit_curve(
        lambda x, a, b: a * x + b * x**2, x, y, jac=jac, sigma=1 + x, full_output=True
    )
    peer, peer_cov = curve_fit(lambda x, a, b: a * x + b * x**2, x, y, sigma=1 + x)
    np.testing.assert_allclose(ours, peer, rtol=1e-6)
    np.testing.assert_allclose(cov, peer_cov, rtol=1e-6)
    assert isinstance(result, Result) and result.status.converged
    np.testing.assert_allclose(root(cov), result.std_err, rtol=1e-6)


def test_x_of_any_kind():
    x = {"a": np.arange(5.0), "b": np.arange(5.0) ** 2}
    popt, _ = fit_curve(
        lambda x, p, q: p * x["a"] + q * x["b"], x, np.arange(5) + 3 * np.arange(5) ** 2
    )
    np.testing.assert_allclose(popt, [1, 3], rtol=1e-6)
    x = np.arange(10).reshape(2, 5)
    popt, _ = fit_curve(lambda x, p, q: p * x[0] + q * x[1], x, 2 * x[0] - x[1])
    np.testing.assert_allclose(popt, [2, -1], rtol=1e-6)


def test_covariances_that_data_do_not_tell():
    x = np.array([0.0, 1.0])
    with pytest.warns(OptimizeWarning, match="no more data than parameters"):
        popt, pcov = fit_curve(lambda x, a, b: a + b * x, x, [1.0, 3.0])
    np.testing.assert_allclose(popt, [1, 2])
    assert np.isinf(pcov).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, pcov = fit_curve(
            lambda x, a, b: a + b * x, x, [1.0, 3.0], sigma=[0.1, 0.1], absolute_sigma=True
        )
    np.testing.assert_allclose(pcov, [[0.01, -0.01], [-0.01, 0.02]], rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"y": np.ones((5, 2))}, ValueError, r"y must have shape \(m,\), got \(5, 2\)"),
        ({"y": []}, ValueError, "y must have shape"),
        ({"y": [1, 2, np.nan, 3, 4]}, ValueError, r"y holds NaN or infinity, first at index \[2\]"),
        ({"x": [1, 2, np.inf, 3, 4]}, ValueError, "x holds NaN"),
        ({"y": ["a"] * 5}, ValueError, "y must hold real numbers"),
        ({"y": [1, 2, 3]}, ValueError, r"f must return shape \(3,\), as y has; got \(5,\)"),
        ({"p0": [1, np.nan]}, ValueError, "p0 holds NaN"),
        ({"sigma": np.ones(4)}, ValueError, r"sigma must .* shape \(5,\) or \(5, 5\)"),
        ({"sigma": -np.ones(5)}, ValueError, "sigma must be positive"),
        ({"sigma": np.zeros(5)}, ValueError, "sigma must be positive"),
        ({"sigma": -np.eye(5)}, ValueError, "positive definite"),
        ({"bounds": (3, 4), "p0": [1, 1]}, ValueError, "theta0 is outside of the bounds"),
        ({"bounds": 3}, ValueError, "bounds must be"),
        ({"f": "line"}, TypeError, "f must be a function"),
        ({"f": lambda x, a: x + a * 1j}, TypeError, "complex"),
        ({"jac": 3}, TypeError, "jac must be"),
    ],
)  # fmt: skip
def test_wrong_arguments(changes, error, words):
    arguments = {"f": lambda x, a, b: a + b * x, "x": np.arange(5), "y": np.arange(5), **changes}
    with pytest.raises(error, match=words):
        fit_curve(**arguments)


def test_no_minimum_in_time():
    f, x, y, _, _, _ = draw("decay", 0)
    with pytest.raises(RuntimeError, match="No parameters found. Increase max_iter.*another p0"):
        fit_curve(f, x, y, [1, 1, 1], max_iter=1)


def test_submodules_are_there_without_being_imported():
    for name in ("solvers", "losses", "activations", "network", "estimators", "config"):
        assert getattr(fastmlp, name).__name__ == f"fastmlp.{name}"
        assert name in dir(fastmlp)
    with pytest.raises(AttributeError, match="no attribute 'solver'"):
        _ = fastmlp.solver
