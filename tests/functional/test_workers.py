"""Several workers are one server: what is done through one is so for the next request on any other."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest
from botocore.exceptions import HTTPClientError

from conformance.probe import Probe
from conformance.sigv4 import UNSIGNED
from conformance.wire import Answer, Connection
from tests.functional.conftest import StartServer
from tests.services import Server, pixgate

_CONNECTIONS = 8


class Line:
    """A connection that stays with the worker that took it."""

    def __init__(self, probe: Probe, connection: Connection) -> None:
        self.probe = probe
        self.connection = connection

    def send(self, method: str, bucket: str, key: str = "", body: bytes = b"") -> Answer:
        path = self.probe.path(bucket, key)
        headers = self.probe.signed_headers(method, path, payload=UNSIGNED)
        length = [("Content-Length", str(len(body)))] if method == "PUT" else []
        self.connection.head(method, path, [*headers, *length])
        self.connection.body(body)
        return self.connection.answer()


@contextmanager
def _lines(probe: Probe) -> Iterator[list[Line]]:
    with ExitStack() as stack:
        yield [Line(probe, stack.enter_context(probe.open())) for _ in range(_CONNECTIONS)]


def _serving(server: Server) -> int:
    """How many processes hold established connections of our port."""
    port = server.target().port
    holders = 0
    for process in psutil.Process(server.pid).children(recursive=True):
        try:
            connections = process.net_connections(kind="tcp")
        except psutil.Error:
            continue
        holders += any(c.laddr.port == port and c.status == psutil.CONN_ESTABLISHED for c in connections)
    return holders


@pytest.fixture
def own(start_server: StartServer) -> Server:
    return start_server(workers=2)


def test_written_through_one_and_seen_through_all(own: Server) -> None:
    probe = Probe(own.target())
    bucket = probe.bucket()
    with _lines(probe) as lines, ExitStack() as more:
        for line in lines:
            line.send("GET", bucket)
        # Who has more leaves the next one to the other, for two milliseconds: more than that may pass on a busy machine.
        while _serving(own) < 2:
            assert len(lines) < 8 * _CONNECTIONS, "the connections are not spread over the workers"
            lines.append(Line(probe, more.enter_context(probe.open())))
            lines[-1].send("GET", bucket)
        for writer, line in enumerate(lines):
            line.send("PUT", bucket, "key", b"%d" % writer).succeeded()
            for reader in lines:
                assert reader.send("GET", bucket, "key").succeeded().body == b"%d" % writer
            line.send("DELETE", bucket, "key").succeeded(204)
            for reader in lines:
                reader.send("GET", bucket, "key").refused(404, "NoSuchKey")
    probe.clean()


def test_buckets_made_and_deleted_through_one(own: Server) -> None:
    probe = Probe(own.target())
    with _lines(probe) as lines:
        for line in lines:
            name = probe.name()
            for other in lines:
                other.send("HEAD", name).succeeded(404)
            line.send("PUT", name).succeeded()
            for other in lines:
                other.send("HEAD", name).succeeded()
            line.send("DELETE", name).succeeded(204)
            for other in lines:
                other.send("HEAD", name).succeeded(404)


def test_a_key_disabled_by_the_command_line(own: Server) -> None:
    keys = own.new_keys("someone")
    own.client(keys).create_bucket(Bucket="of-someone")
    probe = Probe(own.target(keys))
    with _lines(probe) as lines:
        for line in lines:
            line.send("PUT", "of-someone", "key", b"x").succeeded()
        pixgate("keys", "disable", keys.access_key, data=own.data)
        for line in lines:
            answer = line.send("GET", "of-someone", "key")
            assert (answer.status, answer.code) == (403, "InvalidAccessKeyId")
        pixgate("keys", "enable", keys.access_key, data=own.data)
        for line in lines:
            line.send("GET", "of-someone", "key").succeeded()


def test_an_account_disabled_by_the_command_line(own: Server) -> None:
    keys = own.new_keys("someone")
    probe = Probe(own.target(keys))
    with _lines(probe) as lines:
        for line in lines:
            line.send("GET", "").succeeded()
        pixgate("accounts", "disable", "someone", data=own.data)
        for line in lines:
            assert line.send("GET", "").status == 403


def test_a_key_made_by_the_command_line(own: Server) -> None:
    """A new key works at once on every worker, also where it was refused before."""
    for _ in range(3):
        keys = own.new_keys("newcomer")
        probe = Probe(own.target(keys))
        with _lines(probe) as lines:
            for line in lines:
                line.send("GET", "").succeeded()


def _workers(server: Server) -> list[psutil.Process]:
    supervisor = psutil.Process(server.pid)
    found = []
    for child in supervisor.children():
        with suppress(psutil.Error):  # It may end while it is asked.
            if child.status() != psutil.STATUS_ZOMBIE and child.cmdline() == supervisor.cmdline():
                found.append(child)
    return found


def test_a_worker_that_dies_is_replaced(own: Server) -> None:
    own.client().create_bucket(Bucket="bucket")
    own.client().put_object(Bucket="bucket", Key="key", Body=b"kept")
    workers = _workers(own)
    assert len(workers) == 2
    workers[0].kill()
    until = time.monotonic() + 60
    served = 0
    while served < 20:
        assert time.monotonic() < until, "the other worker does not answer"
        try:
            assert own.client().get_object(Bucket="bucket", Key="key")["Body"].read() == b"kept"
        except (HTTPClientError, http.client.HTTPException):
            continue
        served += 1
    while len(_workers(own)) < 2:
        assert time.monotonic() < until, "the worker was not replaced"
        time.sleep(0.05)
