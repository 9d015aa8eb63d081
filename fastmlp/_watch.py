"""Whether several threads gain anything, found out while they work."""

from __future__ import annotations

import math

# Seconds of work by which the two ways are compared: a few turns of a busy machine's scheduler,
# which gives a core to one thread for three or four milliseconds.
TRIAL = 0.010
LONE_TRIAL = 0.006
# Of work by a team that gained, before it is asked again.
TRUST = 0.5
# What a team has to do more than one thread in the same time.
LEAST_GAIN = 1.1
# The comparisons in a row that a team has to lose: one may be somebody else's fault.
LOST = 2
# A piece of work that takes longer than this gains whatever the scheduler does, and to try it with
# one thread would cost more than it tells.
LONG_PIECE = 0.02


class Watch:
    """One kind of work, in pieces of equal size: periods with a team, short trials with one thread.

    A team that loses is dissolved for good. What is worked out does not depend on it: shares are
    the same, and added up in the same order, whoever does them.

    Attributes
    ----------
    alone : bool
        Whether the next pieces are for one thread.
    dissolved : bool
        Whether all further ones are.
    used : int
        The most threads that a piece was done by, since somebody last set it to 1.
    """

    def __init__(self):
        self.used = 1
        self.dissolved = False
        self.alone = False
        self._losses = 0
        self._team_speed = 0.0
        self._begin(TRIAL)

    def _begin(self, seconds):
        self._wanted, self._seconds, self._pieces = seconds, 0.0, 0.0

    @property
    def seconds_left(self) -> float:
        """After how much more work `note` wants to be told; inf where it does not matter."""
        return math.inf if self.dissolved else max(self._wanted - self._seconds, 0.0)

    def note(self, pieces: float, seconds: float, n_threads: int) -> None:
        """So many pieces of work were done, in the way that ``alone`` says."""
        if not self.alone:
            self.used = max(self.used, n_threads)
        if self.dissolved or pieces <= 0:
            return
        self._pieces += pieces
        self._seconds += seconds
        if self._seconds < self._wanted:
            return
        speed = self._pieces / max(self._seconds, 1e-9)
        if self.alone:
            self._judge(speed)
        elif 1 / speed > LONG_PIECE:
            self._begin(TRUST)
        else:
            self._team_speed, self.alone = speed, True
            self._begin(LONE_TRIAL)

    def _judge(self, lone_speed):
        won = self._team_speed >= LEAST_GAIN * lone_speed
        self._losses = 0 if won else self._losses + 1
        self.alone = self.dissolved = self._losses == LOST
        self._begin(TRUST if won else TRIAL)
