"""scikit-learn's callback protocol: ``set_callbacks``, its hooks, and its own callbacks."""

import pickle
from collections import Counter

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import STOP, MLPClassifier, MLPRegressor
from fastmlp.solvers import SOLVERS, Status

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 has callbacks")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Log:
    """Writes down what it is told; may stop, or break, at an iteration."""

    def __init__(self, stop_at=None, broken=None):
        self.seen, self.stop_at, self.broken = [], stop_at, broken

    def _note(self, hook, context):
        self.seen.append((hook, context.task_name, context.task_id))
        if self.broken == (hook, context.task_name):
            raise LookupError("mine")

    def setup(self, estimator, context):
        self._note("setup", context)

    def on_fit_task_begin(self, estimator, context):
        self._note("begin", context)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
        self._note("end", context)
        self.metadata = metadata
        return context.task_name == "iteration" and context.task_id + 1 == self.stop_at

    def teardown(self, estimator, context):
        self._note("teardown", context)

    def count(self):
        return Counter(seen[:2] for seen in self.seen)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 3))
    return X, (X[:, 0] > 0).astype(int)


def model(kind=MLPRegressor, **options):
    options = {"max_iter": 4, "tol": 0.0, "activation": "tanh", "random_state": 0} | options
    return kind(hidden_layer_sizes=(4,), **options)


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_hooks_of_a_fit(solver, data):
    log = Log()
    fitted = model(solver=solver).set_callbacks(log).fit(*data, sample_weight=np.ones(60))
    assert log.seen[:3] == [("setup", "fit", 0), ("begin", "fit", 0), ("begin", "iteration", 0)]
    assert log.seen[-2:] == [("end", "fit", 0), ("teardown", "fit", 0)]
    assert log.count()["end", "iteration"] == log.count()["begin", "iteration"] == 4
    assert [i for hook, name, i in log.seen if (hook, name) == ("end", "iteration")] == [0, 1, 2, 3]
    assert log.metadata["sample_weight"].sum() == 60
    plain = model(solver=solver).fit(*data)
    assert fitted.loss_curve_ == pytest.approx(plain.loss_curve_, rel=1e-9)
    assert not [name for name in vars(fitted) if "callback" in name and name != "_skl_callbacks"
                and name != "callback"]  # fmt: skip


def test_a_fit_that_ends_early_ends_what_it_announced(data):
    log = Log()
    model(callback=lambda epoch, record: STOP if epoch == 2 else None).set_callbacks(log).fit(*data)
    assert log.count()["begin", "iteration"] == log.count()["end", "iteration"]


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_a_hook_stops_the_fit(solver, data):
    fitted = model(solver=solver).set_callbacks(Log(stop_at=2)).fit(*data)
    assert (fitted.n_iter_, fitted.status_) == (2, Status.CALLBACK.value)


@pytest.mark.parametrize(
    "broken", [("setup", "fit"), ("begin", "fit"), ("end", "iteration"), ("end", "fit")]
)
def test_an_error_in_a_hook(broken, data):
    fitted = model().fit(*data)
    log = Log(broken=broken)
    fitted.set_callbacks(log)
    before = dict(vars(fitted))
    with pytest.raises(LookupError, match="mine"):
        fitted.fit(*data)
    assert vars(fitted) == before
    assert log.seen[-1][0] == "teardown"


def test_several_starts(data):
    log = Log()
    model(n_starts=3, n_threads=2).set_callbacks(log).fit(*data)
    counts = log.count()
    assert counts["begin", "start"] == counts["end", "start"] == 3
    assert counts["begin", "iteration"] == counts["end", "iteration"] == 12


def test_scoring_monitor(data):
    X, y = data
    monitor = callback.ScoringMonitor(scoring="neg_log_loss")
    fitted = model(MLPClassifier, standardize=True).set_callbacks(monitor).fit(X, y)
    scores = [row["neg_log_loss"] for row in monitor.get_logs().data if "neg_log_loss" in row]
    assert len(scores) == 5  # four epochs and the fit
    assert scores[-1] == pytest.approx(get_scorer("neg_log_loss")(fitted, X, y))
    assert len(set(scores[:-1])) == 4 or len(set(scores)) == 4


def test_progress_bar(data, capsys):
    pytest.importorskip("rich")
    bar = callback.ProgressBar()
    model(MLPClassifier).set_callbacks(bar).fit(*data)
    make_pipeline(StandardScaler(), model(MLPClassifier)).set_callbacks(bar).fit(*data)
    assert "MLPClassifier" in capsys.readouterr().out


def test_copies_and_pickles(data):
    fitted = model().set_callbacks(Log()).fit(*data)
    assert len(clone(fitted)._skl_callbacks) == 1
    assert pickle.loads(pickle.dumps(fitted)).predict(data[0]) == pytest.approx(
        fitted.predict(data[0])
    )
    with pytest.raises(TypeError, match="FitCallback"):
        fitted.set_callbacks(print)


def test_partial_fit_calls_no_hooks(data):
    log = Log()
    model().set_callbacks(log).partial_fit(*data)
    assert log.seen == []
