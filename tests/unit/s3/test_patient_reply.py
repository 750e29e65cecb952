"""Answers that begin before their work is done."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp.http_writer import HttpVersion10, HttpVersion11

from gateway.errors import PreconditionFailed
from gateway.http.reply import Reply
from gateway.s3 import patient_reply
from gateway.s3.error_document import error_document
from gateway.s3.errors import S3Error
from gateway.s3.patient_reply import PatientReply, patiently
from gateway.s3.render import xml_reply
from gateway.s3.xml import DECLARATION, parse
from gateway.telemetry.request import RequestRecord


class Thing:
    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)


class Transport:
    def __init__(self) -> None:
        self.out = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.out += data

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def call(version: Any = HttpVersion11) -> Any:
    def document(error: S3Error) -> bytes:
        return error_document(error, bucket="b", resource="/b/k", request_id="ID", host_id="")

    request = Thing(
        _method="POST",
        _message=Thing(should_close=False, version=version),
        _protocol=Thing(transport=Transport(), _paused=False, _force_close=False),
        _payload_writer=Thing(output_size=0),
    )
    return Thing(request=request, record=RequestRecord(), error_document=document)


async def finished(outcome: Reply | Exception, seconds: float = 0) -> Reply:
    await asyncio.sleep(seconds)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def finished_late(subject: Any, outcome: Reply | Exception) -> Reply:
    """Not before the head, and white space twice, are out: whatever the machine does meanwhile."""
    async with asyncio.timeout(60):
        while subject.request._protocol.transport.out.count(b" \r\n") < 2:
            await asyncio.sleep(0.01)
    return await finished(outcome)


DONE = f"{DECLARATION}<Done><A>1</A></Done>".encode()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient_reply, "PATIENCE", 0.02)


def body_of(wire: bytes) -> tuple[bytes, bytes]:
    """Head and the body out of its HTTP chunks."""
    head, _, rest = wire.partition(b"\r\n\r\n")
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            assert rest == b"\r\n"
            return head, body
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]


async def test_work_that_is_soon_done_is_answered_as_it_is() -> None:
    reply = xml_reply(DONE)
    assert await patiently(call(), finished(reply)) is reply


async def test_work_that_soon_fails_keeps_its_status() -> None:
    with pytest.raises(PreconditionFailed):
        await patiently(call(), finished(PreconditionFailed("If-Match")))


@pytest.mark.usefixtures("impatient")
async def test_white_space_keeps_the_line_open() -> None:
    subject = call()
    reply = await patiently(subject, finished_late(subject, xml_reply(DONE)))
    assert isinstance(reply, PatientReply)
    sent = await reply.send(subject.request)
    head, body = body_of(subject.request._protocol.transport.out)
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    assert len(body) == sent == reply.sent
    assert body.startswith(DECLARATION.encode() + b"  ")
    assert parse(body, "Done").require("A") == "1"


@pytest.mark.usefixtures("impatient")
async def test_a_failure_stands_in_the_body_once_the_head_is_out() -> None:
    subject = call()
    reply = await patiently(subject, finished_late(subject, PreconditionFailed("If-Match")))
    await reply.send(subject.request)
    _, body = body_of(subject.request._protocol.transport.out)
    assert parse(body, "Error").require("Code") == "PreconditionFailed"
    assert subject.record.error_code == "PreconditionFailed"


@pytest.mark.usefixtures("impatient")
async def test_what_nobody_foresaw_cuts_the_line() -> None:
    subject = call()
    reply = await patiently(subject, finished_late(subject, ValueError("inside")))
    with pytest.raises(ConnectionError):
        await reply.send(subject.request)
    transport = subject.request._protocol.transport
    assert transport.aborted
    assert not transport.out.endswith(b"0\r\n\r\n")
    assert b"inside" not in transport.out


@pytest.mark.usefixtures("impatient")
async def test_http_1_0_waits_since_it_has_no_chunks() -> None:
    reply = xml_reply(DONE)
    assert await patiently(call(HttpVersion10), finished(reply, 0.3)) is reply


@pytest.mark.usefixtures("impatient")
async def test_the_work_goes_on_where_the_client_leaves() -> None:
    ended = asyncio.Event()

    async def work() -> Reply:
        await asyncio.sleep(0.05)
        ended.set()
        return xml_reply(DONE)

    waiting = asyncio.ensure_future(patiently(call(), work()))
    await asyncio.sleep(0.005)
    waiting.cancel()
    async with asyncio.timeout(60):
        await ended.wait()
