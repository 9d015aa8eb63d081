"""What a race shows: a line for each candidate or a bar, and the table that it leaves."""

from __future__ import annotations

import numpy as np

from fastmlp.solvers._progress import make_bar

COLUMNS = ("candidate", "score", "std_err", "weight", "seconds", "status")


class Leaderboard(list):
    """Rows of a race, best first: a list of dicts that prints as a table.

    ``pandas.DataFrame(leaderboard)`` makes a frame of it.
    """

    @classmethod
    def of(cls, entries, shares, total, sample_weight) -> Leaderboard:
        """Make the rows of entries.

        Parameters
        ----------
        entries : list of Entry
        shares : dict of str to float
            Weights in the ensemble.
        total : float or None
            The loss of a constant, for R2; None: minus the loss is the score.
        sample_weight : ndarray or None
            Weights of the rows that were judged by.
        """
        rows = []
        for entry in entries:
            mean = std_err = np.inf
            if np.isfinite(entry.losses).all():
                mean, std_err = _mean(entry.losses, sample_weight)
            rows.append({
                "candidate": entry.candidate.name,
                "score": float(-mean if total is None else 1 - mean / total),
                "std_err": float(std_err / (total or 1.0)),
                "weight": shares.get(entry.candidate.name, 0.0),
                "seconds": float(entry.seconds),
                "status": entry.status,
            })  # fmt: skip
        return cls(sorted(rows, key=lambda row: -row["score"]))

    def __repr__(self) -> str:
        width = max([len(row["candidate"]) for row in self], default=9)
        lines = [f"{'candidate':{width}}    score  std_err  weight  seconds"]
        lines += [
            f"{row['candidate']:{width}} {row['score']:8.4f} {row['std_err']:8.4f} "
            f"{row['weight']:7.2f} {row['seconds']:8.2f}"
            + ("" if row["status"] == "fitted" else f"  {row['status']}")
            for row in self
        ]
        return "\n".join(lines)


def _mean(losses, weights):
    """The mean, and its standard error."""
    weights = np.ones(len(losses)) if weights is None else weights
    shares = weights / weights.sum()
    mean = shares @ losses
    return mean, np.sqrt((shares**2) @ (losses - mean) ** 2)


class Progress:
    """What ``verbose`` asks for: nothing, a line for each candidate, or "bar"."""

    def __init__(self, verbose, n_candidates):
        self.verbose = verbose
        self._bar = make_bar("race", n_candidates, None) if verbose == "bar" else None
        self._best, self._begun = np.inf, False

    def begin(self, name):
        """A candidate's turn."""
        if self._bar is not None:
            shown = {"fits": name} | ({"best": f"{self._best:.4g}"} if self._begun else {})
            self._bar.set_postfix(shown, refresh=True)
            self._bar.update(int(self._begun))
        self._begun = True

    def end(self, name, loss, seconds):
        """Its loss is there."""
        self._best = min(self._best, loss)
        if self._bar is None and self.verbose:
            print(f"{name}: loss {loss:.4g}, {seconds:.1f} s", flush=True)

    def __enter__(self):
        return self

    def __exit__(self, *of_error):
        if self._bar is not None:
            self._bar.update(int(self._begun))
            self._bar.close()
