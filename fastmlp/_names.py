"""Words for what a user gave that is not known: other libraries' names, misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

# What other libraries and textbooks say -> what is said here; looked up in lower case, with "_" for
# "-" and " ". A name counts only where what it stands for is known.
FOREIGN = {
    # activations
    "sigmoid": "logistic",
    "sigm": "logistic",
    "logsig": "logistic",
    "expit": "logistic",
    "swish": "silu",
    "linear": "identity",
    "purelin": "identity",
    "none": "identity",
    "rectifier": "relu",
    "rectified_linear": "relu",
    "lrelu": "leaky_relu",
    "leakyrelu": "leaky_relu",
    "tansig": "tanh",
    "hyperbolic_tangent": "tanh",
    "exponential": "exp",
    "softrelu": "softplus",
    # losses
    "mse": "squared_error",
    "mean_squared_error": "squared_error",
    "mseloss": "squared_error",
    "squared_loss": "squared_error",
    "least_squares": "squared_error",
    "ls": "squared_error",
    "l2": "squared_error",
    "l2_loss": "squared_error",
    "rmse": "squared_error",
    "brier": "squared_error",
    "reg:squarederror": "squared_error",
    "mae": "absolute_error",
    "mean_absolute_error": "absolute_error",
    "l1": "absolute_error",
    "l1_loss": "absolute_error",
    "lad": "absolute_error",
    "least_absolute_deviation": "absolute_error",
    "smooth_l1": "huber",
    "smoothl1loss": "huber",
    "pinball": "quantile",
    "quantile_loss": "quantile",
    "logloss": "log_loss",
    "log": "log_loss",
    "nll": "log_loss",
    "ce": "log_loss",
    "bce": "log_loss",
    "cross_entropy": "log_loss",
    "crossentropy": "log_loss",
    "binary_crossentropy": "log_loss",
    "binary_cross_entropy": "log_loss",
    "categorical_crossentropy": "log_loss",
    "sparse_categorical_crossentropy": "log_loss",
    "crossentropyloss": "log_loss",
    "bceloss": "log_loss",
    "logistic_loss": "log_loss",
    "deviance": "log_loss",
    "hinge": "perceptron",
    "poisson_nll": "poisson",
    "poisson_deviance": "poisson",
    "gamma_deviance": "gamma",
    # distributions
    "gaussian": "normal",
    "gauss": "normal",
    "norm": "normal",
    "binomial": "bernoulli",
    "multinomial": "categorical",
    # solvers
    "adamw": "AdamW()",
    "gradient_descent": "gd",
    "gradientdescent": "gd",
    "steepest_descent": "gd",
    "batch_gradient_descent": "gd",
    "traingd": "gd",
    "stochastic_gradient_descent": "sgd",
    "momentum": "sgd",
    "nesterov": "sgd",
    "l_bfgs": "lbfgs",
    "l_bfgs_b": "lbfgs",
    "lbfgsb": "lbfgs",
    "bfgs": "lbfgs",
    "trainbfg": "lbfgs",
    "levenberg": "lm",
    "levenberg_marquardt": "lm",
    "levenbergmarquardt": "lm",
    "marquardt": "lm",
    "trainlm": "lm",
    "gauss_newton": "lm",
    "newton_raphson": "newton",
    "newton_cholesky": "newton",
    "trainbr": "LevenbergMarquardt(evidence=True)",
    "newtoncg": "newton-cg",
    "newton_cg": "newton-cg",
    "hessian_free": "newton-cg",
    "truncated_newton": "newton-cg",
    "trust_ncg": "newton-cg",
    # initial weights
    "xavier": "glorot",
    "glorot_uniform": "glorot",
    "xavier_uniform": "glorot",
    "kaiming": "he",
    "kaiming_uniform": "he",
    "he_normal": "he",
    "he_uniform": "he",
    "nguyen_widrow": "nguyen-widrow",
    "zero": "zeros",
    # scores and schedules
    "decay": "invscaling",
    "inverse_scaling": "invscaling",
}


def suggestion(name: Any, known: Iterable[str]) -> str | None:
    """The known name that a user may have meant, or None."""
    if not isinstance(name, str):
        return None
    known = tuple(known)
    plain = {_plain(entry): entry for entry in known}
    word = _plain(name)
    if word in plain:
        return plain[word]
    meant = FOREIGN.get(word)
    if meant is not None and (meant in known or (meant.endswith(")") and "lm" in known)):
        return meant
    close = difflib.get_close_matches(word, plain, n=1, cutoff=0.7)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


def unknown(what: str, name: Any, known: Iterable[str]) -> str:
    """A sentence on a name that is not known, with the one that may be meant."""
    known = tuple(known)
    meant = suggestion(name, known)
    hint = "" if meant is None else f"; did you mean {quoted(meant)}?"
    end = ". Known are" if hint == "" else " Known are"
    return f"Unknown {what} {shown(name)}{hint}{end} {', '.join(map(quoted, known))}."


def check_choice(name: str, value: Any, choices: Iterable[str | None]) -> None:
    """Raise ValueError unless a value is one of some names (None may be one)."""
    choices = tuple(choices)
    if (value is None or isinstance(value, str)) and value in choices:
        return
    meant = suggestion(value, [choice for choice in choices if choice is not None])
    hint = "" if meant is None else f"; did you mean {meant!r}?"
    words = ", ".join(map(repr, choices[:-1])) + f" or {choices[-1]!r}"
    raise ValueError(f"{name} must be {words}, got {shown(value)}{hint or '.'}")


def quoted(meant: str) -> str:
    """A name as Python writes it; a solver object stays code."""
    return meant if meant.endswith(")") else repr(meant)


def shown(value: Any) -> str:
    """What a user gave, on one line of bearable length."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python writes out no integer of more than 4300 digits
        bits = f" of {value.bit_length()} bits" if isinstance(value, int) else ""
        return f"a {type(value).__name__}{bits}, too long to be written out"
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"
