"""The body of an upload on the line: asked for, in chunks, cut, signed; nothing is there in half."""

from __future__ import annotations

import hashlib
import socket
import time
from urllib.parse import urlsplit

from conformance.target import Keys
from signing.sigv4.sign import Credentials, sign_header
from tests import images
from tests.functional.api.client import BASE, Answer, Api, File, multipart
from tests.functional.api.uploading import JPEG, keys_of, mine
from tests.services import ROOT, Server


def raw(server: Server, api: Api, head: str, body: bytes, *, headers: str = "") -> socket.socket:
    """Send a request by hand; the caller reads and closes."""
    parts = urlsplit(server.url)
    line = socket.create_connection((parts.hostname, parts.port), 60)
    line.sendall(
        f"POST {BASE}images/upload HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {api.token}\r\n{head}\r\n".encode()
        + body
    )
    return line


def read_head(line: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = line.recv(65536)
        if not piece:
            break
        data += piece
    return data


def test_the_body_is_asked_for_only_where_it_will_be_taken(me: Api, api_server: Server) -> None:
    body, content_type = multipart([("file", File(JPEG))])
    head = f"Content-Type: {content_type}\r\nExpect: 100-continue\r\nContent-Length: "
    with raw(api_server, me, f"{head}{len(body)}\r\n", b"") as line:
        assert read_head(line).startswith(b"HTTP/1.1 100 ")
        line.sendall(body)
        assert read_head(line).startswith(b"HTTP/1.1 201 ")
    with raw(api_server, me, f"{head}99000000\r\n", b"") as line:
        assert read_head(line).startswith(b"HTTP/1.1 400 ")
    with raw(api_server, me, f"{head}99000000\r\nPrefer: respond-async\r\n", b"") as line:
        assert read_head(line).startswith(b"HTTP/1.1 413 ")
    with raw(api_server, Api(api_server, "wrong"), f"{head}{len(body)}\r\n", b"") as line:
        assert read_head(line).startswith(b"HTTP/1.1 401 ")


def test_bodies_in_chunks_are_taken_and_bounded(me: Api, api_server: Server) -> None:
    head = "Transfer-Encoding: chunked\r\nContent-Type: "
    for data, status in ((JPEG, b"201"), (JPEG + bytes(11_000_000), b"400")):
        body, content_type = multipart([("file", File(data))])
        pieces = [body[start : start + 500_000] for start in range(0, len(body), 500_000)]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        line = raw(api_server, me, f"{head}{content_type}\r\n", b"")
        with line:
            try:
                line.sendall(framed)
            except ConnectionError:
                pass
            assert read_head(line).startswith(b"HTTP/1.1 " + status)


def test_a_line_that_is_cut_leaves_nothing(api: Api, api_server: Server) -> None:
    carol = api.as_user(api.register())
    large = images.jpeg((1500, 1000), quality=95)
    for data in (JPEG, large):
        body, content_type = multipart([("file", File(data))])
        for sent in (10, 300, len(body) // 2, len(body) - 1):
            with raw(
                api_server, carol, f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n", body[:sent]
            ):
                pass
    assert len(mine(carol)) == 0
    assert carol.upload(JPEG).status == 201
    assert len(mine(carol)) == 1


def test_a_signature_holds_the_body(api_server: Server) -> None:
    """The SHA-256 that is signed is that of the whole form; another body leaves nothing."""
    body, content_type = multipart([("bucket", "signed-bodies"), ("file", File(JPEG))])
    for sent, promised, status in (
        (body, body, 202),
        (body, body + b"x", 400),
        (body.replace(b"photo", b"other"), body, 400),
    ):
        answer = signed(api_server, ROOT, sent, hashlib.sha256(promised).hexdigest(), content_type)
        assert answer.status == status, answer.body
    assert len(keys_of(api_server, "signed-bodies")) == 1


def signed(server: Server, keys: Keys, body: bytes, digest: str, content_type: str) -> Answer:
    parts = urlsplit(server.url)
    made = sign_header(
        Credentials(keys.access_key, keys.secret_key),
        method="POST",
        host=parts.netloc,
        raw_path=f"{BASE}images/upload".encode(),
        now=time.time(),
        region="us-east-1",
        payload_hash=digest,
    )
    return Api(server).post("images/upload", body=body, headers={"Content-Type": content_type, **made.headers})
