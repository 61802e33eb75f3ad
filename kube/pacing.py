"""A ceiling on requests per second, for people who want one: the API server's own flow control is enough as a rule.

Owns who waits how long. Must not: know what a request is.
"""

from __future__ import annotations

from kube.clock import Clock


class Pace:
    """Lets a burst through at once, and then so many a second, in the order in which they came."""

    def __init__(self, clock: Clock, *, per_second: float, burst: int) -> None:
        """Prepare.

        Args:
            clock: real or virtual time.
            per_second: how many turns a second; 0 is as many as wanted.
            burst: how many may come at once after a rest.
        """
        self._clock = clock
        self._seconds_each = 1 / per_second if per_second > 0 else 0.0
        self._credit_seconds = max(burst - 1, 0) * self._seconds_each
        self._next = clock.monotonic() - self._credit_seconds

    async def turn(self) -> None:
        """Return when it is the caller's turn."""
        if not self._seconds_each:
            return
        now = self._clock.monotonic()
        self._next = max(self._next, now - self._credit_seconds) + self._seconds_each
        wait = self._next - self._seconds_each - now
        if wait > 0:
            await self._clock.sleep(wait)
