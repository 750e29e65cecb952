from __future__ import annotations

import pytest

from gateway.http.request_target import split_absolute


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
