"""Vector functions and activations of the C core, one instruction set at a time by FASTMLP_ISA.

Errors are counted in units in the last place of the exact result. Float32 is compared with double
precision over the whole range of its bit patterns, double with the 80-bit (or 128-bit) functions of
the C library and, for erf and erfc, with mpmath.
"""

import numpy as np
import pytest
import reference
from scipy import special

from fastmlp._core import kernels

# function: (float32, float64) bounds in units in the last place
ULP = {
    "exp": (2, 2),
    "expm1": (3, 3),
    "log": (2, 2),
    "log1p": (3, 3),
    "tanh": (4, 4),
    "erf": (4, 4),
    "erfc": (5, 5),
    "lgamma": (6, 8),  # 6.3 without fused multiplication
    "digamma": (4, 4),
    "trigamma": (4, 4),
}
GAMMAS = ("lgamma", "digamma", "trigamma")
IN_DOUBLE = {name: getattr(special if name.startswith("erf") else np, name, None) for name in ULP}
IN_DOUBLE |= {  # of positive numbers, and NaN of others
    "lgamma": lambda x: np.where(x >= 0, special.gammaln(x), np.nan),
    "digamma": lambda x: np.where(x > 0, special.psi(x), np.where(x == 0, -np.inf, np.nan)),
    "trigamma": lambda x: np.where(x >= 0, special.zeta(2, np.maximum(x, 1e-300)), np.nan),
}
EXTENDED = np.finfo(np.longdouble).nmant > 60
FLOAT_TYPES = [np.float32, np.float64]


def vector(name, x):
    """The function of every entry; the output is watched for writes past its end."""
    guard = np.full(len(x) + 32, 123.0, dtype=x.dtype)
    out = guard[16 : 16 + len(x)]
    kernels.map_function(name, out, x)
    assert (guard[:16] == 123.0).all()
    assert (guard[16 + len(x) :] == 123.0).all()
    return out.copy()


def float32_sweep():
    """Every 4099th bit pattern: both signs, denormals, infinities, NaN."""
    return np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32).view(np.float32)


def float64_sweep():
    """Both signs of a log-uniform range, and a dense linear one where functions bend."""
    rng = np.random.default_rng(0)
    wide = np.exp2(rng.uniform(-1074, 1024, size=60_000))
    dense = np.concatenate([np.linspace(-50, 50, 60_001), np.linspace(-2, 2, 40_001)])
    near_limits = np.linspace(-750, 715, 20_001)
    near_minus_one = -1 + np.exp2(rng.uniform(-52, 0, size=5_000))
    with np.errstate(under="ignore"):
        return np.concatenate([wide, -wide, dense, near_limits, near_minus_one])


def ulp_error(actual, expected):
    """|actual - expected| over the spacing at the rounded expected; expected in more precision."""
    dtype = actual.dtype
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rounded = expected.astype(dtype)
        spacing = np.spacing(np.abs(rounded)).astype(expected.dtype)
        same = (rounded == actual) | (np.isnan(rounded) & np.isnan(actual))
        error = np.abs(actual.astype(expected.dtype) - expected) / spacing
    return np.where(same, np.minimum(np.nan_to_num(error, nan=0.0, posinf=0.0), 0.5), error)


def check(name, x, expected, bound):
    actual = vector(name, x)
    assert actual.dtype == x.dtype
    assert np.array_equal(np.isnan(actual), np.isnan(expected))
    number = ~np.isnan(actual)
    error = ulp_error(actual[number], expected[number])
    worst = np.argmax(error)
    assert error[worst] <= bound, f"{error[worst]:.2f} ulp at {x[number][worst]!r}"


@pytest.mark.parametrize("name", ULP)
def test_float32_over_its_whole_range(name):
    x = float32_sweep()
    with np.errstate(all="ignore"):
        expected = IN_DOUBLE[name](x.astype(np.float64))
    check(name, x, expected, ULP[name][0])


@pytest.mark.skipif(not EXTENDED, reason="long double is no wider than double here")
@pytest.mark.parametrize(
    "name", [name for name in ULP if not name.startswith("erf") and name not in GAMMAS]
)
def test_float64_over_its_range(name):
    x = float64_sweep()
    with np.errstate(all="ignore"):
        expected = IN_DOUBLE[name](x.astype(np.longdouble))
    check(name, x, expected, ULP[name][1])


@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_float64_error_functions(name):
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-7, 28, 1500), rng.uniform(-1.5, 1.5, 700)])
    x = np.concatenate([x, np.exp2(rng.uniform(-1000, 0, 100)), [0.999, 1.0, 1.001, 26.5]])
    check_with_mpmath(name, x, getattr(mpmath, name))


@pytest.mark.parametrize("name", GAMMAS)
def test_float64_gamma_functions(name):
    """Dense around their zeros and where formulas change, and from the smallest to the largest."""
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(2)
    near = [1.0, 1.4616321449683622, 1.5, 2.0, 2.5, 8.0]
    x = np.concatenate(
        [
            rng.uniform(0, 12, 1200),
            np.exp2(rng.uniform(-1060, 1010, 400)),
            *(at + sign * np.exp2(rng.uniform(-52, -1, 60)) for at in near for sign in (-1, 1)),
            near,
            [5e-324, 1e-310, 0.5],
        ]
    )
    exact = {"lgamma": mpmath.loggamma}.get(name, lambda v: mpmath.psi(int(name == "trigamma"), v))
    if name == "trigamma":  # 1 / x^2 has to be a number
        x = x[(x > 1e-150) & (x < 1e300)]
    check_with_mpmath(name, x[x > 1e-300] if name == "digamma" else x, exact)


def check_with_mpmath(name, x, function):
    import mpmath

    with mpmath.workdps(40):
        exact = [function(mpmath.mpf(float(value))) for value in x]
        nearest = np.array([float(value) for value in exact])
        # what is left after rounding to double, in units of its spacing
        rest = [float(e - mpmath.mpf(float(n))) for e, n in zip(exact, nearest, strict=True)]
    spacing = np.spacing(np.abs(nearest))
    error = np.abs((vector(name, x) - nearest) / spacing - np.array(rest) / spacing)
    worst = np.argmax(error)
    assert error[worst] <= ULP[name][1], f"{error[worst]:.2f} ulp at {x[worst]!r}"


SPECIAL_VALUES = {
    "exp": [(np.inf, np.inf), (-np.inf, 0.0), (0.0, 1.0), (1e5, np.inf), (-1e5, 0.0)],
    "expm1": [(np.inf, np.inf), (-np.inf, -1.0), (0.0, 0.0), (-0.0, -0.0), (-1e5, -1.0)],
    "log": [(np.inf, np.inf), (0.0, -np.inf), (-0.0, -np.inf), (1.0, 0.0), (-1.0, np.nan)],
    "log1p": [(np.inf, np.inf), (-1.0, -np.inf), (0.0, 0.0), (-0.0, -0.0), (-2.0, np.nan)],
    "tanh": [(np.inf, 1.0), (-np.inf, -1.0), (0.0, 0.0), (-0.0, -0.0), (1e5, 1.0)],
    "erf": [(np.inf, 1.0), (-np.inf, -1.0), (0.0, 0.0), (-0.0, -0.0), (1e5, 1.0)],
    "lgamma": [(np.inf, np.inf), (0.0, np.inf), (-0.0, np.inf), (1.0, 0.0), (-1.5, np.nan)],
    "digamma": [(np.inf, np.inf), (0.0, -np.inf), (-1.0, np.nan), (-np.inf, np.nan)],
    "trigamma": [(np.inf, 0.0), (0.0, np.inf), (-1.0, np.nan), (-np.inf, np.nan)],
    "erfc": [(np.inf, 0.0), (-np.inf, 2.0), (0.0, 1.0), (1e5, 0.0), (-1e5, 2.0)],
}


@pytest.mark.parametrize("dtype", FLOAT_TYPES)
@pytest.mark.parametrize("name", ULP)
def test_special_values(name, dtype):
    x, expected = np.array([*SPECIAL_VALUES[name], (np.nan, np.nan)], dtype=dtype).T.copy()
    actual = vector(name, x)
    np.testing.assert_array_equal(actual, expected)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(actual[number]), np.signbit(expected[number]))


@pytest.mark.parametrize("dtype", FLOAT_TYPES)
@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_odd_and_bounded(name, dtype):
    x = float32_sweep()
    x = x[~np.isnan(x)].astype(dtype)
    y = vector(name, x)
    np.testing.assert_array_equal(vector(name, -x), -y)
    assert np.abs(y).max() == 1.0


@pytest.mark.parametrize("dtype", FLOAT_TYPES)
@pytest.mark.parametrize("name", ULP)
def test_tails_of_every_length_and_alignment(name, dtype, rng):
    x = rng.uniform(0.1, 3.0, size=90).astype(dtype)
    expected = vector(name, x)
    for n in range(71):
        start = n % 17
        np.testing.assert_array_equal(
            vector(name, x[start : start + n]), expected[start : start + n]
        )


# --- activations ----------------------------------------------------------------------------------

PARAMETERS = {"leaky_relu": {"eps": 0.2}, "elu": {"alpha": 0.6}}


def test_the_oracle_knows_every_row():
    """A row added to a table of the C core needs its line in reference.py."""
    assert set(kernels.ACTIVATIONS) == {*reference.ACTIVATIONS, "softmax"}
    likelihoods, many = reference.LIKELIHOODS, reference.MANY
    assert set(kernels.LOSSES) == {*reference.LOSSES, *likelihoods, *many, "log_loss"}
    assert set(kernels.FUNCTIONS) == set(ULP)
    assert set(kernels.UPDATES) == {"sgd", "nesterov", "adam"}
    flat = {name for name, row in kernels.LOSSES.items() if row["curvature"] == "FLAT"}
    assert flat == set(reference.FLAT_LOSSES)
    pairs = {name for name, row in kernels.LOSSES.items() if row["raws"] == 2}
    assert pairs == set(likelihoods)
    assert {name for name, row in kernels.LOSSES.items() if row["counted"]} == set(many)


def activation(name, z):
    param = np.zeros(2)
    param[: len(PARAMETERS.get(name, {}))] = list(PARAMETERS.get(name, {}).values())
    return kernels.activation_values(name, param, z)


@pytest.mark.parametrize("dtype", FLOAT_TYPES)
@pytest.mark.parametrize("name", reference.ACTIVATIONS)
def test_activations_agree_with_the_oracle(name, dtype, rng):
    z = np.concatenate([rng.normal(size=2000) * 4, np.linspace(-40, 40, 401), [0.0, -0.0, 1e-30]])
    z = z.astype(dtype)
    params = PARAMETERS.get(name, {})
    expected = reference.ACTIVATIONS[name](z.astype(float), **params)
    actual = activation(name, z.copy())
    # A value keeps its relative precision, but for the rounding of z that its slope magnifies;
    # slope and curvature only have to be exact on the scale of the activation: 1 - a^2 near a = 1.
    value, slope, curv = (np.abs(x) for x in expected)
    z = np.abs(z.astype(float))
    scale = 1 + (value if name == "exp" else 0)
    bounds = (value + z * slope, scale, scale)
    for which, ours, theirs, bound in zip(
        ("value", "slope", "curv"), actual, expected, bounds, strict=True
    ):
        info = np.finfo(dtype)
        excess = np.abs(ours - theirs) - 24 * (info.eps * bound + info.smallest_subnormal)
        assert excess.max() <= 0, f"{which} at z = {z[np.argmax(excess)]}"


@pytest.mark.parametrize("dtype", FLOAT_TYPES)
@pytest.mark.parametrize("name", reference.ACTIVATIONS)
def test_activations_stay_finite(name, dtype):
    z = np.array([-1e4, -800.0, -100.0, 0.0, 100.0, 800.0, 1e4], dtype=dtype)
    for result in activation(name, z):
        assert np.isfinite(result).all()
