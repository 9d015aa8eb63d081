"""What every predictive distribution answers; families fill in formulas."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastmlp._numbers import check_integer
from fastmlp.distributions import _exchange
from fastmlp.distributions._parameters import LEVEL, PROBABILITY, check, generator, numbers
from fastmlp.distributions._rows import Rows


class Distribution(Rows):
    """The predictive distributions of many rows, one for each entry of ``shape``.

    All families have the methods below. ``shape`` is (n,), or (n, n_targets) for several targets,
    which are independent; ``dist[key]`` picks rows as NumPy does, and ``dist[3]`` is the
    distribution of one row, whose answers are numbers.

    Arguments ``y`` and ``q`` broadcast against ``shape``: an array of that shape holds a value for
    each row, a number is meant for all rows. For a grid, ``dist[:, None].pdf(grid)`` has shape
    (n, len(grid)). An array of *more* dimensions must end with ``shape``, as what ``sample``
    returns does: a column of n targets would otherwise make n x n numbers.

    A family of one's own derives from this class, gives its parameters to ``_set`` and defines
    ``_logpdf``, ``_cdf``, ``_ppf``, ``_mean`` and ``_var`` on arrays that broadcast; ``_crps``,
    ``_mode`` and ``_sample`` have general answers.

    Attributes
    ----------
    discrete : bool
        Whether ``pdf`` is the probability of a value, not a density.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.distributions import Normal
    >>> dist = Normal(loc=[0.0, 1.0, 2.0], scale=[1.0, 1.0, 0.5])
    >>> dist.shape, dist[2].mean()
    ((3,), 2.0)
    >>> dist[1:].cdf([1.0, 2.0])
    array([0.5, 0.5])
    >>> dist[:, None].pdf(np.linspace(-1, 3, 5)).shape
    (3, 5)
    """

    discrete: ClassVar[bool] = False

    def pdf(self, y: Any) -> Any:
        """The density at y, or the probability of y for discrete families.

        Parameters
        ----------
        y : array-like
            Values that broadcast against ``shape``.

        Returns
        -------
        ndarray or float
            At least 0; 0 outside the support.

        Raises
        ------
        ValueError
            y holds NaN or its shape does not fit.
        TypeError
            y is not made of real numbers.

        Examples
        --------
        >>> from fastmlp.distributions import Normal
        >>> Normal([0.0, 1.0], 1.0).pdf(0.0).round(4)
        array([0.3989, 0.242 ])
        """
        return self._evaluate("_pdf", "y", self._argument("y", y))

    def logpdf(self, y: Any) -> Any:
        """The logarithm of ``pdf``, also where that underflows.

        Parameters
        ----------
        y : array-like
            Values that broadcast against ``shape``.

        Returns
        -------
        ndarray or float
            -inf outside the support.

        Raises
        ------
        ValueError
            y holds NaN or its shape does not fit.
        TypeError
            y is not made of real numbers.

        Examples
        --------
        >>> from fastmlp.distributions import Normal
        >>> round(Normal(0.0, 1.0).logpdf(50.0), 4)
        -1250.9189
        """
        return self._evaluate("_logpdf", "y", self._argument("y", y))

    def cdf(self, y: Any) -> Any:
        """The probability of values up to y.

        Parameters
        ----------
        y : array-like
            Values that broadcast against ``shape``.

        Returns
        -------
        ndarray or float
            From 0 to 1.

        Raises
        ------
        ValueError
            y holds NaN or its shape does not fit.
        TypeError
            y is not made of real numbers.

        Examples
        --------
        >>> from fastmlp.distributions import Normal
        >>> Normal([0.0, 1.0], 1.0).cdf([0.0, 1.0])
        array([0.5, 0.5])
        """
        found = self._evaluate("_cdf", "y", self._argument("y", y))
        return np.clip(found, 0, 1) if isinstance(found, np.ndarray) else min(max(found, 0.0), 1.0)

    def ppf(self, q: Any) -> Any:
        """The quantile of level q: the least value of the support whose ``cdf`` reaches q.

        Parameters
        ----------
        q : array-like
            Levels from 0 to 1 that broadcast against ``shape``.

        Returns
        -------
        ndarray or float
            The ends of the support for the levels 0 and 1.

        Raises
        ------
        ValueError
            A level is out of range, or the shape does not fit.
        TypeError
            q is not made of real numbers.

        Examples
        --------
        >>> from fastmlp.distributions import Poisson
        >>> Poisson([1.0, 10.0]).ppf(0.5)
        array([ 1., 10.])
        """
        q = self._argument("q", q)
        check("q", q, PROBABILITY)
        return self._evaluate("_ppf", "q", q)

    def quantiles(self, q: Any) -> np.ndarray:
        """Several quantiles of every row.

        Parameters
        ----------
        q : array-like of shape (m,)
            Levels from 0 to 1, the same for all rows.

        Returns
        -------
        ndarray of shape (..., m)
            One column for each level.

        Raises
        ------
        ValueError
            A level is out of range, or q has more than one dimension.
        TypeError
            q is not made of real numbers.

        Examples
        --------
        >>> from fastmlp.distributions import Normal
        >>> Normal([0.0, 1.0], 1.0).quantiles([0.25, 0.5, 0.75]).shape
        (2, 3)
        """
        q = np.atleast_1d(self._argument("q", q))
        if q.ndim != 1:
            raise ValueError(f"q must have one dimension, got shape {q.shape}.")
        return self[..., None].ppf(q)

    def interval(self, coverage: float = 0.9) -> tuple[Any, Any]:
        """The central interval that holds a given probability.

        Parameters
        ----------
        coverage : float, default=0.9
            Strictly between 0 and 1.

        Returns
        -------
        lower, upper : ndarray or float
            The quantiles of levels (1 - coverage) / 2 and (1 + coverage) / 2.

        Raises
        ------
        ValueError
            The coverage is out of range.
        TypeError
            The coverage is no real number.

        Examples
        --------
        >>> from fastmlp.distributions import Laplace
        >>> lower, upper = Laplace(0.0, 1.0).interval(0.5)
        >>> round(lower, 4), round(upper, 4)
        (-0.6931, 0.6931)
        """
        coverage = self._argument("coverage", coverage)
        if coverage.ndim:
            raise ValueError(f"coverage must be one number, got shape {coverage.shape}.")
        check("coverage", coverage, LEVEL)
        return self.ppf((1 - coverage) / 2), self.ppf((1 + coverage) / 2)

    def mean(self) -> Any:
        """The mean of every row.

        Returns
        -------
        ndarray or float
            Infinite or NaN where the family has none (Student's t of df <= 1).

        Examples
        --------
        >>> from fastmlp.distributions import Gamma
        >>> Gamma(a=[2.0, 3.0], scale=0.5).mean()
        array([1. , 1.5])
        """
        return self._evaluate("_mean")

    def var(self) -> Any:
        """The variance of every row.

        Returns
        -------
        ndarray or float
            Infinite where it does not exist.

        Examples
        --------
        >>> from fastmlp.distributions import Laplace
        >>> Laplace(0.0, 1.0).var()
        2.0
        """
        return self._evaluate("_var")

    def std(self) -> Any:
        """The standard deviation of every row.

        Returns
        -------
        ndarray or float
            The square root of ``var``.

        Examples
        --------
        >>> from fastmlp.distributions import Normal
        >>> Normal([0.0, 1.0], 3.0).std()
        array([3., 3.])
        """
        return self._evaluate("_std")

    def median(self) -> Any:
        """The median of every row: its quantile of level 1/2.

        Returns
        -------
        ndarray or float
            The best guess under absolute error.

        Examples
        --------
        >>> from fastmlp.distributions import LogNormal
        >>> LogNormal(mu=0.0, sigma=1.0).median()
        1.0
        """
        return self.ppf(0.5)

    def mode(self) -> Any:
        """The place of the largest density, the least one where several are as large.

        Returns
        -------
        ndarray or float
            The most probable value for discrete families.

        Examples
        --------
        >>> from fastmlp.distributions import Gamma
        >>> Gamma(a=3.0, scale=2.0).mode()
        4.0
        """
        return self._evaluate("_mode")

    def square_integral(self) -> Any:
        """The integral of the squared density (a sum for discrete families).

        Returns
        -------
        ndarray or float
            What the density spends on itself in the CDE loss; infinite for a density with a pole
            that is too strong.

        Examples
        --------
        >>> from fastmlp.distributions import Laplace
        >>> Laplace(0.0, 1.0).square_integral()
        0.25
        """
        return self._evaluate("_square_integral")

    def crps(self, y: Any) -> Any:
        """The continuous ranked probability score of every row: the lower the better.

        CRPS(F, y) = integral of (F(x) - 1{y <= x})^2 dx = E|Y - y| - E|Y - Y'| / 2 [1]_, in the
        unit of y; the absolute error, if all probability is in one point.

        Parameters
        ----------
        y : array-like
            Observed values that broadcast against ``shape``; finite.

        Returns
        -------
        ndarray or float
            At least 0; infinite where the mean does not exist.

        Raises
        ------
        ValueError
            y holds NaN or infinity, or its shape does not fit.
        TypeError
            y is not made of real numbers.

        References
        ----------
        .. [1] Gneiting, T. and Raftery, A. E. (2007), Strictly proper scoring rules, prediction,
           and estimation. JASA 102. Closed forms: Jordan, A., Krueger, F. and Lerch, S. (2019),
           Evaluating probabilistic forecasts with scoringRules. J. Stat. Softw. 90.

        Examples
        --------
        >>> from fastmlp.distributions import Normal
        >>> Normal([0.0, 0.0], [1.0, 2.0]).crps([0.0, 0.0]).round(4)
        array([0.2337, 0.4674])
        """
        y = self._argument("y", y)
        check("y", y, ("finite", np.isfinite))
        return self._evaluate("_crps", "y", y)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw from every row.

        Parameters
        ----------
        n_samples : int, default=1
            Draws of each row.
        random_state : None, int, Generator or RandomState, default=None
            Where randomness comes from.

        Returns
        -------
        ndarray of shape (n_samples, ...)
            One draw of all rows after the other.

        Raises
        ------
        ValueError
            ``n_samples`` is less than 1.
        TypeError
            An argument of another kind.

        Examples
        --------
        >>> from fastmlp.distributions import Poisson
        >>> Poisson([1.0, 10.0, 100.0]).sample(5, random_state=0).shape
        (5, 3)
        """
        n_samples = check_integer("n_samples", n_samples)
        rng = generator(random_state)
        with np.errstate(all="ignore"):
            return self._sample(rng, (n_samples, *self._shape))

    def affine(self, shift: Any = 0.0, scale: Any = 1.0) -> Distribution:
        """The distribution of shift + scale Y, for a model that was trained in other units.

        Parameters
        ----------
        shift : array-like, default=0.0
            Finite; broadcasts against ``shape``.
        scale : array-like, default=1.0
            Positive.

        Returns
        -------
        Distribution
            Of the same family.

        Raises
        ------
        ValueError
            A scale that is not positive; the family does not stay the same (counts, classes, beta;
            a shift of a log-normal or a gamma).
        TypeError
            An argument is not made of real numbers.

        Examples
        --------
        >>> from fastmlp.distributions import Normal
        >>> dist = Normal(0.5, 2.0).affine(shift=10.0, scale=3.0)
        >>> dist.mean(), dist.std()
        (11.5, 6.0)
        """
        shift, scale = numbers("shift", shift), numbers("scale", scale)
        check("shift", shift, ("finite", np.isfinite))
        check("scale", scale, ("positive and finite", lambda v: (v > 0) & (v < np.inf)))
        name = type(self).__name__
        if not self._located and not self._scaled and not np.all((shift == 0) & (scale == 1)):
            raise ValueError(f"{name} is not closed under shift and scale.")
        if not self._located and np.any(shift != 0):
            raise ValueError(f"{name} can be scaled, but not shifted.")
        return self._affine(shift, scale)

    def _affine(self, shift: np.ndarray, scale: np.ndarray) -> Distribution:
        def change(name, value):
            a, b = (shift[..., None], scale[..., None]) if name in self._events else (shift, scale)
            if name in self._located:
                return a + b * _compact(value)
            return b * _compact(value) if name in self._scaled else value

        return self._map(change)._broadcast(
            np.broadcast_shapes(self._shape, shift.shape, scale.shape)
        )

    # -- other people's forms --------------------------------------------------

    def frozen(self) -> Any:
        """SciPy's frozen distribution with the same parameters.

        Returns
        -------
        scipy.stats frozen distribution
            Vectorised over ``shape`` as this one is.

        Raises
        ------
        NotImplementedError
            SciPy has no such family that is vectorised over rows (mixture, histogram, quantiles,
            categorical).

        Examples
        --------
        >>> from fastmlp.distributions import StudentT
        >>> float(StudentT(df=4.0, loc=0.0, scale=1.0).frozen().sf(0.0))
        0.5
        """
        from scipy import stats

        name, arguments = self._scipy()
        return getattr(stats, name)(**arguments)

    def _scipy(self) -> tuple[str, dict[str, np.ndarray]]:
        raise NotImplementedError(f"SciPy has no {type(self).__name__} of many rows.")

    def to_bins(self, edges: Any = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Probabilities of bins, as ScoringBench's ``DistributionPrediction`` takes them.

        Parameters
        ----------
        edges : array-like of shape (n_bins + 1,) or (..., n_bins + 1), optional
            Increasing. What lies outside is added to the outermost bins. By default a histogram's
            own; 200 bins of each row between its quantiles of levels 1e-6 and 1 - 1e-6, narrow
            where the density is high; for discrete families one bin around each value.

        Returns
        -------
        probas : ndarray of shape (..., n_bins)
            They sum to 1 in each row.
        bin_edges : ndarray of shape (n_bins + 1,) or (..., n_bins + 1)
            The edges.
        bin_midpoints : ndarray
            Halfway between them.

        Raises
        ------
        ValueError
            Edges that do not increase or whose shape does not fit.
        TypeError
            Edges that are not real numbers.

        References
        ----------
        .. [1] ScoringBench, arXiv:2603.29928.

        Examples
        --------
        >>> from fastmlp.distributions import Normal
        >>> probas, edges, midpoints = Normal([0.0, 1.0], 1.0).to_bins([-10, 0, 1, 10])
        >>> probas.round(3)
        array([[0.5  , 0.341, 0.159],
               [0.159, 0.341, 0.5  ]])
        """
        edges = self._edges() if edges is None else edges
        return _exchange.bins(self, edges)

    def _edges(self) -> np.ndarray:
        return _exchange.edges(self)

    def to_qp_tables(self) -> dict[str, dict[str, np.ndarray]]:
        """The tables of LSST's qp format, which ``qp.from_tables`` and its file formats read.

        Normal, Student's t, Laplace, log-normal, gamma and beta are qp's families of SciPy's names;
        mixtures are its ``mixmod``, quantiles its ``quant``, all else its ``hist``.

        Returns
        -------
        dict
            "meta" with the family's name, its version and what all rows share; "data" with arrays
            of n rows.

        Raises
        ------
        ValueError
            Several targets: qp has one, take ``dist[:, j]``. Histograms whose rows have bins of
            their own: ``rebin`` them.

        References
        ----------
        .. [1] Malz, A. I. et al. (2018), Approximating photo-z PDFs for large surveys. AJ 156.

        Examples
        --------
        >>> from fastmlp.distributions import Normal
        >>> tables = Normal([0.0, 1.0], 0.1).to_qp_tables()
        >>> tables["meta"]["pdf_name"], tables["data"]["loc"].shape
        (array([b'norm'], dtype='|S4'), (2, 1))
        """
        return _exchange.qp_tables(self)

    def _qp(self) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
        """Name, shared entries and rows of qp's family; those of a histogram by default."""
        if not self.discrete:
            name, rows = self._scipy()
            return name, {}, {key: value[:, None] for key, value in rows.items()}
        probas, edges, _ = self.to_bins()
        return "hist", {"bins": edges}, {"pdfs": probas / np.diff(edges)}

    def to_qp(self) -> Any:
        """An ensemble of LSST's qp package, which has to be installed (``pip install qp-prob``).

        Returns
        -------
        qp.Ensemble
            With a density for each row.

        Raises
        ------
        ImportError
            qp is not installed.
        ValueError
            As ``to_qp_tables``.

        Examples
        --------
        >>> from fastmlp.distributions import Normal
        >>> ensemble = Normal([0.0, 1.0], 0.1).to_qp()  # doctest: +SKIP
        >>> ensemble.npdf  # doctest: +SKIP
        2
        """
        try:
            import qp
        except ImportError:
            raise ImportError("to_qp needs the package qp: pip install qp-prob") from None
        return qp.from_tables(self.to_qp_tables())

    # -- general answers -------------------------------------------------------

    def _pdf(self, y: np.ndarray) -> np.ndarray:
        return np.exp(self._logpdf(y))

    def _std(self) -> np.ndarray:
        return np.sqrt(self._var())

    def _sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return np.asarray(self._evaluate("_ppf", "q", rng.random(shape)))

    def _crps(self, y: np.ndarray) -> np.ndarray:
        return _exchange.crps_by_quantiles(self, y)


def _compact(value: np.ndarray) -> np.ndarray:
    """Axes that repeat one entry, cut to length 1."""
    pairs = zip(value.strides, value.shape, strict=True)
    repeats = [stride == 0 and size > 1 for stride, size in pairs]
    return value[tuple(slice(0, 1) if again else slice(None) for again in repeats)]
