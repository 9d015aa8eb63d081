"""Weights of rows from weights of classes, by the classes that the classifier knows."""

from __future__ import annotations

import difflib

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from fastmlp.estimators._warn import warn


def class_weights(class_weight, classes, y, fixed):
    """The weight that each row has by its class, or its classes.

    Parameters
    ----------
    class_weight : dict, list of dict or "balanced"
        A class that a dict does not name has weight 1.
    classes : ndarray of shape (n_classes,)
        All classes; y may lack some of them.
    y : ndarray of shape (n_samples,) or (n_samples, n_classes)
        Labels of ``classes``, or an indicator matrix.
    fixed : bool
        Whether ``classes`` is all there is. If not, it is what this y has, and a name that is not
        among them may belong to a class that these rows lack: a fold of a rare one.

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        A name that is no class, or too much like one that the dict does not name.
    """
    if isinstance(class_weight, str):
        return compute_sample_weight(class_weight, y)
    if y.ndim == 1:
        if not isinstance(class_weight, dict):
            raise ValueError("class_weight must be a dict or 'balanced' for one label per sample.")
        _check_names(class_weight, classes, fixed)
        return _of(class_weight, classes)[np.searchsorted(classes, y)]
    if not isinstance(class_weight, list) or len(class_weight) != y.shape[1]:
        raise ValueError(
            "class_weight must be 'balanced' or a list of one dict per column of y "
            f"({y.shape[1]}) for an indicator matrix, got {class_weight!r}."
        )
    weights = np.ones(len(y))
    for each, column in zip(class_weight, y.T, strict=True):
        _check_names(each, np.array([0, 1]), fixed=True)
        weights *= _of(each, (0, 1))[(column > 0).astype(np.intp)]
    return weights


def _of(weights, classes):
    return np.array([weights.get(label, 1.0) for label in classes], dtype=np.float64)


def _check_names(weights, classes, fixed):
    """Tell the names that are no classes: as an error where they cannot be."""
    known = list(classes)
    unknown = [name for name in weights if name not in known]
    if not unknown:
        return
    if fixed:
        raise ValueError(f"class_weight names {_list(unknown)}; the classes are {_list(known)}.")
    unnamed = [label for label in known if label not in weights]
    for name in unknown:
        for label in unnamed:
            if _alike(str(name), str(label)):
                raise ValueError(
                    f"class_weight names {name!r}, which y does not have; did you mean "
                    f"{_plain(label)!r}?"
                )
    warn(
        f"class_weight names {_list(unknown)}, which y does not have: its classes are "
        f"{_list(known)}."
    )


def _alike(name, label):
    """Whether two words are probably one: up to case, order or a letter."""
    name, label = name.strip().casefold(), label.strip().casefold()
    if name == label:
        return True
    if not (name.isalpha() and label.isalpha() and min(len(name), len(label)) > 2):
        return False
    same = sorted(name) == sorted(label)
    return same or difflib.SequenceMatcher(None, name, label).ratio() > 0.88


def _plain(label):
    return label.item() if isinstance(label, np.generic) else label


def _list(labels):
    words = [repr(_plain(label)) for label in labels]
    return ", ".join(words[:10]) + (", ..." if len(words) > 10 else "")
