"""How long a container waits before it is started, or its image asked for, again.

Owns the arithmetic of CrashLoopBackOff and ImagePullBackOff. Must not: wait.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Doubles from `first_seconds` up to `longest_seconds`; a container that ran for `reset_seconds` starts over.

    >>> [Backoff().seconds(failures) for failures in (1, 2, 3, 6, 7)]
    [10.0, 20.0, 40.0, 300.0, 300.0]
    """

    first_seconds: float = 10.0
    longest_seconds: float = 300.0
    reset_seconds: float = 600.0

    def seconds(self, failures: int) -> float:
        """Return the wait after so many failures in a row; none after none."""
        if failures < 1:
            return 0.0
        return float(min(self.first_seconds * 2 ** min(failures - 1, 32), self.longest_seconds))

    def failures_after(self, failures: int, *, ran_seconds: float) -> int:
        """Return the number of failures in a row once a run of this length has ended."""
        return 1 if ran_seconds >= self.reset_seconds else failures + 1

    def scaled(self, factor: float) -> Backoff:
        """Return the same back-off in another tempo: tests use a hundredth."""
        return Backoff(
            first_seconds=self.first_seconds * factor,
            longest_seconds=self.longest_seconds * factor,
            reset_seconds=self.reset_seconds * factor,
        )
