"""What is tried again, and when."""

from __future__ import annotations

import pytest

from gateway.blobs.upstream.errors import BadResponse, Broken, Busy, Failed, ServerError, TimedOut
from gateway.blobs.upstream.retry import ATTEMPTS, LONGEST_DELAY, delay, is_fault, pause


@pytest.mark.parametrize("error", [Broken("x"), ServerError(503, "SlowDown", "x"), BadResponse("x")])
def test_a_failure_is_tried_again_a_few_times(error: Failed) -> None:
    for attempt in range(1, ATTEMPTS):
        wait = pause(error, attempt, 4.0)
        assert wait is not None
        assert 0 < wait < 1
    assert pause(error, ATTEMPTS, 4.0) is None
    assert pause(error, 1, 0.001) is None


@pytest.mark.parametrize(
    "error", [TimedOut("x"), Busy("x"), ServerError(501, "NotImplemented", "x"), ServerError(505, "", "x")]
)
def test_what_would_only_happen_again_is_not(error: Failed) -> None:
    assert pause(error, 1, 4.0) is None


def test_an_idle_connection_that_was_closed_costs_no_wait() -> None:
    assert pause(Broken("x", reused=True), 1, 4.0) == 0.0
    assert pause(Broken("x", reused=True), 1, 0.0) is None


def test_waits_grow_spread_and_end_somewhere() -> None:
    assert delay(1, 0.0) < delay(1, 1.0) <= delay(2, 1.0)
    assert delay(2, 0.5) > delay(1, 0.5)
    assert delay(50, 1.0) <= LONGEST_DELAY


def test_what_counts_as_the_service_being_down() -> None:
    assert is_fault(Broken("x"))
    assert is_fault(TimedOut("x"))
    assert is_fault(ServerError(500, "InternalError", "x"))
    assert is_fault(ServerError(503, "", "x"))
    assert not is_fault(ServerError(503, "SlowDown", "x"))
    assert not is_fault(Broken("x", reused=True))
    assert not is_fault(Busy("x"))
