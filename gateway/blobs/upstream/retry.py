"""When a request is tried again, and how long before.

Only what was not handed on and can be sent again: reads before their first byte, and bodies that lie in memory under
names that nobody else writes.
"""

from __future__ import annotations

import random

from gateway.blobs.upstream.errors import Broken, Busy, Failed, Refused, ServerError, TimedOut

ATTEMPTS = 3
FIRST_DELAY = 0.05
LONGEST_DELAY = 1.0
"""Seconds."""
LASTING_STATUSES = frozenset({501, 505})
"""Server errors that another try would only repeat."""
BUSY_STATUSES = frozenset({429, 503})
BUSY_CODES = frozenset({"SlowDown", "TooManyRequests", "ServiceUnavailable", "SlowDownRead", "SlowDownWrite"})


def delay(attempt: int, roll: float) -> float:
    """Seconds before attempt number `attempt` + 1, spread by `roll` (0 to 1), so that many do not come back at once."""
    return min(FIRST_DELAY * 2.0 ** (attempt - 1), LONGEST_DELAY) * (0.5 + roll / 2)


def pause(error: Failed, attempt: int, remaining: float) -> float | None:
    """Seconds to wait before the next try after `attempt` tries; None where this was the last.

    `remaining` is the time in seconds that is left for everything.
    """
    if isinstance(error, Broken) and error.reused:
        return 0.0 if remaining > 0 else None
    if attempt >= ATTEMPTS or isinstance(error, (TimedOut, Busy)):
        return None
    if isinstance(error, ServerError) and error.status in LASTING_STATUSES:
        return None
    wait = delay(attempt, random.random())  # noqa: S311 - it spreads load, it hides nothing
    return wait if wait < remaining else None


def is_busy(error: Refused | ServerError) -> bool:
    """Whether the service only asks for patience."""
    return error.status in BUSY_STATUSES or error.code in BUSY_CODES


def is_fault(error: Failed) -> bool:
    """Whether it says that the service is down.

    Not an idle connection that it closed, nor that it asks for patience, nor that our own connections are all in use.
    """
    if isinstance(error, Broken):
        return not error.reused
    if isinstance(error, Busy):
        return False
    return not (isinstance(error, ServerError) and error.code in BUSY_CODES)
