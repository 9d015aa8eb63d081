"""Tables without tuning, beside the usual defaults: `python -m bench.tables`.

    python -m bench.tables                          the sets that scikit-learn ships
    python -m bench.tables --data DIR               and the published splits of the UCI sets
    python -m bench.tables --sets yacht digits --splits 2 --data DIR
    python -m bench.tables --leave-out --sets iris  what each candidate is worth

Nobody is tuned, nothing is chosen on test rows. All methods see the same rows and splits. Networks
and forests of scikit-learn get the columns as `fastmlp.tabular.Columns` makes them. Peers that are
not installed are named at the end. Seconds are of the processor: they bear a busy machine.
"""

import argparse
import importlib.util
import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.metrics import log_loss
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline

from bench import uci
from bench.table import Table, title
from fastmlp import TabularMLPClassifier, TabularMLPRegressor
from fastmlp.metrics import expected_calibration_error
from fastmlp.tabular import Columns
from fastmlp.tabular._selection import greedy_weights

CLASSES = {
    "digits": load_digits,
    "breast cancer": load_breast_cancer,
    "wine classes": load_wine,
    "iris": load_iris,
}
VALUES = {"diabetes": load_diabetes}
SETS = (*CLASSES, *VALUES, *uci.SETS)
SPLITS = 10  # of sets without published ones; a fifth of the rows is the test

PEERS = {  # method: (regressor, classifier), each made anew from a seed
    "fastmlp": (
        lambda seed: TabularMLPRegressor(random_state=seed),
        lambda seed: TabularMLPClassifier(random_state=seed),
    ),
    "scikit-learn MLP": (
        lambda seed: make_pipeline(Columns(), MLPRegressor(random_state=seed)),
        lambda seed: make_pipeline(Columns(), MLPClassifier(random_state=seed)),
    ),
    "HistGradientBoosting": (
        lambda seed: HistGradientBoostingRegressor(random_state=seed),
        lambda seed: HistGradientBoostingClassifier(random_state=seed),
    ),
    "random forest": (
        lambda seed: make_pipeline(Columns(), RandomForestRegressor(random_state=seed)),
        lambda seed: make_pipeline(Columns(), RandomForestClassifier(random_state=seed)),
    ),
}
OTHERS = {  # method: (module, names of regressor and classifier, parameters)
    "CatBoost": ("catboost", "CatBoostRegressor", "CatBoostClassifier", {"verbose": False}),
    "LightGBM": ("lightgbm", "LGBMRegressor", "LGBMClassifier", {"verbose": -1}),
    "XGBoost": ("xgboost", "XGBRegressor", "XGBClassifier", {}),
    "RealMLP": ("pytabkit", "RealMLP_TD_Regressor", "RealMLP_TD_Classifier", {"device": "cpu"}),
    "RealMLP-S": ("pytabkit", "RealMLP_TD_S_Regressor", "RealMLP_TD_S_Classifier", {}),
    "ChimeraBoost": ("chimeraboost", "ChimeraBoostRegressor", "ChimeraBoostClassifier", {}),
}
METHODS = (*PEERS, *OTHERS)


def installed(method):
    """Whether a method is there."""
    return method in PEERS or importlib.util.find_spec(OTHERS[method][0]) is not None


def make(method, classifies, seed):
    """A fresh model at its defaults."""
    if method in PEERS:
        return PEERS[method][classifies](seed)
    module, *names, parameters = OTHERS[method]
    return getattr(importlib.import_module(module), names[classifies])(
        random_state=seed, **parameters
    )


def load(name, folder):
    """X, y, splits, and whether y is classes."""
    if name in uci.SETS:
        return *uci.load(folder, name), False
    X, y = ({**CLASSES, **VALUES}[name])(return_X_y=True)
    kind = StratifiedShuffleSplit if name in CLASSES else ShuffleSplit
    return X, y, list(kind(SPLITS, test_size=0.2, random_state=0).split(X, y)), name in CLASSES


def judge(model, X, y, classifies):
    """What is printed: the first is the error that methods are ranked by."""
    if not classifies:
        return {"error": float(np.sqrt(np.mean((np.ravel(model.predict(X)) - y) ** 2)))}
    proba = model.predict_proba(X)
    return {
        "error": float(np.mean(proba.argmax(axis=1) != y)),
        "log_loss": float(log_loss(y, proba, labels=np.arange(proba.shape[1]))),
        "ece": float(expected_calibration_error(y, proba)),
    }


def run(method, X, y, train, test, classifies, seed):
    """One fit, and its figures."""
    start = time.perf_counter(), time.process_time()
    model = make(method, classifies, seed).fit(X[train], y[train])
    cpu, seconds = time.process_time() - start[1], time.perf_counter() - start[0]
    rows = X[np.resize(test, 1000)]
    model.predict(rows)
    start = time.perf_counter()
    model.predict(rows)
    per_1000 = time.perf_counter() - start
    found = judge(model, X[test], y[test], classifies)
    return found | {"cpu": cpu, "seconds": seconds, "predict": per_1000, "rows": len(train)}


def summary(records, name):
    """The table of a set."""
    table = Table(
        [
            ("method", ""), ("splits", "d"), ("error", ".4f"), ("s.e.", ".4f"), ("log-loss", ".4f"),
            ("ECE", ".4f"), ("cpu s/1K", ".2f"), ("ms/1K", ".1f"),
        ],
        {"method": 20},
    )  # fmt: skip
    lines = [title(name), table.head()]
    for method in METHODS:
        rows = [r for r in records if (r["set"], r["method"]) == (name, method)]
        if not rows:
            continue
        errors = [row["error"] for row in rows]
        spread = np.std(errors, ddof=1) / np.sqrt(len(errors)) if len(errors) > 1 else None
        extra = [
            np.mean([row[key] for row in rows]) if key in rows[0] else None
            for key in ("log_loss", "ece")
        ]
        cost = np.median([1000 * row["cpu"] / row["rows"] for row in rows])
        answer = 1000 * np.median([row["predict"] for row in rows])
        lines.append(table.line([method, len(rows), np.mean(errors), spread, *extra, cost, answer]))
    return "\n".join(lines)


def verdict(records):
    """Ranks and normalised errors (0 the best of a set, 1 the worst), means over the sets."""
    sets = [name for name in SETS if any(r["set"] == name for r in records)]
    methods = [m for m in METHODS if any(r["method"] == m for r in records)]
    errors = np.array([
        [np.mean([r["error"] for r in records if (r["set"], r["method"]) == (name, m)] or [np.nan])
         for m in methods]
        for name in sets
    ])  # fmt: skip
    complete = errors[np.isfinite(errors).all(axis=1)]
    if not len(complete) or len(methods) < 2:
        return ""
    below = (complete[:, np.newaxis] < complete[:, :, np.newaxis]).sum(axis=2)
    ties = (complete[:, np.newaxis] == complete[:, :, np.newaxis]).sum(axis=2) - 1
    ranks = (1 + below + ties / 2).mean(axis=0)
    low, high = complete.min(axis=1, keepdims=True), complete.max(axis=1, keepdims=True)
    normalised = ((complete - low) / np.where(high > low, high - low, 1)).mean(axis=0)
    columns = [("method", ""), ("mean rank", ".2f"), ("normalised", ".3f")]
    table = Table(columns, {"method": 20})
    lines = [title(f"{len(complete)} sets"), table.head()]
    lines += [
        table.line(row)
        for row in sorted(zip(methods, ranks, normalised, strict=True), key=lambda row: row[1])
    ]
    return "\n".join(lines)


def leave_out(X, y, train, test, classifies, seed):
    """Test errors of the ensemble without each candidate: nothing is fitted anew."""
    model = make("fastmlp", classifies, seed).set_params(warm_start=True)
    model.fit(X[train], y[train])
    race, Z = model.race_, model.preprocessor_.transform(X[test])
    entries = [entry for entry in race._entries if np.isfinite(entry.losses).all()]
    targets = np.searchsorted(race.classes_, y[train]) if classifies else y[train] / race._scale
    targets = targets[race._folds.judged]
    targets = targets if classifies else targets[:, np.newaxis]
    answers = {
        entry.candidate.name: np.mean([race._answer(m, Z) for m in entry.members], axis=0)
        for entry in entries
    }

    def error(kept):
        found = greedy_weights([entry.predictions for entry in kept], targets, race._loss)
        total = sum(
            share * answers[entry.candidate.name] for share, entry in zip(found, kept, strict=True)
        )
        if classifies:
            return float(np.mean(race.classes_[total.argmax(axis=1)] != y[test]))
        return float(np.sqrt(np.mean((total[:, 0] - y[test]) ** 2)))

    found = {"all": error(entries)}
    found |= {
        f"without {one.candidate.name}": error([entry for entry in entries if entry is not one])
        for one in entries
        if len(entries) > 1
    }
    return found | {f"{one.candidate.name} alone": error([one]) for one in entries}


def print_left_out(options):
    """The table of what each candidate is worth."""
    for name in options.sets:
        X, y, splits, classifies = load(name, options.data)
        found = [
            leave_out(X, y, *split, classifies, seed)
            for seed, split in enumerate(splits[: options.splits])
        ]
        print(title(f"{name}: test error of the ensemble"))
        for words in found[0]:
            errors = [each[words] for each in found if words in each]
            print(f"{words:28} {np.mean(errors):9.4f}   {len(errors)} split(s)", flush=True)


def main(argv=None):
    """Print a line per fit, and the tables."""
    parser = argparse.ArgumentParser(prog="bench.tables", description=__doc__.splitlines()[0])
    folder = os.environ.get("FASTMLP_DATA")
    parser.add_argument("--data", default=folder, help="folder of the UCI sets ($FASTMLP_DATA)")
    parser.add_argument("--sets", nargs="+", choices=SETS)
    parser.add_argument("--splits", type=int, default=3, help="the first so many (3)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--leave-out", action="store_true", help="what each candidate is worth")
    parser.add_argument("--json", type=Path, help="keeps every fit; one of before is gone on with")
    options = parser.parse_args(argv)
    options.sets = options.sets or [n for n in SETS if options.data or n not in uci.SETS]
    if not options.data and set(options.sets) & set(uci.SETS):
        parser.error("say where the UCI sets are: --data DIR, or FASTMLP_DATA")
    warnings.simplefilter("ignore")
    if options.leave_out:
        print_left_out(options)
        return 0
    kept = options.json is not None and options.json.exists()
    records = json.loads(options.json.read_text()) if kept else []
    have = {(r["set"], r["method"], r["split"]) for r in records}
    methods = [method for method in options.methods if installed(method)]
    for name in options.sets:
        X, y, splits, classifies = load(name, options.data)
        for k, (train, test) in enumerate(splits[: options.splits]):
            for method in methods:
                if (name, method, k) in have:
                    continue
                found = run(method, X, y, train, test, classifies, seed=k)
                records.append({"set": name, "method": method, "split": k, **found})
                words = "  ".join(f"{key} {value:.4g}" for key, value in found.items())
                print(f"{name:13} split {k:2}  {method:20} {words}", flush=True)
                if options.json is not None:
                    options.json.write_text(json.dumps(records))
        print(summary(records, name), "\n", flush=True)
    print(verdict(records))
    missing = [method for method in options.methods if not installed(method)]
    if missing:
        print(f"left out, not installed: {', '.join(missing)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
