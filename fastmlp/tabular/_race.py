"""Candidates judged on rows that they were not trained on, and an ensemble of the best."""

from __future__ import annotations

import time
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils import ClassifierTags, RegressorTags
from sklearn.utils.validation import validate_data

from fastmlp._names import shown
from fastmlp._numbers import is_integer
from fastmlp._sparse import sound
from fastmlp.estimators._data import check_weights
from fastmlp.estimators._params import VERBOSE, random_state
from fastmlp.tabular import _selection
from fastmlp.tabular._ensemble import Ensemble, classifies
from fastmlp.tabular._folds import SEEDS, check_groups, fit_folds, settings, split
from fastmlp.tabular._leaderboard import Leaderboard, Progress
from fastmlp.tabular._members import share_encoders
from fastmlp.tabular._relevance import scale_by
from fastmlp.tabular._scaler import unit_of
from fastmlp.tabular._temperature import temperature, tempered

# The share of the time at hand that a candidate may take while others wait.
SHARE = 0.5
# After one fold a candidate ends whose loss there, squares or a log-loss, is so many times that of
# the best, if the gap is so many times its standard error.
BEHIND, SURE = 1.3, 1.5
BEHIND_LOG, SURE_LOG = 2.0, 2.0
# The next of a family takes part where the last one's loss is at most so many times that of the one
# before it, or less by so many standard errors; a variant, where the original's is at most so many
# times the best.
GAINS, SURE_GAIN = 0.97, 2.0
CLOSE = 1.1


class Candidate(NamedTuple):
    """An estimator that takes part in a race.

    Attributes
    ----------
    name : str
        Its row in the leaderboard.
    estimator : estimator
        Of scikit-learn's kind; a classifier has ``predict_proba``.
    family : str
        Candidates of a family grow; when one of them gains next to nothing over the one before, or
        ended early far behind the best, the larger ones are not tried.
    like : str
        The name of an earlier candidate that this one is a variant of; it is tried where that one
        is the best of its family and close to the best of all.
    scaled_by : str
        The name of an earlier candidate, a network that learns with ``evidence="ard"``. Parameters
        ``scale`` of this one's steps, where that one was fitted, are the roots of how relevant it
        found the columns (see :class:`ColumnScaler`).
    """

    name: str
    estimator: Any
    family: str = ""
    like: str = ""
    scaled_by: str = ""


class Entry(NamedTuple):
    """What became of a candidate: a member for each fold, and what they say of the others' rows."""

    candidate: Candidate
    members: list
    predictions: np.ndarray  # (n_judged, n_outputs), in the order of Folds.judged
    losses: np.ndarray  # (n_judged,)
    seconds: float
    status: str
    temperature: float


class Race(Ensemble):
    """An ensemble of the best of several estimators, by out-of-fold predictions.

    Each candidate is fitted to each fold's complement. The members that this makes predict the
    rows that they have not seen; from these predictions come the leaderboard and the weights of
    the ensemble (greedy selection, Caruana et al. 2004). A prediction is the weighted mean over
    candidates of the mean of their members; for classifiers of their probabilities, at the
    temperature that suits each candidate (Guo et al. 2017), so that sureness is no merit or fault.

    Parameters
    ----------
    candidates : list of (name, estimator) or Candidate
        All regressors or all classifiers (with ``predict_proba``), the cheapest first. Where they
        have parameters ``max_time``, ``n_threads``, ``random_state`` and ``callback``, also inside
        of a pipeline, the race sets them.
    cv : int, list of (ndarray, ndarray) or None, default=None
        Folds; 1 is a single split that holds out a tenth. None: 5 below 20,000 rows, then 1. Or
        the rows that each fold is trained on and judged by.
    time_limit : float or None, default=None
        Seconds after which the best so far is the result. The first candidate is fitted in any
        case; one that has no parameter ``max_time`` if a fit to a share of its rows says that all
        folds will be ready.
    clip : bool, default=True
        Whether members' predictions are held within the range of the targets.
    n_threads : int or None, default=None
        Threads, at most; None: as many as this process may use. Folds are fitted in parallel.
    random_state : int, RandomState, Generator or None, default=None
        Draws the folds, and the seeds of the members.
    warm_start : bool, default=False
        Whether ``fit`` on the same data goes on with the candidates that were not fitted yet, and,
        where there are none, with further members of those in the ensemble.
    verbose : bool or "bar", default=False
        Whether to print a line for each candidate; "bar": a progress bar that says who races
        (tqdm's, where it is installed).

    Attributes
    ----------
    leaderboard_ : Leaderboard
        A list of dicts, best first: ``candidate``, ``score`` (R2, or minus the log-loss, on rows
        not seen), ``std_err`` of it, ``weight`` in the ensemble, ``seconds`` and ``status``.
    members_ : dict of str to list of estimator
        Those that predict: one per fold, for the candidates with a weight.
    weights_ : dict of str to float
        Of these candidates.
    temperatures_ : dict of str to float
        What logarithms of their probabilities are divided by; of regressors 1.
    classes_ : ndarray
        Of classifiers.
    status_ : str
        Why the race ended.
    n_features_in_ : int
        Features.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import RidgeCV
    >>> from fastmlp import MLPRegressor
    >>> from fastmlp.tabular import Race
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = MLPRegressor(hidden_layer_sizes=(5,), solver="lbfgs", standardize=True, alpha=10)
    >>> race = Race([("ridge", RidgeCV()), ("network", network)], random_state=0).fit(X, y)
    >>> sorted(row["candidate"] for row in race.leaderboard_)
    ['network', 'ridge']
    >>> round(sum(race.weights_.values()), 6)
    1.0
    """

    def __init__(
        self,
        candidates: Any,
        *,
        cv: int | None = None,
        time_limit: float | None = None,
        clip: bool = True,
        n_threads: int | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: bool | str = False,
    ) -> None:
        self.candidates = candidates
        self.cv = cv
        self.time_limit = time_limit
        self.clip = clip
        self.n_threads = n_threads
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    # -- fit --------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Fit the candidates, and choose.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, or labels of classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, for candidates that take them and for the scores.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group are all trained on, or all judged by.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            The data or a parameter make no sense, or no candidate could be fitted.
        KeyboardInterrupt
            Ctrl-C before the first candidate was there; afterwards it ends the race.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.linear_model import LinearRegression
        >>> from fastmlp.tabular import Race
        >>> X = np.arange(20.0).reshape(-1, 1)
        >>> Race([("linear", LinearRegression())]).fit(X, X.ravel()).predict([[3.0]]).round(6)
        array([3.])
        """
        start = time.perf_counter()
        candidates = self._checked()
        of_classes = classifies(self)
        X, y = validate_data(
            self,
            sound(X),
            y,
            accept_sparse="csr",
            multi_output=not of_classes,
            y_numeric=not of_classes,
        )
        sample_weight = check_weights(sample_weight, X.shape[0])
        groups = check_groups(groups, X.shape[0])
        deadline = np.inf if self.time_limit is None else start + self.time_limit
        targets = self._targets(y, of_classes, sample_weight)
        goes_on = self.warm_start and self._same_data(X, targets)
        rng = self._generator if goes_on else random_state(self.random_state)
        self._generator = rng if self.warm_start else None
        if not goes_on:
            self._entries: list[Entry] = []
            self._folds = split(targets, self.cv, rng, groups)
            self._shape = X.shape, _fingerprint(targets)
        else:
            candidates = self._left(candidates, sample_weight)
        self.status_ = "All candidates were fitted."
        self._run(candidates, X, y, targets, sample_weight, deadline, rng)
        self._choose(targets, sample_weight)
        return self

    def _checked(self):
        try:
            if any(isinstance(each, str) for each in self.candidates):
                raise TypeError  # a word of two letters is a pair, too
            candidates = [each if isinstance(each, Candidate) else Candidate(*each)
                          for each in self.candidates]  # fmt: skip
        except (TypeError, ValueError):
            candidates = []
        names = [each.name for each in candidates]
        if not candidates or len(set(names)) < len(names):
            raise ValueError(
                "candidates must be a list of (name, estimator), each name once; got "
                f"{shown(self.candidates) if not candidates else names}."
            )
        for each in candidates:
            if not hasattr(each.estimator, "fit") or isinstance(each.estimator, type):
                raise TypeError(
                    f"Candidate {each.name!r} is no estimator: {shown(each.estimator)}."
                )
        limit = self.time_limit
        if not (limit is None or limit > 0):
            raise ValueError(f"time_limit must be a number of seconds > 0 or None, got {limit!r}.")
        if not (self.cv is None or np.iterable(self.cv) or (is_integer(self.cv) and self.cv >= 1)):
            raise ValueError(
                f"cv must be an integer >= 1, a list of (trained on, judged by) or None, got "
                f"{shown(self.cv)}."
            )
        if not VERBOSE.accepts(self.verbose):
            raise ValueError(f"verbose must be {VERBOSE.wanted}, got {shown(self.verbose)}.")
        return candidates

    def _targets(self, y, of_classes, sample_weight):
        """Codes of classes, (n,), or targets, (n, n_outputs), divided by their deviations."""
        if of_classes:
            self.classes_, codes = np.unique(y, return_inverse=True)
            self._range = None
            return codes
        y = np.asarray(y, dtype=np.float64)
        self._flat = y.ndim == 1
        y = y.reshape(len(y), -1)
        counted = y if sample_weight is None else y[sample_weight > 0]
        self._range = counted.min(axis=0), counted.max(axis=0)
        unit = unit_of(counted)  # their squares may be no numbers
        deviations = (counted / unit).std(axis=0) * unit
        self._scale = np.where(deviations > 0, deviations, 1.0)
        return y / self._scale

    def _same_data(self, X, targets):
        shape = X.shape, _fingerprint(targets)
        return bool(getattr(self, "_entries", None)) and self._shape == shape

    def _left(self, candidates, sample_weight):
        """Those that had no turn; if there are none, the members of the ensemble once more."""
        done = {entry.candidate.name for entry in self._entries}
        left = [
            each
            for each in candidates
            if each.name not in done and self._may_win(each, sample_weight)
        ]
        if left:
            return left
        again = []
        for name in self.weights_:
            candidate = next(e.candidate for e in self._entries if e.candidate.name == name)
            if settings(candidate.estimator, "random_state"):
                stem = name.rsplit(" #", 1)[0]
                turn = sum(other.rsplit(" #", 1)[0] == stem for other in done) + 1
                again.append(candidate._replace(name=f"{stem} #{turn}", family="", like=""))
        return again

    def _run(self, candidates, X, y, targets, sample_weight, deadline, rng):
        # Seconds that follow the last fold's answer, as a temperature takes them; and when it came.
        self._after, self._answered = 0.0, np.inf
        with Progress(self.verbose, len(candidates)) as progress:
            self._race(candidates, X, y, targets, sample_weight, deadline, rng, progress)
        del self._after, self._answered

    def _race(self, candidates, X, y, targets, sample_weight, deadline, rng, progress):
        for turn, candidate in enumerate(candidates):
            seeds = rng.randint(SEEDS, size=len(self._folds.splits))  # also of those left out
            now = time.perf_counter()
            if self._entries and now >= deadline:
                self.status_ = "The race ended at time_limit."
                return
            if not self._may_win(candidate, sample_weight):
                continue
            progress.begin(candidate.name)
            last = turn == len(candidates) - 1
            left = deadline - now - self._after
            until = now + (left if last else SHARE * left)
            first = not self._entries
            try:
                entry = self._fitted(
                    candidate, X, y, targets, sample_weight, seeds, until, needed=first
                )
            except KeyboardInterrupt:
                if first:
                    raise
                self.status_ = "The race was interrupted: this is the best so far."
                return
            if entry is None:
                self.status_ = "The time within time_limit did not suffice for all candidates."
                continue
            self._entries.append(entry)
            progress.end(candidate.name, self._mean_loss(entry, sample_weight), entry.seconds)

    def _mean_loss(self, entry, sample_weight):
        if not entry.members:
            return np.inf
        return np.average(entry.losses, weights=_of(sample_weight, self._folds.judged))

    def _may_win(self, candidate, sample_weight):
        """Whether the losses of those it is akin to speak for a try."""
        by_name = {entry.candidate.name: entry for entry in self._entries}
        losses = {name: self._mean_loss(entry, sample_weight) for name, entry in by_name.items()}
        if candidate.like and candidate.like not in by_name:
            return False
        family = (by_name[candidate.like].candidate if candidate.like else candidate).family
        akin = [n for n, entry in by_name.items() if family and entry.candidate.family == family]
        if candidate.like:
            original = losses[candidate.like]
            leads = original == min((losses[name] for name in akin), default=original)
            return leads and original <= CLOSE * min(losses.values()) < np.inf
        if not akin or losses[akin[-1]] == np.inf:
            return not akin
        if len(akin) == 1:
            return True
        before, last = akin[-2:]
        gain = by_name[before].losses - by_name[last].losses
        return losses[last] <= GAINS * losses[before] or gain.mean() > SURE_GAIN * _std_err(gain)

    def _fitted(self, candidate, X, y, targets, sample_weight, seeds, until, needed):
        """The entry of a candidate; None where its time did not suffice for all folds."""
        start = time.perf_counter()
        self._answered = np.inf
        folds, status = self._folds, "fitted"
        try:
            found = fit_folds(
                candidate.estimator, X, y, folds.splits, self._answer, seeds, sample_weight,
                until, self.n_threads, needed, self._still_in_the_race(targets, sample_weight),
                self._scales(candidate),
            )  # fmt: skip
        except (ValueError, MemoryError, FloatingPointError, np.linalg.LinAlgError) as error:
            if needed and len(self.candidates) == 1:
                raise
            status, found = str(error).partition("\n")[0], ([], [])
        if found is None:
            return None
        members, predictions = found
        if not members:
            predictions, warmth = np.zeros((len(folds.judged), 0)), 1.0
            losses = np.full(len(folds.judged), np.inf)
        else:
            predictions, warmth = self._calibrated(
                np.concatenate(predictions), targets, folds.judged, sample_weight
            )
            losses = self._loss(predictions, targets[folds.judged])
        now = time.perf_counter()
        self._after = max(self._after, now - self._answered)
        return Entry(candidate, members, predictions, losses, now - start, status, warmth)

    def _scales(self, candidate):
        """What the columns are multiplied by in each fold; None: by nothing."""
        teachers = (e.members for e in self._entries if e.candidate.name == candidate.scaled_by)
        members = next(teachers, [])
        return [scale_by(member) for member in members] if members else None

    def _calibrated(self, predictions, targets, rows, sample_weight):
        """Probabilities at the temperature that suits them, and this; numbers as they are."""
        if self._range is not None:
            return predictions, 1.0
        found = temperature(predictions, targets[rows], _of(sample_weight, rows))
        return tempered(predictions, found), found

    def _still_in_the_race(self, targets, sample_weight):
        """Raises after the first fold where a candidate is far behind the best there."""
        judged = self._folds.splits[0][1]
        rivals = [entry.losses[: len(judged)] for entry in self._entries]
        best = min(rivals, key=np.mean, default=np.full(1, np.inf))
        behind, sure = (BEHIND_LOG, SURE_LOG) if self._range is None else (BEHIND, SURE)

        def check(fold, answer):
            self._answered = time.perf_counter()
            if fold > 0 or not np.isfinite(best).all():
                return
            answer, _ = self._calibrated(answer, targets, judged, sample_weight)
            gap = self._loss(answer, targets[judged]) - best
            if gap.mean() > (behind - 1) * best.mean() and gap.mean() > sure * _std_err(gap):
                raise ValueError("stopped: far behind after the first fold")

        return check

    # -- choice -----------------------------------------------------------------

    def _choose(self, targets, sample_weight):
        """Weights of the ensemble, the leaderboard, and the members that are kept."""
        judged = self._folds.judged
        usable = [entry for entry in self._entries if np.isfinite(entry.losses).all()]
        if not usable:
            raise ValueError(
                "No candidate could be fitted: "
                + "; ".join(f"{e.candidate.name}: {e.status}" for e in self._entries)
            )
        weights = _of(sample_weight, judged)
        predictions, wanted = [entry.predictions for entry in usable], targets[judged]
        if self._range is None:  # the loss knows but the probability of the class that it is
            predictions = [each[np.arange(len(wanted)), wanted, np.newaxis] for each in predictions]
            wanted = np.zeros_like(wanted)
        found = _selection.greedy_weights(predictions, wanted, self._loss, weights)
        shares = {
            entry.candidate.name: float(share)
            for entry, share in zip(usable, found, strict=True)
            if share > 0
        }
        self.weights_ = shares
        by_name = {entry.candidate.name: entry for entry in usable}
        self.members_ = {name: by_name[name].members for name in shares}
        for of_fold in zip(*self.members_.values(), strict=True):
            share_encoders(of_fold)
        self.temperatures_ = {name: by_name[name].temperature for name in shares}
        self._judged_predictions = sum(
            share * by_name[name].predictions for name, share in shares.items()
        )
        self.leaderboard_ = Leaderboard.of(
            self._entries, shares, self._total(targets, weights), weights
        )

    def _total(self, targets, weights):
        """The loss that a score of 0 stands for; None: the score is minus the loss."""
        if self._range is None:
            return None
        judged = targets[self._folds.judged]
        constant = np.average(judged, axis=0, weights=weights)
        total = np.average(_selection.squared(constant, judged), weights=weights)
        return total if total > 0 else 1.0

    def forget(self):
        """Drop what only a warm start needs, so that a pickle does not grow with the data."""
        del self._entries, self._folds, self._judged_predictions

    def __sklearn_is_fitted__(self):
        return "members_" in vars(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        if classifies(self):
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        else:
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
        return tags


def _std_err(values):
    return values.std() / np.sqrt(len(values))


def _of(sample_weight, rows):
    return None if sample_weight is None else sample_weight[rows]


def _fingerprint(targets):
    return hash(np.ascontiguousarray(targets).tobytes())
