"""Times of requests as Signature Version 4 writes them. Unix seconds in UTC."""

from __future__ import annotations

import time
from calendar import timegm
from datetime import UTC, datetime
from functools import lru_cache


def amz_date(timestamp: float) -> str:
    """Unix seconds as YYYYMMDDTHHMMSSZ."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(timestamp))


@lru_cache(maxsize=1024)
def parse_amz_date(text: str) -> int:
    """Unix seconds of YYYYMMDDTHHMMSSZ. Raises ValueError."""
    if len(text) != 16 or text[8] != "T" or text[15] != "Z":
        raise ValueError("not YYYYMMDDTHHMMSSZ")
    digits = text[:8] + text[9:15]
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError("not YYYYMMDDTHHMMSSZ")
    return timegm(
        datetime(
            int(text[:4]),
            int(text[4:6]),
            int(text[6:8]),
            int(text[9:11]),
            int(text[11:13]),
            int(text[13:15]),
            tzinfo=UTC,
        ).timetuple()
    )
