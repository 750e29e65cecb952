"""`multipart/form-data` as it comes (RFC 7578, RFC 2046 section 5.1): part by part, nothing held but what is not yet read.

The search for the boundary is `bytes.find`: docs/adr/0051 has what that costs beside other parsers.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from gateway.errors import Invalid

MAX_BOUNDARY = 200
"""Bytes; RFC 2046 allows 70, which not everybody keeps to."""
MAX_HEADER_BYTES = 16 * 1024
"""Of all headers of a part."""
MAX_PARTS = 1_000
MAX_AROUND = 64 * 1024
"""Bytes before the first boundary and behind the last, which mean nothing."""
MAX_NAME = 256
"""Characters of a field's name."""

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER = re.compile(rf';[ \t]*({_WORD}\*?)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})


class MalformedForm(Invalid):
    """What was sent is no form."""


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names. Raises MalformedForm where it is not `multipart/form-data`."""
    kind, _, rest = content_type.partition(";")
    if kind.strip().lower() != "multipart/form-data":
        raise MalformedForm("The request must be a form: multipart/form-data.")
    boundary = _parameters(";" + rest).get("boundary", "").encode("utf-8", "surrogateescape")
    if not 0 < len(boundary) <= MAX_BOUNDARY or any(byte < 32 for byte in boundary):
        raise MalformedForm("The form's boundary is missing or malformed.")
    return boundary


def _parameters(text: str) -> dict[str, str]:
    """The parameters behind a header's value, by name in lower case; the first of several of one name."""
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(text):
        name, quoted, plain = match.groups()
        # A backslash escapes quotes and itself only: some send paths of Windows as they are.
        value = _ESCAPED.sub(r"\1", quoted) if quoted is not None else plain.strip()
        found.setdefault(name.lower(), value)
    return found


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a part says of itself. `filename` is None for what is no file; as sent, so to be sanitised."""

    name: str
    filename: str | None
    content_type: str | None


def parse_part_head(block: bytes) -> PartHead:
    """The headers of a part, without the empty line behind them. Raises MalformedForm."""
    text = block.decode("utf-8", "replace")
    values: dict[str, str] = {}
    for line in text.split("\r\n"):
        name, colon, value = line.partition(":")
        if not line:
            continue
        if not colon or not name.strip():
            raise MalformedForm("A part of the form has a malformed header.")
        if name.lower() in values:
            raise MalformedForm("A part of the form has a header twice.")
        values[name.lower()] = value.strip()
    disposition = values.get("content-disposition", "")
    kind, _, rest = disposition.partition(";")
    parameters = _parameters(";" + rest)
    field = parameters.get("name")
    if kind.strip().lower() != "form-data" or field is None:
        raise MalformedForm("A part of the form has no name.")
    if len(field) > MAX_NAME:
        raise MalformedForm("A field of the form has too long a name.")
    if values.get("content-transfer-encoding", "").lower() not in _PLAIN_ENCODINGS:
        # RFC 7578, section 4.7: nobody sends it any more.
        raise MalformedForm("A part of the form has a Content-Transfer-Encoding, which is not taken.")
    return PartHead(_unescaped(field), _filename(parameters), values.get("content-type"))


def _unescaped(text: str) -> str:
    """What browsers make of quotes and line ends in names (HTML, multipart/form-data encoding algorithm), undone."""
    return text.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _filename(parameters: dict[str, str]) -> str | None:
    """`filename*` (RFC 5987: UTF-8 or ISO-8859-1) before `filename`."""
    extended = parameters.get("filename*")
    if extended is not None:
        charset, _, rest = extended.partition("'")
        _, quote, encoded = rest.partition("'")
        if quote and charset.lower() in ("utf-8", "iso-8859-1"):
            return unquote_to_bytes(encoded).decode(charset.lower(), "replace")
    plain = parameters.get("filename")
    return None if plain is None else _unescaped(plain)


class FormReader:
    """The parts of a form, in order. `read` gives the next bytes of the body, empty at the end.

    Whatever `read` raises comes through. Every method raises MalformedForm.
    """

    __slots__ = ("_delimiter", "_ended", "_in_part", "_parts", "_read", "_rest")

    def __init__(self, read: Callable[[], Awaitable[bytes]], boundary: bytes) -> None:
        self._read = read
        self._delimiter = b"\r\n--" + boundary
        # The first boundary may stand at the very beginning, without the line end that belongs to the others.
        self._rest = b"\r\n"
        self._in_part = False
        self._ended = False
        self._parts = 0

    async def next(self) -> PartHead | None:
        """The next part, what is left of the one before thrown away; None behind the last."""
        if self._ended:
            return None
        if not self._parts:
            # What stands before the first boundary.
            around = 0
            self._in_part = True
            while piece := await self.read():
                around += len(piece)
                if around > MAX_AROUND:
                    raise MalformedForm("The form does not begin with its boundary.")
        while self._in_part:
            await self.read()
        self._ended = await self._behind_boundary()
        if self._ended:
            return None
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise MalformedForm(f"The form has more than {MAX_PARTS} parts.")
        head = parse_part_head(await self._headers())
        self._in_part = True
        return head

    async def read(self) -> bytes | memoryview:
        """The next bytes of the part, of any number; empty at its end."""
        delimiter = self._delimiter
        while self._in_part:
            data = self._rest
            at = data.find(delimiter)
            if at >= 0:
                self._in_part = False
                self._rest = data[at + len(delimiter) :]
                return memoryview(data)[:at]
            safe = _before_partial(data, delimiter)
            if safe:
                self._rest = data[safe:]
                return data if safe == len(data) else memoryview(data)[:safe]
            more = await self._more()
            self._rest = data + more if data else more
        return b""

    async def text(self, limit: int) -> str:
        """The rest of the part as text. Raises MalformedForm where it has more than `limit` bytes or is not UTF-8."""
        pieces: list[bytes | memoryview] = []
        size = 0
        while piece := await self.read():
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise MalformedForm(f"A field of the form has more than {limit} bytes.")
        try:
            return b"".join(pieces).decode()
        except UnicodeDecodeError:
            raise MalformedForm("A field of the form is not UTF-8.") from None

    async def finish(self) -> None:
        """Read what stands behind the last boundary, which means nothing, so that the body ends."""
        around = 0
        piece, self._rest = self._rest, b""
        while True:
            around += len(piece)
            if around > MAX_AROUND:
                raise MalformedForm("The form goes on behind its end.")
            piece = await self._read()
            if not piece:
                return

    async def _more(self) -> bytes:
        data = await self._read()
        if not data:
            raise MalformedForm("The form ends before its last boundary.")
        return data

    async def _behind_boundary(self) -> bool:
        """Take what ends a boundary: the line end, or the two hyphens that end the form; whether it was these."""
        data = self._rest
        while True:
            if data.startswith(b"--"):
                self._rest = data[2:]
                return True
            at = data.find(b"\r\n")
            behind = data[:at].strip(b" \t") if at >= 0 else data.strip(b" \t\r").removeprefix(b"-")
            if behind or (at < 0 and len(data) > MAX_BOUNDARY):
                raise MalformedForm("A boundary of the form has something behind it.")
            if at >= 0:
                # The line end stays: a part without headers begins with an empty line.
                self._rest = data[at:]
                return False
            data += await self._more()

    async def _headers(self) -> bytes:
        """The headers of a part, from the line end before them to the empty line behind them."""
        data = self._rest
        searched = 0
        while True:
            at = data.find(b"\r\n\r\n", searched)
            if max(at, searched) > MAX_HEADER_BYTES:
                raise MalformedForm("A part of the form has too long headers.")
            if at >= 0:
                self._rest = data[at + 4 :]
                return data[2:at]
            searched = max(0, len(data) - 3)
            data += await self._more()


def _before_partial(data: bytes, delimiter: bytes) -> int:
    """How many bytes of `data` cannot belong to a delimiter that goes on behind its end."""
    at = data.find(b"\r", max(0, len(data) - len(delimiter) + 1))
    while at >= 0:
        if delimiter.startswith(data[at:]):
            return at
        at = data.find(b"\r", at + 1)
    return len(data)
