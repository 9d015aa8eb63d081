"""The race: who saw which rows, who gets which weight, how it ends."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from small import CLASSIFIERS, REGRESSORS

from fastmlp import MLPRegressor
from fastmlp.tabular import Candidate, Race, _folds, _race
from fastmlp.tabular._selection import ROUNDS, greedy_weights, squared


class Remembers(RegressorMixin, BaseEstimator):
    """Knows the rows that it was trained on (their first feature), and predicts 1 for these."""

    def __init__(self, max_time=None, worth=0.0):
        self.max_time = max_time
        self.worth = worth

    def fit(self, X, y):
        if self.worth is None:
            raise ValueError("no such thing\nmore")
        self.seen_ = set(X[:, 0])
        self.mean_ = y.mean()
        return self

    def predict(self, X):
        return np.array([1e3 if x in self.seen_ else self.mean_ + self.worth for x in X[:, 0]])


def problem(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, X @ [1.0, -1.0, 0.5] + np.sin(3 * X[:, 0]) + 0.1 * rng.normal(size=n)


@pytest.mark.parametrize("cv", [None, 1, 3])
def test_rows_are_judged_by_those_that_have_not_seen_them(cv):
    X, y = problem()
    race = Race([("r", Remembers())], cv=cv, clip=False, random_state=0).fit(X, y)
    rows, predictions = race.out_of_fold()
    assert all((each < 100).all() for each in predictions)
    assert len(np.unique(np.concatenate(rows))) == (6 if cv == 1 else 60)
    assert len(race.members_["r"]) == {None: 5, 1: 1, 3: 3}[cv]


def test_weights_are_near_the_best_convex_ones():
    """A law: over drawn problems, nine tenths of what the best convex combination gains."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        n, k = rng.integers(20, 200), rng.integers(2, 6)
        y = rng.normal(size=(n, 1))
        given = [y + rng.uniform(0.1, 2) * rng.normal(size=(n, 1)) + rng.normal() for _ in range(k)]
        weights = greedy_weights(given, y, squared)
        assert weights.min() >= 0 and weights.sum() == pytest.approx(1)

        def loss(shares, given=given, y=y):
            return squared(np.tensordot(shares, given, axes=1), y).mean()

        start = np.full(k, 1 / k)
        total = {"type": "eq", "fun": lambda shares: shares.sum() - 1}
        best = minimize(loss, start, bounds=[(0, 1)] * k, constraints=total).fun
        single = min(squared(each, y).mean() for each in given)
        assert loss(weights) <= best + 0.1 * (single - best) + 1e-12
        counts = weights * np.arange(1, ROUNDS + 1)[:, None]
        assert np.isclose(counts, counts.round()).all(axis=1).any()


def test_leaderboard_says_what_the_predictions_say():
    X, y = problem()
    race = Race(REGRESSORS, random_state=0).fit(X, y)
    board = race.leaderboard_
    assert pd.DataFrame(board).columns.tolist() == [
        "candidate", "score", "std_err", "weight", "seconds", "status"
    ]  # fmt: skip
    assert [row["score"] for row in board] == sorted((row["score"] for row in board), reverse=True)
    assert sum(row["weight"] for row in board) == pytest.approx(1)
    rows, _ = race.out_of_fold()
    for row in board:
        if row["weight"] == 0:
            continue
        errors = np.concatenate([
            member.predict(X[each]).clip(y.min(), y.max()) - y[each]
            for member, each in zip(race.members_[row["candidate"]], rows, strict=True)
        ])  # fmt: skip
        assert row["score"] == pytest.approx(1 - np.mean(errors**2) / y.var())
        assert row["std_err"] == pytest.approx(np.std(errors**2) / np.sqrt(len(y)) / y.var())
    assert board[0]["candidate"] in repr(board)


def test_predictions_are_the_weighted_mean_of_the_members_within_the_targets():
    X, y = problem()
    race = Race(REGRESSORS, random_state=0).fit(X, y)
    new = 3 * X
    each = {
        name: np.mean([m.predict(new).clip(y.min(), y.max()) for m in members], axis=0)
        for name, members in race.members_.items()
    }
    wanted = sum(weight * each[name] for name, weight in race.weights_.items())
    np.testing.assert_allclose(race.predict(new), wanted)
    free = Race(REGRESSORS, clip=False, random_state=0).fit(X, y).predict(100 * X)
    assert free.max() > y.max() and race.predict(100 * X).max() <= y.max()


def test_same_seed_same_model_whatever_the_threads():
    X, y = problem()
    first, again, alone = (
        Race(REGRESSORS, random_state=3, n_threads=n).fit(X, y).predict(X) for n in (2, 2, 1)
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, alone, rtol=1e-9)
    assert not np.allclose(first, Race(REGRESSORS, random_state=4).fit(X, y).predict(X), rtol=1e-9)


class Clock:
    """Time that passes by a second whenever somebody looks."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        self.now += 1.0
        return self.now


def test_time_is_shared_out_and_kept(monkeypatch):
    """No fit is given more than what is left, whatever was used before."""
    given = []

    class Told(Remembers):
        def fit(self, X, y):
            given.append((clock.now, self.max_time))
            return super().fit(X, y)

    clock = Clock()
    for module in (_race, _folds):
        monkeypatch.setattr(module, "time", clock)
    X, y = problem()
    candidates = [(f"{k}", Told()) for k in range(20)]
    race = Race(candidates, time_limit=100.0, n_threads=1, random_state=0).fit(X, y)
    assert given and all(0 < seconds <= 100 - (now - 1) + 1e-9 for now, seconds in given)
    assert 1 < len(race.leaderboard_) < 20
    assert race.status_ == "The race ended at time_limit."


def test_one_that_does_not_hear_of_time_begins_no_fold_that_would_be_late(monkeypatch):
    began = []

    class Deaf(RidgeCV):
        def fit(self, X, y):
            began.append(clock.now)
            clock.now += 20.0
            return super().fit(X, y)

    clock = Clock()
    for module in (_race, _folds):
        monkeypatch.setattr(module, "time", clock)
    X, y = problem()
    race = Race([("first", RidgeCV()), ("deaf", Deaf())], time_limit=100.0, n_threads=1)
    race.fit(X, y)
    assert len(began) == 1  # five of them take more than the 70 s that are left
    assert [row["candidate"] for row in race.leaderboard_] == ["first"]


def test_one_that_does_not_hear_of_time_is_tried_on_some_rows_first(monkeypatch):
    seen = []

    class Deaf(RidgeCV):
        def fit(self, X, y):
            seen.append(len(X))
            clock.now += len(X) / 50
            return super().fit(X, y)

    clock = Clock()
    for module in (_race, _folds):
        monkeypatch.setattr(module, "time", clock)
    X, y = problem(2000)
    X = np.tile(X, 10)
    race = Race([("first", RidgeCV()), ("deaf", Deaf())], time_limit=100.0, n_threads=1)
    race.fit(X, y)
    assert seen == [178]  # a ninth of the 1600 rows of five folds, which would take 160 s
    race.set_params(time_limit=300.0).fit(X, y)
    assert seen[1:] == [178] + 5 * [1600] and len(race.leaderboard_) == 2


def test_a_network_whose_iteration_would_be_late_does_not_begin(monkeypatch):
    seen = []

    class Slow(MLPRegressor):
        def fit(self, X, y):
            seen.append((len(X), self.max_iter))
            clock.now += len(X) * self.max_iter / 100
            return super().fit(X, y)

    clock = Clock()
    for module in (_race, _folds):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(_folds, "FEWEST_FOR_ITERATION", 90)
    X, y = problem(2000)
    slow = Slow(hidden_layer_sizes=(), solver="sgd", max_iter=2, random_state=0)
    race = Race([("first", RidgeCV()), ("slow", slow)], cv=1, time_limit=10.0, n_threads=1)
    race.fit(X, y)
    assert seen == [(90, 1)] and len(race.leaderboard_) == 1
    assert race.status_ == "The time within time_limit did not suffice for all candidates."
    race.set_params(time_limit=100.0).fit(X, y)
    assert seen[2:] == [(1800, 2)] and len(race.leaderboard_) == 2


def test_what_comes_before_a_network_takes_of_its_time(monkeypatch):
    class Slow(FunctionTransformer):
        def fit(self, X, y=None):
            clock.now += 20.0
            return super().fit(X, y)

    clock = Clock()
    for module in (_race, _folds):
        monkeypatch.setattr(module, "time", clock)
    X, y = problem()
    network = MLPRegressor(solver="adam", max_iter=60, tol=0.0, n_iter_no_change=100)
    candidates = [
        ("first", RidgeCV()),
        ("slow", make_pipeline(Slow(), network)),
        ("last", RidgeCV()),
    ]
    race = Race(candidates, time_limit=300.0, n_threads=1, random_state=0).fit(X, y)
    slow = next(entry for entry in race._entries if entry.candidate.name == "slow")
    assert all(member[-1].n_iter_ < 20 for member in slow.members)  # it had some 30 s for a fold


def test_what_follows_the_folds_is_kept_time_for(monkeypatch):
    """Temperatures that take 10 s: later candidates have so much less."""

    class Told(LogisticRegression):
        def __init__(self, max_time=None):
            super().__init__()
            self.max_time = max_time

        def fit(self, X, y):
            clock.now += self.max_time
            return super().fit(X, y)

    def slow(*arguments):
        clock.now += 10.0
        return 1.0

    clock = Clock()
    for module in (_race, _folds):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(_race, "temperature", slow)
    X, y = problem()
    candidates = [("first", LogisticRegression()), ("a", Told()), ("b", Told())]
    race = Race(candidates, cv=1, time_limit=200.0, n_threads=1, random_state=0).fit(X, y > 0)
    assert len(race.leaderboard_) == 3
    assert 190 < clock.now < 205  # a second for each look


def test_weights_of_classifiers_are_those_of_all_their_probabilities():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    y = np.digitize(X[:, 0] ** 2 + X[:, 1] + 0.3 * rng.normal(size=90), [0.0, 1.0])
    nearest = KNeighborsClassifier(9)
    race = Race([("linear", LogisticRegression()), ("near", nearest)], random_state=0).fit(X, y)
    judged = race._folds.judged
    wanted = greedy_weights([e.predictions for e in race._entries], y[judged], race._loss)
    found = [race.weights_.get(each.candidate.name, 0.0) for each in race._entries]
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert min(found) > 0


def test_the_first_candidate_is_fitted_in_any_case():
    X, y = problem()
    race = Race([("linear", RidgeCV()), ("other", RidgeCV())], time_limit=1e-9).fit(X, y)
    assert [row["candidate"] for row in race.leaderboard_] == ["linear"]


def test_a_family_ends_where_size_no_longer_gains():
    X, y = problem()
    sizes = [Candidate(f"off by {off}", Remembers(worth=off), "r") for off in (0.8, 0.4, 0.6, 0.0)]
    race = Race([("other", Remembers(worth=0.9)), *sizes], random_state=0).fit(X, y)
    names = {row["candidate"] for row in race.leaderboard_}
    assert names == {"other", "off by 0.8", "off by 0.4", "off by 0.6"}


def test_a_family_goes_on_where_a_small_gain_is_sure():
    X, y = problem()
    sizes = [Candidate(f"off by {off}", Remembers(worth=off), "r") for off in (0.9, 0.89, 0.0)]
    race = Race(sizes, random_state=0).fit(X, y)
    assert len(race.leaderboard_) == 3


def test_a_family_ends_where_it_is_far_behind():
    X, y = problem()
    sizes = [Candidate(f"off by {off}", Remembers(worth=off), "r") for off in (0.9, 0.0)]
    race = Race([("rival", Remembers(worth=0.1)), *sizes], random_state=0).fit(X, y)
    assert {row["candidate"] for row in race.leaderboard_} == {"rival", "off by 0.9"}


@pytest.mark.parametrize(
    "offs, tried", [((0.9, 0.5), "2"), ((0.5, 0.9), "1"), ((1.5, 1.0), "")], ids=str
)
def test_a_variant_is_tried_of_what_may_win(offs, tried):
    X, y = problem()
    candidates = [
        Candidate(f"size {k}", Remembers(worth=off), "r") for k, off in enumerate(offs, 1)
    ]
    candidates.append(("rival", Remembers(worth=0.6)))
    candidates += [Candidate(f"variant {k}", Remembers(), like=f"size {k}") for k in (1, 2)]
    race = Race(candidates, random_state=0).fit(X, y)
    found = [row["candidate"] for row in race.leaderboard_ if "variant" in row["candidate"]]
    assert found == [f"variant {k}" for k in tried]


def test_one_that_is_far_behind_ends_after_the_first_fold():
    fits = []

    class Counted(Remembers):
        def fit(self, X, y):
            fits.append(self.worth)
            return super().fit(X, y)

    X, y = problem()
    offs = [("good", Remembers()), ("far", Counted(worth=9.0)), ("near", Counted(worth=0.1))]
    race = Race(offs, random_state=0, n_threads=1).fit(X, y)
    assert fits.count(9.0) == 1 and fits.count(0.1) == 5
    assert "far behind" in race.leaderboard_[-1]["status"]
    assert race.leaderboard_[-1]["candidate"] == "far" and "far" not in race.members_


@pytest.mark.parametrize("cv", [1, 3])
@pytest.mark.parametrize("of_classes", [False, True])
def test_rows_of_a_group_stay_together(cv, of_classes):
    X, y = problem(90)
    groups = np.arange(90) % 12
    candidates = CLASSIFIERS[:1] if of_classes else REGRESSORS[:1]
    y = (y > 0) if of_classes else y
    race = Race(candidates, cv=cv, random_state=0).fit(X, y, groups=groups)
    for trained, judged in race._folds.splits:
        assert not set(groups[trained]) & set(groups[judged])
    with pytest.raises(ValueError, match="cv=3 needs 3 groups at least; X has 2 groups"):
        Race(candidates, cv=3).fit(X, y, groups=groups % 2)
    with pytest.raises(ValueError, match="groups.shape"):
        Race(candidates).fit(X, y, groups=groups[:5])


def test_weights_reach_networks_inside_of_pipelines():
    X, y = problem(80)
    weights = np.where(X[:, 0] > 0, 1.0, 0.0)
    wrong = np.where(weights > 0, y, 1e3)
    network = MLPRegressor(hidden_layer_sizes=(3,), solver="lm", alpha=1.0, max_iter=20)
    scaled = TransformedTargetRegressor(make_pipeline(StandardScaler(), network))
    race = Race([("network", scaled)], random_state=0).fit(X, wrong, weights)
    assert np.abs(race.predict(X)).max() < 20


def test_bar_says_who_races(capsys, monkeypatch):
    X, y = problem()
    Race(REGRESSORS, verbose="bar", random_state=0).fit(X, y)
    assert "network" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm", None)
    Race(REGRESSORS, verbose="bar", random_state=0).fit(X, y)
    shown = capsys.readouterr().err
    assert "race 2 of 2" in shown and "fits network" in shown
    with pytest.raises(ValueError, match="verbose must be"):
        Race(REGRESSORS, verbose="often").fit(X, y)


def test_copies_for_threads_are_as_many_as_fit(monkeypatch):
    X, y = problem()
    working, most = [], []

    class Counted(Remembers):
        def fit(self, X, y):
            working.append(1)
            most.append(len(working))
            super().fit(X, y)
            working.pop()
            return self

    monkeypatch.setattr(_folds, "SMALL", 0)
    monkeypatch.setattr(_folds, "available_memory", lambda: 1.5 * X.nbytes)
    Race([("r", Counted())], n_threads=2).fit(X, y)
    assert max(most) == 1
    monkeypatch.setattr(_folds, "available_memory", lambda: 0.5 * X.nbytes)
    with pytest.raises(MemoryError, match="copy of 48 rows of X"):
        Race([("r", Counted())], n_threads=2).fit(X, y)


def test_one_that_fails_is_told_and_left_aside():
    X, y = problem()
    race = Race([("good", RidgeCV()), ("bad", Remembers(worth=None))], random_state=0).fit(X, y)
    assert race.weights_ == {"good": 1.0}
    assert race.leaderboard_[-1]["status"] == "no such thing"
    with pytest.raises(ValueError, match="No candidate.*bad: no such thing; worse: no such thing"):
        Race([("bad", Remembers(worth=None)), ("worse", Remembers(worth=None))]).fit(X, y)


def test_interrupted_race_has_the_best_so_far():
    class Interrupts(Remembers):
        def fit(self, X, y):
            raise KeyboardInterrupt

    X, y = problem()
    race = Race([("good", RidgeCV()), ("slow", Interrupts()), ("later", RidgeCV())]).fit(X, y)
    assert [row["candidate"] for row in race.leaderboard_] == ["good"]
    assert "interrupted" in race.status_ and np.isfinite(race.predict(X)).all()
    with pytest.raises(KeyboardInterrupt):
        Race([("slow", Interrupts()), ("good", RidgeCV())]).fit(X, y)


def test_interrupted_network_ends_the_race_too(monkeypatch):
    """Networks answer Ctrl-C by ending with what they have: the race hears of it."""
    first = []

    class Pressed(MLPRegressor):
        def fit(self, X, y):
            watch = self.callback

            def press(iteration, record):
                if iteration == 2:
                    raise KeyboardInterrupt
                return watch(iteration, record)

            first.append(1)
            return self.set_params(callback=press)._fit(X, y, None, None, None, None)

    X, y = problem()
    network = Pressed(hidden_layer_sizes=(3,), solver="lm")
    race = Race([("ridge", RidgeCV()), ("network", network), ("late", RidgeCV())], n_threads=1)
    race.fit(X, y)
    assert [row["candidate"] for row in race.leaderboard_] == ["ridge"] and len(first) == 1


def test_warm_start_adds_candidates_then_members():
    X, y = problem()
    race = Race(REGRESSORS, time_limit=1e-9, warm_start=True, random_state=0).fit(X, y)
    assert len(race.leaderboard_) == 1
    race.set_params(time_limit=None).fit(X, y)
    assert len(race.leaderboard_) == 2
    race.fit(X, y)
    assert {row["candidate"] for row in race.leaderboard_} == {"ridge", "network", "network #2"}
    first, second = (e.predictions for e in race._entries if e.candidate.name != "ridge")
    assert not np.allclose(first, second)
    race.fit(X + 1, y[::-1])  # other data: from the beginning
    assert len(race.leaderboard_) == 2


def test_pickle_knows_no_callback_and_nothing_of_threads():
    X, y = problem()
    race = Race(REGRESSORS, random_state=0).fit(X, y)
    again = pickle.loads(pickle.dumps(race))
    np.testing.assert_array_equal(again.predict(X), race.predict(X))


def test_classes_that_a_fold_lacks():
    X, _ = problem(30)
    y = np.array(["a"] * 20 + ["b"] * 9 + ["once"])
    race = Race(CLASSIFIERS, random_state=0).fit(X, y)
    proba = race.predict_proba(X)
    assert proba.shape == (30, 3) and np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"candidates": []}, "list of .name, estimator."),
        ({"candidates": [("a", RidgeCV()), ("a", RidgeCV())]}, "each name once"),
        ({"time_limit": -1}, "time_limit must be a number of seconds > 0"),
        ({"cv": 0}, "cv must be an integer >= 1"),
    ],
)
def test_refused(arguments, words):
    X, y = problem()
    arguments = {"candidates": [("linear", LinearRegression())]} | arguments
    with pytest.raises(ValueError, match=words):
        Race(**arguments).fit(X, y)


@pytest.mark.slow
@parametrize_with_checks([Race(REGRESSORS, cv=2), Race(CLASSIFIERS, cv=2)])
def test_sklearn(estimator, check):
    check(estimator)
