"""What happened: who did what, when, from where. Rows are only ever added, and swept when they are old."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from gateway.metadata.port import Reader, Row, Transaction

SWEPT = 5_000
"""Rows that one transaction sweeps at most."""


class Action(StrEnum):
    """What can happen. Every event is one of these, so that whoever filters knows what there is."""

    UPLOAD = "image.upload"
    PROCESSED = "image.processed"
    FAILED = "image.failed"
    CHANGE = "image.change"
    DELETE = "image.delete"
    SHARE = "image.share"
    SHARE_REVOKE = "image.share.revoke"
    REPORT = "image.report"
    APPROVE = "image.approve"
    HIDE = "image.hide"
    REGISTER = "user.register"
    LOGIN = "user.login"
    LOGIN_FAILED = "user.login.failed"
    LOGOUT = "user.logout"
    REFRESH_REUSED = "user.refresh.reused"
    PASSWORD_CHANGE = "user.password.change"  # noqa: S105 -- the name of an event
    PASSWORD_FORGOT = "user.password.forgot"  # noqa: S105 -- the name of an event
    PASSWORD_RESET = "user.password.reset"  # noqa: S105 -- the name of an event
    USER_CHANGE = "user.change"
    ACCOUNT_CREATE = "account.create"
    ACCOUNT_CHANGE = "account.change"
    KEY_USE = "key.use"
    KEY_CREATE = "key.create"
    KEY_CHANGE = "key.change"
    KEY_ROTATE = "key.rotate"
    KEY_DELETE = "key.delete"
    BUCKET_CREATE = "bucket.create"
    BUCKET_CHANGE = "bucket.change"
    BUCKET_DELETE = "bucket.delete"
    JOB_RETRY = "job.retry"
    JOB_DELETE = "job.delete"
    AUDIT_EXPORT = "audit.export"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, and from where. `via` is the door: api, s3, img, cli, job."""

    via: str
    account_id: int | None = None
    user_id: int | None = None
    access_key: str | None = None
    address: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """`target` is what it was done to, by the name that people know: an image id, an account's name, an access key.

    `detail` is what else is worth knowing: small, never a secret, a password or a token. `once`: of all events with this
    text only the first is kept.
    """

    action: Action
    actor: Actor
    at_ms: int
    target: str | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
    once: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """An event as it is read: with its number, and the names of account and user as far as they are still there."""

    id: int
    at_ms: int
    action: str
    via: str
    account: str | None
    user_id: int | None
    user: str | None
    access_key: str | None
    target: str | None
    address: str | None
    request_id: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events to read: all that fit everything given. Times in milliseconds; `until_ms` is behind the last."""

    action: str | None = None
    account_id: int | None = None
    user_id: int | None = None
    access_key: str | None = None
    target: str | None = None
    address: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


_INSERT = (
    "INSERT INTO audit (at_ms, action, via, account_id, user_id, access_key, target, address, request_id, detail, once) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


def _values(event: Event) -> tuple[object, ...]:
    actor = event.actor
    return (
        event.at_ms,
        event.action.value,
        actor.via,
        actor.account_id,
        actor.user_id,
        actor.access_key,
        _storable(event.target),
        actor.address,
        actor.request_id,
        json.dumps(event.detail, separators=(",", ":"), ensure_ascii=True) if event.detail else None,
        event.once,
    )


def _storable(text: str | None) -> str | None:
    """The text as both engines take it: no zero byte, no half of a surrogate pair."""
    return None if text is None else text.replace("\0", "").encode("utf-8", "backslashreplace").decode()


async def note(tx: Transaction, event: Event) -> None:
    """Keep an event, in the transaction of what it tells of."""
    await tx.run(_INSERT, _values(event))


async def note_many(tx: Transaction, events: Sequence[Event]) -> None:
    await tx.many(_INSERT, [_values(event) for event in events])


_COLUMNS = (
    "e.id, e.at_ms, e.action, e.via, a.name, e.user_id, coalesce(u.email, u.subject), e.access_key, e.target, e.address, "
    "e.request_id, e.detail"
)


def _record(row: Row) -> Record:
    number, at_ms, action, via, account, user_id, user, access_key, target, address, request_id, detail = row
    known = {} if detail is None else json.loads(detail)
    return Record(number, at_ms, action, via, account, user_id, user, access_key, target, address, request_id, known)


async def page(reader: Reader, wanted: Wanted, *, before: int | None, limit: int) -> list[Record]:
    """The newest events first; `before` is the number of the last one of the page before this."""
    conditions, values = ["1 = 1"], []
    for one in fields(wanted):
        value = getattr(wanted, one.name)
        if value is None:
            continue
        # The names are those of the class above, never a client's.
        if one.name == "since_ms":
            conditions.append("e.at_ms >= ?")
        elif one.name == "until_ms":
            conditions.append("e.at_ms < ?")
        else:
            conditions.append(f"e.{one.name} = ?")
        values.append(value)
    if before is not None:
        conditions.append("e.id < ?")
        values.append(before)
    rows = await reader.all(
        f"SELECT {_COLUMNS} FROM audit e LEFT JOIN accounts a ON a.id = e.account_id LEFT JOIN users u ON u.id = e.user_id "
        f"WHERE {' AND '.join(conditions)} ORDER BY e.id DESC LIMIT ?",
        (*values, limit),
    )
    return [_record(row) for row in rows]


async def forget(tx: Transaction, before_ms: int) -> int:
    """Sweep events of before then, the oldest first; how many. Fewer than `SWEPT`: there are no more."""
    return await tx.run(
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_ms < ? ORDER BY at_ms LIMIT ?)",
        (before_ms, SWEPT),
    )
