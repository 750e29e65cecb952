"""What is answered before a door is reached, in the words of the door that the request was for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp.web import StreamResponse

from gateway.api.answer import JSON_HEADERS
from gateway.api.errors import ApiError
from gateway.http.guard import FIELD_LIMIT, HEADER_BYTES, HEADER_COUNT, LINE_LIMIT
from gateway.http.reply import LastReply
from gateway.http.request_target import split_absolute
from gateway.img.delivery import ANY_ORIGIN, NO_STORE, SAFETY
from gateway.img.errors import ImageError
from gateway.s3.error_document import error_document
from gateway.s3.errors import S3Error
from gateway.telemetry import RequestRecord, Telemetry
from gateway.web.endpoint import RESERVED_PAGES
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
    headers: Headers = ()


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
    503: Trouble("SlowDown", "SlowDown", "SERVICE_UNAVAILABLE", headers=(("Retry-After", "1"),)),
}
"""By the status that they have outside the S3 door."""
_OF_THE_API = frozenset({"api", "openapi.json"})


class Refusals:
    """Answers, counts and logs what never reached a door. `image_names`: first parts of paths that lead to images."""

    def __init__(self, telemetry: Telemetry, image_names: Iterable[str] = ()) -> None:
        self._telemetry = telemetry
        self._image_names = frozenset({"img", *image_names})

    def answer(self, status: int, target: str) -> StreamResponse:
        """The last answer of a connection; `status` is one of TROUBLES, `target` the request's as far as it is known."""
        record = RequestRecord()
        self._telemetry.begin()
        record.status, record.error_code, headers, document = self._said(status, first_part(target), record.request_id)
        record.bytes_out = len(document)
        self._telemetry.finish(record)
        return LastReply(record.status, headers, document, close=True)

    def _said(self, status: int, name: str, request_id: str) -> tuple[int, str, Headers, bytes]:
        """Status, error code, headers and body."""
        trouble = TROUBLES[status]
        text = trouble.text
        if name in _OF_THE_API:
            api = ApiError(trouble.api, text)
            return status, api.code, (("X-Request-Id", request_id), *JSON_HEADERS, *api.headers), api.document()
        named = ("x-amz-request-id", request_id)
        data = ("Content-Type", "application/json")
        if name in self._image_names:
            image = ImageError(trouble.img, text)
            return status, image.code, (named, data, NO_STORE, *SAFETY, ANY_ORIGIN, *trouble.headers), image.document()
        s3 = S3Error(trouble.s3, text)
        if name in RESERVED_PAGES:
            document = json.dumps({"error": str(s3)}).encode() + b"\n"
            return status, s3.code, (named, data, *DATA_HEADERS.items(), *trouble.headers), document
        if trouble.most is not None:
            s3.fields = (("MaxSizeAllowed", str(trouble.most)),)
        document = error_document(s3, bucket=None, resource="", request_id=request_id, host_id="")
        return s3.status, s3.code, (named, ("Content-Type", "application/xml"), *trouble.headers), document


def first_part(target: str) -> str:
    """The first part of a target's path, by which the doors are told apart."""
    if not target.startswith("/"):
        try:
            _, target = split_absolute(target)
        except ValueError:
            return ""
    return target[1:].partition("?")[0].partition("/")[0]
