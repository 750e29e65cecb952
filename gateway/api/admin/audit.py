"""The audit log, for administrators."""

from __future__ import annotations

from typing import Any, Literal

from aiohttp.web import StreamResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.api.access_keys import milliseconds
from gateway.api.admin.paging import ADMIN, TAG, PageQuery, cursor
from gateway.api.answer import answer
from gateway.api.call import Call
from gateway.api.moment import Moment
from gateway.api.operation import Access, Operation
from gateway.http.chunked_reply import ChunkedReply
from gateway.services.audit import Action, Event, Record, Wanted
from gateway.services.audit_export import FORMATS, described, export
from gateway.services.clock import now_ms


class AuditEvent(BaseModel):
    """Something that happened: who did what, when, from where."""

    id: int
    at: Moment
    action: str
    via: str = Field(description="The door: api, s3, img, cli, job.")
    account: str | None
    user_id: int | None = Field(description="The user's number.")
    user: str | None
    access_key: str | None
    target: str | None
    address: str | None
    request_id: str | None
    detail: dict[str, Any]


class AuditPage(BaseModel):
    items: list[AuditEvent]
    next: str | None


class Filters(BaseModel):
    """Only events that fit all that is given."""

    model_config = ConfigDict(extra="forbid")

    action: Action | None = None
    account: str | None = Field(default=None, max_length=64)
    user_id: int | None = Field(default=None, ge=0, lt=1 << 62)
    access_key: str | None = Field(default=None, max_length=128)
    target: str | None = Field(default=None, max_length=1024)
    address: str | None = Field(default=None, max_length=64)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = Field(default=None, description="Events before then.")


class AuditQuery(Filters, PageQuery):
    pass


class ExportQuery(Filters):
    format: Literal["jsonl", "csv"] = "jsonl"


async def list_events(call: Call) -> StreamResponse:
    query = call.query_as(AuditQuery)
    wanted = await _wanted(call, query)
    found = await call.services.audit.page(wanted, before=query.after_number(), limit=query.limit + 1)
    page = found[: query.limit]
    following = cursor(page[-1].id if page else "", more=len(found) > len(page))
    return answer(200, AuditPage(items=[_event(one) for one in page], next=following))


def _event(record: Record) -> AuditEvent:
    return AuditEvent(**described(record))


async def export_events(call: Call) -> StreamResponse:
    query = call.query_as(ExportQuery)
    wanted = await _wanted(call, query)
    content_type = FORMATS[query.format][0]
    asked = query.model_dump(mode="json", exclude_none=True)
    call.services.audit.later(Event(Action.AUDIT_EXPORT, call.actor, now_ms(), detail=asked))
    headers = (
        ("Content-Type", content_type),
        ("Content-Disposition", f'attachment; filename="pixgate-audit.{query.format}"'),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    )
    return ChunkedReply(200, headers, export(call.services.audit, wanted, query.format))


async def _wanted(call: Call, filters: Filters) -> Wanted:
    account = None if filters.account is None else await call.services.accounts.get(filters.account)
    return Wanted(
        action=None if filters.action is None else filters.action.value,
        account_id=None if account is None else account.id,
        user_id=filters.user_id,
        access_key=filters.access_key,
        target=filters.target,
        address=filters.address,
        since_ms=None if filters.since is None else milliseconds(filters.since),
        until_ms=None if filters.until is None else milliseconds(filters.until),
    )


_PATH = f"{ADMIN}/audit"
OPERATIONS = (
    Operation(
        "AdminListAudit",
        "GET",
        _PATH,
        list_events,
        Access.ADMIN,
        TAG,
        "Events of the audit log, the newest first",
        {200: AuditPage},
        errors=("INVALID_REQUEST", "NOT_FOUND"),
        query=AuditQuery,
    ),
    Operation(
        "AdminExportAudit",
        "GET",
        _PATH + "/export",
        export_events,
        Access.ADMIN,
        TAG,
        "All events that fit, as JSON lines or CSV",
        {200: None},
        errors=("NOT_FOUND",),
        query=ExportQuery,
        media_types=("application/x-ndjson", "text/csv"),
    ),
)
