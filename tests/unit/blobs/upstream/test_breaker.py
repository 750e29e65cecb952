"""The circuit breaker, on a clock of its own."""

from __future__ import annotations

import pytest

from gateway.blobs.upstream.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker
from gateway.blobs.upstream.errors import BreakerOpen


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.check()
        breaker.failure()
    return breaker


def test_failures_in_a_row_open_it_and_others_do_not(clock: Clock) -> None:
    breaker = Breaker(clock)
    for _ in range(10):
        for _ in range(FAILURES - 1):
            breaker.failure()
        breaker.success()
    breaker.check()
    assert not breaker.open


def test_open_it_refuses_at_once(opened: Breaker, clock: Clock) -> None:
    for _ in range(3):
        with pytest.raises(BreakerOpen):
            opened.check()
    clock.now += FIRST_PAUSE - 0.01
    with pytest.raises(BreakerOpen):
        opened.check()


def test_one_is_let_through_and_its_success_closes_it(opened: Breaker, clock: Clock) -> None:
    clock.now += FIRST_PAUSE
    opened.check()
    with pytest.raises(BreakerOpen):
        opened.check()
    opened.success()
    opened.check()
    assert not opened.open


def test_each_failed_probe_makes_it_wait_longer_up_to_a_limit(opened: Breaker, clock: Clock) -> None:
    pause = FIRST_PAUSE
    for _ in range(8):
        clock.now += pause
        opened.check()
        opened.failure()
        pause = min(pause * 2, LONGEST_PAUSE)
        clock.now += pause - 0.01
        with pytest.raises(BreakerOpen):
            opened.check()
        clock.now += 0.01 - pause
    assert pause == LONGEST_PAUSE


def test_failures_of_what_was_under_way_make_nothing_worse(opened: Breaker, clock: Clock) -> None:
    for _ in range(50):
        opened.failure()
    clock.now += FIRST_PAUSE
    opened.check()


def test_a_probe_that_never_ends_is_followed_by_another(opened: Breaker, clock: Clock) -> None:
    clock.now += FIRST_PAUSE
    opened.check()
    clock.now += FIRST_PAUSE
    opened.check()
