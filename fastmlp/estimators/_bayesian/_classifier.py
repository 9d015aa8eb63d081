"""BayesianMLPClassifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy import special
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from fastmlp import _types
from fastmlp.distributions import Distribution, resolve_family
from fastmlp.estimators import _data, _history, _params
from fastmlp.estimators._bayesian._base import BaseBayesian, Parts
from fastmlp.posteriors import Posterior
from fastmlp.posteriors._marginal import marginal
from fastmlp.solvers._base import Solver


class BayesianMLPClassifier(ClassifierMixin, BaseBayesian):
    """Multilayer perceptron classifier whose weights have a distribution.

    Probabilities are averaged over a posterior of the weights, so that they go back to the middle
    where the data say little. Features are brought to mean 0 and standard deviation 1 inside; the
    strengths of the prior are in these units.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(20,)
        Neurons of each hidden layer. ``()`` is Bayesian logistic regression.
    activation : str, tuple (name, parameters) or list, default="tanh"
        Activation of the hidden layers.
    posterior : str or object of :mod:`fastmlp.posteriors`, default="laplace"
        How the posterior is found: "laplace", Normal around trained weights; "ensemble", networks
        trained from several starts; "variational", independent Normals; "mcmc", draws by
        Hamiltonian Monte Carlo, for small networks; or an object with parameters of its own, as
        ``Laplace(structure="layer")``. ``fit`` never changes it.
    solver : str or solver object, default="auto"
        How weights are trained. "auto" is Levenberg-Marquardt whose prior strengths follow the
        marginal likelihood (evidence) up to 2000 parameters, "adam" beyond.
    alpha : float, default=0.0001
        L2 penalty in training, divided by the sum of the sample weights, where the solver does not
        find it itself.
    max_iter : int, default=200
        Epochs or iterations of a training run.
    tol : float, default=1e-4
        When a run has converged; see :func:`fastmlp.solvers.minimize`.
    n_samples : int, default=100
        Draws of weights that a prediction is averaged over, where the posterior is known by draws.
    random_state : int, RandomState, Generator or None, default=None
        Of initial weights and of all that is drawn in ``fit``.
    n_threads : int, default=None
        Threads, at most; None: as many as this process may use, where there is enough to do.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    posterior_ : Posterior
        The posterior, over the weights of ``network_``.
    network_ : Network
        The network, in the units of standardised features.
    log_marginal_likelihood_ : float or None
        Of the data, weights integrated out, up to constants of the data: compares models of one
        data set.
    n_iter_ : int
        Iterations of the longest training run.
    loss_ : float
        The lowest loss at the end of a training run.
    status_ : str
        A sentence that says why that run ended.
    x_mean_, x_scale_ : ndarray of shape (n_features,)
        What was taken off the features, and what they were divided by.
    n_features_in_ : int
        Features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had names that are all strings.

    See Also
    --------
    MLPClassifier : One set of weights.
    BayesianMLPRegressor : The same for numbers.

    Notes
    -----
    Under Laplace's approximation raw outputs are Normal. The logistic function of one is averaged
    by Gauss's rule, softmax of several over 256 points of Sobol's, the same for every row.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastmlp import BayesianMLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = BayesianMLPClassifier(random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    classes_: np.ndarray

    _numeric_targets = False

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (20,),
        activation: _types.Activations = "tanh",
        *,
        posterior: str | Posterior = "laplace",
        solver: str | Solver = "auto",
        alpha: float = 0.0001,
        max_iter: int = 200,
        tol: float = 1e-4,
        n_samples: int = 100,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        n_threads: int | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.posterior = posterior
        self.solver = solver
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol
        self.n_samples = n_samples
        self.random_state = random_state
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the posterior.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,)
            Class labels, at least two.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, not negative: a row of weight 2 counts as two rows.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A parameter or the data make no sense; a single class.
        MemoryError
            The precision of the weights does not fit; the text names what takes less.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import BayesianMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BayesianMLPClassifier(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> model.predict(X[:2])
        array([0, 0])
        """
        _params.check_rules(self, self._rules)
        with _history.unchanged_on_error(self):
            X, y = self._validated(X, y)
            sample_weight = _data.check_weights(sample_weight, X.shape[0])
            check_classification_targets(y)
            y = column_or_1d(y, warn=True)
            counted = y if sample_weight is None else y[sample_weight > 0]
            classes, codes = np.unique(y, return_inverse=True)
            n_counted = len(np.unique(counted))
            if n_counted < 2:
                raise ValueError(
                    f"{type(self).__name__} needs at least 2 classes, got {n_counted} class."
                )
            name = "bernoulli" if len(classes) == 2 else "categorical"
            family = resolve_family(name).learn(codes, sample_weight)
            self._learn(X, codes, sample_weight, family)
        self.classes_ = classes
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities, averaged over weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; rows sum to 1.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``: shape, names, NaN, infinity, text.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import BayesianMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BayesianMLPClassifier(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> model.predict_proba(X[:2]).shape
        (2, 3)
        """
        raws = self._raws(self._inputs(X))
        return _shares(marginal(self._family, raws, self._n_targets).dist)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of :meth:`predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            -inf for a probability that is zero.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``: shape, names, NaN, infinity, text.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import BayesianMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BayesianMLPClassifier(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> bool((model.predict_log_proba(X) < 0).all())
        True
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``: shape, names, NaN, infinity, text.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import BayesianMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BayesianMLPClassifier(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> model.predict(X[-2:])
        array([2, 2])
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def predict_parts(self, X: Any, n: int = 200) -> Parts:
        """Predict probabilities, and their doubt that comes from weights and from noise, apart.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        n : int, default=200
            Draws of weights that they are estimated from.

        Returns
        -------
        Parts
            ``mean``: probabilities, (n_samples, n_classes); ``aleatoric``: the expected entropy of
            the class under weights that are drawn; ``epistemic``: what the entropy of the mean has
            beyond that, the mutual information of class and weights. In nats, (n_samples,).

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``; n is less than 1.

        References
        ----------
        Depeweg et al., Decomposition of uncertainty in Bayesian deep learning, ICML (2018).

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import BayesianMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BayesianMLPClassifier(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> bool((model.predict_parts(X).epistemic >= 0).all())
        True
        """
        drawn = self.sample_predict(X, n, np.random.RandomState(0))
        mean = drawn.mean(axis=0)
        aleatoric = _entropy(drawn).mean(axis=0)
        return Parts(mean, np.maximum(_entropy(mean) - aleatoric, 0), aleatoric)

    def sample_predict(self, X: Any, n: int = 10, random_state: Any = None) -> np.ndarray:
        """Draw functions from the posterior: what the probabilities may be.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        n : int, default=10
            Functions.
        random_state : None, int, RandomState or Generator, default=None
            Of the draws.

        Returns
        -------
        ndarray of shape (n, n_samples, n_classes)
            Each entry is one function at all rows.

        Raises
        ------
        NotFittedError
            Before ``fit``.
        ValueError
            X is not as in ``fit``; n is less than 1.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import BayesianMLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BayesianMLPClassifier(hidden_layer_sizes=(), random_state=0).fit(X, y)
        >>> model.sample_predict(X[:4], 3, random_state=0).shape
        (3, 4, 3)
        """
        dists = (self._family.from_raw(raw, 1) for raw, _ in self._drawn(X, n, random_state))
        return np.stack([_shares(dist) for dist in dists])


def _shares(dist: Distribution) -> np.ndarray:
    """Probabilities of the classes, (n, n_classes)."""
    return np.stack([1 - dist.p, dist.p], axis=-1) if dist.p.ndim == 1 else dist.p


def _entropy(p: np.ndarray) -> np.ndarray:
    return special.entr(p).sum(axis=-1)
