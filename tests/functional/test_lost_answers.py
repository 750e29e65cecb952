"""The line is cut after the last byte of a request, before its answer: the outcome is unknown to the client, never half."""

from __future__ import annotations

import random
import socket
import struct
import time
from pathlib import Path

import pytest

from conformance.probe import Probe, etag, etag_of_parts
from conformance.sigv4 import UNSIGNED, Pairs, query_string
from tests.functional.conftest import StartServer
from tests.services import Server


def _send_and_cut(probe: Probe, method: str, path: str, query: Pairs, body: bytes, *, reset: bool) -> None:
    """Write a whole request and leave at once: in order, or with a reset that throws away what was not read."""
    headers = probe.signed_headers(method, path, query, payload=UNSIGNED)
    with probe.open() as connection:
        target = f"{path}?{query_string(query)}" if query else path
        connection.head(method, target, [*headers, ("Content-Length", str(len(body)))])
        connection.body(body)
        if reset:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _settled(server: Server) -> None:
    """Wait until no request is in flight but this one."""
    deadline = time.monotonic() + 60
    while server.metric("pixgate_in_flight") > 1:
        assert time.monotonic() < deadline, "requests of clients that left are still in flight"
        time.sleep(0.02)


def _rounds(server: Server, rounds: int) -> None:
    probe, dice = Probe(server.target()), random.Random(rounds)
    bucket = probe.bucket(versioning="Enabled")
    for number in range(rounds):
        key, body = f"put-{number}", dice.randbytes(dice.choice([0, 10, 4096, 300_000]))
        _send_and_cut(probe, "PUT", probe.path(bucket, key), [], body, reset=bool(number % 2))

        parts = [dice.randbytes(1000)]
        joined = f"multipart-{number}"
        upload = probe.s3.create_multipart_upload(Bucket=bucket, Key=joined)["UploadId"]
        part = probe.part(bucket, joined, upload, 1, parts[0])
        document = (
            f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part['ETag']}</ETag></Part>"
            "</CompleteMultipartUpload>"
        ).encode()
        query = [("uploadId", upload)]
        _send_and_cut(probe, "POST", probe.path(bucket, joined), query, document, reset=bool(number % 3))
        _settled(server)

        # The client tries again, as SDKs do: the outcome is the same, and the key is whole at every moment.
        seen = {entry["Key"]: entry for entry in probe.s3.list_objects_v2(Bucket=bucket).get("Contents", [])}
        if key in seen:
            assert probe.body(bucket, key) == body
            assert seen[key]["ETag"] == etag(body)
        assert probe.put(bucket, key, body)["ETag"] == etag(body)
        again = probe.send("POST", bucket, joined, query=query, body=document).succeeded()
        assert again.text("ETag") == etag_of_parts(parts)
        assert probe.body(bucket, joined) == parts[0]
        versions = probe.s3.list_object_versions(Bucket=bucket, Prefix=joined)["Versions"]
        assert len(versions) == 1, "completing again made a second version"
    probe.clean()
    server.fsck()


def test_ten_rounds(start_server: StartServer) -> None:
    _rounds(start_server(), 10)


@pytest.mark.long
def test_a_hundred_rounds(start_server: StartServer) -> None:
    _rounds(start_server(), 100)


def test_kill_between_commit_and_answer(tmp_path: Path) -> None:
    """The server dies when the client has sent everything: after the restart the key is whole or absent."""
    server, dice = Server(tmp_path / "data"), random.Random(5)
    server.start()
    try:
        server.client().create_bucket(Bucket="bucket")
        for number in range(3):
            probe = Probe(server.target())
            body = dice.randbytes(200_000)
            key = f"key-{number}"
            headers = probe.signed_headers("PUT", probe.path("bucket", key), payload=UNSIGNED)
            with probe.open() as connection:
                path = probe.path("bucket", key)
                connection.head("PUT", path, [*headers, ("Content-Length", str(len(body)))])
                connection.body(body)
                time.sleep(dice.choice([0, 0.001, 0.003, 0.01]))
                server.kill()
            server.start()
            listed = server.client().list_objects_v2(Bucket="bucket", Prefix=key).get("Contents", [])
            if listed:
                assert server.client().get_object(Bucket="bucket", Key=key)["Body"].read() == body
        server.fsck()
    finally:
        if server.running:
            server.stop()
