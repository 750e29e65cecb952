"""An answer of unknown length, sent piece by piece in HTTP chunks (RFC 9112, section 7.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from aiohttp.http_writer import HttpVersion11
from aiohttp.web import BaseRequest

from gateway.http.reply import Reply, cut, drain, write

_CHUNKED = ("Transfer-Encoding", "chunked")


class ChunkedReply(Reply):
    """`pieces` are asked for as fast as the client reads. What one raises cuts the line: nobody takes it for whole."""

    __slots__ = ("_pieces",)

    def __init__(self, status: int, headers: Iterable[tuple[str, str]], pieces: AsyncIterator[bytes]) -> None:
        super().__init__(status, headers)
        self._length = None
        self._pieces = pieces

    async def send(self, request: BaseRequest) -> int:
        chunked = request._message.version >= HttpVersion11
        if chunked:
            self._names.append(_CHUNKED)
        else:
            self.close = True
        self.begin(request)
        if request._method != "HEAD":
            try:
                async for piece in self._pieces:
                    if piece:
                        write(request, b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                        self.sent += len(piece)
                        await drain(request)
            except ConnectionError:
                raise
            except Exception as error:
                raise cut(request) from error
            if chunked:
                write(request, b"0\r\n\r\n")
                await drain(request)
        self.finished(self.sent)
        return self.sent
