"""The head of an HTTP/1.1 response, read strictly: what could be understood in two ways is refused.

Source: RFC 9112 sections 4 to 6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.blobs.upstream.errors import BadResponse

HEAD_BYTES = 32 * 1024
"""A longer head is refused."""

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_FIELDS = re.compile(rb"(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*)*")
_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Head:
    """A response's head. Names in lower case; values of a repeated field joined with a comma.

    `length` is the body's in bytes, None where it is chunked.
    """

    status: int
    headers: dict[str, str]
    length: int | None
    keep_alive: bool


def parse_head(raw: bytes, method: str) -> Head:
    """Read a head, without the empty line that ends it. Raises BadResponse.

    A body that only the end of the connection would end is refused: nobody could tell it from one that was cut.
    """
    first = raw.find(b"\r\n")
    end = len(raw) if first < 0 else first
    match = _STATUS_LINE.fullmatch(raw, 0, end)
    if match is None:
        raise BadResponse("the status line is not HTTP/1.1")
    if _FIELDS.fullmatch(raw, end) is None:
        raise BadResponse("a header field is malformed")
    status = int(match[2])
    headers: dict[str, str] = {}
    # Checked as a whole, taken apart as text: a service sends twenty fields with every 4 KiB.
    for line in raw[end:].decode("utf-8", "surrogateescape").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    connection = headers.get("connection", "").lower()
    keep_alive = "close" not in connection and (match[1] == b"1" or "keep-alive" in connection)
    return Head(status, headers, _body_length(status, headers, method), keep_alive)


def _body_length(status: int, headers: dict[str, str], method: str) -> int | None:
    encoding = headers.get("transfer-encoding")
    text = headers.get("content-length")
    if encoding is not None and text is not None:
        raise BadResponse("the answer has both a length and a transfer encoding")
    length = 0
    if text is not None:
        if _LENGTH.fullmatch(text) is None:
            raise BadResponse("the length is not a number")
        length = int(text)
    if method == "HEAD" or status < 200 or status in (204, 304):
        return 0
    if encoding is not None:
        if encoding.lower() != "chunked":
            raise BadResponse("the transfer encoding is unknown")
        return None
    if text is None:
        raise BadResponse("the answer does not say how long it is")
    return length
