from __future__ import annotations

import pytest

from gateway.s3.errors import S3Error
from gateway.s3.tags import check_tags, header_tags


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("a=1&b=2", (("a", "1"), ("b", "2"))),
        ("a=", (("a", ""),)),
        ("a", (("a", ""),)),
        ("a%20b=c%2Bd+e", (("a b", "c+d e"),)),
        ("%C3%A9=%C3%A9", (("é", "é"),)),
    ],
)
def test_the_header(text: str, expected: tuple[tuple[str, str], ...]) -> None:
    assert header_tags({"x-amz-tagging": text}) == expected


def test_no_header_no_tags() -> None:
    assert header_tags({}) == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a=1&a=2", "InvalidArgument"),
        ("a=%FF", "InvalidArgument"),
        ("&".join(f"k{n}=v" for n in range(65)), "InvalidArgument"),
        ("&".join(f"k{n}=v" for n in range(11)), "BadRequest"),
        ("=v", "InvalidTag"),
        ("k" * 129 + "=v", "InvalidTag"),
        ("k=" + "v" * 257, "InvalidTag"),
        ("aws:k=v", "InvalidTag"),
        ("AWS:k=v", "InvalidTag"),
        ("k=a%22b", "InvalidTag"),
        ("k%0A=v", "InvalidTag"),
    ],
)
def test_what_is_refused(text: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        header_tags({"x-amz-tagging": text})
    assert caught.value.code == code


def test_limits_are_included() -> None:
    tags = tuple((f"{n}" + "k" * 127, "v" * 256) for n in range(10))
    assert check_tags(tags) == tags
    assert check_tags([("+-=._:/@ ñ", "東京 1")])


def test_the_same_key_twice() -> None:
    with pytest.raises(S3Error, match="same key"):
        check_tags([("a", "1"), ("a", "2")])


def test_surrogates_are_no_text() -> None:
    with pytest.raises(S3Error):
        check_tags([("a", "\udc80")])
