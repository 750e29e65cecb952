"""Lengths of time and moments as people type them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_PIECES = re.compile(r"(?:\d+[smhdwy])+")


def parse_duration(text: str) -> int:
    """`90s`, `15m`, `12h`, `7d`, `2w`, `1y`, or several together (`1d12h`): seconds. Raises ValueError."""
    if not _PIECES.fullmatch(text):
        raise ValueError(f"{text!r} is not a length of time such as 15m, 12h or 7d")
    return sum(int(piece[:-1]) * _UNITS[piece[-1]] for piece in re.findall(r"\d+[smhdwy]", text))


def parse_moment(text: str, now: float) -> int:
    """A length of time from `now`, or a date (`2027-01-31`, `2027-01-31T12:00:00Z`, UTC): Unix seconds."""
    try:
        return int(now) + parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a length of time such as 7d nor a date such as 2027-01-31") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


LAST_MOMENT = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
"""The last second that a date can name; what lies behind it could not be shown again."""


def utc(milliseconds: int) -> str:
    """A moment, in milliseconds since the epoch, as `2027-01-31T12:00:00Z`."""
    if milliseconds > LAST_MOMENT * 1000:
        return "after 9999"
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Moment(click.ParamType[int]):
    """A moment in the future, in Unix seconds."""

    name = "7d|DATE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        now = time.time()
        try:
            moment = parse_moment(str(value), now)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if moment <= now:
            self.fail(f"{value!r} is in the past", param, ctx)
        if moment > LAST_MOMENT:
            self.fail(f"{value!r} lies after the year 9999: leave it out for no end", param, ctx)
        return moment


class Duration(click.ParamType[int]):
    """A length of time, in milliseconds."""

    name = "12h|7d"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_duration(str(value)) * 1000
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Past(click.ParamType[int]):
    """A moment that is over, in Unix seconds: a length of time ago, or a date."""

    name = "7d|DATE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        now = int(time.time())
        try:
            return now - parse_duration(str(value))
        except ValueError:
            pass
        try:
            return parse_moment(str(value), now)
        except ValueError as error:
            self.fail(str(error), param, ctx)
