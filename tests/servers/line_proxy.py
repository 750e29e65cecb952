"""A proxy for any protocol over TCP (PostgreSQL, Redis): cuts, hangs and delays, also at a given word."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from tests.servers.relay import LIMIT, Hits, Line, Relay

# CommandComplete of a COMMIT, as the server sends it.
# https://www.postgresql.org/docs/current/protocol-message-formats.html
POSTGRESQL_COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"

# No word is longer: it may lie across two reads.
_LONGEST = 256

Side = Literal["server", "client"]


@dataclass(slots=True)
class Word:
    """What happens to a connection on which these bytes are said: they, and what follows, do not arrive.

    `lose`: they arrive, with what was said in the same breath, but no answer; the line ends.
    """

    said: bytes
    by: Side
    then: Literal["cut", "hang", "lose"]
    hits: Hits = field(default_factory=Hits)

    def wait(self, seconds: float = 60) -> None:
        """Return when it has happened; raises TimeoutError."""
        self.hits.wait(seconds)


class LineProxy(Relay):
    """Passes every byte through, until told otherwise."""

    def __init__(self, port: int) -> None:
        """In front of that port of 127.0.0.1."""
        self._words: list[Word] = []
        self._delay = 0.0
        self._flow = asyncio.Event()
        self._flow.set()
        super().__init__(port)

    def when(
        self,
        said: bytes,
        *,
        by: Side = "server",
        then: Literal["cut", "hang", "lose"] = "cut",
        skip: int = 0,
        count: int | None = 1,
    ) -> Word:
        """Cut the connection, let it hang for ever, or lose the answer, when one side says these bytes; `skip` times it may."""
        assert 0 < len(said) <= _LONGEST
        word = Word(said, by, then, Hits(skip=skip, count=count))
        self._words.append(word)
        return word

    def delay(self, milliseconds: float) -> None:
        """Whatever is said from now on arrives so much later, in both directions; 0 ends it."""
        self._delay = milliseconds / 1000

    def hang(self) -> None:
        """Connections are taken and stay, but nothing passes until `flow`."""

        async def hang() -> None:
            self._flow.clear()

        self._call(hang)

    def flow(self) -> None:
        """What was held back by `hang` arrives, and all after it."""

        async def flow() -> None:
            self._flow.set()

        self._call(flow)

    def clear(self) -> None:
        """Forget all words and the delay, and flow."""
        self._words.clear()
        self._delay = 0
        self.flow()

    async def relay(self, line: Line) -> None:
        """Both directions, until one side ends."""
        directions = [
            asyncio.create_task(self._carry(line.from_client, line.to_server, "client", line)),
            asyncio.create_task(self._carry(line.from_server, line.to_client, "server", line)),
        ]
        try:
            # Its end passes on what was said before it.
            done, _ = await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in directions:
                task.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, by: Side, line: Line) -> None:
        before = b""
        while data := await reader.read(LIMIT):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._flow.wait()
            for word in self._words:
                if word.by != by or (place := _place(word, before, data)) is None:
                    continue
                if word.then == "lose":
                    writer.write(data)
                    await writer.drain()
                    return
                writer.write(data[:place])
                if word.then == "hang":
                    await asyncio.get_running_loop().create_future()
                # What was said before the word is to arrive.
                await asyncio.sleep(0.02)
                line.cut()
                return
            writer.write(data)
            await writer.drain()
            before = (before + data)[-_LONGEST:]


def _place(word: Word, before: bytes, data: bytes) -> int | None:
    """Where in `data` the first of these words begins that is not let pass; it may have begun before (0)."""
    begin = before[len(before) - len(word.said) + 1 :] if len(word.said) > 1 else b""
    text = begin + data
    place = text.find(word.said)
    while place >= 0:
        if word.hits.take():
            return max(place - len(begin), 0)
        place = text.find(word.said, place + 1)
    return None
