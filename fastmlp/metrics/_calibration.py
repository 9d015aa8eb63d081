"""Calibration: whether what is given p comes about in a share p of the cases."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import integrate, special

from fastmlp._names import check_choice
from fastmlp._numbers import check_integer
from fastmlp.distributions import Distribution
from fastmlp.distributions._parameters import PROBABILITY, check, generator, numbers, simplex
from fastmlp.metrics._checks import finite, judged, level_array, weights


def pit(y_true: Any, dist: Distribution, *, random_state: Any = None) -> np.ndarray:
    """The probability integral transform F(y): uniform on (0, 1) for calibrated predictions.

    For discrete families F steps over a whole range at y; a number is drawn evenly from it [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, n_targets)
        What was observed.
    dist : Distribution
        Predictions, of that shape.
    random_state : None, int, Generator or RandomState, default=None
        Where randomness comes from, for discrete families.

    Returns
    -------
    ndarray of the shape of ``dist``
        From 0 to 1.

    Raises
    ------
    ValueError
        Shapes differ or a target is not finite.
    TypeError
        ``dist`` is no distribution, or an array holds no real numbers.

    References
    ----------
    .. [1] Czado, C., Gneiting, T. and Held, L. (2009), Predictive model assessment for count data.
       Biometrics 65.

    Examples
    --------
    >>> from fastmlp.distributions import Normal
    >>> from fastmlp.metrics import pit
    >>> pit([0.0, 3.0], Normal([0.0, 1.0], scale=1.0)).round(3)
    array([0.5  , 0.977])
    """
    y = judged(y_true, dist)
    level = dist.cdf(y)
    if dist.discrete:
        level = level - generator(random_state).random(y.shape) * dist.pdf(y)
    return np.clip(level, 0, 1)


class TestResult(NamedTuple):
    """A test of uniformity.

    Parameters
    ----------
    statistic : float
        The larger, the further from uniform.
    pvalue : float
        The probability of so large a statistic, if the numbers are uniform.

    Examples
    --------
    >>> from fastmlp.metrics import pit_tests
    >>> pit_tests([0.1, 0.3, 0.5, 0.7, 0.9])["ks"].pvalue > 0.99
    True
    """

    __test__ = False  # no test of pytest's
    statistic: float
    pvalue: float


def pit_tests(pit: Any) -> dict[str, TestResult]:
    """Three tests of whether transforms are uniform, and so the predictions calibrated.

    Parameters
    ----------
    pit : array-like
        What ``pit`` returns; all entries count alike.

    Returns
    -------
    dict of str to TestResult
        "ks" (Kolmogorov and Smirnov: the largest gap) and "cvm" (Cramer and von Mises: the mean
        squared gap) by SciPy; "ad" (Anderson and Darling: the same, with weight on the tails), its
        p-value in the limit of many rows [1]_, good from about ten on.

    Raises
    ------
    ValueError
        Fewer than 2 entries, or one that is not from 0 to 1.
    TypeError
        No real numbers.

    References
    ----------
    .. [1] Anderson, T. W. and Darling, D. A. (1952), Asymptotic theory of certain goodness of fit
       criteria based on stochastic processes. Ann. Math. Stat. 23.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.metrics import pit_tests
    >>> tests = pit_tests(np.random.default_rng(0).random(1000) ** 1.5)
    >>> [name for name, test in tests.items() if test.pvalue < 0.01]
    ['ks', 'cvm', 'ad']
    """
    from scipy import stats

    u = finite("pit", pit).ravel()
    check("pit", u, PROBABILITY)
    if len(u) < 2:
        raise ValueError("pit must hold at least 2 entries, got 1.")
    ks, cvm = stats.kstest(u, "uniform"), stats.cramervonmises(u, "uniform")
    # F(y) of a far outlier is rounded to 0 or 1, whose logarithm would be infinite.
    u = np.clip(np.sort(u), np.finfo(float).tiny, 1 - np.finfo(float).epsneg)
    rank = 2 * np.arange(len(u)) + 1
    statistic = -len(u) - (rank * (np.log(u) + np.log1p(-u[::-1]))).mean()
    return {
        "ks": TestResult(float(ks.statistic), float(ks.pvalue)),
        "cvm": TestResult(float(cvm.statistic), float(cvm.pvalue)),
        "ad": TestResult(float(statistic), _anderson_darling_tail(float(statistic))),
    }


def _anderson_darling_tail(z: float) -> float:
    """P(A^2 > z) in the limit of many rows, A^2 being the sum of chi^2_j / (j (j + 1)).

    From 6 on the first term of A^2 rules: with R the others, E[exp R] = sqrt(3) and E[R exp R] =
    sqrt(3) 11 / 18 give two terms of its expansion. Below, Anderson and Darling's series.
    """
    if z > 6:
        return float(np.sqrt(3) * special.erfc(np.sqrt(z)) * (1 + 11 / (36 * z)))
    if z <= 0.05:
        return 1.0
    total = 0.0
    for j in range(12):
        rate = (4 * j + 1) ** 2 * np.pi**2 / (8 * z)
        if rate > 50:  # the rest is below 1e-20
            break

        def integrand(w, rate=rate):
            return np.exp(z / (8 * (w * w + 1)) - rate * (w * w + 1))

        part = integrate.quad(integrand, 0, 8 / np.sqrt(rate))[0]
        total += special.binom(-0.5, j) * (4 * j + 1) * part
    return float(np.clip(1 - np.sqrt(2 * np.pi) / z * total, 0, 1))


def coverage_curve(
    y_true: Any, dist: Distribution, coverages: Any = None, *, sample_weight: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """How often central intervals hold what they should, over all coverages.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, n_targets)
        What was observed.
    dist : Distribution
        Predictions, of that shape, of a continuous family.
    coverages : array-like of shape (k,), optional
        Increasing, strictly between 0 and 1; 0.05, 0.1, ..., 0.95 by default.
    sample_weight : array-like of shape (n,), optional
        Weights of rows.

    Returns
    -------
    coverages : ndarray of shape (k,)
        What the intervals were meant to hold.
    observed : ndarray of shape (k,)
        What they hold: less, if the predictions are too sure of themselves.

    Raises
    ------
    ValueError
        Shapes differ, a target is not finite, coverages are out of range or order, or the family is
        discrete (whose intervals hold more than they are meant to).
    TypeError
        ``dist`` is no distribution, or an array holds no real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.distributions import Normal
    >>> from fastmlp.metrics import coverage_curve
    >>> y = np.random.default_rng(0).standard_normal(1000)
    >>> _, observed = coverage_curve(y, Normal(np.zeros(1000), scale=0.5), [0.5, 0.9])
    >>> observed.round(2)
    array([0.26, 0.61])
    """
    y = judged(y_true, dist)
    if dist.discrete:
        raise ValueError(
            f"{type(dist).__name__} is discrete: its intervals cannot hold just what they should."
        )
    coverages = np.arange(1, 20) / 20 if coverages is None else coverages
    coverages = level_array("coverages", coverages)
    # y lies in the central interval of coverage |2 F(y) - 1| and in all wider ones.
    need = np.abs(2 * dist.cdf(y) - 1).reshape(len(y), -1)
    inside = np.stack([(need <= coverage).mean(axis=1) for coverage in coverages])
    weight = weights(sample_weight, len(y))
    return coverages, inside.mean(axis=1) if weight is None else inside @ weight


class Reliability(NamedTuple):
    """The numbers of a reliability diagram, one entry for each bin that holds a row.

    Parameters
    ----------
    predicted : ndarray of shape (n_bins,)
        Mean predicted probability.
    observed : ndarray of shape (n_bins,)
        Share of the rows in which it came about.
    weight : ndarray of shape (n_bins,)
        Share of all rows that lie in the bin; of sum 1.
    edges : ndarray of shape (n_bins + 1,)
        Edges of all bins.

    Examples
    --------
    >>> from fastmlp.metrics import reliability_curve
    >>> curve = reliability_curve([0, 0, 1, 1], [0.1, 0.3, 0.6, 0.8], n_bins=2)
    >>> curve.predicted, curve.observed
    (array([0.2, 0.7]), array([0., 1.]))
    """

    predicted: np.ndarray
    observed: np.ndarray
    weight: np.ndarray
    edges: np.ndarray

    @property
    def error(self) -> float:
        """The mean distance of the predicted from the observed: the expected calibration error."""
        return float(self.weight @ np.abs(self.predicted - self.observed))


def _outcomes(y_true: Any, proba: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """The probability that each row is judged by, and whether it came about."""
    proba, y = numbers("proba", proba), np.asarray(y_true)
    if proba.size == 0 or y.shape != proba.shape[:1] or proba.ndim not in (1, 2):
        raise ValueError(
            "y_true must have shape (n,) and proba (n,) or (n, n_classes), n at least 1; got "
            f"{y.shape} and {proba.shape}."
        )
    n_classes = 2 if proba.ndim == 1 else proba.shape[1]
    labels = np.unique(y) if labels is None else np.asarray(labels)
    if labels.ndim == 1 and len(labels) < n_classes and set(labels.tolist()) <= {0, 1}:
        labels = np.arange(n_classes)  # a sample that one of the classes 0, 1 is absent from
    if labels.shape != (n_classes,):
        raise ValueError(
            f"y_true has the classes {labels.tolist()}, proba tells of {n_classes}: name them all "
            "in labels, in the order of the columns."
        )
    if proba.ndim == 1:
        check("proba", proba, PROBABILITY)
        chosen = np.ones(len(y), dtype=np.intp)
    else:
        proba = simplex("proba", proba)
        chosen = np.argmax(proba, axis=1)
        proba = np.take_along_axis(proba, chosen[:, None], 1)[:, 0]
    unknown = ~np.isin(y, labels)
    if unknown.any():
        row = int(np.argmax(unknown))
        raise ValueError(f"y_true holds what is none of the labels; row {row} has {y[row]!r}.")
    return proba, labels[chosen] == y


def reliability_curve(
    y_true: Any,
    proba: Any,
    *,
    n_bins: int = 10,
    strategy: str = "uniform",
    labels: Any = None,
    sample_weight: Any = None,
) -> Reliability:
    """Predicted probabilities beside the shares that came about, in bins.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    proba : array-like of shape (n,) or (n, n_classes)
        Probabilities of the second of two classes; or of all classes: then rows are judged by the
        most probable one, its probability and whether it is right.
    n_bins : int, default=10
        Number of bins.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or of equally many rows.
    labels : array-like of shape (n_classes,), optional
        The classes in the order of the columns; those of ``y_true``, sorted, by default.
    sample_weight : array-like of shape (n,), optional
        Weights of rows.

    Returns
    -------
    Reliability
        ``predicted``, ``observed``, ``weight`` of each bin that is not empty, and ``edges``.

    Raises
    ------
    ValueError
        Shapes differ, a probability is out of range, a class is unknown.
    TypeError
        Probabilities that are not real numbers.

    Examples
    --------
    >>> from fastmlp.metrics import reliability_curve
    >>> proba = [[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7], [0.0, 0.9, 0.1]]
    >>> curve = reliability_curve(["a", "b", "c", "b"], proba, n_bins=2)
    >>> curve.predicted, curve.observed, curve.weight
    (array([0.7]), array([0.75]), array([1.]))
    """
    proba, came = _outcomes(y_true, proba, labels)
    n_bins = check_integer("n_bins", n_bins)
    check_choice("strategy", strategy, ("uniform", "quantile"))
    weight = weights(sample_weight, len(proba))
    weight = np.full(len(proba), 1 / len(proba)) if weight is None else weight
    levels = np.linspace(0, 1, n_bins + 1)
    edges = levels if strategy == "uniform" else np.unique(np.quantile(proba, levels))
    # The lower edge belongs to a bin, as in numpy.histogram; the last one has both.
    at = np.searchsorted(edges[1:-1], proba, side="right")
    shares, predicted, observed = (
        np.bincount(at, weights=weight * value, minlength=n_bins) for value in (1.0, proba, came)
    )
    used = shares > 0
    share = shares[used]
    return Reliability(predicted[used] / share, observed[used] / share, share, edges)


def expected_calibration_error(
    y_true: Any,
    proba: Any,
    *,
    n_bins: int = 10,
    strategy: str = "uniform",
    labels: Any = None,
    sample_weight: Any = None,
) -> float:
    """The mean distance between predicted probabilities and the shares that came about [1]_.

    Over the bins of ``reliability_curve``, each weighted by its share of the rows. It depends on
    the bins and, for few rows, is not zero for perfect predictions either.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Classes.
    proba : array-like of shape (n,) or (n, n_classes)
        Probabilities of the second of two classes, or of all classes (the most probable is judged).
    n_bins : int, default=10
        Number of bins.
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width, or of equally many rows.
    labels : array-like of shape (n_classes,), optional
        The classes in the order of the columns; those of ``y_true``, sorted, by default.
    sample_weight : array-like of shape (n,), optional
        Weights of rows.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        Shapes differ, a probability is out of range, a class is unknown.
    TypeError
        Probabilities that are not real numbers.

    References
    ----------
    .. [1] Naeini, M. P., Cooper, G. F. and Hauskrecht, M. (2015), Obtaining well calibrated
       probabilities using Bayesian binning. AAAI.

    Examples
    --------
    >>> from fastmlp.metrics import expected_calibration_error
    >>> round(expected_calibration_error([0, 0, 1, 1], [0.1, 0.3, 0.6, 0.8], n_bins=2), 3)
    0.25
    """
    return reliability_curve(
        y_true, proba, n_bins=n_bins, strategy=strategy, labels=labels, sample_weight=sample_weight
    ).error
