"""What is said of workers that live and of those that do not."""

from __future__ import annotations

import pytest

from gateway.jobs.presence import BEATS, Roll, Worker, beat_seconds
from gateway.metadata.jobs import KINDS, PROCESS, PURGE, RENDITION, SCHEDULED

ALL = Worker("all-1", KINDS, 2, 0.5)
SOME = Worker("some-1", (PROCESS, RENDITION), 1, 1.0)
LOST = Worker("lost-1", KINDS, 1, 75.4)
LONGER_LOST = Worker("lost-2", KINDS, 1, 300.0)


@pytest.mark.parametrize("roll", [Roll((ALL,), ()), Roll((SOME, ALL), (LOST,))])
def test_nothing_is_wrong_where_every_kind_is_taken(roll: Roll) -> None:
    assert roll.problem(KINDS) is None


def test_without_workers_who_was_there_last_is_named() -> None:
    assert Roll((), ()).problem(KINDS) == "no worker lives: jobs wait until `pixgate worker` is started"
    told = Roll((), (LOST, LONGER_LOST)).problem(KINDS)
    assert told == "no worker lives: jobs wait until `pixgate worker` is started; lost-1 was last heard of 75 s ago"


def test_kinds_that_no_worker_takes_are_named() -> None:
    told = Roll((SOME,), ()).problem(KINDS)
    assert told is not None
    assert told.startswith(f"no worker takes jobs of the kinds {PURGE}, {SCHEDULED}: ")


def test_a_worker_speaks_some_times_before_it_counts_as_gone() -> None:
    assert beat_seconds(30.0) == 2.0
    assert beat_seconds(0.6) * BEATS == pytest.approx(0.6)
