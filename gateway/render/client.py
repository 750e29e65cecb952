"""What a worker uses to get renditions: its own small memory first, then the render broker.

    client = RenderClient(socket_path)
    rendition = await client.render(
        RenderRequest(
            key=derivative_key(content_uid, options.canonical(), variant(options, accept)),
            options=options.canonical(),
            variant=variant(options, accept),
            source=[Segment("/data/blobs/ab/cd", 0, 123456)],
        )
    )
    await client.close()

A client belongs to one event loop. It connects at the first render and again whenever the broker was restarted.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.render import wire
from gateway.render.endpoint import Endpoint
from gateway.render.errors import BrokerUnavailable
from gateway.render.rendition import Rendition
from gateway.render.request import Beyond, RenderRequest
from gateway.render.source import Reduced, SourceDescriptors
from gateway.render.task import MEDIA_TYPES

_ENTRY_OVERHEAD = 512
"""What an entry of the memory costs besides its bytes, roughly."""


class RenderClient:
    """The worker's side of the render broker, with a memory of `hot_bytes` bytes of renditions."""

    def __init__(self, socket_path: str | Path, *, hot_bytes: int = 32 << 20, connect_seconds: float = 2.0) -> None:
        self._path = str(socket_path)
        self._hot_bytes = hot_bytes
        self._connect_seconds = connect_seconds
        self._hot: OrderedDict[bytes, Rendition] = OrderedDict()
        self._hot_size = 0
        self._flights: dict[tuple[bytes, bool], asyncio.Task[Rendition]] = {}
        self._endpoint: Endpoint | None = None
        self._connecting: asyncio.Task[Endpoint] | None = None
        self._waiting: dict[int, asyncio.Queue[wire.Message | None]] = {}
        self._numbers = itertools.count(1)
        self._closed = False
        self._counts = {"hits": 0, "joined": 0, "asked": 0}

    def cached(self, key: bytes) -> Rendition | None:
        """The rendition from this worker's own memory, without waiting, or None."""
        rendition = self._hot.get(key)
        if rendition is not None:
            self._hot.move_to_end(key)
            self._counts["hits"] += 1
        return rendition

    async def render(self, request: RenderRequest) -> Rendition:
        """The rendition, from the nearest memory or rendered.

        Raises facts of `transforms.errors` (OptionError, NotAnImage, UnsupportedFormat, TooLarge, DecodeFailed) and of
        `gateway.render.errors` (RenderBusy, RenderTimeout, RenderCrashed, BrokerUnavailable), and whatever the opener
        of the source raised. Cancelling it leaves the render going for whoever else waits for it.
        """
        hot = self.cached(request.key)
        if hot is not None:
            _discard(request)
            return hot
        # Who waits does not join what is for later: the broker is told.
        flight = self._flights.get((request.key, request.later))
        if flight is None:
            self._counts["asked"] += 1
            flight = asyncio.create_task(self._fly(request))
            self._flights[request.key, request.later] = flight
            flight.add_done_callback(lambda task: self._landed(request, task))
        else:
            self._counts["joined"] += 1
            _discard(request)
            return replace(await asyncio.shield(flight), first=False)
        return await asyncio.shield(flight)

    async def stats(self) -> dict[str, Any]:
        """The broker's figures, and under "worker" this client's own. Raises BrokerUnavailable.

        `renders`, `mezzanines`, `infos`, `variant_sets`, `failures` (by kind), `hits`, `found` (beyond the node), `joined`,
        `busy`; `queue` {jobs, cost_ms, later, later_ms}; `decoders` {wanted, alive, busy, pids, started, killed}; `sandbox_missing`; `cache` {entries, bytes, limit}; `epoch`; `vips`; `problem`
        (why nothing can be rendered, or None); `worker` {hits, joined, asked, entries, bytes}.
        """
        try:
            async with self._conversation({"t": "stats"}) as conversation:
                message = await conversation.next()
        except _ConnectionLost:
            raise BrokerUnavailable("The render broker went away.") from None
        mine = {**self._counts, "entries": len(self._hot), "bytes": self._hot_size}
        return {**message.head["stats"], "worker": mine}

    async def close(self) -> None:
        """Ends the connection; renders that wait here fail with BrokerUnavailable."""
        self._closed = True
        if self._endpoint is not None:
            self._endpoint.close()
        await asyncio.gather(*self._flights.values(), return_exceptions=True)

    def forget(self) -> None:
        """Empties this worker's memory."""
        self._hot.clear()
        self._hot_size = 0

    async def _fly(self, request: RenderRequest) -> Rendition:
        source = SourceDescriptors(request.source, request.limits)
        beyond = _Beyond(request.beyond)
        rendition: Rendition | None = None
        try:
            try:
                rendition = await self._ask(request, source, beyond)
            except _ConnectionLost:
                # The broker was restarted under us; nothing it had promised is lost but time.
                rendition = await self._ask(request, source, beyond)
        except _ConnectionLost:
            raise BrokerUnavailable("The render broker went away twice.") from None
        finally:
            source.close()
            beyond.settle(rendition)
        return rendition

    async def _ask(self, request: RenderRequest, source: SourceDescriptors, beyond: _Beyond) -> Rendition:
        head = {
            "t": "get",
            "key": request.key.hex(),
            "content": request.content,
            "task": request.task.as_dict(),
            "reduced": _reduced(request.reduced),
            "looks": beyond.looks,
        }
        if request.later:
            head["later"] = True
        if request.parts:
            head["parts"] = {name: key.hex() for name, key in request.parts.items()}
        parts: dict[str, Rendition] = {}
        async with self._conversation(head) as conversation:
            while True:
                message = await conversation.next()
                asked = message.head["t"]
                if asked == "part":
                    parts[message.head["name"]] = _rendition(message)
                    continue
                if asked not in ("look", "need"):
                    break
                try:
                    if asked == "look":
                        await self._answer_look(conversation, beyond)
                    else:
                        head, fds = await source.open()
                        conversation.send({"t": "source", **head}, fds)
                except BaseException:
                    conversation.send({"t": "abandon"})
                    raise
        if message.head["t"] == "fail":
            raise wire.failure(message.head)
        rendition = _rendition(message)
        return replace(rendition, parts=parts) if parts else rendition

    async def _answer_look(self, conversation: _Conversation, beyond: _Beyond) -> None:
        found = await beyond.look()
        if found is None:
            conversation.send({"t": "none"})
            return
        head = {
            "t": "have",
            "tier": found.tier,
            "format": found.format,
            "width": found.width,
            "height": found.height,
            "ms": found.render_ms,
            "size": len(found.data),
        }
        if len(found.data) <= wire.INLINE_BYTES:
            conversation.send(head, payload=found.data)
            return
        fd, _ = wire.memfd([found.data])
        try:
            conversation.send(head, (fd,))
        finally:
            os.close(fd)

    def _landed(self, request: RenderRequest, task: asyncio.Task[Rendition]) -> None:
        key = request.key
        self._flights.pop((key, request.later), None)
        if task.cancelled() or task.exception() is not None or not request.hot:
            return
        rendition = task.result()
        size = len(rendition.data) + _ENTRY_OVERHEAD
        if size > self._hot_bytes // 4 or key in self._hot:
            return
        self._hot[key] = replace(rendition, tier="worker", first=False)
        self._hot_size += size
        while self._hot_size > self._hot_bytes:
            _, evicted = self._hot.popitem(last=False)
            self._hot_size -= len(evicted.data) + _ENTRY_OVERHEAD

    def _conversation(self, head: dict[str, Any]) -> _Conversation:
        return _Conversation(self, head)

    async def _connected(self) -> Endpoint:
        if self._endpoint is not None:
            return self._endpoint
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
        try:
            return await asyncio.shield(self._connecting)
        finally:
            if self._connecting is not None and self._connecting.done():
                self._connecting = None

    async def _connect(self) -> Endpoint:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._connect_seconds
        while True:
            if self._closed:
                raise BrokerUnavailable("The render client is closed.")
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
            sock.setblocking(False)
            try:
                with wire.address(self._path) as address:
                    sock.connect(address)
            except OSError as error:
                sock.close()
                if loop.time() >= deadline:
                    raise BrokerUnavailable(f"The render broker cannot be reached: {error.strerror}.") from None
                await asyncio.sleep(0.02)
                continue
            self._endpoint = Endpoint(sock, self._received, self._lost)
            return self._endpoint

    def _received(self, message: wire.Message) -> None:
        queue = self._waiting.get(message.head.get("id", 0))
        if queue is None:
            message.close()
        else:
            queue.put_nowait(message)

    def _lost(self) -> None:
        self._endpoint = None
        for queue in self._waiting.values():
            queue.put_nowait(None)


class _ConnectionLost(Exception):
    """The connection ended in the middle of a conversation."""


class _Conversation:
    """One request's messages: sends its head, gives the answers one by one, forgets its number at the end."""

    def __init__(self, client: RenderClient, head: dict[str, Any]) -> None:
        self._client = client
        self._id = next(client._numbers)
        self._head = head
        self._queue: asyncio.Queue[wire.Message | None] = asyncio.Queue()
        self._endpoint: Endpoint | None = None

    async def __aenter__(self) -> _Conversation:
        self._endpoint = await self._client._connected()
        self._client._waiting[self._id] = self._queue
        self.send(self._head)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client._waiting.pop(self._id, None)
        while not self._queue.empty():
            message = self._queue.get_nowait()
            if message is not None:
                message.close()

    def send(self, head: dict[str, Any], fds: Sequence[int] = (), *, payload: bytes = b"") -> None:
        if self._endpoint is not None:
            self._endpoint.send({**head, "id": self._id}, payload, fds)
            if self._endpoint.closed:
                self._queue.put_nowait(None)

    async def next(self) -> wire.Message:
        message = await self._queue.get()
        if message is None:
            raise _ConnectionLost
        return message


class _Beyond:
    """A request's further memories: told the outcome if they were asked."""

    def __init__(self, beyond: Beyond | None) -> None:
        self._beyond = beyond
        self._asked = False

    @property
    def looks(self) -> bool:
        return self._beyond is not None

    async def look(self) -> Rendition | None:
        if self._beyond is None:
            return None
        self._asked = True
        return await self._beyond.look()

    def settle(self, rendition: Rendition | None) -> None:
        if self._beyond is not None and self._asked:
            self._beyond.settled(rendition)


def _reduced(reduced: Reduced | None) -> dict[str, Any] | None:
    return None if reduced is None else {"key": reduced.key.hex(), "original": reduced.original.as_list()}


def _discard(request: RenderRequest) -> None:
    SourceDescriptors(request.source, request.limits).close()


def _rendition(message: wire.Message) -> Rendition:
    head = message.head
    try:
        data = wire.read_exactly(message.fds[0], 0, head["size"]) if message.fds else message.payload
    finally:
        message.close()
    return Rendition(
        data=data,
        media_type=MEDIA_TYPES[head["format"]],
        format=head["format"],
        width=head["width"],
        height=head["height"],
        tier=head["tier"],
        render_ms=head["ms"],
        first=head["first"],
    )
