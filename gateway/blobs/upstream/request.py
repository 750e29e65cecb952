"""What is asked of a service, and what it answered."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.blobs.upstream.errors import BadResponse, UpstreamError, from_answer
from gateway.blobs.upstream.xml import Element, error_code, parse
from gateway.errors import DiskFull

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One operation, named as AWS does. `key` is not encoded; header names are in lower case; `payload` as SigV4's hash."""

    operation: str
    method: str
    bucket: str
    key: bytes = b""
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    payload: str = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer with its body."""

    operation: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def error(self) -> UpstreamError | DiskFull:
        """The fact behind an answer that is no success."""
        code, message = error_code(self.body)
        return from_answer(self.operation, self.status, code, message)

    def xml(self, *roots: str) -> Element:
        """The document, whose root's name must begin with one of these. Raises BadResponse, or what an `Error` in a 200 means."""
        element = parse(self.body)
        if element.name == "Error":
            # Long operations answer 200 before they know: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
            raise from_answer(self.operation, 500, element.get("Code"), element.get("Message"))
        if not element.name.startswith(roots):
            raise BadResponse(f"{self.operation}: the answer is a {element.name[:40]}, not a {roots[0]}")
        return element


def etag_of(headers: dict[str, str]) -> str:
    """Without quotes; empty where there is none."""
    return headers.get("etag", "").removeprefix("W/").strip('"')
