"""What is answered before a door is reached, in the words of the door that the request was for."""

from __future__ import annotations

import json
from dataclasses import dataclass

from aiohttp.web import StreamResponse

from gateway.api.answer import JSON_HEADERS
from gateway.api.errors import ApiError
from gateway.doors import Door, Doors
from gateway.http.guard import FIELD_LIMIT, HEADER_BYTES, HEADER_COUNT, LINE_LIMIT
from gateway.http.reply import LastReply
from gateway.img.delivery import ANY_ORIGIN, NO_STORE, SAFETY
from gateway.img.errors import ImageError
from gateway.s3.error_document import error_document
from gateway.s3.errors import S3Error
from gateway.telemetry import RequestRecord, Telemetry
from gateway.web.security import DATA_HEADERS

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong: the code of each door, and what is said of it where the doors have nothing better to say.

    `most` is what it has too much of, in bytes. Status and headers of the S3 door are those of its code.
    """

    s3: str
    img: str
    api: str
    text: str = ""
    most: int | None = None
    retry_after: int | None = None
    """Seconds after which it may be better."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, and the code that it is counted under."""

    status: int
    code: str
    headers: Headers
    body: bytes


TROUBLES: dict[int, Trouble] = {
    400: Trouble("InvalidRequest", "InvalidRequest", "INVALID_REQUEST", "The request is not well-formed HTTP."),
    414: Trouble(
        "RequestHeaderSectionTooLarge",
        "UriTooLong",
        "URI_TOO_LONG",
        f"Path and query have more than {LINE_LIMIT:,} bytes: shorten them.",
        most=LINE_LIMIT,
    ),
    431: Trouble(
        "RequestHeaderSectionTooLarge",
        "HeaderTooLarge",
        "HEADER_TOO_LARGE",
        f"The header is too large: it has at most {HEADER_COUNT} fields of {FIELD_LIMIT:,} bytes each, and "
        f"{HEADER_BYTES:,} bytes altogether.",
        most=HEADER_BYTES,
    ),
    500: Trouble("InternalError", "InternalError", "INTERNAL_ERROR"),
    503: Trouble("SlowDown", "SlowDown", "SERVICE_UNAVAILABLE", retry_after=1),
}
"""By the status that they have outside the S3 door."""


class Refusals:
    """Answers, counts and logs what never reached a door."""

    def __init__(self, telemetry: Telemetry, doors: Doors) -> None:
        self._telemetry = telemetry
        self._doors = doors

    def answer(self, status: int, target: str, host: str) -> StreamResponse:
        """The last answer of a connection; `status` is one of TROUBLES.

        `target` and `host` are the request's and its Host header's, as far as they are known, else empty.
        """
        record = RequestRecord()
        self._telemetry.begin()
        said = said_by(self._doors.of(target, host), status, TROUBLES[status], record.request_id)
        record.status, record.error_code, record.bytes_out = said.status, said.code, len(said.body)
        self._telemetry.finish(record)
        return LastReply(said.status, said.headers, said.body, close=True)


def said_by(door: Door, status: int, trouble: Trouble, request_id: str) -> Said:
    """What a door says of a trouble; `status` is that of all doors but S3's."""
    text = trouble.text
    if door is Door.API:
        api = ApiError(trouble.api, text, retry_after=trouble.retry_after)
        return Said(status, api.code, (("X-Request-Id", request_id), *JSON_HEADERS, *api.headers), api.document())
    later = () if trouble.retry_after is None else (("Retry-After", str(trouble.retry_after)),)
    named = ("x-amz-request-id", request_id)
    data = ("Content-Type", "application/json")
    if door is Door.IMAGES:
        image = ImageError(trouble.img, text)
        headers = (named, data, NO_STORE, *SAFETY, ANY_ORIGIN, *later)
        return Said(status, image.code, headers, image.document())
    s3 = S3Error(trouble.s3, text)
    if door is Door.PAGES:
        document = json.dumps({"error": str(s3)}).encode() + b"\n"
        return Said(status, s3.code, (named, data, *DATA_HEADERS.items(), *later), document)
    if trouble.most is not None:
        s3.fields = (("MaxSizeAllowed", str(trouble.most)),)
    document = error_document(s3, bucket=None, resource="", request_id=request_id, host_id="")
    return Said(s3.status, s3.code, (named, ("Content-Type", "application/xml"), *later), document)
