from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.ranges import ByteRange, RangeNotSatisfiable, content_range, parse_range


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 0)),
        ("bytes=5-", ByteRange(5, None)),
        ("bytes=" + "9" * 25 + "-", ByteRange(10**25 - 1, None)),
        ("bytes=-5", ByteRange(None, 5)),
        (" BYTES = 1 - 2 ", ByteRange(1, 2)),
        ("bytes=2-1", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=0-1x", None),
        ("bytes=٣-٤", None),
        ("", None),
    ],
)
def test_parse(text: str, expected: ByteRange | None) -> None:
    assert parse_range(text) == expected


@given(st.integers(0, 200), st.integers(0, 220), st.integers(0, 220))
def test_a_closed_range_is_the_slice(size: int, first: int, length: int) -> None:
    data = bytes(index % 251 for index in range(size))
    parsed = parse_range(f"bytes={first}-{first + length}")
    assert parsed is not None
    if first >= size:
        with pytest.raises(RangeNotSatisfiable) as caught:
            parsed.resolve(size)
        assert caught.value.size == size
    else:
        start, count = parsed.resolve(size)
        assert data[start : start + count] == data[first : first + length + 1]
        assert content_range(start, count, size) == f"bytes {start}-{start + count - 1}/{size}"


@given(st.integers(0, 200), st.integers(0, 220))
def test_a_suffix_is_the_tail(size: int, length: int) -> None:
    data = bytes(size)
    parsed = parse_range(f"bytes=-{length}")
    assert parsed is not None
    if size == 0 or length == 0:
        with pytest.raises(RangeNotSatisfiable):
            parsed.resolve(size)
    else:
        start, count = parsed.resolve(size)
        assert count == min(length, size)
        assert start + count == size == len(data)


@given(st.text(max_size=30))
def test_whatever_is_sent_is_a_range_or_nothing(text: str) -> None:
    parsed = parse_range(text)
    assert parsed is None or parsed.first is not None or parsed.last is not None
