"""Clients that say nothing, stop in the middle, or go away: they harm nobody and leave nothing."""

from __future__ import annotations

import json
import resource
import socket
import statistics
import time
from collections.abc import Iterator

import pytest

from conformance.probe import Probe
from conformance.sigv4 import UNSIGNED
from tests.functional.conftest import StartServer
from tests.services import Server, pixgate

_STALLED = 2000


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < _STALLED + 500:
        pytest.skip(f"the hard limit of open files is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, _STALLED + 500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _stalled(server: Server, bucket: str) -> list[socket.socket]:
    """A third says nothing, a third stops in its header, a third in a body of which most is missing."""
    probe, target = Probe(server.target()), server.target()
    sockets = []
    for number in range(_STALLED):
        connection = socket.create_connection((target.host, target.port), timeout=60)
        sockets.append(connection)
        if number % 3 == 1:
            connection.sendall(b"GET /bucket/key HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        elif number % 3 == 2:
            path = probe.path(bucket, f"stalled-{number}")
            headers = [*probe.signed_headers("PUT", path, payload=UNSIGNED), ("Content-Length", "100000")]
            lines = [f"PUT {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", "begun"]
            connection.sendall("\r\n".join(lines).encode())
    return sockets


def _times(server: Server, bucket: str, rounds: int) -> list[float]:
    """Seconds that a PUT and a GET of 4 KiB take, over and over."""
    client, body, seconds = server.client(), b"x" * 4096, []
    for number in range(rounds):
        began = time.perf_counter()
        client.put_object(Bucket=bucket, Key=f"key-{number % 10}", Body=body)
        assert client.get_object(Bucket=bucket, Key=f"key-{number % 10}")["Body"].read() == body
        seconds.append(time.perf_counter() - began)
    return seconds


def test_two_thousand_stalled_sockets(start_server: StartServer, many_descriptors: None) -> None:
    server = start_server()
    bucket = "beside"
    server.client().create_bucket(Bucket=bucket)
    before = statistics.median(_times(server, bucket, 50))
    sockets = _stalled(server, bucket)
    try:
        during = _times(server, bucket, 100)
        assert statistics.median(during) < 10 * before + 0.05
        assert max(during) < 8, "until those that send no header are gone"
        # Headers have ten seconds: after that those who sent none are gone, without an answer being owed to them.
        for connection in (sockets[0], sockets[1]):
            connection.settimeout(60)
            while connection.recv(4096):
                pass
    finally:
        for connection in sockets:
            connection.close()
    assert statistics.median(_times(server, bucket, 50)) < 10 * before + 0.05
    keys = [entry["Key"] for entry in server.client().list_objects_v2(Bucket=bucket)["Contents"]]
    assert not [key for key in keys if key.startswith("stalled")]
    assert server.fetch("/readyz")[0] == 200


def test_unfinished_bodies_leave_nothing(start_server: StartServer) -> None:
    server = start_server()
    probe = Probe(server.target())
    bucket = probe.bucket()
    upload = probe.s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    for number in range(20):
        query = [("partNumber", str(number + 1)), ("uploadId", upload)] if number % 2 else []
        path = probe.path(bucket, "parts" if query else f"key-{number}")
        headers = probe.signed_headers("PUT", path, query, payload=UNSIGNED)
        target = path + (f"?partNumber={number + 1}&uploadId={upload}" if query else "")
        with probe.open() as connection:
            connection.head("PUT", target, [*headers, ("Content-Length", "500000")])
            connection.body(b"x" * (number * 20_000))
    deadline = time.monotonic() + 60
    while server.metric("pixgate_in_flight") > 1:
        assert time.monotonic() < deadline, "requests of clients that left are still in flight"
        time.sleep(0.05)
    assert probe.keys(bucket) == []
    assert "Parts" not in probe.s3.list_parts(Bucket=bucket, Key="parts", UploadId=upload)
    probe.clean()
    report = json.loads(pixgate("fsck", "--json", data=server.data).stdout)
    assert report["clean"]
    assert report["problems"] == []


def test_a_slow_body_is_waited_for(http_server: Server) -> None:
    """A body that trickles is a slow line, not an error."""
    probe = Probe(http_server.target())
    bucket = probe.bucket()
    body = bytes(range(256)) * 20
    path = probe.path(bucket, "slow")
    headers = probe.signed_headers("PUT", path, payload=UNSIGNED)
    with probe.open() as connection:
        connection.head("PUT", path, [*headers, ("Content-Length", str(len(body)))])
        for start in range(0, len(body), 512):
            connection.body(body[start : start + 512])
            time.sleep(0.2)
        connection.answer().succeeded()
    assert probe.body(bucket, "slow") == body
    probe.clean()


def test_a_reader_that_leaves(http_server: Server) -> None:
    """Clients that leave in the middle of a download cost nothing afterwards."""
    probe = Probe(http_server.target())
    bucket = probe.bucket()
    body = bytes(20 * 1024 * 1024)
    probe.put(bucket, "big", body)
    path = probe.path(bucket, "big")
    for _ in range(20):
        with probe.open() as connection:
            connection.head("GET", path, probe.signed_headers("GET", path))
            connection.socket.recv(1000)
    assert probe.body(bucket, "big") == body
    deadline = time.monotonic() + 60
    while http_server.metric("pixgate_in_flight") > 1:
        assert time.monotonic() < deadline, "downloads of clients that left are still in flight"
        time.sleep(0.05)
    probe.clean()
