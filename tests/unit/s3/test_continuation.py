from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.s3.continuation import decode_token, encode_token
from gateway.s3.errors import S3Error


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_token_resumes_where_it_was_made(key: str) -> None:
    token = encode_token(key.encode(), "objects")
    assert token.isascii()
    assert decode_token(token, "objects") == key.encode()


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "é",
        "%%%%",
        base64.b64encode(b"\x02objects\0k").decode(),
        base64.b64encode(b"k").decode(),
        base64.urlsafe_b64encode(b"\x01objects\0\xff").decode(),
        encode_token(b"k", "buckets"),
        encode_token(b"k", "objects")[:-1],
    ],
)
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(S3Error) as caught:
        decode_token(token, "objects")
    assert caught.value.code == "InvalidArgument"


@given(st.text())
def test_whatever_is_sent_is_refused_in_one_way(token: str) -> None:
    with pytest.raises(S3Error, match="continuation token"):
        decode_token(token, "objects")
