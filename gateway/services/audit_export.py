"""The audit log as text: a JSON document a line, or CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from gateway.services.audit import Audit, Record, Wanted

FIELDS = (
    "id",
    "at",
    "action",
    "via",
    "account",
    "user_id",
    "user",
    "access_key",
    "target",
    "address",
    "request_id",
    "detail",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell begins with that spreadsheets compute (OWASP, CSV Injection)."""


def described(record: Record) -> dict[str, Any]:
    """An event by FIELDS; `at` as in RFC 3339, to the millisecond."""
    at = datetime.fromtimestamp(record.at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    values = {name: getattr(record, name) for name in FIELDS if name not in ("at", "detail")}
    return {name: at if name == "at" else dict(record.detail) if name == "detail" else values[name] for name in FIELDS}


def json_lines(records: Iterable[Record]) -> bytes:
    return b"".join(json.dumps(described(one), separators=(",", ":")).encode() + b"\n" for one in records)


def csv_lines(records: Iterable[Record]) -> bytes:
    """Lines of CSV (RFC 4180) without the titles. No cell is one that a spreadsheet would compute."""
    text = io.StringIO()
    writer = csv.writer(text)
    for one in records:
        values = described(one)
        values["detail"] = json.dumps(values["detail"], separators=(",", ":")) if one.detail else ""
        writer.writerow([harmless(values[name]) for name in FIELDS])
    return text.getvalue().encode()


def harmless(value: object) -> str:
    """A cell's text; with an apostrophe in front where it would be a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) or text.lstrip().startswith(FORMULA) else text


TITLES = (",".join(FIELDS) + "\r\n").encode()
FORMATS: dict[str, tuple[str, bytes, Callable[[Iterable[Record]], bytes]]] = {
    "jsonl": ("application/x-ndjson", b"", json_lines),
    "csv": ("text/csv; charset=utf-8", TITLES, csv_lines),
}
"""By name: the type of its content, what comes first, and how events are written."""


async def export(audit: Audit, wanted: Wanted, name: str) -> AsyncIterator[bytes]:
    """All events that are wanted, the newest first, in one of FORMATS, some at a time."""
    _, first, lines = FORMATS[name]
    yield first
    async for records in audit.all(wanted):
        yield lines(records)
