from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.copy_source import CopySource, parse_copy_range, parse_copy_source
from gateway.s3.errors import S3Error


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/b/k", CopySource("b", b"k", None)),
        ("b/k", CopySource("b", b"k", None)),
        ("b//k", CopySource("b", b"/k", None)),
        ("b%2Fk", CopySource("b", b"k", None)),
        ("b/a%20b+c", CopySource("b", b"a b+c", None)),
        ("b/k?versionId=v1", CopySource("b", b"k", "v1")),
        ("b/k%3FversionId=v1", CopySource("b", b"k?versionId=v1", None)),
        ("b/k?x=y", CopySource("b", b"k?x=y", None)),
    ],
)
def test_parse(text: str, expected: CopySource) -> None:
    assert parse_copy_source(text) == expected


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100))
def test_any_quoted_key(key: str) -> None:
    assert parse_copy_source("b/" + quote(key, safe="")) == CopySource("b", key.encode(), None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "InvalidArgument"),
        ("b", "InvalidArgument"),
        ("b/", "InvalidArgument"),
        ("/", "InvalidArgument"),
        ("b/k?versionId=", "InvalidArgument"),
        ("arn:aws:s3:us-east-1:1:accesspoint/a/object/k", "InvalidArgument"),
        ("b/%FF", "InvalidArgument"),
        ("%FF/k", "InvalidArgument"),
        ("b/" + "k" * 1025, "KeyTooLongError"),
    ],
)
def test_what_is_no_source(text: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_copy_source(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("text", "expected"), [(None, (0, 10)), ("bytes=0-9", (0, 10)), ("bytes=9-9", (9, 1)), ("bytes=2-5", (2, 4))]
)
def test_range(text: str | None, expected: tuple[int, int]) -> None:
    assert parse_copy_range(text, 10) == expected


@pytest.mark.parametrize(
    "text", ["bytes=0-10", "bytes=5-", "bytes=-5", "0-5", "bytes=5-2", "bytes=0-1,3-4", "bytes 0-1"]
)
def test_a_range_that_is_not_within(text: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_copy_range(text, 10)
    assert caught.value.code == "InvalidArgument"
