from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.dates import http_date, iso_date, parse_http_date

EXAMPLE = 784111777
"""RFC 9110, section 5.6.7: all its examples are of this second."""


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "1994-11-06T08:49:37Z",
        "1994-11-06T09:49:37+01:00",
    ],
)
def test_every_form_is_read(text: str) -> None:
    assert parse_http_date(text) == EXAMPLE


@pytest.mark.parametrize("text", ["", "soon", "Sun, 99 Foo 1994 99:99:99 GMT", "1994", "x" * 100, "Sün"])
def test_what_is_no_date(text: str) -> None:
    assert parse_http_date(text) is None


@given(st.integers(0, 253402300799))
def test_a_written_date_reads_back(seconds: int) -> None:
    assert parse_http_date(http_date(seconds)) == seconds


def test_iso_has_milliseconds() -> None:
    assert iso_date(EXAMPLE * 1000 + 7) == "1994-11-06T08:49:37.007Z"
