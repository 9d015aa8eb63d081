"""Hypothesis strategies for what no caller should pass, mixed with what a caller may.

``one_in(k, good, bad)`` draws something bad once in k times: a call all of whose arguments are bad
ends at the first check.
"""

import warnings

import numpy as np
from hypothesis import strategies as st
from scipy import sparse

NUMBERS = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        7,
        0.5,
        1.0,
        -0.5,
        1e-320,
        1e300,
        -1e300,
        10**400,
        -(10**400),
    ),
    *(float("nan"), float("inf"), -float("inf"), 2**31, 2**32 + 1, 2**63 - 1, 2**63, 2**64),
    *(np.float32(0.25), np.int8(3), np.bool_(True), np.longdouble("1e4000"), 1j, "auto", "1", b"1"),
]
THINGS = [(), [], {}, [1.0], (1, 2), {1}, object(), len, float, np.array(1.0), np.array([2.0]), "x"]
# Sizes that fail at once; those in between would be tried.
SIZES = [0, -1, 1, 3, 2.0, 2**40, 2**62, 2**63, 10**30, 10**5000, None, "3", True, float("nan")]


def one_in(k, good, bad):
    """Something good, or once in k times something bad."""
    return st.integers(1, k).flatmap(lambda n: bad if n == k else good)


anything = st.sampled_from(NUMBERS + THINGS)


@st.composite
def arrays(draw, *shape, values=None):
    """A small array of about this shape, tame or not, in any form that NumPy or Python has."""
    seed = draw(st.integers(0, 9))
    rng = np.random.default_rng(seed)
    array = rng.normal(size=shape) if values is None else rng.choice(values, size=shape)
    array = array.astype(np.float64)
    array = draw(one_in(6, st.just(array), other_shapes(array)))
    if array.size and draw(st.integers(1, 8)) == 8:
        extremes = [np.nan, np.inf, -np.inf, 1e300, -1e300, 1e-320, 1e30]
        array = array.copy()
        array.flat[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from(extremes))
    with np.errstate(all="ignore"):
        return draw(st.sampled_from(FORMS))(array)


def other_shapes(array):
    """The array with rows, columns or axes that are too many or too few."""
    if not array.ndim:
        return st.just(array[np.newaxis])
    return st.sampled_from(
        [
            array[:-1],
            array[..., :-1],
            array[:0],
            array[..., :0],
            array[np.newaxis],
            array[..., np.newaxis],
            array.ravel(),
            array.T,
            np.concatenate([array, array]),
            np.float64(1.0) * array.sum(),
        ]
    ).map(np.asarray)


def strided(a):
    wide = np.full([2 * n + 1 for n in a.shape], np.nan)
    part = wide[(..., *(slice(1, None, 2) for _ in a.shape))]  # without axes, an array still
    part[...] = a
    return part


def unaligned(a):
    view = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


FORMS = [
    *(lambda a: a,) * 8,
    np.asfortranarray,
    strided,
    unaligned,
    read_only,
    lambda a: np.flip(a.copy()),
    lambda a: np.broadcast_to(a[:1], a.shape) if a.ndim and len(a) else a,
    *(
        lambda a, dtype=dtype: a.astype(dtype)
        for dtype in ("f4", ">f8", "f2", "g", "i8", "u1", "?")
    ),
    *(lambda a, dtype=dtype: a.astype(dtype) for dtype in ("O", "c16", "U8", "M8[s]")),
    lambda a: a.tolist(),
    lambda a: np.ma.masked_array(a),
    lambda a: a.astype([("x", "f8")]),
]


@st.composite
def matrices(draw, rows, columns):
    """A dense array as above, or a sparse matrix, which may be broken."""
    if draw(st.integers(0, 2)):
        return draw(arrays(rows, columns))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    dense = rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < 0.6)
    container = draw(st.sampled_from([sparse.csr_matrix, sparse.csr_array]))
    forms = ["csr", "csr", "csc", "coo", "bsr", "dia", "lil", "dok"]
    X = container(dense.astype(draw(st.sampled_from(["f8", "f4", "i4", "?", "c16"]))))
    X = X.asformat(draw(st.sampled_from(forms)))
    if draw(st.integers(1, 3)) == 3:
        names = {"csr": ("indices", "indptr", "data"), "coo": ("row", "col", "data")}
        names = names.get({"csc": "csr", "bsr": "csr"}.get(X.format, X.format), ())
        for name in names[: draw(st.integers(0, len(names)))]:
            damage(draw, X, name)
    return X


def damage(draw, X, name):
    """One of a sparse matrix's arrays, changed as its constructor would not let it be."""
    part = getattr(X, name).copy()
    how = draw(
        st.sampled_from(["entry", "entry", "entry", "shorter", "longer", "i8", "f8", "empty"])
    )
    if how == "entry" and part.size:
        bad = st.sampled_from([-1, 1, 2, 5, 100, 10**6, 2**31 - 1, -(2**31)])
        part.flat[draw(st.integers(0, part.size - 1))] = draw(bad)
    elif how == "shorter":
        part = part[:-1]
    elif how == "longer":
        part = np.concatenate([part, part])
    elif how in ("i8", "f8"):
        part = part.real.astype(how)
    elif how == "empty":
        part = part[:0]
    with warnings.catch_warnings():  # SciPy's, of what it makes of the new array
        warnings.simplefilter("ignore")
        setattr(X, name, part)
