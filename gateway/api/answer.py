"""Answers in JSON."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from gateway.http.reply import Reply

JSON_HEADERS = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)


def answer(status: int, model: BaseModel, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """The model as JSON; None is null, never missing."""
    given = {name.lower() for name, _ in headers}
    own = [pair for pair in JSON_HEADERS if pair[0].lower() not in given]
    return Reply(status, [*own, *headers], model.model_dump_json(by_alias=True).encode())


def nothing(headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """204."""
    return Reply(204, list(headers))
