"""Derivatives of the members of a race by their inputs, and what they say of single rows."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

# Nodes of the quadrature along a path: first, and at most.
NODES, MOST_NODES = 16, 256
# The quadrature is good enough where contributions miss a prediction by less than this share.
CLOSE = 1e-4
ENTRIES = 1 << 21  # of a temporary


def of_member(member, X):
    """d answer / d x, (n, n_outputs, n_features): of targets, or of a probability for each class.

    Raises
    ------
    TypeError
        The estimator is none whose derivatives are known.
    """
    if hasattr(member, "regressor_"):  # on transformed targets
        inner = of_member(member.regressor_, X)
        scaler = member.transformer_[-1] if hasattr(member.transformer_, "steps") else None
        slope = (scaler or member.transformer_).scale_
        if scaler is not None:  # their logarithms
            slope = slope * member.predict(X).reshape(len(X), -1)
        return inner * np.broadcast_to(slope, inner.shape[:2])[..., np.newaxis]
    if hasattr(member, "steps"):
        inner = of_member(member[-1], member[:-1].transform(X))
        for step in member[:-1]:
            if hasattr(step, "pull_back"):
                return step.pull_back(inner, X)
        return inner
    if hasattr(member, "input_jacobian"):
        return member.input_jacobian(X)
    if hasattr(member, "coef_") and not hasattr(member, "classes_"):
        coef = np.atleast_2d(member.coef_)
        return np.broadcast_to(coef, (len(X), *coef.shape))
    if hasattr(member, "coef_"):
        coef = member.coef_
        coef = coef if len(coef) > 1 else np.vstack([0 * coef, coef])
        proba = member.predict_proba(X)
        return proba[..., np.newaxis] * (coef - (proba @ coef)[:, np.newaxis])
    if hasattr(member, "class_prior_"):  # a constant
        return np.zeros((len(X), len(member.classes_), X.shape[1]))
    raise TypeError(
        "explain needs candidates whose derivatives are known, networks of fastmlp and linear "
        f"models; {type(member).__name__} is neither."
    )


def contributions(answer_and_jacobian, Z, baseline, scale):
    """What each input adds to the answer, from the baseline on: integrated gradients.

    Parameters
    ----------
    answer_and_jacobian : callable
        ``f(Z) -> (n, n_outputs), (n, n_outputs, n_features)``.
    Z : {ndarray, CSR matrix} of shape (n, n_features)
    baseline : ndarray of shape (n_features,)
    scale : ndarray of shape (n_outputs,)
        What answers are compared with.

    Returns
    -------
    ndarray of shape (n, n_outputs, n_features)
        Their sums over features are answer minus answer at the baseline. What the quadrature misses
        where the path meets a kink is shared out in proportion to the sizes.

    References
    ----------
    Sundararajan, Taly and Yan, Axiomatic attribution for deep networks, ICML 2017.
    """
    start, _ = answer_and_jacobian(baseline[np.newaxis])
    rows = max(1, ENTRIES // (MOST_NODES * start.shape[1] * len(baseline)))
    found = [
        _of_rows(answer_and_jacobian, Z[at : at + rows], baseline, start, scale)
        for at in range(0, Z.shape[0], rows)
    ]
    return np.concatenate(found)


def _of_rows(answer_and_jacobian, Z, baseline, start, scale):
    Z = Z.toarray() if sp.issparse(Z) else Z
    path = Z - baseline
    wanted = answer_and_jacobian(Z)[0] - start
    n_nodes = NODES
    while True:
        nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
        points = baseline + (0.5 * nodes[:, np.newaxis, np.newaxis] + 0.5) * path
        _, jacobian = answer_and_jacobian(points.reshape(-1, path.shape[1]))
        jacobian = jacobian.reshape(n_nodes, *wanted.shape, path.shape[1])
        found = np.tensordot(0.5 * weights, jacobian, axes=1) * path[:, np.newaxis]
        missed = wanted - found.sum(axis=2)
        if n_nodes == MOST_NODES or (np.abs(missed) <= CLOSE * scale).all():
            break
        n_nodes *= 2
    sizes = np.abs(found)
    total = sizes.sum(axis=2, keepdims=True)
    sizes, total = np.where(total > 0, sizes, 1.0), np.where(total > 0, total, path.shape[1])
    return found + missed[..., np.newaxis] * sizes / total
