"""The chunked transfer coding, taken off piece by piece. Source: RFC 9112 section 7.1."""

from __future__ import annotations

import re

from gateway.blobs.upstream.errors import BadResponse

LINE_BYTES = 1024
"""A longer chunk header, or trailer field, is refused."""
TRAILERS = 64

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")

_HEADER, _DATA, _DATA_END, _TRAILER = range(4)


class ChunkedDecoder:
    """Feed it what arrives; `done` says that the last chunk and the trailers were there. Trailers are dropped."""

    __slots__ = ("_held", "_left", "_state", "_trailers", "done")

    def __init__(self) -> None:
        self.done = False
        self._held = b""
        self._left = 0
        self._state = _HEADER
        self._trailers = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The payload in `data`. Raises BadResponse, also for bytes behind the end."""
        if self._held:
            data = self._held + data
            self._held = b""
        pieces: list[bytes] = []
        position = 0
        while position < len(data):
            if self.done:
                raise BadResponse("bytes follow the end of the answer")
            if self._state == _DATA:
                piece = data[position : position + self._left]
                pieces.append(piece)
                position += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._state = _DATA_END
                continue
            end = data.find(b"\r\n", position, position + LINE_BYTES)
            if end < 0:
                if len(data) - position >= LINE_BYTES:
                    raise BadResponse("a chunk's header is too long")
                self._held = data[position:]
                break
            self._line(data[position:end])
            position = end + 2
        return pieces

    def _line(self, line: bytes) -> None:
        if self._state == _HEADER:
            match = _SIZE.fullmatch(line)
            if match is None:
                raise BadResponse("a chunk's header is malformed")
            self._left = int(match[1], 16)
            self._state = _DATA if self._left else _TRAILER
        elif self._state == _DATA_END:
            if line:
                raise BadResponse("a chunk is longer than it says")
            self._state = _HEADER
        elif not line:
            self.done = True
        else:
            self._trailers += 1
            if self._trailers > TRAILERS or b":" not in line:
                raise BadResponse("the trailer is malformed")
