"""The S3 door on the wire: large answers, refused bodies, lines that break, whatever the client library would hide."""

from __future__ import annotations

import hashlib
import io
import os
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from email.header import decode_header
from typing import Any
from urllib.parse import urlsplit

import boto3.s3.transfer
import pytest

from signing.sigv4.sign import Credentials, sign_header
from tests.functional.conftest import StartServer
from tests.services import ROOT, Server

MIB = 1024 * 1024
BIG = os.urandom(24 * MIB)


@pytest.fixture
def bucket(server: Server) -> str:
    name = f"wire-{uuid.uuid4().hex[:12]}"
    server.client().create_bucket(Bucket=name)
    return name


def presigned(server: Server, method: str, **parameters: str) -> bytes:
    """The head of a presigned request, without the empty line."""
    client = server.client(signature_version="s3v4")
    url = urlsplit(client.generate_presigned_url(method, Params=parameters, ExpiresIn=600))
    verb = {"get_object": "GET", "put_object": "PUT", "head_object": "HEAD"}[method]
    return f"{verb} {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n".encode()


@contextmanager
def line(server: Server, *, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    parts = urlsplit(server.url)
    assert parts.hostname is not None
    assert parts.port is not None
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(60)
    connection.connect((parts.hostname, parts.port))
    if server.certificates:
        context = ssl.create_default_context(cafile=str(server.certificates.ca))
        connection = context.wrap_socket(connection, server_hostname=parts.hostname)
    with connection:
        yield connection


def take_head(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (lower case), and what came of the body with them."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(4096)
        assert piece, f"the line ended within a head: {data!r}"
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return int(status.split()[1]), {k.lower(): v for k, v in (text.split(": ", 1) for text in lines)}, rest


def take_answer(
    connection: socket.socket, *, pause: float = 0, bodyless: bool = False
) -> tuple[int, dict[str, str], bytes]:
    status, headers, body = take_head(connection)
    pieces = [body]
    length = 0 if bodyless else int(headers.get("content-length", 0))
    left = length - len(body)
    while left > 0:
        piece = connection.recv(65536)
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
        if pause:
            time.sleep(pause)
    return status, headers, b"".join(pieces)


def put_in_parts(server: Server, bucket: str, key: str) -> None:
    config = boto3.s3.transfer.TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    server.client().upload_fileobj(io.BytesIO(BIG), bucket, key, Config=config)


def same(body: bytes) -> bool:
    """Whether these are the bytes, without printing megabytes where not."""
    return hashlib.sha256(body).digest() == hashlib.sha256(BIG).digest()


@pytest.mark.parametrize("pause", [0, 0.002], ids=["quick", "slow"])
@pytest.mark.parametrize("parts", [False, True], ids=["one blob", "many blobs"])
def test_a_large_answer_comes_whole_and_the_line_goes_on(
    server: Server, bucket: str, parts: bool, pause: float
) -> None:
    if parts:
        put_in_parts(server, bucket, "big")
    else:
        server.client().put_object(Bucket=bucket, Key="big", Body=BIG)
    request = presigned(server, "get_object", Bucket=bucket, Key="big") + b"\r\n"
    with line(server, receive_buffer=65536) as connection:
        for _ in range(2):
            connection.sendall(request)
            status, _, body = take_answer(connection, pause=pause)
            assert status == 200
            assert same(body)


def test_ranges_across_blobs(server: Server, bucket: str) -> None:
    put_in_parts(server, bucket, "big")
    client = server.client()
    for first, last in ((5 * MIB - 1, 5 * MIB), (0, 0), (MIB, 17 * MIB), (24 * MIB - 5, 24 * MIB - 1)):
        answer = client.get_object(Bucket=bucket, Key="big", Range=f"bytes={first}-{last}")
        assert answer["ContentRange"] == f"bytes {first}-{last}/{len(BIG)}"
        assert answer["Body"].read() == BIG[first : last + 1]


def test_clients_that_leave_in_the_middle_leave_nothing_behind(http_server: Server) -> None:
    client = http_server.client()
    name = f"wire-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="big", Body=BIG)
    request = presigned(http_server, "get_object", Bucket=name, Key="big") + b"\r\n"

    def leave() -> None:
        with line(http_server, receive_buffer=65536) as connection:
            connection.sendall(request)
            take_head(connection)

    leave()
    before = descriptors(http_server)
    threads = [threading.Thread(target=leave) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deadline = time.monotonic() + 60
    while descriptors(http_server) > before + 8 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert descriptors(http_server) <= before + 8
    assert client.get_object(Bucket=name, Key="big", Range="bytes=0-1")["Body"].read() == BIG[:2]


def descriptors(server: Server) -> int:
    """Open files of all processes of the server."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.getpgid(int(name)) == server.pid:
                    count += len(os.listdir(f"/proc/{name}/fd"))
            except (ProcessLookupError, FileNotFoundError):
                continue
    return count


@pytest.mark.embedded
def test_an_answer_that_breaks_off_is_never_taken_for_whole(start_server: StartServer) -> None:
    server = start_server(workers=1)
    client = server.client()
    client.create_bucket(Bucket="broken")
    client.put_object(Bucket="broken", Key="big", Body=BIG)
    files = [path for path in server.data.rglob("*") if path.is_file() and path.stat().st_size == len(BIG)]
    assert len(files) == 1
    os.truncate(files[0], len(BIG) // 2)
    with line(server) as connection:
        connection.sendall(presigned(server, "get_object", Bucket="broken", Key="big") + b"\r\n")
        status, headers, body = take_head(connection)
        assert status == 200
        received = len(body)
        try:
            while piece := connection.recv(65536):
                received += len(piece)
        except ConnectionResetError:
            pass
        assert received < int(headers["content-length"])
    # The log is written behind the answers.
    deadline = time.monotonic() + 60
    while '"error":"InternalError"' not in server.tail() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert '"error":"InternalError"' in server.tail()


def test_the_client_is_told_to_go_on_only_when_it_may(server: Server, bucket: str) -> None:
    head = (
        presigned(server, "put_object", Bucket=bucket, Key="k") + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    )
    with line(server) as connection:
        connection.sendall(head)
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"12345")
        assert take_answer(connection)[0] == 200
    with line(server) as connection:
        connection.sendall(head.replace(b"X-Amz-Signature=", b"X-Amz-Signature=x"))
        status, headers, _ = take_answer(connection)
        assert status == 400
        assert headers["connection"] == "close"
    with line(server) as connection:
        connection.sendall(head + b"12345")
        assert take_answer(connection)[0] == 200, "a client that does not wait is not told to go on"
    with line(server) as connection:
        connection.sendall(head.replace(b"100-continue", b"200-ok"))
        assert take_answer(connection)[0] == 417


@pytest.mark.parametrize("size", [100, MIB, 12 * MIB])
def test_a_refused_body_lets_its_answer_be_read(server: Server, bucket: str, size: int) -> None:
    head = presigned(server, "put_object", Bucket="no-such-bucket-here", Key="k")
    with line(server) as connection:
        connection.sendall(head + f"Content-Length: {size}\r\n\r\n".encode())
        try:
            connection.sendall(bytes(size))
        except (ConnectionError, ssl.SSLError):
            assert size > MIB
        status, headers, body = take_answer(connection)
        assert status == 404
        assert b"<Code>NoSuchBucket</Code>" in body
        if size <= MIB:
            assert "connection" not in headers
            connection.sendall(presigned(server, "head_object", Bucket=bucket, Key="k") + b"\r\n")
            assert take_answer(connection, bodyless=True)[0] == 404


def test_requests_that_come_together_are_answered_in_order(server: Server, bucket: str) -> None:
    client = server.client()
    for n in range(3):
        client.put_object(Bucket=bucket, Key=f"k{n}", Body=b"x" * (n + 1))
    requests = [presigned(server, "get_object", Bucket=bucket, Key=f"k{n}") + b"\r\n" for n in range(3)]
    with line(server) as connection:
        connection.sendall(b"".join(requests))
        data = b""
        while data.count(b"\r\n\r\n") < 3 or not data.endswith(b"\r\n\r\nxxx"):
            piece = connection.recv(4096)
            assert piece
            data += piece
        assert [part[:3] for part in data.split(b"HTTP/1.1 ")[1:]] == [b"200"] * 3


def test_head_tells_the_length_and_sends_nothing(server: Server, bucket: str) -> None:
    server.client().put_object(Bucket=bucket, Key="k", Body=b"12345")
    for key, expected in (("k", 200), ("missing", 404)):
        with line(server) as connection:
            request = presigned(server, "head_object", Bucket=bucket, Key=key)
            connection.sendall(request + b"Connection: close\r\n\r\n")
            status, headers, rest = take_head(connection)
            assert status == expected
            assert rest + connection.recv(100) == b""
            if expected == 200:
                assert headers["content-length"] == "5"


def test_no_header_gives_our_parts_away(server: Server, bucket: str) -> None:
    server.client().put_object(Bucket=bucket, Key="k", Body=b"12345")
    with line(server) as connection:
        connection.sendall(presigned(server, "get_object", Bucket=bucket, Key="k") + b"\r\n")
        _, headers, _ = take_answer(connection)
    assert "server" not in headers
    assert headers["content-type"] == "binary/octet-stream"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"


def stored(server: Server, bucket: str, content_type: str) -> tuple[Any, dict[str, str]]:
    client = server.client()
    client.put_object(Bucket=bucket, Key="page", Body=b"<p>", ContentType=content_type)
    with line(server) as connection:
        connection.sendall(presigned(server, "get_object", Bucket=bucket, Key="page") + b"\r\n")
        return client.head_object(Bucket=bucket, Key="page"), take_answer(connection)[1]


def test_a_page_is_an_attachment_to_a_browser_and_itself_to_a_client(server: Server, bucket: str) -> None:
    told, shown = stored(server, bucket, "text/html")
    assert "ContentDisposition" not in told
    assert shown["content-disposition"] == "attachment"
    told, shown = stored(server, bucket, "image/png")
    assert "content-disposition" not in shown


@pytest.mark.parametrize("raw", ["Zoë – 東京".encode(), b"caf\xe9"], ids=["UTF-8", "Latin-1"])
def test_metadata_that_is_not_ascii_comes_back_as_aws_gives_it(server: Server, bucket: str, raw: bytes) -> None:
    headers = {"x-amz-meta-name": raw.decode("utf-8", "surrogateescape")}
    signed = sign_header(
        Credentials(ROOT.access_key, ROOT.secret_key),
        method="PUT",
        host=urlsplit(server.url).netloc,
        raw_path=f"/{bucket}/k".encode(),
        now=time.time(),
        region="us-east-1",
        headers=headers,
    )
    request = f"PUT /{bucket}/k HTTP/1.1\r\nHost: {urlsplit(server.url).netloc}\r\nContent-Length: 0\r\n"
    request += "".join(f"{name}: {value}\r\n" for name, value in (headers | signed.headers).items())
    with line(server) as connection:
        connection.sendall(request.encode("utf-8", "surrogateescape") + b"\r\n")
        assert take_answer(connection)[0] == 200
    found = server.client().head_object(Bucket=bucket, Key="k")["Metadata"]["name"]
    ((text, charset),) = decode_header(found)
    assert charset == "utf-8"
    assert text.decode() == (raw.decode("latin-1") if b"\xe9" in raw else raw.decode())


def test_a_target_in_absolute_form_is_signed_for_its_own_host(server: Server, bucket: str) -> None:
    """What stands behind its authority is the path, and the authority counts instead of Host (RFC 9112, 3.2.2)."""
    host = urlsplit(server.url).netloc
    path = f"/{bucket}/a%2B/b%20c"

    def ask(method: str, authority: str, sent_host: str, signed_host: str, body: bytes = b"") -> tuple[int, bytes]:
        signed = sign_header(
            Credentials(ROOT.access_key, ROOT.secret_key),
            method=method,
            host=signed_host,
            raw_path=path.encode(),
            now=time.time(),
            region="us-east-1",
        )
        head = f"{method} {authority}{path} HTTP/1.1\r\nHost: {sent_host}\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
        with line(server) as connection:
            connection.sendall(head.encode() + b"\r\n" + body)
            status, _, answer = take_answer(connection)
            return status, answer

    assert ask("PUT", f"http://{host}", host, host, b"bytes")[0] == 200
    assert server.client().get_object(Bucket=bucket, Key="a+/b c")["Body"].read() == b"bytes"
    assert ask("GET", f"http://{host}", host, host) == (200, b"bytes")
    assert ask("GET", f"HTTPS://{host}", "elsewhere.example", host) == (200, b"bytes")
    status, answer = ask("GET", "http://elsewhere.example", host, host)
    assert (status, b"<Code>SignatureDoesNotMatch</Code>" in answer) == (403, True), answer
    for authority in ("ftp://" + host, "http://user@" + host, "http://"):
        status, answer = ask("GET", authority, host, host)
        assert (status, b"<Code>InvalidRequest</Code>" in answer) == (400, True), answer
    head = presigned(server, "get_object", Bucket=bucket, Key="a+/b c").replace(b"GET ", f"GET http://{host}".encode())
    with line(server) as connection:
        connection.sendall(head.replace(host.encode() + b"\r\n", b"elsewhere.example\r\n") + b"\r\n")
        assert take_answer(connection)[::2] == (200, b"bytes")
