"""Looking beyond the node: for a rendition that others may have."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.render.errors import BrokerUnavailable, SourceUnreadable
from gateway.render.rendition import Rendition
from gateway.render.request import RenderRequest
from gateway.render.source import Segment, memory_segment
from tests.functional.render_broker.node import Node, request
from transforms.errors import NotAnImage


class Shelf:
    """A memory beyond the node: what `look` gives, or raises, after a gate opens; and what it was told in the end."""

    def __init__(self, found: Rendition | Exception | None = None) -> None:
        self.found = found
        self.gate = asyncio.Event()
        self.gate.set()
        self.looks = 0
        self.outcomes: list[Rendition | None] = []

    async def look(self) -> Rendition | None:
        self.looks += 1
        await self.gate.wait()
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def settled(self, rendition: Rendition | None) -> None:
        self.outcomes.append(rendition)


def beyond(photo_file: Path, shelf: Shelf, options: str = "w:99", *, source: Path | None = None) -> RenderRequest:
    plain = request(photo_file, options)
    segments = plain.source if source is None else [Segment(source, 0, 10)]
    return RenderRequest(plain.key, plain.options, "", segments, beyond=shelf)


FOUND = Rendition(b"found elsewhere", "image/webp", "webp", 30, 20, "store", 7.5)


async def test_what_is_found_beyond_is_looked_for_once_and_opens_no_source(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    clients, shelf = [node.client() for _ in range(3)], Shelf(FOUND)
    nowhere = photo_file.with_name("is not there")
    answers = await asyncio.gather(
        *(clients[n % 3].render(beyond(photo_file, shelf, source=nowhere)) for n in range(60))
    )
    # Who connects late finds it in the broker.
    assert {answer.tier for answer in answers} <= {"store", "broker"}
    assert {answer.data for answer in answers} == {FOUND.data}
    assert shelf.looks == 1
    assert shelf.outcomes == [FOUND]
    assert (await clients[0].render(beyond(photo_file, shelf))).tier == "worker"
    clients[0].forget()
    assert (await clients[0].render(beyond(photo_file, shelf))).tier == "broker"
    stats = await clients[0].stats()
    assert (stats["found"], stats["renders"], shelf.looks) == (1, 0, 1)


async def test_what_is_not_found_is_rendered_and_told(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    shelf = Shelf(None)
    made = await node.client().render(beyond(photo_file, shelf))
    assert made.tier is None
    assert shelf.outcomes == [made]
    failing = Shelf(None)
    with pytest.raises(NotAnImage):
        await node.client().render(
            RenderRequest(b"4" * 32, "w:99", "", [memory_segment([b"no image at all"])], beyond=failing)
        )
    assert failing.outcomes == [None]


async def test_a_look_that_fails_is_its_own_request_s_trouble(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    bad, good = Shelf(ConnectionResetError("no")), Shelf(FOUND)
    bad.gate.clear()
    first = asyncio.create_task(node.client().render(beyond(photo_file, bad)))
    while not bad.looks:
        await asyncio.sleep(0.01)
    second = asyncio.create_task(node.client().render(beyond(photo_file, good)))
    await asyncio.sleep(0.1)
    assert good.looks == 0
    bad.gate.set()
    with pytest.raises(ConnectionResetError):
        await first
    assert await second == FOUND
    assert (bad.outcomes, good.outcomes) == ([None], [FOUND])


async def test_a_worker_that_dies_while_it_looks_is_followed_by_another(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    stuck, good = Shelf(None), Shelf(FOUND)
    stuck.gate.clear()
    dying = node.client()
    first = asyncio.create_task(dying.render(beyond(photo_file, stuck)))
    while not stuck.looks:
        await asyncio.sleep(0.01)
    second = asyncio.create_task(node.client().render(beyond(photo_file, good)))
    await asyncio.sleep(0.1)
    assert dying._endpoint is not None
    dying._closed = True
    dying._endpoint.close()
    assert await second == FOUND
    stuck.gate.set()
    with pytest.raises(BrokerUnavailable):
        await first


async def test_a_look_that_takes_too_long_is_given_up(node: Node, photo_file: Path) -> None:
    node.start(decoders=1, source_seconds=1.5)
    stuck, good = Shelf(None), Shelf(None)
    stuck.gate.clear()
    first = asyncio.create_task(node.client().render(beyond(photo_file, stuck)))
    while not stuck.looks:
        await asyncio.sleep(0.01)
    second = await node.client().render(beyond(photo_file, good))
    assert (second.tier, second.width) == (None, 99)
    stuck.gate.set()
    with pytest.raises(SourceUnreadable):
        await first
    assert stuck.outcomes == [None]


async def test_garbage_instead_of_a_rendition_costs_that_worker_alone(node: Node, photo_file: Path) -> None:
    node.start(decoders=1)
    broken = Shelf(Rendition(b"x", "image/x", "no such format", 0, 0, "redis", 1.0))
    outcomes = await asyncio.gather(
        node.client().render(beyond(photo_file, broken)),
        node.client().render(request(photo_file)),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], BrokerUnavailable | Rendition)
    assert isinstance(outcomes[1], Rendition)
    assert outcomes[1].width == 99
