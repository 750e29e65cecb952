"""The head of an HTTP/1.1 response, read strictly: what could be understood in two ways is refused.

Source: RFC 9112 sections 4 to 6.
"""

from __future__ import annotations

import re

from gateway.blobs.upstream.errors import BadResponse

HEAD_BYTES = 32 * 1024
"""A longer head is refused."""

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_FIELDS = re.compile(rb"(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*)*")
_CONNECTION = re.compile(rb"\r\nconnection:([^\r]*)")
_LENGTH = re.compile(r"[0-9]{1,19}", re.ASCII)


class Head:
    """A response's head. `length` is the body's in bytes, None where it is chunked."""

    __slots__ = ("_fields", "_headers", "keep_alive", "length", "status")

    def __init__(self, status: int, length: int | None, fields: bytes, *, keep_alive: bool) -> None:
        self.status = status
        self.length = length
        self.keep_alive = keep_alive
        self._fields = fields
        self._headers: dict[str, str] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case; values of a repeated field joined with a comma.

        Taken apart when first asked for: with every 4 KiB a service sends twenty, of which reading needs one.
        """
        if self._headers is None:
            headers: dict[str, str] = {}
            for line in self._fields.decode("utf-8", "surrogateescape").split("\r\n")[1:]:
                name, _, value = line.partition(":")
                name, value = name.lower(), value.strip(" \t")
                headers[name] = f"{headers[name]}, {value}" if name in headers else value
            self._headers = headers
        return self._headers

    def first(self, name: bytes) -> str | None:
        """The value of a field that should not be repeated, in lower case."""
        return _value(self._fields.lower(), name)


def parse_head(raw: bytes, method: str) -> Head:
    """Read a head, without the empty line that ends it. Raises BadResponse.

    A body that only the end of the connection would end is refused: nobody could tell it from one that was cut.
    """
    first = raw.find(b"\r\n")
    end = len(raw) if first < 0 else first
    match = _STATUS_LINE.fullmatch(raw, 0, end)
    if match is None:
        raise BadResponse("the status line is not HTTP/1.1")
    fields = raw[end:]
    if _FIELDS.fullmatch(fields) is None:
        raise BadResponse("a header field is malformed")
    status = int(match[2])
    lower = fields.lower()
    connection = b",".join(_CONNECTION.findall(lower))
    keep_alive = b"close" not in connection and (match[1] == b"1" or b"keep-alive" in connection)
    return Head(status, _body_length(status, lower, method), fields, keep_alive=keep_alive)


def _value(lower: bytes, name: bytes) -> str | None:
    start = lower.find(b"\r\n%b:" % name)
    if start < 0:
        return None
    start += len(name) + 3
    if lower.find(b"\r\n%b:" % name, start) >= 0:
        raise BadResponse(f"the field {name.decode()} is repeated")
    end = lower.find(b"\r\n", start)
    return lower[start : len(lower) if end < 0 else end].decode("utf-8", "surrogateescape").strip(" \t")


def _body_length(status: int, lower: bytes, method: str) -> int | None:
    encoding = _value(lower, b"transfer-encoding")
    text = _value(lower, b"content-length")
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
        if encoding != "chunked":
            raise BadResponse("the transfer encoding is unknown")
        return None
    if text is None:
        raise BadResponse("the answer does not say how long it is")
    return length
