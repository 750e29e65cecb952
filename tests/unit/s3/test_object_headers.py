from __future__ import annotations

import pytest

from gateway.s3.errors import S3Error
from gateway.s3.object_headers import SANDBOX, guard, override, printed_headers, stored_headers, without_aws_chunked


def test_what_is_kept() -> None:
    kept = stored_headers(
        {
            "host": "h",
            "content-type": " text/plain ",
            "content-encoding": "aws-chunked, gzip",
            "cache-control": "no-cache",
            "x-amz-meta-a": "1",
            "x-amz-acl": "private",
            "expires": "never",
        }
    )
    assert dict(kept) == {
        "content-type": "text/plain",
        "content-encoding": "gzip",
        "cache-control": "no-cache",
        "expires": "never",
        "x-amz-meta-a": "1",
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [("aws-chunked", ""), ("AWS-Chunked,br", "br"), ("gzip", "gzip"), ("a, aws-chunked ,b", "a,b")],
)
def test_the_framing_is_not_the_objects(value: str, expected: str) -> None:
    assert without_aws_chunked(value) == expected
    assert dict(stored_headers({"content-encoding": value})).get("content-encoding", "") == expected


def as_sent(raw: bytes) -> str:
    """A header's value as aiohttp gives it."""
    return raw.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("raw", "stored", "printed"),
    [
        (b"plain", "plain", "plain"),
        ("é".encode(), "é", "=?UTF-8?B?w6k=?="),
        (b"\xe9", "é", "=?UTF-8?B?w6k=?="),
        (b"=?UTF-8?Q?=C3=A9?=", "=?UTF-8?Q?=C3=A9?=", "=?UTF-8?Q?=C3=A9?="),
    ],
)
def test_metadata_that_is_not_ascii(raw: bytes, stored: str, printed: str) -> None:
    kept = stored_headers({"x-amz-meta-a": as_sent(raw)})
    assert kept == (("x-amz-meta-a", stored),)
    assert ("x-amz-meta-a", printed) in printed_headers(kept)


def test_system_headers_come_back_as_their_text() -> None:
    kept = stored_headers({"content-disposition": as_sent('attachment; filename="é"'.encode())})
    assert printed_headers(kept)[0] == ("Content-Disposition", 'attachment; filename="é"')


def test_a_value_that_no_header_may_hold_is_counted() -> None:
    printed = printed_headers((("x-amz-meta-a", "a\x01b"), ("x-amz-meta-b", "fine")))
    assert ("x-amz-missing-meta", "1") in printed
    assert "x-amz-meta-a" not in dict(printed)
    assert dict(printed)["x-amz-meta-b"] == "fine"


def test_there_is_always_a_type() -> None:
    assert printed_headers(()) == [("Content-Type", "binary/octet-stream")]
    assert printed_headers((("content-type", "a/b"),)) == [("Content-Type", "a/b")]


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-meta-a": "v" * 2048},
        {"x-amz-meta-" + "n" * 2047: "vv"},
        {"cache-control": "c" * 8193},
    ],
)
def test_too_much(headers: dict[str, str]) -> None:
    with pytest.raises(S3Error) as caught:
        stored_headers(headers)
    assert caught.value.code == "MetadataTooLarge"


def test_two_kilobytes_are_not_too_much() -> None:
    assert stored_headers({"x-amz-meta-a": "v" * 2047})


@pytest.mark.parametrize("headers", [{"x-amz-meta-": "v"}, {"x-amz-meta-é": "v"}, {"content-type": "a\x01"}])
def test_headers_that_cannot_be(headers: dict[str, str]) -> None:
    with pytest.raises(S3Error) as caught:
        stored_headers(headers)
    assert caught.value.code == "InvalidArgument"


def test_overrides() -> None:
    printed = [("Content-Type", "a/b"), ("Cache-Control", "c")]
    assert override(printed, {"versionId": "v"}) is printed
    changed = override(printed, {"response-content-type": "x/y", "response-expires": "e"})
    assert sorted(changed) == [("Cache-Control", "c"), ("Content-Type", "x/y"), ("Expires", "e")]
    with pytest.raises(S3Error, match="control"):
        override(printed, {"response-content-type": "x\r\nSet-Cookie: a"})


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "image/svg+xml",
        "application/xml",
        "application/atom+xml",
        "application/pdf",
    ],
)
def test_active_types_are_attachments_where_a_link_leads(content_type: str) -> None:
    printed = [("Content-Type", content_type)]
    assert ("Content-Disposition", "attachment") in guard(printed, navigable=True)
    assert guard(printed, navigable=False) == [*printed, *SANDBOX]


def test_a_stored_disposition_is_made_an_attachment_and_keeps_its_name() -> None:
    inline = [("Content-Type", "text/html"), ("Content-Disposition", 'inline; filename="a"')]
    assert ("Content-Disposition", 'attachment; filename="a"') in guard(inline, navigable=True)
    assert guard(inline, navigable=False)[1] == inline[1]
    own = [("Content-Type", "text/html"), ("Content-Disposition", "Attachment; filename=b")]
    assert guard(own, navigable=True)[1] == own[1]


def test_harmless_types_stay_inline() -> None:
    for content_type in ("image/jpeg", "text/plain", "binary/octet-stream", "video/mp4"):
        assert guard([("Content-Type", content_type)], navigable=True) == [("Content-Type", content_type), *SANDBOX]
