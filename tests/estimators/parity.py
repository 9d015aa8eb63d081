"""Same seed, same curve: random settings on which fastmlp and scikit-learn must agree.

``draw(seed)`` draws a setting; ``run`` carries it out with either library; ``counts`` says whether
it can be asked for, which is so where scikit-learn agrees with itself to 1e-9 when X is perturbed
by one unit in the last place; ``mismatches`` compares two runs. What is known to differ stands in
``KNOWN_DIFFERENCES``, and ``tests/estimators/parity.py --write`` makes docs/differences.md of it.
"""

import sys
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"
EPOCHS = 20
CURVE_TOLERANCE = 1e-6  # relative, of loss_curve_ and the scores
COEFS_TOLERANCE = 1e-5  # of coefs_ and intercepts_, relative to the largest where that exceeds 1
OWN_TOLERANCE = 1e-9  # scikit-learn's agreement with itself


MADE_BY = "<!-- Made of KNOWN_DIFFERENCES by `python tests/estimators/parity.py --write` -->"
PROMISE = (
    "With float64 input and the same `random_state`, `sgd` and `adam` give the `loss_curve_` of "
    "scikit-learn 1.9 to 1e-6 and its `coefs_` to 1e-5 over the first 20 epochs, and `lbfgs` gives "
    "its `loss_` and `coefs_` at `max_iter` = 1 to 20. These are the known exceptions; the test "
    "named after each, in `tests/estimators/test_parity.py`, shows it."
)


@dataclass
class Setting:
    """A fit that both libraries can make."""

    seed: int
    task: str
    script: str
    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None
    sparse: str | None
    parameters: dict

    @property
    def solver(self):
        return self.parameters["solver"]

    def __str__(self):
        given = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        weights = "" if self.sample_weight is None else ", sample_weight"
        return f"[{self.seed}] {self.task}, {self.script}, {self.X.shape}{weights}, {given}"


@dataclass
class Trace:
    """What a run left behind."""

    curve: np.ndarray
    scores: np.ndarray
    coefs: np.ndarray
    counters: dict
    random_state: tuple
    saturated: bool = False


@dataclass(frozen=True)
class Difference:
    """One known difference.

    ``applies(setting, trace)`` says where a parity run meets it (None: it is about behaviour, not
    numbers), ``compares`` what still has to agree there, ``test`` which test shows it.
    """

    title: str
    sentence: str
    test: str
    applies: Callable | None = None
    compares: tuple = ()


def _several_outputs(setting, trace):
    return setting.task == "multioutput"


KNOWN_DIFFERENCES = [
    Difference(
        "A saturated probability",
        "scikit-learn clips probabilities at the machine epsilon before it takes the log-loss; "
        "fastmlp computes the loss from the raw output, without clipping. Where a probability "
        "saturates on the wrong side, `loss_` and `loss_curve_` are larger here, and right; the "
        "gradients of `sgd` and `adam`, and so `coefs_`, are the same.",
        "test_saturated_probabilities",
        lambda setting, trace: trace.saturated,
        ("coefs",),
    ),
    Difference(
        "Several outputs under squared error",
        "scikit-learn averages the value of the loss over the outputs but sums its gradient; here "
        "both are sums. `loss_` and `loss_curve_` are larger by the number of outputs (the "
        "penalty apart), and `tol` is compared with that; the `coefs_` of `sgd` and `adam` agree. "
        "`lbfgs` gets a gradient that belongs to its value, and takes other steps.",
        "test_several_outputs",
        _several_outputs,
        ("coefs",),
    ),
    Difference(
        "A mini-batch whose weights sum to zero",
        "Such a batch is skipped; scikit-learn divides by zero.",
        "test_batch_without_weight",
        lambda setting, trace: _has_empty_batch(setting),
        (),
    ),
    Difference(
        "Early stopping and rows of weight 0",
        "The split for `early_stopping` is drawn among the rows that have a weight, and the others "
        "are not trained on; scikit-learn may validate on rows that do not count, as Bagging's "
        "draws leave them.",
        "test_rows_without_weight_are_not_split",
        lambda setting, trace: _splits(setting) and _has_zero_weights(setting),
        (),
    ),
    Difference(
        "Warm starts and early stopping",
        "The rows that the first fit set aside stay aside in the fits that go on from it; "
        "scikit-learn draws others, which have been trained on.",
        "test_rows_set_aside_stay_aside",
        lambda setting, trace: _splits(setting) and setting.script == "warm",
        (),
    ),
    Difference(
        "A diverged fit",
        "It ends at the first loss that is not finite: with the best weights if early stopping has "
        "any, else with scikit-learn's error, which goes on to name layer, iteration and cause. "
        "scikit-learn goes on to `max_iter` first. After any error the estimator is as it was.",
        "test_divergence_is_noticed_at_once",
    ),
    Difference(
        "float32 with lbfgs",
        "`coefs_` stay float32; scikit-learn's become float64.",
        "test_lbfgs_keeps_float32",
    ),
    Difference(
        "partial_fit after early stopping",
        "After `fit` with `early_stopping=True` and `set_params(early_stopping=False)`, "
        "`partial_fit` and warm starts go on; scikit-learn's raise a TypeError.",
        "test_partial_fit_after_early_stopping",
    ),
    Difference(
        "partial_fit with lbfgs",
        "Neither estimator has it; scikit-learn's regressor has, and runs a whole fit.",
        "test_no_partial_fit_with_lbfgs",
    ),
    Difference(
        "Parameters changed after fit",
        "`predict` uses the activation that the network was trained with; scikit-learn's uses what "
        "the parameter says by then.",
        "test_prediction_ignores_later_parameters",
    ),
    Difference(
        "What verbose prints",
        "One table for every solver: epoch, loss, validation score, rate, seconds, with the best "
        "marked, and last the reason for stopping. `verbose='bar'` shows a progress bar.",
        "test_verbose_prints_a_table",
    ),
    Difference(
        "Weights of a standardized model",
        "`standardize=True`, which scikit-learn has not, trains on scaled data. `coefs_` and "
        "`intercepts_` have the scales folded in, in float64, so that whatever reads them as "
        "scikit-learn's gets the function that `predict` computes; they can be assigned, but not "
        "edited in place.",
        "test_weights_of_a_standardized_model",
    ),
    Difference(
        "Bad weights and targets",
        "Negative sample weights, and negative targets under `loss='poisson'`, are errors that "
        "name the row; scikit-learn trains on them.",
        "test_bad_weights_and_targets",
    ),
    Difference(
        "Ctrl-C",
        "It ends the fit, with a warning, at what has been reached, whatever the solver; before "
        "anything is, `KeyboardInterrupt` is raised and the estimator is as it was. scikit-learn's "
        "`lbfgs` always raises.",
        "test_an_interrupted_lbfgs",
    ),
    Difference(
        "One class",
        "A classifier that was trained on a single class has one column of probabilities, of 1.0; "
        "scikit-learn's has two, which `classes_` does not explain.",
        "test_one_class_has_one_probability",
    ),
    Difference(
        "Warm starts on other data",
        "The best loss or score and the count of epochs without improvement go on where data, loss "
        "and rule of stopping are the same, and start anew where they are not; scikit-learn judges "
        "other data by the old ones, and may end after an epoch.",
        "test_a_warm_start_on_other_data",
    ),
    Difference(
        "A seed and fits that go on",
        "`partial_fit` and warm starts go on with the generator of an integer `random_state`, so "
        "that rows come in another order each time; scikit-learn begins it anew in every call. A "
        "RandomState goes on in both.",
        "test_the_generator_of_a_seed_goes_on",
    ),
    Difference(
        "A score of NaN",
        "For early stopping it is no improvement, and counts as none; in scikit-learn it starts "
        "the count anew.",
        "test_a_score_of_nan",
    ),
    Difference(
        "A batch without weight",
        "`partial_fit` checks a batch whose weights are all zero and skips it; scikit-learn raises "
        "a ValueError.",
        "test_a_batch_without_weight",
    ),
]


def draw(seed, solver=None):
    """A random setting."""
    rng = np.random.default_rng(seed)
    solver = solver or rng.choice(["sgd", "adam"])
    full_batch = solver == "lbfgs"
    tasks = ["binary", "multiclass", "multilabel", "regression", "multioutput", "poisson", "labels"]
    if full_batch:
        tasks.remove("multioutput")  # a known difference leaves nothing to compare
    task = str(rng.choice(tasks))
    n_samples, n_features = int(rng.integers(30, 120)), int(rng.integers(1, 9))
    X = rng.normal(size=(n_samples, n_features))
    if not full_batch and rng.random() < 0.25:
        X *= 30.0  # so that some probabilities saturate
    sparse = str(rng.choice(["csr", "csc"])) if rng.random() < 0.25 else None
    if sparse:
        X[rng.random(X.shape) < 0.6] = 0.0
    script = "fit" if full_batch else str(rng.choice(["fit", "fit", "warm", "partial", "mixed"]))
    weights = None
    if rng.random() < 0.4:
        weights = rng.uniform(0.1, 2.0, n_samples)
        weights[rng.random(n_samples) < 0.1] = 0.0
    layers = tuple(int(n) for n in rng.integers(1, 13, size=rng.integers(1, 4)))
    parameters = {
        "solver": str(solver),
        "hidden_layer_sizes": layers,
        "activation": str(rng.choice(["identity", "logistic", "tanh", "relu"])),
        "alpha": float(rng.choice([0.0, 1e-4, 0.1, 1.0])),
        "tol": float(rng.choice([1e-4, 1e-3])),
    }
    if task == "poisson":
        parameters["loss"] = "poisson"
    if not full_batch:
        # Where the losses differ by a factor, the stop rule must not come into play.
        patience = [30] if task == "multioutput" else [1, 3, 10]
        parameters |= {
            "batch_size": _pick(rng, ["auto", 1, 7, 16, n_samples, n_samples + 5]),
            "learning_rate_init": float(rng.choice([1e-3, 1e-2])),
            "shuffle": bool(rng.random() < 0.8),
            "n_iter_no_change": _pick(rng, patience),
            "early_stopping": script in ("fit", "warm") and bool(rng.random() < 0.4),
            "validation_fraction": float(rng.uniform(0.15, 0.4)),
        }
    if solver == "sgd":
        parameters |= {
            "learning_rate": str(rng.choice(["constant", "invscaling", "adaptive"])),
            "power_t": float(rng.choice([0.5, 0.2])),
            "momentum": float(rng.choice([0.0, 0.9])),
            "nesterovs_momentum": bool(rng.random() < 0.5),
        }
    if solver == "adam":
        parameters |= {
            "beta_1": float(rng.choice([0.9, 0.5])),
            "beta_2": float(rng.choice([0.999, 0.9])),
            "epsilon": float(rng.choice([1e-8, 1e-3])),
        }
    return Setting(seed, task, script, X, _targets(rng, task, X), weights, sparse, parameters)


def _pick(rng, values):
    return values[rng.integers(len(values))]


def _targets(rng, task, X):
    n_samples = len(X)
    signal = X @ rng.normal(size=(X.shape[1], 3)) / np.linalg.norm(X, axis=1).mean()
    signal += 0.3 * rng.normal(size=signal.shape)
    match task:
        case "binary":
            return (signal[:, 0] > 0).astype(int)
        case "labels":
            return np.array(["no", "yes"])[(signal[:, 0] > 0).astype(int)]
        case "multiclass":
            y = signal.argmax(axis=1)
            y[:6] = np.arange(6) % 3
            return y
        case "multilabel":
            return (signal > 0).astype(int)
        case "regression":
            return signal[:, 0]
        case "multioutput":
            return signal
        case "poisson":
            return rng.poisson(np.exp(np.clip(signal[:, 0], -3, 2)), n_samples).astype(float)


def run(library, setting, X=None):
    """Carry a setting out with a library (a module that has the two estimators).

    Returns None where scikit-learn cannot: it diverged, or divided by zero.
    """
    X = setting.X if X is None else X
    X = X if setting.sparse is None else sp.csr_matrix(X).asformat(setting.sparse)
    classifies = setting.task in ("binary", "labels", "multiclass", "multilabel")
    kind = library.MLPClassifier if classifies else library.MLPRegressor
    random_state = np.random.RandomState(setting.seed)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            if setting.solver == "lbfgs":
                fits = [
                    _carry_out(
                        kind(max_iter=k, random_state=random_state, **setting.parameters),
                        setting,
                        X,
                        classifies,
                    )
                    for k in range(1, EPOCHS + 1)
                ]
            else:
                fits = [
                    _carry_out(
                        kind(max_iter=EPOCHS, random_state=random_state, **setting.parameters),
                        setting,
                        X,
                        classifies,
                    )
                ]
        except (ZeroDivisionError, ValueError):
            return None
    last = fits[-1]
    several = setting.solver == "lbfgs"
    scores = None if several else last.validation_scores_
    counters = {name: getattr(last, name) for name in ("n_iter_", "t_", "n_layers_", "n_outputs_")}
    if several:
        counters["n_iters"] = [fit.n_iter_ for fit in fits]
    return Trace(
        curve=np.array([fit.loss_ for fit in fits] if several else last.loss_curve_),
        scores=np.array([] if scores is None else [*scores, last.best_validation_score_]),
        coefs=np.concatenate(
            [part.ravel() for fit in fits for part in [*fit.coefs_, *fit.intercepts_]]
        ),
        counters=counters,
        random_state=random_state.get_state()[1:3],
    )


def _carry_out(estimator, setting, X, classifies):
    y, weights = setting.y, setting.sample_weight
    if setting.script == "fit":
        return estimator.fit(X, y, sample_weight=weights)
    if setting.script == "warm":
        estimator.set_params(warm_start=True, max_iter=EPOCHS // 3)
        for _ in range(3):
            estimator.fit(X, y, sample_weight=weights)
        return estimator
    if setting.script == "mixed":
        estimator.set_params(max_iter=5).fit(X, y, sample_weight=weights)
    classes = [0, 1, 2] if y.ndim == 2 else np.unique(y)
    keywords = {"classes": classes} if classifies else {}
    half = len(y) // 2
    for call in range(EPOCHS - 5):
        part = slice(half, None) if call % 2 else slice(0, half + 3)
        weight = None if weights is None else weights[part]
        estimator.partial_fit(X[part], y[part], sample_weight=weight, **keywords)
    return estimator


def sklearn_run(setting, X=None):
    """``run`` with scikit-learn, watching for probabilities that its log-loss clips."""
    import sklearn.neural_network._multilayer_perceptron as mlp

    clipped = []
    originals = {name: mlp.LOSS_FUNCTIONS[name] for name in ("log_loss", "binary_log_loss")}

    def watching(loss):
        def watched(y_true, y_prob, sample_weight=None):
            eps = np.finfo(y_prob.dtype).eps
            clipped.append(bool(((y_prob < eps) | (y_prob > 1 - eps)).any()))
            return loss(y_true, y_prob, sample_weight)

        return watched

    mlp.LOSS_FUNCTIONS.update({name: watching(loss) for name, loss in originals.items()})
    try:
        trace = run(mlp, setting, X)
    finally:
        mlp.LOSS_FUNCTIONS.update(originals)
    if trace is not None:
        trace.saturated = any(clipped)
    return trace


def counts(setting, trace):
    """Whether scikit-learn agrees with itself when X is perturbed by one ulp.

    And alpha with it: on a dead unit nothing but the penalty acts, and X does not matter.
    """
    if not np.isfinite(trace.curve).all():
        return False  # it diverged
    rng = np.random.default_rng(setting.seed)
    up = rng.random(setting.X.shape) < 0.5
    X = np.where(setting.X == 0, 0, np.nextafter(setting.X, np.where(up, np.inf, -np.inf)))
    alpha = setting.parameters["alpha"]
    alpha = float(np.nextafter(alpha, 1.0)) if alpha else 0.0
    perturbed = sklearn_run(replace(setting, parameters={**setting.parameters, "alpha": alpha}), X)
    return perturbed is not None and not mismatches(
        trace, perturbed, curve_tolerance=OWN_TOLERANCE, coefs_tolerance=OWN_TOLERANCE
    )


def mismatches(
    expected,
    actual,
    compares=("curve", "coefs"),
    curve_tolerance=CURVE_TOLERANCE,
    coefs_tolerance=COEFS_TOLERANCE,
):
    """What differs between two traces, as a list of sentences."""
    found = [
        f"{name}: {actual.counters[name]} instead of {value}"
        for name, value in expected.counters.items()
        if actual.counters[name] != value
    ]
    if not all(map(np.array_equal, expected.random_state, actual.random_state)):
        found.append("the random state was left elsewhere")
    if found:
        return found
    if "curve" in compares:
        for name in ("curve", "scores"):
            error = _relative(getattr(expected, name), getattr(actual, name))
            if error > curve_tolerance:
                found.append(f"{name} differs by {error:.1e}, relative")
    if "coefs" in compares:
        scale = max(1.0, np.abs(expected.coefs).max())
        error = np.abs(expected.coefs - actual.coefs).max() / scale
        if not error <= coefs_tolerance:
            found.append(f"coefs_ differ by {error:.1e}")
    return found


def _relative(expected, actual):
    if expected.shape != actual.shape:
        return np.inf
    scale = np.maximum(np.abs(expected), np.finfo(float).tiny)
    return float(np.max(np.abs(expected - actual) / scale, initial=0.0))


def _splits(setting):
    return setting.parameters.get("early_stopping", False)


def _has_zero_weights(setting):
    return setting.sample_weight is not None and not setting.sample_weight.all()


def _has_empty_batch(setting):
    return setting.sample_weight is not None and setting.parameters.get("batch_size") == 1


def compared(setting, trace):
    """What has to agree for a setting: all of it, or what its known differences leave."""
    compares = {"curve", "coefs"}
    for difference in KNOWN_DIFFERENCES:
        if difference.applies is not None and difference.applies(setting, trace):
            compares &= set(difference.compares) - (
                {"coefs"} if setting.solver == "lbfgs" else set()
            )
    return compares


def page():
    """The page "Differences from scikit-learn"."""
    lines = [
        "# Differences from scikit-learn",
        "",
        MADE_BY,
        "",
        textwrap.fill(PROMISE, 100, break_on_hyphens=False),
    ]
    for title, group in (
        ("In numbers", [d for d in KNOWN_DIFFERENCES if d.applies is not None]),
        ("In behaviour", [d for d in KNOWN_DIFFERENCES if d.applies is None]),
    ):
        lines += ["", f"## {title}"]
        for difference in group:
            text = f"- **{difference.title}.** {difference.sentence} (`{difference.test}`)"
            lines += ["", textwrap.fill(text, 100, subsequent_indent="  ", break_on_hyphens=False)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page())
    else:
        sys.exit("usage: python tests/estimators/parity.py --write")
