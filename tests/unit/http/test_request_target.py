from __future__ import annotations

import pytest

from gateway.http.request_target import split_absolute, told_by


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://host:1/b/k?a=b?c", ("host:1", "/b/k?a=b?c")),
        ("HTTPS://host", ("host", "/")),
        ("http://host?a", ("host", "/?a")),
        ("http://host//a%2F/../b", ("host", "//a%2F/../b")),
        ("http://[::1]:9/user@b", ("[::1]:9", "/user@b")),
    ],
)
def test_authority_and_path_are_told_apart_as_sent(target: str, expected: tuple[str, str]) -> None:
    assert split_absolute(target) == expected


@pytest.mark.parametrize("target", ["", "*", "host:80", "ftp://host/x", "http:/host", "http:///x", "http://user@host/"])
def test_what_no_server_of_http_is_asked(target: str) -> None:
    with pytest.raises(ValueError, match="not the URL"):
        split_absolute(target)


@pytest.mark.parametrize(
    ("beginning", "told"),
    [
        (b"GET /b/k?a HTTP/1.1\r\nHost: h:1\r\n\r\n", ("/b/k?a", "h:1")),
        (b"GET /b/k HTTP/1.1\nX: y\nhOST:h \n", ("/b/k", "h")),
        (b"GET /b/k HTTP/1.1\r\nHost: h", ("/b/k", "")),
        (b"GET /b/k HTTP/1.1\r\nHost: h\r\nHost: other\r\n", ("/b/k", "")),
        (b"GET /b/k HTTP/1.1\r\nX: y\r\n\r\nHost: in the body\r\n", ("/b/k", "")),
        (b"GET /b/k HTTP/1.1\r\nHost: \xff\r\n", ("/b/k", "\xff")),
        (b"GET /b/\x07\r\n", ("/b/\x07", "")),
        (b"GET /cut", ("/cut", "")),
        (b"\x16\x03\x01", ("", "")),
        (b"", ("", "")),
    ],
)
def test_what_is_no_request_tells_what_it_can(beginning: bytes, told: tuple[str, str]) -> None:
    assert told_by(beginning) == told
