"""What each ingredient is worth: `python -m bench.tables --leave-out`.

Two tables, as RealMLP's paper has them: by how much the test error grows without an ingredient. Of
the ensemble nothing is fitted anew: candidates are taken out and the choice is made again from the
out-of-fold predictions. Of the recipe of mini-batches each line is a race of its own, in which that
one thing is as it would be by default.
"""

import copy

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from bench.table import Table, title
from bench.tables_peers import make
from bench.tables_sets import rows_of
from fastmlp.solvers import AdamW
from fastmlp.tabular import Columns, Race
from fastmlp.tabular._selection import greedy_weights
from fastmlp.tabular._temperature import tempered

FOLDS = 5
SHIFT = 0.01  # of geometric means: errors may be 0


def _parameters(estimator, kind):
    """Names of the parameters, also inside of others, whose value is of a kind."""
    found = estimator.get_params()
    return {name: value for name, value in found.items() if isinstance(value, kind)}


def _solver(**changes):
    """With these attributes of its solver."""

    def change(estimator):
        for name, solver in _parameters(estimator, AdamW).items():
            other = copy.copy(solver)
            vars(other).update(changes)
            estimator.set_params(**{name: other})
        return estimator

    return change


def _network(**changes):
    """With these parameters of its network, wherever that is."""

    def change(estimator):
        known = estimator.get_params()
        for name in known:
            stem, _, last = name.rpartition("__")
            if last in changes and (f"{stem}__solver" if stem else "solver") in known:
                estimator.set_params(**{name: changes[last]})
        return estimator

    return change


RECIPE = {
    "nothing": lambda estimator: estimator,
    "constant rate": _solver(learning_rate="constant"),
    "beta_2 of .999": _solver(beta_2=0.999),
    "no rate factors": _solver(rate_factors=None),
    "no weight decay": _solver(weight_decay=0.0),
    "usual batches": _solver(batch_size="auto"),
    "relu": _network(activation="relu"),
    "usual initial weights": _network(init="glorot"),
    "no label smoothing": _network(label_smoothing=0.0),
}
SCALING = "mean and deviation"  # in place of quartiles and a smooth clip


def _error(data, answer, test, classes=None):
    """The share of errors, or RMSE in deviations of y."""
    y = data.y[test]
    if data.classifies:
        return float(np.mean(classes[answer.argmax(axis=1)] != y))
    return float(np.sqrt(np.mean((answer[:, 0] - y) ** 2)) / data.y.std())


def of_ensemble(data, train, test, seed):
    """Test error of the ensemble as it is, and otherwise."""
    model = make("fastmlp", data.classifies, seed).set_params(warm_start=True)
    model.fit(rows_of(data.X, train), data.y[train])
    race, Z = model.race_, model.preprocessor_.transform(rows_of(data.X, test))
    targets = data.y[train][race._folds.judged]
    if data.classifies:
        targets, classes = np.searchsorted(race.classes_, targets), race.classes_
    else:
        targets, classes = (targets / race._scale)[:, np.newaxis], None
    entries = [entry for entry in race._entries if np.isfinite(entry.losses).all()]

    def said(entry, member):
        answer = race._answer(member, Z)
        return tempered(answer, entry.temperature) if data.classifies else answer

    def of_members():
        """Of each candidate: what its members say, (n_members, n, n_outputs)."""
        return {
            entry.candidate.name: np.stack([said(entry, member) for member in entry.members])
            for entry in entries
        }

    answers = of_members()

    def answer(kept, shares, members=slice(None)):
        return sum(
            share * answers[entry.candidate.name][members].mean(axis=0)
            for share, entry in zip(shares, kept, strict=True)
        )

    def error(kept, shares=None, members=slice(None)):
        if shares is None:
            shares = greedy_weights([entry.predictions for entry in kept], targets, race._loss)
        return _error(data, answer(kept, shares, members), test, classes)

    best = min(entries, key=lambda entry: entry.losses.mean())
    found = {
        "all": error(entries),
        "the best one alone": error([best], [1.0]),
        "equal weights": error(entries, np.full(len(entries), 1 / len(entries))),
        "one fold's members": error(entries, members=slice(1)),
    }
    names = [entry.candidate.name for entry in entries]
    groups = {}  # of names: by first word, by family, by itself
    for entry in entries:
        for words in (entry.candidate.name.split()[0], entry.candidate.family):
            groups.setdefault(words, set()).add(entry.candidate.name)
    groups = {f"{words} (all)": of for words, of in groups.items() if words and len(of) > 1}
    for words, left_out in {**groups, **{name: {name} for name in names}}.items():
        kept = [entry for entry in entries if entry.candidate.name not in left_out]
        if kept:
            found[f"without {words}"] = error(kept)
    if not data.classifies:
        race.set_params(clip=False)
        answers.update(of_members())
        found["predictions not held"] = error(entries)
    return found


def of_recipe(data, train, test, seed):
    """Test error of the mini-batch candidates alone, and with one thing as it is by default."""
    X, rest, y = rows_of(data.X, train), rows_of(data.X, test), data.y[train]
    columns = Columns().fit(X)
    Z, Z_test = columns.transform(X), columns.transform(rest)
    model = make("fastmlp", data.classifies, seed)
    offered = model._portfolio(Z, y, FOLDS, 1)
    candidates = [each for each in offered if _parameters(each.estimator, AdamW)]

    def error(change, Z=Z, Z_test=Z_test):
        changed = [each._replace(estimator=change(clone(each.estimator))) for each in candidates]
        race = Race(changed, cv=FOLDS, n_threads=1, random_state=seed).fit(Z, y)
        answer = race.fold_answers(Z_test).mean(axis=0)
        return _error(data, answer, test, getattr(race, "classes_", None))

    if not candidates:
        return {}
    found = {}
    for words, change in RECIPE.items():
        found["all" if words == "nothing" else words] = error(change)
    if columns.numbers_ is not None:
        other = _plainly_scaled(columns, X)
        same = RECIPE["nothing"]
        found[SCALING] = error(same, other.transform(X), other.transform(rest))
    return found


def _plainly_scaled(columns, X):
    """Columns whose numbers have mean 0 and deviation 1, in place of the smooth clip."""
    other = copy.deepcopy(columns)
    numbers, *_ = other._numbers(other._as_fitted(X))
    scaler = _MeanAndDeviation().fit(other.numbers_[0].transform(numbers))
    other.numbers_.steps[-1] = ("scaler", scaler)
    return other


class _MeanAndDeviation(StandardScaler):
    scaled = StandardScaler.transform


def _summary(words, per_set):
    """A line per ingredient: % more error than with all, over the sets that have it."""
    table = Table(
        [("without, or with", ""), ("sets", "d"), ("% more", ".1f"), ("worse on", "d"),
         ("better on", "d")],
        {"without, or with": 28},
    )  # fmt: skip
    lines = []
    for name in dict.fromkeys(name for found in per_set.values() for name in found):
        having = [found for found in per_set.values() if name in found]
        ratios = np.array([(found[name] + SHIFT) / (found["all"] + SHIFT) for found in having])
        more = 100 * (np.exp(np.log(ratios).mean()) - 1)
        lines.append(
            (-more, table.line([name, len(ratios), more, int((ratios > 1).sum()),
                                int((ratios < 1).sum())]))
        )  # fmt: skip
    return "\n".join([title(words), table.head(), *(line for _, line in sorted(lines))])


MEASURES = {
    "ensemble": ("% more test error: the ensemble", of_ensemble),
    "recipe": ("% more test error: the recipe of mini-batches, by itself", of_recipe),
}


def table(which, sets, splits):
    """The table of the ensemble or of the recipe, over sets and splits."""
    words, measure = MEASURES[which]
    per_set = {}
    for name, data in sets.items():
        each = [measure(data, *data.splits[k], k) for k in range(min(splits, len(data.splits)))]
        if each[0]:
            per_set[name] = {
                key: np.mean([found[key] for found in each if key in found]) for key in each[0]
            }
            line = "  ".join(f"{key} {value:.4g}" for key, value in per_set[name].items())
            print(f"{name:13} {line}", flush=True)
    return _summary(words, per_set)
