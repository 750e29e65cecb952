"""A proxy in front of an S3 store that fails as stores and networks fail, when and for which request a test says.

Requests and answers that no rule names pass unchanged to the byte, the Host header too: a signature made for the proxy's
address is valid at the store, which checks the Host that was signed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.servers.relay import LIMIT, Hits, Line, Relay


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answer with an error of S3's form; the store never hears of the request. Its body is read first, or not at all."""

    status: int = 503
    code: str = "SlowDown"
    retry_after: int | None = None
    read_body: bool = True


@dataclass(frozen=True, slots=True)
class Hang:
    """Take the head of the request, and no more: no answer ever comes."""


@dataclass(frozen=True, slots=True)
class HangInAnswer:
    """Send the answer's head and `after` bytes of its body, then nothing more; the connection stays."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class CutAnswer:
    """End the connection after `after` bytes of the answer's body, with a reset or in what looks like good order."""

    after: int = 0
    reset: bool = False


@dataclass(frozen=True, slots=True)
class LoseAnswer:
    """The store does what it was asked, and answers; the connection ends before the client sees any of it."""


@dataclass(frozen=True, slots=True)
class CutUpload:
    """Reset both connections after `after` bytes of the request's body went to the store."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class WrongLength:
    """The answer's Content-Length is so much more or less than what comes.

    After a longer one the connection ends; after a shorter one the rest follows where the next answer should begin.
    """

    by: int


@dataclass(frozen=True, slots=True)
class Delay:
    """Begin to pass the request on so much later."""

    milliseconds: float


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Change one bit of the byte at this place of the answer's body."""

    at: int = 0


Fault = Refusal | Hang | HangInAnswer | CutAnswer | LoseAnswer | CutUpload | WrongLength | Delay | Corrupt


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came: header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass(slots=True)
class Rule:
    """A fault for requests of a method ("" for any) whose target, with its query, has a place that matches."""

    fault: Fault
    method: str
    target: re.Pattern[str]
    hits: Hits = field(default_factory=Hits)

    def wait(self, seconds: float = 60, hits: int = 1) -> None:
        """Return when it has met so many requests; raises TimeoutError."""
        self.hits.wait(seconds, hits)

    def stop(self) -> None:
        """It meets no more."""
        self.hits.stop()


_INTERIM = re.compile(rb"HTTP/1\.1 1(?!01)")


class FaultProxy(Relay):
    """In front of a store on this machine; the first rule that fits a request holds for it."""

    def __init__(self, port: int) -> None:
        """In front of that port of 127.0.0.1."""
        self._rules: list[Rule] = []
        self.seen: list[Seen] = []
        super().__init__(port)

    @property
    def endpoint(self) -> str:
        """For clients of the store."""
        return f"http://127.0.0.1:{self.port}"

    def on(self, fault: Fault, method: str = "", target: str = "", *, skip: int = 0, count: int | None = 1) -> Rule:
        """Let `count` requests meet this fault (None: all), after the first `skip` that fit. `target` is a pattern."""
        rule = Rule(fault, method, re.compile(target), Hits(skip=skip, count=count))
        self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget all rules; what hangs goes on hanging (`cut` ends it)."""
        self._rules.clear()

    async def relay(self, line: Line) -> None:
        """One exchange after the other."""
        while True:
            # The store's next word is awaited while nothing is asked, too: that it has closed is passed on.
            answering = asyncio.create_task(_head(line.from_server))
            asking = asyncio.create_task(_head(line.from_client))
            try:
                await asyncio.wait({answering, asking}, return_when=asyncio.FIRST_COMPLETED)
                if not asking.done():
                    return
                request = asking.result()
                if not request or not await self._exchange(line, request, answering):
                    return
            finally:
                await _end(answering, asking)

    def _fault(self, seen: Seen) -> Fault | None:
        for rule in self._rules:
            if rule.method in {"", seen.method} and rule.target.search(seen.target) and rule.hits.take():
                return rule.fault
        return None

    async def _exchange(self, line: Line, head: bytes, answering: asyncio.Task[bytes]) -> bool:
        """Whether another exchange may follow."""
        first, headers = _parse(head)
        method, target, _ = first.split(" ", 2)
        seen = Seen(method, target, headers)
        self.seen.append(seen)
        fault = self._fault(seen)
        if isinstance(fault, Refusal):
            return await _refuse(line, headers, fault)
        if isinstance(fault, Hang):
            await _for_ever()
        if isinstance(fault, Delay):
            await asyncio.sleep(fault.milliseconds / 1000)
        line.to_server.write(head)
        upload = asyncio.create_task(_upload(line, headers, fault))
        waiting: set[asyncio.Task[Any]] = {upload, answering}
        try:
            while True:
                # A store may answer before it has read all; and it may send interim answers first.
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if upload in done:
                    waiting.discard(upload)
                    if upload.result() == "cut":
                        line.cut()
                        return False
                if answering not in done:
                    continue
                answer = answering.result()
                if not _INTERIM.match(answer):
                    break
                line.to_client.write(answer)
                waiting.discard(answering)
                answering = asyncio.create_task(_head(line.from_server))
                waiting.add(answering)
            if isinstance(fault, CutUpload):
                # The store had all that it was to get, and was faster than the cut.
                await upload
                line.cut()
                return False
            if not answer or isinstance(fault, LoseAnswer):
                return False
            whole = await _answer(line, method, answer, fault)
            return whole and await upload == "whole"
        finally:
            await _end(upload, answering)


async def _upload(line: Line, headers: dict[str, str], fault: Fault | None) -> Literal["whole", "cut", "unwanted"]:
    """Pass the request's body on: whole, to be cut now, or no more of it because the store has closed."""
    left = fault.after if isinstance(fault, CutUpload) else None
    async for piece in _body(line.from_client, headers, until_end=False):
        try:
            line.to_server.write(piece if left is None else piece[:left])
            await line.to_server.drain()
        except ConnectionError:
            # It may have answered before that.
            return "unwanted"
        if left is not None:
            left -= len(piece)
            if left <= 0:
                break
    if left is None:
        return "whole"
    # What was let through is to arrive.
    await asyncio.sleep(0.05)
    return "cut"


async def _answer(line: Line, method: str, head: bytes, fault: Fault | None) -> bool:
    """Pass the answer on; whether the connection is still good afterwards."""
    first, headers = _parse(head)
    status = int(first.split(" ")[1])
    sent = head
    if isinstance(fault, WrongLength) and "content-length" in headers:
        length = int(headers["content-length"]) + fault.by
        sent = re.sub(rb"(?i)(\r\ncontent-length: *)\d+", rb"\g<1>%d" % length, head)
    line.to_client.write(sent)
    at = 0
    without = method == "HEAD" or status in {204, 304}
    async for piece in _body(line.from_server, {} if without else headers, until_end=not without):
        end = at + len(piece)
        if isinstance(fault, Corrupt) and at <= fault.at < end:
            place = fault.at - at
            piece = piece[:place] + bytes((piece[place] ^ 1,)) + piece[place + 1 :]
        if isinstance(fault, CutAnswer | HangInAnswer) and end >= fault.after:
            line.to_client.write(piece[: fault.after - at])
            break
        line.to_client.write(piece)
        await line.to_client.drain()
        at = end
    if isinstance(fault, HangInAnswer):
        await _for_ever()
    if isinstance(fault, CutAnswer):
        if fault.reset:
            await asyncio.sleep(0.05)
            line.cut()
        return False
    if isinstance(fault, WrongLength) and fault.by > 0:
        return False
    return headers.get("connection", "").lower() != "close" and (without or _framed(headers))


async def _refuse(line: Line, headers: dict[str, str], refusal: Refusal) -> bool:
    waits = headers.get("expect", "").lower() == "100-continue"
    read = refusal.read_body and not waits
    if read:
        async for _ in _body(line.from_client, headers, until_end=False):
            pass
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{refusal.code}</Code><Message>Not now.</Message></Error>'
    )
    head = [
        f"HTTP/1.1 {refusal.status} {refusal.code}",
        "Content-Type: application/xml",
        f"Content-Length: {len(body)}",
    ]
    if refusal.retry_after is not None:
        head.append(f"Retry-After: {refusal.retry_after}")
    if not read:
        head.append("Connection: close")
    line.to_client.write("\r\n".join((*head, "", body)).encode())
    await line.to_client.drain()
    return read


async def _head(reader: asyncio.StreamReader) -> bytes:
    """The head of a message with the empty line at its end; nothing where the line ends before one."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def _parse(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    return first, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


def _framed(headers: dict[str, str]) -> bool:
    return "content-length" in headers or "transfer-encoding" in headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str], *, until_end: bool) -> AsyncIterator[bytes]:
    """The bytes of a message's body as they are on the wire (RFC 9112 section 6), frames of chunks among them."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while True:
            size = await reader.readuntil(b"\r\n")
            yield size
            length = int(size.split(b";")[0], 16)
            if length == 0:
                # Trailers, and the empty line.
                while (trailer := await reader.readuntil(b"\r\n")) != b"\r\n":
                    yield trailer
                yield trailer
                return
            async for piece in _exactly(reader, length + 2):
                yield piece
    elif "content-length" in headers:
        async for piece in _exactly(reader, int(headers["content-length"])):
            yield piece
    elif until_end:
        while piece := await reader.read(LIMIT):
            yield piece


async def _exactly(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    while length:
        piece = await reader.read(min(length, LIMIT))
        if not piece:
            raise asyncio.IncompleteReadError(b"", length)
        yield piece
        length -= len(piece)


async def _for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
