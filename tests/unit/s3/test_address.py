from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.address import SERVICE, Address, bucket_of_host, parse_address, split_target
from gateway.s3.errors import S3Error


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", SERVICE),
        ("/b", Address("b", None)),
        ("/b/", Address("b", None)),
        ("/b/k", Address("b", b"k")),
        ("/b//", Address("b", b"/")),
        ("/b//k", Address("b", b"/k")),
        ("/b/k/", Address("b", b"k/")),
        ("/b/a%2Fb", Address("b", b"a/b")),
        ("/b/../c", Address("b", b"../c")),
        ("/b/./c", Address("b", b"./c")),
        ("/b/a+b", Address("b", b"a+b")),
        ("/b/a%20b", Address("b", b"a b")),
        ("/b/%C3%A9", Address("b", "é".encode())),
        ("/b/é", Address("b", "é".encode())),
        ("/b/a;b=c&d", Address("b", b"a;b=c&d")),
        ("/%62/k", Address("b", b"k")),
        ("/b/%00", Address("b", b"\0")),
    ],
)
def test_path_style(path: str, expected: Address) -> None:
    assert parse_address(path, "localhost:9090", ()) == expected


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_any_key_that_was_quoted_comes_back(key: str) -> None:
    path = "/bucket/" + quote(key.encode(), safe="")
    if len(key.encode()) > 1024:
        with pytest.raises(S3Error, match="too long"):
            parse_address(path, "h", ())
    else:
        assert parse_address(path, "h", ()) == Address("bucket", key.encode())


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/b/%FF", "InvalidURI"),
        ("/b/%C3", "InvalidURI"),
        ("/b/\udcff", "InvalidURI"),
        ("/b/%zz", "InvalidURI"),
        ("/b/%", "InvalidURI"),
        ("/b/%ED%A0%80", "InvalidURI"),
        ("//k", "InvalidURI"),
        ("/b/" + "k" * 1025, "KeyTooLongError"),
        ("/b/" + "%C3%A9" * 513, "KeyTooLongError"),
    ],
)
def test_what_is_no_key(path: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_address(path, "h", ())
    assert caught.value.code == code


def test_a_key_of_1024_bytes_is_one() -> None:
    assert parse_address("/b/" + "%C3%A9" * 512, "h", ()).key == "é".encode() * 512


DOMAINS = ("s3.example.com", "localhost")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("photos.s3.example.com", "photos"),
        ("photos.s3.example.com:9090", "photos"),
        ("PHOTOS.S3.Example.com", "photos"),
        ("a.b.s3.example.com", "a.b"),
        ("photos.s3.example.com.", "photos"),
        ("photos.localhost:1", "photos"),
        ("s3.example.com", None),
        ("s3.example.com:9090", None),
        ("evils3.example.com", None),
        ("127.0.0.1:9090", None),
        ("[::1]:9090", None),
        ("[::1]", None),
        ("", None),
    ],
)
def test_virtual_host(host: str, expected: str | None) -> None:
    assert bucket_of_host(host, DOMAINS) == expected


def test_on_a_virtual_host_every_path_is_a_key() -> None:
    assert parse_address("/", "p.localhost", DOMAINS) == Address("p", None)
    assert parse_address("/api/x", "p.localhost", DOMAINS) == Address("p", b"api/x")
    assert parse_address("//", "p.localhost", DOMAINS) == Address("p", b"/")


@pytest.mark.parametrize(
    ("target", "expected"), [("/b/k?a=b?c", ("/b/k", "a=b?c")), ("/b", ("/b", "")), ("/?a", ("/", "a"))]
)
def test_split_target(target: str, expected: tuple[str, str]) -> None:
    assert split_target(target) == expected


@pytest.mark.parametrize("target", ["*", "host:80", "?a", ""])
def test_a_target_without_a_path(target: str) -> None:
    with pytest.raises(S3Error) as caught:
        split_target(target)
    assert caught.value.code == "InvalidURI"
