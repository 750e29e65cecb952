"""An answer whose body is a run of a stored content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aiohttp.web import BaseRequest

from gateway.blobs.port import BlobReader
from gateway.errors import StoreUnavailable
from gateway.http.reply import Reply, cut
from gateway.http.streams import SMALL, Sender
from gateway.model.contents import Segment
from gateway.services.stores import Stores


class ObjectReply(Reply):
    """Sends `length` bytes of `segments`. What fails before the head leaves is raised; after it, the line is cut."""

    __slots__ = ("_reader", "_segments", "_size", "_stores")

    def __init__(
        self,
        status: int,
        headers: Iterable[tuple[str, str]],
        *,
        stores: Stores,
        segments: Sequence[Segment],
        length: int,
    ) -> None:
        super().__init__(status, headers, length=length)
        self._stores = stores
        self._segments = segments
        self._size = length
        self._reader: BlobReader | None = None

    async def open(self, request: BaseRequest) -> BlobReader | None:
        """Open the first segment before it is sent, to see whether it can be; None where no bytes are sent.

        Raises StoreUnavailable, AdoptedChanged.
        """
        if self._segments and request._method != "HEAD":
            self._reader = await self._stores.open(self._segments[0])
        return self._reader

    async def send(self, request: BaseRequest) -> int:
        segments = self._segments
        if not segments or request._method == "HEAD":
            return await super().send(request)
        if self._reader is not None:
            return await self._stream(request, self._reader, segments)
        if self._size <= SMALL and len(segments) == 1:
            try:
                self._bytes = await self._stores.read_one(segments[0])
            except OSError as error:
                raise StoreUnavailable("The store does not answer.") from error
            return await super().send(request)
        reader = await self._stores.open(segments[0])
        return await self._stream(request, reader, segments)

    async def _stream(self, request: BaseRequest, reader: BlobReader, segments: Sequence[Segment]) -> int:
        sender = Sender(request)
        # Bytes that lose their last row meanwhile stay until the slowest reader is done with them.
        reading = self._stores.begin_read()
        try:
            self.begin(request)
            for index, segment in enumerate(segments):
                if index:
                    reader.close()
                    reader = await self._stores.open(segment)
                await sender.send(reader)
        except Exception as error:
            # The head said how much would come: only a cut line tells the client that it did not.
            self.sent = sender.sent
            raise cut(request) from error
        finally:
            reader.close()
            sender.close()
            self._stores.end_read(reading)
        self.finished(sender.sent)
        return sender.sent
