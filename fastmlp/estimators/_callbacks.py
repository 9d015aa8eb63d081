"""scikit-learn's callbacks, ``set_callbacks`` from 1.9 on: each iteration is a task of the fit."""

from __future__ import annotations

import threading

from fastmlp.solvers import STOP

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """An older scikit-learn has no callbacks."""

    def with_callbacks(method):
        """Leave the method as it is: there are no callbacks to tear down."""
        return method


class Tasks:
    """The tasks of one fit: its iterations, or its starts and their iterations.

    Parameters
    ----------
    estimator : BaseMLP
        With callbacks set.
    given : dict
        ``X``, ``y`` and ``metadata`` as the user passed them.
    n_starts : int
    """

    def __init__(self, estimator, given, n_starts):
        self._estimator, self._given = estimator, given
        self._several = n_starts > 1
        self._lock = threading.Lock()
        self._n_begun = 0
        self._open = {}  # thread -> the contexts of its start (None: the fit's) and iteration
        self._root = estimator._init_callback_context(
            max_subtasks=n_starts if self._several else estimator.max_iter,
            sequential_subtasks=not self._several,
        )
        self._begin(self._root)
        if not self._several:
            self._open[threading.get_ident()] = None, self._next(self._root)

    def watch(self, callback):
        """A callback for the solver, which tells the tasks and the user's own callback."""

        def watched(iteration, record):
            stop = self._iteration_ends(iteration, record)
            answer = None if callback is None else callback(iteration, record)
            return STOP if stop else answer

        return watched

    def end(self):
        """The fit is over, and the estimator fitted."""
        for start, iteration in self._open.values():
            self._close(start, iteration)
        self._root.call_on_fit_task_end(
            estimator=self._estimator, reconstruction_attributes={}, **self._given
        )

    def _iteration_ends(self, iteration, record):
        thread = threading.get_ident()
        if self._several and iteration == 1:
            with self._lock:
                finished = self._open.pop(thread, None)
                context = self._root.subcontext(
                    task_name="start", task_id=self._n_begun, max_subtasks=self._estimator.max_iter
                )
                self._n_begun += 1
            if finished is not None:
                self._close(*finished)
            self._begin(context)
            self._open[thread] = context, self._next(context)
        start, context = self._open[thread]
        stop = context.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=lambda: _fitted(record, iteration),
            **self._given,
        )
        more = iteration < self._estimator.max_iter and not stop
        self._open[thread] = start, self._next(start or self._root) if more else None
        return stop

    def _next(self, parent):
        context = parent.subcontext(task_name="iteration")
        self._begin(context)
        return context

    def _begin(self, context):
        context.call_on_fit_task_begin(estimator=self._estimator, **self._given)

    def _close(self, *contexts):
        # An iteration that was announced and did not come about ends as an empty task.
        for context in reversed(contexts):
            if context is not None:
                context.call_on_fit_task_end(estimator=self._estimator)


def tasks_of(estimator, X, y, sample_weight):
    """The tasks of a fit of an estimator that has callbacks; None without them."""
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
    continues = estimator.warm_start and hasattr(estimator, "_coefs")
    n_starts = 1 if continues else estimator.n_starts
    return Tasks(estimator, {"X": X, "y": y, "metadata": metadata}, n_starts)


def _fitted(record, iteration):
    """What makes an estimator in the middle of its fit one that predicts."""
    coefs, intercepts = record.network.unpack(record.theta.copy())
    return {
        "_coefs": list(coefs),
        "_intercepts": list(intercepts),
        "n_layers_": len(record.network.layers),
        "n_outputs_": record.network.n_targets,
        "n_iter_": iteration,
        "loss_": record["loss"],
    }
