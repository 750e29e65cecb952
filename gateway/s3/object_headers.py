"""The headers that are stored with an object and come back with it.

System headers come back as they were sent. User metadata that is not ASCII comes back as S3 gives it: an encoded word of
RFC 2047 in UTF-8; a value that no header may hold is left out and counted in `x-amz-missing-meta`.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import lru_cache

from gateway.model.objects import Headers
from gateway.s3.errors import S3Error, invalid_argument

SYSTEM = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
META = "x-amz-meta-"
MAX_METADATA = 2048
"""Bytes of all names (without prefix) and values of user metadata together."""
MAX_SYSTEM = 8192
DEFAULT_TYPE = "binary/octet-stream"

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What a header's name may be made of (RFC 9110, section 5.6.2)."""
_PRINTED = {
    "cache-control": "Cache-Control",
    "content-disposition": "Content-Disposition",
    "content-encoding": "Content-Encoding",
    "content-language": "Content-Language",
    "content-type": "Content-Type",
    "expires": "Expires",
}
_ACTIVE = re.compile(
    r"\s*(?:text/html|application/xhtml\+xml|image/svg\+xml|text/xml|application/xml|application/pdf|text/xsl|"
    r"application/x-shockwave-flash|multipart/|message/|[\w.-]+/[\w.-]+\+xml|text/javascript|application/javascript)",
    re.IGNORECASE,
)


def stored_headers(headers: Mapping[str, str]) -> Headers:
    """What is kept of a request's headers. Names in lower case. Raises S3Error MetadataTooLarge, InvalidArgument."""
    kept: list[tuple[str, str]] = []
    size = system = 0
    for name in SYSTEM:
        value = headers.get(name)
        if value is None:
            continue
        value = readable(value.strip())
        if name == "content-encoding":
            value = without_aws_chunked(value)
        if value:
            system += len(value.encode())
            kept.append((name, _allowed(name, value)))
    for name, value in headers.items():
        if name.startswith(META):
            text = readable(value.strip())
            size += len(name.encode("utf-8", "surrogateescape")) - len(META) + len(text.encode())
            # A presigned URL may carry metadata as parameters, whose names no HTTP parser has looked at.
            if not _TOKEN.fullmatch(name, len(META)):
                raise invalid_argument("Metadata names must be tokens of HTTP", "x-amz-meta", readable(name))
            kept.append((name, text))
    if size > MAX_METADATA:
        raise S3Error("MetadataTooLarge", fields=(("Size", str(size)), ("MaxSizeAllowed", str(MAX_METADATA))))
    if system > MAX_SYSTEM:
        raise S3Error("MetadataTooLarge", fields=(("Size", str(system)), ("MaxSizeAllowed", str(MAX_SYSTEM))))
    return tuple(kept)


def readable(value: str) -> str:
    """A header's value as text: UTF-8, or where its bytes are not that, Latin-1 (which has a character for each)."""
    if value.isascii():
        return value
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def without_aws_chunked(value: str) -> str:
    """A Content-Encoding without `aws-chunked`, which is the request's framing and not the object's."""
    if "aws-chunked" not in value.lower():
        return value
    return ",".join(piece.strip() for piece in value.split(",") if piece.strip().lower() not in ("aws-chunked", ""))


def _allowed(name: str, value: str) -> str:
    if _CONTROL.search(value):
        raise invalid_argument("Header values cannot hold control characters", name, "")
    return value


def printed_headers(stored: Headers) -> list[tuple[str, str]]:
    """The stored headers for an answer, a Content-Type among them always."""
    printed: list[tuple[str, str]] = []
    typed = False
    missing = 0
    for name, value in stored:
        shown = _PRINTED.get(name)
        if shown is not None:
            typed = typed or name == "content-type"
            printed.append((shown, value))
        elif not value.isascii():
            printed.append((name, f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="))
        elif _CONTROL.search(value):
            missing += 1
        else:
            printed.append((name, value))
    if not typed:
        printed.append(("Content-Type", DEFAULT_TYPE))
    if missing:
        printed.append(("x-amz-missing-meta", str(missing)))
    return printed


OVERRIDES = {
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
    "response-content-language": "Content-Language",
    "response-content-type": "Content-Type",
    "response-expires": "Expires",
}


_OVERRIDDEN = frozenset(OVERRIDES)


def override(printed: list[tuple[str, str]], parameters: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers with those that `response-*` parameters replace. Raises S3Error InvalidArgument."""
    if _OVERRIDDEN.isdisjoint(parameters):
        return printed
    wanted = {}
    for parameter, name in OVERRIDES.items():
        value = parameters.get(parameter)
        if value:
            wanted[name] = _allowed(parameter, value)
    if not wanted:
        return printed
    kept = [(name, value) for name, value in printed if name not in wanted]
    return kept + list(wanted.items())


SANDBOX = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
)


@lru_cache(maxsize=1024)
def is_active(content_type: str) -> bool:
    """Whether a browser would run, style or fetch something because of what is in such a document."""
    return _ACTIVE.match(content_type) is not None


def guard(printed: list[tuple[str, str]], *, navigable: bool) -> list[tuple[str, str]]:
    """Headers that keep users' bytes from acting in a browser on an origin which also serves pages.

    `navigable`: a browser could have been led here, as by a presigned URL. Then types that can act are attachments. An
    answer to a request that was signed in its header, which no link can make, tells the stored headers as they are.
    """
    guarded = [*printed, *SANDBOX]
    if not navigable:
        return guarded
    content_type = next((value for name, value in printed if name == "Content-Type"), DEFAULT_TYPE)
    if not is_active(content_type):
        return guarded
    for index, (name, value) in enumerate(guarded):
        if name == "Content-Disposition":
            kind, separator, rest = value.partition(";")
            if kind.strip().lower() != "attachment":
                guarded[index] = (name, f"attachment{separator}{rest}")
            return guarded
    guarded.append(("Content-Disposition", "attachment"))
    return guarded
