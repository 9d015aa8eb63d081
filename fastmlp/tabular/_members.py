"""What members say of rows that are checked already: as ``predict``, less its checks and copies."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from fastmlp.tabular._encoder import PiecewiseLinearEncoder
from fastmlp.tabular._relevance import ColumnScaler
from fastmlp.tabular._splines import SplineEncoder

ENTRIES = 1 << 20  # of the rows that are asked about at a time
MOST_DENSE = 1024  # features of sparse rows that are asked about as dense ones: networks are faster


class TargetScaler(StandardScaler):
    """Scales of targets, put back in float64: single precision may hold neither them nor y."""

    def inverse_transform(self, X, copy=None):
        return super().inverse_transform(np.asarray(X, dtype=np.float64), copy=copy)


def dense(X):
    """Rows as an array."""
    return X.toarray() if sp.issparse(X) else X


def single(X):
    """Rows in single precision."""
    return X.astype(np.float32, copy=False)


class Rows:
    """Rows, and what the first steps of members make of them: each is made once.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n, n_features)
    """

    def __init__(self, X):
        X = X.toarray() if sp.issparse(X) and X.shape[1] <= MOST_DENSE else X
        self.X = X if sp.issparse(X) else np.ascontiguousarray(X)
        self._made = {}

    def __len__(self):
        return self.X.shape[0]

    def after(self, steps):
        """X after the fitted steps of a pipeline."""
        made, key = self.X, ()
        for step in steps:
            if type(step) is ColumnScaler and step.scale is None:
                continue  # changes nothing: what comes after is shared by all folds
            known = type(step) is FunctionTransformer and step.func in (dense, single)
            key = *key, step.func if known else id(step)
            if key not in self._made:
                self._made[key] = _after(step, made, known)
            made = self._made[key]
        return made

    def forget(self):
        """Drop what fitted steps made: the members of another fold have others."""
        self._made = {key: made for key, made in self._made.items() if all(map(callable, key))}


def _after(step, X, known):
    if known:
        return step.func(X)
    if type(step) is PiecewiseLinearEncoder:
        return step.encoded(X)
    if type(step) is ColumnScaler:
        return step.scaled(X)
    return step.transform(X)


def share_encoders(members):
    """Give members that were trained on the same rows one encoder, where theirs are equal."""
    known = []
    for member in members:
        inner = getattr(member, "regressor_", member)
        for k, (name, step) in enumerate(inner.steps if type(inner) is Pipeline else ()):
            if type(step) is PiecewiseLinearEncoder:
                same = next((each for each in known if each.is_like(step)), None)
                inner.steps[k] = name, same or step
                known += [] if same else [step]


def blocks(X, members):
    """Slices of the rows of X that are asked about together, few enough for copies of them."""
    n, n_features = X.shape
    if sp.issparse(X) and n_features > MOST_DENSE and not any(map(_encodes, members)):
        return [slice(0, n)]
    step = max(MOST_DENSE, ENTRIES // n_features)
    return [slice(start, start + step) for start in range(0, n, step)]


def _encodes(member):
    inner = getattr(member, "regressor_", member)
    return type(inner) is Pipeline and any(
        type(step) is PiecewiseLinearEncoder for _, step in inner.steps
    )


def said(member, rows):
    """What a member predicts, (n, n_outputs): numbers, or a probability for each of its classes.

    Parameters
    ----------
    member : estimator
        Fitted.
    rows : Rows
    """
    if type(member) is TransformedTargetRegressor:
        return _restored(member.transformer_, said(member.regressor_, rows))
    steps, last = [], member
    if type(member) is Pipeline:
        *steps, last = (step for _, step in member.steps)
    if type(last) is RidgeCV:
        if steps and type(steps[-1]) is SplineEncoder:
            found = steps[-1].effects(rows.after(steps[:-1]), np.atleast_2d(last.coef_))
        else:
            found = rows.after(steps) @ np.atleast_2d(last.coef_).T
        return found + last.intercept_
    X = rows.after(steps)
    found = last.predict_proba(X) if hasattr(last, "predict_proba") else last.predict(X)
    return np.asarray(found, dtype=np.float64).reshape(len(rows), -1)


def _restored(transformer, y):
    """Targets, (n, n_outputs), from transformed ones."""
    if type(transformer) is Pipeline:
        for _, step in reversed(transformer.steps):
            y = _restored(step, y)
        return y
    known = type(transformer) in (StandardScaler, TargetScaler)
    if known and transformer.with_mean and transformer.with_std:
        return y * transformer.scale_ + transformer.mean_
    return np.asarray(transformer.inverse_transform(y)).reshape(len(y), -1)
