from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from signing.canonical import (
    Query,
    canonical_headers,
    canonical_query,
    canonical_uri,
    decode_query,
    encode,
    encode_path,
    header_map,
)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        (b"", "/"),
        (b"/", "/"),
        (b"/bucket/a//b/../c/.", "/bucket/a//b/../c/."),
        (b"/a+b", "/a%2Bb"),
        (b"/a%2Bb%20c", "/a%2Bb%20c"),
        (b"/a%2fb", "/a/b"),
        (b"/%7etilde", "/~tilde"),
        (b"/%c3%a4", "/%C3%A4"),
        ("/ä".encode(), "/%C3%A4"),
        (b"/%25zz%zz%", "/%25zz%25zz%25"),
        (b"/%ff%00", "/%FF%00"),
        (b"/a=b&c:d@e!f", "/a%3Db%26c%3Ad%40e%21f"),
    ],
)
def test_uri_is_decoded_once_and_never_normalised(raw: bytes, canonical: str) -> None:
    assert canonical_uri(raw) == canonical


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        (b"", ""),
        (b"lifecycle", "lifecycle="),
        (b"b=2&a=1&a=0", "a=0&a=1&b=2"),
        (b"prefix=a+b", "prefix=a%20b"),
        (b"prefix=a%2Bb", "prefix=a%2Bb"),
        (b"prefix=a%2fb/c", "prefix=a%2Fb%2Fc"),
        (b"a=b=c", "a=b%3Dc"),
        (b"&&a&", "a="),
        (b"=x", "=x"),
        (b"a-b=1&a=2&a%20=3", "a=2&a%20=3&a-b=1"),
        (b"q=%E4", "q=%E4"),
        ("q=ü".encode(), "q=%C3%BC"),
        (b"A=1&a=1", "A=1&a=1"),
        (b"%7Ea=%41", "~a=A"),
    ],
)
def test_query_is_canonical(raw: bytes, canonical: str) -> None:
    assert canonical_query(raw) == canonical


def test_query_leaves_out_the_named_parameter_only() -> None:
    raw = b"X-Amz-Signature=1&X-Amz-SignatureX=2&x-amz-signature=3&X%2DAmz-Signature=4"
    assert canonical_query(raw, "X-Amz-Signature") == "X-Amz-SignatureX=2&x-amz-signature=3"


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=6))
def test_query_reads_back_what_a_client_encoded(pairs: list[tuple[str, str]]) -> None:
    pairs = [(name or "n", value) for name, value in pairs]
    raw = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs).encode()
    query = Query(raw)
    assert query.pairs == pairs == decode_query(raw)
    wanted = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    assert query.canonical() == "&".join(f"{name}={value}" for name, value in wanted)


@given(st.binary(max_size=64))
def test_query_canonical_form_is_a_fixed_point_and_means_the_same(raw: bytes) -> None:
    canonical = canonical_query(raw)
    assert canonical_query(canonical.encode()) == canonical
    assert sorted(decode_query(canonical.encode())) == sorted(decode_query(raw))


@given(st.binary(max_size=64))
def test_encoding_agrees_with_the_standard_library(raw: bytes) -> None:
    assert encode(raw) == quote(raw, safe="-_.~")
    assert encode_path(raw) == quote(raw, safe="/-_.~")


def test_headers_are_trimmed_folded_and_joined() -> None:
    sent = [
        ("X-Amz-Meta-B", "  two   words \t here "),
        ("Host", "h"),
        ("x-amz-meta-b", " again "),
        ("X-Amz-Meta-A", "ä"),
    ]
    for headers in (sent, tuple(sent), CIMultiDict(sent)):
        values = header_map(headers)
        assert canonical_headers(values, ["host", "x-amz-meta-a", "x-amz-meta-b"]) == (
            "host:h\nx-amz-meta-a:ä\nx-amz-meta-b:two words here,again\n"
        )
    assert header_map({"Host": "h"}) == {"host": "h"}


def test_absent_header_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        canonical_headers({}, ["host"])
