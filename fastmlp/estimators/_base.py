"""What the classifier and the regressor share: one fit, from checked data to fitted attributes."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from fastmlp._scales import exchange_x_scales
from fastmlp._sparse import sound
from fastmlp.activations import resolve_hidden
from fastmlp.estimators import (
    _data,
    _history,
    _params,
    _prediction,
    _report,
    _warm_start,
    _weights,
)
from fastmlp.estimators._callbacks import CallbackSupportMixin, tasks_of, with_callbacks
from fastmlp.estimators._explain import check_entries, explained
from fastmlp.estimators._fitted import FLOATS, FittedNetwork, checked_rows
from fastmlp.estimators._judge import Judge
from fastmlp.estimators._scoring import scorer_score
from fastmlp.losses import resolve_loss
from fastmlp.network import Network
from fastmlp.solvers import LBFGS, Status
from fastmlp.solvers._progress import Progress
from fastmlp.training import train, train_starts


def is_mini_batch(estimator) -> bool:
    """Whether the estimator's solver goes through the data in mini-batches (``available_if``)."""
    if estimator.solver == "auto" or _params.is_mini_batch(estimator.solver):
        return True
    raise AttributeError(
        "partial_fit is only available for stochastic optimizers. "
        f"{estimator.solver} is not stochastic."
    )


def _has_best(result):
    """Whether a run with validation data found parameters that are worth keeping."""
    scored = np.isfinite(result.history["validation_score"]).any()
    return bool(scored and np.isfinite(result.theta).all())


class BaseMLP(FittedNetwork, CallbackSupportMixin, BaseEstimator):
    """Base of the estimators; a subclass knows its targets, its losses and its default score."""

    # The documentation has no home on the web that scikit-learn's diagrams could link to.
    _doc_link_module = "fastmlp"
    _doc_link_template = ""

    _extra_rules: dict[str, _params.Rule]
    _numeric_targets: bool
    _score_name: str  # of the default score
    _trained_by = "loss"  # the parameter that says what is minimised

    @abstractmethod
    def _encode(self, y, sample_weight, fresh, incremental, classes):
        """Check y, set what the fitted estimator knows of it; return it as the network takes it.

        ``sample_weight`` is the user's; ``classes`` are those of the first call of a classifier's
        ``partial_fit``.

        Returns
        -------
        targets : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        n_targets : int
        balance : dict
            What the validation split is balanced by: keywords of ``_data.split``.
        """

    @abstractmethod
    def _encode_validation(self, y):
        """Check ``y_val`` against what ``fit`` learned of y; return it as the network takes it."""

    @abstractmethod
    def _network_loss(self):
        """Loss and output activation for the network."""

    @abstractmethod
    def _default_score(self, targets, sample_weight):
        """A function that gives the score of outputs for these targets; None: minus the loss."""

    def _marginal(self, targets, sample_weight):
        """Raw outputs near the best constant ones; None: the loss knows them."""
        return None

    def _starts_at_constant(self, network):
        """Whether the output biases start at the best constant: those of a likelihood do."""
        return network.n_raw > network.n_targets

    def _complete(self, network, result, X, targets, data, validation):
        """Learn what the trained network is needed for."""

    def _prediction_head(self):
        """Raw outputs per target, and what is made of the first of them to predict."""
        return resolve_loss(self._fitted_loss()).raws_per_target, self.out_activation_

    def _weights(self, y, sample_weight, fresh, incremental, classes):
        """Sample weights that the loss takes; the classifier multiplies its class weights in."""
        return sample_weight

    def _learn_target_scales(self, targets, sample_weight, rows):
        """Learn the scales of the targets in a fresh fit."""

    def _follow_target_scales(self, targets, sample_weight, network, theta):
        """Let the scales of the targets follow a further block, and theta follow them."""

    def _scale_targets(self, targets):
        """Targets on the scale that the network is trained on."""
        return targets

    def _smoothed(self, targets):
        """Targets as the training rows have them."""
        return targets

    def _fit(self, *data, incremental=False, classes=None):
        result = self._train(*data, incremental=incremental, classes=classes)
        if result is not None and (not incremental or result.status is Status.INTERRUPTED):
            _report.warn_about(result)
        return self

    @with_callbacks
    def _train(
        self,
        X,
        y,
        sample_weight,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        incremental=False,
        classes=None,
    ):
        """The result of the run; None if nothing in a batch of a stream has a weight."""
        _params.check_params(self, self._extra_rules)
        tasks = None if incremental else tasks_of(self, X, y, sample_weight)
        with _history.unchanged_on_error(self):
            if incremental and self.early_stopping not in (False, "auto"):
                raise ValueError("partial_fit does not support early_stopping=True")
            fresh = not hasattr(self, "_coefs") or not (self.warm_start or incremental)
            given = X, y
            checked = X, y = self._check_data(X, y, fresh)
            sample_weight = _data.check_weights(sample_weight, X.shape[0], may_vanish=incremental)
            targets, n_targets, balance = self._encode(
                y, sample_weight, fresh, incremental, classes
            )
            sample_weight = self._weights(y, sample_weight, fresh, incremental, classes)
            if incremental and sample_weight is not None and not sample_weight.any():
                return None

            rng = _warm_start.generator(self, fresh)
            network = self._make_network(X, n_targets)
            solver = self._make_solver(network, X, incremental)
            theta0 = network.init(rng, self.init) if fresh else self._theta(network)
            rows = held_out = validation = None
            if X_val is not None or y_val is not None or sample_weight_val is not None:
                validation = self._given_validation(X_val, y_val, sample_weight_val, X.dtype)
            elif self._sets_aside(solver, _data.n_counted(X, sample_weight)):
                rows, held_out = _data.split(
                    X.shape[0],
                    self._part_set_aside(_data.n_counted(X, sample_weight)),
                    _warm_start.split_generator(self, rng, fresh),
                    weights=sample_weight,
                    **balance,
                )
            if fresh:
                self._learn_scales(X, targets, sample_weight, rows)
                if not isinstance(self.init, str) and _weights.scales_of(self) is not None:
                    theta0 = network.pack(*_weights.unfold(*self.init, _weights.scales_of(self)))
            elif incremental:
                self._follow_scales(X, targets, sample_weight, network, theta0)
            targets = self._scale_targets(targets)
            score = None
            if held_out is not None:
                validation = (X, targets, sample_weight, held_out)
                score = self._score(network, theta0, checked, given, *validation[1:])
            elif validation is not None:
                validation, score = self._prepare_validation(
                    network, theta0, (X_val, y_val), *validation
                )

            targets = self._smoothed(targets)
            state = judged = None
            if solver.mini_batch:
                if self.warm_start and not incremental:
                    learned = (checked[0], targets, sample_weight, rows)
                    apart = validation if held_out is None else (held_out,)
                    judged = _warm_start.judges(self, solver, learned, apart)
                if not fresh:
                    state = _warm_start.old_state(self, judged, theta0, incremental)
            data = {
                "sample_weight": sample_weight,
                "rows": rows,
                "scales": _prediction.x_scales(self),
            }
            judge = Judge(self, network, X, targets, data, validation, score)
            if fresh and isinstance(self.init, str):
                self._start_outputs(network, theta0, judge)
            fit = {
                **data,
                "solver": solver,
                "alpha": self.alpha,
                "validation": validation,
                "score": score,
                "callback": self.callback if tasks is None else tasks.watch(self.callback),
                "one_epoch": incremental,
                "state": state,
                "judge": judge,
                "verbose": self._progress(incremental),
                "n_threads": self.n_threads,
                **self._limits(),
            }
            with _report.explained_start(self, solver):
                if self.n_starts > 1 and fresh and not incremental:
                    result = self._best_start(network, X, targets, theta0, rng, fit)
                else:
                    result = train(network, X, targets, theta0=theta0, random_state=rng, **fit)
                    if result.status is Status.INTERRUPTED and np.array_equal(result.theta, theta0):
                        raise KeyboardInterrupt  # there is nothing to keep
                    self.starts_ = None
            diverged = result.status is Status.DIVERGED
            if diverged and not (validation is not None and _has_best(result)):
                what = _report.describe_divergence(network, result)
                raise _report.divergence(self, solver, what)
            self._complete(network, result, X, targets, data, validation)
            self._store(network, result, fresh, validating=validation is not None)
            self._generator = _warm_start.left_by(self, rng)
            if judged is not None:
                judged["theta"] = _warm_start.fingerprint(self._theta(network))
            self._judged = judged
            if tasks is not None:
                tasks.end()
        return result

    def _best_start(self, network, X, targets, theta0, rng, fit):
        """The best of ``n_starts`` fits; all of them are kept in ``starts_``."""
        if not isinstance(self.init, str) or self.init == "zeros":
            raise ValueError(
                f"n_starts={self.n_starts} needs starts that differ; init={self.init!r} is always "
                "the same."
            )

        def starts():
            for k in range(self.n_starts):
                theta = theta0 if k == 0 else network.init(rng, self.init)
                self._start_outputs(network, theta, fit["judge"])
                yield theta, np.random.RandomState(rng.randint(np.iinfo(np.int32).max))

        best, results = train_starts(
            network,
            X,
            targets,
            starts=starts(),
            n_starts=self.n_starts,
            in_turn=self.scoring not in (None, "loss"),
            **fit,
        )
        self.starts_ = [_report.plain_result(result) for result in results]
        return results[best]

    def _start_outputs(self, network, theta, judge):
        """Let output biases start at the best constant, the marginal distribution of targets."""
        if self._starts_at_constant(network) and judge.constant is not None:
            theta[-network.n_raw :] = judge.constant[0]

    def _progress(self, incremental):
        """What prints the table of this fit, or False."""
        names = {None: self._score_name, "loss": "-loss"}
        scoring = self.scoring
        if not isinstance(scoring, str | None):
            scoring = getattr(scoring, "__name__", "score")
        score = names.get(scoring, scoring)
        return self.verbose and Progress(self.verbose, score, brief=incremental)

    def _limits(self):
        names = ("max_iter", "tol", "n_iter_no_change", "max_fun")
        limits = {name: getattr(self, name) for name in names}
        return limits | {"max_time": np.inf if self.max_time is None else self.max_time}

    def _make_solver(self, network, X, incremental):
        """The solver of this fit."""
        return _params.make_solver(self)

    def _part_set_aside(self, n_counted):
        """Of the rows, where some are."""
        return self.validation_fraction

    def _sets_aside(self, solver, n_counted):
        """Whether a part of the rows, n_counted with a weight, is set aside to stop early."""
        # L-BFGS leaves early_stopping alone, as scikit-learn's does.
        return self.early_stopping and not isinstance(solver, LBFGS)

    def _make_network(self, X, n_targets):
        hidden = _params.hidden_sizes(self.hidden_layer_sizes)
        self.activations_ = [a.spec for a in resolve_hidden(self.activation, len(hidden))]
        self._loss, self.out_activation_ = self._network_loss()
        return Network(
            [X.shape[1], *hidden, n_targets],
            activation=self.activations_,
            output_activation=self.out_activation_,
            loss=self._loss,
            dtype=X.dtype,
        )

    def _validated(self, X, y, fresh, name="X"):
        check_entries(y, self._numeric_targets, name.replace("X", "y"))
        with explained(self, X, name):
            return validate_data(
                self,
                sound(X),
                sound(y),
                accept_sparse="csr",
                multi_output=True,
                y_numeric=self._numeric_targets,
                dtype=FLOATS,
                reset=fresh,
            )

    def _check_data(self, X, y, fresh):
        X, y = self._validated(X, y, fresh)
        return (X if fresh else X.astype(_prediction.fitted_dtype(self), copy=False)), y

    def _theta(self, network):
        """The fitted parameters as the start of a further fit."""
        coefs, intercepts = _prediction.fitted_arrays(self)
        shapes = [coef.shape for coef in coefs]
        wanted = network.shapes
        if shapes != wanted:
            raise ValueError(
                f"The network fitted before has weights of shapes {shapes}; hidden_layer_sizes="
                f"{self.hidden_layer_sizes!r} and this data need {wanted}. Set warm_start=False "
                "to start anew."
            )
        return network.pack(coefs, intercepts)

    def _given_validation(self, X_val, y_val, sample_weight_val, dtype):
        if X_val is None or y_val is None:
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"X_val and y_val must be given together; {missing} is missing.")
        X_val, y_val = self._validated(X_val, y_val, fresh=False, name="X_val")
        weights = _data.check_weights(sample_weight_val, X_val.shape[0], "sample_weight_val")
        targets = self._encode_validation(y_val)
        return X_val.astype(dtype, copy=False), y_val, targets, weights

    def _prepare_validation(self, network, theta0, given, X, y, targets, weights):
        """Given validation data as the network takes it, and its score."""
        if weights is not None and not weights.any():
            raise ValueError("The weights of the validation rows are all zero.")
        targets = self._scale_targets(targets)
        score = self._score(network, theta0, (X, y), given, targets, weights)
        return (X, targets, weights, None), score

    def _score(self, network, theta0, checked, given, targets, weights, rows=None):
        """``score(theta, objective)`` on rows of validation data; None: by the loss.

        ``given`` is (X, y) as the user passed them, ``checked`` as arrays; targets are as the
        network takes them.
        """
        if self.scoring == "loss":
            return None
        if rows is not None:
            targets, weights = _data.take(rows, targets, weights)
        if self.scoring is None:
            score = self._default_score(targets, weights)
            return score and (lambda theta, objective: score(objective.predict(theta)))
        given = tuple(map(_data.rows_as_given, given, checked, (rows, rows)))
        checked = checked if rows is None else _data.take(rows, *checked)
        return scorer_score(self, network, checked, given, weights, theta0)

    def _learn_scales(self, X, targets, sample_weight, rows):
        """Learn the scales of inputs and targets from the rows of a fresh fit."""
        _data.no_scales(self, "x")
        if self.standardize:
            _data.learn_scales(self, "x", X, sample_weight, rows)
        self._learn_target_scales(targets, sample_weight, rows)

    def _follow_scales(self, X, targets, sample_weight, network, theta):
        """Let the scales follow a further block of a stream, and theta follow them.

        The optimiser's moments are left: they forget sooner than scales of many rows move.
        """
        if self.x_mean_ is not None:
            exchange_x_scales(network, theta, *_data.follow_scales(self, "x", X, sample_weight))
        self._follow_target_scales(targets, sample_weight, network, theta)

    def _output(self, X):
        """Outputs of the network, (n_samples, n_outputs), by ``coefs_`` as they are now."""
        # scikit-learn's checks take longer than a small prediction.
        output = _prediction.plain_output(self, X)
        if output is not None:
            return output
        X = checked_rows(self, X)
        return _prediction.output(self, X.astype(_prediction.fitted_dtype(self), copy=False))

    def compile(self):
        """Pack the fitted network for prediction at the lowest latency.

        Returns
        -------
        Predictor
            Immutable, picklable, without scikit-learn; its ``predict`` answers as this
            estimator's does now. Later changes of the estimator do not reach it.

        Raises
        ------
        NotFittedError
            Before ``fit``.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastmlp import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> predictor = MLPClassifier((10,), solver="lbfgs", random_state=0).fit(X, y).compile()
        >>> int(predictor.predict(X[0]))
        0
        """
        check_is_fitted(self)
        return _prediction.compiled(self, *self._decision())

    @abstractmethod
    def _decision(self):
        """What a compiled predictor makes of the outputs: decision, classes, threshold."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
