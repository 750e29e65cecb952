"""DeleteObjects: up to a thousand keys in one request."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.errors import GatewayError
from gateway.http.reply import Reply
from gateway.model.objects import MAX_KEY_BYTES, DeleteResult
from gateway.policy.decide import decide
from gateway.s3.body import MAX_COMPLETION, read_xml, require_digest
from gateway.s3.call import Call
from gateway.s3.errors import S3Error, not_implemented, translate
from gateway.s3.render import xml_reply
from gateway.s3.write_conditions import single_etag
from gateway.s3.xml import Element, Writer

MAX_KEYS = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One key to delete, and what is wrong with asking for it."""

    key: str
    version_id: str | None
    if_match: str | None
    error: S3Error | None = None


async def delete_objects(call: Call) -> Reply:
    require_digest(call, "DeleteObjects")
    document = await read_xml(call, "Delete", limit=MAX_COMPLETION)
    document.only("Object", "Quiet")
    quiet = (document.value("Quiet") or "false").strip()
    if quiet not in ("true", "false"):
        raise S3Error("MalformedXML")
    entries = [_entry(element) for element in document.all("Object")]
    if not 1 <= len(entries) <= MAX_KEYS:
        raise S3Error("MalformedXML")
    entries = within_scope(call, entries)

    outcomes: list[DeleteResult | Exception | None] = [entry.error for entry in entries]
    plain = [n for n, entry in enumerate(entries) if entry.error is None and entry.if_match is None]
    if plain:
        pairs = [(entries[n].key.encode(), entries[n].version_id) for n in plain]
        for n, result in zip(plain, await call.services.objects.delete_many(call.bucket, pairs), strict=True):
            outcomes[n] = result
    for n, entry in enumerate(entries):
        if entry.if_match is not None and entry.error is None:
            try:
                outcomes[n] = await call.services.objects.delete(
                    call.bucket, entry.key.encode(), entry.version_id, if_match=entry.if_match
                )
            except GatewayError as error:
                outcomes[n] = error

    writer = Writer("DeleteResult")
    for entry, outcome in zip(entries, outcomes, strict=True):
        if isinstance(outcome, DeleteResult):
            if quiet == "false":
                _write_deleted(writer, entry, outcome)
        elif outcome is not None:
            _write_error(writer, entry, outcome)
    return xml_reply(writer.finish())


def within_scope(call: Call, entries: list[Entry]) -> list[Entry]:
    """The entries, refused where the access key is narrowed to others."""
    principal = call.authentication.principal
    if principal.access_key is None or principal.access_key.scope is None:
        return entries
    return [
        entry
        if decide(
            principal,
            "s3:DeleteObject" if entry.version_id is None else "s3:DeleteObjectVersion",
            call.bucket,
            entry.key.encode(),
        )
        else replace(entry, error=S3Error("AccessDenied"))
        for entry in entries
    ]


def _entry(element: Element) -> Entry:
    element.only("Key", "VersionId", "ETag", "LastModifiedTime", "Size")
    key = element.require("Key")
    if not key:
        raise S3Error("MalformedXML")
    version_id = element.value("VersionId") or None
    error: S3Error | None = None
    if_match: str | None = None
    size = len(key.encode())
    if size > MAX_KEY_BYTES:
        error = S3Error("KeyTooLongError")
    for name in ("LastModifiedTime", "Size"):
        if element.find(name) is not None:
            error = not_implemented(name)
    etag = element.value("ETag")
    if etag is not None:
        try:
            if_match = single_etag(etag)
        except S3Error as wrong:
            error = wrong
    return Entry(key, version_id, if_match, error)


def _write_deleted(writer: Writer, entry: Entry, result: DeleteResult) -> None:
    writer.open("Deleted")
    writer.add("Key", entry.key)
    writer.add_if("VersionId", entry.version_id)
    if result.delete_marker:
        writer.add("DeleteMarker", "true")
        writer.add_if("DeleteMarkerVersionId", result.version_id)
    writer.close("Deleted")


def _write_error(writer: Writer, entry: Entry, outcome: Exception) -> None:
    error = translate(outcome) or S3Error("InternalError")
    writer.open("Error")
    writer.add("Key", entry.key)
    writer.add_if("VersionId", entry.version_id)
    writer.add("Code", error.code)
    writer.add("Message", str(error))
    writer.close("Error")
