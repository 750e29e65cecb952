"""A circuit breaker: a store that failed several times in a row is left alone for a while.

Open, it refuses at once; after its time it lets one request through, whose outcome closes it or opens it for longer.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.blobs.upstream.errors import BreakerOpen

FAILURES = 5
"""Failures in a row that open it."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
"""Seconds."""


class Breaker:
    """`now` gives monotonic seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._until = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        return self._failures >= FAILURES

    def check(self) -> None:
        """Raises BreakerOpen where nothing should be tried now."""
        if not self.open:
            return
        now = self._now()
        if now < self._until:
            raise BreakerOpen("it failed several times in a row and is left alone for a moment")
        # This caller is the probe; should its outcome never come, the next one follows after another pause.
        self._probing = True
        self._until = now + self._pause

    def success(self) -> None:
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._probing = False

    def failure(self) -> None:
        self._failures += 1
        if self._probing:
            self._probing = False
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        elif self._failures != FAILURES:
            # Not enough yet, or one that was under way when it opened: that makes nothing worse.
            return
        self._until = self._now() + self._pause
