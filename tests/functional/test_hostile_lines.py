"""Lines that no honest client opens: headers without an end, and what must not be taken for one."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import psutil
import pytest

from tests.functional.conftest import StartServer
from tests.services import Server


def connect(server: Server) -> socket.socket:
    where = urlsplit(server.url)
    return socket.create_connection((where.hostname or "", where.port or 0), timeout=60)


def resident(server: Server) -> int:
    """Bytes that the processes under the supervisor have in memory."""
    return sum(int(child.memory_info().rss) for child in psutil.Process(server.pid).children())


def test_a_header_of_megabytes_is_refused(start_server: StartServer) -> None:
    server = start_server()
    head = b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 16_000) for n in range(250))
    before = resident(server)
    lines = [connect(server) for _ in range(30)]
    try:
        for line in lines:
            try:
                line.sendall(head)
            except ConnectionError:
                pass  # refused before it was all out
        assert resident(server) - before < 40 * 1024 * 1024
        assert server.fetch("/livez")[0] == 200
    finally:
        for line in lines:
            line.close()


@pytest.mark.parametrize("before", [b"", b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"], ids=["alone", "pipelined"])
def test_a_header_that_is_too_large_is_answered(http_server: Server, before: bytes) -> None:
    with connect(http_server) as line:
        line.sendall(before + b"GET / HTTP/1.1\r\nHost: h\r\n")
        answer = b""
        # What is read together with the end of a request is not counted: a server that is late would take it all at once.
        while before and not answer.endswith(b"alive\n"):
            piece = line.recv(65536)
            assert piece, answer
            answer += piece
        for _ in range(10):
            line.sendall(b"X-Large: " + b"a" * 8_000 + b"\r\n")
            time.sleep(0.02)
        while piece := line.recv(65536):
            answer += piece
    statuses = [part.split()[0] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == ([b"200"] if before else []) + [b"400"], answer
    assert b"<Code>RequestHeaderSectionTooLarge</Code>" in answer
    assert b"<MaxSizeAllowed>65536</MaxSizeAllowed>" in answer


@pytest.mark.parametrize(
    "request_of",
    [
        lambda path: [b"GET " + path + b"?a=\x070000 HTTP/1.1\r\nHost: h\r\n\r\n"],
        lambda path: [b"G", b"ET " + path, b" HTTP/1.1\r\nHost: h\r\n", b"Content-Length: -1\r\n\r\n"],
        lambda path: [b"PUT " + path + b" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ],
    ids=["a control character", "a length below zero, in pieces", "a chunk without a size"],
)
def test_what_is_no_http_is_refused_in_the_words_of_its_door(
    http_server: Server, request_of: Callable[[bytes], list[bytes]]
) -> None:
    for path, word in (
        (b"/api/v1/images", b'"detail": {"code": "INVALID_REQUEST"'),
        (b"/openapi.json", b'"detail": {"code": "INVALID_REQUEST"'),
        (b"/img/b/k", b'{"error": {"code": "InvalidRequest", "message": "The request is not well-formed HTTP."}}'),
        (b"/ui/docs/", b'{"error": "The request is not well-formed HTTP."}'),
        (b"/health", b'{"error": "The request is not well-formed HTTP."}'),
        (b"/b/k", b"<Code>InvalidRequest"),
        (b"/image/k", b"<Code>InvalidRequest"),
        (b"http://h:1/img/b/k", b'{"error": {"code": "InvalidRequest",'),
    ):
        answer = refused(http_server, *request_of(path))
        assert answer.startswith(b"HTTP/1.1 400"), answer
        assert word in answer
        name = b"X-Request-Id: " if b'"detail"' in word else b"x-amz-request-id: "
        assert name in answer
        assert (b"Content-Type: application/json" in answer) == word.startswith((b"{", b'"'))


def refused(server: Server, *pieces: bytes) -> bytes:
    """The answer to the last request of a connection, before which there was one of another door."""
    with connect(server) as line:
        line.sendall(b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
        before = b""
        while not before.endswith(b"alive\n"):
            piece = line.recv(65536)
            assert piece, before
            before += piece
        assert before.startswith(b"HTTP/1.1 200")
        for piece in pieces:
            line.sendall(piece)
            time.sleep(0.02)
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    ("long", "most", "status", "words"),
    [
        (lambda path: path + b"?a=" + b"x" * 17_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 16_384, 414, ("URI_TOO_LONG", "UriTooLong")),
        (lambda path: path + b" HTTP/1.1\r\nHost: h\r\nX-A: " + b"x" * 17_000 + b"\r\n\r\n", 65_536, 431, ("HEADER_TOO_LARGE", "HeaderTooLarge")),
        (lambda path: path + b" HTTP/1.1\r\nHost: h\r\n" + b"X-A: x\r\n" * 300 + b"\r\n", 65_536, 431, ("HEADER_TOO_LARGE", "HeaderTooLarge")),
    ],
    ids=["a line", "a field", "many fields"],
)  # fmt: skip
def test_what_is_too_long_is_told_what_it_may_be(
    http_server: Server, long: Callable[[bytes], bytes], most: int, status: int, words: tuple[str, str]
) -> None:
    for path, code in ((b"/api/v1/images", words[0]), (b"/img/b/k", words[1]), (b"/ui/", ""), (b"/b/k", "S3")):
        answer = refused(http_server, b"GET " + long(path)).decode()
        told = "at most" if status == 431 else "shorten"
        assert told in answer, answer
        if code == "S3":
            assert answer.startswith("HTTP/1.1 400"), answer
            assert "<Code>RequestHeaderSectionTooLarge</Code>" in answer
            assert f"<MaxSizeAllowed>{most}</MaxSizeAllowed>" in answer
        else:
            assert answer.startswith(f"HTTP/1.1 {status}"), answer
            assert f'"code": "{code}"' in answer or not code


def test_a_header_below_the_limit_is_read(http_server: Server) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 8_000) for n in range(7))
    with connect(http_server) as line:
        line.sendall(head + b"\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")


def test_the_end_of_a_body_is_not_taken_for_a_header(start_server: StartServer) -> None:
    server = start_server(environment={"PIXGATE_HEADER_TIMEOUT": "2"})
    client = server.client(signature_version="s3v4")
    client.create_bucket(Bucket="bucket")
    url = urlsplit(client.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "key"}))
    body = os.urandom(300_000)
    with connect(server) as line:
        head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
        line.sendall(head.encode())
        time.sleep(0.2)
        line.sendall(body)
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        # Longer than a header may take, and shorter than an idle connection may last.
        time.sleep(3.5)
        line.sendall(b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_body_that_comes_with_its_head_is_not_taken_for_a_header(http_server: Server) -> None:
    client = http_server.client(signature_version="s3v4")
    client.create_bucket(Bucket="with-its-head")
    url = urlsplit(client.generate_presigned_url("put_object", Params={"Bucket": "with-its-head", "Key": "key"}))
    for size in (200_000, 300_000, 1_000_000) * 3:
        body = os.urandom(size)
        head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
        with connect(http_server) as line:
            line.sendall(head.encode() + body)
            assert line.recv(65536).startswith(b"HTTP/1.1 200")
        assert client.get_object(Bucket="with-its-head", Key="key")["Body"].read() == body
