"""The parts of the docstrings that the two estimators share."""

from __future__ import annotations

import textwrap

PARAMETERS = """
hidden_layer_sizes : int or array-like of int, default=(100,)
    Neurons of each hidden layer. ``()`` is a single layer of neurons: a linear model.
activation : str, tuple (name, parameters) or list, default="relu"
    Activation of the hidden layers: "identity", "logistic", "tanh", "relu", "softplus",
    "leaky_relu", "elu", "selu", "gelu", "silu" or "mish"; with parameters, as in
    ``("leaky_relu", {"eps": 0.1})``; or a list with one of these per hidden layer.
solver : str or solver object, default="adam"
    "adam", "sgd", "lbfgs", "gd", "newton", "lm" or "newton-cg".
    "adam" and "sgd" work on mini-batches, the others on all of the data: "lbfgs" is SciPy's,
    "gd" takes steps of ``learning_rate_init`` times the gradient, "newton" uses the exact
    Hessian, "lm" is Levenberg-Marquardt on the Gauss-Newton matrix, "newton-cg" needs products
    with that matrix alone. An object of :mod:`fastmlp.solvers` brings its own hyper-parameters;
    the flat ones below that belong to the solver (batch_size, learning_rate, learning_rate_init,
    power_t, shuffle, momentum, nesterovs_momentum, beta_1, beta_2, epsilon) are then ignored.
    ``fit`` never changes it.
alpha : float, default=0.0001
    Strength of the L2 penalty on the weights; it is divided by the sum of the sample weights
    (of the batch, with mini-batches).
batch_size : int or "auto", default="auto"
    Samples per step; "auto" is ``min(200, n_samples)``.
learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
    Schedule of "sgd": "invscaling" divides the rate by ``(samples seen + 1) ** power_t``;
    "adaptive" divides it by 5 whenever ``n_iter_no_change`` epochs brought no improvement.
learning_rate_init : float, default=0.001
    The initial learning rate of "sgd", "adam" and "gd".
power_t : float, default=0.5
    Exponent of "invscaling".
max_iter : int, default=200
    Epochs (mini-batches) or iterations (full batch).
shuffle : bool, default=True
    Whether mini-batches are drawn anew in each epoch.
random_state : int, RandomState or None, default=None
    Draws the initial weights, the validation split and the mini-batches, in this order. Where
    ``partial_fit`` or a warm start goes on, the generator of a seed does, too.
tol : float, default=1e-4
    Mini-batches: the improvement of the loss (or of the validation score) that counts as one.
    Full batch: the largest entry of the gradient at convergence.
verbose : bool, int or "bar", default=False
    Whether to print a table with a line per iteration, and last the reason for stopping; "bar"
    shows a progress bar (tqdm's, where it is installed).
warm_start : bool, default=False
    Whether ``fit`` goes on from the fitted weights. The optimiser's moments start anew;
    ``loss_curve_``, ``history_`` and ``t_`` go on, as in scikit-learn, and so do the scales of
    ``standardize``. ``best_loss_``, ``best_validation_score_`` and the count of epochs without
    improvement go on where the data, the loss and the rule of stopping are still the same, and
    start anew where they are not. The rows that ``early_stopping`` set aside stay aside.
momentum : float in [0, 1], default=0.9
    Momentum of "sgd".
nesterovs_momentum : bool, default=True
    Whether "sgd" uses Nesterov's form of it.
early_stopping : bool, default=False
    Whether to set a part of the data aside, to stop when the score on it no longer improves, and
    to return the weights of the best score. "lbfgs" ignores it, as scikit-learn's does; pass
    ``X_val`` to ``fit`` to have it there too.
validation_fraction : float in [0, 1), default=0.1
    The part that is set aside.
beta_1, beta_2 : float in [0, 1), default=0.9, 0.999
    Decay of the moments of "adam".
epsilon : float, default=1e-8
    Added to the root of the second moment of "adam".
n_iter_no_change : int or np.inf, default=10
    Epochs without improvement that are borne.
max_fun : int, default=15000
    Evaluations of the loss by "lbfgs".
"""

INIT = """
init : str or tuple (coefs, intercepts), default="glorot"
    Initial weights: "glorot" is scikit-learn's; "he", "lecun", "zeros"; "nguyen-widrow" spreads
    the slopes of tanh or logistic units over inputs from -1 to 1, which "lm" gains from. A pair
    is in the units of X and y, as ``coefs_`` and ``intercepts_`` are.
"""

BEYOND = """
standardize : bool, default=False
    Whether each feature (and, in a regressor whose loss can be shifted, each target) is brought
    to mean 0 and standard deviation 1 inside; sparse features are only divided, not shifted.
    The scales are learned from the training rows of the first fit. ``predict`` takes and returns
    the original units, and ``coefs_`` and ``intercepts_`` are in them, too; ``loss_`` and the loss
    curves belong to the scaled data.
scoring : str, callable or None, default=None
    What early stopping maximises: None for accuracy or R2, "loss" for minus the validation loss,
    a scorer of scikit-learn or its name, or a function ``scorer(estimator, X, y)`` that returns a
    number. Your function gets the rows set aside, or ``X_val`` and ``y_val``, as you passed them
    (frames and series stay such), after each epoch, and the estimator with the weights of this
    epoch, and besides ``sample_weight`` if it has a parameter of this name and there are weights;
    what it raises ends the fit. scikit-learn's scorers know ``classes_``, and are tried before
    training starts: where the validation data lack a class that they cannot do without, a warning
    says so, and the loss decides. With a scorer, the split keeps the shares of the classes.
callback : callable, default=None
    ``callback(epoch, record)`` after each epoch, counted from 1. ``record`` is a dict of this
    epoch's entries of ``history_``, with the attributes ``theta``, the parameters at present
    (read-only, and only until the callback returns: keep ``record.theta.copy()``), and
    ``network``, the :class:`fastmlp.Network` that they belong to (on the scaled data, under
    ``standardize``). The fit stops if the callback raises StopIteration or returns
    ``fastmlp.STOP``; any other answer is ignored.
max_time : float, default=None
    Seconds after which the fit, with all its starts, ends with the epochs at hand.
n_threads : int, default=None
    Threads, at most; None: as many as this process may use, and one where an epoch takes less than
    some ten milliseconds. Small batches are done by one thread whatever the number, and several
    that gain nothing, as on a busy machine, leave the rest of the fit to one: ``timings_`` tells.
    That changes no result; the number given here may, by rounding.
n_starts : int, default=1
    Fits from so many initial weights, in parallel threads (one after the other with a scorer in
    ``scoring``; the callback is called from all of them). The one with the highest validation
    score is kept; without validation data, with the highest evidence if the solver estimates it,
    else with the lowest loss. What ends one of them ends them all, and weights are drawn when
    their turn comes: with ``max_time``, any number means as many as there is time for. A fit that
    goes on from an earlier one has a single start.
"""

ATTRIBUTES = """
coefs_, intercepts_ : list of ndarray
    Weights (n_in, n_out) and biases (n_out,) of each layer, in the units of X and y. They may be
    edited: ``predict`` uses them as they are. With ``standardize=True`` the scales are folded into
    the first and the last layer, in float64; these arrays are read-only: change copies, and assign
    the whole list.
network_ : Network
    The network, in the units of X and y: ``network_.predict(theta_, X)`` gives the predictions.
theta_ : ndarray of shape (n_params,)
    ``coefs_`` and ``intercepts_`` as one vector; a copy.
loss_ : float
    The loss at the end: over the last epoch's mini-batches, or of the last iteration.
loss_curve_ : list of float
    The loss after each epoch or iteration.
best_loss_ : float or None
    The smallest of them; None under early stopping.
validation_scores_, validation_loss_curve_ : list of float or None
    Score and loss (without the penalty) on the validation data, under early stopping.
best_validation_score_ : float or None
    The highest score, under early stopping.
history_ : dict of str to list
    Per epoch: ``loss``, ``validation_score``, ``validation_loss``, ``learning_rate``, and what the
    solver adds. A fit that goes on appends to it.
timings_ : dict of str to list, or None
    Per epoch, what two equal fits differ in: ``seconds`` since the start of the fit, and the
    number of ``threads`` that worked. Not in a pickle or copy, where it is None.
starts_ : list of dict or None
    What became of every start that was made, where ``n_starts`` is more than 1: ``theta``,
    ``loss``, ``n_iter``, ``status``, ``history`` and, as a dict, ``evidence``.
evidence_ : EvidenceState or None
    Noise level, weight decay and effective number of parameters, where the solver is
    ``LevenbergMarquardt(evidence=True)``; on the scale of the standardized data.
status_ : str
    A sentence that says why the fit ended.
n_iter_ : int
    Epochs or iterations of the last call.
t_ : int
    Samples seen by a mini-batch solver.
activations_ : list
    Activation of each hidden layer.
out_activation_ : str
    Activation of the output layer.
x_mean_, x_scale_ : ndarray of shape (n_features,) or None
    What ``standardize`` took off the features, and divided them by.
n_layers_ : int
    Layers, the input included.
n_outputs_ : int
    Neurons of the output layer.
n_features_in_ : int
    Features.
feature_names_in_ : ndarray of shape (n_features,)
    Their names, if X had names that are all strings.
"""


def documented(cls):
    """Fill the shared parts into the docstring of an estimator."""
    parts = {
        "parameters": PARAMETERS,
        "init": INIT,
        "beyond": BEYOND,
        "attributes": ATTRIBUTES,
    }
    if cls.__doc__ is not None:  # python -OO
        indented = {
            name: textwrap.indent(text.strip(), "    ").lstrip() for name, text in parts.items()
        }
        cls.__doc__ = cls.__doc__.format(**indented)
    return cls
