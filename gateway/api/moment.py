"""Moments in answers: all of one length, so that as text, too, an earlier one comes before a later one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    # Left to itself, a whole second has no fraction, and comes behind all others of that second.
    PlainSerializer(_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""RFC 3339 in UTC, with milliseconds: `2026-11-22T00:38:05.000Z`."""


def moment(at_ms: int) -> datetime:
    """Unix milliseconds as a moment."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
