"""Network: layers x loss -> value, gradient, Jacobian, curvature. The functional core."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from fastmlp import _jacobians, _types, initialisation
from fastmlp._constant import outputs_at_constant
from fastmlp._core.network import Layers
from fastmlp._sizes import check_widths
from fastmlp._sweeps import Sweep
from fastmlp.activations import resolve_hidden
from fastmlp.data import check_rows, check_scales, check_vector
from fastmlp.losses import check_targets, resolve_loss, resolve_output
from fastmlp.objective import NetworkObjective
from fastmlp.plan import Plan, plan_of
from fastmlp.segments import Segment, fill, segments_of, split
from fastmlp.trace import Trace, trace


class Network:
    """A multilayer perceptron as a set of functions of its parameters.

    Nothing is stored but the shape: every method takes the parameters as one vector ``theta``,
    in which layer l holds its weights W_l (fan_in x fan_out, row-major) and then its biases b_l.
    With a_0 = x, ``z_l = a_(l-1) W_l + b_l`` and ``a_l = g_l(z_l)``; the last z is called raw, and
    the output activation turns it into the prediction.

    Parameters
    ----------
    layers : list, tuple, range or 1-D array of int
        Widths: n_features, those of the hidden layers (none is fine), n_targets.
    activation : str, tuple or list, default="relu"
        Of the hidden layers: a name, (name, {parameter: value}), or a list with one per layer.
        Names: identity, logistic, tanh, relu, softplus, leaky_relu (eps=0.01), elu (alpha=1),
        selu, gelu, silu, mish, exp.
    output_activation : str or tuple, optional
        One of these or softmax. By default the one that belongs to the loss: identity; for
        log_loss logistic (one output) or softmax; for poisson, gamma, lognormal,
        gamma_shape and negative_binomial exp; for beta logistic.
    loss : str, tuple or object, default="squared_error"
        squared_error, log_loss, poisson, gamma, absolute_error, huber (epsilon=1.35), quantile
        (quantile=0.5), perceptron; normal, normal_natural, student_t (df=4), laplace, lognormal,
        gamma_shape, negative_binomial, beta:
        minus the log-likelihood of targets with a distribution of their own in every row; mixture
        (components=3, floor=1e-6), histogram (bins=20), histogram_crps (bins=20, widths=None),
        quantiles (levels=(0.05, 0.25, 0.5, 0.75, 0.95)), see below; or an object with
        ``value_grad(raw, y) -> (value, grad)`` on arrays of shapes (n,) and (n, n_raw), for
        curvature ``hess(raw, y)`` of shape (n, n_raw, n_raw), and ``raws_per_target`` if that is
        not 1. squared_error is half the squared error, summed over outputs; poisson and gamma are
        half deviances.

        Likelihoods have two raw outputs per target, column j of raw and column n_targets + j, but
        for the last four. Of normal, student_t and laplace they are the location of target j, in
        its units, and the logarithm of its scale (for normal: mean and standard deviation); of
        lognormal those of the normal distribution of log y; of normal_natural eta and r, the
        precision being softplus(r) and the mean eta / precision, in which the density is
        log-concave. Of gamma_shape, negative_binomial and beta they lead to the mean, by its
        logarithm or logit, and to what narrows the distribution: the logarithm of the shape a, of
        n (the variance being mean + mean^2 / n), of the concentration a + b. The second counts as
        -300 (float32: -40) where it is less, those of shapes as 300 (40) where it is more.
        :meth:`predict` gives the location or mean, of lognormal the median; normal_natural has no
        prediction.

        In mini-batches the gradient of each row of normal, student_t, laplace and lognormal counts
        scale^(2 beta) times, beta=0.5 (beta-NLL, Seitzer et al. 2022): where the scale is large the
        location would hardly be learned otherwise. Values, and the gradients that other solvers
        ask for, are those of the likelihood.

        The raw outputs of the last four come in blocks of n_targets columns, and make no
        prediction. mixture is minus the log-likelihood of a mixture of normals: logits of the
        weights, means, and log(scale - floor), so that no component is narrower than
        ``floor``, in the units of y. histogram and histogram_crps take where targets lie among
        bins, the number of the bin and how far into it, from 0 to ``bins``; the raw outputs are
        the logits of the bins, the losses minus the logarithm of the bin's probability, and the
        continuous ranked probability score of the density that is even within each bin, of the
        given ``widths`` (by default 1). quantiles is the sum of the quantile losses of ``levels``;
        the raw outputs are the lowest quantile and, through softplus, the gap of each to the next.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Of parameters, values and gradients. Jacobians and curvature are computed in float64.

    Attributes
    ----------
    layers : tuple of int
    n_features, n_targets, n_raw, n_params : int
    activation, output_activation, loss
        As resolved, in the form that the constructor takes.
    dtype : numpy.dtype

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp import Network
    >>> net = Network([2, 3, 1], activation="tanh")
    >>> theta = net.init(random_state=0)
    >>> value, grad = net.value_grad(theta, np.ones((4, 2)), np.zeros(4))
    >>> grad.shape
    (13,)
    """

    def __init__(
        self,
        layers: Sequence[int],
        activation: _types.Activations = "relu",
        output_activation: _types.OutputSpec | None = None,
        loss: _types.LossSpec = "squared_error",
        dtype: Any = np.float64,
    ):
        widths = check_widths(layers)
        self._dtype = np.dtype(dtype)
        if self._dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {self._dtype}.")
        self._hidden = resolve_hidden(activation, len(widths) - 2)
        self._loss = resolve_loss(loss)
        self._n_targets = widths[-1]
        self._widths = (*widths[:-1], widths[-1] * self._loss.raws_per_target)
        self._output = resolve_output(output_activation, self._loss, self.n_targets)
        self._layers = Layers(
            self._widths,
            [(g.code, g.values) for g in self._hidden],
            (self._loss.code, self._loss.raws_per_target, self._loss.values, self._loss.table),
            (self._output.code, self._output.values),
            self._n_targets,
        )

    def without_hidden_layers(self) -> Network:
        """The linear network on the same features, with the same outputs and loss.

        Returns
        -------
        Network

        Examples
        --------
        >>> from fastmlp import Network
        >>> Network([2, 3, 1]).without_hidden_layers().layers
        (2, 1)
        """
        return Network(
            (self.n_features, self.n_targets),
            output_activation=self.output_activation,
            loss=self.loss,
            dtype=self.dtype,
        )

    def wide(self) -> Network:
        """The same network in float64.

        Returns
        -------
        Network

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> Network([2, 3, 1], dtype=np.float32).wide().dtype
        dtype('float64')
        """
        return Network(self.layers, self._hidden, self._output, self._loss, np.float64)

    def __getstate__(self) -> dict[str, Any]:
        own = {"layers": self.layers, "dtype": self.dtype}
        derived = ("_layers", "_widths", "_n_targets", "_dtype", "segments")
        return own | {name: part for name, part in vars(self).items() if name not in derived}

    def __setstate__(self, state: dict[str, Any]) -> None:
        parts = ("layers", "_hidden", "_output", "_loss", "dtype")
        try:
            vars(self).update({name: part for name, part in state.items() if name not in parts})
            Network.__init__(self, *(state[part] for part in parts))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"This is not the state of a Network, or a damaged one: {error!r}."
            ) from error

    def __repr__(self) -> str:
        return (
            f"Network({list(self.layers)}, activation={self.activation!r}, "
            f"output_activation={self.output_activation!r}, loss={self.loss!r}, "
            f"dtype={self.dtype.name!r})"
        )

    @property
    def layers(self) -> tuple[int, ...]:
        """Widths: n_features, those of the hidden layers, n_targets."""
        return (*self._widths[:-1], self._n_targets)

    @property
    def dtype(self) -> np.dtype:
        """Of parameters, values and gradients."""
        return self._dtype

    @property
    def n_features(self) -> int:
        """Width of the input."""
        return self._widths[0]

    @property
    def n_targets(self) -> int:
        """Columns of the targets and of predictions."""
        return self._n_targets

    @property
    def n_raw(self) -> int:
        """Width of the last layer: n_targets times the raw outputs that the loss takes for each."""
        return self._widths[-1]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(fan_in, fan_out) of the weights of each layer."""
        return list(zip(self._widths[:-1], self._widths[1:], strict=True))

    @property
    def n_params(self) -> int:
        """Length of theta."""
        return self._layers.n_params

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The map of theta: W1, b1, W2, b2, ..., each with where it begins and its shape.

        Examples
        --------
        >>> from fastmlp import Network
        >>> [(s.name, s.at, s.rows, s.cols) for s in Network([2, 3, 1]).segments]
        [('W1', 0, 2, 3), ('b1', 6, 1, 3), ('W2', 9, 3, 1), ('b2', 12, 1, 1)]
        """
        return segments_of(self._widths)

    @property
    def activation(self) -> Any:
        """The hidden activations: one spec if all layers share it, else a list."""
        specs = [g.spec for g in self._hidden]
        return specs[0] if specs and all(s == specs[0] for s in specs) else specs

    @property
    def output_activation(self) -> Any:
        """The output activation."""
        return self._output.spec

    @property
    def loss(self) -> Any:
        """The loss."""
        return self._loss.spec

    def _targets(self, y: Any, n: int) -> np.ndarray:
        """Targets of n rows, checked, (n, n_targets) in the network's dtype."""
        return check_targets(y, self._loss, self._output, n, self.n_targets, self.dtype)

    # -- parameters --------------------------------------------------------------------------

    def init(
        self,
        random_state: Any = None,
        init: _types.Start = "glorot",
        y: Any = None,
        sample_weight: Any = None,
    ) -> np.ndarray:
        """Parameters to start from.

        Parameters
        ----------
        random_state : None, int, RandomState or Generator, default=None
            Source of the draws.
        init : str or (coefs, intercepts), default="glorot"
            "glorot" draws exactly as scikit-learn's MLP does; "he", "lecun", "zeros";
            "nguyen-widrow" (1990) spreads sigmoids over inputs from -1 to 1.
        y : array-like, optional
            Targets as :meth:`objective` takes them: the biases of the outputs start at the best
            constant answer to them, for a likelihood at the marginal distribution. Without it, or
            where none is known (of a loss of one's own, say), they start as ``init`` says.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the targets.

        Returns
        -------
        ndarray of shape (n_params,)

        Raises
        ------
        ValueError
            An unknown name, or arrays of other shapes.
        MemoryError
            There is no room for the parameters.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 3, 1])
        >>> net.init(random_state=0).shape
        (13,)
        """
        first = self._hidden[0].name if self._hidden else ""
        theta = self.pack(*initialisation.resolve(init, self._widths, first, random_state))
        if y is not None:
            outputs_at_constant(theta, self, y, sample_weight)
        return theta

    def pack(self, coefs: Sequence[Any], intercepts: Sequence[Any]) -> np.ndarray:
        """One vector from a weight matrix (fan_in, fan_out) and a bias vector per layer.

        Parameters
        ----------
        coefs : list of array-like
            W_l of shape (fan_in, fan_out) for each layer, as scikit-learn's ``coefs_``.
        intercepts : list of array-like
            b_l of shape (fan_out,) for each layer.

        Returns
        -------
        ndarray of shape (n_params,)
            A copy, in the network's dtype.

        Raises
        ------
        ValueError
            Another number of arrays, or other shapes.
        TypeError
            What is given is not a list, or its arrays do not hold real numbers.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 1])
        >>> net.pack([[[1.0], [2.0]]], [[3.0]])
        array([1., 2., 3.])
        """
        theta = np.empty(self.n_params, self.dtype)
        weights, biases = split(theta, self.segments)
        fill(weights, coefs, "coefs")
        fill(biases, intercepts, "intercepts")
        return theta

    def unpack(self, theta: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Views into theta: (coefs, intercepts), a matrix and a vector per layer.

        Parameters
        ----------
        theta : array-like of shape (n_params,)
            Parameters.

        Returns
        -------
        coefs : list of ndarray of shape (fan_in, fan_out)
            Weights.
        intercepts : list of ndarray of shape (fan_out,)
            Biases.

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 1])
        >>> coefs, intercepts = net.unpack(np.arange(3.0))
        >>> coefs, intercepts
        ([array([[0.],
               [1.]])], [array([2.])])
        """
        return split(check_vector(theta, self.n_params, self.dtype, "theta"), self.segments)

    # -- predictions -------------------------------------------------------------------------

    def raw(self, theta: Any, X: Any, plan: Plan | None = None) -> np.ndarray:
        """Outputs before the output activation.

        Parameters
        ----------
        theta : array-like of shape (n_params,)
            Parameters.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        plan : Plan, optional
            How the rows are swept; what it leaves open is decided by the sizes.

        Returns
        -------
        ndarray of shape (n_samples, n_raw)
            In the network's dtype.

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 1], loss="poisson")
        >>> net.raw([1.0, 2.0, 3.0], [[1.0, 1.0]])
        array([[6.]])
        """
        return self._forward(theta, X, None, False, plan)

    def predict(
        self, theta: Any, X: Any, scales: Any = None, plan: Plan | None = None
    ) -> np.ndarray:
        """Outputs after the output activation.

        Parameters
        ----------
        theta, X, plan
            As for :meth:`raw`.
        scales : (mean, scale), optional
            As :meth:`objective` takes them.

        Returns
        -------
        ndarray of shape (n_samples, n_raw)
            In the network's dtype.

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 1], loss="log_loss")
        >>> net.predict([0.0, 0.0, 0.0], [[1.0, 1.0]])
        array([[0.5]])
        """
        self._check_predicts()
        return self._forward(theta, X, scales, True, plan)

    def _check_predicts(self):
        if not self._loss.predicts:
            raise ValueError(
                f"Loss {self._loss.name!r} has no point prediction: its {self.n_raw} raw outputs "
                "are the parameters of distributions; Network.raw gives them."
            )

    def _forward(self, theta: Any, X: Any, scales: Any, apply_output: bool, plan: Any):
        theta = check_vector(theta, self.n_params, self.dtype, "theta")
        X = check_rows(X, self.n_features, self.dtype)
        scales = check_scales(scales, self.n_features)
        sweep = Sweep(self._layers, self.dtype, X, scales=scales, plan=plan_of(plan, self._widths))
        return sweep.raw(theta, apply_output)

    # -- the loss ----------------------------------------------------------------------------

    def objective(
        self,
        X,
        y,
        sample_weight=None,
        alpha=0.0,
        rows=None,
        scales=None,
        plan=None,
        n_threads=None,
    ) -> NetworkObjective:
        """The loss on data as an objective for :func:`fastmlp.solvers.minimize`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples; not copied where the dtype fits.
        y : array-like
            Targets: (n_samples,) or (n_samples, n_targets). For log_loss one-hot rows, class codes
            or 0/1; for perceptron +1/-1.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0.
        alpha : float, default=0
            L2 strength; l2 = alpha / sum of weights, for each batch as scikit-learn does.
        rows : array-like of int, optional
            The rows to train on; by default all.
        scales : (mean, scale), optional
            Vectors of shape (n_features,), taken as float64: the network sees
            ``(X - mean) / scale``, reckoned in float64 row by row, without a copy of X.
        plan : Plan, optional
            How the rows are swept; what it leaves open is decided by the sizes.
        n_threads : int, optional
            Threads, at most; by default the cores of this process. Small work is done by one.

        Returns
        -------
        NetworkObjective

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([1, 1])
        >>> from fastmlp.solvers import Newton, minimize
        >>> X, y = np.arange(4.0).reshape(4, 1), np.arange(4.0)
        >>> objective = net.objective(X, y)
        >>> result = minimize(objective, net.init(random_state=0), solver=Newton())
        >>> np.allclose(result.theta, [1, 0])
        True
        """
        return NetworkObjective(
            self,
            X,
            y,
            sample_weight,
            alpha=alpha,
            rows=rows,
            scales=scales,
            plan=plan,
            n_threads=n_threads,
        )

    def value(self, theta, X, y, sample_weight=None, l2=0.0, plan=None) -> float:
        """``sum_i w_i l_i / sum_i w_i + l2/2 ||W||^2`` (weights, not biases).

        Parameters
        ----------
        theta : array-like of shape (n_params,)
            Parameters.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets: for log_loss one-hot rows, class codes or 0/1; for perceptron +1/-1.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0; 1 by default.
        l2 : float, default=0
            Strength >= 0 of the penalty on the weights.
        plan : Plan, optional
            How the rows are swept; what it leaves open is decided by the sizes.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 1])
        >>> net.value([1.0, 2.0, 3.0], [[1.0, 1.0]], [4.0], l2=0.5)
        3.25
        """
        return NetworkObjective(self, X, y, sample_weight, l2=l2, plan=plan).value(theta)

    def value_grad(
        self, theta, X, y, sample_weight=None, l2=0.0, plan=None
    ) -> tuple[float, np.ndarray]:
        """The value and its gradient, by backpropagation.

        Parameters
        ----------
        theta, X, y, sample_weight, l2, plan
            As for :meth:`value`.

        Returns
        -------
        value : float
            As :meth:`value` gives it.
        grad : ndarray of shape (n_params,)
            In the network's dtype.

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 1])
        >>> net.value_grad([1.0, 2.0, 3.0], [[1.0, 1.0]], [4.0])
        (2.0, array([2., 2., 2.]))
        """
        return NetworkObjective(self, X, y, sample_weight, l2=l2, plan=plan).value_grad(theta)

    # -- derivatives of the outputs ------------------------------------------------------------

    def jacobian(self, theta: Any, X: Any, plan: Plan | None = None) -> np.ndarray:
        """d raw / d theta.

        Parameters
        ----------
        theta, X, plan
            As for :meth:`raw`.

        Returns
        -------
        ndarray of shape (n_samples, n_raw, n_params)
            In float64.

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 1])
        >>> net.jacobian([1.0, 2.0, 3.0], [[4.0, 5.0]])
        array([[[4., 5., 1.]]])
        """
        return _jacobians.of_raw(self, theta, X, of_inputs=False, plan=plan)

    def input_jacobian(
        self, theta: Any, X: Any, apply_output: bool = False, plan: Plan | None = None
    ) -> np.ndarray:
        """d raw / d x, (n_samples, n_raw, n_features) float64.

        Parameters
        ----------
        theta, X, plan
            As for :meth:`raw`.
        apply_output : bool, default=False
            Whether to go on through the output activation: d prediction / d x.

        Returns
        -------
        ndarray of shape (n_samples, n_raw, n_features)
            Of predictions (n_samples, n_targets, n_features).

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 1])
        >>> net.input_jacobian([1.0, 2.0, 3.0], [[4.0, 5.0]])
        array([[[1., 2.]]])
        """
        if apply_output:
            self._check_predicts()
        jacobian = _jacobians.of_raw(self, theta, X, of_inputs=True, plan=plan)
        if not apply_output:
            return jacobian
        raw = self.raw(theta, X, plan)[:, : self.n_targets]
        return _jacobians.through(self._output, raw, jacobian[:, : self.n_targets])

    # -- curvature -----------------------------------------------------------------------------

    def hessian(self, theta, X, y, sample_weight=None, l2=0.0, plan=None) -> np.ndarray:
        """The exact Hessian of :meth:`value`.

        Parameters
        ----------
        theta, X, y, sample_weight, l2, plan
            As for :meth:`value`.

        Returns
        -------
        ndarray of shape (n_params, n_params)
            In float64.

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity; the loss is an object without ``hess``.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 1])
        >>> net.hessian([1.0, 2.0, 3.0], [[4.0, 5.0]], [6.0])
        array([[16., 20.,  4.],
               [20., 25.,  5.],
               [ 4.,  5.,  1.]])
        """
        return NetworkObjective(self, X, y, sample_weight, l2=l2, plan=plan).hessian(theta)

    def ggn(self, theta, X, y, sample_weight=None, l2=0.0, plan=None) -> np.ndarray:
        """The generalised Gauss-Newton matrix ``J' curv J`` (plus l2).

        Parameters
        ----------
        theta, X, y, sample_weight, l2, plan
            As for :meth:`value`.

        Returns
        -------
        ndarray of shape (n_params, n_params)
            In float64.

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity; the loss has no curvature (absolute_error,
            quantile, perceptron), or is a function that gives none.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 3, 1])
        >>> theta = net.init(random_state=0)
        >>> X, y = np.ones((4, 2)), np.zeros(4)
        >>> G = net.ggn(theta, X, y)
        >>> bool(np.linalg.eigvalsh(G).min() > -1e-9)
        True
        """
        return NetworkObjective(self, X, y, sample_weight, l2=l2, plan=plan).ggn(theta)

    def hess_mul(self, theta, X, y, v, sample_weight=None, l2=0.0, plan=None) -> np.ndarray:
        """The Hessian times v, without the matrix (Pearlmutter 1994).

        Parameters
        ----------
        theta, X, y, sample_weight, l2, plan
            As for :meth:`value`.
        v : array-like of shape (n_params,)
            The vector.

        Returns
        -------
        ndarray of shape (n_params,)
            In float64.

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity; the loss is an object without ``hess``.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 3, 1])
        >>> theta = net.init(random_state=0)
        >>> X, y = np.ones((4, 2)), np.zeros(4)
        >>> v = np.ones(net.n_params)
        >>> product = net.hess_mul(theta, X, y, v)
        >>> np.allclose(product, net.hessian(theta, X, y) @ v)
        True
        """
        return NetworkObjective(self, X, y, sample_weight, l2=l2, plan=plan).hess_mul(theta, v)

    def ggn_mul(self, theta, X, y, v, sample_weight=None, l2=0.0, plan=None) -> np.ndarray:
        """The Gauss-Newton matrix times v, without the matrix (Schraudolph 2002).

        Parameters
        ----------
        theta, X, y, sample_weight, l2, plan
            As for :meth:`value`.
        v : array-like of shape (n_params,)
            The vector.

        Returns
        -------
        ndarray of shape (n_params,)
            In float64.

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity; the loss has no curvature (absolute_error,
            quantile, perceptron), or is a function that gives none.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 3, 1])
        >>> theta = net.init(random_state=0)
        >>> X, y = np.ones((4, 2)), np.zeros(4)
        >>> v = np.ones(net.n_params)
        >>> product = net.ggn_mul(theta, X, y, v)
        >>> np.allclose(product, net.ggn(theta, X, y) @ v)
        True
        """
        return NetworkObjective(self, X, y, sample_weight, l2=l2, plan=plan).ggn_mul(theta, v)

    def trace(self, theta, x, y) -> Trace:
        """Every number of one forward and backward pass on one sample, for teaching.

        Parameters
        ----------
        theta : ndarray of shape (n_params,)
            Parameters.
        x : array-like of shape (n_features,)
            The sample.
        y : array-like
            Its target, as :meth:`value` takes it for one row.

        Returns
        -------
        Trace
            By name: ``z``, ``a``, ``delta``, ``slope``, ``grad_W``, ``grad_b`` (each a dict by
            layer 1..L, ``a`` from 0), ``raw`` and ``loss``. ``print`` shows a table.

        Raises
        ------
        ValueError
            Wrong shape or type, NaN or infinity.

        Examples
        --------
        >>> import numpy as np
        >>> from fastmlp import Network
        >>> net = Network([2, 1])
        >>> net.trace([1.0, 2.0, 3.0], [1.0, 1.0], 4.0)["loss"]
        2.0
        """
        return trace(self, theta, x, y)
