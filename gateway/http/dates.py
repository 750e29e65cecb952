"""Dates as HTTP and S3 write them."""

from __future__ import annotations

import time
from calendar import timegm
from datetime import UTC, datetime
from email.utils import parsedate
from functools import lru_cache

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@lru_cache(maxsize=4096)
def http_date(seconds: int) -> str:
    """Whole Unix seconds as an IMF-fixdate, such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7)."""
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(seconds)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def parse_http_date(text: str) -> int | None:
    """Whole Unix seconds of any of the three forms of RFC 9110, section 5.6.7, or of ISO 8601. None: not a date.

    S3 takes ISO 8601 in conditions as well, and some SDKs send it.
    """
    text = text.strip()
    if not text.isascii() or len(text) > 64:
        return None
    parsed = parsedate(text)
    try:
        if parsed is not None:
            return timegm((*parsed[:6], 0, 0, 0))
        if text[:4].isdigit():
            moment = datetime.fromisoformat(text)
            return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
    return None


def iso_date(milliseconds: int) -> str:
    """Unix milliseconds as S3's XML has them: `2009-10-12T17:50:30.000Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_iso_seconds(seconds)}.{rest:03}Z"


@lru_cache(maxsize=4096)
def _iso_seconds(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
