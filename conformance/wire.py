"""HTTP/1.1 over a bare socket: what no client library would send, and answers as they came.

One connection a request; the body may be cut, slow or longer than declared, the answer may come before the body went.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self
from xml.etree import ElementTree

from conformance.sigv4 import Pairs
from conformance.target import CONNECT_SECONDS, READ_SECONDS, Target
from conformance.verdict import Mismatch, check, equal, one_of

_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response: status, headers in order, body bytes."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of the first header of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def xml(self) -> ElementTree.Element:
        """The body parsed, with namespaces taken off the tags."""
        try:
            root = ElementTree.fromstring(self.body)
        except ElementTree.ParseError as error:
            raise Mismatch(f"the body is not XML ({error}): {self.body[:200]!r}") from None
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    def text(self, path: str) -> str | None:
        """The text of the first element at an ElementTree path, or None."""
        return self.xml.findtext(path)

    def texts(self, path: str) -> list[str]:
        """The texts of all elements at an ElementTree path."""
        return [element.text or "" for element in self.xml.findall(path)]

    @property
    def code(self) -> str | None:
        """The error code of an S3 error document, None where there is none."""
        return self.text("Code") if self.body.lstrip().startswith(b"<") and self.xml.tag == "Error" else None

    def succeeded(self, status: int = 200) -> Self:
        """This answer, after checking its status."""
        check(self.status == status, f"expected {status}, got {self.status}: {self.body[:400]!r}")
        return self

    def refused(self, status: int, *codes: str) -> Self:
        """This answer, after checking that it is an error with this status and one of these codes."""
        check(
            self.status == status and self.code in codes,
            f"expected {status} {' or '.join(codes)}, got {self.status} {self.code}: {self.body[:400]!r}",
        )
        return self

    def refused_any(self, *allowed: tuple[int, str]) -> Self:
        """This answer, after checking that it is one of several (status, code) pairs."""
        one_of((self.status, self.code), allowed, "status and code")
        return self


class Connection:
    """A socket to the target on which a request is written piece by piece."""

    def __init__(self, target: Target, *, timeout: float = READ_SECONDS) -> None:
        """Connect; `timeout` is in seconds, for each read and write."""
        plain = socket.create_connection((target.host, target.port), timeout=CONNECT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket: socket.socket = plain
        if target.tls:
            self.socket = target.ssl_context().wrap_socket(plain, server_hostname=target.host)
        self.socket.settimeout(timeout)
        self.method = "GET"

    def __enter__(self) -> Self:
        """The connection itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the socket."""
        self.socket.close()

    def head(self, method: str, request_target: str, headers: Pairs) -> None:
        """Write the request line and the headers; values go out as UTF-8 or as surrogate-escaped bytes."""
        self.method = method
        lines = [f"{method} {request_target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        self.socket.sendall("\r\n".join(lines).encode("utf-8", "surrogateescape"))

    def body(self, pieces: bytes | Iterable[bytes]) -> None:
        """Write body bytes; a server that has answered and closed already is no error here."""
        try:
            for piece in _cut(pieces) if isinstance(pieces, bytes) else pieces:
                self.socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            return

    def end_writing(self) -> None:
        """Say that no more bytes follow."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def interim(self) -> bytes:
        """Read what arrives first, up to the end of one header block (for `100 Continue`)."""
        seen = b""
        while not seen.endswith(b"\r\n\r\n"):
            piece = self.socket.recv(1)
            if not piece:
                break
            seen += piece
        return seen

    def answer(self) -> Answer:
        """Read the final response; raises Mismatch where the server closes without one."""
        response = http.client.HTTPResponse(self.socket, method=self.method)
        try:
            response.begin()
            body = response.read()
        except (http.client.HTTPException, OSError) as error:
            raise Mismatch(f"no whole answer to {self.method}: {type(error).__name__} {error}") from None
        return Answer(response.status, tuple(response.getheaders()), body)


def _cut(body: bytes) -> Iterator[bytes]:
    return (body[start : start + _PIECE] for start in range(0, len(body), _PIECE))


def xml_is_error(answer: Answer) -> None:
    """Check the shape of an S3 error document: Code, Message and the request id that the header names too."""
    equal(answer.xml.tag, "Error", "root element")
    for name in ("Code", "Message", "RequestId"):
        check(answer.text(name), f"the error has no {name}")
    equal(answer.text("RequestId"), answer.header("x-amz-request-id"), "RequestId against x-amz-request-id")
