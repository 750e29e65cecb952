"""Names of adopted objects, and what of a service's headers belongs to an object."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.blobs.adopted import AdoptedName, adopted_name, is_adopted, parse_adopted
from gateway.blobs.upstream.names import Layout
from gateway.blobs.upstream.source import kept_headers, modified_ms

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(st.integers(0, 1 << 62), st.integers(0, 1 << 62), TEXT, TEXT, TEXT)
def test_a_name_tells_all_that_it_was_made_of(attachment: int, blob: int, key: str, version: str, etag: str) -> None:
    raw = key.encode()
    for given_version in (None, "null", version):
        name = adopted_name(attachment, blob, "photos", raw, given_version, etag)
        assert is_adopted(name)
        pinned_by_version = given_version not in (None, "null")
        expected = AdoptedName(attachment, "photos", raw, given_version, None if pinned_by_version else etag)
        assert parse_adopted(name) == expected


def test_no_two_blobs_share_a_name() -> None:
    first, second = (adopted_name(1, blob, "photos", b"k", None, "e") for blob in (1, 2))
    assert first != second
    assert first.partition("/")[2] == second.partition("/")[2] == "photos/ee/k"


@pytest.mark.parametrize("name", ["", "1/2", "@1/b/ee/k", "@1.2/b/xe/k", "@1.2/b/ee/", "@x.2/b/ee/k", "@1.2//ee/k"])
def test_what_is_no_such_name(name: str) -> None:
    with pytest.raises(ValueError, match="adopted"):
        parse_adopted(name)


def test_headers_that_belong_to_an_object() -> None:
    answer = {
        "server": "MinIO",
        "content-type": "image/png",
        "content-encoding": "aws-chunked",
        "x-amz-meta-b": "gr\udcc3\udcbcn",
        "x-amz-meta-a": "caf\udce9",
        "expires": "",
        "x-amz-request-id": "1",
        "cache-control": "no-cache",
        "content-length": "3",
    }
    assert kept_headers(answer) == (
        ("cache-control", "no-cache"),
        ("content-type", "image/png"),
        ("x-amz-meta-a", "café"),
        ("x-amz-meta-b", "grün"),
    )
    assert modified_ms({"last-modified": "Sun, 06 Nov 1994 08:49:37 GMT"}) == 784_111_777_000


@pytest.mark.parametrize("prefix", ["", "a/b"])
def test_what_a_store_keeps_for_itself(prefix: str) -> None:
    layout = Layout(prefix, "0123456789abcdef")
    root = f"{prefix}/".encode() if prefix else b""
    for ours in (
        b"deployment",
        b"probe-0123456789abcdef",
        b"0123456789abcdef/7/3",
        b"cache/0123456789abcdef/x",
        b"variants/0123456789abcdef/x",
    ):
        assert layout.is_ours(root + ours)
    for theirs in (
        b"deployments",
        b"probe-x",
        b"cache/x",
        b"variants/x",
        b"0123456789abcdeg/7/3",
        b"x" + root + b"deployment",
    ):
        assert not layout.is_ours(theirs if theirs.startswith(b"x") else root + theirs)
