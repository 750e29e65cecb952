"""Lengths of time and moments."""

from __future__ import annotations

import pytest

from gateway.cli.duration import parse_duration, parse_moment, utc


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600), ("1d12h", 129_600)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "7 d", "-7d", "7x", "7d3"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a length of time"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1h", 1_003_600),
        ("1970-01-12", 950_400),
        ("1970-01-12T13:46:40Z", 1_000_000),
        ("1970-01-12T14:46:40+01:00", 1_000_000),
    ],
)
def test_moments(text: str, moment: int) -> None:
    assert parse_moment(text, 1_000_000.7) == moment


def test_what_is_no_moment() -> None:
    with pytest.raises(ValueError, match="neither a length of time"):
        parse_moment("tomorrow", 0)


def test_shown_in_utc() -> None:
    assert utc(1_000_000_999) == "1970-01-12T13:46:40Z"


def test_what_no_calendar_shows_does_not_stop_a_list() -> None:
    assert utc(10**17) == "after 9999"
