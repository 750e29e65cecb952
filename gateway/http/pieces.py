"""An answer whose body lies in memory, sent in pieces."""

from __future__ import annotations

from aiohttp.web import BaseRequest

from gateway.http.reply import Reply, drain, write

PIECE = 128 * 1024
"""Bytes that are handed to a connection at once."""


class PiecesReply(Reply):
    """Sends a large body in pieces that share its memory, so that a slow reader holds one picture and no copy of it."""

    async def send(self, request: BaseRequest) -> int:
        body = self.body
        if len(body) <= PIECE or request._method == "HEAD":
            return await super().send(request)
        self.begin(request)
        whole = memoryview(body)
        for start in range(0, len(body), PIECE):
            piece = whole[start : start + PIECE]
            write(request, piece)
            self.sent += len(piece)
            await drain(request)
        self.finished(len(body))
        return len(body)
