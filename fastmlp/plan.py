"""How a network is swept: the product of each layer, the rows of a tile, the threads.

Weights that fit the caches are multiplied by tiles of the project's own, on panels; larger ones by
BLAS; those of a first layer of sparse rows by the entries that these store. How large they may be,
and how many rows go through all layers together, depends on the work.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

from fastmlp._core.team import LARGEST_TEAM
from fastmlp._names import shown, unknown
from fastmlp._numbers import check_integer
from fastmlp._sizes import MOST_FOR_BLAS

PRODUCTS = ("panels", "blas", "csr")  # in the order of their codes in _core/tape.pxd
MATRICES = ("rows", "pairs")

# Bytes of a tile's activations, so that they stay in the caches and still feed the products well.
_TILE_BYTES = 96 << 10
_BLAS_TILE_BYTES = 4 << 20
_RESIDUAL_BYTES = 16 << 20

# Rows of the Jacobian cost n_raw n_params^2 each, sums by layer pairs about n_params^2 however
# many outputs there are, but with more done outside of BLAS: worth it from here on.
_LEAST_RAW_FOR_PAIRS = 3


# An entry of a sparse row costs as much as so many of a dense one (10 GFLOP/s on rows of W that lie
# anywhere, 150 on tiles); up to this share of entries their products are cheaper.
_SPARSE_SHARE = 1 / 16


class _Work(NamedTuple):
    panel_bytes: int  # the largest W~ of a layer on panels
    tile: int | None  # rows; None: as many as the caches hold


# Measured for batches with `python -m bench` at 256 KB (1.2 times BLAS), 0.5 MB (1.1), 1.6 MB (1.1)
# and 3.2 MB (0.85). In sweeps over all rows BLAS has tall matrices and maybe several threads.
_WORK = {
    "batch": _Work(2 << 20, None),
    "rows": _Work(64 << 10, None),
    "curvature": _Work(2 << 20, 256),
    "jacobian": _Work(2 << 20, 256),
    "prediction": _Work(2 << 20, 48),
}


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a network is swept; what is None is decided by the sizes, for each kind of work.

    Parameters
    ----------
    products : str or sequence of str, optional
        "panels" or "blas", for all layers or for each; "csr" for the first layer of sparse rows.
    tile : int, optional
        Rows that go through all layers together, at most.
    threads : int, optional
        So many shares of each batch and of each sweep over all rows, whatever that is worth; at
        most one per row.
    matrix : {"rows", "pairs"}, optional
        Whether Gauss-Newton matrices are summed over the rows of a Jacobian or by pairs of layers.

    Raises
    ------
    ValueError, TypeError
        A name is unknown, or a number is out of range: a team has at most 64 threads.

    Examples
    --------
    >>> from fastmlp.plan import Plan
    >>> Plan("panels", tile=32).for_work([784, 512, 10], 4, "batch")
    Plan(products=('panels', 'panels'), tile=32, threads=None, matrix='pairs')
    >>> Plan().for_work([784, 512, 10], 8, "batch").products
    ('blas', 'panels')
    """

    products: str | Sequence[str] | None = None
    tile: int | None = None
    threads: int | None = None
    matrix: str | None = None

    def __post_init__(self):
        if self.products is not None and not isinstance(self.products, str):
            object.__setattr__(self, "products", tuple(self.products))
        for product in (self.products,) if isinstance(self.products, str) else self.products or ():
            if product not in PRODUCTS:
                raise ValueError(unknown("product", product, PRODUCTS))
        if self.products == "csr" or "csr" in (self.products or ())[1:]:
            raise ValueError("Product 'csr' is for the first layer alone: name one for each layer.")
        if self.matrix is not None and self.matrix not in MATRICES:
            raise ValueError(unknown("matrix", self.matrix, MATRICES))
        if self.tile is not None:
            check_integer("tile", self.tile, 1, MOST_FOR_BLAS)
        if self.threads is not None:
            check_integer("threads", self.threads, 1, LARGEST_TEAM)

    def check(self, widths: Sequence[int]) -> None:
        """Raise ValueError unless the plan fits a network of these widths."""
        if isinstance(self.products, tuple) and len(self.products) != len(widths) - 1:
            raise ValueError(
                f"A plan with {len(self.products)} products does not fit a network of "
                f"{len(widths) - 1} layers."
            )

    def for_work(
        self, widths: Sequence[int], itemsize: int, work: str, sparse: bool = False
    ) -> Plan:
        """The plan with nothing left open but threads.

        Parameters
        ----------
        widths : sequence of int
            n_features, hidden widths, n_raw.
        itemsize : int
            Bytes of a number.
        work : {"batch", "rows", "curvature", "jacobian", "prediction"}
            Mini-batches; values and gradients over all rows; derivatives beyond; those that need
            whole rows of X; a predictor's.
        sparse : bool
            Whether rows of X are better multiplied by the entries that they store.
        """
        panel_bytes, tile = _WORK[work]
        sizes = [(a + 1) * b * itemsize for a, b in zip(widths, widths[1:], strict=False)]
        by_size = tuple(PRODUCTS[size > panel_bytes] for size in sizes)
        products = self.products
        if products is None:
            products = ("csr", *by_size[1:]) if sparse else by_size
        elif isinstance(products, str):
            products = (products,) * (len(widths) - 1)
        if products[0] == "csr":
            if work == "jacobian":
                products = (by_size[0], *products[1:])
            else:
                widths = widths[1:]
        if tile is None or "blas" in products:
            tile = _rows(widths, itemsize, "blas" in products)
        matrix = "rows" if widths[-1] < _LEAST_RAW_FOR_PAIRS else "pairs"
        return Plan(products, self.tile or tile, self.threads, self.matrix or matrix)

    @property
    def calls_blas(self) -> bool:
        """Whether some layer of a plan with products is multiplied by BLAS."""
        return "blas" in self.products

    @property
    def codes(self) -> list[int]:
        """The products as a tape takes them."""
        return [PRODUCTS.index(product) for product in self.products]


def can_stay_sparse(X: Any, scales: Any) -> bool:
    """Whether X, as ``check_rows`` returns it, is sparse as the network sees it: not centred."""
    return isinstance(X, tuple) and (scales is None or not scales[0].any())


def better_sparse(X: Any, scales: Any) -> bool:
    """Whether that is worth a product of its own."""
    if not can_stay_sparse(X, scales):
        return False
    data, _, _, (n_samples, n_features) = X
    return data.size <= _SPARSE_SHARE * n_samples * n_features


def plan_of(given: Any, widths: Sequence[int]) -> Plan:
    """A user's plan, checked against the network's widths; None: all by the sizes."""
    if given is None:
        return Plan()
    if not isinstance(given, Plan):
        raise TypeError(f"plan must be a Plan, got {shown(given)}.")
    given.check(widths)
    return given


def _rows(widths: Sequence[int], itemsize: int, by_blas: bool) -> int:
    """Rows of a tile that goes through all layers while its activations stay close."""
    total, widest = sum(widths), max(widths)
    if by_blas:
        return int(min(2048, max(128, _BLAS_TILE_BYTES // (2 * itemsize * (total + widest)))))
    return int(min(256, max(32, _TILE_BYTES // (itemsize * (total + widest)))))


def residual_rows(widths: Sequence[int], depth: int) -> int:
    """Rows of a tile that keeps so many deltas per row in every layer, in float64."""
    return int(max(1, _RESIDUAL_BYTES // (8 * depth * sum(widths))))


def pair_rows(widths: Sequence[int]) -> int:
    """Rows of a tile whose products of pairs of units stay within some tens of megabytes."""
    return int(max(1, min(256, (1 << 22) // (6 * (max(widths) + 1) ** 2))))
