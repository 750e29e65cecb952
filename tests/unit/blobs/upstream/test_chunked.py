"""Chunked answers, however they are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.blobs.upstream.chunked import LINE_BYTES, TRAILERS, ChunkedDecoder
from gateway.blobs.upstream.errors import BadResponse


def feed(pieces: list[bytes]) -> tuple[bytes, bool]:
    decoder = ChunkedDecoder()
    out = b"".join(part for piece in pieces for part in decoder.feed(piece))
    return out, decoder.done


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(marks)]


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.lists(st.integers(0, 1000), max_size=12), st.booleans()
)
def test_what_was_put_into_chunks_comes_out(chunks: list[bytes], places: list[int], trailer: bool) -> None:
    wire = b"".join(b"%X;x=y\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    wire += b"0\r\n" + (b"x-a: 1\r\n" if trailer else b"") + b"\r\n"
    assert feed(cut(wire, places)) == (b"".join(chunks), True)


@given(st.binary(max_size=200), st.lists(st.integers(0, 1000), max_size=8))
def test_garbage_says_the_same_however_it_is_cut(wire: bytes, places: list[int]) -> None:
    def outcome(pieces: list[bytes]) -> tuple[bytes, bool] | None:
        try:
            return feed(pieces)
        except BadResponse:
            return None

    assert outcome(cut(wire, places)) == outcome([wire])


@pytest.mark.parametrize(
    "wire",
    [
        b"\r\n",
        b"g\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5 \n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\nmore",
        b"0\r\nno colon\r\n\r\n",
        b"1" * 16 + b"\r\n",
        b"5;" + b"x" * LINE_BYTES,
        b"0\r\n" + b"a: b\r\n" * (TRAILERS + 1) + b"\r\n",
    ],
)
def test_what_is_malformed_is_refused(wire: bytes) -> None:
    if wire == b"5 \n":
        assert feed([wire]) == (b"", False)
        return
    with pytest.raises(BadResponse):
        feed([wire])


def test_a_cut_answer_is_not_done() -> None:
    assert feed([b"5\r\nhel"]) == (b"hel", False)
    assert feed([b"5\r\nhello\r\n0\r\n"]) == (b"hello", False)
